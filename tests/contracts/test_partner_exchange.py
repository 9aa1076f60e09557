"""PartnerExchange: agreements, exchanges, payments at a partner, unwinding."""

import pytest
from brownie import web3
from eth_abi import encode

from tests.contracts.world import (
    CAPTURED,
    DAY,
    FOREVER,
    HOUR,
    LOT_MAX,
    OWNER,
    TILL,
    agree,
    agreement_terms,
    at,
    award,
    exchange,
    invite,
    later,
    now,
    plain,
    quote,
    refused,
    sign,
    terms_hash,
)

PROPOSED, AGREED, ENDED = 1, 2, 3
REWARD = b"\7" * 32


@pytest.fixture
def rich(world, member):
    """The member has 10,000 points of each brand."""
    award(world, world.cafe, member, 10_000)
    award(world, world.shop, member, 10_000)
    return member


@pytest.fixture
def guest(world):
    """A third brand without agreements."""
    return invite(world, "Guest", "GST", world.accounts[4])


def try_exchange(world, member, third_party, agreement, points, **more):
    """The same by eth_call."""
    quoted = quote(member, agreement, points, **more)
    signature = sign(member, world.exchange, "Exchange", *quoted)
    return world.exchange.exchange.call(quoted, signature, {"from": third_party})


def pay(world, member, third_party, agreement, points, price, nonce=1):
    """A payment at a partner on the member's signature."""
    quoted = quote(member, agreement, points, minimum=price, nonce=nonce)
    values = (*quoted[:5], REWARD, *quoted[5:])
    return world.exchange.payAtPartner(
        quoted, REWARD, sign(member, world.exchange, "PayAtPartner", *values), {"from": third_party}
    )


def undo(world, member, event, till=None, deadline=FOREVER, signer=None, nonce=900):
    """Arguments of an unwinding."""
    values = member.address, event["exchangeId"], nonce, deadline
    signature = sign(signer or member, world.exchange, "Unwind", *values)
    return (
        event["exchangeId"],
        plain(event["exchange"]),
        nonce,
        deadline,
        signature,
        {"from": till or world.shop.till},
    )


# Agreements


def test_an_agreement_needs_both_brands(world, guest, third_party):
    """SPEC 4.2, 4.3"""
    terms = agreement_terms()
    with refused("RoleMissing", third_party, guest.role(OWNER)):
        world.exchange.propose.call(guest.id, guest.id, world.shop.id, terms, {"from": third_party})
    with refused("NotAParty", 0, world.cafe.id):
        world.exchange.propose.call(world.cafe.id, guest.id, world.shop.id, terms, {"from": world.cafe.owner})
    with refused("BrandsEqual", guest.id):
        world.exchange.propose.call(guest.id, guest.id, guest.id, terms, {"from": guest.owner})
    with refused("BrandUnknown", 99):
        world.exchange.propose.call(guest.id, guest.id, 99, terms, {"from": guest.owner})

    proposed = world.exchange.propose(guest.id, guest.id, world.shop.id, terms, {"from": guest.owner})
    agreement = proposed.events["AgreementProposed"]["agreementId"]
    assert world.exchange.agreementOf(agreement)[2] == PROPOSED
    with refused("RoleMissing", guest.owner, world.shop.role(OWNER)):
        world.exchange.accept.call(agreement, terms_hash(terms), {"from": guest.owner})
    with refused("AgreementTermsInvalid", "termsHash"):
        other = terms_hash(agreement_terms(numerator=2))
        world.exchange.accept.call(agreement, other, {"from": world.shop.owner})
    with refused("PairTaken", agreement):
        world.exchange.propose.call(guest.id, guest.id, world.shop.id, terms, {"from": guest.owner})

    world.exchange.accept(agreement, terms_hash(terms), {"from": world.shop.owner})
    assert plain(world.exchange.agreementOf(agreement)) == (guest.id, world.shop.id, AGREED, 1, terms)
    with refused("AgreementStateWrong", agreement, AGREED):
        world.exchange.accept.call(agreement, terms_hash(terms), {"from": world.shop.owner})


