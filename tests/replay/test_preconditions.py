"""What the books believe after the chain did what the model refuses: the one thing that the refusal rests on.

Each time the same refusal is put to books of which everything else is known, by an act that shows the thing and by
one that does not.
"""

from typing import Any

import pytest

from chain.contracts.codec import EventLog
from chain.model.access import Kind, role_of
from chain.model.agreements import Agreement, AgreementChange, AgreementState, AgreementTerms
from chain.model.clock import FOREVER
from chain.model.errors import (
    AgreementStateWrong,
    BrandInDefault,
    BrandNotIssuing,
    CollateralExceeded,
    HoldUnknown,
    Refused,
    RoleMissing,
    TransferNotAllowed,
    VersionChanged,
)
from chain.model.exchange import Exchange
from chain.model.policy import Policy
from chain.model.registry import Brand, Status
from chain.replay.books import Books
from chain.replay.decoding.shapes import Event
from chain.replay.reexecution.call_context import CallContext
from chain.replay.reexecution.preconditions import assume_preconditions
from tests.replay.told import FACTS, START, Told, address

AT = START + 100
TERMS = AgreementTerms(1, 1, 0, 1_000, 1_000, 1, 1, 3_600, 1, 0)
CHEAPER = AgreementTerms(2, 1, 0, 1_000, 1_000, 1, 1, 3_600, 1, 0)
MEMBER, FRIEND = address(90), address(91)


@pytest.fixture
def books() -> Books:
    """The brand of a made-up chain, and an agreement of which version 2 waits."""
    found = Told().books
    change = AgreementChange(2, 1, CHEAPER, 0)
    found.agreements.agreements.append(Agreement(1, 2, 1, AgreementState.PROPOSED, 1, 2, TERMS, change, ends_at=AT - 1))
    return found


def act(kind: str, contract: str = "PartnerExchange", **values: Any) -> CallContext:
    """An act of a kind, as its event tells it."""
    log = EventLog(1, "0x", "0x", 0, 0, address(0x13), contract, kind, {})
    event = Event(log, contract, kind, values)
    return CallContext(kind, [event], event, AT, FACTS)


def believed(books: Books, refusal: Refused, context: CallContext | None = None) -> None:
    assume_preconditions(books, refusal, AT, context)


def test_a_brand_that_issued_is_active_and_no_switch_stops_it(books: Books) -> None:
    """SPEC 12.18"""
    registry = books.registry
    registry.brands[1] = Brand(address(0x70), Status.SUSPENDED, True, True, MEMBER, "0x", stopped_at=AT - 5)
    registry.all_stopped_at = AT - 4

    believed(books, BrandNotIssuing(1, 3, 1, 1))
    believed(books, BrandNotIssuing(7, 0, 0, 0))

    registry.check_issuing(1)
    assert registry.stopped_since(1) == 0
    assert registry.all_stopped_at == 0
    assert sorted(registry.brands) == [1], "a brand that nobody invited is not made up"


def test_whoever_acted_holds_the_role_from_then_on(books: Books) -> None:
    """SPEC 12.18"""
    till = role_of(1, Kind.TILL)

    believed(books, RoleMissing(MEMBER, till))

    assert not books.roles.holds(till, MEMBER, AT - 1)
    assert books.roles.holds(till, MEMBER, AT)
    assert books.roles.delay_s(till, MEMBER) == 0


@pytest.mark.parametrize(
    ("kind", "cured"), [("Exchanged", True), ("Unwound", True), ("CollateralWithdrawn", False), ("ClaimsPaid", False)]
)
def test_only_an_exchange_shows_that_a_default_was_cured(books: Books, kind: str, cured: bool) -> None:
    """SPEC 12.18"""
    books.clearing.account_of(1).in_default = books.clearing.account_of(2).in_default = True

    believed(books, BrandInDefault(1), act(kind))

    assert (books.clearing.account_of(1).in_default, books.clearing.account_of(2).in_default) == (not cured, True)


