"""Brands, keys, members and sessions: found, made, revoked. Nobody here commits."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, cast

from sqlalchemy import ColumnElement, delete
from sqlmodel import Session, col, select

from api import audit_log
from api.audit_log.names import member as acts_name
from api.auth.callers import BrandCaller, MemberCaller, person
from api.auth.errors import NotYours
from api.auth.tokens import Token, new_token
from api.kit.addresses import checksum
from api.kit.clock import now_ms, rfc3339, rfc3339_or_none
from api.kit.database import Database, Snapshot, lock
from api.members.bindings import key_digest, session_digest
from api.members.brands import BRANDS_MAX, take_in
from api.members.errors import BrandUnknown, IdentifierTaken, KeyUnknown, MemberUnknown
from api.members.living import refuse_erased
from api.members.models import ApiKey, Brand, Enrolment, Member, MemberSession
from api.members.schemas import KeyCreated, KeyPublic, MemberCreate, MemberPublic, MemberReference, SessionCreated
from chain.base.scalars import Address
from chain.mirror.queries.balances import ever_held
from chain.storage.documents import Documents
from chain.storage.keystore import Keystore
from chain.storage.looks import looking

KEYS_LISTED_MAX = 1_000
SESSION_RETENTION_MS = 7 * 24 * 3600 * 1000
BOOTSTRAP = "command/bootstrap"


# Brands


def brand(session: Session, *, slug: str) -> Brand:
    found = session.get(Brand, slug)
    if found is None:
        raise BrandUnknown(f"No brand is called {slug}.", brand=slug)
    return found


def brand_of(session: Session, registry_id: int) -> Brand:
    """A brand by the registry's id, called as it is until this transaction ends: no renaming comes in between."""
    row = session.exec(
        select(Brand)
        .where(Brand.registry_id == registry_id)
        .with_for_update(read=True, key_share=True)
        .execution_options(populate_existing=True)
    ).one_or_none()
    if row is None:
        raise BrandUnknown(f"No brand of the registry has the id {registry_id} here.", brand=str(registry_id))
    return row


def slugs(session: Session, ids: Iterable[int]) -> dict[int, str]:
    """Registry id → what the gateway calls each of these brands; its number as long as it has no name."""
    wanted = set(ids)
    rows = session.exec(select(Brand.registry_id, Brand.slug).where(col(Brand.registry_id).in_(wanted)))
    return {**{id: str(id) for id in wanted}, **dict(rows.all())}


def brands(session: Session) -> list[Brand]:
    return list(session.exec(select(Brand).order_by(Brand.slug).limit(BRANDS_MAX)))


# Keys

ROLES: Mapping[str, str] = {"o": "operator", "b": "brand", "a": "auditor"}


def create_key(session: Session, *, kind: Literal["o", "b", "a"], slug: str | None, actor: str) -> tuple[ApiKey, Token]:
    """A key of the operator, of a brand (`slug`) or of an auditor. The token is not kept."""
    assert (slug is not None) == (kind == "b"), "brands have keys of their own, nobody else has a brand's"
    token = new_token(kind)
    key = ApiKey(id=token.id, kind=kind, brand=slug, secret_hash=token.secret_hash, created_at_ms=now_ms())
    session.add(key)
    session.flush()
    registry_id = None if slug is None else brand(session, slug=slug).registry_id
    audit_log.record(
        session.connection(),
        "key.made",
        actor=actor,
        subject=f"key/{key.id}",
        role=ROLES[kind],
        brand=slug,
        digest=key_digest(key.id, kind, registry_id, key.secret_hash),
    )
    return key, token


def new_key_to_public(key: ApiKey, token: Token, *, secret: bool) -> KeyCreated:
    return KeyCreated(
        id=key.id,
        key=token.text if secret else None,
        prefix=token.prefix,
        brand=key.brand or "",
        created_at=rfc3339(key.created_at_ms),
    )


