"""Routes of views: views, history, the live stream, proofs, the books."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from fastapi import APIRouter, Header, Path, Query, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from api.auth.callers import BY_MEMBER, CALLER_PROBLEMS, ByBrand, ByMember, looked, token_of
from api.kit.container import state_of
from api.kit.problems import NodeUnavailable, RequestMalformed, responses
from api.kit.schemas import MemberId, Slug
from api.members.errors import BrandUnknown, MemberUnknown
from api.views import books, proofs, service, stream
from api.views.errors import CursorExpired, CursorMalformed, EntryUnknown, StreamsTooMany, ViewUnavailable
from api.views.schemas import Books, Entry, EntryPage, EntryProof, MemberView
from api.writes.strict import AS_TEXT, StrictRoute, refuse_queries

router = APIRouter(route_class=StrictRoute)
VIEW_PROBLEMS = (*CALLER_PROBLEMS, ViewUnavailable)
PAGE_MAX = 200
PAGE = 50

Cursor = Annotated[str | None, Query(description="`next_cursor` of the page before.", examples=[None])]
EntryId = Annotated[int, Path(ge=1, le=2**63 - 1, examples=["311"]), AS_TEXT]
Limit = Annotated[int, Query(ge=1, le=PAGE_MAX)]


class PrivateJson(Response):
    """JSON of one person, for nobody's cache."""

    media_type = "application/json"

    def init_headers(self, headers: Mapping[str, str] | None = None) -> None:
        self.raw_headers = [
            (b"content-type", b"application/json"),
            (b"content-length", str(len(self.body)).encode("latin-1")),
            (b"cache-control", b"private, no-store"),
        ]


@router.get(
    "/v1/me/view",
    tags=["member"],
    operation_id="getMyView",
    response_model=MemberView,
    responses=responses(*VIEW_PROBLEMS),
    openapi_extra=BY_MEMBER,
)
async def get_my_view(request: Request) -> Response:
    """The member's balances over all brands, as of a block."""
    if request.scope["query_string"]:
        refuse_queries(request, {})
    # The most asked route of all: who is asking and what they have are one look at the database.
    return PrivateJson(await service.my_view(state_of(request), token_of(request)))


@router.get(
    "/v1/me/entries",
    tags=["member"],
    operation_id="listMyEntries",
    response_model=EntryPage,
    responses=responses(*VIEW_PROBLEMS, RequestMalformed, CursorMalformed, CursorExpired, BrandUnknown),
)
async def list_my_entries(
    request: Request, caller: ByMember, cursor: Cursor = None, limit: Limit = PAGE, brand: Slug | None = None
) -> Response:
    """The member's history over all brands, the newest first, each entry with its place on the chain."""
    body = await service.entries(
        state_of(request), addresses=caller.addresses, only=None, brand=brand, cursor=cursor, limit=limit
    )
    return PrivateJson(body)


@router.get(
    "/v1/me/entries/{entry_id}",
    tags=["member"],
    operation_id="getMyEntry",
    response_model=Entry,
    responses=responses(*VIEW_PROBLEMS, RequestMalformed, EntryUnknown),
)
async def get_my_entry(request: Request, caller: ByMember, entry_id: EntryId) -> Response:
    """One entry of the member's: where another one leads."""
    return PrivateJson(await service.entry(state_of(request), addresses=caller.addresses, entry_id=entry_id))


@router.get(
    "/v1/me/entries/{entry_id}/proof",
    tags=["member"],
    operation_id="proveMyEntry",
    response_model=EntryProof,
    responses=responses(*CALLER_PROBLEMS, RequestMalformed, EntryUnknown, NodeUnavailable),
)
async def prove_my_entry(request: Request, caller: ByMember, entry_id: EntryId) -> EntryProof:
    """Looks an entry up at the node now, past the mirror."""
    return await run_in_threadpool(proofs.prove, state_of(request), addresses=caller.addresses, entry_id=entry_id)


@router.get(
    "/v1/me/stream",
    tags=["member"],
    operation_id="streamMe",
    response_class=Response,
    responses=responses(*VIEW_PROBLEMS, RequestMalformed, CursorMalformed, StreamsTooMany)
    | {
        200: {
            "description": "Server-sent events: `view` (a MemberView), `entry` (an Entry; its id resumes by"
            " Last-Event-ID), `reset` (the place asked for is of a mirror that was built anew, or of none: what was"
            " shown is to be read again), `block` (an AsOf, at most one a second, and every five seconds when nothing"
            " happens).",
            "content": {"text/event-stream": {"schema": {"type": "string"}}},
        }
    },
)
async def stream_me(
    request: Request, caller: ByMember, last_event_id: Annotated[str | None, Header()] = None
) -> Response:
    """The member's view and new entries as they happen."""
    return await stream.open_stream(request, caller=caller, last_event_id=last_event_id)


@router.get(
    "/v1/members/{member_id}/view",
    tags=["brand"],
    operation_id="getMemberView",
    response_model=MemberView,
    responses=responses(*VIEW_PROBLEMS, RequestMalformed, MemberUnknown),
)
async def get_member_view(request: Request, caller: ByBrand, member_id: MemberId) -> Response:
    """A member's balance of the calling brand, as of a block; nothing of any other brand."""
    state = state_of(request)
    known = await service.brands_member(state, brand=caller.registry_id, member_id=member_id)
    await looked(request, caller, known.id)
    body = await service.view(state, member_id=known.id, addresses=known.addresses, only=caller.registry_id)
    return PrivateJson(body)


@router.get(
    "/v1/members/{member_id}/entries",
    tags=["brand"],
    operation_id="listMemberEntries",
    response_model=EntryPage,
    responses=responses(*VIEW_PROBLEMS, RequestMalformed, CursorMalformed, CursorExpired, MemberUnknown),
)
async def list_member_entries(
    request: Request, caller: ByBrand, member_id: MemberId, cursor: Cursor = None, limit: Limit = PAGE
) -> Response:
    """A member's history with the calling brand, the newest first."""
    state = state_of(request)
    known = await service.brands_member(state, brand=caller.registry_id, member_id=member_id)
    await looked(request, caller, known.id)
    body = await service.entries(
        state, addresses=known.addresses, only=caller.registry_id, brand=None, cursor=cursor, limit=limit
    )
    return PrivateJson(body)


@router.get(
    "/v1/books",
    tags=["public"],
    operation_id="getBooks",
    response_model=Books,
    responses=responses(ViewUnavailable),
)
async def get_books(request: Request) -> Books:
    """For each brand: supply in the mirror now; supply, balances on the chain and in the mirror as last compared."""
    return await books.latest(state_of(request))
