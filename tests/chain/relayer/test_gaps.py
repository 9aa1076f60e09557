"""Nonces that the chain lacks: which they are, and what becomes of each."""

from __future__ import annotations

from types import SimpleNamespace
from typing import cast

import pytest
from sqlalchemy import Engine, text, update

from chain.outbox import transactions
from chain.outbox.transactions import Plan, Transaction
from chain.outbox.transitions import LOST, MINED, SENT, SIGNED
from chain.relayer.node_state import NodeState
from chain.relayer.nonce_gaps import FILLS_MAX, Gaps
from chain.storage.database import reading, writing

SIGNER, OTHER = "0x" + "51" * 20, "0x" + "52" * 20


class GivenNonces:
    """A signer whose nonces 0 to 9 were given out, and a chain that counted the first `counted`."""

    def __init__(self, engine: Engine, counted: int):
        self.engine = engine
        self.line = SimpleNamespace(counted={SIGNER: counted}, settings=SimpleNamespace(gap_after_s=0.0))
        self.gaps = Gaps(engine, cast(NodeState, self.line), (SIGNER, OTHER))
        with writing(engine) as connection:
            for signer in (SIGNER, OTHER):
                transactions.provision(connection, address=signer, ref=f"signer/{signer[-1]}", count=1)
            plans = [Plan("batch", SIGNER, b"", 21_000)] * 9
            self.made = transactions.assign(connection, SIGNER, plans, count=1)

    def stands(self, nonce: int, state: str) -> None:
        """The transaction of this nonce came so far (by steps that chain.outbox.transitions has)."""
        steps = {SENT: (SIGNED, SENT), MINED: (SIGNED, SENT, MINED), LOST: (LOST,)}[state]
        with writing(self.engine) as connection:
            for step in steps:
                connection.execute(
                    update(transactions.table)
                    .where(transactions.table.c.signer == SIGNER, transactions.table.c.nonce == nonce)
                    .values(state=step)
                )

    def fill(self, *under_way: int) -> bool:
        """Twice: a gap counts when it is seen again."""
        flight = [one for one in self.made if one.nonce in under_way]
        return self.gaps.fill(flight) | self.gaps.fill(flight)

    def states(self) -> dict[int, str]:
        with reading(self.engine) as connection:
            query = text("SELECT nonce, state FROM chain_transaction WHERE signer = :s")
            return {row.nonce: row.state for row in connection.execute(query, {"s": SIGNER})}


def test_what_is_missing_begins_at_the_count_and_ends_before_the_first_on_its_way(engine: Engine) -> None:
    """SPEC 7.20"""
    given = GivenNonces(engine, counted=3)
    for nonce in range(1, 10):
        given.stands(nonce, MINED)

    assert given.fill(6, 8)

    again = {nonce for nonce, state in given.states().items() if state == SENT}
    assert again == {3, 4, 5}, "offered again: counted nonces and those behind one that is on its way are left alone"


def test_nothing_is_missing_when_the_next_one_is_on_its_way(engine: Engine) -> None:
    """SPEC 7.20"""
    given = GivenNonces(engine, counted=3)
    for nonce in range(1, 10):
        given.stands(nonce, MINED)
    before = given.states()

    assert not given.fill(3, 4)
    assert not given.fill(2, 3), "what lies below the count does not hide it"
    assert given.states() == before


def test_without_anything_on_its_way_all_that_were_given_out_are_missing(engine: Engine) -> None:
    """SPEC 7.20"""
    given = GivenNonces(engine, counted=8)
    for nonce in range(1, 10):
        given.stands(nonce, MINED)
    before = given.states()

    assert given.fill()

    assert {nonce for nonce, state in given.states().items() if state != before[nonce]} == {8, 9}


def test_a_strangers_nonce_that_the_chain_lost_and_one_of_nobody_are_filled(engine: Engine) -> None:
    """SPEC 7.20"""
    given = GivenNonces(engine, counted=1)
    given.stands(1, LOST)
    with writing(engine) as connection:
        connection.execute(text("DELETE FROM chain_transaction WHERE signer = :s AND nonce = 2"), {"s": SIGNER})

    assert given.fill(3)

    assert {nonce: given.states()[nonce] for nonce in (1, 2)} == {1: "filling", 2: "filling"}


def test_a_gap_is_filled_a_few_at_a_time(engine: Engine) -> None:
    """SPEC 7.20"""
    given = GivenNonces(engine, counted=1)
    with writing(engine) as connection:
        more = [Plan("batch", SIGNER, b"", 21_000)] * 30
        transactions.assign(connection, SIGNER, more, count=0)
        connection.execute(text("DELETE FROM chain_transaction WHERE signer = :s"), {"s": SIGNER})

    assert given.fill()

    assert sorted(given.states()) == list(range(1, 1 + FILLS_MAX))


def test_a_count_that_is_not_known_or_moves_on_is_no_gap(engine: Engine) -> None:
    """SPEC 7.20: a node that lags is behind for a moment."""
    given = GivenNonces(engine, counted=3)
    for nonce in range(1, 10):
        given.stands(nonce, MINED)
    before = given.states()
    for counted in (3, 4, 5):
        given.line.counted[SIGNER] = counted
        assert not given.gaps.fill([])
    given.line.counted.clear()
    assert not given.fill()

    assert given.states() == before


def test_a_gap_must_last_as_long_as_was_set(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """SPEC 7.20"""
    given = GivenNonces(engine, counted=9)
    given.stands(9, MINED)
    given.line.settings.gap_after_s = 5.0
    now = [100.0]
    monkeypatch.setattr("chain.relayer.nonce_gaps.time", SimpleNamespace(monotonic=lambda: now[0]))

    assert not given.gaps.fill([])
    now[0] = 104.9
    assert not given.gaps.fill([])
    now[0] = 105.0
    assert given.gaps.fill([])


def test_transactions_of_another_signer_hide_nothing(engine: Engine) -> None:
    """SPEC 7.20"""
    given = GivenNonces(engine, counted=3)
    for nonce in range(1, 10):
        given.stands(nonce, MINED)
    other = Transaction(99, OTHER, 3, "batch", OTHER, 1, 0, SENT)

    assert not given.gaps.fill([other])
    assert given.gaps.fill([other])
    assert given.states()[3] == SENT
