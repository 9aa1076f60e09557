"""What may not come in, swept over the whole document: every string, every number, every body, every route.

The document says which fields there are; nothing here is a list by hand, so a new route is tested by being described.
"""

from __future__ import annotations

import gzip
import unicodedata
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.app import openapi
from api.kit.clock import now_ms
from api.kit.problems import SENTENCES, Problem, RequestMalformed
from api.kit.strict_json import DEPTH_MAX, FieldRepeated, parse
from api.kit.texts import has_invisible
from api.openapi import KEY, LINES, VISIBLE
from tests.api.conftest import NDJSON, Caller, World, purchase

DOCUMENT = openapi()
SCHEMAS = DOCUMENT["components"]["schemas"]
OPERATIONS = [
    (method.upper(), path, told)
    for path, methods in sorted(DOCUMENT["paths"].items())
    for method, told in methods.items()
]
WITH_BODY = [one for one in OPERATIONS if "requestBody" in one[2]]
WITH_LINES = [one for one in WITH_BODY if "application/x-ndjson" in one[2]["requestBody"]["content"]]
WITH_PARAMETERS = [one for one in OPERATIONS if any(p["in"] in ("path", "query") for p in one[2].get("parameters", ()))]
INVISIBLE = [
    "\0",
    "\x1b",
    "\x7f",
    "\x85",
    "\u202e",
    "\u2066",
    "\u200b",
    "\ufeff",
    "\u2028",
    "\u2029",
    "\u3164",
    "\U000e0041",
]
NO_DIGITS = ["1_0", "+1", " 1", "1 ", "１", "1.0", "1e1", "0x1", "01", "", "true", "-0"]


@pytest.fixture(scope="module")
def world(shared_world: World) -> World:
    """Nothing here changes anything, so all share one gateway."""
    return shared_world


@pytest.fixture(scope="module")
def callers(world: World) -> dict[str, Caller]:
    member, auditor = world.session(world.member()), world.auditor()
    return {
        "operatorKey": world.operator,
        "auditorKey": auditor,
        "auditorKeyOrOperatorKey": auditor,
        "brandKey": world.brand,
        "brandKeyOrAuditorKey": world.brand,
        "memberSession": member,
        "brandKeyOrMemberSession": world.brand,
    }


def named(operation: tuple[str, str, Any]) -> str:
    return f"{operation[0]} {operation[1]}"


def resolved(schema: dict[str, Any]) -> dict[str, Any]:
    """The schema itself, past references and `or null`."""
    if "$ref" in schema:
        return resolved(SCHEMAS[schema["$ref"].rsplit("/", 1)[1]])
    for branch in schema.get("anyOf", ()):
        if branch.get("type") != "null":
            return {**resolved(branch), **{k: v for k, v in schema.items() if k == "examples"}}
    return schema


def sample(schema: dict[str, Any]) -> Any:
    """A value with every field filled, whether or not all of them go together."""
    schema = resolved(schema)
    kind = schema.get("type")
    if kind == "object" and "properties" in schema:
        return {name: sample(inner) for name, inner in schema["properties"].items()}
    if kind == "object":
        return {"item": "text"}
    if kind == "array":
        return [sample(schema["items"])]
    given = [one for one in schema.get("examples", ()) if one is not None]
    return given[0] if given else {"string": "text", "integer": 1, "boolean": False}[kind]


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[tuple[Any, ...], Any]]:
    yield path, value
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from places(inner, (*path, name))
    if isinstance(value, list):
        for number, inner in enumerate(value):
            yield from places(inner, (*path, number))


def put(value: Any, path: tuple[Any, ...], new: Any) -> Any:
    if not path:
        return new
    copy = list(value) if isinstance(value, list) else dict(value)
    copy[path[0]] = put(value[path[0]], path[1:], new)
    return copy


def body_of(operation: tuple[str, str, Any]) -> Any:
    return sample(operation[2]["requestBody"]["content"]["application/json"]["schema"])


def valid(parameter: dict[str, Any]) -> str:
    return str(parameter.get("example") or sample(parameter["schema"]))


def address(operation: tuple[str, str, Any], name: str = "", value: str = "") -> str:
    """The operation's address with all parameters filled, one of them with this value."""
    _, path, told = operation
    queries = []
    for parameter in told.get("parameters", ()):
        given = value if parameter["name"] == name else valid(parameter)
        if parameter["in"] == "path":
            path = path.replace(f"{{{parameter['name']}}}", quote(given, safe="/"))
        elif parameter["in"] == "query" and (parameter.get("required") or parameter["name"] == name):
            queries.append(f"{parameter['name']}={quote(given, safe='')}")
    return f"{path}?{'&'.join(queries)}" if queries else path


