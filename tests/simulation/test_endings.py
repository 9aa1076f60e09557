"""How `make simulate` ends: 0 only when every episode that was asked for was played and nothing differed."""

from __future__ import annotations

import sys
from collections import Counter

import pytest

from tests.simulation import run
from tests.simulation.judging.tally import Tally


@pytest.mark.parametrize(
    ("asked", "played", "failures", "options", "code"),
    [
        (3, 3, [], [], 0),
        (3, 3, ["seed 8: supply differs"], [], 1),
        (3, 2, [], [], 1),
        (3, 0, [], [], 1),
        (3, 2, [], ["--seconds", "5"], 0),
        (3, 2, ["seed 8: supply differs"], ["--seconds", "5"], 1),
    ],
)
def test_it_ends_with_0_only_if_all_were_played_and_nothing_differs(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    asked: int,
    played: int,
    failures: list[str],
    options: list[str],
    code: int,
) -> None:
    """SPEC 11.14"""
    calls = []

    def simulate(count: int, seed: int, **settings: object) -> tuple[Tally, list[str]]:
        calls.append((count, seed, settings["shorter"]))
        return Tally(episodes=Counter({"played": played})), failures

    monkeypatch.setattr(run, "simulate", simulate)
    monkeypatch.setattr(run.signal, "signal", lambda *_: None)
    monkeypatch.setattr(sys, "argv", ["run", "--episodes", str(asked), "--seed", "7", *options])

    assert run.main() == code
    assert calls == [(asked, 7, False)]
    told = capsys.readouterr().out
    assert "3 episodes from SEED=7" in told
    assert ("replay: make simulate N=1 SEED=8" in told) is bool(failures)


def test_without_a_seed_one_is_rolled_and_said(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """SPEC 11.14"""
    seeds = []
    monkeypatch.setattr(run, "simulate", lambda count, seed, **_: (seeds.append(seed), (Tally(), []))[1])
    monkeypatch.setattr(run.signal, "signal", lambda *_: None)
    monkeypatch.setattr(sys, "argv", ["run", "--episodes", "2"])
    for _ in range(3):
        run.main()

    told = capsys.readouterr().out
    assert len(set(seeds)) == 3
    assert all(f"SEED={seed}" in told for seed in seeds)
