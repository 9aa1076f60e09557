"""What every answer has: an id, safe headers, a line in the access log that names nobody; and callers who go away."""

from __future__ import annotations

import io
import logging
import re

import httpx
import pytest

from api.kit.log import AccessLog, access_log
from tests.api.conftest import World, served
from tests.api.kit.test_inputs import OPERATIONS, address, call, callers, named
from tests.api.test_connections import Wire, start_of_body

__all__ = ["callers"]


@pytest.fixture(scope="module")
def world(shared_world: World) -> World:
    return shared_world


@pytest.mark.parametrize("operation", OPERATIONS, ids=named)
def test_every_answer_is_safe_and_traceable(world: World, callers: dict, operation: tuple) -> None:  # type: ignore[type-arg]
    """SPEC 9.44"""
    answer = call(world, callers, operation, address(operation), headers={"X-Request-Id": "trace-0123456789"})

    assert answer.headers["x-request-id"] == "trace-0123456789"
    assert answer.headers["x-content-type-options"] == "nosniff"
    if operation[1].startswith("/v1/") and answer.status_code != 200:
        assert "no-store" in answer.headers["cache-control"]


def test_a_new_key_and_a_new_session_are_for_nobodys_cache(world: World) -> None:
    """SPEC 9.44"""
    member = world.member("cached")
    for path in ("/v1/brands/cdnow/keys", "/v1/auditors/keys", f"/v1/members/{member['id']}/sessions"):
        answer = world.operator.write(path, key=f"cached-{path}")
        assert answer.status_code == 201
        assert answer.headers["cache-control"] == "private, no-store"


@pytest.mark.parametrize("asked", ["", "short", "x" * 65, "with space in it", "new\\nline-0000"])
def test_an_id_that_is_none_is_replaced(world: World, asked: str) -> None:
    """SPEC 9.44"""
    ids = {world.client.get("/health", headers={"X-Request-Id": asked}).headers["x-request-id"] for _ in range(3)}

    assert len(ids) == 3
    assert all(re.fullmatch("[0-9a-f]{16}", one) for one in ids)


def test_the_access_log_names_operations_and_nobody(world: World) -> None:
    """SPEC 9.44"""
    member = world.member("logged@example.org")
    session = world.session(member)
    written = io.StringIO()
    access_log.keep(written)

    session.get("/v1/me/view")
    world.brand.get(f"/v1/members/{member['id']}/view")
    world.brand.get("/v1/members", identifier="logged@example.org")
    world.client.get("/nowhere?x=logged@example.org")

    access_log.keep(None)
    lines = written.getvalue().splitlines()
    assert [line.split()[4] for line in lines] == ["get_my_view", "get_member_view", "find_member", "serve"]
    assert lines[1].split()[-1].startswith("brand/cdnow/")
    for secret in (member["id"], "logged", session.key, member["address"]):
        assert secret not in "".join(lines)


def test_an_access_log_whose_reader_is_gone_ends_and_says_so(caplog: pytest.LogCaptureFixture) -> None:
    """SPEC 9.44"""
    written = AccessLog()
    stream = io.StringIO()
    written.keep(stream)
    written.say("one")
    stream.close()
    written.flush()
    written.say("two")
    written.flush()

    assert not written.kept
    assert [record.getMessage() for record in caplog.records] == [
        "the access log's stream is closed: no more lines are kept"
    ]


@pytest.mark.parametrize("media_type", ["application/json", "application/x-ndjson"])
def test_a_caller_who_goes_away_in_the_middle_of_a_body_is_no_fault(
    world: World, caplog: pytest.LogCaptureFixture, media_type: str
) -> None:
    """SPEC 9.44: it left a traceback in the log."""
    caplog.set_level(logging.INFO)
    with served(world) as (url, server):
        with Wire(url) as wire:
            wire.send(start_of_body(world, media_type) + b'{"id"')
            while not server.server_state.tasks:
                pass
        while server.server_state.tasks:
            httpx.get(f"{url}/health", timeout=60)

    told = [record for record in caplog.records if record.levelno >= logging.WARNING]
    assert [record.getMessage() for record in told if record.exc_info or record.levelno >= logging.ERROR] == []
