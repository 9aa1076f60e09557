"""The edges of an exchange in the model: each bound is tried at itself, one below and one above."""

import copy

import pytest
from eth_abi import abi

from chain.base.hashing import keccak
from chain.model.agreements import AgreementTerms
from chain.model.call import Call
from chain.model.errors import (
    AuthorisationExpired,
    AuthorisationUsed,
    DailyCapExceeded,
    ERC20InsufficientBalance,
    OutBelowMinimum,
    PointsInInvalid,
    PointsMissing,
    Refused,
    VersionChanged,
)
from chain.model.exchange import Exchange, Quote
from chain.model.ledger import Ledger
from tests.model.test_model_ledger import ANYONE, DAY, HASH, MEMBER, OWNER, STAFF, START, award, hold, ledger

__all__ = ["ledger"]  # the fixture

AT = START + 20


def quote(points_in: int, minimum_out: int, *, nonce: int = 1, version: int = 1, deadline: int = AT) -> Quote:
    return Quote(MEMBER, 1, version, points_in, minimum_out, nonce, deadline)


def exchanged(ledger: Ledger, wanted: Quote, at: int = AT) -> Exchange:
    return ledger.exchanges.exchange(Call(ANYONE, at), wanted, MEMBER)[1]


def refused(ledger: Ledger, wanted: Quote, kind: type[Refused], at: int = AT) -> None:
    """It is refused with this, and nothing changed."""
    before = copy.deepcopy(ledger)
    with pytest.raises(kind):
        exchanged(ledger, wanted, at)
    assert ledger == before


@pytest.fixture
def funded(ledger: Ledger) -> Ledger:
    """The member has 500 points of brand 1; a tenth of what is exchanged is the fee."""
    award(ledger, 500, START + 10, 1)
    ledger.facts()
    return ledger


@pytest.mark.parametrize("minimum", [0, 1, 89, 90])
def test_what_comes_out_may_be_exactly_the_minimum(funded: Ledger, minimum: int) -> None:
    """SPEC 4.9"""
    done = exchanged(funded, quote(100, minimum))

    assert (done.points_out, done.fee, done.obligation) == (90, 10, 100)
    assert funded.tokens[2].balance_of(MEMBER, AT) == 90
    assert funded.tokens[1].balance_of(MEMBER, AT) == 400


def test_one_point_below_the_minimum_is_refused_and_so_is_nothing_at_all(funded: Ledger) -> None:
    """SPEC 4.9"""
    refused(funded, quote(100, 91), OutBelowMinimum)
    # One point in: gross 1, fee up(0.1) = 1, out 0.
    refused(funded, quote(1, 0), OutBelowMinimum)
    assert exchanged(funded, quote(2, 1)).points_out == 1


def test_points_in_have_both_their_bounds(funded: Ledger) -> None:
    """SPEC 4.9"""
    refused(funded, quote(0, 0), PointsInInvalid)
    refused(funded, quote(2**48, 0), PointsInInvalid)
    refused(funded, quote(501, 0), ERC20InsufficientBalance)
    assert exchanged(funded, quote(500, 0)).points_in == 500


def test_the_deadlines_second_and_the_version_in_force_count(funded: Ledger) -> None:
    """SPEC 4.9, 1.19"""
    refused(funded, quote(100, 0, deadline=AT - 1), AuthorisationExpired)
    refused(funded, quote(100, 0, version=2), VersionChanged)
    assert exchanged(funded, quote(100, 0, deadline=AT)).version == 1


def test_a_days_cap_is_filled_to_the_point_and_empty_again_on_the_next_day(ledger: Ledger) -> None:
    """SPEC 4.10"""
    award(ledger, 500, START + 10, 1)
    capped = AgreementTerms(1, 1, 0, 150, 10**6, 1, 1, 3_600, 1, 0)
    ledger.agreements.propose_change(Call(OWNER, START + 10), 1, 1, capped)
    ledger.agreements.accept_change(Call(OWNER, START + 10), 1, capped.hash())
    at = START + 10 + 3_600

    assert exchanged(ledger, quote(100, 0, nonce=1, version=2, deadline=at), at).points_out == 100
    refused(ledger, quote(51, 0, nonce=2, version=2, deadline=at), DailyCapExceeded, at)
    assert exchanged(ledger, quote(50, 0, nonce=2, version=2, deadline=at), at).points_out == 50
    refused(ledger, quote(1, 0, nonce=3, version=2, deadline=at), DailyCapExceeded, at)
    following = START + DAY
    assert exchanged(ledger, quote(150, 0, nonce=3, version=2, deadline=following), following).points_out == 150


