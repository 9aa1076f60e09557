"""Roles given, taken up and taken back. Nobody here commits.

A role is given to an address, not to a person of whom anything is known: whoever proves the address first, as every
member does, may take the role up, and it is that person's from then on. Who comes by the address later, when it is
somebody else's, does not get it: it is to be given anew. The token of a role is another than the member's own, lives
for minutes, and ends with the role, with the device, and with the proof of the address.
"""

from __future__ import annotations

import secrets
from typing import Final

from sqlalchemy import delete
from sqlmodel import Session, col, or_, select

from api import audit_log
from api.audit_log.names import member as acts_name
from api.auth.callers import MemberCaller
from api.auth.roles import Role
from api.auth.tokens import Token, new_token
from api.identity import links, people
from api.identity.kinds import masked
from api.identity.links import Named
from api.kit.clock import now_ms, rfc3339
from api.members.bindings import role_digest
from api.members.models import Brand, Device
from api.staff.errors import RoleGiven, RoleNotYours, RoleUnknown
from api.staff.models import StaffRole, StaffSession
from api.staff.schemas import RoleList, RolePublic
from chain.storage.keystore import Keystore

REF: Final = "staff/0"
ROLES_MAX: Final = 1_000


def give(session: Session, keystore: Keystore, *, to: Named, brand: Brand | None, role: Role, actor: str) -> StaffRole:
    """Gives an address a role of the brand, or of the programme without one."""
    scope, slug = ("", None) if brand is None else (str(brand.registry_id), brand.slug)
    known = select(StaffRole.id).where(StaffRole.lookup == to.lookup, StaffRole.scope == scope, StaffRole.role == role)
    if session.exec(known).first() is not None:
        raise RoleGiven("This address has the role already.", role=role)
    id_ = secrets.token_hex(6)
    made = StaffRole(
        id=id_,
        lookup=to.lookup,
        sealed=keystore.seal(REF, f"{to.kind}\0{to.value}".encode(), id_.encode()),
        brand=slug,
        scope=scope,
        role=role,
        made_at_ms=now_ms(),
    )
    session.add(made)
    session.flush()
    audit_log.record(
        session.connection(),
        "role.given",
        actor=actor,
        subject=f"role/{made.id}",
        brand=slug,
        role=role,
        digest=role_digest(made.id, made.lookup, made.scope, made.role, made.sealed),
    )
    return made


def take_back(session: Session, *, role_id: str, brand_id: int | None, actor: str) -> None:
    """Takes a role back: its tokens open nothing from the next request on. brand_id: of this brand; None: of any."""
    found = session.get(StaffRole, role_id)
    if found is None or brand_id not in (None, int(found.scope or 0)):
        raise RoleUnknown("There is no such role here.", role=role_id)
    session.connection().execute(delete(StaffSession).where(col(StaffSession.role_id) == role_id))
    session.delete(found)
    session.flush()
    audit_log.record(
        session.connection(),
        "role.taken",
        actor=actor,
        subject=f"role/{role_id}",
        brand=found.brand,
        role=found.role,
    )


def given(session: Session, keystore: Keystore, *, brand_id: int | None) -> RoleList:
    """The roles of a brand, or all of them."""
    rows = select(StaffRole)
    if brand_id is not None:
        rows = rows.where(StaffRole.scope == str(brand_id))
    return RoleList(
        roles=[
            told(keystore, one)
            for one in session.exec(rows.order_by(col(StaffRole.made_at_ms), col(StaffRole.id)).limit(ROLES_MAX))
        ]
    )


def mine(session: Session, keystore: Keystore, *, caller: MemberCaller) -> RoleList:
    """The roles that the member may take up, by the addresses that it proved."""
    return RoleList(roles=[told(keystore, one) for one in _mine(session, caller)])


def take_up(
    session: Session, *, caller: MemberCaller, role_id: str, access_s: int
) -> tuple[StaffRole, Token, int, bool]:
    """A token of the role: (role, token, end, whether it is of a second factor)."""
    found = next((one for one in _mine(session, caller) if one.id == role_id), None)
    if found is None or caller.device_id is None:
        raise RoleNotYours("Nobody gave this role to an address that you proved, on this device.", role=role_id)
    # Two at once: one of them is first.
    found = session.get_one(StaffRole, found.id, with_for_update=True, populate_existing=True)
    own = people.whose(session, lookup=found.lookup)
    if own is None or found.member_id not in (None, *caller.member_ids):
        raise RoleNotYours("Somebody else had this role by that address; let it be given anew.", role=role_id)
    if found.member_id is None:
        found.member_id = own.id
        session.add(found)
    device = session.get_one(Device, caller.device_id)
    token, at_ms = new_token("s"), now_ms()
    # A second factor is one of the very member whose role it is: a merge lends nobody another's.
    strong = device.strong and device.member_id == found.member_id
    ends_ms = min(at_ms + access_s * 1000, device.expires_at_ms)
    session.add(
        StaffSession(
            id=token.id,
            role_id=found.id,
            member_id=caller.own_id,
            device_id=device.id,
            strong=strong,
            secret_hash=token.secret_hash,
            made_at_ms=at_ms,
            expires_at_ms=ends_ms,
        )
    )
    session.flush()
    audit_log.record(
        session.connection(),
        "role.taken_up",
        actor=acts_name(caller.member_id),
        subject=f"role/{found.id}",
        brand=found.brand,
        role=found.role,
    )
    return found, token, ends_ms, strong


def told(keystore: Keystore, one: StaffRole) -> RolePublic:
    kind, _, value = keystore.unseal(REF, bytes(one.sealed), one.id.encode()).decode().partition("\0")
    return RolePublic(
        id=one.id, role=one.role, brand=one.brand, shown=masked(kind, value), made_at=rfc3339(one.made_at_ms)
    )


def _mine(session: Session, caller: MemberCaller) -> list[StaffRole]:
    proved = [
        link.lookup for link in links.of_members(session, member_ids=caller.member_ids) if link.scope == links.PROVEN
    ]
    rows = select(StaffRole).where(col(StaffRole.lookup).in_(proved))
    mine = or_(col(StaffRole.member_id).is_(None), col(StaffRole.member_id).in_(caller.member_ids))
    return list(session.exec(rows.where(mine).order_by(col(StaffRole.id)).limit(ROLES_MAX)))
