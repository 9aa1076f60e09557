"""Badges given in batches and taken back, as operations that count once by the brand's own reference."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlmodel import Session, col, select

from api import audit_log
from api.auth.callers import BrandCaller
from api.badges.errors import (
    BadgeConflict,
    BadgeGiverElsewhere,
    BadgeNotWithdrawable,
    GivingOver,
    MemberRepeated,
)
from api.badges.schemas import BadgeOperation, BadgeRefused, BadgesGive, BadgeWithdraw
from api.kit.container import State
from api.kit.database import lock
from api.kit.problems import ContractRefused, RequestMalformed
from api.members import service as identity
from api.members.errors import MemberUnknown
from api.members.living import refuse_erased
from api.members.models import Member
from api.members.schemas import MemberReference
from api.points.operations import told_operation
from api.writes.backlog import refuse_full
from chain.base.scalars import Address, RegistryId
from chain.contracts import badges
from chain.outbox import calls, operations
from chain.outbox.operations import NewOperation, OperationView

GIVER = "issuer"


def refuse_definition(state: State, *, brand: RegistryId, definition: str, giving: bool) -> None:
    """Refuses what no gift of this definition could pass. Raises Reverted with DefinitionUnknown."""
    if badges.CONTRACT not in state.deployment.contracts:
        raise ContractRefused("DefinitionUnknown", {"brandId": str(brand), "definitionId": definition})
    at_s, found = badges.definition(state.node.rpc, state.deployment, brand=brand, number=int(definition))
    if found.giver != GIVER:
        raise BadgeGiverElsewhere(f"Badges of definition {definition} are given by the brand's {found.giver}.")
    if giving and at_s >= found.end:
        raise GivingOver("The definition's time for giving is over.", end=str(found.end), timestamp=str(at_s))
    if not giving and not found.withdrawable:
        raise BadgeNotWithdrawable(
            f"Badges of definition {definition} stay.", brandId=str(brand), definitionId=definition
        )


def give(session: Session, state: State, *, caller: BrandCaller, wanted: BadgesGive) -> OperationView:
    """Asks for the batch; a bad gift is refused alone."""
    brand = caller.registry_id
    lock(session, f"brand:{brand}")
    members = _members(session, brand=brand, references=wanted.members)
    asked = calls.badges(
        key=f"badge/{brand}/{wanted.reference}",
        brand=brand,
        definition_id=int(wanted.definition),
        members=[address for _, address in members],
    )
    return _asked(session, state, asked, caller=caller, act="badges.given", definition=wanted.definition)


def withdraw(session: Session, state: State, *, caller: BrandCaller, wanted: BadgeWithdraw) -> OperationView:
    """Asks for a member's badge back."""
    brand = caller.registry_id
    lock(session, f"brand:{brand}")
    [(_, address)] = _members(session, brand=brand, references=[wanted.member])
    asked = calls.badge_withdraw(
        key=f"badge/{brand}/{wanted.reference}", brand=brand, definition_id=int(wanted.definition), member=address
    )
    return _asked(session, state, asked, caller=caller, act="badge.withdrawn", definition=wanted.definition)


def told(session: Session, view: OperationView) -> BadgeOperation:
    """The operation with its members by their ids, as it stands."""
    gifts = view.payload.get("gifts") or [view.payload["gift"]]
    addresses = [gift["member"] for gift in gifts]
    ids = dict(session.exec(select(Member.address, Member.id).where(col(Member.address).in_(addresses))).all())
    given, refused = None, None
    if view.result is not None:
        given = [ids[one] for one in view.result.get("given", ())]
        refused = [
            BadgeRefused(member=ids[one["member"]], error=one["error"], error_args=one["error_args"])
            for one in view.result.get("refused", ())
        ]
    return BadgeOperation(
        reference=view.key.split("/", 2)[2],
        definition=view.payload["definition_id"],
        members=[ids[one] for one in addresses],
        operation=told_operation(view, identity.slugs(session, [view.brand])[view.brand]),
        given=given,
        refused=refused,
    )


def told_again(session: Session, kept: dict[str, Any]) -> BadgeOperation:
    """The same, as it stands by now."""
    found = operations.get(session.connection(), int(kept["operation"]["id"]))
    assert found is not None, "an operation's row is made in the transaction that names it"
    return told(session, found)


def _members(
    session: Session, *, brand: RegistryId, references: Sequence[MemberReference]
) -> list[tuple[str, Address]]:
    slug = identity.brand_of(session, brand).slug
    if any((one.id is None) == (one.identifier is None) for one in references):
        raise RequestMalformed("Name each member by id or by identifier, one of them.")
    known = identity.addresses(session, slug=slug, references=references)
    found = []
    for one in references:
        member = known.get(("identifier", one.identifier) if one.identifier is not None else ("id", one.id or ""))
        if member is None:
            raise MemberUnknown("This brand knows no such member; enrol it first.", member=one.identifier or one.id)
        found.append(member)
    if len({address for _, address in found}) < len(found):
        raise MemberRepeated("A member stands twice among those who are given this badge.")
    refuse_erased(session, *{id for id, _ in found})
    return found


def _asked(
    session: Session, state: State, asked: NewOperation, *, caller: BrandCaller, act: str, definition: str
) -> OperationView:
    """The operation, new or known; one that was refused is asked for again under the same ids of the contract."""
    connection = session.connection()
    known = operations.get_by_key(connection, asked.key)
    if known is not None and (known.kind, known.payload) != (asked.kind, asked.payload):
        raise BadgeConflict("This reference was given before with another content; it counts once.")
    if known is not None and known.state != operations.FAILED:
        return known
    refuse_full(session, state.settings, brand=caller.registry_id)
    if known is None:
        id = operations.enqueue(connection, asked)
        slug = identity.brand_of(session, caller.registry_id).slug
        audit_log.record(connection, act, actor=caller.actor, brand=slug, definition=definition, operation=str(id))
    else:
        id = known.id
        operations.again(session, id)
    found = operations.get(connection, id)
    assert found is not None, "it was written in this transaction"
    return found
