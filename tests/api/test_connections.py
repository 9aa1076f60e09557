"""What one connection may do to the gateway, on real sockets: send too much, send slowly, not read, not go away.

Nothing here measures time. A bound is a few tenths of a second where a test waits for it, and an hour elsewhere; each
test ends when the gateway has done what it must, or by the socket's own timeout.
"""

from __future__ import annotations

import socket
import time
from datetime import timedelta
from urllib.parse import urlsplit

import httpx
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.server import Server
from tests.api.conftest import World, Worlds, purchase, served

TIMEOUT_S = 60
SOON, NEVER = timedelta(seconds=0.3), timedelta(hours=1)
HEALTH = b"GET /health HTTP/1.1\r\nHost: moa\r\n"
PATIENT = {
    "header_timeout": NEVER,
    "body_timeout": NEVER,
    "body_idle_timeout": NEVER,
    "lines_timeout": NEVER,
    "write_timeout": NEVER,
    "keep_alive": NEVER,
}


class Wire:
    """A socket to the gateway; what comes is read to the gateway's end."""

    def __init__(self, url: str, *, receives: int | None = None) -> None:
        parts = urlsplit(url)
        self.socket = socket.socket()
        if receives is not None:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receives)
        self.socket.settimeout(TIMEOUT_S)
        self.socket.connect((parts.hostname, parts.port))

    def __enter__(self) -> Wire:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def send(self, data: bytes) -> bool:
        """Whether the gateway still takes it."""
        try:
            self.socket.sendall(data)
        except (ConnectionResetError, BrokenPipeError):
            return False
        return True

    def to_end(self) -> bytes:
        """Everything until the gateway closes; fails when it does not."""
        read = b""
        while True:
            try:
                more = self.socket.recv(65_536)
            except ConnectionResetError:
                return read
            if not more:
                return read
            read += more

    def until(self, wanted: bytes) -> bytes:
        read = b""
        while wanted not in read:
            more = self.socket.recv(65_536)
            assert more, read[-500:]
            read += more
        return read


def problem(raw: bytes) -> tuple[int, str]:
    """Status and error of a raw answer."""
    head, _, body = raw.partition(b"\r\n\r\n")
    assert b"application/problem+json" in head, raw[:500]
    return int(head.split()[1]), orjson.loads(body)["error"]


def lives(url: str) -> bool:
    return httpx.get(f"{url}/health", timeout=TIMEOUT_S).status_code == 200


@pytest.mark.parametrize(
    ("sent", "refused"),
    [
        (HEALTH + b"x-long: " + b"a" * 5_000 + b"\r\n\r\n", (431, "HeadersTooLarge")),
        (HEALTH + b"".join(b"x-%d: y\r\n" % n for n in range(60)) + b"\r\n", (431, "HeadersTooLarge")),
        (b"GET /health?" + b"a" * 2_000 + b" HTTP/1.1\r\nHost: moa\r\n\r\n", (414, "RequestLineTooLong")),
        (b"GET /" + b"a" * 5_000, (414, "RequestLineTooLong")),
        (b"what is this\r\n\r\n", (400, "HttpMalformed")),
        (b"GET /health HTTP/1.1\r\nHost: moa\r\nx: a\0b\r\n\r\n", (400, "HttpMalformed")),
        (b"GET /health HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", (400, "HttpMalformed")),
    ],
    ids=["long header", "many headers", "long address", "address without end", "no HTTP", "NUL", "two lengths"],
)
def test_what_is_too_large_or_no_request_is_refused_by_name(
    make_world: Worlds, sent: bytes, refused: tuple[int, str]
) -> None:
    """SPEC 9.40"""
    world = make_world(header_bytes_max=4_096, headers_max=50, url_bytes_max=1_024, **PATIENT)

    with served(world) as (url, _), Wire(url) as wire:
        wire.send(sent)
        assert problem(wire.to_end()) == refused
        assert lives(url)


def test_a_header_without_end_is_cut_off_long_before_it_costs_anything(make_world: Worlds) -> None:
    """SPEC 9.40: 100 MB of one header made the gateway deaf for twelve seconds."""
    world = make_world(**PATIENT)

    with served(world) as (url, _), Wire(url) as wire:
        wire.send(HEALTH + b"x-long: ")
        taken = 0
        while taken < 100_000_000 and wire.send(b"a" * 65_536):
            taken += 65_536
        # What the gateway did not read may lie in the sockets' own buffers.
        assert taken < 20_000_000
        assert lives(url)


