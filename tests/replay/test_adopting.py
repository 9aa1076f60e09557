"""The books set to what the chain states, event by event: absolute values replace, relative ones move by the rest.

`ran`: the model made the call and went another way; otherwise it refused, and the event is all that there is.
"""

from dataclasses import astuple, replace
from typing import Any

import pytest

from chain.contracts.codec import EventLog
from chain.model import lots as lot
from chain.model.agreements import Agreement, AgreementChange, AgreementState, AgreementTerms
from chain.model.clearing import Statement
from chain.model.clock import FOREVER, day_of
from chain.model.desk import REFUND_WINDOW_S, Hold, HoldState, RefundWindow
from chain.model.exchange import Exchange, Record
from chain.model.policy import Policy
from chain.model.registry import Status
from chain.model.rules import Award, Change, Item, Rule
from chain.replay.authority import StatedGrant
from chain.replay.books import Books
from chain.replay.decoding.shapes import Event
from chain.replay.reexecution.adopt_terms import GAP_MAX
from chain.replay.reexecution.handlers import FORCES
from tests.replay.told import ISSUER, RULE, START, Told, address

AT = START + 100
DAY, HOUR = 86_400, 3_600
ADA, BOB = address(90), address(91)
HOLD = "0x" + "11" * 32
OTHER_HOLD = "0x" + "22" * 32
TERMS = AgreementTerms(1, 1, 0, 1_000, 1_000, 1, 1, HOUR, 1, 5 * DAY)
DOUBLE = replace(RULE, numerator=6)
OTHER_TERMS = AgreementTerms(2, 1, 0, 1_000, 1_000, 1, 1, HOUR, 1, DAY)


@pytest.fixture
def books() -> Books:
    """The brand of a made-up chain, with its rule and an agreement into brand 2."""
    found = Told().books
    found.agreements.agreements.append(Agreement(1, 2, 1, AgreementState.AGREED, 1, 1, TERMS))
    return found


def state(books: Books, name: str, *, ran: bool = False, contract: str = "", **values: Any) -> None:
    """The chain states an event."""
    log = EventLog(1, "0x", "0x", 0, 0, address(0x13), contract, name, {})
    FORCES[name](books, Event(log, contract, name, values), AT, ran)


def held(books: Books, hold_id: str = HOLD) -> Hold:
    return books.desk.holds[hold_id]


# --- what brands owe


@pytest.mark.parametrize(
    ("owed", "before", "outstanding", "after"),
    [(100, 100, 30, 30), (100, 40, 70, 130), (100, 100, 0, 0), (50, 100, 0, 0), (0, 0, 9, 9)],
)
def test_what_a_brand_owes_in_all_moves_with_an_obligation(
    books: Books, owed: int, before: int, outstanding: int, after: int
) -> None:
    """SPEC 12.18: and never falls below nothing."""
    account = books.clearing.account_of(1)
    account.owed, books.clearing.obligations[1, 2] = owed, before

    state(books, "ObligationBooked", debtorId=1, creditorId=2, outstanding=outstanding)

    assert (account.owed, books.clearing.obligation_of(1, 2)) == (after, outstanding)
    assert (books.clearing.account_of(2).owed, books.clearing.obligation_of(2, 1)) == (0, 0)


@pytest.mark.parametrize(("ran", "of_the_debtor"), [(True, 500), (False, 440)])
def test_a_claim_paid_goes_from_one_collateral_into_the_others(books: Books, ran: bool, of_the_debtor: int) -> None:
    """SPEC 12.18: what the model did itself is not done twice."""
    debtor = books.clearing.account_of(1)
    debtor.collateral, debtor.owed, books.clearing.obligations[1, 2] = 500, 100, 100

    state(books, "ClaimPaid", ran=ran, brandId=1, creditorId=2, claim=100, paid=60, collateral=960)

    assert (debtor.collateral, books.clearing.account_of(2).collateral) == (of_the_debtor, 960)
    assert (debtor.owed, books.clearing.obligation_of(1, 2)) == (40, 40)


