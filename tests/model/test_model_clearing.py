"""The edges of clearing in the model: each bound is tried at itself, one below and one above."""

from collections.abc import Callable

import pytest

from chain.model.call import Call
from chain.model.clearing import AMOUNT_MAX, BRANDS_MAX, CREDITORS_MAX, Clearing, Statement
from chain.model.errors import (
    AmountMissing,
    AmountTooLarge,
    BrandInDefault,
    BrandListUnsorted,
    BrandListWrong,
    BrandNotInDefault,
    CollateralExceeded,
    ExposureExceeded,
    PeriodWrong,
    Refused,
    RoleMissing,
    SettlementPending,
    StatementUnknown,
)
from chain.model.ledger import Ledger
from tests.model.test_model_ledger import ANYONE, HASH, MEMBER, OWNER, STAFF, START, ledger

__all__ = ["ledger"]  # the fixture

OPERATOR = Call("0x0b", START)
CAP = 10**6


@pytest.fixture
def clearing(ledger: Ledger) -> Clearing:
    """Two brands, each with collateral of 1,000."""
    ledger.facts()
    return ledger.clearing


def collaterals(clearing: Clearing) -> list[int]:
    return [clearing.account_of(brand).collateral for brand in (1, 2)]


@pytest.mark.parametrize("brands", [[1, 1], [2, 1], [1, 2, 2]])
def test_a_list_of_brands_is_sorted_and_names_each_once(clearing: Clearing, brands: list[int]) -> None:
    """SPEC 5.9"""
    acts: list[Callable[[], object]] = [
        lambda: clearing.net(OPERATOR, 1, brands),
        lambda: clearing.declare_default(OPERATOR, 1, brands),
    ]
    clearing.account_of(2).in_default = True
    for act in [*acts, lambda: clearing.pay_claims(OPERATOR, 2, brands)]:
        with pytest.raises(BrandListUnsorted) as refused:
            act()
        assert refused.value.values() == tuple(brands[-2:])
    assert clearing.next_period == 1


@pytest.mark.parametrize("count", [0, 1, BRANDS_MAX + 1])
def test_a_netting_is_of_two_brands_up_to_its_bound(clearing: Clearing, count: int) -> None:
    """SPEC 5.9"""
    with pytest.raises(BrandListWrong):
        clearing.net(OPERATOR, 1, range(1, count + 1))
    assert clearing.net(OPERATOR, 1, range(1, BRANDS_MAX + 1)) == [0] * BRANDS_MAX
    assert clearing.net(OPERATOR, 2, [1, 2]) == [0, 0]


def test_a_step_of_a_default_names_at_most_its_bound(clearing: Clearing) -> None:
    """SPEC 5.13"""
    with pytest.raises(BrandListWrong):
        clearing.declare_default(OPERATOR, 1, range(2, CREDITORS_MAX + 3))
    clearing.declare_default(OPERATOR, 1, range(2, CREDITORS_MAX + 2))
    with pytest.raises(BrandListWrong):
        clearing.pay_claims(OPERATOR, 1, range(2, CREDITORS_MAX + 3))


def test_periods_follow_each_other(clearing: Clearing) -> None:
    """SPEC 5.9"""
    for period in (0, 2):
        with pytest.raises(PeriodWrong):
            clearing.net(OPERATOR, period, [1, 2])
    clearing.net(OPERATOR, 1, [1, 2])
    with pytest.raises(PeriodWrong):
        clearing.net(OPERATOR, 1, [1, 2])
    with pytest.raises(RoleMissing):
        clearing.net(Call(STAFF, START), 2, [1, 2])


def test_a_statement_is_settled_once_and_as_it_was_made(clearing: Clearing) -> None:
    """SPEC 5.10, 5.11"""
    clearing.book(1, 2, 300, CAP, HASH)
    assert clearing.net(OPERATOR, 1, [1, 2]) == [-300, 300]
    assert clearing.statements == {1: Statement((1, 2), (-300, 300))}
    others: list[tuple[int, list[int], list[int]]] = [
        (1, [1, 2], [-299, 299]), (1, [1, 2], [300, -300]), (1, [2, 1], [300, -300]), (2, [1, 2], [-300, 300]),
    ]  # fmt: skip
    for period, brands, positions in others:
        with pytest.raises(StatementUnknown):
            clearing.settle(Call(ANYONE, START), period, brands, positions)

    clearing.settle(Call(ANYONE, START), 1, [1, 2], [-300, 300])

    assert collaterals(clearing) == [700, 1_300]
    assert [(clearing.account_of(brand).owed, clearing.account_of(brand).due) for brand in (1, 2)] == [(0, 0), (0, 0)]
    with pytest.raises(StatementUnknown):
        clearing.settle(Call(ANYONE, START), 1, [1, 2], [-300, 300])


