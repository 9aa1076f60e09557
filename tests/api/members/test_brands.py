"""What the gateway calls brands: taken in from the mirror while it runs, named by their documents, named otherwise."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import orjson
import pytest
from alembic import command
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from api import migrate
from api.members import brands
from chain.base.hashing import keccak
from chain.storage import database
from chain.storage.documents import Documents
from tests.api.conftest import TERMS, World, Worlds, purchase

WITHIN_S = 20.0
THIRD = "0x" + "33" * 20
NAMES = {"slug": "tea", "name": "Tea · 차", "symbol": "TEA", "colour": "#112233", "currency": "KRW"}


def invite(
    world: World, number: int = 3, *, token: str = THIRD, symbol: str = "TEA", metadata: str = "0x" + "00" * 32
) -> None:
    """The mirror reads a brand's invitation and its rule."""
    world.run(
        "INSERT INTO brand_token (token, brand_id, name, symbol, decimals, origin, epoch_s, lifetime_epochs, grace_s,"
        " since_block) VALUES (:t, :b, 'Third', :s, 2, 0, 86400, 0, 0, 9)",
        t=token,
        b=str(number),
        s=symbol,
    )
    world.run(
        "INSERT INTO brand_standing (brand_id, status, brand_switch, moa_switch, stopped_at, treasury, next_treasury,"
        " treasury_at, metadata_hash) VALUES (:b, 'active', false, false, 0, '0x', '0x', 0, :h)",
        b=str(number),
        h=metadata,
    )
    world.run(
        "INSERT INTO rule (brand_id, rule_id, version, in_force_at, withdrawn, terms)"
        " VALUES (:b, '1', 1, 1, false, :t)",
        b=str(number),
        t=TERMS,
    )


def document(folder: Path, content: bytes, *, called: str | None = None) -> str:
    """Puts a document where the gateway looks; gives its hash."""
    content_hash = "0x" + keccak(content).hex()
    (folder / "documents").mkdir(exist_ok=True)
    (folder / "documents" / (called or content_hash)).write_bytes(content)
    return content_hash


def met(world: World, registry_id: int) -> dict[str, Any]:
    """The brand as the operator sees it, once the running gateway has it."""
    end = time.monotonic() + WITHIN_S
    while True:
        found = [
            one for one in world.operator.get("/v1/brands").json()["brands"] if one["brand_id"] == f"{registry_id}"
        ]
        if found:
            told: dict[str, Any] = found[0]
            return told
        assert time.monotonic() < end, "the brand was not taken in"
        time.sleep(0.02)


def taken_in(world: World, folder: Path | None = None) -> list[str]:
    """Slugs of what is taken in now."""
    documents = Documents(None if folder is None else folder / "documents")
    with world.database.write() as session:
        return [one.slug for one in brands.take_in(session, documents=documents, actor="command/test")]


def test_brand_that_the_mirror_shows_while_the_gateway_runs_is_served(world: World) -> None:
    """SPEC 9.60"""
    invite(world)

    brand = met(world, 3)
    key = world.operator.write("/v1/brands/tea/keys").json()["key"]

    assert (brand["slug"], brand["name"], brand["symbol"], brand["token"].lower()) == ("tea", "Third", "TEA", THIRD)
    world.other.key = key
    world.member("m-1", world.other)
    counted = world.other.write("/v1/purchases", purchase(1))
    assert counted.status_code == 202, counted.text
    assert counted.json()["operation"]["brand"] == "tea"
    assert world.rows("SELECT brand, operation_id FROM operation") == [(3, "1")]


def test_brand_without_a_mirrored_invitation_has_no_name_and_no_key(world: World) -> None:
    """SPEC 9.60"""
    before = world.everything()

    answer = world.operator.write("/v1/brands/tea/keys")

    assert (answer.status_code, answer.json()["error"]) == (404, "BrandUnknown")
    assert taken_in(world) == []
    assert world.everything() == before


def test_brand_is_called_as_the_document_says_whose_hash_the_chain_has(quiet: World, tmp_path: Path) -> None:
    """SPEC 9.60"""
    invite(quiet, metadata=document(tmp_path, orjson.dumps(NAMES)))

    assert taken_in(quiet, tmp_path) == ["tea"]
    [told] = [one for one in quiet.operator.get("/v1/brands").json()["brands"] if one["slug"] == "tea"]
    assert {name: told[name] for name in NAMES} == NAMES