def test_a_claim_paid_above_all_that_there_is_leaves_nothing(books: Books) -> None:
    """SPEC 12.18"""
    debtor = books.clearing.account_of(1)
    debtor.collateral, debtor.owed, books.clearing.obligations[1, 2] = 10, 5, 5

    state(books, "ClaimPaid", brandId=1, creditorId=2, claim=5, paid=60, collateral=60)

    assert (debtor.collateral, debtor.owed, books.clearing.obligation_of(1, 2)) == (0, 0, 0)


def test_collateral_withdrawn_shows_the_treasury_and_a_deposit_does_not(books: Books) -> None:
    """SPEC 12.18"""
    before = books.registry.brands[1]

    state(books, "CollateralDeposited", brandId=1, collateral=700)
    assert (books.clearing.account_of(1).collateral, books.registry.brands[1]) == (700, before)
    state(books, "CollateralWithdrawn", brandId=1, collateral=600, to=BOB)
    state(books, "CollateralWithdrawn", brandId=9, collateral=5, to=BOB)

    assert books.clearing.account_of(1).collateral == 600
    assert (books.registry.brands[1].treasury, books.registry.brands[1].next_treasury) == (BOB, None)
    assert sorted(books.registry.brands) == [1]


@pytest.mark.parametrize(
    ("ran", "position", "owed", "due"),
    [(False, -30, 70, 10), (False, 30, 100, 40), (False, -200, 0, 0), (True, -30, 100, 40)],
)
def test_a_position_settled_pays_a_debtors_debts_once(
    books: Books, ran: bool, position: int, owed: int, due: int
) -> None:
    """SPEC 12.18"""
    account = books.clearing.account_of(1)
    account.owed, account.due = 100, 40

    state(books, "PositionSettled", ran=ran, brandId=1, position=position, collateral=333)

    assert (account.collateral, account.owed, account.due) == (333, owed, due)


@pytest.mark.parametrize(
    ("ran", "mine", "stated", "debts"),
    [(False, None, (-60, 60), (60, 0)), (True, (-60, 60), (-50, 50), (50, 0)), (True, (-60, 60), (60, -60), (0, 60))],
)
def test_a_statement_is_the_chains_and_the_debts_are_its_positions(
    books: Books, ran: bool, mine: tuple[int, int] | None, stated: tuple[int, int], debts: tuple[int, int]
) -> None:
    """SPEC 12.18: obligations among its brands are gone, whichever way the model netted them."""
    clearing = books.clearing
    if mine is None:
        clearing.obligations[1, 2], clearing.account_of(1).owed = 60, 60
    else:
        clearing.statements[1], clearing.next_period = Statement((1, 2), mine), 2
        clearing.account_of(1).owed = clearing.account_of(1).due = -mine[0]
    clearing.obligations[1, 3], clearing.account_of(1).owed = 5, clearing.account_of(1).owed + 5

    state(books, "PeriodNetted", ran=ran, period=1, brandIds=(1, 2), positions=stated)

    assert clearing.statements == {1: Statement((1, 2), stated)}
    assert clearing.next_period == 2
    assert (clearing.obligation_of(1, 2), clearing.obligation_of(1, 3)) == (0, 5)
    assert [clearing.account_of(brand).due for brand in (1, 2)] == list(debts)
    assert [clearing.account_of(brand).owed for brand in (1, 2)] == [debts[0] + 5, debts[1]]


def test_a_period_that_was_stated_before_changes_nothing_and_one_that_is_settled_is_over(books: Books) -> None:
    """SPEC 12.18"""
    clearing = books.clearing
    clearing.statements[1], clearing.next_period = Statement((1, 2), (-5, 5)), 2

    state(books, "PeriodNetted", period=1, brandIds=(1, 2), positions=(-9, 9))
    assert (clearing.statements, clearing.next_period) == ({1: Statement((1, 2), (-5, 5))}, 2)
    state(books, "PeriodNetted", period=2, brandIds=(1, 2), positions=(0, 0))
    assert (sorted(clearing.statements), clearing.next_period) == ([1, 2], 3)

    state(books, "PeriodSettled", period=1)
    state(books, "PeriodSettled", period=1)
    assert sorted(clearing.statements) == [2]


