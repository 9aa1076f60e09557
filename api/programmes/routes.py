"""Routes of decisions: previews."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.concurrency import run_in_threadpool

from api.auth.callers import CALLER_PROBLEMS, ByBrand, ByMember
from api.events.errors import RuleMissing, RuleUnread
from api.kit.amounts import AMOUNT_PROBLEMS
from api.kit.container import state_of
from api.kit.problems import NodeUnavailable, RequestMalformed, responses
from api.members.errors import BrandUnknown
from api.programmes import service
from api.programmes.errors import AgreementUnknown, OutTooLarge, RuleNotInForce
from api.programmes.schemas import AwardQuote, AwardQuoteAsk, ExchangeQuote, ExchangeQuoteAsk
from api.writes.strict import StrictRoute

router = APIRouter(prefix="/v1", route_class=StrictRoute)


@router.post(
    "/awards/quote",
    tags=["brand"],
    operation_id="quoteAward",
    response_model=AwardQuote,
    responses=responses(
        *CALLER_PROBLEMS, *AMOUNT_PROBLEMS, RequestMalformed, RuleMissing, RuleUnread, RuleNotInForce, NodeUnavailable
    ),
)
async def quote_award(request: Request, caller: ByBrand, wanted: AwardQuoteAsk) -> AwardQuote:
    """The points that a purchase of this amount would earn now, by the contract's own computation."""
    return await run_in_threadpool(
        service.quote_award, state_of(request), brand=caller.registry_id, amount=wanted.amount
    )


@router.post(
    "/exchanges/quote",
    tags=["member"],
    operation_id="quoteExchange",
    response_model=ExchangeQuote,
    responses=responses(
        *CALLER_PROBLEMS,
        *AMOUNT_PROBLEMS,
        RequestMalformed,
        BrandUnknown,
        AgreementUnknown,
        OutTooLarge,
        NodeUnavailable,
    ),
)
async def quote_exchange(request: Request, _: ByMember, wanted: ExchangeQuoteAsk) -> ExchangeQuote:
    """What these points would give at the other brand now, by the agreement in force."""
    return await run_in_threadpool(
        service.quote_exchange,
        state_of(request),
        source=wanted.source,
        target=wanted.target,
        points_in=wanted.points_in,
    )