def keys(session: Session, *, slug: str | None, kind: str = "b") -> list[KeyPublic]:
    """The keys of a brand, or those of a kind that has no brand."""
    if slug is not None:
        brand(session, slug=slug)
    rows = session.exec(
        select(ApiKey)
        .where(ApiKey.brand == slug, ApiKey.kind == kind)
        .order_by(col(ApiKey.created_at_ms), col(ApiKey.id))
        .limit(KEYS_LISTED_MAX)
    )
    return [key_to_public(key) for key in rows]


def key_to_public(key: ApiKey) -> KeyPublic:
    return KeyPublic(
        id=key.id,
        prefix=f"moa_{key.kind}_{key.id}",
        brand=key.brand,
        created_at=rfc3339(key.created_at_ms),
        last_used_at=rfc3339_or_none(key.last_used_at_ms),
        revoked_at=rfc3339_or_none(key.revoked_at_ms),
    )


def revoke_key(session: Session, *, slug: str | None, key_id: str, actor: str, kind: str = "b") -> ApiKey:
    """Ends a key at once; a second time changes nothing. slug: None for a kind that has no brand."""
    if slug is not None:
        brand(session, slug=slug)
    key = session.get(ApiKey, key_id)
    if key is None or key.brand != slug or key.kind != kind:
        raise KeyUnknown(f"{slug or ROLES[kind]} has no key {key_id}.", brand=slug or "", key=key_id)
    at_ms = now_ms()
    if key.revoked_at_ms is None or key.revoked_at_ms > at_ms:
        key.revoked_at_ms = at_ms
        session.add(key)
        session.flush()
        audit_log.record(
            session.connection(), "key.revoked", actor=actor, subject=f"key/{key.id}", role=ROLES[kind], brand=slug
        )
    return key


def note_uses(session: Session, *, uses: Mapping[str, int]) -> None:
    """Writes down when keys were last used."""
    for key_id, at_ms in uses.items():
        key = session.get(ApiKey, key_id)
        if key is not None and (key.last_used_at_ms or 0) < at_ms:
            key.last_used_at_ms = at_ms
            session.add(key)


# Members


def member_ref(member_id: str) -> str:
    """The keystore's name of a member's key."""
    return f"member/{member_id}"


def enrol(session: Session, *, keystore: Keystore, brand: int, wanted: MemberCreate) -> tuple[Enrolment, Member, bool]:
    """The brand's member by this identifier, made or linked when new; whether it was new."""
    lock(session, f"brand:{brand}")
    slug = brand_of(session, brand).slug
    known = session.get(Enrolment, (slug, wanted.identifier))
    if known is not None:
        if wanted.id is not None and wanted.id != known.member_id:
            raise IdentifierTaken(f"{wanted.identifier} is another member here.", identifier=wanted.identifier)
        return known, session.get_one(Member, known.member_id), False
    at_ms = now_ms()
    if wanted.id is None:
        member_id = f"mem_{uuid.uuid4().hex}"
        address = keystore.address_of(member_ref(member_id))
        member = Member(id=member_id, address=address, created_at_ms=at_ms)
        session.add(member)
        session.flush()
    else:
        found = session.get(Member, wanted.id)
        if found is None or found.erased_at_ms is not None:
            raise MemberUnknown("No member has this id.", member=wanted.id)
        member = found
    enrolment = Enrolment(brand=slug, identifier=wanted.identifier, member_id=member.id, created_at_ms=at_ms)
    session.add(enrolment)
    session.flush()
    return enrolment, member, True


def member_to_public(member: Member, enrolment: Enrolment | None) -> MemberPublic:
    return MemberPublic(
        id=member.id,
        address=checksum(member.address),
        identifier=None if enrolment is None else enrolment.identifier,
        enrolled_at=None if enrolment is None else rfc3339(enrolment.created_at_ms),
    )


