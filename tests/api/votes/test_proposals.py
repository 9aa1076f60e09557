"""Proposals for anyone: pages that miss none, houses, lists, and the command (SPEC 26.17)."""

from __future__ import annotations

import json
from collections.abc import Sequence

import pytest
from typer.testing import CliRunner

from api.votes import proposals
from chain.contracts.proposals import Block, PostedList, Proposal, Tally
from scripts.cli.app import app
from tests.api.auth.test_access import refusal
from tests.api.conftest import World, served

POSTER = "0x" + "5e" * 20
COUNT = 7


class Reading:
    """What a governor with seven proposals would tell; a real one: tests/end_to_end/test_badges_and_votes.py."""

    block = Block(9, "0x" + "09" * 32, 1_000)  # type: ignore[arg-type]

    def __init__(self, *_: object) -> None:
        pass

    def count(self) -> int:
        return COUNT

    def proposals(self, numbers: Sequence[int]) -> list[Proposal]:
        hashes, until = ("0x" + "6b" * 32, "0x" + "7e" * 32), (2_000, 3_000)
        return [Proposal(one, "open", 5, *hashes, *until, (1, 9), 1, 0, False, True) for one in numbers]  # type: ignore[arg-type]

    def tallies(self, _: Proposal) -> list[Tally]:
        return [Tally(1, POSTER, 100, 60, 10, 0), Tally(9, None, 0, 0, 0, 0)]  # type: ignore[arg-type]

    def lists(self, _: Proposal, __: Sequence[Tally]) -> list[PostedList]:
        whole = PostedList(1, POSTER, 3, 100, 1_500, False, True)  # type: ignore[arg-type]
        return [whole, PostedList(1, POSTER, 1, 10, None, True, False)]  # type: ignore[arg-type]


@pytest.fixture
def governor(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(proposals.proposals, "Reading", Reading)


def test_without_a_node_nothing_is_told(world: World) -> None:
    """SPEC 26.17"""
    assert refusal(world.anyone.get("/v1/proposals")) == (503, "NodeUnavailable")
    assert refusal(world.anyone.get("/v1/proposals/0")) == (422, "RequestMalformed")
    assert refusal(world.anyone.get("/v1/proposals", limit=51)) == (422, "RequestMalformed")


@pytest.mark.usefixtures("governor")
@pytest.mark.parametrize("limit", [1, 2, 3, COUNT, 50])
def test_pages_tell_every_proposal_once_the_newest_first(world: World, limit: int) -> None:
    """SPEC 26.17"""
    found: list[int] = []
    cursor: dict[str, str] = {}
    for _ in range(COUNT + 1):
        page = world.anyone.get("/v1/proposals", limit=limit, **cursor).json()
        found += [int(one["proposal"]) for one in page["proposals"]]
        if page["next_cursor"] is None:
            break
        cursor = {"cursor": page["next_cursor"]}
    assert found == list(range(COUNT, 0, -1))
    assert world.anyone.get("/v1/proposals", cursor="1").json()["proposals"] == []


@pytest.mark.usefixtures("governor")
def test_a_proposal_is_told_with_houses_and_lists_by_http_and_by_the_command(world: World) -> None:
    """SPEC 26.17"""
    assert refusal(world.anyone.get(f"/v1/proposals/{COUNT + 1}")) == (409, "ProposalUnknown")
    with served(world) as (url, _):
        listed = CliRunner().invoke(app, ["proposals", "list", "--url", url, "--json"])
        told = CliRunner().invoke(app, ["proposals", "show", "3", "--url", url, "--json"])
        plain = CliRunner().invoke(app, ["proposals", "show", "3", "--url", url])
        assert CliRunner().invoke(app, ["proposals", "show", "8", "--url", url]).exit_code == 1
    assert [one["proposal"] for one in json.loads(listed.output)][:2] == ["7", "6"]
    [one] = json.loads(told.output)
    assert (one["brands"], one["members_agree"], one["brands_agree"]) == (["cdnow", "9"], False, True)
    assert [(each["brand"], each["points_for"], each["poster"] is None) for each in one["tallies"]] == [
        ("cdnow", "60", False), ("9", "0", True),
    ]  # fmt: skip
    assert [(each["challenge_until"], each["contradicted"], each["adopted"]) for each in one["lists"]] == [
        ("1970-01-01T00:25:00.000Z", False, True), (None, True, False),
    ]  # fmt: skip
    assert "points_for 60" in plain.output