def test_a_default_is_declared_paid_in_steps_and_cured(books: Books) -> None:
    """SPEC 12.18"""
    account = books.clearing.account_of(1)

    state(books, "BrandDefaulted", brandId=1, claims=100, paid=30)
    assert (account.in_default, account.owed) == (True, 70)
    state(books, "ClaimsPaid", brandId=1, owed=20)
    assert (account.in_default, account.owed) == (True, 20)
    state(books, "BrandDefaulted", brandId=1, claims=30, paid=100)
    assert account.owed == 0
    state(books, "DefaultCured", brandId=1)
    assert not account.in_default


# --- holds


def placed(books: Books, hold_id: str = HOLD, points: int = 100) -> None:
    lots = lot.packed({16: 60, 17: points - 60})
    state(books, "HoldPlaced", holdId=hold_id, brandId=1, member=ADA, points=points, holdUntil=AT + DAY, lots=lots)


def test_a_hold_is_placed_as_it_is_stated_and_a_payment_is_captured_at_once(books: Books) -> None:
    """SPEC 12.18"""
    placed(books)
    lots = lot.packed({16: 25})
    state(books, "HoldPaid", holdId=OTHER_HOLD, brandId=1, member=ADA, points=25, lots=lots)

    assert held(books) == Hold(ADA, 1, HoldState.HELD, 100, 0, 0, AT + DAY, {16: 60, 17: 40}, 0)
    assert held(books, OTHER_HOLD) == Hold(ADA, 1, HoldState.CAPTURED, 25, 25, 0, AT, {16: 25}, AT + REFUND_WINDOW_S)


@pytest.mark.parametrize(
    ("ran", "captured", "lots", "until"),
    [
        (False, 70, {16: 60, 17: 10}, AT + REFUND_WINDOW_S),
        (False, 500, {16: 60, 17: 40}, AT + REFUND_WINDOW_S),
        (True, 70, {16: 60, 17: 40}, 0),
    ],
)
def test_a_capture_keeps_the_oldest_lots_as_far_as_they_go(
    books: Books, ran: bool, captured: int, lots: lot.Lots, until: int
) -> None:
    """SPEC 12.18"""
    placed(books)

    state(books, "HoldCaptured", ran=ran, holdId=HOLD, brandId=1, member=ADA, captured=captured)

    found = held(books)
    assert (found.state, found.captured, found.lots, found.refund_until) == (HoldState.CAPTURED, captured, lots, until)


def test_a_hold_that_no_event_told_is_of_what_its_next_event_says(books: Books) -> None:
    """SPEC 12.18"""
    state(books, "HoldCaptured", holdId=HOLD, brandId=1, member=ADA, captured=40)
    state(books, "HoldReleased", holdId=OTHER_HOLD, brandId=1, member=BOB)

    assert held(books) == Hold(ADA, 1, HoldState.CAPTURED, 0, 40, 0, 0, {}, AT + REFUND_WINDOW_S)
    assert held(books, OTHER_HOLD) == Hold(BOB, 1, HoldState.RELEASED, 0, 0, 0, 0, {}, 0)


def test_a_hold_released_holds_nothing(books: Books) -> None:
    """SPEC 12.18"""
    placed(books)
    state(books, "HoldReleased", holdId=HOLD, brandId=1, member=ADA)

    assert (held(books).state, held(books).lots) == (HoldState.RELEASED, {})


@pytest.mark.parametrize(
    ("total", "lots"), [(30, {16: 60, 17: 10}), (100, {}), (0, {16: 60, 17: 40}), (101, {16: 60, 17: 40})]
)
def test_a_refund_takes_the_newest_captured_lots_as_far_as_there_are_any(
    books: Books, total: int, lots: lot.Lots
) -> None:
    """SPEC 12.18: of a refund above the capture nobody knows what it was of."""
    placed(books)
    held(books).state, held(books).captured = HoldState.CAPTURED, 100

    for _ in range(2):
        state(books, "HoldRefunded", holdId=HOLD, brandId=1, member=ADA, refundedTotal=total)
        found = held(books)
        assert (found.lots, found.refunded, found.captured) == (lots, total, 100), "the same total takes nothing again"