@dataclass(frozen=True, slots=True)
class KnownMember:
    """A member as much as a brand may know: the id, the address, the brand's own identifier."""

    id: str
    address: Address
    identifier: str | None
    enrolled_at_ms: int | None
    # The addresses of the members who are the same person, the brand's own member first.
    addresses: tuple[Address, ...] = ()

    def told(self) -> MemberPublic:
        return MemberPublic(
            id=self.id,
            address=checksum(self.address),
            identifier=self.identifier,
            enrolled_at=rfc3339_or_none(self.enrolled_at_ms),
        )


_BY_IDENTIFIER = (
    "SELECT m.id, m.address, e.identifier, e.created_at_ms, m.survivor_id, m.absorbed"
    " FROM enrolment e JOIN member m ON m.id = e.member_id"
    " WHERE e.brand = (SELECT slug FROM brand WHERE registry_id = ?) AND e.identifier = ?"
)
_BY_ID = (
    "SELECT m.id, m.address, e.identifier, e.created_at_ms, m.survivor_id, m.absorbed"
    " FROM member m JOIN enrolment e ON e.member_id = m.id"
    " WHERE m.id = ? AND m.erased_at_ms IS NULL AND e.brand = (SELECT slug FROM brand WHERE registry_id = ?)"
    " ORDER BY e.created_at_ms, e.identifier LIMIT 1"
)
_ANYBODY = (
    "SELECT m.id, m.address, b.token, m.survivor_id, m.absorbed FROM member m JOIN brand b ON b.registry_id = ?"
    " WHERE m.id = ? AND m.erased_at_ms IS NULL"
)


def member_of(
    read: Snapshot, *, brand: int, identifier: str | None = None, member_id: str | None = None
) -> KnownMember:
    """The member as this brand of the registry knows it, or MemberUnknown; never tells whether another brand does."""
    if identifier is not None:
        found = read.row(_BY_IDENTIFIER, brand, identifier)
    else:
        found = read.row(_BY_ID, member_id, brand) or _holder(read, brand, member_id)
    if found is None:
        named = {"identifier": identifier} if identifier is not None else {"member": member_id}
        raise MemberUnknown("This brand knows no such member.", **named)
    id, address, name, enrolled_at_ms, survivor_id, absorbed = found
    (_, first), others = person(read, id, address, survivor_id=survivor_id, absorbed=absorbed)
    known = {address: None, first: None} | {one: None for _, one in others}
    return KnownMember(id, address, name, enrolled_at_ms, tuple(known))


def _holder(read: Snapshot, brand: int, member_id: str | None) -> Sequence[Any] | None:
    """A member whom the brand never enrolled, but who holds its points (by exchange), is known to it by id."""
    found = read.row(_ANYBODY, brand, member_id)
    if found is None:
        return None
    id, address, token, survivor_id, absorbed = found
    held = ever_held(read, token=token, account=address)
    return (id, address, None, None, survivor_id, absorbed) if held else None


def referred(session: Session, *, caller: BrandCaller | MemberCaller, reference: MemberReference | None) -> Member:
    """The member that a request is about: a brand names it, a member is it."""
    if isinstance(caller, MemberCaller):
        if reference is not None and reference.id not in caller.member_ids:
            raise NotYours("A member acts for itself only.")
        return session.get_one(Member, caller.member_id)
    if reference is None:
        raise MemberUnknown("Name the member by id or by identifier.")
    asking = brand_of(session, caller.registry_id)
    if reference.identifier is not None:
        enrolment = session.get(Enrolment, (asking.slug, reference.identifier))
        if enrolment is not None:
            return session.get_one(Member, enrolment.member_id)
    found = session.get(Member, reference.id)
    if found is not None and found.erased_at_ms is None and _knows(session, asking, found):
        return found
    raise MemberUnknown("This brand knows no such member.")


def _knows(session: Session, brand: Brand, member: Member) -> bool:
    """Whether the brand enrolled the member, or the member holds its points."""
    enrolled = select(Enrolment.identifier).where(Enrolment.brand == brand.slug, Enrolment.member_id == member.id)
    if session.exec(enrolled.limit(1)).first() is not None:
        return True
    return ever_held(looking(session), token=brand.token, account=member.address)


