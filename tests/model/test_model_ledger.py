"""The model by itself: small stories with the numbers of SPECIFICATION, and refusals that change nothing."""

import copy
from dataclasses import replace

import pytest

from chain.model.access import Kind, role_of
from chain.model.agreements import AgreementTerms
from chain.model.call import Call
from chain.model.desk import HoldRequest, HoldState
from chain.model.errors import (
    AuthorisationUsed,
    BrandNotIssuing,
    BudgetExceeded,
    CallNotAnnounced,
    CaptureStopped,
    CaptureTooLate,
    CollateralExceeded,
    HoldOver,
    HoldRunning,
    MemberCapExceeded,
    OperationUsed,
    RefundExceedsCapture,
    RefundOutOfDate,
    RefundOver,
    Refused,
    RoleMissing,
    SignatureInvalid,
    TransferNotAllowed,
    TreasuryOther,
    WithdrawalFrozen,
)
from chain.model.exchange import Quote
from chain.model.ledger import Ledger, Parties
from chain.model.policy import Policy
from chain.model.registry import Invitation
from chain.model.rules import Item, Rounding, RuleKind, RuleTerms
from chain.model.token import Back

DAY, HOUR, START = 86_400, 3_600, 1_893_456_000
OWNER, STAFF, MEMBER, OTHER, ANYONE = ("0x" + digit * 40 for digit in "12345")
HASH = "0x" + "00" * 32


def terms(**changes: object) -> RuleTerms:
    """One point for a unit, without caps."""
    plain = RuleTerms(HASH, RuleKind.RATE, Rounding.DOWN, 1, 1, 0, 0, 10**9, 0, 2**40 - 1, HOUR, HASH)
    return replace(plain, **changes)  # type: ignore[arg-type]


@pytest.fixture
def ledger() -> Ledger:
    """Brand 1 lives two days with three days of grace, brand 2 for ever; exchange from 1 into 2 is one to one."""
    ledger = Ledger(Parties("0x" + "d" * 40, "0x" + "e" * 40, "0x" + "c" * 40, "0xad", "0x0b", "0x0c"))
    for number, lifetime in ((1, 2), (2, 0)):
        grace_s = 3 * DAY if lifetime else 0
        invitation = Invitation("Brand", "BR", DAY, lifetime, grace_s, Policy.CLOSED, OWNER, OWNER, HASH)
        ledger.invite(Call("0x0b", START), invitation, f"0x{number}{'f' * 39}")
        ledger.registry.activate(Call("0x0b", START), number)
        for kind in (Kind.ISSUER, Kind.TILL, Kind.TREASURER):
            ledger.roles.grant_role(Call(OWNER, START), role_of(number, kind), STAFF, 0)
        ledger.rules.publish(Call(OWNER, START), number, terms())
        ledger.clearing.deposit(Call(ANYONE, START), number, 1_000)
    rate = AgreementTerms(1, 1, 1_000, 10**6, 10**6, 1, 1, HOUR, 1, 30 * DAY)
    ledger.agreements.propose(Call(OWNER, START), 1, 1, 2, rate)
    ledger.agreements.accept(Call(OWNER, START), 1, rate.hash())
    ledger.facts()
    return ledger


def award(ledger: Ledger, points: int, at: int, operation: int, brand: int = 1, rule: int = 1) -> int:
    """An award by the brand's staff."""
    return ledger.rules.award(Call(STAFF, at), brand, Item(operation, rule, MEMBER, points))


def hold(ledger: Ledger, points: int, at: int, nonce: int = 1, until: int = START + 9 * DAY) -> str:
    """A hold that the member signed and anyone submits."""
    request = HoldRequest(MEMBER, 1, points, HASH, until, nonce, at + HOUR)
    return ledger.desk.hold(Call(ANYONE, at), request, MEMBER)


def test_points_are_gone_at_the_second_and_not_one_before(ledger: Ledger) -> None:
    """SPEC 1.5"""
    award(ledger, 100, START + 10, 1)
    token = ledger.tokens[1]

    assert token.balance_of(MEMBER, START + 3 * DAY - 1) == 100
    assert token.balance_of(MEMBER, START + 3 * DAY) == 0
    assert token.total_supply(START + 3 * DAY) == 0


