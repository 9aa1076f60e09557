"""Events as they are told, replayed, and the rules by which they are taken. Nobody here commits."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

import orjson
from sqlmodel import Session, col, select

from api import audit_log
from api.auth.callers import BrandCaller
from api.events.schemas import AHEAD, LATE
from api.identity import groups
from api.ingest.kinds import KINDS
from api.ingest.models import WORDS, ReportedEvent
from api.ingest.reading import Reported
from api.ingest.schemas import (
    EVENTS_MAX,
    CeilingPublic,
    EventKindPolicy,
    EventLine,
    EventPage,
    EventPolicy,
    EventPublic,
    EventTaken,
)
from api.ingest.taking import Taken, late
from api.kit.clock import rfc3339
from api.kit.currency import DECIMALS, decimals_of
from api.kit.problems import Problem
from api.members import service as members
from api.members.models import Brand
from api.vault.sealing import Vault


def told(taken: Taken) -> EventTaken:
    event = taken.event
    return EventTaken(
        status=taken.status,
        source=event.source,
        id=event.external_id,
        number=str(event.id),
        type=event.type,
        member=event.member_id,
        occurred_at=rfc3339(event.occurred_at_ms),
        received_at=rfc3339(event.received_at_ms),
        late=late(event),
        operation=None if event.operation is None else str(event.operation),
    )


def told_line(line: int, one: Reported | Problem, result: Taken | Problem) -> EventLine:
    """The answer to one of several."""
    if isinstance(result, Taken):
        return EventLine(line=line, **told(result).model_dump())
    if isinstance(one, Problem):
        return EventLine(line=line, status="refused", problem=result.document())
    return EventLine(
        line=line,
        status="refused",
        source=one.envelope.source,
        id=one.envelope.id,
        type=one.kind.name,
        problem=result.document(),
    )


def page(
    session: Session,
    vault: Vault,
    *,
    brand: int,
    after: int,
    limit: int,
    kind: str | None = None,
    member_id: str | None = None,
) -> EventPage:
    """A brand's events after a number. Of one named person what they said is told too, and of nobody else."""
    rows = select(ReportedEvent).where(col(ReportedEvent.brand_id) == brand, col(ReportedEvent.id) > after)
    if kind is not None:
        rows = rows.where(col(ReportedEvent.type) == kind)
    if member_id is not None:
        person = groups.group_of(session, groups.root_of(session, member_id))
        rows = rows.where(col(ReportedEvent.member_id).in_([one.id for one in person]))
    found = list(session.exec(rows.order_by(col(ReportedEvent.id)).limit(limit)))
    words = member_id is not None
    return EventPage(
        events=[told_event(one, opened(vault, one) if words else {}) for one in found],
        next_after=str(found[-1].id if found else after),
    )


def told_event(event: ReportedEvent, words: dict[str, Any]) -> EventPublic:
    return EventPublic(
        number=str(event.id),
        source=event.source,
        id=event.external_id,
        type=event.type,
        member=event.member_id,
        occurred_at=rfc3339(event.occurred_at_ms),
        received_at=rfc3339(event.received_at_ms),
        late=late(event),
        data={**event.data, **words},
        operation=None if event.operation is None else str(event.operation),
    )


def opened(vault: Vault, event: ReportedEvent) -> dict[str, Any]:
    """What a member said in an event; nothing once it is forgotten."""
    if event.words is None or event.member_id is None:
        return {}
    plain = vault.open(event.member_id, WORDS, event.words)
    return {} if plain is None else dict(orjson.loads(plain))


def set_ceiling(session: Session, *, caller: BrandCaller, amount: int | None) -> CeilingPublic:
    """The brand's ceiling for one purchase; None: none."""
    brand = members.brand_of(session, caller.registry_id)
    brand.purchase_ceiling = None if amount is None else str(amount)
    session.add(brand)
    session.flush()
    audit_log.record(
        session.connection(),
        "brand.ceiling",
        actor=caller.actor,
        subject=f"brand/{brand.slug}",
        amount=brand.purchase_ceiling,
    )
    return told_ceiling(brand)


def told_ceiling(brand: Brand) -> CeilingPublic:
    return CeilingPublic(amount=brand.purchase_ceiling, currency=brand.currency, decimals=decimals_of(brand.currency))


@cache
def policy() -> EventPolicy:
    """The published rules."""
    return EventPolicy(
        kinds=[
            EventKindPolicy(
                name=kind.name,
                whose=kind.whose,
                sealed=sorted(kind.personal),
                data=kind.schema.model_json_schema(ref_template="#/$defs/{model}"),
            )
            for kind in KINDS.values()
        ],
        ahead_s=int(AHEAD.total_seconds()),
        late_s=int(LATE.total_seconds()),
        batch_max=EVENTS_MAX,
        decimals=dict(sorted(DECIMALS.items())),
    )


def told_lines(
    numbers: Sequence[int], wanted: Sequence[Reported | Problem], results: Sequence[Taken | Problem]
) -> list[EventLine]:
    return [told_line(*one) for one in zip(numbers, wanted, results, strict=True)]
