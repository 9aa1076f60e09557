"""Every body that the API document prints, sent as it is printed to a gateway that runs."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from scripts.stack.gateway import Gateway
from scripts.stack.local_stack import LocalStack
from tests.api.conftest import documented
from tests.end_to_end.screen import as_brand

pytestmark = pytest.mark.slow
WAIT = "wait=30"


class Reader:
    """Somebody who read the document, with a key of each kind."""

    def __init__(self, demo: LocalStack) -> None:
        self.http = httpx.Client(base_url=demo.url, timeout=60, event_hooks={"response": [documented]})
        brand = demo.brand_keys["cdnow"]
        self.keys = {"operatorKey": demo.operator_key, "brandKey": brand, "writeKey": brand}
        self.paths: dict[str, Any] = self.http.get("/openapi.json").json()["paths"]
        self.sent: set[str] = set()

    def post(self, path: str, *, by: str = "brandKey", **filled: str) -> Any:
        """The document's own body, by who it says may send it."""
        told = self.paths[path]["post"]
        body = told["requestBody"]["content"]["application/json"]["example"]
        headers = {"Idempotency-Key": secrets.token_hex(8), "Prefer": WAIT}
        if by:
            headers["Authorization"] = f"Bearer {self.keys[by]}"
            allowed = {name for needed in told["security"] for name in needed}
            assert any(by.lower() in name.lower() for name in allowed), (by, allowed)
        self.sent.add(path)
        return self.http.post(path.format(**filled), json=body, headers=headers)


@pytest.fixture(scope="module")
def reader(demo: LocalStack) -> Iterator[Reader]:
    made = Reader(demo)
    yield made
    made.http.close()


def test_every_example_runs_as_printed(demo: LocalStack, reader: Reader) -> None:
    """SPEC 9.49"""
    member = reader.post("/v1/members")
    assert member.status_code in (200, 201), member.text
    ids = {"member_id": member.json()["id"], "correction_id": "cor_" + "0" * 32}
    bought = reader.post("/v1/purchases")
    assert bought.status_code == 201, bought.text
    assert reader.post("/v1/awards/quote").status_code == 200
    session = reader.post("/v1/members/{member_id}/sessions", by="operatorKey", **ids)
    assert session.status_code == 201, session.text
    reader.keys["memberSession"] = session.json()["token"]
    with as_brand(demo, "hanok") as hanok:
        hanok.post("/v1/members", {"identifier": "document", "id": ids["member_id"]}, key="document")

    hold = reader.post("/v1/holds")
    assert hold.status_code == 201, hold.text
    for step in ("capture", "refund"):
        answer = reader.post(f"/v1/holds/{{hold_id}}/{step}", hold_id=hold.json()["id"])
        assert answer.status_code == 201, answer.text
    assert reader.post("/v1/exchanges/quote", by="memberSession").status_code == 200
    exchanged = reader.post("/v1/exchanges", by="memberSession")
    assert exchanged.status_code == 201, exchanged.text
    assert reader.post("/v1/log/statements", by="operatorKey").status_code == 201

    with Gateway(demo.url, demo.operator_key) as operator:
        made = operator.post("/v1/operators/keys", {}, key=f"document-{secrets.token_hex(8)}")
    assert reader.post("/v1/operators/keys/{key_id}/rotate", by="operatorKey", key_id=made["id"]).status_code == 201

    with Gateway(demo.url, demo.operator_key) as operator:
        made = operator.post("/v1/brands/cdnow/keys", {}, key=f"document-{secrets.token_hex(8)}")
    assert reader.post("/v1/keys/{key_id}/rotate", by="brandKey", key_id=made["id"]).status_code == 201

    # This one names a witness that nobody has.
    note = reader.post("/v1/log/cosignatures", by="")
    assert (note.status_code, note.json()["error"]) == (422, "CosignatureInvalid")

    # The rest asks for what a reader of the document alone does not have (a challenge, a proof, another person): the
    # body is understood, and what is missing is told by a documented name. Erasure comes last.
    printed = {path for path, methods in reader.paths.items() if "requestBody" in methods.get("post", {})}
    for path in sorted(printed - reader.sent, key=lambda one: (one.endswith("/erasure"), one)):
        told = reader.paths[path]["post"]
        by = next((name for needed in told.get("security", ()) for name in needed), "")
        named = [one["name"] for one in told.get("parameters", ()) if one["in"] == "path"]
        answer = reader.post(path, by=by, **{name: ids.get(name, "unknown") for name in named})
        assert str(answer.status_code) in told["responses"], (path, answer.text)
        assert answer.status_code < 400 or answer.json()["error"] != "RequestMalformed", (path, answer.text)

    assert reader.sent == printed


def test_every_reading_route_answers_as_the_document_says(demo: LocalStack, reader: Reader) -> None:
    """SPEC 9.49: with its examples for parameters; whose are there or not, the status is a documented one."""
    by = {**reader.keys, "auditorKey": ""}
    auditor = reader.http.post(
        "/v1/auditors/keys",
        headers={"Authorization": f"Bearer {demo.operator_key}", "Idempotency-Key": secrets.token_hex(8)},
    )
    by["auditorKey"] = auditor.json()["key"]
    tried = 0
    for path, methods in reader.paths.items():
        told = methods.get("get")
        if told is None or path == "/v1/me/stream":
            continue
        query = {}
        for parameter in told.get("parameters", ()):
            example = parameter.get("example") or next(iter(parameter["schema"].get("examples", ["1"])), "1")
            if parameter["in"] == "path":
                path = path.replace(f"{{{parameter['name']}}}", str(example))
            elif parameter["in"] == "query" and parameter.get("required"):
                query[parameter["name"]] = str(example)
        for key in (None, *by.values()):
            headers = {} if key is None else {"Authorization": f"Bearer {key}"}
            answer = reader.http.get(path, params=query, headers=headers)
            assert answer.status_code != 500, (path, answer.text)
            tried += 1
    assert tried > 100