def test_closed_points_move_to_nobody_but_a_member_may_leave(ledger: Ledger) -> None:
    """SPEC 1.15, 1.18"""
    award(ledger, 100, START + 10, 1)
    award(ledger, 50, START + DAY, 2)
    token, at = ledger.tokens[1], START + DAY + 5
    with pytest.raises(TransferNotAllowed):
        token.transfer(Call(MEMBER, at), OTHER, 1)

    token.leave(Call(ANYONE, at), MEMBER, OTHER, 7, at, MEMBER, OTHER)

    assert token.lots_of(OTHER, at) == {3: 100, 4: 50}
    assert token.balance_of(MEMBER, at) == 0


def test_a_capture_in_part_gives_the_newest_back_and_a_refund_the_newest_captured(ledger: Ledger) -> None:
    """SPEC 3.6, 3.10"""
    award(ledger, 100, START, 1)
    award(ledger, 50, START + DAY, 2)
    at = START + DAY + 1
    hold_id = hold(ledger, 150, at)

    assert ledger.desk.capture(Call(STAFF, at + 1), hold_id, 120) == Back(30, 0, 0)
    assert ledger.tokens[1].lots_of(MEMBER, at + 1) == {4: 30}
    assert ledger.desk.refund(Call(STAFF, at + 2), hold_id, 30, 0) == Back(30, 0, 0)

    assert ledger.tokens[1].lots_of(MEMBER, at + 2) == {3: 10, 4: 50}
    assert ledger.desk.hold_of(hold_id).lots == {3: 90}


def test_what_expired_in_a_hold_is_captured_in_full_within_the_grace_and_comes_back_no_more(ledger: Ledger) -> None:
    """SPEC 3.4, 3.6, 3.13"""
    award(ledger, 100, START, 1)
    hold_id = hold(ledger, 100, START + 1)
    late = START + 3 * DAY

    assert ledger.desk.held_of(1, MEMBER) == 100
    assert ledger.desk.capture(Call(STAFF, late), hold_id, 60) == Back(0, 0, 40)

    assert ledger.tokens[1].balance_of(MEMBER, late) == 0
    assert ledger.desk.hold_of(hold_id).captured == 60
    assert ledger.desk.held_of(1, MEMBER) == 0


def test_a_capture_ends_with_a_lots_grace_to_the_second(ledger: Ledger) -> None:
    """SPEC 3.5"""
    award(ledger, 100, START, 1)
    first, second = hold(ledger, 40, START + 1), hold(ledger, 60, START + 1, nonce=2)
    late = START + 6 * DAY

    ledger.desk.capture(Call(STAFF, late - 1), first, 40)
    with pytest.raises(CaptureTooLate) as refused:
        ledger.desk.capture(Call(STAFF, late), second, 1)

    assert refused.value.values() == (second, 1, 0)


def test_a_refund_gives_a_lots_grace_once_and_never_past_it(ledger: Ledger) -> None:
    """SPEC 3.14"""
    award(ledger, 100, START, 1)
    first, second = hold(ledger, 40, START + 1), hold(ledger, 60, START + 1, nonce=2)
    for hold_id, points in ((first, 40), (second, 60)):
        ledger.desk.capture(Call(STAFF, START + 2), hold_id, points)
    late = START + 6 * DAY - 1

    assert ledger.desk.refund(Call(STAFF, late), first, 40, 0) == Back(0, 40, 0)
    assert ledger.tokens[1].lots_of(MEMBER, late) == {6: 40}
    assert ledger.desk.refund(Call(STAFF, late + 1), second, 60, 0) == Back(0, 0, 60)
    assert ledger.tokens[1].balance_of(MEMBER, late + 1) == 0

    again = hold(ledger, 40, late, nonce=3)
    ledger.desk.capture(Call(STAFF, late), again, 40)
    assert ledger.desk.refund(Call(STAFF, late + 1), again, 40, 0) == Back(0, 0, 40)


