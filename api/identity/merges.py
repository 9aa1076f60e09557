"""Two members made one, and made two again: with a preview that says why, for 30 days, and nothing lost or doubled.

Nobody here commits. Merges and their ends queue up behind one lock: they are rare, and a forest that two change at once
would be none.
"""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Sequence
from typing import Any, Final, Literal

from sqlmodel import Session, and_, col, func, not_, or_, select

from api import audit_log
from api.audit_log.names import member as acts_name
from api.events.models import Event
from api.identity import groups, links
from api.identity.errors import MergeRefused, MergeTooLarge, MergeUndone, MergeUnknown, UndoTooLate
from api.identity.models import Merge
from api.kit.addresses import checksum
from api.kit.clock import now_ms
from api.kit.database import lock
from api.kit.problems import Problem
from api.members import service as members
from api.members.models import Enrolment, Member
from api.vault.sealing import Vault
from chain.contracts import lots
from chain.mirror.queries import balances
from chain.storage.looks import looking

LOCK: Final = "identity"
UNDO_MS: Final = 30 * 24 * 3600 * 1000
MERGES_LISTED_MAX: Final = 500
Reason = Literal["proven", "asserted", "stitched", "claimed", "support"]
# What the member did with a code in hand is not undone by a click: a receipt is claimed once.
UNDONE_BY_MEMBER: Final = frozenset({"proven", "asserted", "support"})


def survivor_first(one: Member, other: Member) -> tuple[Member, Member]:
    """Who stands for both: whom a person proved to be, then whoever is older. Pure."""
    ranked = sorted((one, other), key=lambda member: (member.proven_at_ms is None, member.created_at_ms, member.id))
    return ranked[0], ranked[1]


def refusal(session: Session, vault: Vault, one: Member, other: Member) -> Problem | None:
    """Why these two roots are not to be made one; None when they may be."""
    ids = [member.id for root in (one, other) for member in groups.group_of(session, root)]
    if len(ids) > groups.MEMBERS_MAX:
        return MergeTooLarge(f"One person stands for at most {groups.MEMBERS_MAX} members.")
    kind = links.over_limit(links.kept_of(session, vault, member_ids=ids), (), at_ms=now_ms())
    if kind is None:
        return None
    return MergeRefused(f"Together they would have too many identifiers of the kind {kind}.", kind=kind)


def merge(
    session: Session,
    vault: Vault,
    *,
    one: str,
    other: str,
    reason: Reason,
    why: dict[str, Any],
    actor: str,
    keep: bool = False,
) -> tuple[Merge | None, Member]:
    """Makes two members one person; the merge (None: they are already) and who stands for both.

    keep: the first one stands for both, whoever is older; and the second goes with that very member, when a merge by
    which it is one with others is undone.
    """
    lock(session, LOCK)
    first, second = groups.root_of(session, one), groups.root_of(session, other)
    if first.id == second.id:
        return None, first
    refused = refusal(session, vault, first, second)
    if refused is not None:
        raise refused
    survivor, absorbed = (first, second) if keep else survivor_first(first, second)
    at_ms = now_ms()
    made = Merge(
        id=f"mrg_{uuid.uuid4().hex}",
        survivor_id=one if keep else survivor.id,
        absorbed_id=absorbed.id,
        reason=reason,
        why=why,
        made_at_ms=at_ms,
        undo_until_ms=at_ms + UNDO_MS,
    )
    session.add(made)
    groups.put_together(session, survivor=survivor, absorbed=absorbed)
    for subject, part in ((survivor.id, "survivor"), (absorbed.id, "absorbed")):
        audit_log.record(
            session.connection(),
            "members.merged",
            actor=actor,
            subject=acts_name(subject),
            merge=made.id,
            part=part,
            reason=reason,
        )
    return made, survivor


