"""LoyaltyToken: lots, their expiry, and how they move."""

import pytest
from brownie import chain

from tests.contracts.world import (
    DAY,
    FOREVER,
    HOUR,
    LOT_MAX,
    NO_LOTS,
    NOBODY,
    OPEN,
    at,
    award,
    hold,
    invite,
    later,
    now,
    plain,
    publish,
    refused,
)


def lots(token, account) -> dict[int, int]:
    """Points by expiry epoch."""
    return {lot[0]: lot[2] for lot in token.lotsOf(account)}


def word(token, account, index) -> int:
    return token.packedLotsOf(account)[index]


@pytest.fixture
def holder(world):
    """Someone with ether who moves her own points."""
    return world.accounts[7]


@pytest.fixture
def two_lots(world, holder):
    """100 points of one day and 50 of the next; gives the older lot's expiry epoch."""
    token = world.cafe.token
    at(token.origin() + (now() - token.origin()) // DAY * DAY + DAY)
    award(world, world.cafe, holder, 100)
    later(DAY)
    award(world, world.cafe, holder, 50)
    return min(lots(token, holder))


# Refusals


def test_a_transfer_of_more_than_the_live_lots_is_refused(world, holder, third_party):
    """SPEC 1.13"""
    award(world, world.cafe, holder, 100)

    with refused("ERC20InsufficientBalance", holder, 100, 101):
        world.cafe.token.transfer.call(third_party, 101, {"from": holder})


def test_expired_points_cannot_be_moved(world, holder, third_party, two_lots):
    """SPEC 1.5"""
    token = world.cafe.token
    at(token.expiresAt(two_lots))

    with refused("ERC20InsufficientBalance", holder, 50, 51):
        token.transfer.call(third_party, 51, {"from": holder})


@pytest.mark.parametrize("receiver", ["nobody", "token", "desk"])
def test_points_cannot_go_where_no_member_reaches_them(world, holder, receiver):
    """SPEC 1.12"""
    token = world.cafe.token
    award(world, world.cafe, holder, 100)
    to = {"nobody": NOBODY, "token": token.address, "desk": world.desk.address}[receiver]

    with refused("ERC20InvalidReceiver", to):
        token.transfer.call(to, 1, {"from": holder})


def test_only_moas_contracts_mint_burn_and_set_aside(world, third_party):
    """SPEC 1.23, 6.11"""
    token = world.cafe.token
    for caller in (third_party, world.cafe.owner, world.operator):
        frm = {"from": caller}
        for call in (
            lambda frm=frm: token.mint.call(third_party, 1, frm),
            lambda frm=frm: token.mintBatch.call([1], frm),
            lambda frm=frm: token.burn.call(third_party, 0, frm),
            lambda frm=frm: token.setAside.call(third_party, 0, frm),
            lambda frm=frm: token.burnAside.call(NO_LOTS, frm),
            lambda frm=frm: token.giveBack.call(third_party, NO_LOTS, frm),
            lambda frm=frm: token.restore.call(third_party, NO_LOTS, True, frm),
        ):
            with refused("ModuleOnly", caller):
                call()


def test_a_clone_takes_its_terms_once_and_the_implementation_never(world, third_party):
    """SPEC 1.2"""
    terms = ("X", "X", 1, DAY, 1, 0, OPEN)
    for token in (world.cafe.token, world.implementation):
        with refused("ModuleOnly", third_party):
            token.initialise.call(terms, {"from": third_party})
        with refused("AlreadyInitialised"):
            token.initialise.call(terms, {"from": world.registry.address})


def test_a_lot_that_is_full_refuses_the_award(world, holder):
    """SPEC 1.9, 2.12"""
    rule, sender = publish(world, world.cafe, budget=2**56 - 1), {"from": world.cafe.issuer}
    world.rules.award(world.cafe.id, (1, rule, holder, LOT_MAX - 5), sender)
    assert world.cafe.token.mintable() == 5

    with refused("SupplyExceeded", 6, 5):
        world.rules.award.call(world.cafe.id, (2, rule, holder, 6), sender)
    world.rules.award(world.cafe.id, (2, rule, holder, 5), sender)
    assert world.cafe.token.balanceOf(holder) == LOT_MAX


# Expiry


def test_points_live_at_least_the_lifetime_and_go_at_the_second(world, holder):
    """SPEC 1.4, 1.5"""
    token = world.cafe.token
    award(world, world.cafe, holder, 100)
    epoch = (now() - token.origin()) // DAY
    (lot,) = token.lotsOf(holder)
    assert lot[0] == epoch + 1 + 3
    assert lot[1] == token.origin() + lot[0] * DAY
    assert lot[1] - now() > 3 * DAY

    at(lot[1] - 1)
    assert token.balanceOf(holder) == token.totalSupply() == 100
    at(lot[1])
    assert token.balanceOf(holder) == token.totalSupply() == 0
    assert token.lotsOf(holder) == token.supplyByExpiry() == ()


def test_points_of_a_brand_without_lifetime_never_go(world, holder):
    """SPEC 1.3, 1.5"""
    token = world.shop.token
    award(world, world.shop, holder, 100)
    later(300 * DAY)
    award(world, world.shop, holder, 1)

    assert token.balanceOf(holder) == token.totalSupply() == 101
    assert lots(token, holder) == {1: 101}
    assert token.expiresAt(1) == 2**256 - 1
    assert token.currentEpoch() == 0


def test_epochs_are_told_in_the_words_of_erc_7818(world, holder, third_party):
    """SPEC 1.27"""
    token, shop = world.cafe.token, world.shop.token
    assert (token.epochType(), token.epochLength(), token.validityDuration()) == (1, DAY, 4)
    assert (shop.epochType(), shop.epochLength(), shop.validityDuration()) == (1, 2**256 - 1, 1)
    first = token.currentEpoch()
    award(world, world.cafe, holder, 100)
    later(DAY)
    award(world, world.cafe, holder, 7)
    token.transfer(third_party, 60, {"from": holder})

    assert [token.balanceOfAtEpoch(first + k, holder) for k in (0, 1, 2)] == [40, 7, 0]
    assert [token.balanceOfAtEpoch(first + k, third_party) for k in (0, 1)] == [60, 0]
    at(token.origin() + (first + 4) * DAY - 1)
    assert not token.isEpochExpired(first)
    at(token.origin() + (first + 4) * DAY)
    assert [token.isEpochExpired(first + k) for k in (0, 1, 9)] == [True, False, False]
    assert [token.balanceOfAtEpoch(first + k, holder) for k in (0, 1)] == [0, token.balanceOf(holder)] == [0, 7]
    assert token.balanceOfAtEpoch(2**256 - 1, holder) == 0


def test_supply_by_expiry_is_the_sum_of_the_accounts_lot_by_lot(world, holder, third_party, member):
    """SPEC 1.6"""
    token = world.cafe.token
    people = [holder, third_party, member.address, world.desk.address]
    for day in range(6):
        award(world, world.cafe, people[day % 2], 100 + day)
        award(world, world.cafe, member, 10)
        if day == 2:
            hold(world, world.cafe, member, 15, until=now() + 20 * DAY)
            token.transfer(third_party, 30, {"from": holder})
        total: dict[int, int] = {}
        for who in people:
            for epoch, points in lots(token, who).items():
                total[epoch] = total.get(epoch, 0) + points
        assert {lot[0]: lot[2] for lot in token.supplyByExpiry()} == total
        assert token.totalSupply() == sum(total.values()) == sum(token.balanceOf(who) for who in people)
        later(DAY)


def test_sixteen_lots_live_at_once_and_no_stale_word_comes_back(world, holder):
    """SPEC 1.7"""
    long = invite(world, "Long", "LNG", world.accounts[4], epoch=HOUR, lifetime=15)
    long.rule = publish(world, long)
    token = long.token
    at(token.origin() + (now() - token.origin()) // HOUR * HOUR + HOUR)
    for step in range(18):
        award(world, long, holder, 2**step)
        later(HOUR)
    live = token.lotsOf(holder)
    assert len(live) == 15
    assert sum(lot[2] for lot in live) == sum(2**step for step in range(3, 18)) == token.balanceOf(holder)

    # A whole turn of the ring and more: twenty groups of five later the words are stale, and their lots stay gone.
    later(100 * HOUR)
    assert token.balanceOf(holder) == token.totalSupply() == 0
    assert any(token.packedLotsOf(holder))
    award(world, long, holder, 7)
    assert token.balanceOf(holder) == token.totalSupply() == 7


# Movements


def test_the_oldest_lot_goes_first_and_keeps_its_expiry(world, holder, third_party, two_lots):
    """SPEC 1.8"""
    token = world.cafe.token

    token.transfer(third_party, 120, {"from": holder})

    assert lots(token, holder) == {two_lots + 1: 30}
    assert lots(token, third_party) == {two_lots: 100, two_lots + 1: 20}


def test_a_movement_is_one_transfer_and_one_event_of_lots_for_each_account(world, holder, third_party, two_lots):
    """SPEC 1.11"""
    token = world.cafe.token

    events = token.transfer(third_party, 120, {"from": holder}).events

    assert [dict(event) for event in events["Transfer"]] == [{"from": holder, "to": third_party, "value": 120}]
    changed = {event["account"]: event["words"] for event in events["LotsChanged"]}
    assert len(events["LotsChanged"]) == len(changed) == 2
    for account, words in changed.items():
        for packed in words:
            kept = packed if packed & (2**240 - 1) else 0
            assert word(token, account, (packed >> 240) % 4) == kept


def test_a_word_without_points_is_stored_as_nothing_and_told_by_its_tag(world, holder, third_party):
    """SPEC 1.11; contracts/README, storage layout"""
    token = world.cafe.token
    award(world, world.cafe, holder, 100)
    group = token.lotsOf(holder)[0][0] // 5

    events = token.transfer(third_party, 100, {"from": holder}).events

    assert plain(events["LotsChanged"][0]["words"]) == (group << 240,)
    assert plain(token.packedLotsOf(holder)) == NO_LOTS


def test_a_transfer_to_oneself_changes_nothing(world, holder, two_lots):
    """SPEC 1.16"""
    token = world.cafe.token
    before = token.packedLotsOf(holder)

    events = token.transfer(holder, 120, {"from": holder}).events

    assert token.packedLotsOf(holder) == before
    assert [event["account"] for event in events["LotsChanged"]] == [holder]
    with refused("ERC20InsufficientBalance", holder, 150, 151):
        token.transfer.call(holder, 151, {"from": holder})


def test_a_transfer_of_nothing_is_a_transfer_and_no_more(world, holder, third_party):
    """SPEC 1.11"""
    events = world.cafe.token.transfer(third_party, 0, {"from": holder}).events

    assert events["Transfer"][0]["value"] == 0
    assert "LotsChanged" not in events


def test_moving_costs_no_more_storage_for_a_holder_of_many_lots(world, holder, third_party):
    """Design: no loop over lots in storage. A transfer out of one lot of sixteen is as dear as out of one of two."""
    token = world.cafe.token
    gas = []
    for _ in range(3):
        award(world, world.cafe, holder, 100)
        gas.append(token.transfer(third_party, 1, {"from": holder}).gas_used)
        later(DAY)

    assert gas[2] < gas[1] * 1.2


def test_allowances_are_those_of_any_erc20(world, holder, third_party):
    """SPEC 1.14"""
    token = world.cafe.token
    award(world, world.cafe, holder, 100)
    with refused("ERC20InsufficientAllowance", third_party, 0, 1):
        token.transferFrom.call(holder, third_party, 1, {"from": third_party})
    with refused("ERC20InvalidSpender", NOBODY):
        token.approve.call(NOBODY, 1, {"from": holder})

    token.approve(third_party, 30, {"from": holder})
    token.transferFrom(holder, third_party, 20, {"from": third_party})
    assert token.allowance(holder, third_party) == 10
    assert token.balanceOf(third_party) == 20

    token.approve(third_party, 2**256 - 1, {"from": holder})
    token.transferFrom(holder, third_party, 20, {"from": third_party})
    assert token.allowance(holder, third_party) == 2**256 - 1


def test_it_tells_what_any_erc20_tells(world):
    """SPEC 1.1, 1.2"""
    token = world.cafe.token
    assert (token.name(), token.symbol(), token.decimals()) == ("Cafe", "CAF", 2)
    assert plain(token.terms()) == ("Cafe", "CAF", world.cafe.id, DAY, 3, 2 * DAY, OPEN)
    assert token.origin() <= now() < FOREVER
    assert chain.height > 0
