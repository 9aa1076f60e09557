"""Points by hand asked for: within the rule's limit at once, above it once a second one has signed.

What is refused here is what the contract would refuse too, by its names and values; here it costs nothing, and nobody
signs for what cannot be. The contract remains the judge.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import Final

from sqlmodel import Session, select

from api import audit_log
from api.audit_log import names
from api.auth.callers import BrandCaller
from api.corrections import given, signers
from api.corrections.errors import (
    BudgetExceeded,
    CorrectionConflict,
    CorrectionStateWrong,
    CorrectionTooLarge,
    MemberCapExceeded,
)
from api.corrections.models import Correction
from api.corrections.schemas import CorrectionCreate
from api.events.errors import RuleMissing, RuleUnread
from api.kit.clock import now_ms
from api.kit.container import State
from api.kit.database import lock
from api.members import service as identity
from api.members.errors import MemberUnknown
from api.members.living import refuse_erased
from api.points.balances import now_s
from api.vault.sealing import Vault
from api.writes.backlog import refuse_full
from chain.base.scalars import Address, BaseUnits
from chain.contracts import corrections
from chain.contracts.corrections import Left
from chain.mirror.queries import brands
from chain.mirror.queries.brands import Correcting
from chain.outbox import calls, operations

# How long a second one may take.
APPROVAL_S: Final = 7 * 86_400


@dataclass(frozen=True, slots=True)
class Prepared:
    """Whom it is for, by which rule, and what that has left."""

    member_id: str
    address: Address
    rule: Correcting
    left: Left


def prepared(state: State, *, caller: BrandCaller, wanted: CorrectionCreate) -> Prepared:
    """What must be known before the transaction: the node may be slow."""
    with Session(state.database.engine) as session:
        brand = identity.brand_of(session, caller.registry_id)
        rule = brands.correcting(session, caller.registry_id, at_s=now_ms() // 1000)
        if rule is None and brands.may_come(session, None):
            raise RuleUnread(f"The rules of {brand.slug} are still being read; ask again in a moment.")
        if rule is None:
            raise RuleMissing(f"{brand.slug} publishes no rule for points by hand.", brand=brand.slug)
        reference = wanted.member
        found = identity.addresses(session, slug=brand.slug, references=[reference])
        how = ("identifier", reference.identifier) if reference.identifier is not None else ("id", reference.id or "")
    if how not in found:
        raise MemberUnknown("This brand knows no such member; enrol it first.")
    member_id, address = found[how]
    left = corrections.left(state.node.rpc, state.deployment, brand=caller.registry_id, rule=rule.rule, member=address)
    return Prepared(member_id, address, rule, left)


def ask(
    session: Session, vault: Vault, state: State, *, caller: BrandCaller, wanted: CorrectionCreate, ready: Prepared
) -> Correction:
    """The correction, new or as it stands when it was asked for before; nothing is sent above the rule's limit."""
    brand = caller.registry_id
    lock(session, f"brand:{brand}")
    slug = identity.brand_of(session, brand).slug
    refuse_erased(session, ready.member_id)
    before = session.exec(
        select(Correction).where(Correction.brand == slug, Correction.reference == wanted.reference)
    ).one_or_none()
    if before is not None:
        return _known(session, vault, state, before, wanted=wanted, ready=ready, brand=brand)

    points = int(wanted.points)
    _refuse(points, ready, brand=brand)
    refuse_full(session, state.settings, brand=brand)
    second = points > ready.rule.second_above
    row = Correction(
        id=f"cor_{uuid.uuid4().hex}",
        brand=slug,
        reference=wanted.reference,
        purpose=wanted.purpose,
        member_id=ready.member_id,
        address=ready.address.lower(),
        points=str(points),
        rule=ready.rule.rule,
        reason=vault.seal(ready.member_id, given.REASON, wanted.reason),
        state=given.WAITING if second else given.ASKED,
        asked_by=signers.name_of(caller),
        asked_at_ms=now_ms(),
    )
    if second:
        row.operation_id = operations.take_id(session.connection(), brand)
        row.deadline = now_s(session) + APPROVAL_S
    else:
        row.operation = operations.enqueue(
            session.connection(),
            calls.award(
                key=f"correction/{brand}/{row.reference}",
                brand=brand,
                member=ready.address,
                rule=row.rule,
                base_amount=BaseUnits(points),
            ),
        )
    session.add(row)
    session.flush()
    audit_log.record(
        session.connection(),
        "correction.asked",
        actor=caller.actor,
        subject=names.member(row.member_id),
        brand=slug,
        correction=row.id,
        second="yes" if second else "no",
    )
    return row


def _known(
    session: Session,
    vault: Vault,
    state: State,
    before: Correction,
    *,
    wanted: CorrectionCreate,
    ready: Prepared,
    brand: int,
) -> Correction:
    """The same again is the same; one that the ledger refused at once is asked for again under the same id."""
    same = (
        before.member_id == ready.member_id
        and before.points == str(wanted.points)
        and before.purpose == wanted.purpose
        and vault.open(before.member_id, given.REASON, before.reason) == wanted.reason
    )
    if not same:
        raise CorrectionConflict(
            f"{wanted.reference} was given before with another content; it counts once.", reference=wanted.reference
        )
    if before.state in (given.REFUSED, given.WITHDRAWN):
        raise CorrectionStateWrong(
            f"{wanted.reference} is {before.state}; what is wanted all the same has a reference of its own.",
            state=before.state,
        )
    if before.operation is not None and before.operation_id is None:
        found = operations.get(session.connection(), before.operation)
        if found is not None and found.state == operations.FAILED:
            _refuse(int(before.points), ready, brand=brand)
            refuse_full(session, state.settings, brand=brand)
            operations.again(session, before.operation)
    return before


def _refuse(points: int, ready: Prepared, *, brand: int) -> None:
    """In the contract's order, but that the contract cuts to the cap what is refused here: nobody asked for less."""
    cap = ready.rule.cap_per_award
    if points > cap:
        raise CorrectionTooLarge(f"By hand a member is given at most {cap} at once.", points=str(points), cap=str(cap))
    if ready.left.of_day is not None and points > ready.left.of_day:
        raise MemberCapExceeded(
            f"{ready.left.of_day} is left of what this member is given by hand today.",
            points=str(points),
            remaining=str(ready.left.of_day),
        )
    if points > ready.left.of_budget:
        raise BudgetExceeded(
            f"{ready.left.of_budget} is left of the rule's budget.",
            points=str(points),
            remaining=str(ready.left.of_budget),
        )
