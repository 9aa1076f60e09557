"""Points of one brand moved from one of a person's addresses to the one that stands for it, with their own ends.

A merge moves nothing: points lie where they came, and are shown as one. Who wants to spend them at once, and has enough
at no single address, gathers them first. It is the ledger's own `leave`, signed by both addresses: all lots, none made
older or younger. Once moved they stay where they are, also when the merge is undone.
"""

from __future__ import annotations

import uuid
from typing import Any

from sqlmodel import Session

from api import audit_log
from api.auth.callers import MemberCaller
from api.auth.errors import NotYours
from api.kit.container import State
from api.members import service as members
from api.members.models import Brand
from api.points.balances import now_s, refuse_shortage
from api.points.operations import told_operation_of
from api.points.schemas import GatheredPublic, GatherPlace
from api.writes.backlog import refuse_full
from chain.base.scalars import BaseUnits
from chain.contracts import authorisation
from chain.contracts.authorisation import Domain
from chain.outbox import calls, operations

CONTRACT = "LoyaltyToken"


def asked(session: Session, *, wanted: GatherPlace) -> Brand:
    """The brand whose points are to be gathered."""
    return members.brand(session, slug=wanted.brand)


def gather(
    session: Session, *, state: State, domain: Domain, caller: MemberCaller, wanted: GatherPlace
) -> GatheredPublic:
    """Asks for all points of the brand at one of the caller's addresses to be moved to the one that stands for all."""
    known = dict(zip(caller.member_ids, caller.addresses, strict=True))
    if wanted.source not in known or wanted.source == caller.member_id:
        raise NotYours("Points are gathered from another address of the same person.", member=wanted.source)
    brand = asked(session, wanted=wanted)
    refuse_full(session, state.settings, brand=brand.registry_id)
    address = known[wanted.source]
    refuse_shortage(session, token=brand.token, address=address, points=BaseUnits(1))
    values: dict[str, Any] = {
        "member": address,
        "wallet": caller.address,
        "nonce": authorisation.fresh_nonce(),
        "deadline": now_s(session) + int(state.settings.hold_lifetime.total_seconds()),
    }
    digest = authorisation.digest(domain, "Leave", values)
    signatures = [
        "0x" + state.keystore.sign(members.member_ref(member_id), digest).hex()
        for member_id in (wanted.source, caller.member_id)
    ]
    operation = operations.enqueue(
        session.connection(),
        calls.leave(
            key=f"gather/{uuid.uuid4().hex}",
            brand=brand.registry_id,
            member=address,
            wallet=caller.address,
            nonce=values["nonce"],
            deadline=values["deadline"],
            member_signature=signatures[0],
            wallet_signature=signatures[1],
        ),
    )
    audit_log.record(
        session.connection(), "points.gathered", actor=caller.actor, subject=caller.actor, brand=brand.slug
    )
    return told(session, brand=brand.slug, source=wanted.source, target=caller.member_id, operation=operation)


def told(session: Session, *, brand: str, source: str, target: str, operation: int) -> GatheredPublic:
    """The gathering as it stands."""
    return GatheredPublic(brand=brand, source=source, target=target, operation=told_operation_of(session, operation))