def test_a_refund_ends_with_its_captures_window_and_with_a_switch(ledger: Ledger) -> None:
    """SPEC 3.16, 3.17, 3.18"""
    award(ledger, 100, START, 1)
    first, second = hold(ledger, 40, START + 1), hold(ledger, 60, START + 1, nonce=2)
    ledger.desk.announce_refund_window(Call(OWNER, START), 1, HOUR)
    ledger.desk.capture(Call(STAFF, START + 2), first, 40)
    assert ledger.desk.hold_of(first).refund_until == START + 2 + 90 * DAY

    ledger.registry.suspend(Call("0x0b", START + 3), 1)
    with pytest.raises(BrandNotIssuing):
        ledger.desk.refund(Call(STAFF, START + 3), first, 1, 0)
    with pytest.raises(CaptureStopped) as stopped:
        ledger.desk.capture(Call(STAFF, START + 3 + DAY), second, 60)
    assert stopped.value.values() == (second, START + 3 + DAY)
    ledger.registry.activate(Call("0x0b", START + 4), 1)

    with pytest.raises(RefundOver) as over:
        ledger.desk.refund(Call(STAFF, START + 3 + 90 * DAY), first, 1, 0)
    assert over.value.values() == (first, START + 2 + 90 * DAY)
    assert ledger.desk.refund_window_of(1, START + 7 * DAY) == HOUR


def test_a_hold_ends_for_the_till_at_its_last_second_and_for_others_after_it(ledger: Ledger) -> None:
    """SPEC 3.5, 3.7"""
    award(ledger, 100, START, 1)
    until = START + 100
    hold_id = hold(ledger, 100, START + 1, until=until)
    with pytest.raises(HoldRunning):
        ledger.desk.release(Call(ANYONE, until), hold_id)
    with pytest.raises(HoldOver):
        ledger.desk.capture(Call(STAFF, until + 1), hold_id, 1)

    assert ledger.desk.release(Call(ANYONE, until + 1), hold_id) == Back(100, 0, 0)
    assert ledger.desk.hold_of(hold_id).state == HoldState.RELEASED


def test_a_refund_counts_once_and_never_above_the_capture(ledger: Ledger) -> None:
    """SPEC 3.8, 3.9"""
    award(ledger, 100, START, 1)
    hold_id = hold(ledger, 100, START + 1)
    ledger.desk.capture(Call(STAFF, START + 2), hold_id, 80)
    ledger.desk.refund(Call(STAFF, START + 3), hold_id, 50, 0)

    with pytest.raises(RefundOutOfDate):
        ledger.desk.refund(Call(STAFF, START + 4), hold_id, 50, 0)
    with pytest.raises(RefundExceedsCapture) as refused:
        ledger.desk.refund(Call(STAFF, START + 4), hold_id, 31, 50)
    assert refused.value.values() == (31, 30)


def test_an_authorisation_serves_once_and_only_its_signer(ledger: Ledger) -> None:
    """SPEC 1.19, 6.11"""
    award(ledger, 100, START, 1)
    request = HoldRequest(MEMBER, 1, 10, HASH, START + DAY, 1, START + 9)
    with pytest.raises(SignatureInvalid):
        ledger.desk.hold(Call(ANYONE, START + 1), request, OTHER)

    ledger.desk.hold(Call(ANYONE, START + 9), request, MEMBER)

    with pytest.raises(AuthorisationUsed):
        ledger.desk.hold(Call(MEMBER, START + 9), request, None)


@pytest.mark.parametrize(
    ("rounding", "base", "points"),
    [
        (Rounding.DOWN, 3, 1),
        (Rounding.UP, 3, 2),
        (Rounding.NEAREST, 3, 2),
        (Rounding.NEAREST, 2, 1),
        (Rounding.UP, 0, 0),
    ],
)
def test_a_rate_rounds_as_it_says(rounding: Rounding, base: int, points: int) -> None:
    """SPEC 2.9"""
    assert terms(rounding=rounding, numerator=1, denominator=2).points(base) == points


