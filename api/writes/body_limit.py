"""Bounds, in bytes and in time, on every body that is read whole. NDJSON has bounds of its own, by line and number."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.connections import RequestTimedOut
from api.kit import problems
from api.kit.problems import BodyTooLarge
from api.writes.ndjson import is_ndjson


class BodyLimit:
    """Answers BodyTooLarge as soon as a body is, announced or not.

    larger_at: paths with a bound of their own. lines_at: the paths that read NDJSON line by line. Anywhere else NDJSON
    is a body like all others, and is read whole before anyone asks for a key.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        bytes_max: int,
        timeout_s: float,
        lines_at: Collection[str],
        larger_at: Mapping[str, int] | None = None,
    ) -> None:
        self._app = app
        self._bytes_max = bytes_max
        self._timeout_s = timeout_s
        self._larger_at = dict(larger_at or {})
        self._lines_at = frozenset(lines_at)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] in ("GET", "HEAD"):
            await self._app(scope, receive, send)
            return
        if scope["path"] in self._lines_at and is_ndjson(Request(scope)):
            await self._app(scope, receive, send)
            return
        bytes_max = self._larger_at.get(scope["path"], self._bytes_max)
        length = Headers(scope=scope).get("content-length", "0")
        if not (length.isascii() and length.isdigit()) or int(length) > bytes_max:
            await self._refuse(scope, receive, send, bytes_max)
            return
        seen, whole = 0, False
        until = asyncio.get_running_loop().time() + self._timeout_s

        async def counted() -> Message:
            nonlocal seen, whole
            if whole:
                return await receive()
            try:
                async with asyncio.timeout_at(until):
                    message = await receive()
            except TimeoutError:
                raise RequestTimedOut(f"A body comes whole within {self._timeout_s:.0f} seconds.") from None
            whole = message["type"] != "http.request" or not message.get("more_body", False)
            seen += len(message.get("body", b""))
            if seen > bytes_max:
                raise BodyTooLarge(f"A body has at most {bytes_max} bytes.")
            return message

        await self._app(scope, counted, send)

    @staticmethod
    async def _refuse(scope: Scope, receive: Receive, send: Send, bytes_max: int) -> None:
        problem = BodyTooLarge(f"A body has at most {bytes_max} bytes.")
        await problems.response(problem, scope["path"])(scope, receive, send)
