"""Lines of a file beside people, on a scripted node: who goes first, and that nobody starves."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
from sqlalchemy import Engine, text

from chain.outbox import calls, operations
from chain.relayer.loop import Relayer
from chain.storage.database import reading, writing
from chain.storage.keystore import LocalKeystore
from tests.chain.relayer.test_relayer_faults import RELAYER, Rig
from tests.support.scripted_node.brands import BRAND_ID, RULE_ID, Brand
from tests.support.scripted_node.node import ScriptedNode
from tests.support.scripted_node.pool import GETH

PEOPLE = 12
HOLD = "0x" + "11" * 32


@pytest.fixture(scope="module")
def keystore(tmp_path_factory: pytest.TempPathFactory) -> LocalKeystore:
    return LocalKeystore.create(tmp_path_factory.mktemp("keys") / "keystore.json", "a password for tests")


@pytest.fixture
def rig(engine: Engine, keystore: LocalKeystore) -> Iterator[Rig]:
    with ScriptedNode(seed=9, dialect=GETH) as node:
        made = Rig(node, Brand(node, members=PEOPLE + 8), engine, keystore)
        made.award(1)
        made.drain()
        # Every act of a person passes its simulation.
        node.methods._table["eth_call"] = lambda params, top: "0x"
        yield made
        for rpc in made.rpcs:
            rpc.close()


def use(rig: Rig, **changes: object) -> None:
    # One key for all: what people ask of a till would not stand in the lines' way otherwise.
    settings = replace(RELAYER, signers=1, tills=0, **changes)  # type: ignore[arg-type]
    rig.relayer = Relayer(rig.engine, rig.relayer.node_state.rpc, rig.brand.deployment, rig.keystore, settings)


def queue(rig: Rig, lines: int, people: int) -> None:
    members = rig.brand.accounts
    with writing(rig.engine) as connection:
        asked = [
            calls.award(
                key=f"line {n}", brand=BRAND_ID, member=members[-1 - n % 8], rule=RULE_ID, base_amount=3, bulk=True
            )
            for n in range(lines)
        ]
        asked += [
            calls.release(key=f"person {n}", brand=BRAND_ID, member=members[n], hold_id=HOLD) for n in range(people)
        ]
        operations.enqueue_many(connection, asked)


def kinds(rig: Rig) -> list[str]:
    """What was given a nonce since the queue was filled, in order."""
    with reading(rig.engine) as connection:
        rows = connection.execute(text("SELECT kind FROM chain_transaction WHERE kind <> 'provision' ORDER BY id"))
        return list(rows.scalars())[1:]


def test_what_people_wait_for_goes_first_however_many_lines_were_queued_before(rig: Rig) -> None:
    """SPEC 7.31"""
    use(rig, in_flight_max=4, batch_items_max=5)
    queue(rig, 40, 2)
    rig.relayer.step()
    assert kinds(rig)[:2] == ["release", "release"]
    rig.relayer.step()
    assert kinds(rig)[2:].count("batch") >= 1, "the rest of the room is the lines'"


def test_lines_leave_room_for_people(rig: Rig) -> None:
    """SPEC 7.31"""
    use(rig, in_flight_max=4, reserve=2, batch_items_max=5)
    queue(rig, 40, 0)
    for _ in range(3):
        rig.relayer.step()
    assert kinds(rig) == ["batch", "batch"]
    queue_people(rig)
    rig.relayer.step()
    assert kinds(rig) == ["batch", "batch", "release", "release"]


def queue_people(rig: Rig) -> None:
    with writing(rig.engine) as connection:
        operations.enqueue_many(
            connection,
            [
                calls.release(key=f"late {n}", brand=BRAND_ID, member=rig.brand.accounts[n], hold_id=HOLD)
                for n in range(3)
            ],
        )


@pytest.mark.parametrize("passes", [1, 3])
def test_lines_have_their_turn_however_many_people_wait(rig: Rig, passes: int) -> None:
    """SPEC 7.31"""
    use(rig, in_flight_max=1, singles_max=1, passes_max=passes, batch_items_max=2)
    queue(rig, 8, PEOPLE)
    for _ in range(200):
        rig.step()
        if kinds(rig).count("release") == PEOPLE:
            break
    order = kinds(rig)
    assert order.count("release") == PEOPLE
    between = "".join("l" if kind == "batch" else "p" for kind in order).split("l")
    # Four batches of lines; each had at most so many before it.
    assert all(len(people) <= passes for people in between[:4]), order
