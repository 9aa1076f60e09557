"""How the gateway answers, counted by operation: a middleware, and the page that Prometheus reads.

An operation is the name of the function that answered: these come from the code, so no caller can make new ones.
Time is counted to the first byte; a live stream would otherwise count as the slowest request of all.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.auth.callers import by_operator
from api.kit.container import State, state_of
from chain.health.collector import Tables
from chain.telemetry import metrics

NOBODY: Final = "nobody"
STATUSES: Final = range(100, 600)
CACHED_S: Final = 1.0

HTTP: Final = CollectorRegistry()
_requests: Final = Counter(
    "moa_http_requests", "Requests, by the operation that answered and the status", ["operation", "status"],
    registry=HTTP,
)  # fmt: skip
_seconds: Final = Histogram(
    "moa_http_seconds", "Time to the first byte", ["operation"], buckets=metrics.SECONDS, registry=HTTP
)
_open: Final = Gauge("moa_http_open", "Requests that are being answered, live streams among them", registry=HTTP)


class Metered:
    """Counts every request that passes."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began = time.perf_counter()

        async def noted(message: Message) -> None:
            if message["type"] == "http.response.start":
                _note(scope, int(message["status"]), time.perf_counter() - began)
            await send(message)

        _open.inc()
        try:
            await self._app(scope, receive, noted)
        finally:
            _open.dec()


def _note(scope: Scope, status: int, seconds: float) -> None:
    operation = getattr(scope.get("endpoint"), "__name__", NOBODY)
    _requests.labels(operation, str(status) if status in STATUSES else NOBODY).inc()
    _seconds.labels(operation).observe(seconds)


class Page:
    """The page, made anew at most once a second: to ask costs a few reads of the database."""

    def __init__(self) -> None:
        self._at = -CACHED_S
        self._body = b""
        self._media_type = ""

    async def made(self, state: State) -> Response:
        if time.monotonic() - self._at >= CACHED_S:
            whole = metrics.together(metrics.COMMON, HTTP, Tables(state.database.engine))
            self._body, self._media_type = await run_in_threadpool(metrics.exposition, whole)
            self._at = time.monotonic()
        return Response(self._body, media_type=self._media_type, headers={"Cache-Control": "no-store"})


async def get_metrics(request: Request) -> Response:
    """What Prometheus reads, by the operator's key; a bind of its own needs none (`serve_metrics`)."""
    await by_operator(request)
    state = state_of(request)
    return await state.singleton(Page).made(state)


def serve_metrics(state: State, *, host: str, port: int) -> Callable[[], None]:
    """The same page on an address of its own, for a scraper that has no key; gives what ends it."""
    return metrics.serve(metrics.together(metrics.COMMON, HTTP, Tables(state.database.engine)), port, host)
