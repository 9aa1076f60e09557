"""Who asks and who approves: two keys, or two persons in roles of the brand. Nobody here commits."""

from __future__ import annotations

from sqlmodel import Session, select

from api.auth.callers import BrandCaller
from api.corrections.errors import AskerUnknown
from api.members.models import Member
from api.staff.models import StaffRole

ROLE = "role/"


def name_of(caller: BrandCaller) -> str:
    """How a correction names who did something to it."""
    return f"key/{caller.key_id}" if caller.staff is None else f"{ROLE}{caller.staff.role_id}"


def is_same(session: Session, asked_by: str, caller: BrandCaller) -> bool:
    """Whether the caller is who asked: by the same key, or the same person, in whatever role.

    Raises AskerUnknown where that cannot be told.
    """
    name = name_of(caller)
    if name == asked_by:
        return True
    if not asked_by.startswith(ROLE):
        return False
    asker = _person(session, asked_by)
    if asker is None:
        raise AskerUnknown("Who asked for this has no role here any more; let it be asked for anew.")
    return name.startswith(ROLE) and asker == _person(session, name)


def _person(session: Session, name: str) -> str | None:
    """The member that stands for whoever has a role; None when nobody has it."""
    role = session.get(StaffRole, name.removeprefix(ROLE))
    if role is None or role.member_id is None:
        return None
    found = session.exec(select(Member.id, Member.survivor_id).where(Member.id == role.member_id)).one()
    return found[1] or found[0]
