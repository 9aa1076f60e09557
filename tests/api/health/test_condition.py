"""Alive, ready or not and why, the books, and the wallet's files."""

from __future__ import annotations

import re
import time
from pathlib import Path

import pytest

from api.health import service
from api.health.schemas import Ready
from tests.api.conftest import World, purchase


def failing(world: World) -> set[str]:
    answer = world.client.get("/ready")
    told = answer.json()
    assert answer.status_code == (200 if told["ready"] else 503)
    return {check["name"] for check in told["checks"] if not check["ok"]}


def beat(
    world: World,
    name: str,
    ago_s: int = 0,
    stuck_s: int | None = None,
    state: str = "working",
    detail: str = "why",
) -> None:
    now_ms = int(time.time() * 1000)
    world.run(
        "INSERT INTO heartbeat (name, state, detail, at_ms, progressed_at_ms) VALUES (:n, :s, :d, :at, :p)"
        " ON CONFLICT (name) DO UPDATE SET state = excluded.state, at_ms = excluded.at_ms,"
        " progressed_at_ms = excluded.progressed_at_ms",
        n=name,
        s=state,
        d=detail,
        at=now_ms - ago_s * 1000,
        p=now_ms - (ago_s if stuck_s is None else stuck_s) * 1000,
    )


def test_health_needs_nothing_but_the_process(world: World) -> None:
    assert world.client.get("/health").json()["status"] == "alive"


def test_ready_names_everything_that_is_missing(world: World) -> None:
    """SPEC 9.14"""
    assert failing(world) == {"node", "mirror", "relayer loop", "mirror loop"}


