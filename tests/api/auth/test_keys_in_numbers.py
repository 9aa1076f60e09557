"""Keys and streams by the numbers that the rules name: randomness, time of last use, retention, bounds."""

from __future__ import annotations

import base64
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from api.audit_log import tallies
from api.auth.tokens import new_token
from api.members import service as identity
from api.views import loops
from api.views.errors import StreamsTooMany
from api.views.hub import Hub
from api.writes.idempotency import RETENTION_MS, forget_old
from tests.api.conftest import Caller, World, purchase, settings_in, state_without_node


def test_a_secret_has_256_bits_of_its_own_and_no_two_are_alike() -> None:
    """SPEC 9.2"""
    made = [new_token("b") for _ in range(2_000)]

    decoded = [base64.urlsafe_b64decode(token.secret + "=") for token in made]
    assert {len(secret) for secret in decoded} == {32}
    assert len({token.secret for token in made}) == len({token.id for token in made}) == len(made)
    # Each bit is set in about half of them: none is fixed.
    for bit in range(256):
        count = sum(secret[bit // 8] >> (bit % 8) & 1 for secret in decoded)
        assert 700 < count < 1_300, f"bit {bit} is set in {count} of {len(made)}"


def test_the_time_of_a_keys_last_use_is_written_and_never_goes_back(world: World) -> None:
    """SPEC 9.2"""
    [key] = world.operator.get("/v1/brands/cdnow/keys").json()["keys"]
    assert loops.USES_PERIOD_S == 5.0

    for at_ms, kept in ((5_000, 5_000), (9_000, 9_000), (7_000, 9_000)):
        with world.database.write() as session:
            identity.note_uses(session, uses={key["id"]: at_ms, "never-made": at_ms})
        assert world.rows("SELECT last_used_at_ms FROM api_key WHERE id = :i", i=key["id"]) == [(kept,)]


def test_a_request_notes_the_use_of_its_key_and_a_refused_one_does_not(world: World) -> None:
    """SPEC 9.2"""
    uses = world.app.state.moa.key_uses
    uses.clear()
    world.brand.get("/v1/operations")
    Caller(world.client, world.brand.key[:-3] + "AAA").get("/v1/operations")

    assert len(uses) == 1


@pytest.mark.parametrize(("age_ms", "kept"), [(RETENTION_MS - 60_000, True), (RETENTION_MS + 60_000, False)])
def test_a_key_holds_for_ninety_days_and_its_order_for_ever(world: World, age_ms: int, kept: bool) -> None:
    """SPEC 9.5, 9.6"""
    assert timedelta(milliseconds=RETENTION_MS) == timedelta(days=90)
    world.member()
    first = world.brand.write("/v1/purchases", purchase(), key="k")
    world.run("UPDATE idempotent_write SET created_at_ms = created_at_ms - :a", a=age_ms)

    with world.database.write() as session:
        forget_old(session)
    again = world.brand.write("/v1/purchases", purchase(), key="k")
    other = world.brand.write("/v1/purchases", purchase(2), key="k")

    assert ("idempotency-replayed" in again.headers) is kept
    assert again.json()["operation"]["id"] == first.json()["operation"]["id"]
    assert other.json().get("error") == "IdempotencyKeyReused"


@pytest.mark.parametrize(
    "same",
    [
        b'{"identifier":"m-1"}',
        b'  {  "identifier" :\n "m-1" } ',
        b'{"identifier":"\\u006d-1"}',
    ],
)
def test_spacing_and_spelling_of_a_body_do_not_matter(world: World, same: bytes) -> None:
    """SPEC 9.5"""
    first = world.brand.write("/v1/members", {"identifier": "m-1"}, key="k")

    again = world.brand.write("/v1/members", same, key="k")

    assert again.content == first.content
    assert again.headers["idempotency-replayed"] == "true"


def test_the_order_of_fields_does_not_matter(world: World) -> None:
    """SPEC 9.5"""
    world.member()
    body = purchase()
    first = world.brand.write("/v1/purchases", body, key="k")

    again = world.brand.write("/v1/purchases", dict(reversed(body.items())), key="k")

    assert again.content == first.content


def test_a_key_is_its_brands_whichever_of_its_keys_calls(world: World) -> None:
    """SPEC 9.5"""
    second = Caller(world.client, world.operator.write("/v1/brands/cdnow/keys").json()["key"])
    first = world.brand.write("/v1/members", {"identifier": "m-1"}, key="k")

    again = second.write("/v1/members", {"identifier": "m-1"}, key="k")

    assert again.content == first.content
    assert second.write("/v1/members", {"identifier": "m-2"}, key="k").json()["error"] == "IdempotencyKeyReused"


# Streams


def hub(world: World, **changes: int) -> Hub:
    return Hub(state_without_node(replace(world.settings, **changes)))  # type: ignore[arg-type]


def test_streams_are_bounded_for_each_member_and_each_process(world: World) -> None:
    """SPEC 9.13"""
    streams = hub(world, streams_max=5, streams_per_member_max=2)
    ada = [streams.join("ada") for _ in range(2)]
    with pytest.raises(StreamsTooMany):
        streams.join("ada")
    others = [streams.join(name) for name in ("bob", "eve", "fay")]
    with pytest.raises(StreamsTooMany):
        streams.join("gil")

    streams.leave(others[0])
    streams.leave(others[0])
    streams.join("gil")
    with pytest.raises(StreamsTooMany):
        streams.join("hal")
    streams.leave(ada[0])
    streams.join("ada")
    with pytest.raises(StreamsTooMany):
        streams.join("ada")


def test_the_streams_own_numbers_are_those_of_the_rule() -> None:
    """SPEC 9.13, 9.9"""
    told = settings_in(Path("."))

    assert told.heartbeat == timedelta(seconds=5)
    assert (told.streams_max, told.streams_per_member_max) == (1_000, 8)


# Counts of refusals


def test_the_counts_own_numbers_are_those_of_the_rule() -> None:
    """SPEC 14.9"""
    told = settings_in(Path("."))

    assert told.refusal_window == timedelta(seconds=60)
    assert (tallies.GROUPS_MAX, tallies.NOBODY_GROUPS_MAX) == (2_000, 32)
    assert (tallies.WAIT_S_MAX, tallies.FLUSH_PAUSE_S) == (2.0, 0.02)
