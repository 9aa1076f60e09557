"""What the gateway calls the brands of the registry: a name for each that the mirror shows, which may be changed.

The chain knows a brand by its id and has the hash of its public names. Whoever has the document with that hash among
the deployment's documents calls the brand so from its first block on; without it the brand goes by its token's symbol,
or by its number. Nobody here commits.
"""

from __future__ import annotations

import re

from pydantic import ValidationError
from sqlmodel import Session, select

from api import audit_log
from api.kit.addresses import checksum
from api.kit.clock import now_ms, rfc3339
from api.kit.database import Snapshot, lock
from api.kit.problems import Problem
from api.kit.strict_json import parse
from api.kit.texts import has_invisible
from api.members.errors import BrandExists, BrandUnknown
from api.members.models import Brand
from api.members.schemas import NAME_CHARS_MAX, RESERVED, SYMBOL_CHARS_MAX, BrandChange, BrandNames, BrandPublic
from chain.base.scalars import RegistryId
from chain.mirror.queries import brands as mirrored
from chain.mirror.queries.brands import BrandToken
from chain.storage.documents import Documents
from chain.storage.looks import looking

DECIMALS = 2
BRANDS_MAX = 1_000
TAKEN_AT_ONCE_MAX = 100
COLOURS = ("#3b5bdb", "#c2410c", "#0f766e", "#7e22ce", "#be123c", "#4d7c0f")
CURRENCY = "USD"
_SLUG = re.compile(r"[a-z][a-z0-9-]{1,31}")

_KNOWN = "SELECT CAST(registry_id AS TEXT), token FROM brand ORDER BY registry_id LIMIT ?"


def any_unknown(read: Snapshot) -> bool:
    """Whether the mirror shows a brand that has no name here, or has another token than we know it by."""
    known = {(brand_id, token) for brand_id, token in read.rows(_KNOWN, BRANDS_MAX)}
    return any(tuple(brand) not in known for brand in mirrored.named(read, limit=BRANDS_MAX))


def take_in(session: Session, *, documents: Documents, actor: str) -> list[Brand]:
    """Names every brand of the mirror that has no name yet, at most TAKEN_AT_ONCE_MAX of them."""
    lock(session, "brands")
    known = {str(brand.registry_id): brand for brand in session.exec(select(Brand).order_by(Brand.slug))}
    tokens = mirrored.all_tokens(looking(session), limit=BRANDS_MAX)
    new = [one for one in tokens if one.brand_id not in known or known[one.brand_id].token != one.token]
    return [_taken_in(session, token, known.get(token.brand_id), documents, actor) for token in new[:TAKEN_AT_ONCE_MAX]]


def rename(session: Session, *, slug: str, wanted: BrandChange, actor: str) -> Brand:
    """Calls a brand otherwise; BrandExists when another brand has the slug."""
    lock(session, "brands")
    found = session.get(Brand, slug)
    if found is None:
        raise BrandUnknown(f"No brand is called {slug}.", brand=slug)
    if wanted.slug not in (None, slug) and session.get(Brand, wanted.slug) is not None:
        raise BrandExists(f"A brand is called {wanted.slug} already.", brand=wanted.slug)
    for name, value in wanted.model_dump(exclude_none=True).items():
        setattr(found, name, value)
    session.add(found)
    session.flush()
    audit_log.record(
        session.connection(),
        "brand.named",
        actor=actor,
        subject=f"brand/{slug}",
        brand=found.slug,
        brand_id=str(found.registry_id),
    )
    return found


def told(found: Brand) -> BrandPublic:
    return BrandPublic(
        slug=found.slug,
        name=found.name,
        symbol=found.symbol,
        colour=found.colour,
        currency=found.currency,
        country=found.country,
        decimals=found.decimals,
        brand_id=str(found.registry_id),
        token=checksum(found.token),
        created_at=rfc3339(found.created_at_ms),
    )


def _taken_in(
    session: Session,
    token: BrandToken,
    known: Brand | None,
    documents: Documents,
    actor: str,
) -> Brand:
    registry_id = RegistryId(int(token.brand_id))
    if known is None:
        names = _published(documents, token.metadata_hash)
        if names is None or session.get(Brand, names.slug) is not None:
            names = _of_token(session, token, registry_id)
        known = Brand(
            **names.model_dump(),
            decimals=DECIMALS,
            registry_id=registry_id,
            token=token.token,
            created_at_ms=now_ms(),
        )
    # The chain took the invitation back and the same id went to another token.
    known.token = token.token
    session.add(known)
    session.flush()
    audit_log.record(
        session.connection(),
        "brand.made",
        actor=actor,
        subject=f"brand/{known.slug}",
        brand=known.slug,
        brand_id=str(registry_id),
        token=known.token,
    )
    return known


def _published(documents: Documents, metadata_hash: str | None) -> BrandNames | None:
    """The names whose hash the chain has, when the document is here and is one."""
    content = None if metadata_hash is None else documents.read(metadata_hash)
    try:
        return None if content is None else BrandNames.model_validate(parse(content))
    except (Problem, ValidationError):
        return None


def _of_token(session: Session, token: BrandToken, registry_id: int) -> BrandNames:
    """Names from what the token says of itself, which may be anything."""
    wanted = token.symbol.lower()
    free = _SLUG.fullmatch(wanted) is not None and wanted not in RESERVED and session.get(Brand, wanted) is None
    slug = wanted if free else f"brand-{registry_id}"
    return BrandNames(
        slug=slug if free or session.get(Brand, slug) is None else f"brand-{registry_id}-{token.token[2:10]}",
        name=_shown(token.name, NAME_CHARS_MAX) or slug,
        symbol=_shown(token.symbol, SYMBOL_CHARS_MAX) or str(registry_id)[:SYMBOL_CHARS_MAX],
        colour=COLOURS[registry_id % len(COLOURS)],
        currency=CURRENCY,
    )


def _shown(text: str, chars_max: int) -> str:
    """The text without what a screen does not show, cut to a length."""
    return "".join(one for one in text if one.isprintable() and not has_invisible(one)).strip()[:chars_max]
