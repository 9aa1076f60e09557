"""Events read: the envelope, then the data by the schema of its kind. What is none is a refusal of its own."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import orjson
from pydantic import TypeAdapter, ValidationError

from api.ingest.errors import EventKindUnknown
from api.ingest.kinds import KINDS, Kind
from api.ingest.schemas import CloudEvent
from api.kit.problems import Problem, of_validation
from api.kit.schemas import RequestModel
from api.kit.strict_json import parse
from api.members.errors import MemberUnclear
from api.writes.ndjson import Line, LineMalformed

_envelope: Final = TypeAdapter(CloudEvent)


@dataclass(frozen=True, slots=True)
class Reported:
    """An event that is one of a kind. plain: its data as JSON values that name nobody; words: those that are sealed."""

    envelope: CloudEvent
    kind: Kind
    payload: RequestModel
    plain: dict[str, Any]
    words: dict[str, Any]

    @property
    def occurred_at_ms(self) -> int:
        return int(self.envelope.time.timestamp() * 1000)


def read(value: Any, *, programme_start: datetime) -> Reported | Problem:
    """The event that these JSON values are."""
    try:
        context = {"programme_start": programme_start}
        envelope = _envelope.validate_python(value, context=context)
    except ValidationError as fault:
        return of_validation(fault.errors())
    kind = KINDS.get(envelope.type)
    if kind is None:
        shown = envelope.type[:64]
        return EventKindUnknown(f"No kind of event is called {shown!r}; GET /v1/events/policy lists them.", type=shown)
    try:
        payload = kind.adapter.validate_python(envelope.data)
    except ValidationError as fault:
        return of_validation([{**error, "loc": ("data", *error["loc"])} for error in fault.errors()])
    data = payload.model_dump(mode="json", exclude_none=True)
    words = {name: data.pop(name) for name in kind.personal if data.get(name)}
    unclear = _unclear(envelope, kind, words)
    return Reported(envelope, kind, payload, data, words) if unclear is None else unclear


def read_line(line: Line, *, programme_start: datetime) -> Reported | Problem:
    """The event of a line."""
    if line.refused is not None:
        return line.refused
    try:
        value = parse(line.raw, newlines=True)
    except Problem as refused:
        return LineMalformed(refused.detail) if refused.error == "RequestMalformed" else refused
    found = read(value, programme_start=programme_start)
    if isinstance(found, Problem) and found.error == "RequestMalformed":
        return LineMalformed(found.detail, **found.facts)
    return found


def content(reported: Reported, whose: str) -> bytes:
    """The same for the same event, however its fields were ordered and its time was written."""
    said = [reported.kind.name, whose, reported.occurred_at_ms, reported.plain, reported.words]
    return orjson.dumps(said, option=orjson.OPT_SORT_KEYS)


def _unclear(envelope: CloudEvent, kind: Kind, words: dict[str, Any]) -> MemberUnclear | None:
    named = [one for one in (envelope.subject, envelope.anonymousid) if one is not None]
    if len(named) > 1:
        return MemberUnclear("Name the member by subject or by anonymousid, one of them.")
    if kind.whose == "nobody" and named:
        return MemberUnclear(f"{kind.name} is of nobody.")
    if kind.whose == "member" and not named:
        return MemberUnclear("Name the member by subject or by anonymousid.")
    if words and not named:
        return MemberUnclear(f"{', '.join(sorted(words))}: what somebody said is kept only of a member.")
    return None
