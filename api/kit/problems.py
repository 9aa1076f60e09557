"""Refusals as the gateway says them: RFC 9457 problem documents with one extra member, `error`.

    Problem
    ├── RequestMalformed           422   the shape of a request is wrong
    ├── RouteUnknown               404
    ├── MethodUnknown              405   Allow says which
    ├── BodyTooLarge               413
    ├── AmountMalformed … TooLarge 422   api/kit/amounts.py
    ├── IdempotencyKeyMissing …    4xx   api/writes/idempotency.py
    ├── NodeUnavailable            503
    ├── DatabaseUnavailable        503
    ├── ContractRefused            409   carries the contract's own error name
    └── each layer's errors.py

One name from revert to screen: the class's name is the document's `error` and the wallet's message key.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import orjson
import psycopg
from fastapi import Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import exc as sqlalchemy_errors
from starlette.exceptions import HTTPException
from starlette.responses import Response

from api.kit.log import log
from chain.base import errors as chain_errors

MEDIA_TYPE = "application/problem+json"
ERRORS_LISTED_MAX = 20


class Problem(Exception):
    """A typed refusal; nothing was changed. Its facts are extra members of the document."""

    status: ClassVar[int] = 400
    headers: ClassVar[Mapping[str, str]] = {}

    def __init__(self, detail: str, **facts: Any) -> None:
        super().__init__(detail)
        self.detail = detail
        self.facts = facts

    @property
    def error(self) -> str:
        """The name by which contracts, Python, JSON and the wallet call this refusal."""
        return type(self).__name__

    @property
    def title(self) -> str:
        return (type(self).__doc__ or self.error).split("\n", 1)[0]

    def document(self, instance: str | None = None) -> dict[str, Any]:
        """The RFC 9457 document as plain JSON values."""
        document: dict[str, Any] = {
            **self.facts,
            "type": f"urn:moa:problem:{self.error}",
            "title": self.title,
            "status": self.status,
            "detail": self.detail,
            "error": self.error,
        }
        if instance is not None:
            document["instance"] = instance
        return document


class RequestMalformed(Problem):
    """The request has not the shape that the route asks for."""

    status = 422


class RouteUnknown(Problem):
    """Nothing answers at this address with this method."""

    status = 404


class MethodUnknown(Problem):
    """Something answers at this address, but not with this method."""

    status = 405


class BodyTooLarge(Problem):
    """The body is larger than this route accepts."""

    status = 413
    headers: ClassVar[Mapping[str, str]] = {"Connection": "close"}


class NodeUnavailable(Problem):
    """The chain's node does not answer now."""

    status = 503
    headers: ClassVar[Mapping[str, str]] = {"Retry-After": "2"}


class DatabaseUnavailable(Problem):
    """The gateway's database does not answer now, or is too busy."""

    status = 503
    headers: ClassVar[Mapping[str, str]] = {"Retry-After": "2"}


class InternalFault(Problem):
    """The gateway failed; the fault is ours and is logged."""

    status = 500


class ContractRefused(Problem):
    """The contract refused the operation."""

    status = 409

    def __init__(self, name: str, arguments: Mapping[str, Any] | None = None, **facts: Any) -> None:
        told = ", ".join(f"{key} {value}" for key, value in (arguments or {}).items())
        super().__init__(f"The contract refused: {name}({told}).", arguments=dict(arguments or {}), **facts)
        self.name = name

    @property
    def error(self) -> str:
        return self.name


class ProblemDocument(BaseModel):
    """An RFC 9457 problem document; `error` is the name to branch on."""

    model_config = ConfigDict(extra="allow")

    type: str = Field(examples=["urn:moa:problem:AmountZero"])
    title: str = Field(examples=["The amount is zero."])
    status: int = Field(examples=[422])
    detail: str = Field(examples=["The amount is 0; an order of value nothing says so with free: true."])
    error: str = Field(examples=["AmountZero"])
    instance: str | None = Field(default=None, examples=["/v1/purchases"])


def responses(*problems: type[Problem]) -> dict[int | str, dict[str, Any]]:
    """What a route's `responses=` says about its refusals: one entry a status, naming each error."""
    told: dict[int | str, dict[str, Any]] = {}
    for problem in problems:
        entry = told.setdefault(
            problem.status,
            {"model": ProblemDocument, "description": "", "content": {MEDIA_TYPE: {"examples": {}}}},
        )
        name = problem.__name__
        entry["description"] = f"{entry['description']}, {name}" if entry["description"] else name
        title = (problem.__doc__ or name).split("\n", 1)[0]
        entry["content"][MEDIA_TYPE]["examples"][name] = {
            "value": {
                "type": f"urn:moa:problem:{name}",
                "title": title,
                "status": problem.status,
                "detail": title,
                "error": name,
            }
        }
    return told


