"""How the demo ends, by what happened in it; and what it does with the rows of a chain that is gone."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from rich.console import Console

from chain.base.errors import NodeAway
from chain.contracts.deployment import Deployment
from scripts.demo import run as demo
from scripts.stack import local_stack as worlds
from scripts.stack.local_stack import LocalStackError
from scripts.stack.processes import ChildEnded


class Stage:
    """A demo whose system, play and serving are told."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
        self._folder = folder
        self.start: BaseException | None = None
        self.play: bool | BaseException = True
        self.serve: BaseException | None = None
        self.served = False
        monkeypatch.setattr(demo, "stack", self._world)
        monkeypatch.setattr(demo, "_play", self._play)
        monkeypatch.setattr(demo, "_serve", self._serve)

    @contextmanager
    def _world(self, *_: Any) -> Iterator[object]:
        if self.start is not None:
            raise self.start
        yield object()

    def _play(self, *_: Any) -> bool:
        if isinstance(self.play, BaseException):
            raise self.play
        return self.play

    def _serve(self, *_: Any) -> None:
        self.served = True
        if self.serve is not None:
            raise self.serve

    def run(self, *, once: bool = True) -> int:
        return demo.run(state=self._folder, once=once, fresh=False, port=0, rpc_port=0)


@pytest.fixture
def stage(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Stage:
    return Stage(monkeypatch, tmp_path)


@pytest.mark.parametrize(("verdict", "code"), [(True, 0), (False, 1)])
def test_once_ends_with_the_verdict_and_serves_nothing(stage: Stage, verdict: bool, code: int) -> None:
    """SPEC 11.6"""
    stage.play = verdict

    assert stage.run() == code
    assert not stage.served


@pytest.mark.parametrize(
    "fault",
    [
        ChildEnded("worker", -9, Path("worker.log")),
        LocalStackError("The contracts could not be deployed."),
        NodeAway("127.0.0.1:1", 1.0),
        httpx.ConnectError("refused"),
    ],
    ids=lambda fault: type(fault).__name__,
)
@pytest.mark.parametrize("once", [True, False])
def test_a_part_that_ended_is_said_and_ends_the_demo_with_1(
    stage: Stage, fault: Exception, once: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    """SPEC 11.6"""
    stage.play = fault
    assert stage.run(once=once) == 1
    stage.play, stage.serve = True, fault
    assert stage.run(once=False) == 1
    stage.start = fault
    assert stage.run(once=once) == 1
    assert capsys.readouterr().out.count("The demo stopped.") == 3


def test_ctrl_c_is_130_before_the_verdict_and_the_verdict_after_it(stage: Stage) -> None:
    """SPEC 11.6"""
    stage.play = KeyboardInterrupt()
    assert stage.run() == 130
    stage.serve = KeyboardInterrupt()
    for verdict, code in ((True, 0), (False, 1)):
        stage.play = verdict
        assert stage.run(once=False) == code


def test_a_programmers_mistake_is_not_swallowed(stage: Stage) -> None:
    """SPEC 11.6"""
    stage.play = AssertionError("a mistake")
    with pytest.raises(AssertionError):
        stage.run()


PARTS = ("verdict", "time", "evidence", "audit")


@pytest.mark.parametrize("wrong", [None, *PARTS])
def test_the_verdict_holds_only_if_every_part_of_it_does(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, wrong: str | None
) -> None:
    """SPEC 11.15, 11.6: the audit is the last of them, and looked at whatever was found before."""
    looked: list[str] = []

    def part(name: str) -> Any:
        def look(*_: Any) -> bool:
            looked.append(name)
            return name != wrong

        return look

    played = SimpleNamespace(**dict.fromkeys(("purchases", "redemptions", "exchanges", "goods_back"), lambda *_: None))
    played.enrol = lambda *_: {"cdnow-0001": "mem_1"}
    played.progress = lambda: nullcontext()
    plan = SimpleNamespace(redemptions=[], exchanges=[], returns=[], goods_back=[])
    monkeypatch.setattr(demo, "replay", played)
    monkeypatch.setattr(demo, "expectation", lambda _: plan)
    monkeypatch.setattr(demo, "verdict", SimpleNamespace(judge=lambda *_: [], show=part("verdict")))
    monkeypatch.setattr(demo, "_show_time", part("time"))
    monkeypatch.setattr(demo, "_leave_evidence", part("evidence"))
    monkeypatch.setattr(demo, "audited", SimpleNamespace(check=part("audit")))
    where = SimpleNamespace(genesis_hash="0x00", start_block=1)
    system: Any = SimpleNamespace(plan=SimpleNamespace(state=tmp_path), deployment=where)

    assert demo._play(system, Console(quiet=True), limit=1) is (wrong is None)
    assert looked == list(PARTS)


def deployment(genesis: str, start: int = 1) -> Deployment:
    found: Any = SimpleNamespace(genesis_hash=genesis, start_block=start)
    return found  # type: ignore[no-any-return]


FILES = ("moa.db", "moa.db-wal", "moa.db-shm", "keys.json")


def test_a_database_of_the_same_chain_stays_and_one_of_another_is_moved_aside(tmp_path: Path) -> None:
    """SPEC 11.8"""
    said: list[str] = []
    for name in FILES:
        (tmp_path / name).write_text(f"old {name}")
    (tmp_path / "chain").mkdir()

    for _ in range(2):
        worlds._set_aside_other_chain(tmp_path, deployment("0xaa"), said.append)
    assert all((tmp_path / name).read_text() == f"old {name}" for name in FILES)
    assert said == []

    worlds._set_aside_other_chain(tmp_path, deployment("0xbb"), said.append)

    [aside] = tmp_path.glob("before-*")
    assert {path.name: path.read_text() for path in aside.iterdir()} == {name: f"old {name}" for name in FILES}
    assert not any((tmp_path / name).exists() for name in FILES)
    assert (tmp_path / "chain").exists()
    assert len(said) == 1
    worlds._set_aside_other_chain(tmp_path, deployment("0xbb"), said.append)
    assert len(said) == 1, "the new chain is known from then on"


def test_contracts_deployed_anew_on_one_chain_are_another_chain_to_the_mirror(tmp_path: Path) -> None:
    """SPEC 11.8"""
    (tmp_path / "moa.db").write_text("old")
    worlds._set_aside_other_chain(tmp_path, deployment("0xaa", 1), lambda _: None)
    worlds._set_aside_other_chain(tmp_path, deployment("0xaa", 40), lambda _: None)

    assert not (tmp_path / "moa.db").exists()