def addresses(
    session: Session, *, slug: str, references: Sequence[MemberReference]
) -> dict[tuple[str, str], tuple[str, Address]]:
    """(how, name) → (member id, address) for those of the references that the brand knows; two statements."""
    named = sorted({wanted.identifier for wanted in references if wanted.identifier is not None})
    by_id = sorted({wanted.id for wanted in references if wanted.id is not None})
    found: dict[tuple[str, str], tuple[str, Address]] = {}
    joined = (
        select(Enrolment.identifier, Member.id, Member.address)
        .join(Member, col(Member.id) == col(Enrolment.member_id))
        .where(Enrolment.brand == slug, col(Member.erased_at_ms).is_(None))
    )

    def rows(wanted: ColumnElement[bool]) -> Iterable[tuple[str, str, Address]]:
        return cast(Iterable[tuple[str, str, Address]], session.exec(joined.where(wanted)))

    if named:
        for identifier, member_id, address in rows(col(Enrolment.identifier).in_(named)):
            found["identifier", identifier] = (member_id, address)
    if by_id:
        for _, member_id, address in rows(col(Member.id).in_(by_id)):
            found["id", member_id] = (member_id, address)
    return found


# Sessions


def create_session(session: Session, *, member_id: str, lifetime_s: int, actor: str) -> tuple[MemberSession, Token]:
    refuse_erased(session, member_id)
    token = new_token("m")
    at_ms = now_ms()
    made = MemberSession(
        id=token.id,
        member_id=member_id,
        secret_hash=token.secret_hash,
        created_at_ms=at_ms,
        expires_at_ms=at_ms + lifetime_s * 1000,
    )
    session.add(made)
    session.flush()
    audit_log.record(
        session.connection(),
        "session.made",
        actor=actor,
        subject=acts_name(member_id),
        lifetime_s=lifetime_s,
        digest=session_digest(made.id, member_id, made.secret_hash, made.expires_at_ms),
    )
    return made, token


def session_to_public(made: MemberSession, token: Token, *, secret: bool) -> SessionCreated:
    return SessionCreated(
        token=token.text if secret else None, member=made.member_id, expires_at=rfc3339(made.expires_at_ms)
    )


def forget_sessions(session: Session) -> None:
    """Drops sessions that were over long ago; until then their bearers are told so."""
    horizon = now_ms() - SESSION_RETENTION_MS
    session.execute(delete(MemberSession).where(col(MemberSession.expires_at_ms) < horizon))


# The first start


@dataclass(frozen=True, slots=True)
class Bootstrapped:
    """What the first start made; keys that existed already are None, because nobody can show them again."""

    operator_key: str | None
    brand_keys: Mapping[str, str | None]


def bootstrap(database: Database, *, documents: Documents | None = None, brand_keys: bool = False) -> Bootstrapped:
    """Makes the operator's key once and takes in every brand that the mirror has; safe to repeat.

    documents: where brands' public names are. brand_keys: also a first key for each brand that has none.
    """
    with database.write() as session:
        operator = session.exec(select(ApiKey).where(ApiKey.kind == "o").limit(1)).first()
        operator_key = None
        if operator is None:
            operator_key = create_key(session, kind="o", slug=None, actor=BOOTSTRAP)[1].text
        take_in(session, documents=documents or Documents(), actor=BOOTSTRAP)
        made: dict[str, str | None] = {}
        for found in brands(session) if brand_keys else ():
            known = session.exec(select(ApiKey).where(ApiKey.brand == found.slug).limit(1)).first()
            made[found.slug] = None
            if known is None:
                made[found.slug] = create_key(session, kind="b", slug=found.slug, actor=BOOTSTRAP)[1].text
    return Bootstrapped(operator_key, made)