def of_validation(errors: Sequence[Any], *, skip: int = 0) -> Problem:
    """The problem that a list of pydantic errors amounts to.

    A typed error (an amount's, say) is told by its own name; anything else is RequestMalformed with the
    places. skip: leading parts of each place that mean nothing to the caller ("body").
    """
    for error in errors:
        known = _typed.get(error["type"])
        if known is not None:
            place = ".".join(str(part) for part in error["loc"][skip:])
            return known(error["msg"], field=place)
    places = [
        {"field": ".".join(str(part) for part in error["loc"][skip:]), "detail": _sentence(error)}
        for error in errors[:ERRORS_LISTED_MAX]
    ]
    told = "; ".join(f"{place['field'] or 'body'}: {place['detail']}" for place in places[:3])
    return RequestMalformed(told + ".", errors=places)


def _sentence(error: Any) -> str:
    """What is wrong, in words: a pattern is told by what it asks for."""
    if error["type"] == "string_pattern_mismatch":
        return SENTENCES.get(error["ctx"]["pattern"], str(error["msg"]))
    return str(error["msg"])


# Pattern → what it asks for, in words; filled by api.kit.texts.patterned.
SENTENCES: dict[str, str] = {}
_typed: dict[str, type[Problem]] = {}


def told_by_validation(problem: type[Problem]) -> type[Problem]:
    """Lets a pydantic custom error of the problem's name become the problem itself."""
    _typed[problem.__name__] = problem
    return problem


def response(problem: Problem, instance: str | None = None) -> Response:
    """The problem as an HTTP response."""
    return Response(
        orjson.dumps(problem.document(instance)),
        status_code=problem.status,
        headers=dict(problem.headers),
        media_type=MEDIA_TYPE,
    )


async def on_problem(request: Request, problem: Exception) -> Response:
    assert isinstance(problem, Problem)
    return response(problem, request.url.path)


async def on_validation(request: Request, fault: Exception) -> Response:
    assert isinstance(fault, RequestValidationError)
    return response(of_validation(fault.errors(), skip=1), request.url.path)


async def on_http(request: Request, fault: Exception) -> Response:
    assert isinstance(fault, HTTPException)
    problem: Problem
    if isinstance(fault.__cause__, Problem):
        # Raised while FastAPI read the body, and wrapped by it.
        problem = fault.__cause__
    elif fault.status_code == 404:
        problem = RouteUnknown(f"Nothing answers {request.method} {request.url.path}.")
    elif fault.status_code == 405:
        return _on_method(request)
    else:
        problem = RequestMalformed(str(fault.detail))
    return response(problem, request.url.path)


def _on_method(request: Request) -> Response:
    """405 with all methods of this address; 404 where only the wallet's catch-all would answer."""
    allowed = methods_at(request.app.openapi(), request.url.path)
    if not allowed:
        return response(RouteUnknown(f"Nothing answers {request.method} {request.url.path}."), request.url.path)
    answer = response(MethodUnknown(f"{request.url.path} does not answer {request.method}."), request.url.path)
    answer.headers["Allow"] = ", ".join(allowed)
    return answer


def methods_at(document: Mapping[str, Any], path: str) -> list[str]:
    """The methods that the document gives an address; none: it has no such address."""
    parts = path.split("/")
    found = set()
    for template, methods in document["paths"].items():
        wanted = template.split("/")
        if len(wanted) == len(parts) and all(
            (part and name.startswith("{")) or name == part for name, part in zip(wanted, parts, strict=True)
        ):
            found |= {method.upper() for method in methods}
    return sorted(found)


async def on_node(request: Request, fault: Exception) -> Response:
    # Where the node is, and what it said, is for the log; what kind of trouble it is, for anyone.
    log.warning("the node did not answer: %s", fault)
    kind = getattr(fault, "name", type(fault).__name__)
    return response(
        NodeUnavailable(f"The chain's node does not answer as it should ({kind}); try again."), request.url.path
    )


async def on_revert(request: Request, fault: Exception) -> Response:
    assert isinstance(fault, chain_errors.Reverted)
    return response(ContractRefused(fault.error, fault.error_args), request.url.path)


async def on_database(request: Request, fault: Exception) -> Response:
    log.warning("the database did not answer: %s", fault)
    problem = DatabaseUnavailable("The gateway's database does not answer now; nothing was changed, try again.")
    return response(problem, request.url.path)


# What the libraries below raise when something that we need is away, and how that is told.
from_below: Mapping[Any, Any] = {
    sqlite3.OperationalError: on_database,
    psycopg.OperationalError: on_database,
    sqlalchemy_errors.OperationalError: on_database,
    sqlalchemy_errors.TimeoutError: on_database,
    chain_errors.NodeUnavailable: on_node,
    chain_errors.AnswerInconsistent: on_node,
    chain_errors.RpcError: on_node,
    chain_errors.Reverted: on_revert,
}