@pytest.mark.parametrize("trailer", [b"x-trailer: ", b"5;ext="], ids=["trailer", "chunk extension"])
def test_bytes_that_are_no_body_are_bounded_after_the_headers_too(make_world: Worlds, trailer: bytes) -> None:
    """SPEC 9.40"""
    world = make_world(header_bytes_max=4_096, **PATIENT)
    head = f"Authorization: Bearer {world.brand.key}\r\nIdempotency-Key: k\r\nTransfer-Encoding: chunked\r\n\r\n"
    start = b"POST /v1/purchases HTTP/1.1\r\nHost: moa\r\nContent-Type: application/json\r\n" + head.encode()

    with served(world) as (url, _), Wire(url) as wire:
        wire.send(start + b"2\r\n{}\r\n" + (b"0\r\n" if trailer.startswith(b"x") else b"") + trailer)
        while wire.send(b"a" * 1_024):
            pass
        assert lives(url)


@pytest.mark.parametrize("sent", [b"", b"G", HEALTH, HEALTH + b"x-slow: a"], ids=["nothing", "byte", "line", "header"])
def test_headers_that_do_not_end_in_time_end_the_connection(make_world: Worlds, sent: bytes) -> None:
    """SPEC 9.40"""
    world = make_world(**{**PATIENT, "header_timeout": SOON})

    with served(world) as (url, _), Wire(url) as wire:
        wire.send(sent)
        assert problem(wire.to_end()) == (408, "RequestTimedOut")
        assert lives(url)


def test_headers_that_trickle_have_no_more_time_than_others(make_world: Worlds) -> None:
    """SPEC 9.40: a byte now and then buys nothing."""
    world = make_world(**{**PATIENT, "header_timeout": SOON})

    with served(world) as (url, _), Wire(url) as wire:
        wire.socket.settimeout(0.05)
        wire.send(HEALTH + b"x-slow: ")
        read = b""
        for _ in range(1_000):
            try:
                read = wire.socket.recv(65_536)
                break
            except TimeoutError:
                if not wire.send(b"a"):
                    break
        else:
            pytest.fail("the gateway waits for ever")
        assert not read or problem(read) == (408, "RequestTimedOut")


def test_the_next_request_of_a_connection_has_no_more_time(make_world: Worlds) -> None:
    """SPEC 9.40"""
    world = make_world(**{**PATIENT, "header_timeout": SOON})

    with served(world) as (url, _), Wire(url) as wire:
        wire.send(HEALTH + b"\r\n")
        wire.until(b'"alive"')
        wire.send(HEALTH)
        assert b"RequestTimedOut" in wire.to_end()


def start_of_body(world: World, content_type: str, extra: str = "Content-Length: 1000") -> bytes:
    return (
        f"POST /v1/purchases HTTP/1.1\r\nHost: moa\r\nContent-Type: {content_type}\r\n"
        f"Authorization: Bearer {world.brand.key}\r\nIdempotency-Key: slow\r\n{extra}\r\n\r\n"
    ).encode()


@pytest.mark.parametrize("content_type", ["application/json", "application/x-ndjson"])
def test_a_body_that_stops_coming_ends_the_connection(make_world: Worlds, content_type: str) -> None:
    """SPEC 9.40"""
    world = make_world(**{**PATIENT, "body_idle_timeout": SOON})
    before = world.everything()

    with served(world) as (url, _), Wire(url) as wire:
        wire.send(start_of_body(world, content_type) + b'{"id"')
        assert problem(wire.to_end()) == (408, "RequestTimedOut")
        assert lives(url)
    assert world.everything() == before


@pytest.mark.parametrize(
    ("content_type", "bound"), [("application/json", "body_timeout"), ("application/x-ndjson", "lines_timeout")]
)
def test_a_body_that_trickles_has_a_last_moment(make_world: Worlds, content_type: str, bound: str) -> None:
    """SPEC 9.40"""
    world = make_world(**{**PATIENT, bound: SOON})
    world.member()

    with served(world) as (url, _), Wire(url) as wire:
        wire.socket.settimeout(0.05)
        wire.send(start_of_body(world, content_type, "Content-Length: 60000"))
        read = b""
        for _ in range(1_000):
            try:
                read = wire.socket.recv(65_536)
                break
            except (TimeoutError, ConnectionResetError):
                if not wire.send(b" "):
                    break
        else:
            pytest.fail("the gateway waits for ever")
        assert not read or problem(read) == (408, "RequestTimedOut")