def call(world: World, callers: dict[str, Caller], operation: tuple[str, str, Any], url: str, **more: Any) -> Any:
    [scheme] = [name for needed in operation[2].get("security", [{"": []}]) for name in needed]
    caller = callers.get(scheme, world.anyone)
    headers = {"Content-Type": "application/json", "Idempotency-Key": "k", **caller.headers, **more.pop("headers", {})}
    return world.client.request(operation[0], url, headers={k: v for k, v in headers.items() if v}, **more)


def told(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]


@pytest.mark.parametrize("operation", WITH_BODY, ids=named)
def test_no_text_of_a_body_holds_what_cannot_be_seen(
    world: World, callers: dict[str, Caller], operation: tuple[str, str, Any]
) -> None:
    """SPEC 9.41"""
    before, body, tried = world.everything(), body_of(operation), 0
    for path, value in places(body):
        if isinstance(value, str):
            for bad in INVISIBLE[tried % 3 :: 3]:
                answer = call(
                    world, callers, operation, address(operation), content=orjson.dumps(put(body, path, f"a{bad}b"))
                )
                assert told(answer) == (422, "CharacterRefused"), (path, bad)
                assert answer.json()["character"] == f"U+{ord(bad):04X}"
                tried += 1
    assert tried > 0 or not any(isinstance(value, str) for _, value in places(body))
    assert world.everything() == before


@pytest.mark.parametrize("operation", WITH_PARAMETERS, ids=named)
def test_no_parameter_holds_what_cannot_be_seen(
    world: World, callers: dict[str, Caller], operation: tuple[str, str, Any]
) -> None:
    """SPEC 9.41"""
    tried = 0
    for parameter in operation[2]["parameters"]:
        if parameter["in"] in ("path", "query"):
            for bad in INVISIBLE:
                answer = call(world, callers, operation, address(operation, parameter["name"], f"a{bad}b"))
                assert told(answer) == (422, "CharacterRefused"), (parameter["name"], bad)
                tried += 1
    assert tried


@pytest.mark.parametrize("header", ["Idempotency-Key", "Prefer", "Last-Event-ID"])
def test_no_header_that_is_read_holds_what_cannot_be_seen(world: World, header: str) -> None:
    """SPEC 9.41: uvicorn lets these bytes through, and reads them as Latin-1."""
    for bad in (b"a\x85b", b"a\xadb"):
        sent = {"Content-Type": "application/json", **world.brand.headers, "Idempotency-Key": "k"}
        headers = [(k.encode(), v.encode()) for k, v in sent.items() if k != header] + [(header.encode(), bad)]
        answer = world.client.request("POST", "/v1/members", content=b"{}", headers=headers)
        assert told(answer) == (422, "CharacterRefused")


@pytest.mark.parametrize("operation", WITH_BODY, ids=named)
def test_an_object_names_each_field_once(
    world: World, callers: dict[str, Caller], operation: tuple[str, str, Any]
) -> None:
    """SPEC 9.41: 100 and then 900 became 1,350 points."""
    before, body, tried = world.everything(), body_of(operation), 0
    for path, value in places(body):
        if isinstance(value, dict):
            name = next(iter(value))
            marked = orjson.dumps(put(body, path, {**value, "TWICE": value[name]}))
            raw = marked.replace(b'"TWICE"', orjson.dumps(name))
            answer = call(world, callers, operation, address(operation), content=raw)
            assert told(answer) == (422, "FieldRepeated"), path
            tried += 1
    assert tried
    assert world.everything() == before


@pytest.mark.parametrize("operation", WITH_LINES, ids=named)
def test_lines_are_read_as_strictly_as_bodies(
    world: World, callers: dict[str, Caller], operation: tuple[str, str, Any]
) -> None:
    """SPEC 9.41"""
    body = body_of(operation)
    raw = orjson.dumps(body)
    name = next(iter(body))
    twice = raw[:-1] + b"," + orjson.dumps(name) + b":" + orjson.dumps(body[name]) + b"}"
    unseen = orjson.dumps({**body, "id": "a\u202eb"})
    escaped = unseen.replace("\u202e".encode(), b"\\u202e")
    lines = [twice, unseen, escaped, raw.replace(b"{", b'{"x":NaN,', 1), b'{"id":' * 2_000 + b"1", b"\xff"]
    before = world.everything()
    headers = {**NDJSON, "Idempotency-Key": f"strict-{operation[2]['operationId']}"}

    answer = call(world, callers, operation, address(operation), content=b"\n".join(lines), headers=headers)

    errors = [orjson.loads(line)["problem"]["error"] for line in answer.content.splitlines()]
    assert errors == ["FieldRepeated", "CharacterRefused", "CharacterRefused", *["LineMalformed"] * 3]
    after = world.everything()
    assert {k: v for k, v in after.items() if "idempotent" not in k} == {
        k: v for k, v in before.items() if "idempotent" not in k
    }