def test_caps_and_budgets_refuse_and_a_day_ends_at_midnight(ledger: Ledger) -> None:
    """SPEC 2.11, 2.12"""
    ledger.rules.publish(Call(OWNER, START), 1, terms(cap_per_member_day=100, budget=150))

    assert award(ledger, 100, START + DAY - 1, 1, rule=2) == 100
    with pytest.raises(MemberCapExceeded) as capped:
        award(ledger, 1, START + DAY - 1, 2, rule=2)
    with pytest.raises(BudgetExceeded) as spent:
        award(ledger, 51, START + DAY, 2, rule=2)
    assert (capped.value.values(), spent.value.values()) == ((1, 0), (51, 50))
    assert award(ledger, 50, START + DAY, 2, rule=2) == 50


def test_a_batch_counts_its_good_items_and_tells_the_others(ledger: Ledger) -> None:
    """SPEC 2.13, 2.14, 2.15"""
    items = [Item(1, 1, MEMBER, 5), Item(1, 1, MEMBER, 5), Item(2, 9, MEMBER, 5), Item(3, 1, MEMBER, 0)]

    assert ledger.rules.award_batch(Call(STAFF, START), 1, items) == (2, 5)

    said = [fact.name for fact in ledger.facts()]
    assert said == ["Awarded", "AwardRefused", "AwardRefused", "Awarded", "LotNamed", "Transfer"]
    assert not ledger.rules.is_operation_used(1, 2)
    with pytest.raises(OperationUsed):
        award(ledger, 5, START, 3)


def test_a_change_waits_its_notice(ledger: Ledger) -> None:
    """SPEC 2.3, 2.4"""
    assert ledger.rules.announce_change(Call(OWNER, START), 1, 1, terms(numerator=2)) == (2, START + HOUR)

    assert award(ledger, 10, START + HOUR - 1, 1) == 10
    assert award(ledger, 10, START + HOUR, 2) == 20


def test_an_exchange_and_its_unwinding_leave_nothing_behind(ledger: Ledger) -> None:
    """SPEC 4.8, 4.11, 4.14"""
    award(ledger, 105, START, 1)
    quote = Quote(MEMBER, 1, 1, 105, 94, 1, START + HOUR)

    exchange_id, done = ledger.exchanges.exchange(Call(ANYONE, START + 1), quote, MEMBER)

    assert (done.points_out, done.fee, done.obligation) == (94, 11, 105)
    assert ledger.tokens[2].balance_of(MEMBER, START + 1) == 94
    assert ledger.clearing.obligation_of(1, 2) == 105
    ledger.exchanges.unwind(Call(STAFF, START + 2), exchange_id, done, 2, START + 2, MEMBER)
    assert ledger.tokens[1].balance_of(MEMBER, START + 2) == 105
    assert ledger.tokens[2].total_supply(START + 2) == ledger.clearing.obligation_of(1, 2) == 0


def test_debts_are_covered_set_off_netted_settled_and_paid_in_a_default(ledger: Ledger) -> None:
    """SPEC 5.2, 5.5, 5.10, 5.11, 5.13"""
    clearing = ledger.clearing
    with pytest.raises(CollateralExceeded) as refused:
        clearing.book(1, 2, 1_001, 10**6, HASH)
    assert refused.value.values() == (1, 1_001, 1_000)
    clearing.book(1, 2, 1_000, 10**6, HASH)
    clearing.book(2, 1, 400, 10**6, HASH)
    assert (clearing.obligation_of(1, 2), clearing.obligation_of(2, 1), clearing.account_of(2).owed) == (600, 0, 0)

    assert clearing.net(Call("0x0b", START), 1, [1, 2]) == [-600, 600]
    clearing.settle(Call(ANYONE, START), 1, [1, 2], [-600, 600])

    assert [clearing.account_of(brand).collateral for brand in (1, 2)] == [400, 1_600]
    clearing.book(1, 2, 400, 10**6, HASH)
    clearing.declare_default(Call("0x0b", START), 1, [])
    assert clearing.account_of(1).owed == 400
    clearing.pay_claims(Call("0x0b", START), 1, [2])
    assert [clearing.account_of(brand).collateral for brand in (1, 2)] == [0, 2_000]
    assert clearing.account_of(1).in_default