def test_an_answer_that_came_before_the_body_ended_is_the_only_one(make_world: Worlds) -> None:
    """SPEC 9.40: whoever is refused and goes on sending slowly is closed without a second answer."""
    world = make_world(**{**PATIENT, "body_idle_timeout": SOON})
    head = b"POST /v1/purchases HTTP/1.1\r\nContent-Type: application/x-ndjson\r\nContent-Length: 1000\r\n\r\n{"

    with served(world) as (url, _), Wire(url) as wire:
        wire.send(head)
        assert wire.to_end().count(b"HTTP/1.1 ") == 1


def test_an_idle_connection_ends(make_world: Worlds) -> None:
    """SPEC 9.40"""
    world = make_world(**{**PATIENT, "keep_alive": timedelta(seconds=1)})

    with served(world) as (url, _), Wire(url) as wire:
        wire.send(HEALTH + b"\r\n")
        assert wire.to_end().count(b"HTTP/1.1 200") == 1


def test_a_caller_who_does_not_read_is_let_go(make_world: Worlds) -> None:
    """SPEC 9.40"""
    world = make_world(**{**PATIENT, "write_timeout": SOON})

    with served(world) as (url, server), Wire(url, receives=4_096) as wire:
        # Not before it is there: else nobody was let go.
        _until_open(server, 1)
        wire.send((b"GET /openapi.json HTTP/1.1\r\nHost: moa\r\n\r\n") * 40)
        _until_open(server, 0)
        assert lives(url)


def _until_open(server: Server, count: int) -> None:
    """Until so many connections are open; the test's own timeout ends it otherwise."""
    while len(server.server_state.connections) != count:
        time.sleep(0.01)


def test_connections_of_one_address_are_bounded_and_those_of_a_proxy_are_not(make_world: Worlds) -> None:
    """SPEC 9.40"""
    world = make_world(connections_per_address_max=3, proxies=(), **PATIENT)

    with served(world) as (url, server):
        wires = [Wire(url) for _ in range(3)]
        _until_open(server, 3)
        with Wire(url) as fourth:
            assert problem(fourth.to_end()) == (503, "ConnectionsTooMany")
        wires.pop().socket.close()
        _until_open(server, 2)
        assert lives(url)
        for wire in wires:
            wire.socket.close()
        _until_open(server, 0)
        assert server.config.open_by_address == {}  # type: ignore[attr-defined]

    behind = make_world(fresh=False, connections_per_address_max=1, **PATIENT)
    with served(behind) as (url, server), Wire(url), Wire(url), Wire(url):
        _until_open(server, 3)
        assert lives(url)


def test_all_connections_together_are_bounded(make_world: Worlds) -> None:
    """SPEC 9.40"""
    world = make_world(connections_max=2, **PATIENT)

    with served(world) as (url, server), Wire(url), Wire(url):
        _until_open(server, 2)
        with Wire(url) as third:
            assert problem(third.to_end()) == (503, "ConnectionsTooMany")


@given(cuts=st.lists(st.integers(1, 400), max_size=12))
def test_pieces_of_any_size_are_the_same_requests(one: tuple[str, bytes, int], cuts: list[int]) -> None:
    """SPEC 9.40: however a connection's bytes are cut, pipelined or one by one, they are the same requests."""
    url, sent, answers = one

    with Wire(url) as wire:
        for cut in cuts:
            piece, sent = sent[:cut], sent[cut:]
            wire.send(piece)
        wire.send(sent)
        read = wire.to_end()

    assert read.count(b"HTTP/1.1 200") == answers
    assert read.count(b"HTTP/1.1 ") == answers


@pytest.fixture(scope="module")
def one(shared_world: World) -> object:
    """A gateway, three requests on one connection (one with a body in chunks), and how many answers they have."""
    world = shared_world
    world.member()
    line = orjson.dumps(purchase()) + b"\n"
    body = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in (line[:7], line[7:])) + b"0\r\nx: y\r\n\r\n"
    sent = (
        HEALTH
        + b"\r\n"
        + start_of_body(world, "application/x-ndjson", "Transfer-Encoding: chunked")
        + body
        + HEALTH
        + b"Connection: close\r\n\r\n"
    )
    with served(world) as (url, _):
        yield url, sent, 3