@pytest.mark.parametrize(
    ("field", "terms"),
    [
        ("numerator", {"numerator": 0}),
        ("denominator", {"denominator": 2**48}),
        ("feeBps", {"fee_bps": 5_001}),
        ("dailyCap", {"daily_cap": 2**48}),
        ("exposureCap", {"exposure": 2**96}),
        ("valueNumerator", {"value": 0}),
        ("valueDenominator", {"per": 2**64}),
        ("noticeSeconds", {"notice": HOUR - 1}),
    ],
)
def test_terms_outside_their_bounds_are_refused_by_name(world, guest, field, terms):
    """SPEC 4.1"""
    with refused("AgreementTermsInvalid", field):
        world.exchange.propose.call(guest.id, guest.id, world.shop.id, agreement_terms(**terms), {"from": guest.owner})


def test_a_change_needs_both_and_waits_its_notice(world, rich, third_party):
    """SPEC 4.4, 4.5, 4.9"""
    agreement, shop, cafe = world.shop_to_cafe, {"from": world.shop.owner}, {"from": world.cafe.owner}
    terms = agreement_terms(numerator=1, denominator=4, notice=2 * HOUR)
    world.exchange.proposeChange(agreement, world.shop.id, terms, shop)
    with refused("ExchangeChangePending", agreement, 2):
        world.exchange.proposeChange.call(agreement, world.cafe.id, terms, cafe)
    with refused("RoleMissing", world.shop.owner, world.cafe.role(OWNER)):
        world.exchange.acceptChange.call(agreement, terms_hash(terms), shop)
    accepted = world.exchange.acceptChange(agreement, terms_hash(terms), cafe)
    in_force_at = accepted.events["ChangeAccepted"]["inForceAt"]
    assert in_force_at == accepted.timestamp + HOUR
    with refused("NoExchangeChangePending", agreement):
        world.exchange.withdrawChange.call(agreement, world.shop.id, shop)

    at(in_force_at - 1)
    assert try_exchange(world, rich, third_party, agreement, 100)[1] == 50
    at(in_force_at)
    with refused("VersionChanged", 1, 2):
        try_exchange(world, rich, third_party, agreement, 100)
    assert try_exchange(world, rich, third_party, agreement, 100, version=2)[1] == 25
    exchange(world, rich, agreement, 100, version=2)
    assert plain(world.exchange.agreementOf(agreement))[3:] == (2, terms)


def test_a_withdrawn_change_is_nothing_and_its_number_is_not_used_again(world, rich, third_party):
    """SPEC 4.6"""
    agreement, shop = world.shop_to_cafe, {"from": world.shop.owner}
    world.exchange.proposeChange(agreement, world.shop.id, agreement_terms(numerator=9), shop)
    world.exchange.withdrawChange(agreement, world.cafe.id, {"from": world.cafe.owner})
    with refused("NoExchangeChangePending", agreement):
        world.exchange.acceptChange.call(agreement, b"\0" * 32, {"from": world.cafe.owner})

    again = world.exchange.proposeChange(agreement, world.shop.id, agreement_terms(), shop)
    assert again.events["ChangeProposed"]["version"] == 3
    assert try_exchange(world, rich, third_party, agreement, 100)[1] == 50


def test_an_agreement_ends_after_its_notice_and_the_pair_is_free(world, rich, third_party):
    """SPEC 4.7"""
    agreement = world.shop_to_cafe
    with refused("RoleMissing", third_party, world.cafe.role(OWNER)):
        world.exchange.end.call(agreement, world.cafe.id, {"from": third_party})
    ending = world.exchange.end(agreement, world.cafe.id, {"from": world.cafe.owner})
    ends_at = ending.events["AgreementEnding"]["endsAt"]
    assert ends_at == ending.timestamp + HOUR
    with refused("AgreementStateWrong", agreement, ENDED):
        world.exchange.end.call(agreement, world.shop.id, {"from": world.shop.owner})

    at(ends_at - 1)
    assert try_exchange(world, rich, third_party, agreement, 100)[1] == 50
    at(ends_at)
    with refused("AgreementStateWrong", agreement, ENDED):
        try_exchange(world, rich, third_party, agreement, 100)
    assert agree(world, world.shop, world.cafe) > agreement


# Exchanging


