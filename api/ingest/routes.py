"""Routes of events: reported one by one, in batches and line by line; replayed from a number; the published rules."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Final

from fastapi import APIRouter, Query, Request
from sqlmodel import Session
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from api.auth.callers import CALLER_PROBLEMS, ByBrand, looked
from api.events.errors import (
    CurrencyWrong,
    OccurredInFuture,
    OccurredTooEarly,
    OrderUnknown,
    PurchaseAboveCeiling,
    PurchaseConflict,
    RefusalNotFinal,
    ReturnConflict,
    RuleMissing,
    RuleUnread,
)
from api.identity.errors import IdentifierMalformed, IdentifiersMissing
from api.ingest import service, taking
from api.ingest.errors import BasketUnequal, EventConflict, EventKindUnknown, EventsTooMany
from api.ingest.reading import read, read_line
from api.ingest.schemas import (
    EVENTS_MAX,
    PAGE_MAX,
    PAGE_USUAL,
    CeilingPublic,
    CeilingWanted,
    CloudEvent,
    EventLine,
    EventLines,
    EventPage,
    EventPolicy,
    EventTaken,
)
from api.kit.amounts import AMOUNT_PROBLEMS
from api.kit.container import State, state_of
from api.kit.problems import Problem, RequestMalformed, responses
from api.kit.schemas import EXAMPLE_MEMBER, MemberId
from api.kit.strict_json import parse
from api.kit.texts import patterned
from api.members import service as members
from api.members.errors import MemberUnclear, MemberUnknown
from api.points.errors import AwardUnknown, ReturnExceedsAward, ReturnTooLate
from api.vault.sealing import vault_of
from api.writes.backlog import BacklogFull
from api.writes.ndjson import (
    NDJSON,
    Line,
    LineMalformed,
    LinesAnswer,
    LinesTooMany,
    LineTooLong,
    is_ndjson,
    schema_of,
)
from api.writes.strict import StrictRoute, takes_newlines, takes_types
from api.writes.unit_of_work import WRITE_PROBLEMS, Answer, Writes

router = APIRouter(prefix="/v1", route_class=StrictRoute)
ONE: Final = "application/cloudevents+json"
BATCH: Final = "application/cloudevents-batch+json"
After = Annotated[int, Query(ge=0, le=2**63 - 1, description="`next_after` of the page before; 0 for all.")]
Limit = Annotated[int, Query(ge=1, le=PAGE_MAX)]
TypeQuery = Annotated[
    Annotated[str, patterned(r"^[a-z.]{1,40}$", "a type is written in a-z and dots")] | None,
    Query(alias="type", examples=["product.viewed"]),
]
MemberQuery = Annotated[MemberId | None, Query(examples=[EXAMPLE_MEMBER])]


@router.post(
    "/events",
    tags=["brand"],
    operation_id="reportEvents",
    status_code=202,
    response_model=EventTaken,
    responses=responses(
        *CALLER_PROBLEMS,
        *WRITE_PROBLEMS,
        *AMOUNT_PROBLEMS,
        EventConflict,
        EventKindUnknown,
        EventsTooMany,
        BasketUnequal,
        OccurredTooEarly,
        OccurredInFuture,
        MemberUnclear,
        MemberUnknown,
        IdentifierMalformed,
        IdentifiersMissing,
        CurrencyWrong,
        PurchaseAboveCeiling,
        PurchaseConflict,
        RefusalNotFinal,
        OrderUnknown,
        ReturnConflict,
        ReturnExceedsAward,
        ReturnTooLate,
        AwardUnknown,
        RuleMissing,
        RuleUnread,
        BacklogFull,
        LineMalformed,
        LineTooLong,
        LinesTooMany,
    )
    | {
        200: {
            "description": "A batch: the answer to each event, in order; of an NDJSON body one a line.",
            "content": {
                "application/json": {"schema": schema_of(EventLines)},
                NDJSON: {"schema": schema_of(EventLine)},
            },
        }
    },
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {
                "application/json": {"schema": schema_of(CloudEvent)},
                ONE: {"schema": schema_of(CloudEvent)},
                BATCH: {"schema": {"type": "array", "maxItems": EVENTS_MAX, "items": schema_of(CloudEvent)}},
                NDJSON: {"schema": {"type": "string", "description": "A CloudEvent a line."}},
            },
        }
    },
)
@takes_types(ONE, BATCH)
@takes_newlines
async def report_events(request: Request, caller: ByBrand, write: Writes) -> Response:
    """Takes an event in CloudEvents' envelope; a batch (at most 100) or NDJSON lines are answered one by one.

    A purchase counts as by `POST /v1/purchases`, a return as by `POST /v1/returns`.
    """
    if is_ndjson(request):

        def handle(session: Session, lines: Sequence[Line]) -> list[bytes]:
            wanted = [read_line(line, programme_start=write.state.settings.programme_start) for line in lines]
            results = taking.take(session, state=write.state, caller=caller, wanted=wanted, lines=True)
            numbers = [line.number for line in lines]
            told = service.told_lines(numbers, wanted, results)
            return [one.model_dump_json(exclude_none=True).encode() for one in told]

        return LinesAnswer(caller=caller, write=write, handle=handle)
    value = parse(await request.body(), newlines=True)
    several = isinstance(value, list)
    if several != (_kind_of(request) == BATCH):
        raise RequestMalformed(f"One event is {ONE} or application/json, an array of them {BATCH}.")
    if several and len(value) > EVENTS_MAX:
        raise EventsTooMany(f"A batch has at most {EVENTS_MAX} events; more are lines of NDJSON.", max=EVENTS_MAX)
    wanted = [
        read(one, programme_start=write.state.settings.programme_start) for one in (value if several else [value])
    ]

    def effect(session: Session) -> Answer:
        results = taking.take(session, state=write.state, caller=caller, wanted=wanted)
        if several:
            return Answer(EventLines(events=service.told_lines(range(1, len(wanted) + 1), wanted, results)), 200)
        [result] = results
        if isinstance(result, Problem):
            raise result
        return Answer(service.told(result), 202)

    return await write(caller, effect)


@router.get(
    "/events",
    tags=["brand"],
    operation_id="listEvents",
    response_model=EventPage,
    responses=responses(*CALLER_PROBLEMS, RequestMalformed, MemberUnknown),
)
async def list_events(
    request: Request,
    caller: ByBrand,
    after: After = 0,
    type_: TypeQuery = None,
    member: MemberQuery = None,
    limit: Limit = PAGE_USUAL,
) -> EventPage:
    """The brand's events after a number, in the order in which they were committed: none comes in between later."""
    state: State = state_of(request)
    if member is not None:
        await state.database.reads.off_loop(
            lambda read_: members.member_of(read_, brand=caller.registry_id, member_id=member)
        )
        await looked(request, caller, member)

    def read_page() -> EventPage:
        with Session(state.database.engine) as session:
            return service.page(
                session,
                vault_of(state),
                brand=caller.registry_id,
                after=after,
                limit=limit,
                kind=type_,
                member_id=member,
            )

    return await run_in_threadpool(read_page)


@router.get("/events/policy", tags=["public"], operation_id="getEventPolicy", response_model=EventPolicy)
async def get_event_policy() -> EventPolicy:
    """How events are taken: kinds with their schemas, what is sealed, bounds and times. For anyone."""
    return service.policy()


@router.put(
    "/events/ceiling",
    tags=["brand"],
    operation_id="setPurchaseCeiling",
    response_model=CeilingPublic,
    responses=responses(*CALLER_PROBLEMS, *WRITE_PROBLEMS, *AMOUNT_PROBLEMS),
)
async def set_purchase_ceiling(caller: ByBrand, wanted: CeilingWanted, write: Writes) -> Response:
    """No purchase beyond this counts from now on: it stops the mistake of a hundredfold amount. null: no ceiling."""

    def effect(session: Session) -> Answer:
        return Answer(service.set_ceiling(session, caller=caller, amount=wanted.amount))

    return await write(caller, effect)


def _kind_of(request: Request) -> str:
    kind: Any = request.headers.get("content-type", "")
    return str(kind).partition(";")[0].strip().lower()
