"""Identity as it is told: rows made into what goes out. Nobody here commits."""

from __future__ import annotations

from collections.abc import Sequence

from sqlmodel import Session

from api.identity import claims, groups, links, merges
from api.identity.kinds import BLOCKED_PATTERN, BLOCKED_WORDS, KINDS, POLICY_VERSION
from api.identity.models import Claim, IdentifierLink, Merge
from api.identity.resolving import Resolved
from api.identity.schemas import (
    ClaimPublic,
    Dropped,
    GuestMade,
    IdentifierList,
    IdentifierPublic,
    IdentityPolicy,
    KindPolicy,
    MemberAddress,
    MergeList,
    MergePublic,
    ResolvedPublic,
)
from api.kit.addresses import checksum
from api.kit.clock import rfc3339, rfc3339_or_none
from api.members import service as members
from api.members.models import Member
from api.vault.sealing import Vault


def told_resolved(found: Resolved) -> ResolvedPublic:
    return ResolvedPublic(
        member=found.member_id,
        address=checksum(found.address),
        outcome=found.outcome,
        matched=found.matched,
        dropped=[Dropped(kind=kind, why=why) for kind, why in found.dropped],
        merge=found.merge_id,
    )


def identifiers(session: Session, vault: Vault, *, member_id: str) -> IdentifierList:
    """All identifiers of the person that this member is, masked, and the addresses of the points."""
    group = groups.group_of(session, groups.root_of(session, member_id))
    found = links.of_members(session, member_ids=[one.id for one in group])
    slugs = members.slugs(session, [int(link.scope) for link in found if link.scope != links.PROVEN])
    return IdentifierList(
        identifiers=[_told_link(vault, link, slugs) for link in found],
        addresses=[MemberAddress(member=one.id, address=checksum(one.address)) for one in group],
    )


def told_merge(found: Merge) -> MergePublic:
    return MergePublic(
        id=found.id,
        survivor=found.survivor_id,
        absorbed=found.absorbed_id,
        reason=found.reason,
        why=found.why,
        made_at=rfc3339(found.made_at_ms),
        undo_until=rfc3339(found.undo_until_ms),
        undone_at=rfc3339_or_none(found.undone_at_ms),
    )


def told_merges(session: Session, *, group: Sequence[str]) -> MergeList:
    return MergeList(merges=[told_merge(one) for one in merges.listed(session, group=group)])


def told_guest(made: Claim, guest: Member, code: str | None) -> GuestMade:
    return GuestMade(
        member=guest.id,
        claim=made.id,
        code=None if code is None else claims.printed(code),
        expires_at=rfc3339(made.expires_at_ms),
    )


def told_claim(found: Claim) -> ClaimPublic:
    assert found.claimed_at_ms is not None, "told once it is claimed"
    return ClaimPublic(claim=found.id, brand=found.brand, claimed_at=rfc3339(found.claimed_at_ms))


def policy() -> IdentityPolicy:
    """The published rules."""
    return IdentityPolicy(
        version=POLICY_VERSION,
        kinds=[
            KindPolicy(
                kind=kind.name, priority=kind.priority, limit=kind.limit, window_s=kind.window_s, proves=kind.proves
            )
            for kind in KINDS.values()
        ],
        blocked_words=sorted(BLOCKED_WORDS),
        blocked_pattern=BLOCKED_PATTERN,
        undo_s=merges.UNDO_MS // 1000,
        claim_s=claims.CLAIM_S,
        members_max=groups.MEMBERS_MAX,
    )


def _told_link(vault: Vault, link: IdentifierLink, slugs: dict[int, str]) -> IdentifierPublic:
    proven = link.scope == links.PROVEN
    return IdentifierPublic(
        id=str(link.id),
        kind=link.kind,
        shown=links.shown(vault, link),
        said_by=None if proven else slugs.get(int(link.scope), link.scope),
        proven=proven,
        first_seen_at=rfc3339(link.first_seen_at_ms),
        last_seen_at=rfc3339(link.last_seen_at_ms),
    )
