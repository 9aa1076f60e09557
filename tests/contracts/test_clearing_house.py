"""ClearingHouse: collateral, netting, settlement, default."""

from collections import defaultdict

import pytest

from tests.contracts.world import (
    TREASURER,
    agree,
    award,
    deposit,
    exchange,
    invite,
    plain,
    publish,
    refused,
)


@pytest.fixture
def three(world, member):
    """Three brands with 1,000 of collateral each, agreements all round at 1:1; the member has 10,000 points of each.

    Gives owe(one, two, amount): an exchange that makes `one` owe `two`.
    """
    third = invite(world, "Third", "TRD", world.accounts[5])
    third.rule = publish(world, third)
    first = invite(world, "First", "FST", world.accounts[4])
    first.rule = publish(world, first)
    second = invite(world, "Second", "SND", world.accounts[6])
    second.rule = publish(world, second)
    brands = [third, first, second]
    agreements = {}
    for one in brands:
        deposit(world, one, 1_000)
        award(world, one, member, 10_000)
        for two in brands:
            if one is not two:
                agreements[one.id, two.id] = agree(world, one, two)
    nonces = iter(range(1, 100))

    def owe(one, two, amount):
        return exchange(world, member, agreements[one.id, two.id], amount, nonce=next(nonces))

    return brands, owe


def total(world, brands) -> int:
    return sum(world.house.accountOf(brand.id)[0] for brand in brands)


# Collateral


def test_only_the_treasurer_withdraws_and_only_what_covers_nothing(world, three, third_party):
    """SPEC 5.4"""
    (one, two, _), owe = three
    owe(one, two, 300)
    for caller in (third_party, world.operator, two.treasurer):
        with refused("RoleMissing", caller, one.role(TREASURER)):
            world.house.withdraw.call(one.id, 1, one.owner, {"from": caller})
    treasurer = {"from": one.treasurer}
    with refused("CollateralExceeded", one.id, 1_001, 1_000):
        world.house.withdraw.call(one.id, 701, one.owner, treasurer)
    with refused("AmountMissing"):
        world.house.withdraw.call(one.id, 0, one.owner, treasurer)
    with refused("TreasuryOther", third_party, one.owner):
        world.house.withdraw.call(one.id, 1, third_party, treasurer)

    before = world.settlement.balanceOf(one.owner)
    world.house.withdraw(one.id, 700, one.owner, treasurer)

    assert world.settlement.balanceOf(one.owner) - before == 700
    assert plain(world.house.accountOf(one.id)) == (300, 300, 0, False)


def test_a_deposit_is_of_a_known_brand_and_of_something(world, third_party):
    """SPEC 5.3"""
    with refused("BrandUnknown", 99):
        world.house.deposit.call(99, 1, {"from": third_party})
    with refused("AmountMissing"):
        world.house.deposit.call(1, 0, {"from": third_party})
    with refused("AmountTooLarge", 2**96, 2**96 - 1):
        world.house.deposit.call(1, 2**96, {"from": third_party})


def test_only_the_exchange_books(world, third_party):
    """SPEC 1.23, 5.5"""
    for caller in (third_party, world.operator, world.cafe.owner):
        with refused("ExchangeContractOnly", caller):
            world.house.book.call(1, 2, 5, 10, b"\0" * 32, {"from": caller})
        with refused("ExchangeContractOnly", caller):
            world.house.unbook.call(1, 2, 5, b"\0" * 32, {"from": caller})


# Netting


def test_only_the_operator_nets_each_period_once_and_a_sane_list(world, three, third_party):
    """SPEC 5.9"""
    (one, two, _), _ = three
    pair = sorted([one.id, two.id])
    with refused("RoleMissing", third_party, 1):
        world.house.net.call(1, pair, {"from": third_party})
    operator = {"from": world.operator}
    with refused("PeriodWrong", 2, 1):
        world.house.net.call(2, pair, operator)
    with refused("BrandListWrong", 1, 64):
        world.house.net.call(1, pair[:1], operator)
    with refused("BrandListWrong", 65, 64):
        world.house.net.call(1, list(range(1, 66)), operator)
    with refused("BrandListUnsorted", pair[1], pair[0]):
        world.house.net.call(1, pair[::-1], operator)
    with refused("BrandListUnsorted", pair[0], pair[0]):
        world.house.net.call(1, [pair[0], pair[0]], operator)
    with refused("StatementUnknown", 1):
        world.house.settle.call(1, pair, [0, 0], {"from": third_party})


def test_netting_leaves_one_position_each_and_their_sum_is_nothing(world, three, third_party):
    """SPEC 5.9, 5.10, 5.11"""
    brands, owe = three
    one, two, three_ = brands
    for debtor, creditor, amount in ((one, two, 300), (two, three_, 200), (three_, one, 50), (two, one, 30)):
        owe(debtor, creditor, amount)
    ids = [brand.id for brand in brands]
    positions = [50 + 30 - 300, 300 - 200 - 30, 200 - 50]
    # What two owes back is set off when it is booked.
    assert plain(world.house.positionsOf(ids)) == (tuple(positions), 270 + 200 + 50)

    world.house.net(1, ids, {"from": world.operator})

    assert all(world.house.obligationOf(a, b) == 0 for a in ids for b in ids)
    assert [plain(world.house.accountOf(i))[1:3] for i in ids] == [(220, 220), (0, 0), (0, 0)]
    with refused("StatementUnknown", 1):
        world.house.settle.call(1, ids, [-219, 69, 150], {"from": third_party})
    before = total(world, brands)
    world.house.settle(1, ids, positions, {"from": third_party})
    assert [world.house.accountOf(i)[0] for i in ids] == [780, 1_070, 1_150]
    assert total(world, brands) == before
    assert [plain(world.house.accountOf(i))[1:3] for i in ids] == [(0, 0)] * 3
    with refused("StatementUnknown", 1):
        world.house.settle.call(1, ids, positions, {"from": third_party})
    assert world.house.nextPeriod() == 2


