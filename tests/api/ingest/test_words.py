"""What people say in events is theirs: sealed, told to who asks for them by name, exported, forgotten."""

from __future__ import annotations

import io
import zipfile
from typing import Any

import orjson
from sqlmodel import Session

from api.privacy import erasure, scanner
from tests.api.conftest import World
from tests.api.conftest import both as kind  # noqa: F401
from tests.api.identity.test_who_is_who import resolve, vault
from tests.api.ingest.test_events import DATA, event, page, report

SAID = ("support.contacted", "review.written", "search.made", "survey.answered", "social.mentioned", "page.viewed")
WORDS = ("where is\nmy tea", "a fine tea", "tea for ada", "the jasmine", "@adalovestea", "https://shop.example/teas")


def written(world: World) -> str:
    """Everything that lies in the table, as it lies there."""
    return str([(bytes(row[0] or b""), row[1]) for row in world.rows("SELECT words, data FROM reported_event")])


def seen(world: World) -> list[Any]:
    """What was noted of looks at what belongs to a member."""
    return world.rows("SELECT subject FROM act_tally WHERE act = 'personal.seen'")


def test_words_are_sealed_and_told_of_one_named_member_only(world: World) -> None:
    """SPEC 22.9, 22.10"""
    member = world.member()
    world.member("m-2")
    report(world.brand, *[event(name, f"e-{name}") for name in SAID])

    assert not [one for one in WORDS if one.replace("\n", "\\n") in written(world) or one in written(world)]
    with Session(world.database.engine) as session:
        values = list(scanner.values_of(session, vault(world)))
        texts = list(scanner.stored(session))
    assert {value for value, _ in values} == set(WORDS)
    assert scanner.leaks(values, texts) == []
    assert [one for one in WORDS if one in str(page(world.brand))] == []
    assert seen(world) == []
    told = {one["type"]: one["data"] for one in page(world.brand, f"?member={member['id']}")}
    assert told == {name: DATA[name] for name in SAID}
    assert len(seen(world)) == 1


def test_words_of_nobody_are_refused(world: World) -> None:
    """SPEC 22.9"""
    nobody = event("social.mentioned", subject=None)
    assert nobody["data"].get("handle")

    answer = world.brand.write("/v1/events", nobody)

    assert answer.json()["error"] == "MemberUnclear"
    plain = event("social.mentioned", subject=None, data={"network": "x"})
    assert report(world.brand, plain)[0]["member"] is None


def test_the_archive_has_the_words_and_an_erasure_takes_them(world: World) -> None:
    """SPEC 22.9"""
    world.mirror()
    member, other = world.member(), world.member("m-2")
    ada = world.session(member)
    report(world.brand, *[event(name, f"e-{name}") for name in SAID], event("review.written", "e-2", subject="m-2"))

    with zipfile.ZipFile(io.BytesIO(ada.get("/v1/me/export").content)) as zipped:
        told: list[dict[str, Any]] = orjson.loads(zipped.read("reported_event.json"))
    assert [{**one["data"], **one["words"]} for one in told] == [DATA[name] for name in SAID]

    with world.database.write() as session:
        state = world.app.state.moa
        erasure.erase(session, vault(world), state.keystore, member_ids=[member["id"]], actor="command/test")

    kept = world.rows("SELECT member_id, words, content_hash FROM reported_event ORDER BY id")
    assert {(one[1], one[2]) for one in kept if one[0] == member["id"]} == {(None, "")}
    assert len([one for one in kept if one[0] == member["id"]]) == len(SAID), "what happened stays"
    assert [one["data"] for one in page(world.brand, f"?member={other['id']}")] == [DATA["review.written"]]
    again = world.brand.write("/v1/events", event("app.session", "e-9", subject=member["id"]))
    assert again.json()["error"] == "MemberUnknown"


def test_a_visitors_events_come_to_whoever_the_brand_says_it_was(world: World) -> None:
    """SPEC 22.8"""
    member = world.member()
    visit = event("search.made", "e-1", anonymousid="cookie-17")
    [before] = report(world.brand, visit)
    assert before["member"] not in (None, member["id"])
    assert page(world.brand, f"?member={member['id']}") == []

    assert resolve(world, ("partner", "m-1"), ("cookie", "cookie-17"))["outcome"] == "merged"

    [again] = report(world.brand, visit)
    assert (again["status"], again["number"]) == ("replayed", before["number"])
    [told] = page(world.brand, f"?member={member['id']}")
    assert (told["id"], told["data"]) == ("e-1", DATA["search.made"])
    blocked = world.brand.write("/v1/events", event("app.session", "e-2", anonymousid="anonymous"))
    assert blocked.json()["error"] == "IdentifiersMissing"
