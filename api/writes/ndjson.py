"""Bodies of many lines: read as they come, a chunk of lines a transaction, an answer line for each.

A bad line is refused alone and named by its number; the others count. The idempotency key is bound to the
lines by a running hash, marked after every chunk in the chunk's own transaction: the same key with another
body is refused at the first line that differs from a mark, and a body cut off half way may simply be sent
again. What counts once inside a batch is each line's own id (the brand's order id, the member's identifier).

The answers leave through a queue of their own: a caller that sends all before it reads must not lock us
both up. The queue is bounded by the number of lines that a body may have.

    Problem
    ├── LineMalformed    422   not a JSON object of the right shape
    ├── LineTooLong      413
    └── LinesTooMany     413
"""

from __future__ import annotations

import asyncio
import hashlib
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeGuard

import orjson
from fastapi import Request
from fastapi.routing import APIRoute
from pydantic import BaseModel
from sqlmodel import Session
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response
from starlette.routing import BaseRoute
from starlette.types import Receive, Scope, Send

from api.audit_log.refusals import NOTED
from api.audit_log.tallies import add as add_counts
from api.audit_log.tallies import counted
from api.auth.callers import Caller
from api.kit import problems
from api.kit.problems import Problem
from api.writes.idempotency import Claim, IdempotencyKeyReused, claim, mark, marks
from api.writes.unit_of_work import UnitOfWork

NDJSON = "application/x-ndjson"
MEDIA_TYPES = frozenset({NDJSON, "application/ndjson", "application/jsonl"})
# A caller that sends slowly gets its answers after this pause, not when a chunk is full.
PAUSE_S = 0.05
UNSIGNED: set[type[BaseModel]] = set()
END_MARK = 0
# What stands for the body of a batch beside the bodies of single writes.
BATCH = "ndjson"


class LineMalformed(Problem):
    """The line is not a JSON object of the right shape."""

    status = 422


class LineTooLong(Problem):
    """The line is longer than a line may be."""

    status = 413