def test_a_netted_debt_keeps_its_collateral_until_it_is_settled(world, three):
    """SPEC 5.2, 5.4"""
    brands, owe = three
    one, two, _ = brands
    owe(one, two, 300)
    ids = [one.id, two.id]
    world.house.net(1, ids, {"from": world.operator})
    with refused("CollateralExceeded", one.id, 1_001, 1_000):
        world.house.withdraw.call(one.id, 701, one.owner, {"from": one.treasurer})
    with refused("SettlementPending", one.id, 300):
        world.house.declareDefault.call(one.id, [], {"from": world.operator})


def test_the_statement_can_be_rebuilt_from_events_alone(world, three):
    """SPEC 5.15"""
    brands, owe = three
    one, two, third = brands
    events = [owe(one, two, 300).events, owe(two, third, 200).events, owe(third, one, 50).events]
    ids = [brand.id for brand in brands]
    netted = world.house.net(1, ids, {"from": world.operator}).events["PeriodNetted"]

    owed: dict[tuple[int, int], int] = defaultdict(int)
    for found in events:
        booked = found["ObligationBooked"]
        owed[booked["debtorId"], booked["creditorId"]] = booked["outstanding"]
    rebuilt = [sum(owed[other, i] - owed[i, other] for other in ids) for i in ids]

    assert list(netted["positions"]) == rebuilt
    assert sum(rebuilt) == 0
    assert netted["grossTotal"] == sum(owed.values())


# Default


def test_a_default_pays_from_collateral_and_stops_exchange_with_the_brand(world, three, member, third_party):
    """SPEC 5.12, 5.13, 5.14"""
    brands, owe = three
    one, two, third = brands
    owe(one, two, 300)
    owe(one, third, 100)
    owe(two, one, 40)
    owe(two, third, 25)
    operator = {"from": world.operator}
    with refused("RoleMissing", third_party, 1):
        world.house.declareDefault.call(one.id, [two.id, third.id], {"from": third_party})
    with refused("BrandNotInDefault", one.id):
        world.house.payClaims.call(one.id, [two.id], operator)

    world.house.declareDefault(one.id, [two.id], operator)

    assert plain(world.house.accountOf(one.id)) == (1_000 - 260, 100, 0, True)
    with refused("AmountMissing"):
        world.house.payClaims.call(one.id, [two.id], operator)
    with refused("RoleMissing", third_party, 1):
        world.house.payClaims.call(one.id, [third.id], {"from": third_party})
    world.house.payClaims(one.id, [third.id], operator)

    assert plain(world.house.accountOf(one.id)) == (1_000 - 260 - 100, 0, 0, True)
    assert plain(world.house.accountOf(two.id)) == (1_260, 25, 0, False)
    assert plain(world.house.accountOf(third.id)) == (1_100, 0, 0, False)
    with refused("BrandInDefault", one.id):
        world.house.withdraw.call(one.id, 1, one.owner, {"from": one.treasurer})
    for debtor, creditor in ((one, two), (two, one)):
        with pytest.raises(Exception, match="BrandInDefault"):
            owe(debtor, creditor, 5)
    owe(two, third, 5)

    with refused("BrandNotInDefault", two.id):
        world.house.cureDefault.call(two.id, operator)
    world.house.cureDefault(one.id, operator)
    world.house.withdraw(one.id, 640, one.owner, {"from": one.treasurer})


def test_less_than_whole_cover_and_a_token_that_cannot_settle_are_refused(world):
    """SPEC 5.2, 5.17"""
    sender = {"from": world.operator}
    for token, cover, error in (
        (world.settlement, 9_999, "CoverWrong"),
        (world.cafe.token, 10_000, "SettlementTokenUnfit"),
        (world.registry, 10_000, "SettlementTokenUnfit"),
        (world.accounts[7], 10_000, "SettlementTokenUnfit"),
    ):
        with refused(error):
            world.build.ClearingHouse.deploy(world.manager, world.registry, token, cover, world.operator, sender)


def test_a_switch_holds_collateral_back(world, three):
    """SPEC 5.4"""
    (one, _, _), _ = three
    world.registry.stopAll({"from": world.moa_guardian})
    with refused("WithdrawalFrozen", one.id):
        world.house.withdraw.call(one.id, 1, one.owner, {"from": one.treasurer})


def test_a_surplus_goes_to_the_reserve(world, three, third_party):
    """SPEC 5.20"""
    with refused("AmountMissing"):
        world.house.skim.call({"from": third_party})
    world.settlement.mint(third_party, 30, {"from": third_party})
    world.settlement.transfer(world.house, 30, {"from": third_party})
    before = world.settlement.balanceOf(world.moa_guardian)
    world.house.skim({"from": third_party})
    assert world.settlement.balanceOf(world.moa_guardian) - before == 30
