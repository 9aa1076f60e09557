"""What FastAPI cannot say of our routes: schemas of bodies that come as JSON or NDJSON, and required keys."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI
from pydantic.json_schema import models_json_schema

from api.kit.problems import MEDIA_TYPE, ProblemDocument, RequestMalformed
from api.writes.ndjson import UNSIGNED

REF = "#/components/schemas/{model}"


def describe(app: FastAPI) -> None:
    """Gives the application a complete document."""
    plain = app.openapi

    def complete() -> dict[str, Any]:
        if app.openapi_schema is None:
            document = plain()
            _add_unsigned(document)
            _require_keys(document)
            _say_problems(document)
            app.openapi_schema = document
        return app.openapi_schema

    app.openapi = complete  # type: ignore[method-assign]


def _add_unsigned(document: dict[str, Any]) -> None:
    models = sorted(UNSIGNED, key=lambda model: model.__name__)
    _, definitions = models_json_schema([(model, "serialization") for model in models], ref_template=REF)
    schemas = document["components"]["schemas"]
    for name, schema in definitions.get("$defs", {}).items():
        schemas.setdefault(name, schema)
    document["components"]["schemas"] = dict(sorted(schemas.items()))


def _require_keys(document: dict[str, Any]) -> None:
    """Idempotency-Key is optional to FastAPI only so that its absence has a name of its own."""
    for methods in document["paths"].values():
        for operation in methods.values():
            for parameter in operation.get("parameters", ()):
                if parameter["name"] == "idempotency-key":
                    parameter["required"] = True
                    parameter["schema"] = {"type": "string", "minLength": 1, "maxLength": 128}


def _say_problems(document: dict[str, Any]) -> None:
    """FastAPI puts the schema of a refusal under application/json; ours are application/problem+json."""
    for methods in document["paths"].values():
        for operation in methods.values():
            for status, told in operation["responses"].items():
                content = told.get("content", {})
                if MEDIA_TYPE in content:
                    content[MEDIA_TYPE] |= content.pop("application/json")
                elif told.get("description") == "Validation Error":
                    schema = {"$ref": REF.format(model=ProblemDocument.__name__)}
                    operation["responses"][status] = {
                        "description": RequestMalformed.__name__,
                        "content": {MEDIA_TYPE: {"schema": schema}},
                    }
    for unused in ("HTTPValidationError", "ValidationError"):
        document["components"]["schemas"].pop(unused, None)