@pytest.mark.parametrize(("amount", "kind"), [(0, AmountMissing), (AMOUNT_MAX + 1, AmountTooLarge)])
def test_a_deposit_has_both_its_bounds(clearing: Clearing, amount: int, kind: type[Refused]) -> None:
    """SPEC 5.3"""
    with pytest.raises(kind):
        clearing.deposit(Call(ANYONE, START), 1, amount)
    clearing.deposit(Call(ANYONE, START), 1, 1)
    clearing.deposit(Call(ANYONE, START), 2, AMOUNT_MAX)
    assert collaterals(clearing) == [1_001, 1_000 + AMOUNT_MAX]
    assert clearing.collateral_total == 2_001 + AMOUNT_MAX


def test_collateral_leaves_down_to_what_is_owed(clearing: Clearing) -> None:
    """SPEC 5.4"""
    clearing.book(1, 2, 300, CAP, HASH)
    treasurer = Call(STAFF, START)
    with pytest.raises(CollateralExceeded) as refused:
        clearing.withdraw(treasurer, 1, 701, OWNER)
    assert refused.value.values() == (1, 1_001, 1_000)
    with pytest.raises(AmountMissing):
        clearing.withdraw(treasurer, 1, 0, OWNER)
    with pytest.raises(RoleMissing):
        clearing.withdraw(Call(MEMBER, START), 1, 1, OWNER)

    clearing.withdraw(treasurer, 1, 700, OWNER)

    assert collaterals(clearing) == [300, 1_000]


def test_a_debt_has_the_bounds_of_its_cap_and_its_cover(clearing: Clearing) -> None:
    """SPEC 5.5, 5.6"""
    for amount, cap, kind in ((AMOUNT_MAX + 1, 2**200, AmountTooLarge), (1_001, CAP, CollateralExceeded),
                              (101, 100, ExposureExceeded)):  # fmt: skip
        with pytest.raises(kind):
            clearing.book(1, 2, amount, cap, HASH)
    clearing.book(1, 2, 100, 100, HASH)
    with pytest.raises(ExposureExceeded) as over:
        clearing.book(1, 2, 1, 100, HASH)
    assert over.value.values() == (1, 2, 101, 100)
    clearing.book(1, 2, 900, 1_000, HASH)

    # The other way is set off first, and needs neither room nor cover.
    clearing.journal.facts.clear()
    clearing.book(2, 1, 1_000, 0, HASH)
    assert [fact.name for fact in clearing.journal.facts] == ["ObligationReduced"]
    assert (clearing.obligation_of(1, 2), clearing.obligation_of(2, 1)) == (0, 0)
    with pytest.raises(ExposureExceeded):
        clearing.book(2, 1, 1, 0, HASH)


def test_what_is_netted_counts_as_owed_to_each(clearing: Clearing) -> None:
    """SPEC 5.16"""
    clearing.book(1, 2, 60, CAP, HASH)
    clearing.net(OPERATOR, 1, [1, 2])
    with pytest.raises(ExposureExceeded) as over:
        clearing.book(1, 2, 41, 100, HASH)
    assert over.value.values() == (1, 2, 101, 100)
    clearing.book(1, 2, 40, 100, HASH)
    assert clearing.account_of(1).owed == 100


def test_a_debt_may_have_the_most_that_there_is_and_what_is_above_a_set_off_is_told(clearing: Clearing) -> None:
    """SPEC 5.5, 5.8"""
    for brand in (1, 2):
        clearing.deposit(Call(ANYONE, START), brand, AMOUNT_MAX)
    clearing.book(1, 2, 300, CAP, HASH)
    clearing.journal.facts.clear()

    clearing.book(2, 1, AMOUNT_MAX, AMOUNT_MAX, HASH)

    rest = AMOUNT_MAX - 300
    assert [fact.values[-2:] for fact in clearing.journal.facts] == [(300, 0), (rest, rest)]
    clearing.unbook(2, 1, AMOUNT_MAX, HASH)
    assert (clearing.obligation_of(1, 2), clearing.obligation_of(2, 1)) == (300, 0)


