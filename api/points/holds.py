"""A hold from request to refund.

    requested ──> held ──> captured ──> (refunded, in parts)
        │          ├─────> released
        └> refused └─────> expired

The mirror says how a hold stands; steps that are under way are the newest operation's. What is refused here
is what the desk would refuse too, by the same names; here it costs nothing.
"""

from __future__ import annotations

import uuid
from hashlib import sha256

from sqlmodel import Session, col, func, select

from api.auth.callers import BrandCaller, MemberCaller
from api.auth.errors import NotYours
from api.identity import groups
from api.kit.clock import now_ms, rfc3339
from api.kit.container import State
from api.kit.database import lock
from api.members import service as identity
from api.members.errors import BrandUnknown
from api.members.models import Brand, Member
from api.points import codes
from api.points.balances import OPEN_STATES, now_s, payer
from api.points.errors import (
    CaptureExceedsHold,
    HoldBusy,
    HoldOver,
    HoldStateWrong,
    HoldStepsTooMany,
    HoldUnknown,
    RefundExceedsCapture,
)
from api.points.models import HoldRequest, HoldStep
from api.points.operations import told_operation_of
from api.points.schemas import HoldPlace, HoldPublic, HoldState
from api.writes.backlog import refuse_full
from chain.base.scalars import Address, BaseUnits, RegistryId
from chain.contracts import authorisation
from chain.contracts.authorisation import Domain
from chain.mirror.queries import accounts, holds
from chain.mirror.queries.holds import Hold
from chain.outbox import calls, operations
from chain.outbox.models import Operation
from chain.relayer import deadlines
from chain.storage.looks import looking

STEPS_MAX = 100
# So long after its hold's deadline a code is no other hold's of the brand: a receipt may still be asked about.
CODE_KEPT_S = 30 * 24 * 3600
_STATES: dict[str, HoldState] = {
    "held": "held",
    "captured": "captured",
    "released": "released",
    "timed_out": "expired",
    "paid": "captured",
}


def place(
    session: Session, *, state: State, domain: Domain, caller: BrandCaller | MemberCaller, wanted: HoldPlace
) -> HoldPublic:
    """Asks for a hold with the member's authorisation, signed by the keystore."""
    brand = _brand_of(session, caller=caller, wanted=wanted)
    member = identity.referred(session, caller=caller, reference=wanted.member)
    refuse_full(session, state.settings, brand=brand.registry_id)
    member_id, address = payer(
        session, token=brand.token, members=groups.known_by(session, member), points=BaseUnits(wanted.points)
    )

    at_ms = now_ms()
    lifetime_s = wanted.lifetime_s or int(state.settings.hold_lifetime.total_seconds())
    hold_until = now_s(session) + lifetime_s
    hold_key = uuid.uuid4()
    # The authorisation may be submitted until the hold itself ends: a slow chain is no reason to ask twice.
    nonce = authorisation.fresh_nonce()
    reward_id = "0x" + sha256(wanted.reward.encode()).hexdigest() if wanted.reward else "0x" + "00" * 32
    values = {
        "member": address,
        "brandId": brand.registry_id,
        "points": wanted.points,
        "rewardId": reward_id,
        "holdUntil": hold_until,
        "nonce": nonce,
        "deadline": hold_until,
    }
    signature = state.keystore.sign(identity.member_ref(member_id), authorisation.digest(domain, "Hold", values))

    operation = operations.enqueue(
        session.connection(),
        calls.hold(
            key=f"hold/{hold_key.hex}",
            brand=brand.registry_id,
            member=address,
            points=BaseUnits(wanted.points),
            reward_id=reward_id,
            hold_until=hold_until,
            nonce=nonce,
            deadline=hold_until,
            signature="0x" + signature.hex(),
        ),
    )
    request = HoldRequest(
        id=f"hold_{hold_key.hex}",
        chain_id=authorisation.record_id(address, nonce),
        code=_fresh_code(session, brand=brand, at_s=now_s(session)),
        brand=brand.slug,
        member_id=member_id,
        points=str(wanted.points),
        reward=wanted.reward,
        hold_until=hold_until,
        operation=operation,
        created_at_ms=at_ms,
    )
    session.add(request)
    session.flush()
    return to_public(session, request)


