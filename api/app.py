"""The gateway put together: state, routes, refusals, the wallet. The composition root; reads no environment."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import fields
from typing import Any

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.routing import Route

from api.audit_log import loop as acts
from api.audit_log.refusals import noting
from api.auditors.log_routes import router as log_of_acts
from api.auditors.routes import router as auditors
from api.badges.routes import router as badges
from api.corrections.routes import router as corrections
from api.evidence.routes import router as evidence
from api.health.routes import router as health
from api.identity.member_routes import router as my_identity
from api.identity.routes import router as identity
from api.ingest.routes import router as events
from api.ingest.segment import BYTES_MAX as SEGMENT_BYTES_MAX
from api.ingest.segment_routes import router as segment
from api.kit import problems
from api.kit.container import State, open_state, put_state
from api.kit.head_requests import HeadAsGet
from api.kit.settings import Settings
from api.members.key_routes import router as own_keys
from api.members.operator_routes import router as operators
from api.members.routes import router as members
from api.members.session_routes import router as sessions
from api.metrics import Metered, get_metrics, serve_metrics
from api.openapi import describe
from api.points.member_routes import router as my_points
from api.points.operation_routes import router as operations
from api.points.purchase_routes import router as purchases
from api.points.return_routes import router as goods_returns
from api.points.routes import router as points
from api.privacy import tasks as privacy_tasks
from api.privacy.routes import router as privacy
from api.programmes.routes import router as programmes
from api.reports.routes import router as reports
from api.sign_in.member_routes import router as my_ways_in
from api.sign_in.routes import router as sign_in
from api.staff.routes import router as staff
from api.traced import Traced
from api.views import loops
from api.views.routes import get_my_view
from api.views.routes import router as views
from api.votes.routes import router as votes
from api.wallet_files import wallet_routes
from api.writes.body_limit import BodyLimit
from api.writes.ndjson import takes_lines
from chain.outbox.retries import RETRY_S_MAX

TITLE = "Moa"
VERSION = "0.1.0"
_DEFAULTS = {field.name: field.default for field in fields(Settings)}
DESCRIPTION = """Points that brands share, on a ledger that anyone can check.

Amounts are strings of base units with the decimals beside them. Every write takes an `Idempotency-Key`.
Every refusal is an RFC 9457 problem document whose `error` is the name to branch on; nothing was changed.

The queue serves the brands in turns, and what a person waits for before the lines of NDJSON bodies. Of one brand
at most {requests} single requests and {lines} lines wait in it; what is beyond is refused with `BacklogFull` (429, a
line by itself) and may be sent again after `Retry-After`. What ends a hold is always taken.

What the contract refused counts when it is sent again and the reason is gone: the same order (under any key), as it
was or corrected. `GET /v1/operations/refused` lists a brand's. What a pause or a full day refuses is asked again by
itself for `retry_for_s`, at most {retry} seconds.
""".format(requests=_DEFAULTS["backlog_max"], lines=_DEFAULTS["backlog_lines_max"], retry=RETRY_S_MAX)
TAGS = [
    {"name": "operator", "description": "Brands, keys and sessions. By the operator's key."},
    {"name": "brand", "description": "Members, purchases and redemption. By a brand's key."},
    {"name": "member", "description": "A member's own points. By a member's session."},
    {"name": "sign-in", "description": "How a person comes in: by a code, a passkey or a wallet. For anyone."},
    {"name": "reports", "description": "Supply, obligations, liability and exports. By a brand's or an auditor's key."},
    {"name": "auditor", "description": "Everything of the ledger, nothing personal. By an auditor's key."},
    {"name": "log", "description": "The gateway's own acts in a Merkle log; checkpoints and proofs for anyone."},
    {"name": "public", "description": "For anyone."},
]


def create_app(settings: Settings | None = None, *, opened: Callable[[Settings], State] = open_state) -> FastAPI:
    """The application. Without settings only its OpenAPI document is of use.

    opened: opens what the settings name, at the start and not before.
    """

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        assert settings is not None, "an application that runs has settings"
        state = opened(settings)
        put_state(app, state)
        end_metrics = (
            serve_metrics(state, host=settings.metrics_host, port=settings.metrics_port)
            if settings.metrics_port
            else None
        )
        async with acts.running(state, version=VERSION), privacy_tasks.running(state), loops.running(state) as hub:
            app.state.hub = hub
            yield
        if end_metrics is not None:
            await run_in_threadpool(end_metrics)
        state.close()

    app = FastAPI(
        title=TITLE,
        version=VERSION,
        description=DESCRIPTION,
        openapi_tags=TAGS,
        openapi_url="/openapi.json",
        docs_url=None,
        redoc_url=None,
        lifespan=lifespan,
        exception_handlers={
            problems.Problem: noting(problems.on_problem),
            RequestValidationError: problems.on_validation,
            HTTPException: problems.on_http,
            **{fault: noting(handler) for fault, handler in problems.from_below.items()},
        },
        separate_input_output_schemas=False,
    )
    # Routes are tried one after the other, so those asked most come first. The member's view is served by its
    # function alone: it takes nothing that FastAPI would have to gather, and is only described by its route.
    app.router.routes.append(Route("/v1/me/view", get_my_view, methods=["GET"], include_in_schema=False))
    routers = (
        views,
        health,
        evidence,
        purchases,
        events,
        segment,
        goods_returns,
        operations,
        points,
        my_points,
        programmes,
        corrections,
        badges,
        votes,
        members,
        sessions,
        operators,
        own_keys,
        identity,
        my_identity,
        sign_in,
        my_ways_in,
        staff,
        privacy,
        reports,
        log_of_acts,
        auditors,
    )
    for router in routers:
        app.include_router(router)
    if settings is not None:
        lines_at = [route.path for router in routers for route in router.routes if takes_lines(route)]
        app.add_middleware(HeadAsGet, prefixes=["/v1/log"])
        app.add_middleware(
            BodyLimit,
            bytes_max=settings.body_bytes_max,
            timeout_s=settings.body_timeout.total_seconds(),
            lines_at=lines_at,
            larger_at={f"{segment.prefix}/batch": SEGMENT_BYTES_MAX},
        )
        app.add_middleware(Traced)
        app.add_middleware(Metered)
        app.router.routes.append(Route("/metrics", get_metrics, methods=["GET"], include_in_schema=False))
        app.router.routes.extend(wallet_routes(settings.wallet_dist))
    describe(app)
    return app


def openapi() -> dict[str, Any]:
    """The OpenAPI document: of schemas and routes alone, so that it is the same on every machine."""
    return create_app().openapi()
