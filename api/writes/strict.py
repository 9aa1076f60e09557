"""What every route asks of a request before it reads it: one meaning only, whatever library would have guessed.

Problem
├── FieldRepeated          422   a JSON object names a field twice: the last would have won
├── CharacterRefused       422   api/kit/texts.py, in bodies, paths, queries and headers
├── ContentTypeUnsupported 415
├── EncodingUnsupported    415   a compressed body
└── RequestMalformed       422   no JSON, an unknown or repeated query field, a number written otherwise
"""

from __future__ import annotations

import re
import types
from collections.abc import Callable, Coroutine, Iterator
from typing import Any, ClassVar, Final, TypeVar, Union, get_args, get_origin

from fastapi import Request
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute
from pydantic import WithJsonSchema
from starlette.responses import Response

from api.kit.problems import Problem, RequestMalformed
from api.kit.strict_json import parse
from api.kit.texts import refuse_invisible
from api.writes.ndjson import is_ndjson, takes_lines

Endpoint = TypeVar("Endpoint", bound=Callable[..., Any])
JSON: Final = "application/json"
# Headers that our routes read; of the others nothing is kept and nothing told.
HEADERS_READ: Final = ("idempotency-key", "prefer", "last-event-id", "authorization")
# An id is a text wherever it is told, in a path too: no reader of JSON shall make a float of it.
AS_TEXT: Final = WithJsonSchema({"type": "string", "pattern": "^[1-9][0-9]{0,18}$", "examples": ["17"]})
_digits: Final = re.compile(r"(?:0|[1-9][0-9]{0,18})\Z", re.ASCII)


class ContentTypeUnsupported(Problem):
    """The body is of a type that this route does not read."""

    status = 415
    headers: ClassVar = {"Accept-Post": JSON}


class EncodingUnsupported(Problem):
    """The body is compressed; bodies are read as they are."""

    status = 415
    headers: ClassVar = {"Accept-Encoding": "identity"}


BODY_PROBLEMS: Final = (ContentTypeUnsupported, EncodingUnsupported)


def takes_newlines(endpoint: Endpoint) -> Endpoint:
    """Marks a route whose texts may have lines: a note, a memo."""
    endpoint.takes_newlines = True  # type: ignore[attr-defined]
    return endpoint


def takes_types(*types: str) -> Callable[[Endpoint], Endpoint]:
    """Marks a route that reads JSON under these types of content too."""

    def marked(endpoint: Endpoint) -> Endpoint:
        endpoint.takes_types = frozenset(types)  # type: ignore[attr-defined]
        return endpoint

    return marked


class StrictRoute(APIRoute):
    """A route that takes a request only when it means one thing."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        serve = super().get_route_handler()
        needed = list(_whole(self.dependant))
        queries = {field.alias: field.field_info.annotation for one in needed for field in one.query_params}
        paths = {field.alias: field.field_info.annotation for one in needed for field in one.path_params}
        has_body = self.body_field is not None or bool((self.openapi_extra or {}).get("requestBody"))
        lines = takes_lines(self)
        newlines = getattr(self.endpoint, "takes_newlines", False)
        accepted = frozenset({JSON}) | getattr(self.endpoint, "takes_types", frozenset())

        async def checked(request: Request) -> Response:
            for name, value in request.path_params.items():
                _refuse_spelling(name, str(value), paths.get(name))
            if request.scope["query_string"]:
                refuse_queries(request, queries)
            for name in HEADERS_READ:
                for value in request.headers.getlist(name):
                    refuse_invisible(value, name)
            if request.method not in ("GET", "HEAD"):
                await _refuse_body(request, lines=lines, has_body=has_body, newlines=newlines, types=accepted)
            return await serve(request)

        return checked


def _whole(dependant: Dependant) -> Iterator[Dependant]:
    yield dependant
    for needed in dependant.dependencies:
        yield from _whole(needed)


def refuse_queries(request: Request, known: dict[str, Any]) -> None:
    """Raises RequestMalformed for a query field that is unknown, given twice, or written in another way than ours."""
    seen = set()
    for name, value in request.query_params.multi_items():
        if name not in known:
            told = ", ".join(sorted(known)) or "none"
            raise RequestMalformed(f"There is no query field {name[:40]!r} here; there are: {told}.")
        if name in seen and not _is(list, known[name]):
            raise RequestMalformed(f"{name} is given twice.", errors=[{"field": name, "detail": "given twice"}])
        seen.add(name)
        _refuse_spelling(name, value, known[name])


async def _refuse_body(request: Request, *, lines: bool, has_body: bool, newlines: bool, types: frozenset[str]) -> None:
    encoding = request.headers.get("content-encoding", "identity").strip().lower()
    if encoding not in ("", "identity"):
        raise EncodingUnsupported("Bodies are read as they are; send this one without Content-Encoding.")
    if lines and is_ndjson(request):
        return
    body = await request.body()
    if not body:
        return
    kinds = [kind.partition(";")[0].strip().lower() for kind in request.headers.getlist("content-type")]
    if len(kinds) != 1 or kinds[0] not in types:
        told = ", ".join(sorted(types))
        raise ContentTypeUnsupported(f"This route reads {told}{' or application/x-ndjson' if lines else ''}.")
    value = parse(body, newlines=newlines)
    if not has_body and value not in ({}, None):
        raise RequestMalformed("This route takes no body.")


def _refuse_spelling(name: str, value: str, wanted: Any) -> None:
    refuse_invisible(value, name)
    detail = None
    if _is(int, wanted) and not _digits.match(value):
        detail = "a whole number is written in plain digits, such as 10"
    elif _is(bool, wanted) and value not in ("true", "false"):
        detail = "write true or false"
    if detail is not None:
        raise RequestMalformed(f"{name}: {detail}.", errors=[{"field": name, "detail": detail}])


def _is(kind: type[Any], wanted: Any) -> bool:
    return kind in set(_kinds(wanted))


def _kinds(wanted: Any) -> Iterator[Any]:
    """The plain types that an annotation allows."""
    origin = get_origin(wanted)
    if origin in (Union, types.UnionType):
        for part in get_args(wanted):
            yield from _kinds(part)
    elif hasattr(wanted, "__metadata__"):
        yield from _kinds(get_args(wanted)[0])
    else:
        yield origin or wanted