@pytest.mark.parametrize(
    ("content", "called"),
    [
        (orjson.dumps(NAMES), "0x" + "11" * 32),
        (b"{", None),
        (orjson.dumps({**NAMES, "slug": "No Slug"}), None),
        (orjson.dumps({**NAMES, "slug": "cdnow"}), None),
        (orjson.dumps({**NAMES, "more": "than asked"}), None),
        (b" " * 70_000, None),
    ],
    ids=["not its hash", "no JSON", "no slug", "another's slug", "unknown field", "too long"],
)
def test_document_that_does_not_hold_names_nobody(
    quiet: World, tmp_path: Path, content: bytes, called: str | None
) -> None:
    """SPEC 9.60"""
    content_hash = document(tmp_path, content, called=called)
    invite(quiet, symbol="LEAF", metadata=called or content_hash)

    assert taken_in(quiet, tmp_path) == ["leaf"]


@pytest.mark.parametrize(
    ("symbol", "slug", "shown"),
    [
        ("CDNOW", "brand-3", "CDNOW"),
        ("9lives", "brand-3", "9lives"),
        ("Ünï", "brand-3", "Ünï"),
        ("", "brand-3", "3"),
        ("\u202eab\x00", "brand-3", "ab"),
        ("A" * 300, "brand-3", "A" * 11),
    ],
)
def test_token_names_its_brand_where_nobody_else_does(quiet: World, symbol: str, slug: str, shown: str) -> None:
    """SPEC 9.60: whatever a token says of itself is no danger to a screen or to another brand's name."""
    if "\x00" in symbol and quiet.database.engine.dialect.name == "postgresql":
        symbol = symbol.replace("\x00", "")
    invite(quiet, symbol=symbol)

    assert taken_in(quiet) == [slug]
    assert quiet.rows("SELECT symbol FROM brand WHERE registry_id = 3") == [(shown,)]


def test_invitation_that_the_chain_took_back_leaves_its_id_to_another_token(quiet: World) -> None:
    """SPEC 9.60"""
    invite(quiet)
    taken_in(quiet)
    quiet.run("UPDATE brand_token SET token = :t WHERE brand_id = '3'", t="0x" + "44" * 20)

    assert taken_in(quiet) == ["tea"]
    assert quiet.rows("SELECT token FROM brand WHERE registry_id = 3") == [("0x" + "44" * 20,)]
    assert taken_in(quiet) == []


def test_brand_that_is_called_otherwise_stays_who_it_is(world: World) -> None:
    """SPEC 9.61: keys, members, orders and operations follow it, and a retry is still the same write."""
    member = world.member()
    first = world.brand.write("/v1/purchases", purchase(1), key="order")

    changed = world.operator.write("/v1/brands/cdnow", {"slug": "music", "name": "Music"}, method="PATCH")

    assert changed.status_code == 200, changed.text
    assert (changed.json()["slug"], changed.json()["name"], changed.json()["symbol"]) == ("music", "Music", "CDNOW")
    again = world.brand.write("/v1/purchases", purchase(1), key="order")
    anew = world.brand.write("/v1/purchases", purchase(1), key="another")
    assert again.headers["Idempotency-Replayed"] == "true"
    assert again.json()["operation"] == {**first.json()["operation"], "brand": "music"}
    assert anew.status_code == 202, anew.text
    assert anew.json()["operation"] == {**first.json()["operation"], "brand": "music"}
    assert world.brand.get(f"/v1/members/{member['id']}").status_code == 200
    assert world.brand.get("/v1/operations").json()["states"]["queued"] == 1
    assert world.rows("SELECT brand FROM operation") == [(1,)]
    assert world.rows("SELECT source FROM event") == [("music",)]
    gone = world.operator.write("/v1/brands/cdnow/keys")
    assert gone.json()["error"] == "BrandUnknown"