def test_an_exchange_needs_the_members_own_word(world, rich, other, third_party):
    """SPEC 4.9, 6.11"""
    quoted = quote(rich, world.cafe_to_shop, 100)
    dearer = quote(rich, world.cafe_to_shop, 101)
    for signature in (
        b"",
        sign(other, world.exchange, "Exchange", *quoted),
        sign(rich, world.exchange, "Exchange", *dearer),
        sign(rich, world.desk, "Exchange", *quoted),
    ):
        with refused("SignatureInvalid", rich):
            world.exchange.exchange.call(quoted, signature, {"from": third_party})
    with refused("AuthorisationExpired", now() - 1, now()):
        try_exchange(world, rich, third_party, world.cafe_to_shop, 100, deadline=now() - 1)
    exchange(world, rich, world.cafe_to_shop, 100)
    with refused("AuthorisationUsed", rich, 1):
        try_exchange(world, rich, third_party, world.cafe_to_shop, 100)


def test_an_exchange_below_its_minimum_is_refused(world, rich, third_party):
    """SPEC 4.9: 100 give 150, the fee of 1 % is rounded up to 2"""
    with refused("OutBelowMinimum", 148, 149):
        try_exchange(world, rich, third_party, world.cafe_to_shop, 100, minimum=149)
    with refused("OutBelowMinimum", 0, 0):
        try_exchange(world, rich, third_party, world.shop_to_cafe, 1, minimum=0)
    for points in (0, LOT_MAX + 1):
        with refused("PointsInInvalid", points, LOT_MAX):
            try_exchange(world, rich, third_party, world.cafe_to_shop, points)
    with refused("VersionChanged", 2, 1):
        try_exchange(world, rich, third_party, world.cafe_to_shop, 100, version=2)
    with refused("AgreementUnknown", 99):
        try_exchange(world, rich, third_party, 99, 100)
    with refused("ERC20InsufficientBalance", rich, 10_000, 10_001):
        try_exchange(world, rich, third_party, world.cafe_to_shop, 10_001)


def test_an_exchange_burns_here_mints_there_and_books_what_is_owed(world, rich):
    """SPEC 4.8, 4.11"""
    out, fee, obligation, version = world.exchange.quote(world.cafe_to_shop, 101)
    assert (out, fee, obligation, version) == (149, 2, 151, 1)

    tx = exchange(world, rich, world.cafe_to_shop, 101)

    assert world.cafe.token.balanceOf(rich.address) == world.cafe.token.totalSupply() == 9_899
    assert world.shop.token.balanceOf(rich.address) == world.shop.token.totalSupply() == 10_149
    assert world.house.obligationOf(world.cafe.id, world.shop.id) == 151
    assert [event["value"] for event in tx.events["Transfer"]] == [101, 149]
    record = plain(tx.events["Exchanged"]["exchange"])
    assert record[:7] == (rich.address, world.cafe_to_shop, 1, 101, 149, 2, 151)


