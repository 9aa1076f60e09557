"""Whom a brand means by some identifiers: found, made, given more, or two made one. Deterministic, and told with why.

What a brand says binds that brand alone: its identifiers are looked for among its own, and two members become one by
its word only while nobody has proved to be either of them and no other brand knows them. Whoever would be too many
things at once (two accounts, on a tablet that several hold) is kept apart: the identifier that counts least is left
out, and the rest is looked at again.
"""

from __future__ import annotations

import secrets
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

from sqlmodel import Session, col, select

from api import audit_log
from api.audit_log.names import member as acts_name
from api.identity import groups, links, merges
from api.identity.errors import IdentifierBlocked, IdentifiersMissing
from api.identity.links import Named
from api.identity.models import IdentifierLink
from api.identity.schemas import IdentifierGiven
from api.kit.clock import now_ms
from api.kit.database import lock
from api.members import service as members
from api.members.models import Brand, Enrolment, Member
from api.vault.sealing import Vault
from chain.base.scalars import Address
from chain.storage.keystore import Keystore
from chain.storage.looks import Look, looking

Outcome = Literal["found", "created", "added", "merged"]
UNNAMED: Final = links.UNNAMED
# When an identifier was seen is kept to within a day: nobody writes for each question.
SEEN_MS: Final = 24 * 3600 * 1000
_BRAND: Final = "SELECT slug, country FROM brand WHERE registry_id = ?"
_BY_LINK: Final = (
    "SELECT m.id, m.address, COALESCE(m.survivor_id, m.id) FROM identifier_link l JOIN member m ON m.id = l.member_id"
    " WHERE l.lookup = ? AND l.scope = ? AND l.last_seen_at_ms > ?"
)
_BY_NAME: Final = (
    "SELECT m.id, m.address, COALESCE(m.survivor_id, m.id) FROM enrolment e JOIN member m ON m.id = e.member_id"
    " WHERE e.brand = ? AND e.identifier = ?"
)
_IS_KNOWN: Final = "SELECT 1 FROM enrolment WHERE brand = ? AND member_id = ? LIMIT 1"


@dataclass(frozen=True, slots=True)
class Match:
    """One identifier and the member that it names, with that member's root."""

    given: Named
    member_id: str
    root: Member


@dataclass(slots=True)
class Resolved:
    """Whom the identifiers name. matched: by which kinds; dropped: kind and why it was left out."""

    member_id: str
    address: str
    outcome: Outcome
    matched: list[str] = field(default_factory=list)
    dropped: list[tuple[str, str]] = field(default_factory=list)
    merge_id: str | None = None


def resolve(
    session: Session, *, vault: Vault, keystore: Keystore, brand_id: int, wanted: Sequence[IdentifierGiven], actor: str
) -> Resolved:
    """The brand's member whom these identifiers name; made when there is none."""
    at_once = known(looking(session), vault=vault, brand_id=brand_id, wanted=wanted)
    if at_once is not None:
        return at_once
    # As an enrolment does: one brand's names are given one after the other.
    lock(session, f"brand:{brand_id}")
    brand = members.brand_of(session, brand_id)
    given, dropped = _named(vault, brand, wanted)
    if not given:
        raise IdentifiersMissing("None of these identifiers names anybody.", dropped=[kind for kind, _ in dropped])
    matches = _matches(session, brand, given)
    while (reason := _apart(session, vault, brand, given, matches)) is not None:
        least = given.pop()
        dropped.append((least.kind, reason))
        matches = [match for match in matches if match.given is not least]
    made, member = _settle(session, vault=vault, keystore=keystore, brand=brand, matches=matches, actor=actor)
    made.dropped = dropped
    if _add_missing(session, vault, brand, member, given, matches) and made.outcome == "found":
        made.outcome = "added"
    return made


