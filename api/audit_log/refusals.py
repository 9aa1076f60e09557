"""Refusals, noticed where they become answers: whatever layer refused, and though its transaction rolled back."""

from __future__ import annotations

import re
from collections.abc import Callable, Coroutine
from typing import Any, Final

from fastapi import Request
from starlette.responses import Response

from api.audit_log.names import NOBODY
from api.audit_log.tallies import Group, Tallies
from api.kit.container import state_of

Handler = Callable[[Request, Any], Coroutine[Any, Any, Response]]
# Who you are not, what is not yours, what you do not know, what cannot be. A malformed request is no act of ours.
NOTED: Final = frozenset({401, 403, 404, 409})
_kind = re.compile(r"Bearer\s+moa_([obmars])_", re.ASCII | re.IGNORECASE)


def noting(handler: Handler) -> Handler:
    """The handler, and the refusal counted before the answer leaves."""

    async def noted(request: Request, fault: Any) -> Response:
        answer = await handler(request, fault)
        if answer.status_code in NOTED:
            await note(request, fault, answer.status_code)
        return answer

    return noted


async def note(request: Request, fault: Exception, status: int) -> None:
    """Counts one refusal."""
    state = state_of(request)
    error = str(getattr(fault, "error", type(fault).__name__))
    caller = getattr(request.state, "caller", None)
    detail: tuple[tuple[str, str], ...]
    if caller is None:
        # A key that exists is named when someone comes with a wrong secret for it; an invented one is not.
        claimed = getattr(fault, "claimed", None)
        kind = _kind.match(request.headers.get("authorization", ""))
        detail = (("error", error), ("kind", kind[1].lower() if kind else "none"))
        group = Group("signin.failed", NOBODY, f"key/{claimed}" if claimed else "", detail)
    else:
        detail = (("error", error), ("method", request.method), ("route", route_of(request)))
        group = Group("request.refused", caller.actor, "", detail)
    await state.singleton(Tallies).count(state, group)


async def note_look(request: Request, act: str, *, actor: str, subject: str = "") -> None:
    """Counts one look; what was looked at is not told before that is on disk."""
    state = state_of(request)
    detail = (("method", request.method), ("route", route_of(request)))
    await state.singleton(Tallies).count(state, Group(act, actor, subject, detail))


def route_of(request: Request) -> str:
    """The route as the document names it: never with anyone's id in it."""
    return str(getattr(request.scope.get("route"), "path", "*"))