def _fresh_code(session: Session, *, brand: Brand, at_s: int) -> str | None:
    """A code that no hold of the brand has which a till could mean by it."""
    lock(session, f"hold-codes:{brand.registry_id}")

    def is_taken(code: str) -> bool:
        same = select(HoldRequest.id).where(HoldRequest.brand == brand.slug, HoldRequest.code == code)
        kept = same.where(HoldRequest.hold_until >= at_s - CODE_KEPT_S).order_by(HoldRequest.id)
        return session.exec(kept.limit(1)).first() is not None

    return codes.fresh(is_taken)


def capture(session: Session, *, caller: BrandCaller, hold_id: str, points: int | None) -> HoldPublic:
    """Asks for a capture of `points`, or of all that is held."""
    request, hold = _held(session, caller=caller, hold_id=hold_id)
    held = int(hold.points if hold is not None else request.points)
    wanted = held if points is None else points
    if wanted > held:
        raise CaptureExceedsHold(
            f"{held} points are held, {wanted} were to be captured.", points=str(wanted), held=str(held)
        )
    if now_s(session) > request.hold_until:
        raise HoldOver("The hold's last second has passed.", hold=hold_id, hold_until=str(request.hold_until))
    made = calls.capture(
        key=_step_key(session, request, "capture"),
        brand=_registry_id(session, request),
        member=_address(session, request),
        hold_id=request.chain_id,
        points=BaseUnits(wanted),
    )
    return _step(session, request, "capture", wanted, operations.enqueue(session.connection(), made))


def release(session: Session, *, caller: BrandCaller | MemberCaller, hold_id: str) -> HoldPublic:
    """Asks for the whole hold to go back to the member; after its deadline, by the one operation that time owes it.

    A member's wish is the till's act: the desk lets nobody else release before the deadline.
    """
    request, hold = _held(session, caller=caller, hold_id=hold_id)
    points = int(hold.points if hold is not None else request.points)
    if now_s(session) > request.hold_until:
        owed = calls.timeout(
            brand=_registry_id(session, request), member=_address(session, request), hold_id=request.chain_id
        )
        return _step(session, request, "release", points, deadlines.owe(session.connection(), owed))
    made = calls.release(
        key=_step_key(session, request, "release"),
        brand=_registry_id(session, request),
        member=_address(session, request),
        hold_id=request.chain_id,
    )
    return _step(session, request, "release", points, operations.enqueue(session.connection(), made))


def refund(session: Session, *, caller: BrandCaller, hold_id: str, points: int | None) -> HoldPublic:
    """Asks for captured points to go back, or for all that were captured and not refunded."""
    request = _locked(session, caller=caller, hold_id=hold_id)
    hold = _mirrored(session, request)
    if hold is None or hold.state not in ("captured", "paid"):
        raise HoldStateWrong("Only a captured hold is refunded.", hold=hold_id, state=to_public(session, request).state)
    _refuse_open_step(session, request)
    refundable = int(hold.captured) - int(hold.refunded)
    wanted = refundable if points is None else points
    if wanted > refundable or wanted == 0:
        raise RefundExceedsCapture(
            f"{refundable} captured points may be refunded, {wanted} were to be.",
            points=str(wanted),
            refundable=str(refundable),
        )
    made = calls.refund(
        key=_step_key(session, request, "refund"),
        brand=_registry_id(session, request),
        member=_address(session, request),
        hold_id=request.chain_id,
        points=BaseUnits(wanted),
        refunded_before=BaseUnits(int(hold.refunded)),
    )
    return _step(session, request, "refund", wanted, operations.enqueue(session.connection(), made))


def hold_of(session: Session, *, caller: BrandCaller | MemberCaller, hold_id: str) -> HoldRequest:
    """The caller's hold: its brand's, or the member's own; else HoldUnknown, whether it exists or not."""
    found = session.get(HoldRequest, hold_id)
    if found is not None:
        mine = (
            found.brand == identity.brand_of(session, caller.registry_id).slug
            if isinstance(caller, BrandCaller)
            else found.member_id in caller.member_ids
        )
        if mine:
            return found
    raise HoldUnknown("There is no such hold of yours.", hold=hold_id)


def hold_by_id(session: Session, *, hold_id: str) -> HoldRequest:
    return session.get_one(HoldRequest, hold_id)


