"""That a member is still there when something of theirs is written: who is being forgotten gets nothing new."""

from __future__ import annotations

from sqlmodel import Session, col, select

from api.members.errors import MemberUnknown
from api.members.models import Member


def refuse_erased(session: Session, *member_ids: str) -> None:
    """MemberUnknown unless all of them are members, and none is erased; none can be before this transaction ends.

    An erasure locks the rows of its members; PostgreSQL's key share, which every row that names a member takes anyway,
    waits for that and for nothing else.
    """
    wanted = select(Member.id, Member.erased_at_ms).where(col(Member.id).in_(member_ids)).order_by(col(Member.id))
    found = dict(session.exec(wanted.with_for_update(read=True, key_share=True)).all())
    gone = [one for one in member_ids if one not in found or found[one] is not None]
    if gone:
        raise MemberUnknown("No member has this id.", member=gone[0])
