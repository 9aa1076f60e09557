"""Facts taken and rewarded: one code for one report and for ten thousand lines, and for every kind.

A chunk is a handful of statements: who are these members, which facts are known, the operations, the facts, the awards.
They are rows of one transaction, so that a fact counts at the ledger exactly once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from pydantic import ValidationError
from sqlmodel import Session

from api.auth.callers import BrandCaller
from api.decisions import awards
from api.decisions.awards import Decided
from api.events import facts, memos
from api.events.errors import FactConflict, RefusalNotFinal
from api.events.facts import Row
from api.events.kinds import FactKind
from api.events.models import Event
from api.events.schemas import FactCreate, is_late
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
from chain.contracts.memos import Field, memo_root
from chain.mirror.queries.checkpoint import checkpoint
from chain.outbox import locked, operations
from chain.outbox.operations import Change, OperationView
from chain.storage.looks import looking

Memos = dict[int, dict[str, str] | None]


@dataclass(frozen=True, slots=True)
class Counted:
    """What became of one fact."""

    status: Literal["accepted", "replayed", "retried"]
    operation: int
    member_id: str
    # retried: what refused it before.
    error: str | None = None
    error_args: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class _Known:
    """A fact that was reported before; a negative operation is the place of one in this very chunk."""

    content_hash: str
    operation: int
    event: int = 0


def count(
    session: Session,
    *,
    settings: Settings,
    brand: int,
    kind: FactKind,
    wanted: Sequence[FactCreate],
    bulk: bool = False,
) -> list[Counted | Problem]:
    """Counts each fact of a brand (the registry's id) once, in order; a refused one changes nothing.

    bulk: they are lines of a file.

    A fact whose award was refused, or waits, is asked again: as it was, or corrected.
    """
    lock(session, f"brand:{brand}")
    source = identity.brand_of(session, brand)
    slug = source.slug
    decider = awards.decider(session, kind=kind, brand=source)
    members = identity.addresses(session, slug=slug, references=[one.member for one in wanted])
    known = _known(session, slug=slug, kind=kind, ids=[one.id for one in wanted])
    told: Memos = memos.texts(session, [one.operation for one in known.values()]) if known else {}
    refused = _refused(session, [one.operation for one in known.values()])
    room = backlog.room(session, settings, brand=brand, bulk=bulk)
    results: list[Counted | Problem | int] = []
    fresh: list[tuple[Row, Decided, list[Field]]] = []
    for one in wanted:
        found = members.get(_reference(one))
        if found is None:
            results.append(MemberUnknown("This brand knows no such member; enrol it first."))
            continue
        member_id, address = found
        row = facts.row_of(kind, one, source=slug, subject=member_id, at_ms=decider.at_ms)
        refusal = decider.refusal(row["data"])
        if refusal is not None:
            results.append(refusal)
            continue
        before = known.get(one.id)
        same = before is not None and before.content_hash == row["content_hash"] and _same_memo(one, before, told)
        if before is not None and before.operation not in refused:
            results.append(
                Counted("replayed", before.operation, member_id)
                if same
                else _conflict(session, kind, row, before, fresh)
            )
            continue
        missing = decider.missing(row["occurred_at_ms"]) or decider.beyond(row["data"])
        missing = missing or (backlog.full(settings, bulk=bulk) if room == 0 else None)
        if missing is not None:
            results.append(missing)
            continue
        fields = memos.salted(one.memo) if one.memo else []
        decided = decider.decide(
            row["data"],
            external_id=one.id,
            occurred_at_ms=row["occurred_at_ms"],
            address=address,
            memo_root=memo_root(fields) if fields else None,
            bulk=bulk,
            retry_for_s=one.retry_for_s,
        )
        if before is not None:
            again = _sent_again(session, before, refused[before.operation], row, decided, fields, same=same)
            results.append(again)
            if isinstance(again, Counted):
                del refused[before.operation]
                known[one.id] = _Known(row["content_hash"], before.operation, before.event)
                _tell(told, before.operation, one)
                room -= 1
            continue
        room -= 1
        place = -len(fresh) - 1
        known[one.id] = _Known(row["content_hash"], place)
        _tell(told, place, one)
        results.append(len(fresh))
        fresh.append((row, decided, fields))
    made = _write(session, fresh)
    return [_settle(result, made, fresh) for result in results]


def receive_lines(caller: BrandCaller, write: UnitOfWork, kind: FactKind) -> LinesAnswer:
    """Counts the fact of each line."""

    def handle(session: Session, lines: Sequence[Line]) -> list[bytes]:
        return count_lines(session, settings=write.state.settings, brand=caller.registry_id, kind=kind, lines=lines)

    return LinesAnswer(caller=caller, write=write, handle=handle)


def count_lines(
    session: Session, *, settings: Settings, brand: int, kind: FactKind, lines: Sequence[Line]
) -> list[bytes]:
    """An answer line for each line."""
    read = [_read(kind, line, settings.programme_start) for line in lines]
    at_ms = now_ms()
    wanted = [one for one in read if isinstance(one, FactCreate)]
    results = count(session, settings=settings, brand=brand, kind=kind, wanted=wanted, bulk=True)
    due_ms = locked.due_ms_of(session, [one.operation for one in results if isinstance(one, Counted)])
    counted = iter(results)
    answers = []
    for line, one in zip(lines, read, strict=True):
        if isinstance(one, Problem):
            answers.append(refused_line(line.number, one))
            continue
        result = next(counted)
        if isinstance(result, Problem):
            answers.append(refused_line(line.number, result, id=one.id))
        else:
            before = {"error": result.error, "error_args": result.error_args} if result.status == "retried" else {}
            occurred_at_ms = int(one.occurred_at.timestamp() * 1000)
            if result.operation in due_ms:
                before["locked_until"] = rfc3339(due_ms[result.operation])
            answers.append(
                line_to_public(
                    line.number,
                    result.status,
                    id=one.id,
                    operation=str(result.operation),
                    occurred_at=rfc3339(occurred_at_ms),
                    late=is_late(occurred_at_ms=occurred_at_ms, received_at_ms=at_ms),
                    **before,
                )
            )
    return answers


def _read(kind: FactKind, line: Line, programme_start: datetime | None) -> FactCreate | Problem:
    if line.refused is not None:
        return line.refused
    try:
        parse(line.raw, newlines=True)
        read: FactCreate = kind.adapter.validate_json(line.raw, context={"programme_start": programme_start})
        return read
    except RequestMalformed as refused:
        return LineMalformed(refused.detail)
    except Problem as refused:
        return refused
    except ValidationError as fault:
        problem = of_validation(fault.errors())
        if problem.error == "RequestMalformed":
            return LineMalformed(problem.detail, **problem.facts)
        return problem


def _known(session: Session, *, slug: str, kind: FactKind, ids: Sequence[str]) -> dict[str, _Known]:
    """The facts that were reported before, with what they were decided to be worth."""
    found = facts.known(session, source=slug, kind=kind, ids=ids)
    made = awards.operations_of(session, [one.event for one in found.values()])
    return {id: _Known(one.content_hash, made[one.event], one.event) for id, one in found.items()}


def _refused(session: Session, ids: Sequence[int]) -> dict[int, OperationView]:
    """Those of the operations that are refused or wait."""
    found = operations.get_many(session.connection(), ids) if ids else {}
    return {id: view for id, view in found.items() if view.state in (operations.FAILED, operations.WAITING)}


def _sent_again(
    session: Session,
    before: _Known,
    refused: OperationView,
    row: Row,
    decided: Decided,
    fields: list[Field],
    *,
    same: bool,
) -> Counted | RefusalNotFinal:
    """Asks for a refused award once more, under the id that the contract counts once; corrected unless `same`."""
    asked, id = decided.operation, row["external_id"]
    if same:
        change = Change(retry_until_ms=asked.retry_until_ms)
    else:
        if not _is_final(session, refused.id):
            return RefusalNotFinal(
                f"The refusal of {row['type']} {id} is not final yet; correct it in a moment.", id=id
            )
        said = facts.correct(session, before.event, row)
        awards.change(session, before.event, decided)
        change = Change(asked.payload, asked.ordering_key, said, asked.retry_until_ms, asked.due_at_ms)
        memos.replace(session, refused.id, fields)
    operations.again(session, refused.id, change)
    return Counted("retried", refused.id, str(row["subject"]), refused.error, refused.error_args)


def _is_final(session: Session, operation: int) -> bool:
    """Whether no reorg can bring a refusal of this operation back to the chain, to count what was asked then."""
    highest = operations.refused_in(session.connection(), [operation]).get(operation)
    if highest is None:
        return True
    at = checkpoint(looking(session))
    return at is not None and at.finality(highest) == "final"


def _write(session: Session, fresh: Sequence[tuple[Row, Decided, list[Field]]]) -> list[int]:
    """Facts, what they are worth, and their memos; gives the operations, in the same order."""
    if not fresh:
        return []
    made = operations.enqueue_many(session.connection(), [decided.operation for _, decided, _ in fresh])
    events = facts.store(session, [row for row, _, _ in fresh])
    awards.store(session, [decided for _, decided, _ in fresh], events=events, made=made)
    memos.store(session, {id: fields for id, (_, _, fields) in zip(made, fresh, strict=True) if fields})
    return made


def _conflict(
    session: Session,
    kind: FactKind,
    row: Row,
    before: _Known,
    fresh: Sequence[tuple[Row, Decided, list[Field]]],
) -> FactConflict:
    """With what is kept and what was sent; a memo is told in neither."""
    if before.operation < 0:
        kept = facts.content_of(fresh[-before.operation - 1][0])
    else:
        kept = facts.content_of(session.get_one(Event, before.event).model_dump())
    id = row["external_id"]
    return kind.conflict(
        f"{kind.name.capitalize()} {id} was reported before with another content; it counts once.",
        id=id,
        kept=kept,
        sent=facts.content_of(row),
    )


def _same_memo(wanted: FactCreate, before: _Known, told: Memos) -> bool:
    """Compared with what is kept of the memo, not by a hash: a hash would outlive its erasure."""
    return told[before.operation] in (None, wanted.memo) if before.operation in told else not wanted.memo


def _tell(told: Memos, operation: int, wanted: FactCreate) -> None:
    told.pop(operation, None)
    if wanted.memo:
        told[operation] = wanted.memo


def _settle(
    result: Counted | Problem | int, made: Sequence[int], fresh: Sequence[tuple[Row, Decided, list[Field]]]
) -> Counted | Problem:
    """Puts in the operation that a fresh fact, or its repetition in the same chunk, was given."""
    if isinstance(result, int):
        return Counted("accepted", made[result], str(fresh[result][0]["subject"]))
    if isinstance(result, Counted) and result.operation < 0:
        return Counted("replayed", made[-result.operation - 1], result.member_id)
    return result


def _reference(wanted: FactCreate) -> tuple[str, str]:
    if wanted.member.identifier is not None:
        return "identifier", wanted.member.identifier
    return "id", wanted.member.id or ""
