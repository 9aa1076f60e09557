"""Purchases counted: one code for one purchase and for ten thousand lines.

A chunk is a handful of statements: who are these members, which orders are known, the operations, the events.
Event and operation are rows of one transaction, so an order counts at the ledger exactly once.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC
from typing import Literal

from pydantic import TypeAdapter, ValidationError
from sqlalchemy import insert
from sqlmodel import Session, col, select

from api.auth.callers import BrandCaller
from api.events import memos
from api.events.errors import CurrencyWrong, PurchaseConflict, RuleMissing
from api.events.models import Event
from api.events.schemas import PurchaseCreate
from api.kit.clock import now_ms
from api.kit.database import lock
from api.kit.problems import Problem, of_validation
from api.members import service as identity
from api.members.errors import MemberUnknown
from api.writes.ndjson import Line, LineMalformed, LinesAnswer, line_to_public, refused_line
from api.writes.unit_of_work import UnitOfWork
from chain.contracts.deployment import Deployment
from chain.contracts.memos import Field, memo_root
from chain.outbox import calls, operations
from chain.outbox.operations import NewOperation
from chain.storage.columns import table_of

PURCHASE = "purchase"
_adapter = TypeAdapter(PurchaseCreate)


@dataclass(frozen=True, slots=True)
class Counted:
    """What became of one purchase."""

    status: Literal["accepted", "replayed"]
    operation: int
    member_id: str


def count(
    session: Session, *, deployment: Deployment, slug: str, purchases: Sequence[PurchaseCreate], bulk: bool = False
) -> list[Counted | Problem]:
    """Counts each purchase once, in order; a refused one changes nothing. bulk: they are lines of a file."""
    lock(session, f"brand:{slug}")
    brand = identity.brand(session, slug=slug)
    rule = deployment.brands[slug].rules.get(PURCHASE) if slug in deployment.brands else None
    members = identity.addresses(session, slug=slug, references=[wanted.member for wanted in purchases])
    known = _known(session, slug=slug, ids=[wanted.id for wanted in purchases])
    told = memos.texts(session, [operation for _, operation in known.values()]) if known else {}
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
        if before is not None:
            results.append(_again(wanted, before, content_hash, member_id, told))
            continue
        known[wanted.id] = (content_hash, -len(fresh) - 1)
        fields = memos.salted(wanted.memo) if wanted.memo else []
        if wanted.memo:
            told[-len(fresh) - 1] = wanted.memo
        salted.append(fields)
        results.append(len(fresh))
        occurred_at_ms = int(wanted.occurred_at.timestamp() * 1000)
        fresh.append(
            calls.award(
                key=f"{PURCHASE}/{slug}/{wanted.id}",
                brand=slug,
                member=address,
                rule=rule,
                base_amount=wanted.amount,
                memo_root=memo_root(fields) if fields else None,
                bulk=bulk,
            )
        )
        rows.append(
            {
                "brand": slug,
                "kind": PURCHASE,
                "external_id": wanted.id,
                "member_id": member_id,
                "amount": str(wanted.amount),
                "currency": wanted.currency,
                "occurred_at_ms": occurred_at_ms,
                "received_at_ms": at_ms,
                "content_hash": content_hash,
            }
        )
    made = operations.enqueue_many(session.connection(), fresh) if fresh else []
    memos.store(session, {id_: fields for id_, fields in zip(made, salted, strict=True) if fields})
    if rows:
        for row, operation in zip(rows, made, strict=True):
            row["operation"] = operation
        session.connection().execute(insert(table_of(Event)), rows)
    return [_settle(result, made, rows) for result in results]


def purchase_lines(caller: BrandCaller, write: UnitOfWork) -> LinesAnswer:
    """Counts the purchase of each line."""

    def handle(session: Session, lines: Sequence[Line]) -> list[bytes]:
        return count_lines(session, deployment=write.state.deployment, slug=caller.slug, lines=lines)

    return LinesAnswer(caller=caller, write=write, handle=handle)


def count_lines(session: Session, *, deployment: Deployment, slug: str, lines: Sequence[Line]) -> list[bytes]:
    """An answer line for each line."""
    read = [_read(line) for line in lines]
    purchases = [wanted for wanted in read if isinstance(wanted, PurchaseCreate)]
    counted = iter(count(session, deployment=deployment, slug=slug, purchases=purchases, bulk=True))
    answers = []
    for line, wanted in zip(lines, read, strict=True):
        if isinstance(wanted, Problem):
            answers.append(refused_line(line.number, wanted))
            continue
        result = next(counted)
        if isinstance(result, Problem):
            answers.append(refused_line(line.number, result, id=wanted.id))
        else:
            answers.append(line_to_public(line.number, result.status, id=wanted.id, operation=str(result.operation)))
    return answers


def _read(line: Line) -> PurchaseCreate | Problem:
    if line.refused is not None:
        return line.refused
    try:
        return _adapter.validate_json(line.raw)
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
    # The memo is compared with what is kept of it, not by a hash: a hash would outlive its erasure.
    same_memo = told[before[1]] in (None, wanted.memo) if before[1] in told else not wanted.memo
    if before[0] != content_hash or not same_memo:
        return PurchaseConflict(
            f"Order {wanted.id} was reported before with another content; an order counts once.", id=wanted.id
        )
    return Counted("replayed", before[1], member_id)


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