def test_ready_is_200_when_nothing_is_missing(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """SPEC 9.14: a balancer reads nothing but the status."""

    async def all_there(state: object) -> Ready:
        return Ready(ready=True, checks=[])

    monkeypatch.setattr(service, "ready", all_there)
    assert world.client.get("/ready").status_code == 200


def test_ready_needs_fresh_loops_and_a_live_mirror(world: World) -> None:
    """SPEC 9.14"""
    world.mirror()
    beat(world, "relayer")
    beat(world, "mirror")
    assert failing(world) == {"node"}

    beat(world, "relayer", ago_s=600)
    world.run("UPDATE mirror_checkpoint SET state = 'stopped', reason = 'a reorg too deep'")

    assert failing(world) == {"node", "mirror", "relayer loop"}
    assert "a reorg too deep" in world.client.get("/ready").text


def test_a_loop_that_gets_nowhere_is_not_ready_though_it_lives(world: World) -> None:
    """SPEC 8.20"""
    world.mirror()
    beat(world, "relayer")
    beat(world, "mirror", stuck_s=20, state="waiting")
    assert failing(world) == {"node"}

    beat(world, "mirror", stuck_s=60, state="waiting")

    assert failing(world) == {"node", "mirror loop"}
    assert re.search(r"The mirror got nowhere for 6\d s: waiting why", world.client.get("/ready").text)


def test_an_idle_chain_is_no_trouble(world: World) -> None:
    """SPEC 8.20: no new block for an hour, and a mirror that looks and finds none."""
    world.mirror()
    world.run("UPDATE mirror_checkpoint SET updated_at_ms = updated_at_ms - 3600000, block_time = block_time - 3600")
    beat(world, "relayer")
    beat(world, "mirror")

    assert failing(world) == {"node"}


def test_an_open_breaker_and_signers_that_cannot_pay_are_told(world: World) -> None:
    """SPEC 8.20: they are written when they change only, so their age says nothing."""
    world.mirror()
    beat(world, "relayer")
    beat(world, "mirror")
    beat(world, "breaker", ago_s=900, state="closed")
    beat(world, "signers", ago_s=900, state="able")
    assert failing(world) == {"node"}

    beat(world, "breaker", state="open")
    beat(world, "signers", ago_s=900, state="low")

    assert failing(world) == {"node", "breaker", "signers"}


def test_a_loop_that_stopped_says_why_at_once(world: World) -> None:
    """SPEC 8.6"""
    world.mirror()
    beat(world, "relayer")
    beat(world, "mirror", state="stopped")

    assert failing(world) == {"node", "mirror loop"}
    assert "The mirror stopped: why" in world.client.get("/ready").text


def test_ready_notices_a_database_of_another_schema(world: World) -> None:
    world.run("UPDATE alembic_version SET version_num = 'older'")

    assert "database" in failing(world)


def test_database_that_is_away_is_told_as_such(world: World) -> None:
    """SPEC 9.19"""
    member = world.session(world.member())
    world.run("ALTER TABLE mirror_checkpoint RENAME TO gone")
    before = world.everything()

    view = member.get("/v1/me/view")
    world.run("ALTER TABLE event RENAME TO gone_too")
    write = world.brand.write("/v1/purchases", purchase())
    world.run("ALTER TABLE gone_too RENAME TO event")

    for answer in (view, write):
        assert (answer.status_code, answer.json()["error"]) == (503, "DatabaseUnavailable")
        assert answer.headers["retry-after"] == "2"
    assert world.everything() == before


def test_books_without_a_mirror_are_unavailable(world: World) -> None:
    answer = world.client.get("/v1/books")

    assert (answer.status_code, answer.json()["error"]) == (503, "ViewUnavailable")


def test_page_says_so_when_the_wallet_is_not_built(world: World) -> None:
    answer = world.client.get("/")

    assert answer.status_code == 503
    assert "not built" in answer.text
    assert "default-src 'none'" in answer.headers["content-security-policy"]


@pytest.fixture
def built(world: World) -> World:
    dist: Path = world.settings.wallet_dist
    (dist / "assets").mkdir(parents=True)
    (dist / "index.html").write_text("<!doctype html><title>Moa</title>")
    (dist / "assets" / "app-1a2b.js").write_text("1")
    (dist / "icon.svg").write_text("<svg/>")
    (dist.parent / "secret.txt").write_text("never")
    return world


def test_wallet_is_served_with_a_strict_policy(built: World) -> None:
    """SPEC 9.15"""
    page = built.client.get("/")
    asset = built.client.get("/assets/app-1a2b.js")
    icon = built.client.get("/icon.svg")

    assert page.headers["cache-control"] == "no-cache"
    assert asset.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert icon.headers["cache-control"] == "no-cache"
    for answer in (page, asset, icon):
        assert answer.status_code == 200
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize(
    ("taken", "coding"),
    [
        ("gzip, deflate, br", "br"),
        ("gzip", "gzip"),
        ("GZIP;q=0.5", "gzip"),
        ("br;q=0, gzip", "gzip"),
        ("*", "br"),
        ("br;q=0, gzip; q=0", None),
        ("identity", None),
        ("", None),
    ],
)
def test_wallet_is_sent_compressed_to_whoever_takes_that(built: World, taken: str, coding: str | None) -> None:
    """SPEC 10.22"""
    asset = built.settings.wallet_dist / "assets" / "app-1a2b.js"
    text = b"export const points = 1;" * 40
    asset.write_bytes(text)
    # Neither is decoded here: the client would, and br it may not know.
    for suffix in ("br", "gz"):
        asset.with_name(f"{asset.name}.{suffix}").write_bytes(suffix.encode())

    with built.client.stream("GET", "/assets/app-1a2b.js", headers={"Accept-Encoding": taken}) as answer:
        body = b"".join(answer.iter_raw())

    assert answer.headers.get("content-encoding") == coding
    assert body == {"br": b"br", "gzip": b"gz", None: text}[coding]
    assert answer.headers["content-type"].startswith("text/javascript")
    assert answer.headers["vary"] == "Accept-Encoding"
    assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"


def test_a_file_that_is_there_only_compressed_or_asked_for_as_such_is_none(built: World) -> None:
    """SPEC 9.15"""
    dist = built.settings.wallet_dist
    (dist / "assets" / "app-1a2b.js.br").write_bytes(b"br")
    (dist / "assets" / "only.js.gz").write_bytes(b"gz")

    for path in ("/assets/app-1a2b.js.br", "/assets/only.js.gz", "/assets/only.js"):
        assert built.client.get(path, headers={"Accept-Encoding": "br, gzip"}).json()["error"] == "RouteUnknown"


def test_wallet_that_is_unchanged_is_not_sent_again(built: World) -> None:
    first = built.client.get("/")

    again = built.client.get("/", headers={"If-None-Match": first.headers["etag"]})

    assert (again.status_code, again.content) == (304, b"")


@pytest.mark.parametrize("path", ["/history", "/V1/me/view", "//v1/me/view", "/metrics/", "/v1", "/v1/"])
def test_an_address_that_nobody_serves_is_never_answered_with_the_page(built: World, path: str) -> None:
    """SPEC 9.15: a caller that mistypes a route must not take the wallet for an answer."""
    answer = built.client.get(path)

    assert answer.status_code == 404
    assert answer.json()["error"] == "RouteUnknown"


@pytest.mark.parametrize(
    "path", ["/assets/none.js", "/none.png", "/../secret.txt", "/%2e%2e/secret.txt", "/assets/%2e%2e/%2e%2e/secret.txt"]
)
def test_nothing_outside_the_wallet_is_served(built: World, path: str) -> None:
    """SPEC 9.15"""
    answer = built.client.get(path)

    assert answer.status_code == 404
    assert "never" not in answer.text


@pytest.mark.parametrize(
    "path", ["/%00", "/a%00.js", "/assets/" + "a" * 300 + ".js", "/" + "a" * 300, "/" + "a/" * 3_000]
)
def test_name_that_no_file_can_have_is_no_fault(built: World, path: str) -> None:
    """SPEC 9.15"""
    answer = built.client.get(path)

    assert answer.status_code == 404, answer.text
    assert answer.json()["error"] == "RouteUnknown"


@pytest.mark.parametrize(
    "sentence",
    [
        "http://user:secret@10.0.0.7:8545/key does not answer.",
        "node.internal:8545 did not answer within 5 s.",
        "[::1]:8545 cannot be reached: refused.",
        "postgresql://moa:secret@db.internal/moa is away.",
    ],
)
def test_no_place_is_told_to_anyone(world: World, sentence: str) -> None:
    """SPEC 9.45"""
    world.mirror()
    beat(world, "relayer", state="stuck", detail=sentence)
    beat(world, "mirror", state="stopped", detail=sentence)

    told = world.client.get("/ready").text + world.brand.write("/v1/awards/quote", {"amount": "100"}).text

    for place in ("127.0.0.1:9", "8545", "internal", "secret", "10.0.0.7", "::1"):
        assert place not in told


def test_a_node_that_is_away_is_told_without_its_place(world: World) -> None:
    """SPEC 9.19, 9.45"""
    answer = world.brand.write("/v1/awards/quote", {"amount": "100"})

    assert (answer.status_code, answer.json()["error"]) == (503, "NodeUnavailable")
    assert "127.0.0.1" not in answer.text
