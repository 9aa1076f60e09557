"""What every answer has: a request's id, headers that no route has to remember, a line in the access log; and faults.

The line names the operation, never the address that was asked for: an address can hold a member's id.
"""

from __future__ import annotations

import re
import secrets
import time
from collections.abc import Iterable
from typing import Final

from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.kit import problems
from api.kit.log import access_log, log
from api.kit.problems import InternalFault

REQUEST_ID: Final = b"x-request-id"
NOSNIFF: Final = (b"x-content-type-options", b"nosniff")
NO_STORE: Final = (b"cache-control", b"no-store")
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
        request_id = _asked(scope) or secrets.token_hex(8)
        scope.setdefault("state", {})["request_id"] = request_id
        began, status = time.perf_counter(), GONE

        async def told(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = int(message["status"])
                message["headers"] = _completed(message.get("headers", ()), request_id, scope["path"])
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
            if access_log.kept:
                milliseconds = (time.perf_counter() - began) * 1000
                access_log.say(
                    f"{request_id} {scope['method']} {_operation(scope)} {status} {milliseconds:.1f}ms {_caller(scope)}"
                )


def _asked(scope: Scope) -> str | None:
    """The request's own id, if it came with a good one."""
    for name, value in scope["headers"]:
        if name == REQUEST_ID:
            asked = value.decode("latin-1")
            return asked if _id.match(asked) else None
    return None


def _completed(headers: Iterable[tuple[bytes, bytes]], request_id: str, path: str) -> list[tuple[bytes, bytes]]:
    """An answer's headers with those that no route has to remember, where it did not say them itself."""
    whole = [header for header in headers if header[0] != REQUEST_ID]
    names = {name for name, _ in whole}
    whole.append((REQUEST_ID, request_id.encode()))
    if NOSNIFF[0] not in names:
        whole.append(NOSNIFF)
    if NO_STORE[0] not in names and path.startswith("/v1/"):
        whole.append(NO_STORE)
    return whole


def _operation(scope: Scope) -> str:
    return getattr(scope.get("endpoint"), "__name__", NOBODY)


def _caller(scope: Scope) -> str:
    """Who asked, as the log of acts names brands and operators; of a member no more than that it was one."""
    caller = scope["state"].get("caller")
    if caller is None:
        return NOBODY
    return "member" if caller.principal.startswith("member:") else str(caller.actor)