def test_a_refund_of_what_was_not_captured_captured_it(books: Books) -> None:
    """SPEC 12.18"""
    placed(books)
    state(books, "HoldRefunded", holdId=HOLD, brandId=1, member=ADA, refundedTotal=40)

    assert (held(books).state, held(books).captured, held(books).refunded) == (HoldState.CAPTURED, 40, 40)


def test_a_refund_that_the_model_made_only_says_its_total(books: Books) -> None:
    """SPEC 12.18"""
    placed(books)
    state(books, "HoldRefunded", ran=True, holdId=HOLD, brandId=1, member=ADA, refundedTotal=40)

    assert (held(books).state, held(books).lots, held(books).refunded) == (HoldState.HELD, {16: 60, 17: 40}, 40)


def test_a_refund_window_waits_as_the_chain_says(books: Books) -> None:
    """SPEC 12.18"""
    books.desk.windows[1] = RefundWindow(HOUR, 2 * HOUR, AT)
    state(books, "RefundWindowAnnounced", brandId=1, refundSeconds=5 * HOUR, inForceAt=AT + 9)

    assert books.desk.windows == {1: RefundWindow(2 * HOUR, 5 * HOUR, AT + 9)}


# --- exchanges


def record(agreement_id: int = 1, version: int = 1) -> tuple[Any, ...]:
    return ADA, agreement_id, version, 30, 20, 1, 30, (0, 0, 0, 0)


@pytest.mark.parametrize(("ran", "known", "flow"), [(False, False, 30), (True, False, 0), (False, True, 0)])
def test_an_exchange_counts_in_its_day_once(books: Books, ran: bool, known: bool, flow: int) -> None:
    """SPEC 12.18"""
    books.agreements.agreement(1).carry = 3
    if known:
        books.exchanges.records[HOLD] = None

    state(books, "Exchanged", ran=ran, exchangeId=HOLD, exchange=record())

    assert books.exchanges.records[HOLD] == Record(Exchange(*record()), AT, AT + 5 * DAY)
    assert books.agreements.used_today(1, AT) == flow
    assert books.agreements.flows.get((2, 1, day_of(AT)), 0) == (-20 if flow else 0)
    assert books.agreements.agreement(1).carry == 3


@pytest.mark.parametrize("agreement_id", [0, 2])
def test_an_exchange_of_no_known_agreement_can_be_unwound_at_once_only(books: Books, agreement_id: int) -> None:
    """SPEC 12.18"""
    state(books, "Exchanged", exchangeId=HOLD, exchange=record(agreement_id))

    assert books.exchanges.records == {HOLD: Record(Exchange(*record(agreement_id)), AT, AT)}
    assert books.agreements.flows == {}

    state(books, "Unwound", exchangeId=HOLD)
    assert books.exchanges.records == {HOLD: None}


# --- points and returns


def test_lots_and_debts_are_the_chains(books: Books) -> None:
    """SPEC 12.18"""
    token = books.token(1)
    state(books, "LotsChanged", contract="LoyaltyToken 1", account=ADA, words=[lot.packed({16: 7})[3]])
    assert token.balance_of(ADA, AT) == token.total_supply(AT) == 7

    state(books, "DebtChanged", contract="LoyaltyToken 1", member=ADA, debt=5)
    assert token.debts == {ADA: 5}
    state(books, "DebtChanged", contract="LoyaltyToken 1", member=ADA, debt=0)
    assert token.debts == {}


def returned(books: Books, *, ran: bool = False, operation: int = 1, base: int = 40, owes: int = 0) -> None:
    state(
        books, "Returned", ran=ran, brandId=1, operationId=operation, returnId=77, baseAmount=base, taken=50,
        missing=10, owes=owes,
    )  # fmt: skip


def awarded(books: Books) -> None:
    books.rules.awards[1, 1] = Award(Item(1, 1, ADA, 100), RULE, 1, 150, 16, AT)
    books.rules.rule(1, 1).spent = 150