@pytest.mark.parametrize("operation", WITH_PARAMETERS, ids=named)
def test_numbers_and_switches_have_one_spelling(
    world: World, callers: dict[str, Caller], operation: tuple[str, str, Any]
) -> None:
    """SPEC 9.41"""
    for parameter in operation[2]["parameters"]:
        kind = resolved(parameter["schema"]).get("type")
        ids = resolved(parameter["schema"]).get("pattern") == "^[1-9][0-9]{0,18}$"
        numbers = NO_DIGITS if kind == "integer" or ids else []
        wrong = ["1", "yes", "on", "True"] if kind == "boolean" else numbers
        for value in wrong:
            if value == "" and parameter["in"] == "path":
                continue
            answer = call(world, callers, operation, address(operation, parameter["name"], value))
            assert told(answer) == (422, "RequestMalformed"), (parameter["name"], value)


@pytest.mark.parametrize("operation", WITH_BODY, ids=named)
def test_numbers_and_switches_of_a_body_are_no_texts(
    world: World, callers: dict[str, Caller], operation: tuple[str, str, Any]
) -> None:
    """SPEC 9.41"""
    body = body_of(operation)
    for path, value in places(body):
        if isinstance(value, int):
            for wrong in ("1", "1_0", 1.5, not value if isinstance(value, bool) is False else 1):
                answer = call(
                    world, callers, operation, address(operation), content=orjson.dumps(put(body, path, wrong))
                )
                assert answer.status_code == 422, (path, wrong)


@pytest.mark.parametrize("operation", OPERATIONS, ids=named)
def test_a_query_field_is_known_and_given_once(
    world: World, callers: dict[str, Caller], operation: tuple[str, str, Any]
) -> None:
    """SPEC 9.41"""
    url = address(operation)
    glue = "&" if "?" in url else "?"
    assert told(call(world, callers, operation, f"{url}{glue}limt=1")) == (422, "RequestMalformed")
    for parameter in operation[2].get("parameters", ()):
        if parameter["in"] == "query" and resolved(parameter["schema"]).get("type") != "array":
            once = address(operation, parameter["name"], valid(parameter))
            twice = f"{once}&{parameter['name']}={quote(valid(parameter))}"
            assert told(call(world, callers, operation, twice)) == (422, "RequestMalformed"), parameter["name"]


@pytest.mark.parametrize("operation", WITH_BODY, ids=named)
@pytest.mark.parametrize(
    "media_type", ["text/plain", "", "application/x-www-form-urlencoded", "application/xml", "application/jsonp"]
)
def test_a_body_of_another_type_is_refused_as_such(
    world: World, callers: dict[str, Caller], operation: tuple[str, str, Any], media_type: str
) -> None:
    """SPEC 9.41"""
    raw = orjson.dumps(body_of(operation))
    answer = call(world, callers, operation, address(operation), content=raw, headers={"Content-Type": media_type})

    assert told(answer) == (415, "ContentTypeUnsupported")


@pytest.mark.parametrize("operation", WITH_BODY, ids=named)
@pytest.mark.parametrize("encoding", ["gzip", "br", "deflate", "gzip, identity"])
def test_a_compressed_body_is_refused_as_such(
    world: World, callers: dict[str, Caller], operation: tuple[str, str, Any], encoding: str
) -> None:
    """SPEC 9.41"""
    raw = gzip.compress(orjson.dumps(body_of(operation)))
    for media_type in ("application/json", "application/x-ndjson"):
        headers = {"Content-Encoding": encoding, "Content-Type": media_type}
        answer = call(world, callers, operation, address(operation), content=raw, headers=headers)
        assert told(answer) == (415, "EncodingUnsupported")
        assert answer.headers["accept-encoding"] == "identity"


def test_lines_are_refused_where_no_lines_are_read(world: World, callers: dict[str, Caller]) -> None:
    """SPEC 9.41"""
    for operation in WITH_BODY:
        if operation not in WITH_LINES:
            answer = call(world, callers, operation, address(operation), content=b"{}\n{}", headers=NDJSON)
            assert told(answer) == (415, "ContentTypeUnsupported"), named(operation)


