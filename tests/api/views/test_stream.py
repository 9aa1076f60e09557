"""The live stream on a real server: what comes, in which order, again after a break, and how it ends."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from itertools import pairwise
from typing import Any

import httpx
import orjson
import pytest

from tests.api.conftest import GRACE_S, TOKENS, World, Worlds, purchase, served
from tests.api.conftest import both as kind  # noqa: F401

# An entry is told in milliseconds; who finds it only when the line next breaks needs longer than any of these.
ENTRY_S_MAX = 5.0
# Streams end by themselves; those that did not would be cut off by the server after its GRACE_S.
ENDED_S_MAX = 8.0
SESSION_MS = 3_000


class Events:
    """Reads events of one open stream."""

    def __init__(self, lines: Iterator[str]) -> None:
        self._lines = lines

    def next(self) -> tuple[str, Any, str | None]:
        """(name, data, id) of the next event; a comment has the name ":"."""
        name, data, event_id = "", None, None
        for line in self._lines:
            if line.startswith(":"):
                name = ":"
            elif line.startswith("event: "):
                name = line[7:]
            elif line.startswith("id: "):
                event_id = line[4:]
            elif line.startswith("data: "):
                data = orjson.loads(line[6:])
            elif not line and name:
                return name, data, event_id
        raise EOFError

    def until(self, name: str) -> tuple[Any, str | None]:
        while True:
            found, data, event_id = self.next()
            if found == name:
                return data, event_id

    def settle(self) -> None:
        """Until two heartbeats came: the first view lies behind them, and nothing is on its way."""
        self.until("view")
        for _ in range(2):
            self.until("block")


@contextmanager
def listening(url: str, key: str, last_event_id: str | None = None) -> Iterator[Events]:
    headers = {"Authorization": f"Bearer {key}"}
    if last_event_id is not None:
        headers["Last-Event-ID"] = last_event_id
    with (
        httpx.Client(timeout=20) as client,
        client.stream("GET", f"{url}/v1/me/stream", headers=headers) as answer,
    ):
        assert answer.status_code == 200, answer.read()
        assert answer.headers["content-type"].startswith("text/event-stream")
        yield Events(answer.iter_lines())


@pytest.fixture
def live(make_world: Worlds) -> World:
    world = make_world(heartbeat=timedelta(milliseconds=300), stream_poll=timedelta(milliseconds=20))
    world.mirror()
    return world


def test_stream_tells_the_view_then_each_entry_as_it_comes(live: World) -> None:
    """SPEC 9.13"""
    member = live.member()
    key = live.session(member).key
    live.entry(member["address"], 1, index=1)

    with served(live) as (url, _), listening(url, key) as events:
        view, first_id = events.until("view")
        live.entry(member["address"], 42, index=2)
        began = time.monotonic()
        entry, entry_id = events.until("entry")

        assert view["member"]["id"] == member["id"]
        assert first_id == "0.1"
        assert (entry["points"], entry["id"], entry_id) == ("42", "2", "0.2")
        assert time.monotonic() - began < ENTRY_S_MAX
        assert events.next()[0] == "view"


def test_stream_tells_a_new_view_when_a_debt_changes(live: World) -> None:
    """SPEC 9.102: also where nothing could be taken, and the balance stays as it was."""
    member = live.member()
    key = live.session(member).key
    live.entry(member["address"], 1, index=1)

    with served(live) as (url, _), listening(url, key) as events:
        view, _ = events.until("view")
        assert [one["debt"] for one in view["balances"]] == ["0"]
        live.run(
            "INSERT INTO debt (token, account, points, block_number, log_index) VALUES (:t, :a, '700', 7, 2)",
            t=TOKENS["cdnow"],
            a=member["address"].lower(),
        )
        live.entry(member["address"], 0, index=2)

        events.until("entry")
        told, _ = events.until("view")
        assert [one["debt"] for one in told["balances"]] == ["700"]


def test_stream_resumes_after_the_last_event_seen(live: World) -> None:
    """SPEC 9.13"""
    member = live.member()
    key = live.session(member).key
    for index in range(5):
        live.entry(member["address"], index, index=index)

    with served(live) as (url, _), listening(url, key, "0.2") as events:
        seen = [events.next() for _ in range(4)]

    assert [(name, data["points"]) for name, data, _ in seen[:3]] == [("entry", "2"), ("entry", "3"), ("entry", "4")]
    assert seen[3][0] == "view"


def test_stream_tells_a_new_view_when_points_end_though_no_event_came(live: World) -> None:
    """SPEC 9.81"""
    member = live.member()
    live.holds_points(member["address"], 900)
    key = live.session(member).key

    with served(live) as (url, _):
        ends = int(time.time()) + 6
        live.run("UPDATE brand_token SET lifetime_epochs = 1, origin = :o, epoch_s = 3600", o=ends - 3600)
        with listening(url, key) as events:
            before, first_id = events.until("view")
            after, second_id = events.until("view")
            told_at = time.time()

    assert (before["balances"][0]["spendable"], before["balances"][0]["expired"]) == ("900", "0")
    assert (after["balances"][0]["spendable"], after["balances"][0]["expired"]) == ("0", "900")
    assert first_id == second_id, "no entry came between them"
    assert ends <= told_at < ends + ENTRY_S_MAX


STREAMS = 5


def test_stream_tells_a_view_once(live: World) -> None:
    """SPEC 9.13: whether the hub begins to look with it, looks already, or looks again for what says nothing new."""
    member = live.member()
    live.holds_points(member["address"], 900)
    key = live.session(member).key

    with served(live) as (url, _):
        told = []
        for number in range(STREAMS):
            with listening(url, key) as events:
                told.append([])
                while told[-1].count("block") < 3:
                    if len(told[-1]) == 2:
                        # Something was asked for the member, which its view does not tell.
                        live.run(
                            "INSERT INTO operation (key, kind, brand, ordering_key, payload, state, created_at_ms,"
                            " updated_at_ms) VALUES (:k, 'release', 1, :a, '{}', 'queued', 1, 1)",
                            k=f"release {number}",
                            a=member["address"].lower(),
                        )
                    told[-1].append(events.next()[0])

    assert [names.count("view") for names in told] == [1] * STREAMS


def test_views_that_follow_each_other_on_a_stream_differ(live: World) -> None:
    """SPEC 9.13: also while purchases come from before the stream's beginning on."""
    live.rule()
    member = live.member()
    key = live.session(member).key
    reported = threading.Event()

    def report() -> None:
        for number in range(40):
            live.run(
                "INSERT INTO operation (key, kind, brand, ordering_key, payload, state, created_at_ms, updated_at_ms)"
                " VALUES (:k, 'award', 1, :a, :p, 'queued', 1, 1)",
                k=f"purchase {number}",
                a=member["address"].lower(),
                p='{"rule": 1, "base_amount": "2933"}',
            )
        reported.set()

    with served(live) as (url, _):
        shops = threading.Thread(target=report)
        shops.start()
        with listening(url, key) as events:
            views = [events.until("view")[0]]
            quiet = 0
            while quiet < 3:
                name, told, _ = events.next()
                quiet = quiet + 1 if name == "block" and reported.is_set() else 0
                views += [told] if name == "view" else []
        shops.join()

    shown = [view["balances"] for view in views]
    assert all(one != other for one, other in pairwise(shown))
    pending = [int(balances[0]["pending"]) for balances in shown if balances]
    assert pending == sorted(set(pending)), "points on their way only grow"
    assert pending[-1] == 40 * 4399


