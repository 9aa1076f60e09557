"""What FastAPI cannot say of our routes: bodies that come as JSON or NDJSON, required keys, what any route may refuse.

The document is complete: a status that is answered and not written here is a fault, and the tests look at each answer.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from fastapi import FastAPI
from pydantic.json_schema import models_json_schema

from api.connections import ConnectionsTooMany, HeadersTooLarge, RequestLineTooLong, RequestTimedOut
from api.kit.problems import (
    MEDIA_TYPE,
    BodyTooLarge,
    DatabaseUnavailable,
    InternalFault,
    Problem,
    ProblemDocument,
    RequestMalformed,
    responses,
)
from api.kit.strict_json import FieldRepeated
from api.kit.texts import INVISIBLE, CharacterRefused
from api.writes.ndjson import UNSIGNED
from api.writes.strict import BODY_PROBLEMS

REF = "#/components/schemas/{model}"
EXAMPLE_KEY: Final = "5d1c7c1e-9a58-4a2f-8a55-1f4f2a7d9c10"
KEY: Final = {
    "type": "string", "minLength": 1, "maxLength": 128, "pattern": "^[!-~]{1,128}$", "examples": [EXAMPLE_KEY],
}  # fmt: skip
# What any request can be refused for, any that can have a body, and any that reads the database.
ANY: Final[tuple[type[Problem], ...]] = (
    RequestMalformed, CharacterRefused, RequestTimedOut, RequestLineTooLong, HeadersTooLarge, ConnectionsTooMany,
    InternalFault,
)  # fmt: skip
WRITTEN: Final[tuple[type[Problem], ...]] = (BodyTooLarge, *BODY_PROBLEMS)
STORED: Final[tuple[type[Problem], ...]] = (DatabaseUnavailable,)
VISIBLE: Final = f"^[^{INVISIBLE}]*$"
# A note has lines, and so has a message that a wallet signs.
LINED: Final = ("note", "message")
LINES: Final = VISIBLE.replace(r"\u0000-\u001f", r"\u0000-\u0009\u000b-\u001f")


def describe(app: FastAPI) -> None:
    """Gives the application a complete document."""
    plain = app.openapi

    def complete() -> dict[str, Any]:
        if app.openapi_schema is None:
            document = plain()
            _add_unsigned(document)
            _require_keys(document)
            _say_problems(document)
            _say_what_any_may_refuse(document)
            _bound_texts(document)
            _give_examples(document)
            app.openapi_schema = document
        return app.openapi_schema

    app.openapi = complete  # type: ignore[method-assign]


def _operations(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield method, path, operation


def _add_unsigned(document: dict[str, Any]) -> None:
    models = sorted(UNSIGNED, key=lambda model: model.__name__)
    _, definitions = models_json_schema([(model, "serialization") for model in models], ref_template=REF)
    schemas = document["components"]["schemas"]
    for name, schema in definitions.get("$defs", {}).items():
        schemas.setdefault(name, schema)
    document["components"]["schemas"] = dict(sorted(schemas.items()))


def _require_keys(document: dict[str, Any]) -> None:
    """Idempotency-Key is optional to FastAPI only so that its absence has a name of its own."""
    for _, _, operation in _operations(document):
        for parameter in operation.get("parameters", ()):
            if parameter["name"] == "idempotency-key":
                parameter["required"] = True
                parameter["schema"] = dict(KEY)


def _say_problems(document: dict[str, Any]) -> None:
    """FastAPI puts the schema of a refusal under application/json; ours are application/problem+json."""
    for _, _, operation in _operations(document):
        for status, told in operation["responses"].items():
            content = told.get("content", {})
            if MEDIA_TYPE in content:
                content[MEDIA_TYPE] |= content.pop("application/json")
            elif told.get("description") == "Validation Error":
                operation["responses"][status] = {"description": "", "content": {}}
    for unused in ("HTTPValidationError", "ValidationError"):
        document["components"]["schemas"].pop(unused, None)


def _say_what_any_may_refuse(document: dict[str, Any]) -> None:
    schema = {"$ref": REF.format(model=ProblemDocument.__name__)}
    for method, path, operation in _operations(document):
        may = [*ANY]
        if method != "get":
            may += WRITTEN
        if "requestBody" in operation:
            may.append(FieldRepeated)
        if path != "/health":
            may += STORED
        for status, more in responses(*may).items():
            told = operation["responses"].setdefault(str(status), {"description": "", "content": {}})
            if "application/json" in told.get("content", {}):
                continue  # /ready answers 503 with its checks
            problem = told["content"].setdefault(MEDIA_TYPE, {})
            problem["schema"] = schema
            problem["examples"] = more["content"][MEDIA_TYPE]["examples"] | problem.get("examples", {})
            told["description"] = ", ".join(sorted(problem["examples"]))
        operation["responses"] = dict(sorted(operation["responses"].items()))


def _bound_texts(document: dict[str, Any]) -> None:
    """Every text that is asked for has a pattern: its own, or that of what can be seen."""
    schemas = document["components"]["schemas"]
    for _, _, operation in _operations(document):
        for content in operation.get("requestBody", {}).get("content", {}).values():
            for name, field in _texts(content["schema"], schemas):
                if not {"pattern", "enum", "const", "format"} & field.keys():
                    field["pattern"] = LINES if name in LINED else VISIBLE


def _texts(schema: dict[str, Any], schemas: dict[str, Any], name: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    if "$ref" in schema:
        yield from _texts(schemas[schema["$ref"].rsplit("/", 1)[1]], schemas, name)
    for branch in schema.get("anyOf", ()):
        yield from _texts(branch, schemas, name)
    for field, inner in schema.get("properties", {}).items():
        yield from _texts(inner, schemas, field)
    if schema.get("type") == "string" and name:
        yield name, schema


def _give_examples(document: dict[str, Any]) -> None:
    """A body to send as it is printed, made of its fields' examples; those whose example is null are left out."""
    schemas = document["components"]["schemas"]
    for _, _, operation in _operations(document):
        content = operation.get("requestBody", {}).get("content", {})
        if "application/json" in content:
            content["application/json"]["example"] = _example(content["application/json"]["schema"], schemas)


def _example(schema: dict[str, Any], schemas: dict[str, Any]) -> Any:
    if "$ref" in schema:
        return _example(schemas[schema["$ref"].rsplit("/", 1)[1]], schemas)
    if "examples" in schema:
        return schema["examples"][0]
    if "enum" in schema and "default" not in schema:
        return schema["enum"][0]
    if schema.get("type") == "array" and schema.get("minItems"):
        return [_example(schema["items"], schemas)]
    if "properties" in schema:
        made = {name: _example(inner, schemas) for name, inner in schema["properties"].items()}
        return {name: value for name, value in made.items() if value is not None}
    if "default" in schema and schema["default"] is not None:
        return schema["default"]
    for branch in schema.get("anyOf", ()):
        if branch.get("type") != "null":
            return _example(branch, schemas)
    return None
