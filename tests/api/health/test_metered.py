"""What Prometheus reads of the gateway: bounded, and nobody's."""

from __future__ import annotations

import re
import socket

import httpx
import pytest

from api import metrics
from api.reports import service
from tests.api.conftest import World, Worlds, purchase
from tests.api.kit.test_inputs import OPERATIONS


def page(world: World) -> str:
    answer = world.operator.get("/metrics")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/plain")
    return answer.text


def value(text: str, sample: str) -> float:
    found = re.search(rf"^{re.escape(sample)} (\S+)$", text, re.MULTILINE)
    return float(found[1]) if found else 0.0


def test_the_page_is_the_operators(world: World) -> None:
    """SPEC 8.22"""
    member = world.session(world.member())
    assert world.client.get("/metrics").json()["error"] == "KeyMissing"
    for caller in (world.brand, member, world.auditor()):
        assert (caller.get("/metrics").status_code, caller.get("/metrics").json()["error"]) == (403, "NotYours")


def test_a_bind_of_its_own_needs_no_key(make_world: Worlds) -> None:
    """SPEC 8.22"""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    world = make_world(metrics_port=port)

    assert "moa_http_requests_total" in httpx.get(f"http://127.0.0.1:{port}/metrics", timeout=60).text
    assert world.client.get("/metrics").status_code == 401


def test_a_fault_is_counted(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """SPEC 8.22: an answer of 500 was in no metric."""

    def broken(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(service, "_slugs", broken)
    counted = metrics._requests.labels("get_supply", "500")._value
    before = counted.get()
    world.mirror()
    world.run("INSERT INTO mirror_block (number, hash, time) VALUES (7, '0x07', 1)")
    world.run("UPDATE mirror_checkpoint SET history_from = 0")

    answer = world.brand.get("/v1/supply")

    assert (answer.status_code, answer.json()["error"]) == (500, "InternalFault")
    assert answer.json()["request_id"] == answer.headers["x-request-id"]
    assert counted.get() == before + 1


def test_no_caller_can_make_new_labels(world: World) -> None:
    """SPEC 8.22"""
    for number in range(20):
        world.client.get(f"/nowhere-{number}?member={number}")
        world.client.get(f"/v1/members/mem_{number}/view")
        world.client.request(f"VERB{number}", "/v1/me/view")

    told = {sample.labels.get("operation", "") for metric in metrics.HTTP.collect() for sample in metric.samples}
    assert not [label for label in told if "nowhere" in label or "mem_" in label or "VERB" in label]
    # One an operation, and a few that serve the wallet, the document and the log's tiles.
    assert len(told) <= len(OPERATIONS) + 20


def test_requests_are_counted_by_what_answered_them(world: World) -> None:
    """SPEC 8.22"""

    def counted(operation: str, status: str) -> float:
        return metrics._requests.labels(operation, status)._value.get()  # type: ignore[no-any-return]

    health, refused = counted("get_health", "200"), counted("get_my_view", "401")
    world.client.get("/health")
    world.client.get("/v1/me/view")

    assert counted("get_health", "200") == health + 1
    assert counted("get_my_view", "401") == refused + 1


def test_the_queue_and_the_loops_are_told_from_the_database(world: World) -> None:
    """SPEC 8.22"""
    world.mirror(block_number=7)
    world.member()
    world.brand.write("/v1/purchases", purchase())

    text = page(world)

    assert value(text, 'moa_queue_operations{state="queued"}') == 1
    assert value(text, 'moa_checkpoint_block{finality="latest"}') == 7
    assert value(text, "moa_database_up") == 1


def test_nothing_personal_is_told(world: World) -> None:
    """SPEC 8.22"""
    member = world.member("someone@example.org")
    session = world.session(member)
    session.get("/v1/me/view")

    text = page(world)

    for secret in (
        "someone",
        member["id"],
        member["address"],
        session.token if hasattr(session, "token") else "moa_m_",
    ):
        assert secret not in text


def test_a_database_that_is_away_is_told_as_such(world: World) -> None:
    world.run("ALTER TABLE operation RENAME TO gone")

    assert value(page(world), "moa_database_up") == 0


def test_the_age_of_the_queue_is_that_of_its_oldest(world: World) -> None:
    """SPEC 8.22"""
    world.member()
    for number in (1, 2):
        world.brand.write("/v1/purchases", purchase(number))
    world.run("UPDATE operation SET created_at_ms = created_at_ms - 50000 WHERE id = 1")

    assert 50 <= value(page(world), "moa_queue_oldest_seconds") < 110
