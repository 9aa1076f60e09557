"""A bound on every body that is read whole. NDJSON bodies have bounds of their own, by line and by number."""

from __future__ import annotations

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api import problems
from api.ndjson import MEDIA_TYPES
from api.problems import BodyTooLarge


class BodyLimit:
    """Answers BodyTooLarge as soon as a body is, announced or not."""

    def __init__(self, app: ASGIApp, *, bytes_max: int) -> None:
        self._app = app
        self._bytes_max = bytes_max

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] in ("GET", "HEAD"):
            await self._app(scope, receive, send)
            return
        length = b"0"
        for name, value in scope["headers"]:
            if name == b"content-type" and value.partition(b";")[0].strip().lower().decode("latin-1") in MEDIA_TYPES:
                await self._app(scope, receive, send)
                return
            if name == b"content-length":
                length = value
        if not length.isdigit() or int(length) > self._bytes_max:
            await self._refuse(scope, receive, send)
            return
        seen = 0

        async def counted() -> Message:
            nonlocal seen
            message = await receive()
            seen += len(message.get("body", b""))
            if seen > self._bytes_max:
                raise BodyTooLarge(f"A body has at most {self._bytes_max} bytes.")
            return message

        await self._app(scope, counted, send)

    async def _refuse(self, scope: Scope, receive: Receive, send: Send) -> None:
        problem = BodyTooLarge(f"A body has at most {self._bytes_max} bytes.")
        await problems.response(problem, scope["path"])(scope, receive, send)