def test_an_announced_call_ends_with_its_role_and_by_a_veto(ledger: Ledger) -> None:
    """SPEC 6.13, 6.14"""
    slow, role, data = "0x" + "6" * 40, role_of(1, Kind.TREASURER), b"withdraw"
    announcements = ledger.clearing.announcements
    ledger.roles.grant_role(Call(OWNER, START), role, slow, HOUR)
    announcements.announce(Call(slow, START), role, data)
    with pytest.raises(RoleMissing):
        announcements.retract(Call(STAFF, START), slow, role, data)
    announcements.retract(Call(OWNER, START), slow, role, data)
    with pytest.raises(CallNotAnnounced):
        announcements.check(Call(slow, START + HOUR, data), role)
    announcements.announce(Call(slow, START), role, data)
    ledger.roles.revoke_role(Call(OWNER, START + 1), role, slow)
    ledger.roles.grant_role(Call(OWNER, START + 2), role, slow, HOUR)
    with pytest.raises(CallNotAnnounced):
        announcements.check(Call(slow, START + HOUR, data), role)


def test_a_treasury_waits_and_a_switch_holds_collateral_back(ledger: Ledger) -> None:
    """SPEC 5.4, 6.6"""
    inbound = ledger.registry.announce_treasury(Call(OWNER, START), 1, OTHER)
    with pytest.raises(TreasuryOther):
        ledger.clearing.withdraw(Call(STAFF, inbound - 1), 1, 1, OTHER)
    ledger.clearing.withdraw(Call(STAFF, inbound), 1, 1, OTHER)
    ledger.registry.stop_all(Call("0x0c", inbound))
    with pytest.raises(WithdrawalFrozen):
        ledger.clearing.withdraw(Call(STAFF, inbound), 1, 1, OTHER)


def test_a_tighter_policy_waits_a_week(ledger: Ledger) -> None:
    """SPEC 1.22"""
    award(ledger, 100, START, 1, brand=2)
    token = ledger.tokens[2]
    token.set_policy(Call(OWNER, START), Policy.OPEN)
    token.set_policy(Call(OWNER, START), Policy.CLOSED)
    token.transfer(Call(MEMBER, START + 7 * DAY - 1), OTHER, 1)
    with pytest.raises(TransferNotAllowed):
        token.transfer(Call(MEMBER, START + 7 * DAY), OTHER, 1)


def test_a_refusal_changes_nothing(ledger: Ledger) -> None:
    """SPEC, first page"""
    award(ledger, 100, START, 1)
    hold_id = hold(ledger, 60, START + 1)
    before = copy.deepcopy(ledger)
    acts = [
        lambda: award(ledger, 5, START + 2, 1),
        lambda: hold(ledger, 41, START + 2, nonce=2),
        lambda: ledger.desk.capture(Call(STAFF, START + 2), hold_id, 61),
        lambda: ledger.desk.capture(Call(ANYONE, START + 2), hold_id, 1),
        lambda: ledger.exchanges.exchange(Call(MEMBER, START + 2), Quote(MEMBER, 1, 1, 40, 37, 3, START + 9), None),
        lambda: ledger.exchanges.exchange(Call(MEMBER, START + 2), Quote(MEMBER, 1, 1, 41, 1, 3, START + 9), None),
        lambda: ledger.clearing.withdraw(Call(STAFF, START + 2), 1, 1_001, OWNER),
    ]

    for act in acts:
        with pytest.raises(Refused):
            act()

    assert ledger == before


def test_nobody_acts_for_a_brand_without_its_role(ledger: Ledger) -> None:
    """SPEC 6.8"""
    with pytest.raises(RoleMissing) as refused:
        ledger.rules.award(Call(MEMBER, START), 1, Item(1, 1, MEMBER, 5))
    assert refused.value.values() == (MEMBER, role_of(1, Kind.ISSUER))
