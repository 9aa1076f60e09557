"""NDJSON bodies on a real connection: cut off, sent slowly, and sent by someone who does not read."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

import httpx
import orjson

from tests.api.conftest import World, purchase, served

TIMEOUT_S = 60


def head(world: World, key: str, extra: str) -> bytes:
    return (
        "POST /v1/purchases HTTP/1.1\r\nHost: moa\r\nContent-Type: application/x-ndjson\r\n"
        f"Authorization: Bearer {world.brand.key}\r\nIdempotency-Key: {key}\r\n{extra}\r\n\r\n"
    ).encode()


@contextmanager
def connected(url: str) -> Iterator[socket.socket]:
    parts = urlsplit(url)
    assert parts.hostname
    assert parts.port
    with socket.create_connection((parts.hostname, parts.port), timeout=TIMEOUT_S) as connection:
        yield connection


def chunk(data: bytes) -> bytes:
    return f"{len(data):x}\r\n".encode() + data + b"\r\n"


def until(connection: socket.socket, wanted: bytes) -> bytes:
    read = b""
    while wanted not in read:
        more = connection.recv(65_536)
        assert more, read[-500:]
        read += more
    return read


def test_body_cut_off_half_way_is_sent_again_whole(world: World) -> None:
    """SPEC 9.8"""
    world.member()
    lines = [orjson.dumps(purchase(number)) + b"\n" for number in range(1_500)]
    whole = b"".join(lines)

    with served(world) as (url, _):
        with connected(url) as connection:
            connection.sendall(head(world, "night", f"Content-Length: {len(whole)}"))
            connection.sendall(b"".join(lines[:1_100]) + lines[1_100][:20])
            until(connection, b'"line":1000,')
        headers = {**world.brand.headers, "Idempotency-Key": "night", "Content-Type": "application/x-ndjson"}
        again = httpx.post(f"{url}/v1/purchases", content=whole, headers=headers, timeout=TIMEOUT_S)

    told = [orjson.loads(line) for line in again.content.splitlines()]
    assert [line["line"] for line in told] == list(range(1, 1_501))
    assert {line["status"] for line in told[:1_000]} == {"replayed"}
    assert {line["status"] for line in told[1_100:]} == {"accepted"}
    assert world.rows("SELECT COUNT(*), COUNT(DISTINCT operation_id) FROM operation") == [(1_500, 1_500)]


def test_answers_come_while_the_body_is_still_sent(world: World) -> None:
    """SPEC 9.7"""
    world.member()

    with served(world) as (url, _), connected(url) as connection:
        connection.sendall(head(world, "slow", "Transfer-Encoding: chunked"))
        for number in (1, 2, 3):
            connection.sendall(chunk(orjson.dumps(purchase(number)) + b"\n"))
            assert b'"status":"accepted"' in until(connection, f'"line":{number},'.encode())
        connection.sendall(chunk(b""))
        until(connection, b"0\r\n\r\n")

    assert world.rows("SELECT COUNT(*) FROM operation") == [(3,)]


def test_caller_who_does_not_read_before_all_is_sent_locks_nobody_up(world: World) -> None:
    """SPEC 9.7"""
    lines = 30_000
    body = b"nonsense\n" * lines  # each is refused with some 300 bytes: far more than the sockets hold

    with served(world) as (url, _), connected(url) as connection:
        connection.sendall(head(world, "deaf", f"Content-Length: {len(body)}\r\nConnection: close"))
        sending = threading.Thread(target=connection.sendall, args=(body,))
        sending.start()
        sending.join(TIMEOUT_S)
        assert not sending.is_alive()
        read = b"".join(iter(lambda: connection.recv(1 << 20), b""))

    assert read.count(b'"status":"refused"') == lines


def test_bytes_in_pieces_of_any_size_are_the_same_lines(world: World) -> None:
    """SPEC 9.7"""
    world.member()
    body = b"".join(orjson.dumps(purchase(number)) + b"\n" for number in range(20))

    with served(world) as (url, _), connected(url) as connection:
        connection.sendall(head(world, "pieces", "Transfer-Encoding: chunked"))
        for start in range(0, len(body), 37):
            connection.sendall(chunk(body[start : start + 37]))
        connection.sendall(chunk(b""))
        read = until(connection, b'"line":20,')

    assert read.count(b'"status":"accepted"') == 20


def halves(size: int) -> Iterator[bytes]:
    """A body that does not announce its size."""
    yield b"x" * (size // 2)
    yield b"x" * (size - size // 2)


def test_body_that_is_read_whole_is_bounded_whatever_it_calls_itself(world: World) -> None:
    """SPEC 9.7, 9.19: also for one who has no key, and where two content types are given."""
    size = world.settings.body_bytes_max + 2
    lines, json = ("Content-Type", "application/x-ndjson"), ("Content-Type", "application/json")
    key = ("Authorization", f"Bearer {world.brand.key}")
    number = ("Idempotency-Key", "bounded")

    with served(world) as (url, _), httpx.Client(base_url=url, timeout=TIMEOUT_S) as http:
        answers = [
            http.post("/v1/holds", content=b"x" * size, headers=[lines]),
            http.post("/v1/holds", content=halves(size), headers=[lines]),
            http.post("/v1/holds", content=halves(size), headers=[json, key, number]),
            http.post("/v1/purchases", content=halves(size), headers=[json, lines, key, number]),
        ]

    assert [(answer.status_code, answer.json()["error"]) for answer in answers] == [(413, "BodyTooLarge")] * 4