@pytest.mark.parametrize(
    ("base", "owes", "left", "spent"), [(40, 0, 60, 100), (40, 10, 60, 90), (100, 0, 0, 100), (130, 0, 0, 100)]
)
def test_a_return_takes_from_its_award_and_from_what_the_rule_spent(
    books: Books, base: int, owes: int, left: int, spent: int
) -> None:
    """SPEC 12.18: what was forgiven stays spent."""
    awarded(books)

    returned(books, base=base, owes=owes)

    assert books.rules.awards[1, 1].left == left
    assert (books.rules.awards[1, 1].returned is None) == (left == 0), "all of it is told by no number"
    assert books.rules.rule(1, 1).spent == spent
    assert (1, 77) in books.operations


def test_a_rule_has_never_spent_less_than_nothing(books: Books) -> None:
    """SPEC 12.18"""
    awarded(books)
    books.rules.rule(1, 1).spent = 49

    returned(books, owes=10)

    assert books.rules.rule(1, 1).spent == 0


def test_a_return_that_the_model_made_or_of_no_known_award_only_uses_its_id(books: Books) -> None:
    """SPEC 12.18"""
    awarded(books)
    returned(books, ran=True)
    returned(books, operation=5)

    assert books.rules.awards[1, 1].left == 100
    assert books.rules.rule(1, 1).spent == 150
    assert (1, 77) in books.operations


# --- rules and agreements


@pytest.mark.parametrize("stated", [0, 1, 2])
def test_a_policy_that_is_stated_takes_the_place_of_one_that_waits(books: Books, stated: int) -> None:
    """SPEC 12.18"""
    token = books.token(1)
    token.policy, token.next_policy = Policy.OPEN, (Policy.CLOSED, AT)

    state(books, "PolicyAnnounced", contract="LoyaltyToken 1", policy=stated, inForceAt=AT + 5)
    assert (token.policy_at(AT + 4), token.policy_at(AT + 5)) == (Policy.CLOSED, Policy(stated))
    state(books, "PolicyChanged", contract="LoyaltyToken 1", policy=stated)
    assert (token.policy_at(AT), token.policy_at(AT + 5)) == (Policy(stated), Policy(stated))


def test_a_list_and_an_allowance_are_the_chains(books: Books) -> None:
    """SPEC 12.18"""
    token, name = books.token(1), "LoyaltyToken 1"

    state(books, "AllowListChanged", contract=name, account=ADA, allowed=True)
    assert token.allowed_until[ADA] == FOREVER
    state(books, "AllowListEnding", contract=name, account=ADA, until=AT + 7)
    assert (token.is_allowed(ADA, AT + 6), token.is_allowed(ADA, AT + 7)) == (True, False)
    state(books, "AllowListChanged", contract=name, account=ADA, allowed=False)
    assert token.allowed_until[ADA] == 0
    state(books, "Approval", contract=name, owner=ADA, spender=BOB, value=9)
    assert token.allowances == {(ADA, BOB): 9}


@pytest.mark.parametrize(
    ("number", "count"), [(2, 2), (1, 1), (4, 4), (0, 1), (1 + GAP_MAX, 1 + GAP_MAX), (2 + GAP_MAX, 1)]
)
def test_an_agreement_stands_at_its_number_and_a_gap_is_filled(books: Books, number: int, count: int) -> None:
    """SPEC 12.18: but no wild number is followed."""
    values = {"fromBrandId": 1, "toBrandId": 2, "byBrandId": 2, "terms": astuple(OTHER_TERMS)}
    state(books, "AgreementProposed", agreementId=number, **values)

    found = books.agreements.agreements
    assert len(found) == count
    if 1 <= number <= count:
        made = found[number - 1]
        assert (made.state, made.terms) == (AgreementState.PROPOSED, OTHER_TERMS)
        assert (made.version, made.last_version, made.ends_at) == (1, 1, 0)
    else:
        assert found[0].terms == TERMS


def test_an_agreement_that_the_model_numbered_otherwise_is_moved(books: Books) -> None:
    """SPEC 12.18"""
    values = {"fromBrandId": 2, "toBrandId": 1, "byBrandId": 2, "terms": astuple(OTHER_TERMS)}
    books.agreements.agreements.append(Agreement(3, 1, 3, AgreementState.PROPOSED, 1, 1, OTHER_TERMS))

    state(books, "AgreementProposed", ran=True, agreementId=3, **values)
    assert [each.from_brand_id for each in books.agreements.agreements] == [1, 2, 2]