def to_public(session: Session, request: HoldRequest) -> HoldPublic:
    """The hold as it stands in the mirror, with its newest operation."""
    hold = _mirrored(session, request)
    newest = session.exec(
        select(HoldStep.operation).where(HoldStep.hold_id == request.id).order_by(col(HoldStep.number).desc()).limit(1)
    ).first()
    operation = told_operation_of(session, request.operation if newest is None else newest)
    state: HoldState = "requested"
    if hold is not None:
        state = _STATES[hold.state]
    else:
        placed = told_operation_of(session, request.operation)
        if placed.state == "failed":
            # Whatever was asked of it since can only fail too; the reason is the one for which it was never placed.
            state, operation = "refused", placed
    brand = session.get_one(Brand, request.brand)
    return HoldPublic(
        id=request.id,
        code=request.code,
        brand=request.brand,
        member=request.member_id,
        points=request.points,
        captured="0" if hold is None else hold.captured,
        refunded="0" if hold is None else hold.refunded,
        debt=str(accounts.debt(looking(session), token=brand.token, account=_address(session, request))),
        decimals=brand.decimals,
        reward=request.reward,
        state=state,
        placed_at=rfc3339(request.created_at_ms),
        deadline=rfc3339(request.hold_until * 1000),
        operation=operation,
    )


def _mirrored(session: Session, request: HoldRequest) -> Hold | None:
    """The hold as the chain has it, once it has it."""
    return holds.one(looking(session), request.chain_id)


def _brand_of(session: Session, *, caller: BrandCaller | MemberCaller, wanted: HoldPlace) -> Brand:
    if isinstance(caller, BrandCaller):
        own = identity.brand_of(session, caller.registry_id)
        if wanted.brand not in (None, own.slug):
            identity.brand(session, slug=wanted.brand or "")
            raise NotYours("A brand holds its own points only.", brand=wanted.brand)
        return own
    if wanted.brand is None:
        raise BrandUnknown("Name the brand whose points are to be held.")
    return identity.brand(session, slug=wanted.brand)


def _locked(session: Session, *, caller: BrandCaller | MemberCaller, hold_id: str) -> HoldRequest:
    """The caller's hold, with every other step on it waiting for this transaction."""
    request = hold_of(session, caller=caller, hold_id=hold_id)
    lock(session, f"hold:{request.id}")
    return request


def _held(session: Session, *, caller: BrandCaller | MemberCaller, hold_id: str) -> tuple[HoldRequest, Hold | None]:
    """The caller's hold that may still be captured or released; on the chain already, or on its way there."""
    request = _locked(session, caller=caller, hold_id=hold_id)
    hold = _mirrored(session, request)
    stands = to_public(session, request).state
    if stands not in ("held", "requested"):
        raise HoldStateWrong(f"The hold is {stands}.", hold=hold_id, state=stands)
    _refuse_open_step(session, request)
    return request, hold


def _refuse_open_step(session: Session, request: HoldRequest) -> None:
    """One step at a time: a second one would be refused by the desk, or surprise the till."""
    kind = session.exec(
        select(HoldStep.kind)
        .join(Operation, col(Operation.id) == col(HoldStep.operation))
        .where(HoldStep.hold_id == request.id, col(Operation.state).in_(OPEN_STATES))
        .order_by(col(HoldStep.number))
        .limit(1)
    ).first()
    if kind is not None:
        raise HoldBusy(f"A {kind} of this hold is under way; try again when it is done.", hold=request.id, step=kind)


def _step_key(session: Session, request: HoldRequest, kind: str) -> str:
    return f"{request.id.replace('hold_', 'hold/')}/{_next_step(session, request)}/{kind}"


def _next_step(session: Session, request: HoldRequest) -> int:
    number = session.exec(select(func.max(HoldStep.number)).where(HoldStep.hold_id == request.id)).one() or 0
    if number >= STEPS_MAX:
        raise HoldStepsTooMany(f"A hold has at most {STEPS_MAX} steps.", hold=request.id)
    return int(number) + 1


def _step(session: Session, request: HoldRequest, kind: str, points: int, operation: int) -> HoldPublic:
    number = _next_step(session, request)
    step = HoldStep(
        hold_id=request.id,
        number=number,
        kind=kind,
        points=str(points),
        operation=operation,
        created_at_ms=now_ms(),
    )
    session.add(step)
    session.flush()
    return to_public(session, request)


def _address(session: Session, request: HoldRequest) -> Address:
    return session.get_one(Member, request.member_id).address


def _registry_id(session: Session, request: HoldRequest) -> RegistryId:
    return session.get_one(Brand, request.brand).registry_id