def known(look: Look, *, vault: Vault, brand_id: int, wanted: Sequence[IdentifierGiven]) -> Resolved | None:
    """The brand's member whom all these identifiers name already; None where anything is to be decided or written.

    Nearly every question is of this kind: it reads by two keys and changes nothing, among a million members too.
    """
    brand = look.row(_BRAND, brand_id)
    if brand is None:
        return None
    slug, country = brand
    found: dict[str, tuple[Named, str, str, str]] = {}
    for one in wanted:
        try:
            given = links.named(vault, kind=one.kind, value=one.value, country=country)
        except IdentifierBlocked:
            return None
        if given.kind == "partner":
            row = look.row(_BY_NAME, slug, given.value)
        else:
            row = look.row(_BY_LINK, given.lookup, str(brand_id), now_ms() - SEEN_MS)
        if row is None:
            return None
        member_id, address, root_id = row
        found[given.lookup] = (given, member_id, address, root_id)
    if len({root_id for *_, root_id in found.values()}) != 1:
        return None
    ranked = sorted(found.values(), key=lambda one: (one[0].priority, one[0].lookup))
    _, member_id, address, _ = ranked[0]
    if look.row(_IS_KNOWN, slug, member_id) is None:
        return None
    return Resolved(member_id, address, "found", [one[0].kind for one in ranked])


def _named(vault: Vault, brand: Brand, wanted: Sequence[IdentifierGiven]) -> tuple[list[Named], list[tuple[str, str]]]:
    """The identifiers in their one spelling, what counts most first, and those that name nobody."""
    given: dict[str, Named] = {}
    dropped: list[tuple[str, str]] = []
    for one in wanted:
        try:
            found = links.named(vault, kind=one.kind, value=one.value, country=brand.country)
        except IdentifierBlocked:
            dropped.append((one.kind, "blocked"))
        else:
            given[found.lookup] = found
    return sorted(given.values(), key=lambda one: (one.priority, one.lookup)), dropped


def _matches(session: Session, brand: Brand, given: Sequence[Named]) -> list[Match]:
    """Which of the identifiers the brand knows, in their order."""
    scope = str(brand.registry_id)
    held = links.holders(session, lookups=[one.lookup for one in given], scope=scope)
    names = [one.value for one in given if one.kind == "partner"]
    enrolled: dict[str, str] = {}
    if names:
        rows = session.exec(
            select(Enrolment.identifier, Enrolment.member_id).where(
                Enrolment.brand == brand.slug, col(Enrolment.identifier).in_(names)
            )
        )
        enrolled = dict(rows.all())
    found = []
    for one in given:
        mine = held.get(one.lookup, [])
        member_id = enrolled.get(one.value) if one.kind == "partner" else mine[0].member_id if mine else None
        if member_id is not None:
            found.append(Match(one, member_id, groups.root_of(session, member_id)))
    return found


def _apart(
    session: Session, vault: Vault, brand: Brand, given: Sequence[Named], matches: Sequence[Match]
) -> str | None:
    """Why these identifiers are not of one person; None when they may be."""
    roots = {match.root.id: match.root for match in matches}
    if len(given) == 1 or not roots:
        kept: list[links.Kept] = []
    else:
        ids = [one.id for root in roots.values() for one in groups.group_of(session, root)]
        if len(ids) > groups.MEMBERS_MAX:
            return "too_many_members"
        kept = links.kept_of(session, vault, member_ids=ids)
    matched = {match.given.lookup for match in matches}
    new = [one for one in given if one.lookup not in matched]
    beyond = links.over_limit(kept, new, at_ms=now_ms()) if len(given) > 1 else None
    if beyond is not None:
        return f"limit_{beyond}"
    if len(roots) > 1 and not all(_is_brands_own(session, brand, root) for root in roots.values()):
        return "not_the_brands_to_merge"
    return None