def test_a_debt_is_taken_back_and_above_it_owed_the_other_way(clearing: Clearing) -> None:
    """SPEC 5.7, 5.8"""
    clearing.book(1, 2, 300, CAP, HASH)
    with pytest.raises(AmountTooLarge):
        clearing.unbook(1, 2, AMOUNT_MAX + 1, HASH)
    with pytest.raises(CollateralExceeded) as refused:
        clearing.unbook(1, 2, 1_301, HASH)
    assert refused.value.values() == (2, 1_001, 1_000)

    clearing.unbook(1, 2, 200, HASH)
    assert (clearing.obligation_of(1, 2), clearing.obligation_of(2, 1), clearing.account_of(1).owed) == (100, 0, 100)
    clearing.unbook(1, 2, 1_100, HASH)
    assert (clearing.obligation_of(1, 2), clearing.obligation_of(2, 1), clearing.account_of(2).owed) == (
        0,
        1_000,
        1_000,
    )
    assert clearing.account_of(1).owed == 0


@pytest.mark.parametrize("brand", [1, 2])
def test_neither_side_of_a_debt_may_be_in_default(clearing: Clearing, brand: int) -> None:
    """SPEC 5.5, 5.8, 5.12, 5.14"""
    clearing.declare_default(OPERATOR, brand, [])
    acts: list[Callable[[], object]] = [
        lambda: clearing.book(1, 2, 1, CAP, HASH),
        lambda: clearing.unbook(1, 2, 1, HASH),
        lambda: clearing.declare_default(OPERATOR, brand, []),
        lambda: clearing.withdraw(Call(STAFF, START), brand, 1, OWNER),
    ]
    for act in acts:
        with pytest.raises(BrandInDefault) as refused:
            act()
        assert refused.value.values() == (brand,)

    clearing.cure_default(OPERATOR, brand)
    clearing.book(1, 2, 1, CAP, HASH)
    for wrong in (lambda: clearing.cure_default(OPERATOR, brand), lambda: clearing.pay_claims(OPERATOR, brand, [])):
        with pytest.raises(BrandNotInDefault):
            wrong()


def test_a_default_pays_the_named_creditors_and_waits_for_a_settlement(clearing: Clearing) -> None:
    """SPEC 5.12, 5.13"""
    clearing.book(1, 2, 300, CAP, HASH)
    clearing.net(OPERATOR, 1, [1, 2])
    with pytest.raises(SettlementPending) as pending:
        clearing.declare_default(OPERATOR, 1, [2])
    assert pending.value.values() == (1, 300)
    clearing.settle(Call(ANYONE, START), 1, [1, 2], [-300, 300])
    clearing.book(1, 2, 500, CAP, HASH)

    clearing.declare_default(OPERATOR, 1, [2])

    assert collaterals(clearing) == [200, 1_800]
    account = clearing.account_of(1)
    assert (account.in_default, account.owed, clearing.obligation_of(1, 2)) == (True, 0, 0)
    for creditors in ([], [2], [2, 3]):
        with pytest.raises(AmountMissing):
            clearing.pay_claims(OPERATOR, 1, creditors)
    with pytest.raises(RoleMissing):
        clearing.pay_claims(Call(STAFF, START), 1, [2])


def test_positions_are_what_each_gets_less_what_it_owes(clearing: Clearing) -> None:
    """SPEC 5.9, 5.10"""
    clearing.obligations.update({(1, 2): 70, (2, 3): 50, (3, 1): 20, (1, 4): 9})

    assert clearing.positions_of([1, 2, 3]) == ([-50, 20, 30], 140)
    for brand in (1, 2, 3):
        clearing.account_of(brand).owed = sum(clearing.obligation_of(brand, other) for other in (1, 2, 3, 4))

    clearing.net(OPERATOR, 1, [1, 2, 3])

    assert clearing.obligations == {(1, 4): 9}
    assert [clearing.account_of(brand).owed for brand in (1, 2, 3)] == [59, 0, 0]
    assert [clearing.account_of(brand).due for brand in (1, 2, 3)] == [50, 0, 0]