def undo(session: Session, *, merge_id: str, actor: str, group: Sequence[str] | None = None) -> Merge:
    """Makes two of one again. group: the members that the caller is; None: anybody's merge."""
    lock(session, LOCK)
    found = session.get(Merge, merge_id, populate_existing=True)
    mine = found is not None and (group is None or (found.absorbed_id in group and found.reason in UNDONE_BY_MEMBER))
    if found is None or not mine:
        raise MergeUnknown("There is no such merge of yours.", merge=merge_id)
    if found.undone_at_ms is not None:
        raise MergeUndone("This merge was undone already.", merge=merge_id)
    at_ms = now_ms()
    if at_ms > found.undo_until_ms:
        raise UndoTooLate("A merge can be undone for 30 days.", merge=merge_id)
    groups.take_apart(session, edge=found)
    found.undone_at_ms = at_ms
    session.add(found)
    session.flush()
    for subject in (found.survivor_id, found.absorbed_id):
        audit_log.record(session.connection(), "merge.undone", actor=actor, subject=acts_name(subject), merge=found.id)
    return found


def part(session: Session, *, member_ids: Sequence[str], actor: str) -> int:
    """Stands these members apart from everybody else with whom they are one; how many merges that undid."""
    lock(session, LOCK)
    inside = col(Merge.absorbed_id).in_(member_ids), col(Merge.survivor_id).in_(member_ids)
    crossing = select(Merge).where(or_(*inside), not_(and_(*inside)), col(Merge.undone_at_ms).is_(None))
    found = session.exec(crossing.order_by(col(Merge.id)).limit(MERGES_LISTED_MAX)).all()
    for edge in found:
        groups.take_apart(session, edge=edge)
        edge.undone_at_ms = now_ms()
        session.add(edge)
        session.flush()
        for one in (edge.survivor_id, edge.absorbed_id):
            audit_log.record(session.connection(), "merge.undone", actor=actor, subject=acts_name(one), merge=edge.id)
    return len(found)


def listed(session: Session, *, group: Sequence[str]) -> list[Merge]:
    """The merges that made these members one, and those that were undone; the newest first."""
    return list(
        session.exec(
            select(Merge)
            .where(or_(col(Merge.absorbed_id).in_(group), col(Merge.survivor_id).in_(group)))
            .order_by(col(Merge.made_at_ms).desc(), col(Merge.id))
            .limit(MERGES_LISTED_MAX)
        )
    )


def side(session: Session, root: Member) -> dict[str, Any]:
    """What one side of a merge is: counts, and points by brand. No value of an identifier."""
    group = groups.group_of(session, root)
    ids, addresses = [one.id for one in group], [one.address for one in group]
    kept = links.of_members(session, member_ids=ids)
    brands = session.exec(
        select(Enrolment.brand).where(col(Enrolment.member_id).in_(ids)).distinct().order_by(Enrolment.brand)
    ).all()
    events = session.exec(select(func.count()).select_from(Event).where(col(Event.subject).in_(ids))).one()
    points: Counter[str] = Counter()
    look, at_s = looking(session), now_ms() // 1000
    for brand in members.brands(session):
        for address in addresses:
            held = balances.one(look, token=brand.token, account=address)
            if held is not None:
                points[brand.slug] += lots.spendable(held.lots, held.clock, at_s)
    return {
        "member": root.id,
        "members": ids,
        "addresses": [checksum(address) for address in addresses],
        "proven": groups.is_proven(group),
        "identifiers": dict(sorted(Counter(link.kind for link in kept).items())),
        "brands": list(brands),
        "events": events,
        "points": {slug: str(total) for slug, total in sorted(points.items())},
    }


def preview(session: Session, vault: Vault, *, one: str, other: str) -> dict[str, Any]:
    """What a merge would make of both, who would stand for them, and what speaks against it. Changes nothing."""
    first, second = groups.root_of(session, one), groups.root_of(session, other)
    if first.id == second.id:
        raise MergeRefused("These are one member already.")
    survivor, absorbed = survivor_first(first, second)
    refused = refusal(session, vault, first, second)
    return {
        "survivor": side(session, survivor),
        "absorbed": side(session, absorbed),
        "refused": None if refused is None else refused.error,
        "undo_for_days": UNDO_MS // (24 * 3600 * 1000),
    }
