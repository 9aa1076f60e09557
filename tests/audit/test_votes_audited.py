"""Votes audited: tallies and outcomes are counted again and held against proven storage; each lie there is named."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlmodel import SQLModel

import chain.tables  # noqa: F401 - makes the tables known
from chain.audit.report import Report
from chain.base.hashing import keccak
from chain.contracts.deployment import Contract
from chain.devnet.supervisor import Anvil
from chain.node.rpc import Rpc
from chain.proofs import layout
from chain.storage.database import engine as make_engine
from chain.storage.database import writing
from tests.audit.test_walked_chain import Mirrored, deployed
from tests.differential.voting import VotesWalk
from tests.differential.world import TwoSides
from tests.replay.test_votes import ADOPTED, false_lists

pytestmark = pytest.mark.slow

SEED = 5
STEPS = 60
LATER = ("OpeningBalances", "Badges", "ProgrammeGovernor", "Snapshots")
GOVERNOR = "ProgrammeGovernor"


@pytest.fixture(scope="module")
def voted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mirrored]:
    """A walk of votes on Anvil, one vote carried through, and a mirror of it."""
    folder: Path = tmp_path_factory.mktemp("votes")
    with Anvil(folder / "chain") as node, closing(Rpc(node.url, timeout_s=30.0)) as rpc:
        world = TwoSides(rpc, node.chain_id, anvil=True)
        walk = VotesWalk(world, random.Random(SEED))
        walk.prologue()
        for _ in range(STEPS):
            world.do(walk.next(world.at))
        assert walk.carry_through(1, twice=False) == ""
        plain = deployed(world, rpc)
        contracts = dict(plain.contracts)
        for name in LATER:
            address = world.chain.addresses[name]
            code = "0x" + keccak(bytes.fromhex(rpc.call("eth_getCode", address, "latest")[2:])).hex()
            contracts[name] = Contract(name, address, code)
        engine = make_engine(f"sqlite:///{folder}/moa.db")
        with writing(engine) as connection:
            SQLModel.metadata.create_all(connection)
        made = Mirrored(world, rpc, node.url, replace(plain, contracts=contracts), engine)
        made.mirror().catch_up(timeout_s=60)
        yield made
        engine.dispose()


def audited(voted: Mirrored, **plan: Any) -> Report:
    """An audit of the last block, which the mirror has."""
    voted.mirror().catch_up(timeout_s=60)
    return voted.audit(**plan)


def others(report: Report) -> list[tuple[str, str, str]]:
    """What differs, but for lists that nobody contradicted."""
    return [(each.what, str(each.said), str(each.right)) for each in report.differences if each.what != ADOPTED]


def test_votes_of_events_and_of_storage_agree(voted: Mirrored) -> None:
    """SPEC 12.6, 12.22"""
    report = audited(voted)

    assert report.finished
    assert others(report) == []
    assert voted.world.ledger.governor is not None
    assert report.found == false_lists(voted.world.ledger.governor)


def test_an_audit_of_votes_goes_on_from_a_finished_one(voted: Mirrored, tmp_path: Path) -> None:
    """SPEC 12.12, 12.21: what is kept of votes is enough for those that follow"""
    if voted.world.ledger.governor is not None and false_lists(voted.world.ledger.governor):
        pytest.fail("this seed adopts a false list: an audit that found something is not kept")
    assert audited(voted, save=tmp_path / "first.json").saved
    assert VotesWalk(voted.world, random.Random(SEED)).carry_through(1, twice=False) == ""

    report = audited(voted, finished=tmp_path / "first.json")

    assert others(report) == []


PLACES: list[tuple[str, tuple[Any, ...], int, str]] = [
    (GOVERNOR, ("_houses", "last", 1, "pointsFor"), 1, "pointsFor of a house"),
    (GOVERNOR, ("_houses", "last", 1, "pointsAgainst"), 1, "pointsAgainst of a house"),
    (GOVERNOR, ("_voted", "last", 1, 0), 1 << 200, "votes counted"),
    (GOVERNOR, ("_voices", "last", 1), 1, "voice of a brand"),
    (GOVERNOR, ("_courses", "last", "voicesFor"), 1, "voicesFor of a proposal"),
    (GOVERNOR, ("_courses", "last", "executed"), 1, "executed of a proposal"),
    (GOVERNOR, ("_courses", "last", "vetoed"), 1, "vetoed of a proposal"),
    (GOVERNOR, ("_textVersion",), 1, "programme's text version"),
    ("Snapshots", ("_adopted", "last", 1, "total"), 1, "total of an adopted list"),
]


@pytest.mark.parametrize(("contract", "path", "flip", "what"), PLACES, ids=[each[3] for each in PLACES])
def test_storage_that_says_something_else_is_named(
    voted: Mirrored, contract: str, path: tuple[Any, ...], flip: int, what: str
) -> None:
    """SPEC 12.6, 12.22: a tally that differs, a vote that no event tells, a proposal that is executed by itself"""
    last = int(voted.world.chain.read(GOVERNOR, "proposalCount"))
    at = layout.place(contract, *(last if step == "last" else step for step in path))
    address, slot = voted.world.chain.addresses[contract], "0x" + at.slot.to_bytes(32).hex()
    before = int(voted.rpc.call("eth_getStorageAt", address, slot, "latest"), 16)

    def store(word: int) -> None:
        voted.rpc.call("anvil_setStorageAt", address, slot, "0x" + word.to_bytes(32).hex())
        voted.rpc.call("evm_mine")

    store(before ^ flip << at.bit)
    try:
        report = audited(voted)
    finally:
        store(before)

    said, right = at.of(before ^ flip << at.bit), at.of(before)
    assert others(report) == [(what, str(said), str(right))]


def test_terms_that_do_not_stand_in_the_governors_code_stop_the_audit(
    voted: Mirrored, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SPEC 12.22: a node cannot make up a quorum"""
    codec, honest = voted.deployment.codec, Rpc.call
    asked = "0x" + codec.calldata(GOVERNOR, "terms").hex()

    def lying(self: Rpc, method: str, *params: Any, **named: Any) -> Any:
        answer = honest(self, method, *params, **named)
        if method == "eth_call" and params[0]["data"] == asked:
            return answer[:-64] + (1_234).to_bytes(32).hex()
        return answer

    monkeypatch.setattr(Rpc, "call", lying)

    report = audited(voted)

    assert not report.finished
    assert report.differences[-1].what == "terms of the governor"
    assert report.differences[-1].said == "1234"
