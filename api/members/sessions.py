"""Sessions seen and ended: by the member whose they are, and by the operator. Nobody here commits."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from sqlmodel import Session, col, select

from api import audit_log
from api.audit_log.names import member as acts_name
from api.auth.callers import OTHERS_MAX
from api.kit.clock import now_ms, rfc3339, rfc3339_or_none
from api.kit.database import Snapshot
from api.members import devices
from api.members.errors import MemberUnknown, SessionUnknown
from api.members.models import Member, MemberSession
from api.members.schemas import SessionList, SessionPublic

SESSIONS_LISTED_MAX: Final = 1_000
_LIVE = (
    "SELECT COALESCE(r.id, m.id), COALESCE(r.absorbed, m.absorbed) FROM member_session s"
    " JOIN member m ON m.id = s.member_id LEFT JOIN member r ON r.id = m.survivor_id"
    " WHERE s.id = ? AND s.expires_at_ms > ?"
)


def person_of(read: Snapshot, session_id: str, *, at_ms: int) -> tuple[str, int] | None:
    """Who stands for the session's member, and for how many others; None when the session is over or ended."""
    found = read.row(_LIVE, session_id, at_ms)
    return None if found is None else (found[0], found[1])


def of_person(session: Session, member_id: str) -> list[str]:
    """The ids of all members that are the same person as this one; MemberUnknown without it."""
    found = session.get(Member, member_id)
    if found is None:
        raise MemberUnknown("No member has this id.", member=member_id)
    root = found.survivor_id or found.id
    others = select(Member.id).where(col(Member.survivor_id) == root).order_by(col(Member.id)).limit(OTHERS_MAX)
    return [root, *session.exec(others)]


def listed(session: Session, *, member_ids: Sequence[str], current: str | None = None) -> SessionList:
    """A person's sessions, the newest first, without their secrets. current: the one that asks."""
    rows = session.exec(
        select(MemberSession)
        .where(col(MemberSession.member_id).in_(member_ids))
        .order_by(col(MemberSession.created_at_ms).desc(), col(MemberSession.id))
        .limit(SESSIONS_LISTED_MAX)
    )
    return SessionList(sessions=[told(one, current=current) for one in rows])


def told(found: MemberSession, *, current: str | None = None) -> SessionPublic:
    return SessionPublic(
        id=found.id,
        created_at=rfc3339(found.created_at_ms),
        expires_at=rfc3339(found.expires_at_ms),
        ended_at=rfc3339_or_none(found.ended_at_ms),
        current=found.id == current,
    )


def end(session: Session, *, member_ids: Sequence[str], session_id: str, actor: str) -> MemberSession:
    """Ends one session at once; what is over already stays as it is. SessionUnknown unless it is this person's."""
    found = session.get(MemberSession, session_id, with_for_update=True)
    if found is None or found.member_id not in member_ids:
        raise SessionUnknown("The member has no such session.", session=session_id)
    _end(session, found, actor=actor)
    return found


def end_all(session: Session, *, member_ids: Sequence[str], actor: str) -> SessionList:
    """Ends every session of a person that is not over; tells those that it ended."""
    rows = session.exec(
        select(MemberSession)
        .where(col(MemberSession.member_id).in_(member_ids), col(MemberSession.expires_at_ms) > now_ms())
        .order_by(col(MemberSession.id))
        .with_for_update()
    ).all()
    devices.end_all(session, member_ids=member_ids, why="operator", actor=actor)
    return SessionList(sessions=[told(one) for one in rows if _end(session, one, actor=actor)])


def _end(session: Session, found: MemberSession, *, actor: str) -> bool:
    at_ms = now_ms()
    if found.expires_at_ms <= at_ms:
        return False
    # Whoever comes with it is told that it is over, as after its time.
    found.expires_at_ms = found.ended_at_ms = at_ms
    session.add(found)
    session.flush()
    audit_log.record(session.connection(), "session.ended", actor=actor, subject=acts_name(found.member_id))
    if found.device_id is not None:
        devices.end(session, device_id=found.device_id, why="session_ended", actor=actor)
    return True
