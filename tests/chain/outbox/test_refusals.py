"""What was refused may be asked again, counts once, and stays known; what only waits is asked again by itself."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import Connection, Engine

from chain.outbox import calls, operations, retries, transactions
from chain.outbox.operations import Change, Outcome
from chain.outbox.transactions import Plan
from chain.storage.database import writing

ADA = "0x" + "aa" * 20
SIGNER = "0x" + "51" * 20
DAY_MS = 86_400_000


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.slow)])
def database_url(request: pytest.FixtureRequest, tmp_path: Any) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'moa.db'}"
    found: str = request.getfixturevalue("postgresql")
    return found


def asked(connection: Connection, key: str = "order", *, until_ms: int | None = None) -> int:
    one = calls.award(key=key, brand=1, member=ADA, rule=1, base_amount=900)
    return operations.enqueue(connection, replace(one, retry_until_ms=until_ms))


def sent(connection: Connection, id: int, tx_hash: str) -> None:
    transactions.provision(connection, address=SIGNER, ref="signer/0", count=1)
    [ours] = transactions.assign(connection, SIGNER, [Plan("batch", SIGNER, b"", 21_000, (id,))])
    transactions.keep_signed(connection, ours, tx_hash, "0x02")
    ours.state = "signed"
    transactions.keep_sent(connection, ours)


def told(tx_hash: str, block: int, **values: Any) -> Outcome:
    return Outcome(tx_hash, block, "0xb", 0, brand=1, operation_id="1", ordering_key=ADA, **values)


def state(connection: Connection, id: int) -> tuple[str, str | None]:
    found = operations.get(connection, id)
    assert found is not None
    return found.state, found.error


def test_a_refused_award_is_queued_again_under_its_own_id_and_its_refusal_stays_known(engine: Engine) -> None:
    """SPEC 7.34"""
    with writing(engine) as connection:
        id = asked(connection)
        assert not operations.again(connection, id)
        sent(connection, id, "0xone")
        refused = told("0xone", 5, error="BudgetExceeded", error_args={"remaining": "7"})
        operations.record_outcomes(connection, [refused], "confirmed")
        assert state(connection, id) == ("failed", "BudgetExceeded")
        changed = Change({"member": ADA, "rule": 1, "base_amount": "90"}, ADA, {"amount": "900"})
        assert operations.again(connection, id, changed)
        assert not operations.again(connection, id, changed), "two at once queue it once"
        again = operations.get(connection, id)
        assert again is not None
        assert (again.state, again.error, again.operation_id, again.refusals) == ("queued", None, "1", 1)
        assert again.payload["base_amount"] == "90"
        assert again.tx_hash is again.block_number is again.transaction_id is None
        [known] = operations.refusals_of(connection, id)
        assert (known.number, known.error, known.error_args) == (1, "BudgetExceeded", {"remaining": "7"})
        assert (known.tx_hash, known.block_number, known.payload["base_amount"]) == ("0xone", 5, "900")
        assert known.fact == {"amount": "900"}
        assert operations.refused_in(connection, [id]) == {id: 5}


def test_what_an_earlier_transaction_was_refused_says_nothing_of_the_one_that_is_under_way(engine: Engine) -> None:
    """SPEC 7.34: a mirror that is rebuilt, or a reorg, tells of the earlier refusal again."""
    with writing(engine) as connection:
        id = asked(connection)
        sent(connection, id, "0xone")
        earlier = told("0xone", 5, error="BudgetExceeded")
        operations.record_outcomes(connection, [earlier], "confirmed")
        operations.again(connection, id)
        operations.record_outcomes(connection, [earlier], "confirmed")
        assert state(connection, id) == ("queued", None)
        sent(connection, id, "0xtwo")
        operations.record_outcomes(connection, [earlier], "confirmed")
        assert state(connection, id) == ("sent", None)
        operations.record_outcomes(connection, [earlier, told("0xtwo", 9, result={"points": "1"})], "confirmed")
        assert state(connection, id) == ("confirmed", None)


def test_whichever_of_two_transactions_counts_first_the_award_counts_once_and_stays_so(engine: Engine) -> None:
    """SPEC 7.34: after a reorg the earlier transaction may count; the contract refuses the later one."""
    with writing(engine) as connection:
        id = asked(connection)
        sent(connection, id, "0xone")
        operations.record_outcomes(connection, [told("0xone", 5, error="BudgetExceeded")], "confirmed")
        operations.again(connection, id)
        sent(connection, id, "0xtwo")
        operations.record_outcomes(connection, [told("0xone", 6, result={"points": "1"})], "confirmed")
        operations.record_outcomes(connection, [told("0xtwo", 7, error="OperationUsed")], "confirmed")
        assert state(connection, id) == ("confirmed", None)
        assert not operations.again(connection, id)


@pytest.mark.parametrize("error", retries.WAITS)
def test_what_passes_waits_for_its_time_and_is_queued_by_itself(engine: Engine, error: str) -> None:
    """SPEC 7.35"""
    with writing(engine) as connection:
        at_ms = operations.now_ms()
        id = asked(connection, until_ms=at_ms + 2 * DAY_MS)
        operations.fail(connection, id, error, {})
        found = operations.get(connection, id)
        assert found is not None
        assert (found.state, found.error) == ("waiting", error)
        base, step = retries.next_try(error, found.updated_at_ms)
        assert base is not None
        assert found.retry_at_ms == base + step
        assert found.retry_at_ms - at_ms >= (60_000 if error == retries.PAUSED else 1)
        assert not operations.any_due(connection, found.retry_at_ms - 1)
        assert operations.again_in_time(connection, found.retry_at_ms - 1, 10) == 0
        assert operations.any_due(connection, found.retry_at_ms)
        assert operations.again_in_time(connection, found.retry_at_ms, 10) == 1
        assert state(connection, id) == ("queued", None)
        assert operations.refusals_of(connection, id) == [], "nothing of it lies on the chain"


def test_each_pause_is_longer_up_to_five_minutes(engine: Engine) -> None:
    """SPEC 7.35"""
    with writing(engine) as connection:
        id = asked(connection, until_ms=operations.now_ms() + DAY_MS)
        pauses = []
        for _ in range(7):
            operations.fail(connection, id, retries.PAUSED, {})
            found = operations.get(connection, id)
            assert found is not None
            assert found.retry_at_ms is not None
            pauses.append((found.retry_at_ms - found.updated_at_ms) // 60_000)
            operations.again_in_time(connection, found.retry_at_ms, 10)
        assert pauses == [1, 2, 3, 4, 5, 5, 5]


def test_what_has_no_time_left_fails_with_its_last_reason(engine: Engine) -> None:
    """SPEC 7.35"""
    with writing(engine) as connection:
        soon = asked(connection, "soon", until_ms=operations.now_ms() + 30_000)
        operations.fail(connection, soon, retries.PAUSED, {})
        assert state(connection, soon) == ("failed", retries.PAUSED), "a minute is longer than half of one"
        late = asked(connection, "late", until_ms=operations.now_ms() + 90_000)
        operations.fail(connection, late, retries.PAUSED, {})
        assert state(connection, late) == ("waiting", retries.PAUSED)
        assert operations.again_in_time(connection, operations.now_ms() + 120_000, 10) == 1
        assert state(connection, late) == ("failed", retries.PAUSED)


@pytest.mark.parametrize("until_ms", [None, 2**60])
def test_what_does_not_pass_and_what_nobody_asked_to_wait_fails(engine: Engine, until_ms: int | None) -> None:
    """SPEC 7.35"""
    with writing(engine) as connection:
        id = asked(connection, until_ms=until_ms)
        error = "BudgetExceeded" if until_ms else retries.PAUSED
        operations.fail(connection, id, error, {})
        assert state(connection, id) == ("failed", error)


def test_so_many_are_queued_again_in_a_round(engine: Engine) -> None:
    """SPEC 7.35"""
    with writing(engine) as connection:
        ids = [asked(connection, f"n {n}", until_ms=operations.now_ms() + DAY_MS) for n in range(5)]
        assert operations.fail_many(connection, ids, retries.PAUSED, {}) == 5
        later = operations.now_ms() + 10 * 60_000
        assert operations.again_in_time(connection, later, 2) == 2
        assert [state(connection, id)[0] for id in ids] == ["queued"] * 2 + ["waiting"] * 3


def test_a_reorg_opens_what_waits_with_a_transaction(engine: Engine) -> None:
    """SPEC 7.10, 7.35: its refusal is gone with the block."""
    with writing(engine) as connection:
        id = asked(connection, until_ms=operations.now_ms() + 2 * DAY_MS)
        sent(connection, id, "0xone")
        operations.record_outcomes(connection, [told("0xone", 5, error="MemberCapExceeded")], "confirmed")
        assert state(connection, id) == ("waiting", "MemberCapExceeded")
        operations.take_back(connection, 4)
        assert state(connection, id) == ("sent", None)
        assert not operations.any_due(connection, 2**60)


def test_a_refusal_in_a_transaction_stays_known_when_it_is_asked_again_by_itself(engine: Engine) -> None:
    """SPEC 7.34, 7.35"""
    with writing(engine) as connection:
        id = asked(connection, until_ms=operations.now_ms() + 2 * DAY_MS)
        sent(connection, id, "0xone")
        operations.record_outcomes(connection, [told("0xone", 5, error="MemberCapExceeded")], "confirmed")
        assert operations.again_in_time(connection, operations.now_ms() + DAY_MS + 10_000, 10) == 1
        assert [(row.error, row.tx_hash) for row in operations.refusals_of(connection, id)] == [
            ("MemberCapExceeded", "0xone")
        ]


def test_what_a_transaction_carried_stays_known_whatever_its_items_were_corrected_to(engine: Engine) -> None:
    """SPEC 7.34, 13.9: the memos of the others in it are proven beside what was refused."""
    with writing(engine) as connection:
        id = asked(connection)
        sent(connection, id, "0xone")
        before = operations.get(connection, id)
        assert before is not None
        assert before.transaction_id is not None
        operations.record_outcomes(connection, [told("0xone", 5, error="BudgetExceeded")], "confirmed")
        operations.again(connection, id, Change({"member": ADA, "rule": 1, "base_amount": "90"}))
        sent(connection, id, "0xtwo")
        after = operations.get(connection, id)
        assert after is not None
        assert after.transaction_id is not None
        carried = [operations.payloads_of(connection, one) for one in (before.transaction_id, after.transaction_id)]
        assert [one["1"]["base_amount"] for one in carried] == ["900", "90"]