def test_without_an_act_no_default_is_cured_and_no_agreement_is_in_force(books: Books) -> None:
    """SPEC 12.18"""
    books.clearing.account_of(1).in_default = True

    for refusal in (BrandInDefault(1), AgreementStateWrong(1, 1), VersionChanged(2, 1), TransferNotAllowed("", "", 0)):
        believed(books, refusal)

    agreement = books.agreements.agreement(1)
    assert books.clearing.account_of(1).in_default
    assert (agreement.state, agreement.version, agreement.ends_at) == (AgreementState.PROPOSED, 1, AT - 1)


@pytest.mark.parametrize(("before", "after"), [(0, 500), (499, 500), (500, 500), (900, 900)])
def test_a_debt_that_was_booked_was_covered(books: Books, before: int, after: int) -> None:
    """SPEC 12.18: never less collateral than before."""
    books.clearing.account_of(1).collateral = before

    believed(books, CollateralExceeded(1, 500, before))

    assert books.clearing.account_of(1).collateral == after


@pytest.mark.parametrize(
    ("kind", "agreed"),
    [
        ("Exchanged", True),
        ("ChangeProposed", True),
        ("ChangeAccepted", True),
        ("AgreementAccepted", False),
        ("AgreementEnding", False),
        ("Unwound", False),
    ],
)
def test_an_agreement_that_was_used_or_changed_is_in_force(books: Books, kind: str, agreed: bool) -> None:
    """SPEC 12.18"""
    believed(books, AgreementStateWrong(1, 1), act(kind))

    found = books.agreements.agreement(1)
    told = (AgreementState.AGREED, 0) if agreed else (AgreementState.PROPOSED, AT - 1)
    assert (found.state, found.ends_at) == told


@pytest.mark.parametrize(("version", "terms"), [(1, TERMS), (2, CHEAPER), (3, TERMS)])
def test_an_exchange_under_the_version_that_waits_puts_it_in_force(
    books: Books, version: int, terms: AgreementTerms
) -> None:
    """SPEC 12.18: under no other version, for nobody knows its terms."""
    record = Exchange(MEMBER, 1, version, 10, 10, 0, 10, (0, 0, 0, 0))
    told = (record.member, record.agreement_id, record.version, 10, 10, 0, 10, (0, 0, 0, 0))

    believed(books, VersionChanged(version, 1), act("Exchanged", exchange=told))

    found = books.agreements.agreement(1)
    assert found.terms == terms
    assert (found.version, found.change is None) == ((2, True) if version == 2 else (1, False))
    believed(books, VersionChanged(version, 1), act("Exchanged", exchange=told))
    assert found.terms == terms, "with nothing that waits, nothing comes in force"


def test_what_was_received_under_a_list_puts_the_receiver_on_it(books: Books) -> None:
    """SPEC 12.18"""
    token = books.token(1)
    token.policy, token.next_policy = Policy.OPEN, (Policy.ALLOW_LIST, AT)

    believed(books, TransferNotAllowed(MEMBER, FRIEND, 1), act("Moved", "LoyaltyToken 1"))

    assert token.allowed_until == {FRIEND: FOREVER}
    assert token.policy_at(AT) == Policy.ALLOW_LIST


def test_what_was_received_while_all_was_closed_opens_the_token(books: Books) -> None:
    """SPEC 12.18"""
    token = books.token(1)
    token.policy, token.next_policy = Policy.CLOSED, (Policy.ALLOW_LIST, AT + 1)

    believed(books, TransferNotAllowed(MEMBER, FRIEND, 0), act("Moved", "LoyaltyToken 1"))

    assert token.allowed_until == {}
    assert (token.policy_at(AT), token.policy_at(AT + 1)) == (Policy.OPEN, Policy.OPEN)


def test_a_refusal_that_rests_on_something_else_changes_nothing(books: Books) -> None:
    """SPEC 12.18"""
    before = (dict(books.registry.brands), dict(books.desk.holds))

    believed(books, HoldUnknown("0x" + "11" * 32), act("HoldCaptured", "RedemptionDesk"))

    assert (books.registry.brands, books.desk.holds) == before
