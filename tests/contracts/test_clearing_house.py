"""ClearingHouse: collateral, netting, settlement, default."""

from collections import defaultdict

import pytest

from tests.contracts.world import (
    OPERATOR,
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
            world.house.withdraw.call(one.id, 1, {"from": caller})
    treasurer = {"from": one.treasurer}
    with refused("CollateralExceeded", one.id, 1_001, 1_000):
        world.house.withdraw.call(one.id, 701, treasurer)
    with refused("AmountMissing"):
        world.house.withdraw.call(one.id, 0, treasurer)

    before = world.settlement.balanceOf(one.owner)
    world.house.withdraw(one.id, 700, treasurer)

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
    with refused("BrandListWrong", 1, 32):
        world.house.net.call(1, pair[:1], operator)
    with refused("BrandListWrong", 33, 32):
        world.house.net.call(1, list(range(1, 34)), operator)
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
    assert plain(world.house.positionsOf(ids)) == (tuple(positions), 580)

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
        world.house.withdraw.call(one.id, 701, {"from": one.treasurer})
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
    with refused("CreditorsIncomplete", 260, 360):
        world.house.declareDefault.call(one.id, [two.id], operator)

    world.house.declareDefault(one.id, sorted([two.id, third.id]), operator)

    assert plain(world.house.accountOf(one.id)) == (1_000 - 260 - 100, 0, 0, True)
    assert plain(world.house.accountOf(two.id)) == (1_260, 25, 0, False)
    assert plain(world.house.accountOf(third.id)) == (1_100, 0, 0, False)
    with refused("BrandInDefault", one.id):
        world.house.withdraw.call(one.id, 1, {"from": one.treasurer})
    for debtor, creditor in ((one, two), (two, one)):
        with pytest.raises(Exception, match="BrandInDefault"):
            owe(debtor, creditor, 5)
    owe(two, third, 5)

    with refused("BrandNotInDefault", two.id):
        world.house.cureDefault.call(two.id, operator)
    world.house.cureDefault(one.id, operator)
    world.house.withdraw(one.id, 640, {"from": one.treasurer})


def test_without_full_cover_creditors_share_what_there_is_to_the_unit(world, member):
    """SPEC 5.2, 5.13: a house of its own with half cover; this test plays the exchange"""
    player = world.accounts[8]
    sender = {"from": world.operator}
    build = world.build
    manager = build.Authority.deploy(world.operator, sender)
    manager.grantRole(OPERATOR, world.operator, 0, sender)
    registry = build.PartnerRegistry.deploy(manager, sender)
    manager.grantRole(0, registry, 0, sender)
    house = build.ClearingHouse.deploy(manager, registry, world.settlement, 5_000, sender)
    token = build.LoyaltyToken.deploy(manager, registry, world.rules, world.desk, player, sender)
    registry.seal((token, world.rules, world.desk, player, house), sender)
    for index in range(4):
        owner = world.accounts[2]
        registry.invite(("B", f"B{index}", 86_400, 0, 0, 2, owner, owner, b"\0" * 32), sender)
    world.settlement.mint(player, 100, {"from": player})
    world.settlement.approve(house, 100, {"from": player})
    house.deposit(1, 100, {"from": player})

    for creditor, amount in ((2, 67), (3, 67), (4, 66)):
        house.book(1, creditor, amount, 10**9, b"\0" * 32, {"from": player})
    with refused("CollateralExceeded", 1, 101, 100):
        house.book.call(1, 2, 1, 10**9, b"\0" * 32, {"from": player})
    with refused("CollateralExceeded", 1, 167, 100):
        # Netted debts are covered whole, 67 and 67, and half of the 66 left.
        house.net.call(1, [1, 2, 3], sender)

    paid = house.declareDefault(1, [2, 3, 4], sender).events["ClaimPaid"]

    assert [event["paid"] for event in paid] == [33, 34, 33]
    assert [event["collateral"] for event in paid] == [33, 34, 33]
    assert plain(house.accountOf(1)) == (0, 0, 0, True)
