"""Routes of the auditor: all of the ledger, nothing personal. There is no write here, and each look is logged."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query, Request
from starlette.concurrency import run_in_threadpool

from api.auditors import service
from api.auditors.schemas import (
    AuditAgreements,
    AuditBalances,
    AuditBrands,
    AuditClearing,
    AuditEntries,
    AuditHolds,
    AuditKeys,
    AuditOperations,
    AuditRules,
)
from api.auth.callers import CALLER_PROBLEMS, ByAuditor
from api.kit.addresses import Address, AddressMalformed
from api.kit.container import state_of
from api.kit.problems import RequestMalformed, responses
from api.kit.schemas import Slug
from api.kit.texts import patterned
from api.members.errors import BrandUnknown
from api.views.errors import CursorExpired, CursorMalformed, PageUnsettled, ViewUnavailable
from api.writes.strict import StrictRoute

router = APIRouter(prefix="/v1/audit", tags=["auditor"], route_class=StrictRoute)
PAGE_MAX = 500
PAGE = 200
CURSOR_LENGTH_MAX = 100
patterned("^[0-9a-zA-Z.]+$", "give the next_cursor of the page before, or none")

Cursor = Annotated[
    str | None,
    Query(
        max_length=CURSOR_LENGTH_MAX,
        pattern=r"^[0-9a-zA-Z.]+$",
        description="`next_cursor` of the page before.",
        examples=[None],
    ),
]
Limit = Annotated[int, Query(ge=1, le=PAGE_MAX)]
Account = Annotated[Address, Path(examples=["0x3b0e1bd7d0c8f4a2e0c2f1d5bb1a9b0e6d7c8f90"])]
PROBLEMS = (*CALLER_PROBLEMS, RequestMalformed)
PAGES = (*PROBLEMS, CursorMalformed, CursorExpired)


@router.get(
    "/brands",
    operation_id="auditBrands",
    response_model=AuditBrands,
    responses=responses(*PROBLEMS, ViewUnavailable),
)
async def audit_brands(request: Request, _: ByAuditor) -> AuditBrands:
    """Every brand with the points it ever minted and burnt."""
    state = state_of(request)
    return await service.read(state, lambda look: service.brands(look, state))


@router.get(
    "/balances",
    operation_id="auditBalances",
    response_model=AuditBalances,
    responses=responses(*PAGES, BrandUnknown, ViewUnavailable),
)
async def audit_balances(
    request: Request,
    _: ByAuditor,
    brand: Annotated[Slug, Query(examples=["cdnow"])],
    cursor: Cursor = None,
    limit: Limit = PAGE,
) -> AuditBalances:
    """Every account of a brand with its lots, in the order of addresses."""
    state = state_of(request)
    return await service.read(state, lambda look: service.balances(look, state, slug=brand, cursor=cursor, limit=limit))


@router.get(
    "/accounts/{address}/balances",
    operation_id="auditAccount",
    response_model=AuditBalances,
    responses=responses(*PAGES, AddressMalformed, ViewUnavailable),
)
async def audit_account(
    request: Request, _: ByAuditor, address: Account, cursor: Cursor = None, limit: Limit = PAGE
) -> AuditBalances:
    """What one account holds, over all brands."""
    state = state_of(request)
    return await service.read(
        state, lambda look: service.balances_of(look, state, account=address, cursor=cursor, limit=limit)
    )


@router.get(
    "/accounts/{address}/entries",
    operation_id="auditAccountEntries",
    response_model=AuditEntries,
    responses=responses(*PAGES, AddressMalformed, ViewUnavailable),
)
async def audit_account_entries(
    request: Request, _: ByAuditor, address: Account, cursor: Cursor = None, limit: Limit = PAGE
) -> AuditEntries:
    """One account's whole history, the oldest first."""
    state = state_of(request)
    return await service.read(
        state, lambda look: service.entries(look, state, slug=None, account=address, cursor=cursor, limit=limit)
    )


@router.get(
    "/entries",
    operation_id="auditEntries",
    response_model=AuditEntries,
    responses=responses(*PAGES, BrandUnknown, ViewUnavailable),
)
async def audit_entries(
    request: Request, _: ByAuditor, brand: Slug | None = None, cursor: Cursor = None, limit: Limit = PAGE
) -> AuditEntries:
    """Every entry of the ledger, or of a brand, the oldest first."""
    state = state_of(request)
    return await service.read(
        state, lambda look: service.entries(look, state, slug=brand, account=None, cursor=cursor, limit=limit)
    )


@router.get("/rules", operation_id="auditRules", response_model=AuditRules, responses=responses(*PROBLEMS))
async def audit_rules(request: Request, _: ByAuditor) -> AuditRules:
    """Every version of every published rule."""
    return await service.read(state_of(request), service.rules)


@router.get(
    "/agreements",
    operation_id="auditAgreements",
    response_model=AuditAgreements,
    responses=responses(*PROBLEMS),
)
async def audit_agreements(request: Request, _: ByAuditor) -> AuditAgreements:
    """Every agreement between brands, with all its versions."""
    return await service.read(state_of(request), service.agreements)


@router.get(
    "/clearing",
    operation_id="auditClearing",
    response_model=AuditClearing,
    responses=responses(*PROBLEMS, ViewUnavailable),
)
async def audit_clearing(request: Request, _: ByAuditor) -> AuditClearing:
    """What brands owe each other now, and their collateral."""
    state = state_of(request)
    decimals = await run_in_threadpool(state.node.settlement_decimals)
    return await service.read(state, lambda look: service.clearing(look, state, decimals=decimals))


@router.get(
    "/holds",
    operation_id="auditHolds",
    response_model=AuditHolds,
    responses=responses(*PAGES, ViewUnavailable),
)
async def audit_holds(request: Request, _: ByAuditor, cursor: Cursor = None, limit: Limit = PAGE) -> AuditHolds:
    """Every hold as the desk remembers it."""
    state = state_of(request)
    return await service.read(state, lambda look: service.holds(look, state, cursor=cursor, limit=limit))


@router.get(
    "/operations",
    operation_id="auditOperations",
    response_model=AuditOperations,
    responses=responses(*PAGES, PageUnsettled),
)
async def audit_operations(
    request: Request, _: ByAuditor, cursor: Cursor = None, limit: Limit = PAGE
) -> AuditOperations:
    """Everything that was asked of the ledger and what became of it, without what was asked."""
    return await service.operations(state_of(request), cursor=cursor, limit=limit)


@router.get("/keys", operation_id="auditKeys", response_model=AuditKeys, responses=responses(*PAGES))
async def audit_keys(request: Request, _: ByAuditor, cursor: Cursor = None, limit: Limit = PAGE) -> AuditKeys:
    """Every key that was ever made."""
    return await service.read(state_of(request), lambda look: service.keys(look, cursor=cursor, limit=limit))