@pytest.mark.parametrize(
    ("path", "change", "error", "status"),
    [
        ("/v1/brands/cdnow", {"slug": "beans"}, "BrandExists", 409),
        ("/v1/brands/nobody", {"name": "X"}, "BrandUnknown", 404),
        ("/v1/brands/cdnow", {"slug": "Bad Slug"}, "RequestMalformed", 422),
        ("/v1/brands/cdnow", {"registry_id": 7}, "RequestMalformed", 422),
    ],
)
def test_name_that_cannot_be_is_refused(
    world: World, path: str, change: dict[str, Any], error: str, status: int
) -> None:
    """SPEC 9.61"""
    before = world.rows("SELECT * FROM brand ORDER BY slug")

    answer = world.operator.write(path, change, method="PATCH")

    assert (answer.status_code, answer.json()["error"]) == (status, error)
    assert world.rows("SELECT * FROM brand ORDER BY slug") == before


@pytest.mark.parametrize(
    ("rules", "wanted"),
    [
        ([], None),
        ([("1", {}), ("2", {})], 2),
        ([("9", {}), ("10", {})], 10),
        ([("1", {}), ("2", {"start": "99999999999"})], 1),
        ([("1", {}), ("2", {"end": "5"})], 1),
        ([("1", {}), ("2", {"activity": "0x726576696577"})], 1),
        ([("1", {"end": "5"})], None),
    ],
    ids=["none", "two", "by number", "not begun", "ended", "another activity", "over"],
)
def test_purchase_counts_by_the_youngest_rule_in_force(
    world: World, rules: list[tuple[str, dict[str, str]]], wanted: int | None
) -> None:
    """SPEC 9.62"""
    world.member()
    world.mirror()
    world.run("DELETE FROM rule")
    for rule_id, change in rules:
        world.run(
            "INSERT INTO rule (brand_id, rule_id, version, in_force_at, withdrawn, terms)"
            " VALUES ('1', :r, 1, 1, false, :t)",
            r=rule_id,
            t=orjson.dumps({**orjson.loads(TERMS), **change}).decode(),
        )

    answer = world.brand.write("/v1/purchases", purchase(1))

    if wanted is None:
        assert (answer.status_code, answer.json()["error"]) == (409, "RuleMissing")
        assert world.rows("SELECT 1 FROM operation") == []
    else:
        [(payload,)] = world.rows("SELECT payload FROM operation")
        assert orjson.loads(payload)["rule"] == wanted


@pytest.fixture
def quiet(make_world: Worlds, monkeypatch: pytest.MonkeyPatch) -> World:
    """A gateway that takes in nothing by itself."""
    monkeypatch.setattr("api.views.loops._take_in_brands", lambda state: None)
    return make_world()


BEFORE = "0012_time"


def test_data_of_before_is_kept_by_the_migrations(url: str) -> None:
    """SPEC 9.16, 7.22, 9.63: operations, counters and claims go over to the registry's ids, purchases become facts with
    awards, and nothing else changes."""
    engine = database.engine(url)
    with database.writing(engine) as connection:
        command.upgrade(migrate.configured(connection), BEFORE)
        for statement in OLD:
            connection.execute(text(statement))

    migrate.run(url)

    with database.reading(engine) as connection:

        def rows(sql: str) -> list[Any]:
            return [tuple(row) for row in connection.execute(text(sql))]

        assert rows("SELECT slug, registry_id, token FROM brand ORDER BY slug") == [
            ("cafe", 12, "0xc"),
            ("tea", 3, "0xt"),
        ]
        assert rows("SELECT key, brand, operation_id FROM operation ORDER BY id") == [
            ("purchase/cafe/1", 12, "1"), ("purchase/tea/1", 3, "1"), ("late", 7, "1"),
        ]  # fmt: skip
        assert rows("SELECT brand, next_id FROM operation_counter ORDER BY brand") == [(3, 2), (7, 2), (12, 2)]
        assert rows("SELECT principal FROM idempotent_write ORDER BY key") == [("brand:12",), ("operator",)]
        [(source, kind, id, subject, data, content_hash)] = rows(
            "SELECT source, type, external_id, subject, data, content_hash FROM event"
        )
        assert (source, kind, id, subject, content_hash) == ("cafe", "purchase", "1", "m", "h")
        assert (orjson.loads(data) if isinstance(data, str) else data) == {"amount": "100", "currency": "USD"}
        assert rows("SELECT event, activity, rule, base_amount, operation, decided_at_ms FROM award") == [
            (1, "purchase", 4, "100", 1, 1)
        ]
        assert rows("SELECT operation, number, error FROM operation_refusal") == [(1, 1, "MemberUnknown")]
        [(fact,)] = rows("SELECT fact FROM operation_refusal")
        assert (orjson.loads(fact) if isinstance(fact, str) else fact) == {
            "member": "n", "occurred_at": "then", "data": {"amount": "7", "currency": "USD"},
        }  # fmt: skip
        assert rows("SELECT brand FROM api_key ORDER BY id") == [("cafe",), (None,)]
    with database.writing(engine) as connection:
        connection.execute(text("UPDATE brand SET slug = 'coffee' WHERE registry_id = 12"))
        named = connection.execute(text("SELECT source FROM event UNION SELECT brand FROM enrolment"))
        assert named.scalars().all() == ["coffee"]
    kept = "name, symbol, colour, currency, decimals, registry_id"
    twice = f"INSERT INTO brand (slug, {kept}, token, created_at_ms) SELECT 'x', {kept}, '0', 1 FROM brand"
    with pytest.raises(IntegrityError), database.writing(engine) as connection:
        connection.execute(text(f"{twice} WHERE registry_id = 3"))
    with pytest.raises(IntegrityError), database.writing(engine) as connection:
        connection.execute(text("INSERT INTO enrolment VALUES ('nobody', 'i', 'm', 1)"))
    engine.dispose()


