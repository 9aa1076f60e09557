"""The queue between the gateway and the chain."""

import itertools

import pytest

from chain.base.errors import OperationKeyReused, QueueMoved
from chain.outbox import calls, operations, transactions
from chain.outbox.batching import Waiting, choose, shared_out, signer_of
from chain.outbox.operations import Outcome
from chain.outbox.transactions import Plan
from chain.storage.database import reading, writer, writing

ADA = "0x" + "aa" * 20
SIGNER = "0x" + "51" * 20
CAFE, TEA = 1, 2


def award(key: str, base_amount: int = 100, brand: int = CAFE, member: str = ADA) -> operations.NewOperation:
    return calls.award(key=key, brand=brand, member=member, rule=1, base_amount=base_amount)


def test_the_same_key_with_another_content_is_refused_and_nothing_changes(engine):
    """SPEC 7.2"""
    with writing(engine) as connection:
        operations.enqueue(connection, award("order 1"))
    for other in (award("order 1", 101), award("order 1", brand=TEA), award("order 1", member="0x" + "bb" * 20)):
        with pytest.raises(OperationKeyReused), writing(engine) as connection:
            operations.enqueue_many(connection, [award("order 2"), other])
    with reading(engine) as connection:
        assert operations.get_by_key(connection, "order 2") is None
        assert operations.get_by_key(connection, "order 1").payload["base_amount"] == "100"


def test_two_contents_of_one_key_in_one_call_are_refused(engine):
    """SPEC 7.2"""
    with pytest.raises(OperationKeyReused), writing(engine) as connection:
        operations.enqueue_many(connection, [award("order 1", 1), award("order 1", 2)])


def test_a_repeated_key_gives_the_same_operation_wherever_it_stands(engine):
    """SPEC 7.2"""
    with writing(engine) as connection:
        first = operations.enqueue_many(connection, [award("a"), award("b"), award("a")])
        again = operations.enqueue_many(connection, [award("c"), award("b"), award("a")])
    assert first[0] == first[2]
    assert again[1:] == [first[1], first[0]]
    assert again[0] not in first


def test_operation_ids_are_dense_per_brand_and_only_awards_have_one(engine):
    """SPEC 7.15"""
    with writing(engine) as connection:
        ids = operations.enqueue_many(connection, [award("a"), award("b", brand=TEA), award("c"), award("a")])
        ids += operations.enqueue_many(
            connection,
            [calls.release(key="r", brand=CAFE, member=ADA, hold_id="0x" + "01" * 32), award("d")],
        )
    with reading(engine) as connection:
        found = operations.get_many(connection, ids)
    assert [found[id].operation_id for id in ids] == ["1", "1", "2", "1", None, "3"]


def test_ids_taken_by_a_transaction_that_rolled_back_are_given_again(engine):
    """SPEC 7.1, 7.15"""
    with writer(engine).connect() as connection:
        operations.enqueue(connection, award("a"))
        connection.rollback()
    with writing(engine) as connection:
        id = operations.enqueue(connection, award("b"))
        assert operations.get(connection, id).operation_id == "1"


def test_a_confirmed_operation_is_not_failed_by_a_second_submission(engine):
    """SPEC 7.12"""
    with writing(engine) as connection:
        id = operations.enqueue(connection, award("a"))
        at = {"tx_hash": "0x1", "block_number": 5, "block_hash": "0xb", "log_index": 0, "brand": CAFE}
        operations.record_outcomes(connection, [Outcome(**at, operation_id="1", result={"points": "150"})], "confirmed")
        operations.record_outcomes(connection, [Outcome(**at, operation_id="1", error="OperationUsed")], "confirmed")
        assert operations.get(connection, id).state == "confirmed"
        operations.record_outcomes(connection, [Outcome(**at, operation_id="1", result={"points": "150"})], "mined")
        assert operations.get(connection, id).state == "confirmed"


def test_what_was_decided_above_a_block_is_taken_back(engine):
    """SPEC 7.10: what we sent is sent again, what a stranger had submitted waits for a transaction of ours."""
    with writing(engine) as connection:
        ids = operations.enqueue_many(connection, [award("a"), award("b"), award("c"), award("d")])
        transactions.provision(connection, address=SIGNER, ref="signer/0", count=1)
        plan = Plan("batch", SIGNER, b"", 21_000, (ids[2], ids[3]))
        [ours] = transactions.assign(connection, SIGNER, [plan])
        transactions.keep_signed(connection, ours, "0xours", "0x02")
        for operation_id, number in (("1", 4), ("2", 5)):
            at = Outcome("0x1", number, "0xb", 0, brand=CAFE, operation_id=operation_id, ordering_key=ADA, result={})
            operations.record_outcomes(connection, [at], "confirmed")
        counted = Outcome("0xours", 6, "0xb", 0, brand=CAFE, operation_id="3", ordering_key=ADA, result={})
        refused = Outcome("0xours", 6, "0xb", 1, brand=CAFE, operation_id="4", ordering_key=ADA, error="BudgetExceeded")
        operations.record_outcomes(connection, [counted, refused], "confirmed")
        assert operations.take_back(connection, 4) == 3
        assert [operations.get(connection, id).state for id in ids] == ["confirmed", "queued", "sent", "sent"]
        assert operations.get(connection, ids[3]).error is None