class LinesTooMany(Problem):
    """The body has more lines than one request may have."""

    status = 413


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the body; number counts from 1. refused: known to be bad before it was read."""

    number: int
    raw: bytes
    refused: Problem | None = None


# Gives one answer line per line, in order, inside the chunk's transaction.
Handle = Callable[[Session, Sequence[Line]], list[bytes]]


def is_ndjson(request: Request) -> bool:
    return request.headers.get("content-type", "").partition(";")[0].strip().lower() in MEDIA_TYPES


def either_body(model: type[BaseModel]) -> dict[str, Any]:
    """OpenAPI of a body that is one JSON object or NDJSON lines of them."""
    schema = schema_of(model)
    return {
        "requestBody": {
            "required": True,
            "content": {
                "application/json": {"schema": schema},
                NDJSON: {"schema": {"type": "string", "description": f"A {model.__name__} a line."}},
            },
        }
    }


def takes_lines(route: BaseRoute) -> TypeGuard[APIRoute]:
    """Whether the route was described by `either_body`."""
    body = (getattr(route, "openapi_extra", None) or {}).get("requestBody", {})
    return NDJSON in body.get("content", {})


def schema_of(model: type[BaseModel]) -> dict[str, Any]:
    """A reference to a model that no signature names; api/openapi.py puts it into the document."""
    UNSIGNED.add(model)
    return {"$ref": f"#/components/schemas/{model.__name__}"}


def line_to_public(number: int, status: str, **facts: Any) -> bytes:
    """One answer line, without its end."""
    return orjson.dumps({"line": number, "status": status, **facts})


def refused_line(number: int, problem: Problem, **facts: Any) -> bytes:
    return line_to_public(number, "refused", **facts, problem=problem.document())


class Splitter:
    """Cuts a stream of bytes into numbered lines; blank lines count as numbers only. Holds one line at most."""

    def __init__(self, *, line_bytes_max: int, lines_max: int) -> None:
        self._line_bytes_max = line_bytes_max
        self._lines_max = lines_max
        self._rest = b""
        self._skipping = False
        self.number = 0
        self.full = False

    def feed(self, data: bytes, *, end: bool = False) -> list[Line]:
        """The lines that are whole now; with `end`, the last one without its line end too."""
        pieces = (self._rest + data).split(b"\n")
        self._rest = pieces.pop()
        lines = [line for piece in pieces if (line := self._line(piece)) is not None]
        if len(self._rest) > self._line_bytes_max:
            # Only remembered as too long: a line without an end must not fill the memory.
            self._skipping = True
            self._rest = b""
        if end and (self._rest or self._skipping):
            last, self._rest = self._line(self._rest), b""
            lines += [] if last is None else [last]
        return lines

    def _line(self, piece: bytes) -> Line | None:
        if self.full:
            return None
        self.number += 1
        if self.number > self._lines_max:
            self.full = True
            return Line(
                self.number, b"", LinesTooMany(f"A body has at most {self._lines_max} lines; send the rest anew.")
            )
        if self._skipping or len(piece) > self._line_bytes_max:
            self._skipping = False
            return Line(self.number, b"", LineTooLong(f"A line has at most {self._line_bytes_max} bytes."))
        raw = piece.strip()
        return Line(self.number, raw) if raw else None


class LinesAnswer(Response):
    """The answer to an NDJSON body, made while the body arrives."""

    media_type = NDJSON

    def __init__(self, *, caller: Caller, write: UnitOfWork, handle: Handle) -> None:
        super().__init__(media_type=NDJSON)
        del self.headers["content-length"]
        self._caller = caller
        self._write = write
        self._key = write.key
        self._route = write.route
        self._handle = handle
        settings = write.state.settings
        self._chunk_lines = settings.chunk_lines
        self._splitter = Splitter(line_bytes_max=settings.line_bytes_max, lines_max=settings.lines_max)
        self._hash = hashlib.sha256()
        self._marked_line = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        answers: asyncio.Queue[bytes | None] = asyncio.Queue()
        writing: asyncio.Task[None] | None = None
        pending: list[Line] = []
        arriving = asyncio.ensure_future(receive())
        ended = False
        try:
            while not ended:
                await asyncio.wait({arriving}, timeout=PAUSE_S if pending else None)
                paused = not arriving.done()
                if not paused:
                    message = arriving.result()
                    if message["type"] == "http.disconnect":
                        return  # What is pending was never answered; the caller sends it again.
                    ended = not message.get("more_body", False)
                    pending += self._splitter.feed(message.get("body", b""), end=ended)
                    ended = ended or self._splitter.full
                    if not ended:
                        arriving = asyncio.ensure_future(receive())
                while len(pending) >= self._chunk_lines or ((paused or ended) and pending):
                    chunk, pending = pending[: self._chunk_lines], pending[self._chunk_lines :]
                    try:
                        told = await run_in_threadpool(self._count, chunk, end=ended and not pending)
                    except Problem as problem:
                        if writing is None:
                            await problems.response(problem, scope["path"])(scope, receive, send)
                            return
                        told = [refused_line(line.number, problem) for line in chunk]
                        ended, pending = True, []
                    if writing is None:
                        writing = asyncio.create_task(self._send(answers, send))
                    answers.put_nowait(b"\n".join(told) + b"\n")
            if writing is None:
                writing = asyncio.create_task(self._send(answers, send))
            answers.put_nowait(None)
            await writing
        finally:
            arriving.cancel()
            if writing is not None:
                writing.cancel()

    async def _send(self, answers: asyncio.Queue[bytes | None], send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
        while (body := await answers.get()) is not None:
            await send({"type": "http.response.body", "body": body, "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    def _count(self, chunk: Sequence[Line], *, end: bool) -> list[bytes]:
        """One chunk in one transaction: the key's marks, the effects, the new marks."""
        after, last = self._marked_line, chunk[-1].number
        running = self._hash.copy()
        with self._write.state.database.write() as session:
            if after == 0:
                # A key is one request's, batch or not.
                claim(session, Claim(self._caller.principal, self._key, self._route, BATCH))
            known = marks(session, principal=self._caller.principal, key=self._key, after_line=after, to_line=last)
            finish = marks(
                session, principal=self._caller.principal, key=self._key, after_line=END_MARK - 1, to_line=END_MARK
            )
            first_digest = ""
            for line in chunk:
                running.update(line.raw + b"\n")
                if line.number == chunk[0].number:
                    first_digest = running.copy().hexdigest()
                if line.number in known and known[line.number] != (self._route, running.copy().hexdigest()):
                    raise self._reused(line.number)
            if any(last > int(lines) for _, lines in finish.values()):
                raise self._reused(last)
            told = self._handle(session, chunk)
            self._note_refused(session, told)
            if after == 0:
                self._mark(session, chunk[0].number, first_digest)
            self._mark(session, last, running.copy().hexdigest())
            if end:
                self._mark(session, END_MARK, str(last))
        self._hash, self._marked_line = running, last
        return told

    def _note_refused(self, session: Session, told: Sequence[bytes]) -> None:
        """Counts the refused lines of a chunk in the log of acts, in the chunk's own transaction."""
        refused = [orjson.loads(line)["problem"] for line in told if b'"status":"refused"' in line]
        errors = Counter(problem["error"] for problem in refused if problem["status"] in NOTED)
        for error, count in sorted(errors.items()):
            counts = counted(
                "lines.refused",
                actor=self._caller.actor,
                count=count,
                period_ms=int(self._write.state.settings.refusal_window.total_seconds() * 1000),
                detail=(("error", error), ("route", self._route)),
            )
            add_counts(session.connection(), counts)

    def _mark(self, session: Session, line: int, lines_hash: str) -> None:
        mark(
            session,
            principal=self._caller.principal,
            key=self._key,
            route=self._route,
            line=line,
            lines_hash=lines_hash,
        )

    def _reused(self, line: int) -> IdempotencyKeyReused:
        return IdempotencyKeyReused(
            "This key was used for another body; take a new key for a new body.", key=self._key, line=line
        )
