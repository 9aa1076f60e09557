"""The root that the memo route tells: the chain's own, or a refusal."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import text
from sqlmodel import Session

from api.evidence.memo_roots import root_on_chain
from api.views.errors import MemoUnproven
from chain.contracts import memos
from chain.storage.database import writing
from tests.chain.conftest import OnChain

pytestmark = pytest.mark.slow
FIELDS = memos.salted({"receipt": "No. 7", "item.1": "1 tea"})


@pytest.fixture
def chain(anvil: Any) -> Any:
    return anvil


@pytest.fixture
def awarded(world: OnChain) -> int:
    """An operation with a memo in a batch with others: one without a memo, one with another, one that was refused."""
    asked = [world.award("ada"), world.award("ben"), world.award("cem", 2**97), world.award("ada", 4_000)]
    for award, fields in zip(asked[1:], (memos.salted({"n": "1"}), memos.salted({"n": "2"}), FIELDS), strict=True):
        award.payload["memo_root"] = "0x" + memos.memo_root(fields).hex()
    *_, operation = world.enqueue(*asked)
    world.drain()
    rows = world.rows("SELECT state, transaction_id FROM operation WHERE kind = 'award' ORDER BY id")
    assert [row.state for row in rows] == ["confirmed", "confirmed", "failed", "confirmed"]
    assert len({row.transaction_id for row in rows}) == 1
    return operation


def told(world: OnChain, operation: int, fields: list[memos.Field] = FIELDS) -> str | None:
    with Session(world.engine) as session:
        return root_on_chain(session, operation=operation, fields=fields)


def run(world: OnChain, statement: str, **values: Any) -> None:
    with writing(world.engine) as connection:
        connection.execute(text(statement), values)


def test_the_root_is_that_of_the_mirrored_transaction(world: OnChain, awarded: int) -> None:
    """SPEC 13.14"""
    assert told(world, awarded) == "0x" + memos.memo_root(FIELDS).hex()


def test_before_the_award_is_mirrored_the_chain_has_none(world: OnChain, awarded: int) -> None:
    """SPEC 13.14"""
    (waiting,) = world.enqueue(world.award("ada"))
    assert told(world, waiting) is None
    run(world, "DELETE FROM ledger_event")
    assert told(world, awarded) is None


def other_words(world: OnChain, operation: int) -> list[memos.Field]:
    return [memos.Field(one.name, one.value + "!", one.salt) for one in FIELDS]


def other_words_and_their_root(world: OnChain, operation: int) -> list[memos.Field]:
    """A database that was changed throughout: words, and the root that was asked for."""
    fields = other_words(world, operation)
    root = "0x" + memos.memo_root(fields).hex()
    run(
        world,
        "UPDATE operation SET payload = json_set(payload, '$.memo_root', :root) WHERE id = :id",
        root=root,
        id=operation,
    )
    return fields


def another_transaction(world: OnChain, operation: int) -> list[memos.Field]:
    """The bytes of a transaction that was never mined: they carry what suits, and hash to something else."""
    [raw] = world.rows("SELECT raw FROM chain_transaction_hash WHERE tx_hash = (SELECT tx_hash FROM operation WHERE id = :id)", id=operation)  # noqa: E501  # fmt: skip
    changed = raw.raw[:-1] + ("0" if raw.raw[-1] != "0" else "1")
    run(world, "UPDATE chain_transaction_hash SET raw = :changed WHERE raw = :raw", changed=changed, raw=raw.raw)
    return FIELDS


def no_transaction(world: OnChain, operation: int) -> list[memos.Field]:
    run(world, "DELETE FROM chain_transaction_hash")
    return FIELDS


def a_neighbours_root(world: OnChain, operation: int) -> list[memos.Field]:
    run(
        world,
        "UPDATE operation SET payload = json_remove(payload, '$.memo_root') WHERE id = :id",
        id=operation - 1,
    )
    return FIELDS


def no_root(world: OnChain, operation: int) -> list[memos.Field]:
    run(world, "UPDATE operation SET payload = json_remove(payload, '$.memo_root') WHERE id = :id", id=operation)
    return FIELDS


@pytest.mark.parametrize(
    "change",
    [other_words, other_words_and_their_root, another_transaction, no_transaction, a_neighbours_root, no_root],
)
def test_what_is_not_what_the_chain_has_is_refused(
    world: OnChain, awarded: int, change: Callable[[OnChain, int], list[memos.Field]]
) -> None:
    """SPEC 13.14"""
    fields = change(world, awarded)

    with pytest.raises(MemoUnproven, match="not what the chain has"):
        told(world, awarded, fields)


def test_another_operations_award_is_not_this_ones(world: OnChain, awarded: int) -> None:
    """SPEC 13.14"""
    run(world, "UPDATE operation SET log_index = (SELECT log_index FROM operation WHERE id = :other) WHERE id = :id", other=awarded - 2, id=awarded)  # noqa: E501  # fmt: skip

    assert told(world, awarded) is None