def test_what_was_refused_to_a_stranger_says_nothing_of_ours(engine):
    """SPEC 7.12"""
    with writing(engine) as connection:
        id = operations.enqueue(connection, award("a"))
        theirs = Outcome("0x1", 5, "0xb", 0, brand=CAFE, operation_id="1", ordering_key=ADA, error="RuleUnknown")
        operations.record_outcomes(connection, [theirs], "confirmed")
        assert operations.get(connection, id).state == "queued"


def test_an_id_that_a_stranger_spent_on_another_member_fails_the_operation(engine):
    """SPEC 7.12"""
    with writing(engine) as connection:
        id = operations.enqueue(connection, award("a"))
        theirs = Outcome("0x1", 5, "0xb", 0, brand=CAFE, operation_id="1", ordering_key="0x" + "bb" * 20, result={})
        operations.record_outcomes(connection, [theirs], "confirmed")
        found = operations.get(connection, id)
    assert (found.state, found.error) == ("failed", "OperationUsed")
    assert found.error_args == {"brandId": "1", "operationId": "1"}


def test_of_two_relayers_that_take_the_same_operation_the_second_takes_nothing(engine):
    """SPEC 7.14"""
    with writing(engine) as connection:
        first, second = operations.enqueue_many(connection, [award("a"), award("b")])
        transactions.provision(connection, address=SIGNER, ref="signer/0", count=1)
    with writing(engine) as connection:
        transactions.assign(connection, SIGNER, [Plan("batch", SIGNER, b"", 21_000, (first,))])
    with pytest.raises(QueueMoved), writing(engine) as connection:
        transactions.assign(connection, SIGNER, [Plan("batch", SIGNER, b"", 21_000, (first, second))])
    with reading(engine) as connection:
        assert transactions.next_nonces(connection) == {SIGNER: 2}
        assert operations.get(connection, second).state == "queued"


# Choosing what goes next

numbers = itertools.count(1)


def waiting(kind: str, ordering_key: str, brand: int = CAFE, created_at_ms: int = 0) -> Waiting:
    return Waiting(next(numbers), kind, brand, ordering_key, created_at_ms)


def chosen(queue, **changes):
    settings = {
        "busy_awards": frozenset(),
        "busy_singles": frozenset(),
        "items_max": 3,
        "delay_ms": 50,
        "singles_max": 4,
        "at_ms": 1000,
    } | changes
    return choose(queue, **settings)


def test_nothing_passes_an_earlier_operation_of_its_ordering_key():
    """SPEC 7.4"""
    first, hold, late = waiting("award", "ada"), waiting("hold", "ada"), waiting("award", "ada")
    other = waiting("hold", "bob")
    choice = chosen([first, hold, late, other])
    assert choice.batches == [[first]]
    assert choice.singles == [other]

    choice = chosen([hold, late, other], busy_awards=frozenset({"ada"}))
    assert choice.batches == []
    assert choice.singles == [other]

    choice = chosen([hold, late, other])
    assert choice.batches == []
    assert choice.singles == [hold, other]


def test_an_award_follows_an_award_under_way_but_nothing_else():
    """SPEC 7.4"""
    item = waiting("award", "ada")
    assert chosen([item], busy_awards=frozenset({"ada"})).batches == [[item]]
    assert chosen([item], busy_singles=frozenset({"ada"})).batches == []


def test_a_batch_goes_when_it_is_full_or_old_and_holds_one_brand():
    """SPEC 7.5"""
    full = [waiting("award", f"m{i}", created_at_ms=990) for i in range(3)]
    young = waiting("award", "m9", created_at_ms=990)
    old = waiting("award", "m8", brand=TEA, created_at_ms=900)
    assert chosen([*full, young, old]).batches == [full, [old]]
    assert chosen([*full, young, old], only_full=True).batches == [full]


def test_singles_are_bounded_and_the_rest_keeps_its_order():
    """SPEC 7.4"""
    items = [waiting("hold", f"m{i}") for i in range(6)]
    blocked = waiting("award", "m5")
    choice = chosen([*items, blocked])
    assert choice.singles == items[:4]
    assert choice.batches == []


def test_a_ordering_key_goes_through_one_signer_and_ordering_keys_spread_over_all():
    """SPEC 7.17"""
    signers = ["a", "b", "c"]
    chosen_ones = [signer_of(f"0x{number:040x}", signers) for number in range(300)]
    assert chosen_ones == [signer_of(f"0x{number:040x}", signers) for number in range(300)]
    assert min(chosen_ones.count(signer) for signer in signers) > 60


def test_what_tills_do_goes_through_their_keys_and_never_past_what_is_before_it() -> None:
    """SPEC 6.15, 7.85"""
    kinds = ("award", "capture", "hold", "refund")
    queue = [Waiting(id, kind, 1, f"lane{id}", 0) for id, kind in enumerate(kinds)]
    queue += [Waiting(10, "award", 1, "one", 0), Waiting(11, "capture", 1, "one", 0), Waiting(12, "award", 1, "one", 0)]
    queue += [Waiting(20, "refund", 1, "two", 0), Waiting(21, "release", 1, "two", 0)]

    shared = shared_out(queue, ("issuer", "till"), {"till"})

    assert [item.id for item in shared["issuer"]] == [0, 2, 10]
    assert [item.id for item in shared["till"]] == [1, 3, 20, 21]
    assert shared_out(queue[1:2], ("issuer",), {"till"}) == {"issuer": []}
    assert [item.id for item in shared_out(queue[:2], ("one",), frozenset())["one"]] == [0, 1]
