"""Routes of the log. Checkpoints, proofs and tiles are for anyone: they hold hashes only. Entries are for auditors.

/checkpoint and /tile are those of C2SP's tlog-tiles, with /v1/log as the log's prefix.
"""

from __future__ import annotations

import gzip
import re
from typing import Annotated

from fastapi import APIRouter, Header, Path, Query, Request
from sqlmodel import Session
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from api.auditors import log_service as service
from api.auditors.errors import CheckpointUnknown, CosignatureInvalid, LogRangeWrong, LogUnavailable, TileUnknown
from api.auditors.log_schemas import (
    EXAMPLE_NOTE,
    ConsistencyProof,
    CosignatureGiven,
    CosignatureTaken,
    InclusionProof,
    LogEntryPage,
    LogFacts,
    StatementGiven,
    StatementTaken,
)
from api.auth.callers import CALLER_PROBLEMS, ByAuditorOrOperator, ByOperator
from api.kit.container import state_of
from api.kit.problems import RequestMalformed, responses
from api.members.errors import BrandUnknown
from api.writes.strict import StrictRoute, takes_newlines
from api.writes.unit_of_work import WRITE_PROBLEMS, Answer, Writes
from chain.tlog.places import Place as TilePlace
from chain.tlog.places import place_of
from chain.tlog.tiles import LEVELS_MAX

router = APIRouter(prefix="/v1/log", route_class=StrictRoute)
ENTRIES_MAX = 500
PLACE_MAX = 2**63 - 1
FOR_EVER = "public, max-age=31536000, immutable"
LOG_PROBLEMS = (RequestMalformed, LogUnavailable, LogRangeWrong)
_level = re.compile(r"0|[1-9][0-9]?", re.ASCII)

Place = Annotated[int, Query(ge=0, le=PLACE_MAX, examples=[7])]
TilePath = Annotated[str, Path(examples=["x001/067.p/12"])]
Size = Annotated[int | None, Query(ge=0, le=PLACE_MAX, description="Without it, the newest signed tree's.")]


class Text(Response):
    """A note, as C2SP serves it."""

    media_type = "text/plain; charset=utf-8"


class Hashes(Response):
    media_type = "application/octet-stream"


@router.get("", tags=["log"], operation_id="getLog", response_model=LogFacts, responses=responses(LogUnavailable))
async def get_log(request: Request) -> LogFacts:
    """The log's name, keys, witnesses and newest size: what a reader pins."""
    state = state_of(request)
    return await service.read_log(state, lambda _, signed: service.facts(state, signed))


@router.get(
    "/checkpoint",
    tags=["log"],
    operation_id="getCheckpoint",
    response_class=Response,
    responses=responses(LogUnavailable)
    | {
        200: {
            "description": "A signed note of C2SP's tlog-checkpoint, with the lines of witnesses.",
            "content": {"text/plain": {"schema": {"type": "string"}, "example": EXAMPLE_NOTE}},
        }
    },
)
async def get_checkpoint(request: Request, witnessed: bool = False) -> Response:
    """The newest checkpoint. witnessed: the newest that a witness signed."""
    note = await service.read_log(state_of(request), lambda _, signed: signed.note, witnessed=witnessed)
    return Text(note, headers={"Cache-Control": "no-cache"})


@router.get(
    "/entries",
    tags=["log"],
    operation_id="listLogEntries",
    response_model=LogEntryPage,
    responses=responses(*CALLER_PROBLEMS, *LOG_PROBLEMS),
)
async def list_log_entries(
    request: Request,
    _: ByAuditorOrOperator,
    start: Place = 0,
    limit: Annotated[int, Query(ge=1, le=ENTRIES_MAX, examples=[200])] = 200,
) -> LogEntryPage:
    """Signed entries in their order, oldest first."""
    return await service.read_log(
        state_of(request), lambda read, signed: service.entries(read, signed, start=start, limit=limit)
    )


@router.get(
    "/proof/inclusion",
    tags=["log"],
    operation_id="proveInclusion",
    response_model=InclusionProof,
    responses=responses(*LOG_PROBLEMS),
)
async def prove_inclusion(request: Request, index: Place, size: Size = None) -> InclusionProof:
    """That an entry is in the log."""
    return await service.read_log(
        state_of(request), lambda read, signed: service.prove_inclusion(read, signed, index=index, size=size)
    )