def _is_brands_own(session: Session, brand: Brand, root: Member) -> bool:
    """Whether nobody has proved to be this person, and no other brand knows them."""
    group = groups.group_of(session, root)
    if groups.is_proven(group):
        return False
    ids = [one.id for one in group]
    elsewhere = select(Enrolment.brand).where(col(Enrolment.member_id).in_(ids), Enrolment.brand != brand.slug)
    said = select(IdentifierLink.id).where(
        col(IdentifierLink.member_id).in_(ids), IdentifierLink.scope != str(brand.registry_id)
    )
    return session.exec(elsewhere.limit(1)).first() is None and session.exec(said.limit(1)).first() is None


def _settle(
    session: Session, *, vault: Vault, keystore: Keystore, brand: Brand, matches: Sequence[Match], actor: str
) -> tuple[Resolved, Member]:
    """The one member that the matches name, made or put together."""
    if not matches:
        made = new_member(session, keystore=keystore)
        return Resolved(made.id, made.address, "created"), made
    home = session.get_one(Member, matches[0].member_id)
    kinds: list[str] = [match.given.kind for match in matches]
    merge_id = None
    for match in matches[1:]:
        why = {"brand": brand.slug, "kinds": kinds}
        merged, _ = merges.merge(
            session, vault, one=home.id, other=match.member_id, reason="asserted", why=why, actor=actor
        )
        merge_id = merge_id if merged is None else merged.id
    outcome: Outcome = "found" if merge_id is None else "merged"
    return Resolved(home.id, home.address, outcome, kinds, merge_id=merge_id), home


def _add_missing(
    session: Session, vault: Vault, brand: Brand, member: Member, given: Sequence[Named], matches: Sequence[Match]
) -> bool:
    """Gives the member the identifiers that nobody had; notes when the others were seen. Whether there were any."""
    matched = {match.given.lookup for match in matches}
    scope = str(brand.registry_id)
    added = False
    for one in given:
        if one.lookup in matched:
            continue
        added = True
        if one.kind == "partner":
            _enrol(session, brand, one.value, member)
        else:
            links.add(session, vault, member_id=member.id, scope=scope, given=one)
    for link in session.exec(
        select(IdentifierLink).where(col(IdentifierLink.lookup).in_(matched), IdentifierLink.scope == scope)
    ):
        link.last_seen_at_ms = now_ms()
        session.add(link)
    ensure_known(session, brand=brand, member=member)
    session.flush()
    return added


def ensure_known(session: Session, *, brand: Brand, member: Member) -> None:
    """The brand knows the member by some name, its own or one that we give."""
    known = select(Enrolment.identifier).where(Enrolment.brand == brand.slug, Enrolment.member_id == member.id)
    if session.exec(known.limit(1)).first() is None:
        _enrol(session, brand, f"{UNNAMED}{secrets.token_hex(8)}", member)


def _enrol(session: Session, brand: Brand, identifier: str, member: Member) -> None:
    session.add(Enrolment(brand=brand.slug, identifier=identifier, member_id=member.id, created_at_ms=now_ms()))
    session.flush()


def new_member(session: Session, *, keystore: Keystore, proven: bool = False) -> Member:
    """A member of whom nothing is known yet, with an address of its own."""
    member_id, at_ms = f"mem_{uuid.uuid4().hex}", now_ms()
    address = Address(keystore.address_of(members.member_ref(member_id)).lower())
    made = Member(id=member_id, address=address, created_at_ms=at_ms, proven_at_ms=at_ms if proven else None)
    session.add(made)
    session.flush()
    return made


def link_proven(session: Session, vault: Vault, *, member: Member, given: Named, actor: str) -> IdentifierLink:
    """Gives a member an identifier that the person proved; nobody else has it."""
    made = links.add(session, vault, member_id=member.id, scope=links.PROVEN, given=given)
    if member.proven_at_ms is None:
        member.proven_at_ms = now_ms()
        session.add(member)
        session.flush()
    audit_log.record(
        session.connection(), "identifier.proven", actor=actor, subject=acts_name(member.id), kind=given.kind
    )
    return made