def test_a_payment_takes_exactly_the_price_and_leaves_what_is_above(funded: Ledger) -> None:
    """SPEC 4.12"""
    call = Call(ANYONE, AT)
    for price, kind in ((91, OutBelowMinimum), (0, PointsMissing)):
        before = copy.deepcopy(funded)
        with pytest.raises(kind):
            funded.exchanges.pay_at_partner(call, quote(100, price), HASH, MEMBER)
        assert funded == before

    exchange_id, _ = funded.exchanges.pay_at_partner(call, quote(100, 90), HASH, MEMBER)
    assert funded.tokens[2].balance_of(MEMBER, AT) == 0
    funded.exchanges.pay_at_partner(call, quote(100, 80, nonce=2), HASH, MEMBER)

    assert funded.tokens[2].balance_of(MEMBER, AT) == 10
    hold = funded.desk.holds[funded.exchanges.payment_id(exchange_id)]
    assert (hold.points, hold.captured, hold.hold_until) == (90, 90, AT)


def test_an_exchanges_id_is_the_members_nonce_and_payments_share_the_nonces(funded: Ledger) -> None:
    """SPEC 4.15"""
    call = Call(ANYONE, AT)
    exchange_id, _ = funded.exchanges.exchange(call, quote(100, 0, nonce=7), MEMBER)
    assert exchange_id == "0x" + keccak(abi.encode(["address", "uint256"], [MEMBER, 7])).hex()
    before = copy.deepcopy(funded)
    with pytest.raises(AuthorisationUsed):
        funded.exchanges.pay_at_partner(call, quote(100, 50, nonce=7), HASH, MEMBER)
    assert funded == before
    paid, _ = funded.exchanges.pay_at_partner(call, quote(100, 50, nonce=8), HASH, MEMBER)
    assert paid == "0x" + keccak(abi.encode(["address", "uint256"], [MEMBER, 8])).hex()
    refused(funded, quote(100, 0, nonce=8), AuthorisationUsed)


def owed(ledger: Ledger, debtor: int) -> int:
    """By the rule: what a brand owes each, and what was netted and is not settled."""
    account = ledger.clearing.account_of(debtor)
    return account.due + sum(ledger.clearing.obligation_of(debtor, creditor) for creditor in ledger.tokens)


def test_an_exchange_adds_its_obligation_and_only_unwinding_netting_and_settling_take_away(funded: Ledger) -> None:
    """SPEC 5.1, 5.7"""
    call, clearing = Call(ANYONE, AT), funded.clearing
    exchange_id, first = funded.exchanges.exchange(call, quote(100, 0, nonce=1), MEMBER)
    assert clearing.obligation_of(1, 2) == first.obligation == 100
    _, second = funded.exchanges.exchange(call, quote(60, 0, nonce=2), MEMBER)
    assert clearing.obligation_of(1, 2) == owed(funded, 1) == first.obligation + second.obligation == 160
    assert (owed(funded, 1), owed(funded, 2)) == (clearing.account_of(1).owed, clearing.account_of(2).owed) == (160, 0)

    hold(funded, 10, AT, nonce=9)
    award(funded, 5, AT, 77)
    assert owed(funded, 1) == 160

    funded.exchanges.unwind(Call(STAFF, AT), exchange_id, first, 3, AT, MEMBER)
    assert owed(funded, 1) == clearing.account_of(1).owed == 60

    clearing.net(Call("0x0b", AT), 1, [1, 2])
    assert clearing.obligation_of(1, 2) == 0
    assert (clearing.account_of(1).due, owed(funded, 1), clearing.account_of(1).owed) == (60, 60, 60)
    clearing.settle(Call(ANYONE, AT), 1, [1, 2], [-60, 60])
    assert (owed(funded, 1), clearing.account_of(1).owed) == (0, 0)