def test_the_day_has_a_cap_over_all_members(world, guest, member, other, third_party):
    """SPEC 4.10"""
    world.exchange.proposeChange(
        world.shop_to_cafe, world.shop.id, agreement_terms(daily_cap=100), {"from": world.shop.owner}
    )
    world.exchange.acceptChange(
        world.shop_to_cafe, terms_hash(agreement_terms(daily_cap=100)), {"from": world.cafe.owner}
    )
    later(HOUR)
    at((now() // DAY + 1) * DAY)
    award(world, world.shop, member, 500)
    award(world, world.shop, other, 500)
    exchange(world, member, world.shop_to_cafe, 60, version=2)
    with refused("DailyCapExceeded", 41, 40):
        try_exchange(world, other, third_party, world.shop_to_cafe, 41, version=2)
    exchange(world, other, world.shop_to_cafe, 40, version=2)
    assert world.exchange.usedToday(world.shop_to_cafe) == 100

    at((now() // DAY + 1) * DAY)
    assert try_exchange(world, other, third_party, world.shop_to_cafe, 100, version=2, nonce=2)[1] == 100


def test_both_brands_must_be_issuing(world, rich, third_party):
    """SPEC 4.9, 6.2"""
    world.registry.suspend(world.shop.id, {"from": world.operator})
    for agreement in (world.cafe_to_shop, world.shop_to_cafe):
        with refused("BrandNotIssuing", world.shop.id, 3, False, False):
            try_exchange(world, rich, third_party, agreement, 100)


def test_exposure_and_collateral_bound_what_is_owed(world, guest, member, third_party):
    """SPEC 5.5, 5.6"""
    award_rule = world.rules.publish(
        guest.id,
        (b"purchase".ljust(32, b"\0"), 0, 0, 1, 1, 0, 0, 10**9, 0, FOREVER, HOUR, b"\1" * 32, 0, 0, 0, 0, 0),
        {"from": guest.owner},
    ).events["RulePublished"]["ruleId"]
    world.rules.award(guest.id, (1, award_rule, member.address, 1_000), {"from": guest.issuer})
    agreement = agree(world, guest, world.shop, exposure=100)
    with refused("ExposureExceeded", guest.id, world.shop.id, 101, 100):
        try_exchange(world, member, third_party, agreement, 101)
    with refused("CollateralExceeded", guest.id, 100, 0):
        try_exchange(world, member, third_party, agreement, 100)

    world.settlement.mint(third_party, 100, {"from": third_party})
    world.settlement.approve(world.house, 100, {"from": third_party})
    world.house.deposit(guest.id, 100, {"from": third_party})
    exchange(world, member, agreement, 100)
    assert plain(world.house.accountOf(guest.id)) == (100, 100, 0, False)


def test_a_cancelled_quote_is_void(world, third_party):
    """SPEC 1.20, 4.13"""
    award(world, world.cafe, third_party, 100)
    world.exchange.cancelAuthorisation(4, {"from": third_party})
    with refused("AuthorisationUsed", third_party, 4):
        world.exchange.exchange.call(quote(third_party, world.cafe_to_shop, 10, nonce=4), b"", {"from": third_party})


# Paying at a partner


def test_a_payment_exchanges_and_redeems_the_price_in_one(world, rich, third_party):
    """SPEC 4.12"""
    tx = pay(world, rich, third_party, world.cafe_to_shop, 100, 140)

    assert world.shop.token.balanceOf(rich.address) == 10_000 + 148 - 140
    hold_id = tx.events["PaidAtPartner"]["holdId"]
    exchange_id = tx.events["PaidAtPartner"]["exchangeId"]
    assert bytes(hold_id) == web3.keccak(encode(["address", "bytes32"], [world.exchange.address, bytes(exchange_id)]))
    hold = world.desk.holdOf(hold_id)
    assert plain(hold)[:6] == (rich.address, world.shop.id, CAPTURED, 140, 140, 0)
    with refused("ExchangeNotOpen", exchange_id):
        world.exchange.unwind.call(*undo(world, rich, tx.events["Exchanged"]))

    world.desk.refund(hold_id, 40, 0, {"from": world.shop.till})
    assert world.shop.token.balanceOf(rich.address) == 10_000 + 148 - 100


def test_a_payment_is_not_an_exchange_and_needs_a_price(world, rich, third_party):
    """SPEC 4.12"""
    quoted = quote(rich, world.cafe_to_shop, 100, minimum=140)
    with refused("SignatureInvalid", rich):
        as_exchange = sign(rich, world.exchange, "Exchange", *quoted)
        world.exchange.payAtPartner.call(quoted, REWARD, as_exchange, {"from": third_party})
    free = quote(rich, world.cafe_to_shop, 100, minimum=0)
    with refused("PointsMissing"):
        signature = sign(rich, world.exchange, "PayAtPartner", *free[:5], REWARD, *free[5:])
        world.exchange.payAtPartner.call(free, REWARD, signature, {"from": third_party})


# Unwinding


def test_unwinding_needs_the_till_the_member_and_the_true_record(world, rich, other, third_party):
    """SPEC 4.13"""
    event = exchange(world, rich, world.cafe_to_shop, 100).events["Exchanged"]
    for caller in (third_party, world.cafe.till, world.operator):
        with refused("RoleMissing", caller, world.shop.role(TILL)):
            world.exchange.unwind.call(*undo(world, rich, event, till=caller))
    with refused("SignatureInvalid", rich):
        world.exchange.unwind.call(*undo(world, rich, event, signer=other))
    with refused("AuthorisationExpired"):
        world.exchange.unwind.call(*undo(world, rich, event, deadline=now() - 1))
    exchange_id, record, *rest = undo(world, rich, event)
    with refused("ExchangeNotOpen", exchange_id):
        better = (*record[:3], record[3] + 1, *record[4:])
        world.exchange.unwind.call(exchange_id, better, *rest)
    with refused("ExchangeUnknown"):
        world.exchange.unwind.call(b"\1" * 32, record, *rest)


def test_unwinding_restores_the_old_lots_and_takes_the_debt_back_once(world, member):
    """SPEC 4.13, 4.14, 5.8"""
    at(world.cafe.token.origin() + ((now() - world.cafe.token.origin()) // DAY + 1) * DAY)
    award(world, world.cafe, member, 60)
    later(DAY)
    award(world, world.cafe, member, 60)
    before = plain(world.cafe.token.lotsOf(member.address))
    event = exchange(world, member, world.cafe_to_shop, 100).events["Exchanged"]

    world.exchange.unwind(*undo(world, member, event))

    assert plain(world.cafe.token.lotsOf(member.address)) == before
    assert world.shop.token.balanceOf(member.address) == world.shop.token.totalSupply() == 0
    assert world.house.obligationOf(world.cafe.id, world.shop.id) == 0
    assert world.house.accountOf(world.cafe.id)[1] == 0
    with refused("ExchangeNotOpen", event["exchangeId"]):
        world.exchange.unwind.call(*undo(world, member, event))


def test_what_was_netted_already_is_owed_back_when_unwound(world, rich):
    """SPEC 5.8"""
    event = exchange(world, rich, world.cafe_to_shop, 100).events["Exchanged"]
    brands = [world.cafe.id, world.shop.id]
    world.house.net(1, brands, {"from": world.operator})
    world.house.settle(1, brands, [-150, 150], {"from": world.operator})

    world.exchange.unwind(*undo(world, rich, event))

    assert world.house.obligationOf(world.cafe.id, world.shop.id) == 0
    assert world.house.obligationOf(world.shop.id, world.cafe.id) == 150
    assert world.house.accountOf(world.shop.id)[1] == 150


def test_a_member_who_has_spent_cannot_unwind(world, member):
    """SPEC 4.13"""
    award(world, world.cafe, member, 100)
    event = exchange(world, member, world.cafe_to_shop, 100).events["Exchanged"]
    exchange(world, member, world.shop_to_cafe, 10, nonce=2)
    with refused("ERC20InsufficientBalance", member, 138, 148):
        world.exchange.unwind.call(*undo(world, member, event))


def test_a_word_to_unwind_is_spent_once_can_be_cancelled_and_ends_with_the_window(world, rich, third_party):
    """SPEC 4.13, 4.14, 4.16"""
    event = exchange(world, rich, world.cafe_to_shop, 100).events["Exchanged"]
    with refused("AuthorisationUsed", rich, 1):
        world.exchange.unwind.call(*undo(world, rich, event, nonce=1))
    until = int.from_bytes(bytes(world.exchange.recordOf(event["exchangeId"])), "big") & (2**40 - 1)
    assert until == now() + 30 * DAY
    at(until + 1)
    with refused("UnwindOver", event["exchangeId"], until):
        world.exchange.unwind.call(*undo(world, rich, event))


def test_an_exchange_has_a_minimum_and_is_rounded_up_once_over_all(world, guest, rich, third_party):
    """SPEC 4.8, 4.9"""
    world.exchange.end(world.shop_to_cafe, world.shop.id, {"from": world.shop.owner})
    later(HOUR)
    agreement = agree(world, world.shop, world.cafe, minimum=5, per=100)
    with refused("PointsInTooFew", 4, 5):
        try_exchange(world, rich, third_party, agreement, 4)
    for nonce in range(1, 5):
        exchange(world, rich, agreement, 5, nonce=nonce)

    assert world.house.obligationOf(world.shop.id, world.cafe.id) == 1