def test_an_event_is_of_the_agreement_and_of_the_rule_that_it_names(books: Books) -> None:
    """SPEC 12.18"""
    agreements, rules = books.agreements.agreements, books.rules.rules[1]
    agreements.append(Agreement(2, 1, 2, AgreementState.AGREED, 1, 1, TERMS))
    rules.append(Rule(RULE))
    rules[0].change = rules[1].change = Change(2, AT, DOUBLE)

    for number in (1, 2):
        state(books, "AgreementEnding", agreementId=number, endsAt=AT + number)
        state(books, "RuleChangeWithdrawn", brandId=1, ruleId=number)
        assert [each.ends_at for each in agreements] == [AT + 1, AT + 2 if number == 2 else 0]
        assert [each.change is None for each in rules] == [True, number == 2]


def test_changes_of_an_agreement_are_followed_to_its_end(books: Books) -> None:
    """SPEC 12.18"""
    agreement = books.agreements.agreement(1)
    agreement.state = AgreementState.PROPOSED
    state(books, "AgreementAccepted", agreementId=1)
    assert agreement.state == AgreementState.AGREED

    terms = astuple(OTHER_TERMS)
    state(books, "ChangeAccepted", agreementId=1, inForceAt=AT + 5)
    assert agreement.change is None
    state(books, "ChangeProposed", agreementId=1, version=2, byBrandId=2, terms=terms)
    assert (agreement.last_version, agreement.change) == (2, AgreementChange(2, 2, OTHER_TERMS, 0))
    state(books, "ChangeAccepted", agreementId=1, inForceAt=AT + 5)
    assert agreement.in_force(AT + 4) == (TERMS, 1)
    assert agreement.in_force(AT + 5) == (OTHER_TERMS, 2)
    state(books, "ChangeWithdrawn", agreementId=1)
    assert agreement.in_force(AT + 5) == (TERMS, 1)
    state(books, "AgreementEnding", agreementId=1, endsAt=AT + 9)
    assert (agreement.state_at(AT + 8), agreement.state_at(AT + 9)) == (AgreementState.AGREED, AgreementState.ENDED)


@pytest.mark.parametrize("name", ["AgreementAccepted", "ChangeProposed", "ChangeWithdrawn", "AgreementEnding"])
@pytest.mark.parametrize("number", [0, 2])
def test_what_is_said_of_an_agreement_that_nobody_knows_changes_nothing(books: Books, name: str, number: int) -> None:
    """SPEC 12.18"""
    before = str(books.agreements.agreements)
    values = {"version": 2, "byBrandId": 1, "terms": (), "endsAt": 1, "inForceAt": 1}

    state(books, name, agreementId=number, **values)

    assert str(books.agreements.agreements) == before


def test_a_rules_change_waits_and_is_withdrawn(books: Books) -> None:
    """SPEC 12.18"""
    rule = books.rules.rule(1, 1)
    rule.change = Change(2, AT, DOUBLE)

    for brand, number in ((1, 0), (1, 2), (3, 1)):
        state(books, "RuleChangeWithdrawn", brandId=brand, ruleId=number)
        state(books, "RuleChangeAnnounced", brandId=brand, ruleId=number, version=9, inForceAt=AT, terms=())
    assert (rule.change, rule.last_version) == (Change(2, AT, DOUBLE), 1)
    state(books, "RuleChangeAnnounced", brandId=1, ruleId=1, version=3, inForceAt=AT + 5, terms=RULE.values())
    assert (rule.terms, rule.version, rule.last_version) == (DOUBLE, 2, 3), "what was in force by then stays"
    assert (rule.in_force(AT + 4), rule.in_force(AT + 5)) == ((DOUBLE, 2), (RULE, 3))
    state(books, "RuleChangeWithdrawn", brandId=1, ruleId=1)
    assert rule.in_force(AT + 5) == (DOUBLE, 2)