def test_a_route_without_a_body_takes_none(world: World, callers: dict[str, Caller]) -> None:
    """SPEC 9.41"""
    bare = [one for one in OPERATIONS if one[0] in ("POST", "DELETE") and one not in WITH_BODY]
    assert bare
    for operation in bare:
        answer = call(world, callers, operation, address(operation), content=b'{"points":"1"}')
        assert told(answer) == (422, "RequestMalformed"), named(operation)


def asked() -> Iterator[tuple[str, dict[str, Any]]]:
    """Every schema of a string that a caller gives, by its place."""
    for operation in OPERATIONS:
        for parameter in operation[2].get("parameters", ()):
            yield f"{named(operation)} {parameter['name']}", resolved(parameter["schema"])
        if operation in WITH_BODY:
            todo = [(named(operation), operation[2]["requestBody"]["content"]["application/json"]["schema"])]
            while todo:
                place, schema = todo.pop()
                schema = resolved(schema)
                yield place, schema
                todo += [(f"{place}.{name}", inner) for name, inner in schema.get("properties", {}).items()]


def test_every_pattern_is_refused_with_a_sentence(world: World, callers: dict[str, Caller]) -> None:
    """SPEC 9.41: an expression says nothing to most who read it."""
    enforced_elsewhere = {
        "^(0|[1-9][0-9]{0,14})$", "^[1-9][0-9]{0,14}$", "^[1-9][0-9]{0,18}$", "^0x[0-9a-fA-F]{40}$", VISIBLE, LINES,
        KEY["pattern"],
    }  # fmt: skip
    for place, schema in asked():
        pattern = schema.get("pattern")
        if pattern is not None and schema.get("format") is None and pattern not in enforced_elsewhere:
            assert pattern in SENTENCES, place
    told = world.brand.get("/v1/members/nobody/view").json()
    assert "mem_ and 32 hex digits" in told["detail"]
    assert "pattern" not in orjson.dumps(told).decode()


def test_every_invisible_character_there_is_is_refused() -> None:
    """SPEC 9.41: by Unicode's own categories, but for the signs of some scripts that have a shape."""
    with_shape = {"ARABIC", "SYRIAC", "KAITHI", "EGYPTIAN"}
    for point in range(0x110000):
        character = chr(point)
        category = unicodedata.category(character)
        name = unicodedata.name(character, "")
        shaped = category == "Cf" and name.split(" ")[0] in with_shape and "LETTER MARK" not in name
        if category in ("Cc", "Cs", "Zl", "Zp") or (category == "Cf" and not shaped):
            assert has_invisible(character), f"U+{point:04X} {name}"
        if category in ("Lu", "Ll", "Nd", "Sc", "Zs", "So"):
            assert not has_invisible(character), f"U+{point:04X} {name}"


NAMES = st.text(st.characters(categories=["Lu", "Ll", "Nd"]), max_size=8)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | NAMES,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(NAMES, inner, max_size=4),
    max_leaves=20,
)


@given(value=JSON, pretty=st.booleans())
def test_what_means_one_thing_is_read_as_it_is(value: Any, pretty: bool) -> None:
    """SPEC 9.41"""
    assert parse(orjson.dumps(value, option=orjson.OPT_INDENT_2 if pretty else None)) == value


@given(value=JSON, bad=st.sampled_from(INVISIBLE), escaped=st.booleans(), data=st.data())
def test_what_cannot_be_seen_is_found_wherever_it_stands(
    value: Any, bad: str, escaped: bool, data: st.DataObject
) -> None:
    """SPEC 9.41: as itself and escaped, in names of fields too."""
    path, _ = data.draw(st.sampled_from(list(places(value))))
    spoilt = put(value, path, data.draw(st.sampled_from([f"a{bad}", {f"{bad}a": 1}, [bad]])))
    raw = orjson.dumps(spoilt)
    if escaped:
        raw = raw.decode().encode("ascii", "backslashreplace").replace(b"\\x", b"\\u00")
        if b"\\U" in raw:
            raw = orjson.dumps(spoilt)
    with pytest.raises(Problem, match="is not accepted"):
        parse(raw)