@router.get(
    "/proof/consistency",
    tags=["log"],
    operation_id="proveConsistency",
    response_model=ConsistencyProof,
    responses=responses(*LOG_PROBLEMS),
)
async def prove_consistency(request: Request, old: Place, size: Size = None) -> ConsistencyProof:
    """That the log only grew."""
    return await service.read_log(
        state_of(request), lambda read, signed: service.prove_consistency(read, signed, old=old, size=size)
    )


@router.get(
    "/tile/entries/{number:path}",
    tags=["log"],
    operation_id="getEntryBundle",
    response_class=Response,
    responses=responses(*CALLER_PROBLEMS, RequestMalformed, LogUnavailable, TileUnknown)
    | {
        200: {
            "description": "Up to 256 entries, each behind its length in two bytes, as C2SP's tlog-tiles bundles them.",
            "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
        }
    },
)
async def get_entry_bundle(
    request: Request,
    _: ByAuditorOrOperator,
    number: TilePath,
    accept_encoding: Annotated[str, Header(include_in_schema=False)] = "",
) -> Response:
    """Entries as C2SP's monitors read them; compressed where gzip is accepted."""
    place = _placed(request, number)
    found = await service.read_log(state_of(request), lambda read, signed: service.bundle(read, signed, place=place))
    headers = {"Cache-Control": "private, max-age=31536000, immutable", "Vary": "Accept-Encoding, Authorization"}
    if _accepts_gzip(accept_encoding):
        return Hashes(gzip.compress(found, mtime=0), headers={**headers, "Content-Encoding": "gzip"})
    return Hashes(found, headers=headers)


@router.get(
    "/tile/{level}/{number:path}",
    tags=["log"],
    operation_id="getTile",
    response_class=Response,
    responses=responses(RequestMalformed, LogUnavailable, TileUnknown)
    | {
        200: {
            "description": "Up to 256 hashes of 32 bytes, as C2SP's tlog-tiles cuts them.",
            "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
        }
    },
)
async def get_tile(
    request: Request,
    level: Annotated[str, Path(max_length=20, examples=["0"])],
    number: TilePath,
) -> Response:
    """Hashes of the tree, for whoever makes proofs alone."""
    place = _placed(request, number)
    if _level.fullmatch(level) is None or int(level) >= LEVELS_MAX:
        raise TileUnknown("The signed tree has no such level.")
    found = await service.read_log(
        state_of(request), lambda read, signed: service.tile(read, signed, level=int(level), place=place)
    )
    return Hashes(found, headers={"Cache-Control": FOR_EVER})


def _placed(request: Request, path: str) -> TilePlace:
    # The router's pattern would let a newline at the end pass.
    found = place_of(path) if request.scope["path"].endswith(f"/{path}") else None
    if found is None:
        raise TileUnknown("Tiles are numbered as C2SP's tlog-tiles does, each in one way.")
    return found


def _accepts_gzip(header: str) -> bool:
    """Whether gzip is among the encodings that are asked for, and not refused by a weight of 0."""
    for part in header.lower().split(","):
        name, _, weight = part.strip().partition(";")
        if name.strip() == "gzip":
            return weight.replace(" ", "") not in ("q=0", "q=0.0", "q=0.00", "q=0.000")
    return False


@router.post(
    "/cosignatures",
    tags=["log"],
    operation_id="giveCosignature",
    response_model=CosignatureTaken,
    responses=responses(RequestMalformed, CosignatureInvalid, CheckpointUnknown),
)
@takes_newlines
async def give_cosignature(request: Request, given: CosignatureGiven) -> CosignatureTaken:
    """Takes a witness's line under one of the newest checkpoints. The line is its own authority."""
    state = state_of(request)

    def effect(session: Session) -> CosignatureTaken:
        return service.take_cosignatures(session, state=state, note=given.note)

    return await run_in_threadpool(state.database.in_write, effect)


@router.post(
    "/statements",
    tags=["log", "operator"],
    operation_id="stateAct",
    status_code=201,
    response_model=StatementTaken,
    responses=responses(*CALLER_PROBLEMS, *WRITE_PROBLEMS, BrandUnknown),
)
async def state_act(caller: ByOperator, wanted: StatementGiven, write: Writes) -> Response:
    """Puts on record what the operator did by hand: a rule proposed, a manual adjustment."""

    def effect(session: Session) -> Answer:
        return Answer(service.state_act(session, actor=caller.actor, wanted=wanted), 201)

    return await write(caller, effect)
