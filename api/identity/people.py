"""The person who has proved an identifier: found or made, with what brands said of them, and what they did before.

What a brand said becomes the person's own only while nobody has proved to be the brand's member and no other brand
knows that member; anything else waits for a proof of its own. A cookie or a device is no proof: what was done with it
before a sign-in goes to whoever signs in, and it is nobody's again. So two people on one tablet stay two.
"""

from __future__ import annotations

from typing import Any, Final, Literal

from sqlmodel import Session, col, select

from api import audit_log
from api.audit_log.names import member as acts_name
from api.identity import groups, links, merges
from api.identity.errors import LimitReached
from api.identity.kinds import SHARED
from api.identity.links import Named
from api.identity.models import IdentifierLink
from api.identity.resolving import link_proven, new_member
from api.kit.clock import now_ms
from api.kit.database import lock
from api.kit.problems import Problem
from api.members.models import Brand, Enrolment, Member
from api.vault.sealing import Vault
from chain.storage.keystore import Keystore

Stitched = Literal["nothing", "stitched", "apart"]
ADOPTED_MAX: Final = 16


def who_proved(session: Session, *, lookup: str) -> Member | None:
    """The root of the member who proved this identifier; None while nobody has."""
    own = whose(session, lookup=lookup)
    return None if own is None else groups.root_of(session, own.id)


def whose(session: Session, *, lookup: str) -> Member | None:
    """The very member who proved this identifier, whoever else is the same person; None while nobody has."""
    found = links.holders(session, lookups=[lookup], scope=links.PROVEN).get(lookup, [])
    return session.get_one(Member, found[0].member_id, populate_existing=True) if found else None


def sign_in_as(session: Session, *, vault: Vault, keystore: Keystore, given: Named, actor: str) -> Member:
    """The member of whoever has just proved this identifier; made at the first time.

    Gives the very member and not who stands for it: what comes of the sign-in stays with it when a merge is undone.
    """
    lock(session, f"identifier:{given.lookup}")
    own = whose(session, lookup=given.lookup)
    if own is None:
        own = new_member(session, keystore=keystore, proven=True)
        link_proven(session, vault, member=own, given=given, actor=actor)
    adopt(session, vault, person=own, given=given, actor=actor)
    return own


def add_proven(session: Session, *, vault: Vault, member: Member, given: Named, actor: str) -> Member | None:
    """Gives this very member an identifier that was proved; or the other person whose it is, and nothing changed."""
    lock(session, f"identifier:{given.lookup}")
    # Before the member's row is held: an erasure takes both in this order.
    lock(session, merges.LOCK)
    person = who_proved(session, lookup=given.lookup)
    root = groups.root_of(session, member.id)
    if person is not None:
        return None if person.id == root.id else person
    ids = [one.id for one in groups.group_of(session, root)]
    kind = links.over_limit(links.kept_of(session, vault, member_ids=ids), [given], at_ms=now_ms())
    if kind is not None:
        raise LimitReached(f"One person has no more identifiers of the kind {kind}.", kind=kind)
    link_proven(session, vault, member=member, given=given, actor=actor)
    adopt(session, vault, person=member, given=given, actor=actor)
    return None


def adopt(session: Session, vault: Vault, *, person: Member, given: Named, actor: str) -> int:
    """Makes the person's own what brands say of this identifier, where nobody else has proved to be it; how many."""
    count = 0
    said = links.holders(session, lookups=[given.lookup], scope=None).get(given.lookup, [])
    for link in said[:ADOPTED_MAX]:
        if link.scope == links.PROVEN:
            continue
        other = groups.root_of(session, link.member_id)
        if not _nobodys(session, other, scope=link.scope):
            continue
        why: dict[str, Any] = {"brand": link.scope, "kinds": [given.kind]}
        count += _merged(session, vault, person, other, reason="asserted", why=why, actor=actor)
    return count


def stitch(session: Session, vault: Vault, *, person: Member, given: Named, scope: str, actor: str) -> Stitched:
    """What was done with a cookie or device before this sign-in becomes the person's; it is nobody's afterwards."""
    assert given.kind in SHARED, "only what proves nothing is stitched"
    found = links.holders(session, lookups=[given.lookup], scope=scope).get(given.lookup, [])
    if not found:
        return "nothing"
    other = groups.root_of(session, found[0].member_id)
    session.delete(found[0])
    session.flush()
    if other.id == groups.root_of(session, person.id).id:
        return "nothing"
    if not _nobodys(session, other, scope=scope) or _is_named(session, other):
        return "apart"
    why: dict[str, Any] = {"brand": scope, "kinds": [given.kind]}
    return "stitched" if _merged(session, vault, person, other, reason="stitched", why=why, actor=actor) else "apart"


def take_away(session: Session, *, member: Member, link: IdentifierLink, actor: str) -> None:
    """Takes a proved identifier away from its member."""
    session.delete(link)
    session.flush()
    audit_log.record(
        session.connection(), "identifier.removed", actor=actor, subject=acts_name(member.id), kind=link.kind
    )


def _merged(
    session: Session,
    vault: Vault,
    person: Member,
    other: Member,
    *,
    reason: merges.Reason,
    why: dict[str, Any],
    actor: str,
) -> bool:
    """Whether the two are one by this; refused, they stay two and the sign-in goes on."""
    try:
        made, _ = merges.merge(
            session, vault, one=person.id, other=other.id, reason=reason, why=why, actor=actor, keep=True
        )
    except Problem:
        return False
    return made is not None


def _nobodys(session: Session, root: Member, *, scope: str) -> bool:
    """Whether nobody has proved to be this person, and only the brand of this scope knows them."""
    group = groups.group_of(session, root)
    if groups.is_proven(group):
        return False
    ids = [one.id for one in group]
    elsewhere = (
        select(Enrolment.brand)
        .join(Brand, col(Brand.slug) == col(Enrolment.brand))
        .where(col(Enrolment.member_id).in_(ids), col(Brand.registry_id) != int(scope or 0))
    )
    said = select(IdentifierLink.id).where(col(IdentifierLink.member_id).in_(ids), IdentifierLink.scope != scope)
    return session.exec(elsewhere.limit(1)).first() is None and session.exec(said.limit(1)).first() is None


def _is_named(session: Session, root: Member) -> bool:
    """Whether a brand knows this person by anything but cookies, devices and names of ours: then it is somebody."""
    ids = [one.id for one in groups.group_of(session, root)]
    said = select(IdentifierLink.id).where(
        col(IdentifierLink.member_id).in_(ids), col(IdentifierLink.kind).not_in(sorted(SHARED))
    )
    called = select(Enrolment.identifier).where(
        col(Enrolment.member_id).in_(ids), col(Enrolment.identifier).not_like(f"{links.UNNAMED}%")
    )
    return session.exec(said.limit(1)).first() is not None or session.exec(called.limit(1)).first() is not None