def test_operations_of_a_brand_that_nobody_knows_stop_the_migration(url: str) -> None:
    """SPEC 9.16"""
    engine = database.engine(url)
    with database.writing(engine) as connection:
        command.upgrade(migrate.configured(connection), BEFORE)
        for statement in OLD:
            connection.execute(text(statement))
        connection.execute(text("UPDATE operation SET brand = 'ghost' WHERE brand = '7'"))

    with pytest.raises(RuntimeError, match="ghost"):
        migrate.run(url)

    with database.reading(engine) as connection:
        assert connection.execute(text("SELECT COUNT(*) FROM operation WHERE brand = 'ghost'")).scalar_one() == 1
    engine.dispose()


PAYLOAD = '{"rule": 4, "base_amount": "100"}'
SAID = '{"member": "n", "amount": "7", "currency": "USD", "occurred_at": "then"}'
OLD = (
    "INSERT INTO brand (slug, name, symbol, colour, currency, decimals, number, token, created_at_ms) VALUES"
    " ('cafe', 'Cafe', 'C', '#000000', 'USD', 2, '12', '0xc', 1),"
    " ('tea', 'Tea', 'T', '#000000', 'USD', 2, '3', '0xt', 1)",
    "INSERT INTO member (id, address, created_at_ms) VALUES ('m', '0xa', 1)",
    "INSERT INTO enrolment (brand, identifier, member_id, created_at_ms) VALUES ('cafe', 'i', 'm', 1)",
    "INSERT INTO api_key (id, kind, brand, secret_hash, created_at_ms) VALUES ('a', 'b', 'cafe', 'x', 1),"
    " ('b', 'o', NULL, 'x', 1)",
    "INSERT INTO event (brand, kind, external_id, member_id, amount, currency, occurred_at_ms, received_at_ms,"
    " content_hash, operation) VALUES ('cafe', 'purchase', '1', 'm', '100', 'USD', 1, 1, 'h', 1)",
    *(
        "INSERT INTO operation (key, kind, brand, lane, operation_id, payload, state, created_at_ms, updated_at_ms)"
        f" VALUES ('{key}', 'award', '{brand}', '0xa', '1', '{PAYLOAD}', 'queued', 1, 1)"
        for key, brand in (("purchase/cafe/1", "cafe"), ("purchase/tea/1", "tea"), ("late", "7"))
    ),
    "INSERT INTO operation_refusal (operation, number, payload, fact, error, refused_at_ms, again_at_ms) VALUES"
    f" (1, 1, '{PAYLOAD}', '{SAID}', 'MemberUnknown', 1, 2)",
    "INSERT INTO operation_counter (brand, next_id) VALUES ('cafe', 2), ('tea', 2), ('7', 2)",
    "INSERT INTO idempotent_write (principal, key, route, body_hash, status, answer, created_at_ms) VALUES"
    " ('brand:cafe', 'k1', 'r', 'h', 200, '{}', 1), ('operator', 'k2', 'r', 'h', 200, '{}', 1)",
)
