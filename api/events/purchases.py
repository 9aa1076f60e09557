"""Purchases counted: one code for one purchase and for ten thousand lines.

A chunk is a handful of statements: who are these members, which orders are known, the operations, the events.
Event and operation are rows of one transaction, so an order counts at the ledger exactly once.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Literal

from pydantic import TypeAdapter, ValidationError
from sqlalchemy import insert, update
from sqlmodel import Session, col, select

from api.auth.callers import BrandCaller
from api.events import memos
from api.events.errors import CurrencyWrong, PurchaseConflict, RefusalNotFinal, RuleMissing
from api.events.models import Event
from api.events.schemas import PurchaseCreate, is_late
from api.kit.clock import now_ms, rfc3339
from api.kit.database import lock
from api.kit.problems import Problem, RequestMalformed, of_validation
from api.kit.settings import Settings
from api.kit.strict_json import parse
from api.members import service as identity
from api.members.errors import MemberUnknown
from api.writes import backlog
from api.writes.ndjson import Line, LineMalformed, LinesAnswer, line_to_public, refused_line
from api.writes.unit_of_work import UnitOfWork
from chain.contracts.deployment import Deployment
from chain.contracts.memos import Field, memo_root
from chain.mirror.models import MirrorCheckpoint
from chain.outbox import calls, operations
from chain.outbox.operations import Change, NewOperation, OperationView
from chain.storage.columns import table_of

PURCHASE = "purchase"
_adapter = TypeAdapter(PurchaseCreate)


@dataclass(frozen=True, slots=True)
class Counted:
    """What became of one purchase."""

    status: Literal["accepted", "replayed", "retried"]
    operation: int
    member_id: str
    # retried: what refused it before.
    error: str | None = None
    error_args: Mapping[str, Any] | None = None


def count(
    session: Session,
    *,
    settings: Settings,
    deployment: Deployment,
    slug: str,
    purchases: Sequence[PurchaseCreate],
    bulk: bool = False,
) -> list[Counted | Problem]:
    """Counts each purchase once, in order; a refused one changes nothing. bulk: they are lines of a file.

    An order whose award was refused, or waits, is asked again: as it was, or corrected.
    """
    lock(session, f"brand:{slug}")
    brand = identity.brand(session, slug=slug)
    rule = deployment.brands[slug].rules.get(PURCHASE) if slug in deployment.brands else None
    members = identity.addresses(session, slug=slug, references=[wanted.member for wanted in purchases])
    known = _known(session, slug=slug, ids=[wanted.id for wanted in purchases])
    told = memos.texts(session, [operation for _, operation in known.values()]) if known else {}
    refused = _refused(session, [operation for _, operation in known.values()])
    room = backlog.room(session, settings, brand=slug, bulk=bulk)
    results: list[Counted | Problem | int] = []
    fresh: list[NewOperation] = []
    salted: list[list[Field]] = []
    rows: list[dict[str, object]] = []
    at_ms = now_ms()
    for wanted in purchases:
        found = members.get(_reference(wanted))
        if found is None:
            results.append(MemberUnknown("This brand knows no such member; enrol it first."))
            continue
        member_id, address = found
        if wanted.currency != brand.currency:
            results.append(
                CurrencyWrong(f"{slug} counts in {brand.currency}.", currency=wanted.currency, wanted=brand.currency)
            )
            continue
        if rule is None:
            results.append(RuleMissing(f"{slug} publishes no rule for purchases.", brand=slug))
            continue
        content_hash = _content_hash(wanted, member_id)
        before = known.get(wanted.id)
        if before is not None and before[1] not in refused:
            results.append(_again(wanted, before, content_hash, member_id, told))
            continue
        if room == 0:
            results.append(backlog.full(settings, bulk=bulk))
            continue
        if before is not None:
            again = _sent_again(
                session,
                wanted,
                refused[before[1]],
                same=before[0] == content_hash and _same_memo(wanted, before[1], told),
                award=_award(wanted, slug=slug, address=address, rule=rule, bulk=bulk, at_ms=at_ms),
                row=_row(wanted, slug=slug, member_id=member_id, content_hash=content_hash, at_ms=at_ms),
            )
            results.append(again)
            if isinstance(again, Counted):
                del refused[before[1]]
                known[wanted.id] = (content_hash, before[1])
                told.pop(before[1], None)
                if wanted.memo:
                    told[before[1]] = wanted.memo
                room -= 1
            continue
        room -= 1
        known[wanted.id] = (content_hash, -len(fresh) - 1)
        award, fields = _award(wanted, slug=slug, address=address, rule=rule, bulk=bulk, at_ms=at_ms)
        if wanted.memo:
            told[-len(fresh) - 1] = wanted.memo
        salted.append(fields)
        results.append(len(fresh))
        fresh.append(award)
        rows.append(_row(wanted, slug=slug, member_id=member_id, content_hash=content_hash, at_ms=at_ms))
    made = operations.enqueue_many(session.connection(), fresh) if fresh else []
    memos.store(session, {id_: fields for id_, fields in zip(made, salted, strict=True) if fields})
    if rows:
        for row, operation in zip(rows, made, strict=True):
            row["operation"] = operation
        session.connection().execute(insert(table_of(Event)), rows)
    return [_settle(result, made, rows) for result in results]


def _award(
    wanted: PurchaseCreate, *, slug: str, address: str, rule: int, bulk: bool, at_ms: int
) -> tuple[NewOperation, list[Field]]:
    """The award of a purchase, and its memo with salts."""
    fields = memos.salted(wanted.memo) if wanted.memo else []
    award = calls.award(
        key=f"{PURCHASE}/{slug}/{wanted.id}",
        brand=slug,
        member=address,
        rule=rule,
        base_amount=wanted.amount,
        memo_root=memo_root(fields) if fields else None,
        bulk=bulk,
    )
    until_ms = at_ms + 1000 * wanted.retry_for_s if wanted.retry_for_s else None
    return replace(award, retry_until_ms=until_ms), fields


def _row(wanted: PurchaseCreate, *, slug: str, member_id: str, content_hash: str, at_ms: int) -> dict[str, object]:
    return {
        "brand": slug,
        "kind": PURCHASE,
        "external_id": wanted.id,
        "member_id": member_id,
        "amount": str(wanted.amount),
        "currency": wanted.currency,
        "occurred_at_ms": int(wanted.occurred_at.timestamp() * 1000),
        "received_at_ms": at_ms,
        "content_hash": content_hash,
    }


def _refused(session: Session, ids: Sequence[int]) -> dict[int, OperationView]:
    """Those of the operations that are refused or wait."""
    found = operations.get_many(session.connection(), ids) if ids else {}
    return {id: view for id, view in found.items() if view.state in (operations.FAILED, operations.WAITING)}


def _sent_again(
    session: Session,
    wanted: PurchaseCreate,
    refused: OperationView,
    *,
    same: bool,
    award: tuple[NewOperation, list[Field]],
    row: dict[str, object],
) -> Counted | RefusalNotFinal:
    """Asks for a refused award once more, under the id that the contract counts once; corrected unless `same`."""
    asked, fields = award
    if same:
        change = Change(retry_until_ms=asked.retry_until_ms)
    else:
        if not _is_final(session, refused.id):
            return RefusalNotFinal(
                f"The refusal of order {wanted.id} is not final yet; correct it in a moment.", id=wanted.id
            )
        change = Change(asked.payload, asked.lane, _fact_of(session, refused.id), asked.retry_until_ms)
        event = table_of(Event)
        session.connection().execute(update(event).where(event.c.operation == refused.id).values(row))
        memos.replace(session, refused.id, fields)
    operations.again(session, refused.id, change)
    return Counted("retried", refused.id, str(row["member_id"]), refused.error, refused.error_args)


def _is_final(session: Session, operation: int) -> bool:
    """Whether no reorg can bring a refusal of this operation back to the chain, to count what was asked then."""
    highest = operations.refused_in(session.connection(), [operation]).get(operation)
    if highest is None:
        return True
    final = session.exec(select(MirrorCheckpoint.final_number).where(col(MirrorCheckpoint.id) == 1)).one_or_none()
    return final is not None and highest <= final


def _fact_of(session: Session, operation: int) -> dict[str, str]:
    """What the order said until now."""
    event = session.exec(select(Event).where(col(Event.operation) == operation)).one()
    return {
        "member": event.member_id,
        "amount": event.amount,
        "currency": event.currency,
        "occurred_at": rfc3339(event.occurred_at_ms),
    }


def purchase_lines(caller: BrandCaller, write: UnitOfWork) -> LinesAnswer:
    """Counts the purchase of each line."""

    def handle(session: Session, lines: Sequence[Line]) -> list[bytes]:
        state = write.state
        return count_lines(session, settings=state.settings, deployment=state.deployment, slug=caller.slug, lines=lines)

    return LinesAnswer(caller=caller, write=write, handle=handle)


def count_lines(
    session: Session, *, settings: Settings, deployment: Deployment, slug: str, lines: Sequence[Line]
) -> list[bytes]:
    """An answer line for each line."""
    read = [_read(line, settings.programme_start) for line in lines]
    at_ms = now_ms()
    purchases = [wanted for wanted in read if isinstance(wanted, PurchaseCreate)]
    counted = iter(count(session, settings=settings, deployment=deployment, slug=slug, purchases=purchases, bulk=True))
    answers = []
    for line, wanted in zip(lines, read, strict=True):
        if isinstance(wanted, Problem):
            answers.append(refused_line(line.number, wanted))
            continue
        result = next(counted)
        if isinstance(result, Problem):
            answers.append(refused_line(line.number, result, id=wanted.id))
        else:
            before = {"error": result.error, "error_args": result.error_args} if result.status == "retried" else {}
            occurred_at_ms = int(wanted.occurred_at.timestamp() * 1000)
            answers.append(
                line_to_public(
                    line.number,
                    result.status,
                    id=wanted.id,
                    operation=str(result.operation),
                    occurred_at=rfc3339(occurred_at_ms),
                    late=is_late(occurred_at_ms=occurred_at_ms, received_at_ms=at_ms),
                    **before,
                )
            )
    return answers


def _read(line: Line, programme_start: datetime | None) -> PurchaseCreate | Problem:
    if line.refused is not None:
        return line.refused
    try:
        parse(line.raw, newlines=True)
        return _adapter.validate_json(line.raw, context={"programme_start": programme_start})
    except RequestMalformed as refused:
        return LineMalformed(refused.detail)
    except Problem as refused:
        return refused
    except ValidationError as fault:
        problem = of_validation(fault.errors())
        if problem.error == "RequestMalformed":
            return LineMalformed(problem.detail, **problem.facts)
        return problem


def _known(session: Session, *, slug: str, ids: Sequence[str]) -> dict[str, tuple[str, int]]:
    """Order id → (content hash, operation) of those counted before."""
    rows = session.exec(
        select(Event.external_id, Event.content_hash, Event.operation).where(
            col(Event.brand) == slug, col(Event.kind) == PURCHASE, col(Event.external_id).in_(ids)
        )
    )
    return {external_id: (content_hash, operation) for external_id, content_hash, operation in rows}


def _again(
    wanted: PurchaseCreate,
    before: tuple[str, int],
    content_hash: str,
    member_id: str,
    told: Mapping[int, dict[str, str] | None],
) -> Counted | PurchaseConflict:
    if before[0] != content_hash or not _same_memo(wanted, before[1], told):
        return PurchaseConflict(
            f"Order {wanted.id} was reported before with another content; an order counts once.", id=wanted.id
        )
    return Counted("replayed", before[1], member_id)


def _same_memo(wanted: PurchaseCreate, operation: int, told: Mapping[int, dict[str, str] | None]) -> bool:
    """Compared with what is kept of the memo, not by a hash: a hash would outlive its erasure."""
    return told[operation] in (None, wanted.memo) if operation in told else not wanted.memo


def _settle(
    result: Counted | Problem | int, made: Sequence[int], rows: Sequence[dict[str, object]]
) -> Counted | Problem:
    """Puts in the operation that a fresh purchase, or its repetition in the same chunk, was given."""
    if isinstance(result, int):
        return Counted("accepted", made[result], str(rows[result]["member_id"]))
    if isinstance(result, Counted) and result.operation < 0:
        return Counted("replayed", made[-result.operation - 1], result.member_id)
    return result


def _reference(wanted: PurchaseCreate) -> tuple[str, str]:
    if wanted.member.identifier is not None:
        return "identifier", wanted.member.identifier
    return "id", wanted.member.id or ""


def _content_hash(wanted: PurchaseCreate, member_id: str) -> str:
    """The same for the same purchase, however its member was named and its time was written."""
    at = wanted.occurred_at.astimezone(UTC).isoformat()
    content = f"{member_id}\n{wanted.amount}\n{wanted.currency}\n{at}\n{wanted.free}"
    return hashlib.sha256(content.encode()).hexdigest()
