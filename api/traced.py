"""What every answer has: a request's id, headers that no route has to remember, a line in the access log; and faults.

The line names the operation, never the address that was asked for: an address can hold a member's id.
"""

from __future__ import annotations

import logging
import re
import secrets
import time
from typing import Final

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.kit import problems
from api.kit.log import access_log, log
from api.kit.problems import InternalFault

REQUEST_ID: Final = "x-request-id"
# nginx's word for a caller who went away before there was an answer.
GONE: Final = 499
NOBODY: Final = "-"
_id: Final = re.compile(r"[A-Za-z0-9._-]{8,64}\Z", re.ASCII)


class Traced:
    """Gives each request an id (its own, if it came with a good one) and tells it in the answer and in the log."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        asked = Headers(scope=scope).get(REQUEST_ID, "")
        request_id = asked if _id.match(asked) else secrets.token_hex(8)
        scope.setdefault("state", {})["request_id"] = request_id
        began, status = time.perf_counter(), GONE

        async def told(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = int(message["status"])
                message.setdefault("headers", [])
                headers = MutableHeaders(raw=message["headers"])
                headers[REQUEST_ID] = request_id
                headers.setdefault("x-content-type-options", "nosniff")
                if scope["path"].startswith("/v1/"):
                    headers.setdefault("cache-control", "no-store")
            await send(message)

        try:
            await self._app(scope, receive, told)
        except ClientDisconnect:
            # The caller went away while its body was read: nothing was done, and nobody is there to be told.
            pass
        except Exception as fault:
            log.error("a fault at %s, request %s", _operation(scope), request_id, exc_info=fault)
            if status != GONE:
                # Half an answer is out; the connection has to end where it broke.
                raise
            problem = InternalFault("The gateway failed; nothing is known to have changed.", request_id=request_id)
            await problems.response(problem, scope["path"])(scope, receive, told)
        finally:
            if access_log.isEnabledFor(logging.INFO):
                milliseconds = (time.perf_counter() - began) * 1000
                access_log.info(
                    "%s %s %s %d %.1fms %s",
                    request_id, scope["method"], _operation(scope), status, milliseconds, _caller(scope),
                )  # fmt: skip


def _operation(scope: Scope) -> str:
    return getattr(scope.get("endpoint"), "__name__", NOBODY)


def _caller(scope: Scope) -> str:
    """Who asked, as the log of acts names brands and operators; of a member no more than that it was one."""
    caller = scope["state"].get("caller")
    if caller is None:
        return NOBODY
    return "member" if caller.principal.startswith("member:") else str(caller.actor)
