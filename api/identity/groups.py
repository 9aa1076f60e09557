"""One person, several members: who stands for whom. Kept flat on the members' rows, so that a reader asks once.

Merges are the edges of a forest (absorbed → survivor); the tree that a member is in is one person, its root stands for
all. Nothing else is ever rewritten: enrolments, events, points and identifiers stay with the member to whom they came,
and whoever reads asks for all of them. So an edge can be taken out again at any time, and what comes apart is exactly
what was put together.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from sqlmodel import Session, col, or_, select

from api.identity.models import Merge
from api.members.errors import MemberUnknown
from api.members.models import Member
from chain.base.scalars import Address

MEMBERS_MAX: Final = 32
EDGES_MAX: Final = 10_000


def root_of(session: Session, member_id: str) -> Member:
    """The member that stands for this one; itself, where it was never merged. MemberUnknown without one."""
    found = session.get(Member, member_id, populate_existing=True)
    if found is None or found.erased_at_ms is not None:
        raise MemberUnknown("No member has this id.", member=member_id)
    if found.survivor_id is None:
        return found
    return session.get_one(Member, found.survivor_id, populate_existing=True)


def group_of(session: Session, root: Member) -> list[Member]:
    """All members that are this person, the root first, then by age."""
    if not root.absorbed:
        return [root]
    others = session.exec(
        select(Member)
        .where(Member.survivor_id == root.id)
        .order_by(col(Member.created_at_ms), col(Member.id))
        .limit(MEMBERS_MAX)
        .execution_options(populate_existing=True)
    ).all()
    return [root, *others]


def is_proven(group: Iterable[Member]) -> bool:
    """Whether somebody has proved to be any of these."""
    return any(one.proven_at_ms is not None for one in group)


def known_by(session: Session, member: Member) -> list[tuple[str, Address]]:
    """(id, address) of all members that are the same person as this one, this one first."""
    if member.survivor_id is None and not member.absorbed:
        return [(member.id, member.address)]
    group = group_of(session, root_of(session, member.id))
    return [(member.id, member.address), *((one.id, one.address) for one in group if one.id != member.id)]


def put_together(session: Session, *, survivor: Member, absorbed: Member) -> None:
    """Makes the survivor stand for everybody of the absorbed one's tree. Both are roots."""
    group = group_of(session, absorbed)
    for one in group:
        one.survivor_id = survivor.id
        one.absorbed = 0
        session.add(one)
    survivor.absorbed += len(group)
    session.add(survivor)
    session.flush()


def take_apart(session: Session, *, edge: Merge) -> tuple[Member, Member]:
    """Stands the two trees apart that an edge joined, the edge itself being undone; their roots."""
    root = root_of(session, edge.absorbed_id)
    group = {one.id: one for one in group_of(session, root)}
    edges = session.exec(
        select(Merge.absorbed_id, Merge.survivor_id)
        .where(
            or_(col(Merge.absorbed_id).in_(group), col(Merge.survivor_id).in_(group)),
            col(Merge.undone_at_ms).is_(None),
            Merge.id != edge.id,
        )
        .order_by(col(Merge.id))
        .limit(EDGES_MAX)
    ).all()
    below = subtree(edge.absorbed_id, edges)
    parted = group[edge.absorbed_id]
    for one in group.values():
        if one.id in below:
            one.survivor_id = None if one is parted else parted.id
            session.add(one)
    parted.absorbed = len(below) - 1
    root.absorbed -= len(below)
    session.flush()
    return root, parted


def subtree(top: str, edges: Iterable[tuple[str, str]]) -> set[str]:
    """Everybody who leads to `top` by the edges (absorbed, survivor), itself among them. Pure."""
    children: dict[str, list[str]] = {}
    for absorbed, survivor in edges:
        children.setdefault(survivor, []).append(absorbed)
    return _down(top, children)


def _down(top: str, children: Mapping[str, Sequence[str]]) -> set[str]:
    found, left = {top}, [top]
    while left:
        more = [one for one in children.get(left.pop(), ()) if one not in found]
        found.update(more)
        left += more
    return found
