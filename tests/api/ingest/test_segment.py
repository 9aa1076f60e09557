"""Segment's public client works against the gateway, and what it says of people is the identity spine's."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from segment.analytics.client import Client
from segment.analytics.request import APIError

from tests.api.conftest import World, served
from tests.api.conftest import both as kind  # noqa: F401
from tests.api.identity.test_who_is_who import resolve
from tests.api.ingest.test_events import BOUGHT, DATA, counts, page

AT = datetime(1997, 1, 2, tzinfo=UTC)


def message(id_: str = "msg-1", **more: Any) -> dict[str, Any]:
    return {"messageId": id_, "timestamp": "1997-01-02T00:00:00.000+00:00", "userId": "m-1", "context": {}, **more}


def sent(world: World, *messages: dict[str, Any]) -> list[dict[str, Any]]:
    answer = world.client.post(
        "/segment/v1/batch", json={"batch": messages, "writeKey": "x"}, auth=(world.brand.key, "")
    )
    assert answer.status_code == 200, answer.text
    told: list[dict[str, Any]] = answer.json()["messages"]
    return told


def test_the_public_client_works(world: World) -> None:
    """SPEC 22.11, 22.12"""
    with served(world) as (url, _):
        client = Client(world.brand.key, host=f"{url}/segment", sync_mode=True, max_retries=0)
        client.page(anonymous_id="cookie-1", name="Teas", properties={"url": "https://shop.example/"}, timestamp=AT)
        client.identify(user_id="m-9", anonymous_id="cookie-1", traits={"email": "ada@example.org"}, timestamp=AT)
        client.track(user_id="m-9", event="purchase", properties=BOUGHT, timestamp=AT, message_id="buy-1")
        client.track(user_id="m-9", event="purchase", properties=BOUGHT, timestamp=AT, message_id="buy-1")
        client.track(user_id="m-9", event="coffee.spilt", properties={}, timestamp=AT)
        client.screen(user_id="m-9", name="Home", timestamp=AT)
        client.group(user_id="m-9", group_id="family-7", timestamp=AT)
        client.alias(previous_id="cookie-2", user_id="m-9", timestamp=AT)
        with pytest.raises(APIError) as refused:
            Client("moa_b_wrong", host=f"{url}/segment", sync_mode=True, max_retries=0).track("m-9", "app.session")

    assert refused.value.status == 401
    member = resolve(world, ("email", "ada@example.org"))["member"]
    assert resolve(world, ("partner", "m-9"), ("cookie", "cookie-2"))["outcome"] == "found"
    assert [one["type"] for one in page(world.brand, f"?member={member}")] == [
        "page.viewed", "purchase", "screen.viewed", "group.joined",
    ]  # fmt: skip
    assert len(world.rows("SELECT event FROM award")) == 1


def test_each_message_is_answered_by_itself(world: World) -> None:
    """SPEC 22.11"""
    world.member()
    good = message("msg-1", type="track", event="beacon.seen", properties=DATA["beacon.seen"])

    told = sent(
        world,
        good,
        message("msg-2", type="track", event="coffee.spilt"),
        message("msg-3", type="identify", traits={"email": 7}),
        message("msg-4", type="alias"),
        message("msg-5", type="track", event="beacon.seen", timestamp="yesterday", properties=DATA["beacon.seen"]),
        {**good, "properties": {**DATA["beacon.seen"], "dwell_s": 46}},
        good,
    )

    assert [one["status"] for one in told] == ["accepted", *["refused"] * 5, "replayed"]
    assert [one["problem"]["error"] for one in told[1:6]] == [
        "EventKindUnknown", "RequestMalformed", "RequestMalformed", "RequestMalformed", "EventConflict",
    ]  # fmt: skip
    assert counts(world)[0] == 1


def test_a_batch_is_bounded_and_basic_opens_nothing_else(world: World) -> None:
    """SPEC 22.11, 9.1"""
    world.member()
    post, auth = world.client.post, (world.brand.key, "")
    many = [message(f"msg-{number}", type="screen", name="Home") for number in range(101)]

    assert post("/segment/v1/batch", json={"batch": many}, auth=auth).status_code == 422
    large = message("x", type="track", event="x", properties={"x": "y" * 600_000})
    assert post("/segment/v1/batch", json={"batch": [large]}, auth=auth).status_code == 413
    assert world.client.get("/v1/events", auth=auth).json()["error"] == "KeyInvalid"
    assert post("/segment/v1/track", json=message()).json()["error"] == "KeyMissing"
    assert post("/segment/v1/track", json=message(), headers={"Authorization": "Basic !"}).status_code == 401
    assert counts(world)[0] == 0