def test_stream_tells_nothing_of_others(live: World) -> None:
    """SPEC 9.3"""
    member, third_party = live.member(), live.member("m-2")
    key = live.session(member).key

    with served(live) as (url, _), listening(url, key) as events:
        events.until("view")
        live.entry(third_party["address"], 7, index=1)
        live.entry(member["address"], 8, index=2)

        entry, _ = events.until("entry")

    assert entry["points"] == "8"


def test_stream_tells_new_blocks_and_keeps_alive(live: World) -> None:
    """SPEC 9.13"""
    key = live.session(live.member()).key

    with served(live) as (url, _), listening(url, key) as events:
        events.until("view")
        beat, _ = events.until("block")
        live.mirror(8)
        block = beat
        while block["block_number"] < 8:
            block, _ = events.until("block")

    assert beat["block_number"] == 7


def test_points_on_their_way_bring_a_new_view(live: World) -> None:
    """SPEC 9.13"""
    live.rule()
    member = live.member()
    live.holds_points(member["address"], 1)
    key = live.session(member).key

    with served(live) as (url, _), listening(url, key) as events:
        events.settle()
        body = orjson.dumps(purchase())
        headers = {**live.brand.headers, "Content-Type": "application/json", "Idempotency-Key": "k"}
        assert httpx.post(f"{url}/v1/purchases", content=body, headers=headers, timeout=20).status_code == 202

        view, _ = events.until("view")

    assert view["balances"][0]["pending"] == "4399"


def test_rollback_makes_the_stream_show_the_view_again(live: World) -> None:
    """SPEC 9.13"""
    key = live.session(live.member()).key

    with served(live) as (url, _), listening(url, key) as events:
        events.settle()
        live.run(
            "INSERT INTO mirror_reorg (common_number, head_number, depth, entries_removed, at_ms)"
            " VALUES (5, 7, 2, 0, 1)"
        )

        view, _ = events.until("view")

    assert view["as_of"]["block_number"] == 7


def test_streams_are_bounded_for_each_member(make_world: Worlds) -> None:
    world = make_world(streams_per_member_max=1)
    world.mirror()
    key = world.session(world.member()).key

    with served(world) as (url, _), listening(url, key) as events:
        events.until("view")
        answer = httpx.get(f"{url}/v1/me/stream", headers={"Authorization": f"Bearer {key}"}, timeout=20)

    assert (answer.status_code, answer.json()["error"]) == (429, "StreamsTooMany")


@pytest.mark.parametrize("last", ["x", "-1", "1e3", "0.x", "0.-1", "0.01", "0." + "9" * 19, "g.1", "1.2.3"])
def test_bad_last_event_id_is_refused(world: World, last: str) -> None:
    world.mirror()
    member = world.session(world.member())

    answer = member.client.get("/v1/me/stream", headers={**member.headers, "Last-Event-ID": last})

    assert (answer.status_code, answer.json()["error"]) == (422, "CursorMalformed")


def test_stream_ends_with_its_session(live: World) -> None:
    """SPEC 9.13"""
    key = live.session(live.member()).key

    with served(live) as (url, _):
        live.run("UPDATE member_session SET expires_at_ms = :soon", soon=int(time.time() * 1000) + SESSION_MS)
        with listening(url, key) as events:
            events.until("view")
            with pytest.raises(EOFError):
                events.until("nothing that ever comes")


def test_open_streams_end_promptly_when_the_gateway_stops(live: World) -> None:
    """SPEC 9.13"""
    key = live.session(live.member()).key

    with served(live) as (url, server), listening(url, key) as events:
        events.until("view")
        began = time.monotonic()
        server.handle_exit(signal.SIGTERM, None)
        with pytest.raises((EOFError, httpx.RemoteProtocolError)):
            events.until("nothing that ever comes")

    assert time.monotonic() - began < ENDED_S_MAX < GRACE_S