@pytest.mark.parametrize(
    "at", [852076800, 852076800000, "852076800", "1997-01-01 00:00:00Z", "19970101T000000Z", "1997-W01-3"]
)
def test_a_moment_is_no_number_and_has_one_spelling(world: World, at: Any) -> None:
    """SPEC 9.42"""
    answer = world.brand.write("/v1/purchases", purchase(occurred_at=at))

    assert told(answer) == (422, "RequestMalformed")
    assert "RFC 3339" in answer.json()["detail"]


def test_what_happened_lies_within_the_programme(world: World) -> None:
    """SPEC 9.42"""
    start = world.settings.programme_start
    now = datetime.fromtimestamp(now_ms() / 1000, UTC)
    before = world.everything()
    lines = []
    for at, error in (
        (start - timedelta(seconds=1), "OccurredTooEarly"),
        (now + timedelta(hours=1), "OccurredInFuture"),
    ):
        wanted = purchase(occurred_at=at.isoformat())
        assert told(world.brand.write("/v1/purchases", wanted)) == (422, error)
        lines.append((orjson.dumps(wanted), error))
    answer = world.brand.write("/v1/purchases", b"\n".join(line for line, _ in lines), key="bounds", **NDJSON)

    assert [orjson.loads(one)["problem"]["error"] for one in answer.content.splitlines()] == [
        error for _, error in lines
    ]
    assert world.everything()["event"] == before["event"]


def test_when_it_happened_is_told_and_late_ones_are_named(world: World) -> None:
    """SPEC 9.42"""
    now = datetime.fromtimestamp(now_ms() / 1000, UTC)
    world.brand.write("/v1/members", {"identifier": "on-time"}, key="on-time")
    fresh = purchase(71, member="on-time", occurred_at=now.isoformat())
    old = purchase(72, member="on-time", occurred_at="1997-01-01T09:00:00+09:00")

    answers = [world.brand.write("/v1/purchases", wanted).json() for wanted in (fresh, old)]
    body = b"\n".join(orjson.dumps(wanted) for wanted in (fresh, old))
    lines = [orjson.loads(line) for line in world.brand.write("/v1/purchases", body, **NDJSON).content.splitlines()]

    assert [one["late"] for one in answers] == [one["late"] for one in lines] == [False, True]
    assert answers[1]["occurred_at"] == lines[1]["occurred_at"] == "1997-01-01T00:00:00.000Z"
    assert answers[0]["received_at"] >= answers[0]["occurred_at"][:19]


def test_the_programme_begins_when_the_settings_say(world: World, make_world: Any) -> None:
    """SPEC 9.42"""
    later = make_world(programme_start=datetime(2026, 1, 1, tzinfo=UTC))
    later.member()

    assert told(later.brand.write("/v1/purchases", purchase())) == (422, "OccurredTooEarly")
    assert replace(later.settings).programme_start.year == 2026


GOOD = "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed"


@pytest.mark.parametrize(
    ("address_", "good"),
    [
        (GOOD, True),
        (GOOD.lower(), True),
        ("0x" + GOOD[2:].upper(), True),
        ("0X" + GOOD[2:], True),
        (GOOD[:-1] + "D", False),
        (GOOD.swapcase().replace("X", "x", 1), False),
        (GOOD[:-1], False),
        (GOOD + "0", False),
        ("0x" + "g" * 40, False),
        ("0x" + "１" * 40, False),
        (GOOD[2:], False),
    ],
)
def test_an_address_with_a_checksum_needs_the_right_one(
    world: World, callers: dict[str, Caller], address_: str, good: bool
) -> None:
    """SPEC 9.43"""
    world.mirror()
    answer = callers["auditorKey"].get(f"/v1/audit/accounts/{quote(address_)}/balances")

    assert answer.status_code == (200 if good else 422), answer.text
    if not good:
        assert answer.json()["error"] == "AddressMalformed"


def test_the_field_that_is_named_twice_is_the_one_that_is_told() -> None:
    """SPEC 9.41"""
    with pytest.raises(FieldRepeated) as refused:
        parse(b'{"first": 1, "second": 2, "second": 3}')
    assert "'second'" in str(refused.value)


@pytest.mark.parametrize(("levels", "fits"), [(DEPTH_MAX - 1, True), (DEPTH_MAX, False)])
def test_the_deepest_level_that_fits_is_looked_at(levels: int, fits: bool) -> None:
    """SPEC 9.41: texts are looked at as deep as a body may go, and refused beyond."""
    body = b"[" * levels + rb'"\\"' + b"]" * levels
    if fits:
        assert parse(body) is not None
    else:
        with pytest.raises(RequestMalformed, match=f"at most {DEPTH_MAX} levels"):
            parse(body)
