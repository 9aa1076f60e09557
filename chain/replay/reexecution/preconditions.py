"""What the chain must believe to have done what the model refuses; the books believe it too, once it has been told.

Otherwise one missing word, that a brand may issue again, would be a difference at each of its awards.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final

from chain.model.agreements import AgreementState
from chain.model.clock import FOREVER
from chain.model.errors import (
    AgreementStateWrong,
    BrandInDefault,
    BrandNotIssuing,
    CollateralExceeded,
    Refused,
    RoleMissing,
    TransferNotAllowed,
    VersionChanged,
)
from chain.model.policy import Policy
from chain.model.registry import Status
from chain.replay.authority import StatedGrant
from chain.replay.books import Books
from chain.replay.reexecution.call_context import CallContext

# Refusals that follow when an event about a hold or an exchange was lost.
OF_LOST: Final = frozenset(
    {
        "HoldUnknown",
        "HoldStateWrong",
        "RefundOutOfDate",
        "RefundExceedsCapture",
        "CaptureExceedsHold",
        "ExchangeUnknown",
        "ExchangeNotOpen",
        "AwardUnknown",
        "ReturnExceedsAward",
    }
)


def assume_preconditions(books: Books, refusal: Refused, at: int, context: CallContext | None = None) -> None:
    """Changes what the refusal rests on, where it rests on one thing that the chain plainly sees otherwise."""
    act = _CONCEDE.get(type(refusal))
    if act is not None:
        act(books, refusal, at, context)


def _issuing(books: Books, refusal: Any, at: int, context: CallContext | None) -> None:
    brand = books.registry.brands.get(refusal.brand_id)
    if brand is not None:
        active = replace(brand, status=Status.ACTIVE, brand_switch=False, moa_switch=False, stopped_at=0)
        books.registry.brands[refusal.brand_id] = active
        books.registry.all_stopped_at = 0


def _role(books: Books, refusal: Any, at: int, context: CallContext | None) -> None:
    books.stated_roles.state(refusal.role, refusal.caller, StatedGrant(at, 0))


def _cured(books: Books, refusal: Any, at: int, context: CallContext | None) -> None:
    if context is not None and context.kind in ("Exchanged", "Unwound"):
        books.clearing.account_of(refusal.brand_id).in_default = False


def _covered(books: Books, refusal: Any, at: int, context: CallContext | None) -> None:
    account = books.clearing.account_of(refusal.brand_id)
    account.collateral = max(account.collateral, refusal.required)


def _agreed(books: Books, refusal: Any, at: int, context: CallContext | None) -> None:
    agreement = books.agreements.agreement(refusal.agreement_id)
    if context is not None and context.kind in ("Exchanged", "ChangeProposed", "ChangeAccepted"):
        agreement.state, agreement.ends_at = AgreementState.AGREED, 0


def _version(books: Books, refusal: Any, at: int, context: CallContext | None) -> None:
    """The version under which the chain exchanges."""
    if context is None:
        return
    _, agreement_id, version, *_ = context["exchange"]
    agreement = books.agreements.agreement(agreement_id)
    change = agreement.change
    if change is not None and change.version == version:
        agreement.terms, agreement.version, agreement.change = change.terms, change.version, None


def _allowed(books: Books, refusal: Any, at: int, context: CallContext | None) -> None:
    if context is None:
        return
    token = books.token(int(context.named.contract.split()[1]))
    if token.policy_at(at) == Policy.ALLOW_LIST:
        token.allowed_until[refusal.receiver] = FOREVER
    else:
        token.policy, token.next_policy = Policy.OPEN, None


_CONCEDE: Final[dict[type[Refused], Callable[[Books, Any, int, CallContext | None], None]]] = {
    BrandNotIssuing: _issuing,
    RoleMissing: _role,
    BrandInDefault: _cured,
    CollateralExceeded: _covered,
    AgreementStateWrong: _agreed,
    VersionChanged: _version,
    TransferNotAllowed: _allowed,
}