@pytest.mark.parametrize(("ran", "number", "count"), [(False, 2, 2), (False, 1, 1), (True, 2, 2), (True, 1, 1)])
def test_a_rule_stands_at_its_number(books: Books, ran: bool, number: int, count: int) -> None:
    """SPEC 12.18: that of the model is gone when the chain numbered it otherwise."""
    rules = books.rules.rules[1]
    if ran:
        rules.append(Rule(RULE))

    state(books, "RulePublished", ran=ran, brandId=1, ruleId=number, version=4, terms=DOUBLE.values())

    assert len(rules) == count
    assert (rules[number - 1].terms, rules[number - 1].version, rules[number - 1].last_version) == (DOUBLE, 4, 4)
    state(books, "RulePublished", brandId=5, ruleId=1, version=1, terms=RULE.values())
    assert books.rules.rule(5, 1).terms == RULE


# --- brands and roles


@pytest.mark.parametrize("by_moa", [True, False])
def test_a_switch_stops_a_brand_from_its_second_on(books: Books, by_moa: bool) -> None:
    """SPEC 12.18"""
    state(books, "BrandSwitched", brandId=1, byMoa=by_moa, stopped=True)
    found = books.registry.brands[1]
    assert (found.moa_switch, found.brand_switch, found.stopped_at) == (by_moa, not by_moa, AT)
    state(books, "BrandSwitched", brandId=1, byMoa=by_moa, stopped=False)
    assert books.registry.brands[1].stopped_at == 0
    state(books, "BrandSwitched", brandId=8, byMoa=by_moa, stopped=True)
    assert sorted(books.registry.brands) == [1]


@pytest.mark.parametrize(("before", "stopped", "after"), [(0, True, AT), (AT - 9, True, AT - 9), (AT - 9, False, 0)])
def test_the_switch_for_all_counts_from_its_first_second(books: Books, before: int, stopped: bool, after: int) -> None:
    """SPEC 12.18"""
    books.registry.all_stopped_at = before
    state(books, "AllSwitched", stopped=stopped)
    assert books.registry.all_stopped_at == after


def test_a_treasury_waits_and_is_withdrawn(books: Books) -> None:
    """SPEC 12.18"""
    before = books.registry.brands[1].treasury
    state(books, "TreasuryAnnounced", brandId=1, treasury=BOB, inForceAt=AT + 5)
    state(books, "TreasuryAnnounced", brandId=8, treasury=BOB, inForceAt=AT + 5)
    found = books.registry.brands[1]
    assert (found.treasury_at(AT + 4), found.treasury_at(AT + 5)) == (before, BOB)
    state(books, "TreasuryWithdrawn", brandId=1)
    assert books.registry.brands[1].treasury_at(AT + 5) == before


@pytest.mark.parametrize(("number", "brands"), [(2, [1, 2]), (4, [1, 2, 3, 4]), (1, [1])])
def test_a_brand_that_is_invited_stands_at_its_number(books: Books, number: int, brands: list[int]) -> None:
    """SPEC 12.18"""
    state(books, "BrandInvited", brandId=number, token=address(0x71), treasury=BOB, metadataHash="0x")

    found = books.registry.brands
    assert sorted(found) == brands
    assert [found[each].status for each in brands[1:-1]] == [Status.UNKNOWN] * max(0, len(brands) - 2)
    assert found[1].token == address(0x70)
    if number > 1:
        assert (found[number].status, found[number].token) == (Status.INVITED, address(0x71))
        assert books.roles.invited_at[number] == AT


@pytest.mark.parametrize(("new", "since"), [(True, AT + 9), (False, AT - 5)])
def test_a_role_granted_again_is_held_as_long_as_before(books: Books, new: bool, since: int) -> None:
    """SPEC 12.18"""
    books.stated_roles.state(77, ADA, StatedGrant(AT - 5, 0))

    state(books, "RoleGranted", roleId=77, account=ADA, since=AT + 9, newMember=new, delay=HOUR)
    state(books, "RoleGranted", roleId=77, account=BOB, since=AT + 9, newMember=False, delay=0)

    held_roles = books.stated_roles.holders[77]
    assert (held_roles[ADA].since, held_roles[ADA].delay_s, held_roles[BOB].since) == (since, HOUR, AT + 9)
    state(books, "RoleRevoked", roleId=77, account=ADA)
    assert list(books.stated_roles.holders[77]) == [BOB]
    assert books.roles.holds(77, BOB, AT + 9)
    assert ISSUER not in books.stated_roles.holders[77]
