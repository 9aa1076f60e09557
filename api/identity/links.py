"""Identifiers of members: added within their limits, found by their hash, taken away. Nobody here commits."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from sqlmodel import Session, col, select

from api.identity.kinds import KINDS, KindName, masked, normalised
from api.identity.models import IdentifierLink
from api.kit.clock import now_ms
from api.members.living import refuse_erased
from api.members.models import Enrolment
from api.vault.sealing import Vault

PROVEN: Final = ""
LINKS_MAX: Final = 500
# What a brand calls somebody whom it has no name for: a guest, a visitor.
UNNAMED: Final = "moa-"


class Kept(NamedTuple):
    """An identifier that a person has, and since when."""

    kind: str
    lookup: str
    since_ms: int


@dataclass(frozen=True, slots=True)
class Named:
    """An identifier as it was given, normalised, with the hash by which it is found."""

    kind: KindName
    value: str
    lookup: str

    @property
    def priority(self) -> int:
        return KINDS[self.kind].priority


def named(vault: Vault, *, kind: KindName, value: str, country: str | None = None) -> Named:
    """The identifier in its one spelling; IdentifierMalformed or IdentifierBlocked otherwise."""
    plain = normalised(kind, value, country)
    return Named(kind, plain, vault.lookup(kind, plain))


def holders(session: Session, *, lookups: Iterable[str], scope: str | None) -> dict[str, list[IdentifierLink]]:
    """Hash → links that have it. scope: None for those of every scope."""
    rows = select(IdentifierLink).where(col(IdentifierLink.lookup).in_(sorted(set(lookups))))
    if scope is not None:
        rows = rows.where(IdentifierLink.scope == scope)
    found: dict[str, list[IdentifierLink]] = {}
    for link in session.exec(rows.order_by(col(IdentifierLink.id)).limit(LINKS_MAX)):
        found.setdefault(link.lookup, []).append(link)
    return found


def of_members(session: Session, *, member_ids: Sequence[str]) -> list[IdentifierLink]:
    """Every identifier of these members, the oldest first."""
    return list(
        session.exec(
            select(IdentifierLink)
            .where(col(IdentifierLink.member_id).in_(member_ids))
            .order_by(col(IdentifierLink.id))
            .limit(LINKS_MAX)
        )
    )


def over_limit(kept: Sequence[Kept], more: Sequence[Named], *, at_ms: int) -> KindName | None:
    """The kind of which a person with these identifiers would have too many; None when all is within its limits.

    An identifier counts once, whichever brands say it too. Pure.
    """
    values: dict[str, set[str]] = {}
    for one in kept:
        window_s = KINDS[one.kind].window_s
        if window_s is None or one.since_ms > at_ms - window_s * 1000:
            values.setdefault(one.kind, set()).add(one.lookup)
    known = {one.lookup for one in kept}
    for new in more:
        if new.lookup not in known:
            values.setdefault(new.kind, set()).add(new.lookup)
    return next((kind.name for kind in KINDS.values() if len(values.get(kind.name, ())) > kind.limit), None)


def kept_of(session: Session, vault: Vault, *, member_ids: Sequence[str]) -> list[Kept]:
    """What counts against a person's limits: identifiers, and the names that brands have for them."""
    found = [Kept(link.kind, link.lookup, link.first_seen_at_ms) for link in of_members(session, member_ids=member_ids)]
    rows = session.exec(
        select(Enrolment.brand, Enrolment.identifier, Enrolment.created_at_ms)
        .where(col(Enrolment.member_id).in_(member_ids))
        .order_by(Enrolment.brand, Enrolment.identifier)
        .limit(LINKS_MAX)
    )
    # A brand's name for somebody is that brand's alone, and a guest's receipt is no name at all.
    return found + [
        Kept("partner", vault.lookup(f"partner/{brand}", identifier), at_ms)
        for brand, identifier, at_ms in rows
        if not identifier.startswith(UNNAMED)
    ]


def add(session: Session, vault: Vault, *, member_id: str, scope: str, given: Named) -> IdentifierLink:
    """Links an identifier that nobody has in this scope; MemberUnknown once the member is erased."""
    refuse_erased(session, member_id)
    at_ms = now_ms()
    link = IdentifierLink(
        kind=given.kind,
        scope=scope,
        lookup=given.lookup,
        member_id=member_id,
        sealed=vault.seal(member_id, f"identifier/{given.kind}", given.value),
        first_seen_at_ms=at_ms,
        last_seen_at_ms=at_ms,
    )
    session.add(link)
    session.flush()
    return link


def opened(vault: Vault, link: IdentifierLink) -> str | None:
    """What the identifier is; None once its member is erased."""
    return vault.open(link.member_id, f"identifier/{link.kind}", link.sealed)


def shown(vault: Vault, link: IdentifierLink) -> str | None:
    """As much of it as is shown."""
    value = opened(vault, link)
    return None if value is None else masked(link.kind, value)
