"""Routes that Segment's public clients call. Each message has an id of its own, which counts once."""

from __future__ import annotations

from collections.abc import Sequence

from fastapi import APIRouter, Request
from starlette.concurrency import run_in_threadpool

from api.auth.callers import CALLER_PROBLEMS, BrandCaller, ByWriteKey
from api.ingest import segment
from api.ingest.segment import Call, Message, MessageBatch, MessagesTaken
from api.kit.container import State, state_of
from api.kit.problems import BodyTooLarge, RequestMalformed, responses
from api.writes.strict import StrictRoute, takes_newlines

router = APIRouter(prefix="/segment/v1", route_class=StrictRoute)
TOLD = responses(*CALLER_PROBLEMS, RequestMalformed, BodyTooLarge)


async def _taken(request: Request, caller: BrandCaller, messages: Sequence[tuple[Call, Message]]) -> MessagesTaken:
    state: State = state_of(request)
    return await run_in_threadpool(
        state.database.in_write,
        lambda session: segment.take(session, state=state, caller=caller, messages=messages),
    )


@router.post("/batch", tags=["brand"], operation_id="segmentBatch", response_model=MessagesTaken, responses=TOLD)
@takes_newlines
async def segment_batch(request: Request, caller: ByWriteKey, wanted: MessageBatch) -> MessagesTaken:
    """Takes a batch of messages, each of its own type."""
    return await _taken(request, caller, [(one.type, one) for one in wanted.batch])


@router.post("/identify", tags=["brand"], operation_id="segmentIdentify", response_model=MessagesTaken, responses=TOLD)
@takes_newlines
async def segment_identify(request: Request, caller: ByWriteKey, wanted: Message) -> MessagesTaken:
    """Says who somebody is: a name of the brand's own, a cookie, an e-mail, a telephone."""
    return await _taken(request, caller, [("identify", wanted)])


@router.post("/track", tags=["brand"], operation_id="segmentTrack", response_model=MessagesTaken, responses=TOLD)
@takes_newlines
async def segment_track(request: Request, caller: ByWriteKey, wanted: Message) -> MessagesTaken:
    """Takes an event of a kind, with its data as properties."""
    return await _taken(request, caller, [("track", wanted)])


@router.post("/page", tags=["brand"], operation_id="segmentPage", response_model=MessagesTaken, responses=TOLD)
@takes_newlines
async def segment_page(request: Request, caller: ByWriteKey, wanted: Message) -> MessagesTaken:
    """Takes the view of a page."""
    return await _taken(request, caller, [("page", wanted)])


@router.post("/screen", tags=["brand"], operation_id="segmentScreen", response_model=MessagesTaken, responses=TOLD)
@takes_newlines
async def segment_screen(request: Request, caller: ByWriteKey, wanted: Message) -> MessagesTaken:
    """Takes the view of an app's screen."""
    return await _taken(request, caller, [("screen", wanted)])


@router.post("/group", tags=["brand"], operation_id="segmentGroup", response_model=MessagesTaken, responses=TOLD)
@takes_newlines
async def segment_group(request: Request, caller: ByWriteKey, wanted: Message) -> MessagesTaken:
    """Takes that a member joined a group."""
    return await _taken(request, caller, [("group", wanted)])


@router.post("/alias", tags=["brand"], operation_id="segmentAlias", response_model=MessagesTaken, responses=TOLD)
@takes_newlines
async def segment_alias(request: Request, caller: ByWriteKey, wanted: Message) -> MessagesTaken:
    """Says that two ids are of one person."""
    return await _taken(request, caller, [("alias", wanted)])
