"""Routes of reports: balances, supply and obligations of any block, liability, roll-forward, exports."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Query, Request
from starlette.responses import Response, StreamingResponse

from api.auth.callers import CALLER_PROBLEMS, AuditorCaller, BrandCaller, ByBrand, ByBrandOrAuditor, ByMember, looked
from api.auth.errors import NotYours
from api.kit.container import state_of
from api.kit.moments import Moment
from api.kit.problems import RequestMalformed, responses
from api.kit.schemas import MemberId, Slug
from api.members.errors import BrandUnknown, MemberUnknown
from api.reports import service
from api.reports.errors import AsOfMalformed, ExportsTooMany, FractionInvalid, HistoryNotAvailable, PeriodInvalid
from api.reports.schemas import BalancesThen, LiabilityThen, ObligationsThen, RollForward, SuppliesThen
from api.reports.service import Place
from api.views import service as channels
from api.views.routes import PrivateJson
from api.writes.strict import StrictRoute

router = APIRouter(route_class=StrictRoute)
BLOCK_MAX = 2**63 - 1
PROBLEMS = (*CALLER_PROBLEMS, RequestMalformed, AsOfMalformed, HistoryNotAvailable)

Block = Annotated[int | None, Query(ge=0, le=BLOCK_MAX, description="As of the end of this block.")]
At = Annotated[Moment | None, Query(description="As of the last block at or before this moment.")]
Whose = Annotated[Slug | None, Query(description="An auditor names the brand; a brand's key needs none.")]
Exact = Annotated[str, Query(max_length=40, examples=["3/10"])]


def as_of(block: Block = None, at: At = None) -> Place:
    """The block that the query names."""
    return Place(block, at)


def since(from_block: Block = None, from_at: At = None) -> Place:
    """The block after which a period begins."""
    return Place(from_block, from_at)


def until(to_block: Block = None, to_at: At = None) -> Place:
    """The block with which a period ends."""
    return Place(to_block, to_at)


AsOfBlock = Annotated[Place, Depends(as_of)]
Since = Annotated[Place, Depends(since)]
Until = Annotated[Place, Depends(until)]


def scope_of(caller: BrandCaller | AuditorCaller, brand: str | None) -> str | None:
    """The one brand to tell, None: all. A brand's key tells its own only."""
    if isinstance(caller, AuditorCaller):
        return brand
    if brand not in (None, caller.slug):
        raise NotYours("A brand's key shows the reports of its own points only.")
    return caller.slug


def one_brand(caller: BrandCaller | AuditorCaller, brand: str | None) -> str:
    """The brand a report is of."""
    found = scope_of(caller, brand)
    if found is None:
        raise RequestMalformed("Name the brand: ?brand=…")
    return found


@router.get(
    "/v1/me/balances",
    tags=["member"],
    operation_id="getMyBalances",
    response_model=BalancesThen,
    responses=responses(*PROBLEMS),
)
async def get_my_balances(request: Request, caller: ByMember, place: AsOfBlock) -> Response:
    """The member's own points of all brands, lot by lot, as of any block or moment."""
    found = await service.balances(state_of(request), caller.addresses, place)
    return PrivateJson(found.model_dump_json().encode())


@router.get(
    "/v1/members/{member_id}/balances",
    tags=["brand"],
    operation_id="getMemberBalances",
    response_model=BalancesThen,
    responses=responses(*PROBLEMS, MemberUnknown),
)
async def get_member_balances(request: Request, caller: ByBrand, member_id: MemberId, place: AsOfBlock) -> Response:
    """A member's points of the calling brand, lot by lot, as of any block or moment."""
    state = state_of(request)
    known = await channels.brands_member(state, brand=caller.registry_id, member_id=member_id)
    await looked(request, caller, known.id)
    found = await service.balances(state, known.addresses, place, only=caller.slug)
    return PrivateJson(found.model_dump_json().encode())


@router.get(
    "/v1/supply",
    tags=["reports"],
    operation_id="getSupply",
    response_model=SuppliesThen,
    responses=responses(*PROBLEMS),
)
async def get_supply(request: Request, caller: ByBrandOrAuditor, place: AsOfBlock, brand: Whose = None) -> SuppliesThen:
    """What was ever minted, burnt and expired, and what lives, as of any block or moment."""
    return await service.supplies(state_of(request), place, only=scope_of(caller, brand))


@router.get(
    "/v1/obligations",
    tags=["reports"],
    operation_id="getObligations",
    response_model=ObligationsThen,
    responses=responses(*PROBLEMS),
)
async def get_obligations(
    request: Request, caller: ByBrandOrAuditor, place: AsOfBlock, brand: Whose = None
) -> ObligationsThen:
    """What brands owe each other from exchanges, as of any block or moment."""
    return await service.obligations(state_of(request), place, only=scope_of(caller, brand))


@router.get(
    "/v1/reports/liability",
    tags=["reports"],
    operation_id="getLiability",
    response_model=LiabilityThen,
    responses=responses(*PROBLEMS, BrandUnknown),
)
async def get_liability(
    request: Request, caller: ByBrandOrAuditor, place: AsOfBlock, brand: Whose = None
) -> LiabilityThen:
    """A brand's points outstanding by the second at which they end, as of any block or moment."""
    return await service.outstanding(state_of(request), one_brand(caller, brand), place)


@router.get(
    "/v1/reports/roll-forward",
    tags=["reports"],
    operation_id="getRollForward",
    response_model=RollForward,
    responses=responses(*PROBLEMS, BrandUnknown, PeriodInvalid, FractionInvalid),
)
async def get_roll_forward(
    request: Request,
    caller: ByBrandOrAuditor,
    opening: Since,
    closing: Until,
    price: Exact,
    breakage: Annotated[str | None, Query(max_length=40, examples=["5/100"])] = None,
    brand: Whose = None,
) -> RollForward:
    """A brand's contract liability from one block to another, with breakage after IFRS 15 and every input."""
    slug = one_brand(caller, brand)
    return await service.roll_forward(state_of(request), slug, opening, closing, price=price, breakage=breakage)


@router.get(
    "/v1/exports",
    tags=["reports"],
    operation_id="getExport",
    response_class=Response,
    responses=responses(*PROBLEMS, BrandUnknown, ExportsTooMany)
    | {200: {"description": "The files and their manifest.", "content": {"application/zip": {}}}},
)
async def get_export(
    request: Request,
    caller: ByBrandOrAuditor,
    place: AsOfBlock,
    format: Literal["csv", "jsonl", "parquet"] = "csv",
    brand: Whose = None,
) -> Response:
    """Entries, balances, holds, obligations and events as of a block: a ZIP archive that `moa export check` checks."""
    chunks = await service.export(
        state_of(request), place, format=format, only=scope_of(caller, brand), actor=caller.actor
    )
    headers = {"Content-Disposition": f'attachment; filename="moa-{format}.zip"', "Cache-Control": "private, no-store"}
    return StreamingResponse(chunks, media_type="application/zip", headers=headers)
