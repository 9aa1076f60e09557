"""Identifiers, merges and guests' receipts: nobody is mixed up, nothing is lost or doubled (SPEC 16)."""

from __future__ import annotations

import random
from typing import Any

import pytest

from api.identity import groups, people
from api.identity.errors import IdentifierBlocked, IdentifierMalformed, PhoneUnclear
from api.identity.kinds import KINDS, masked, normalised
from api.identity.links import named
from api.kit.clock import now_ms
from api.vault.sealing import InvalidTag, Vault, vault_of
from tests.api.auth.test_access import acts, refusal
from tests.api.conftest import TOKENS, Caller, World, purchase
from tests.api.conftest import both as kind  # noqa: F401

SEED = random.randrange(2**32)


def vault(world: World) -> Vault:
    return vault_of(world.app.state.moa)


def resolve(world: World, *pairs: tuple[str, str], brand: Caller | None = None) -> dict[str, Any]:
    """What the brand is told of whom these identifiers name."""
    answer = (brand or world.brand).write(
        "/v1/identity/resolve", {"identifiers": [{"kind": one, "value": value} for one, value in pairs]}
    )
    assert answer.status_code == 200, answer.text
    told: dict[str, Any] = answer.json()
    return told


def proved(world: World, member_id: str, kind_: Any, value: str) -> None:
    """The member has proved this identifier (the ways to do so are tests/api/test_sign_in.py's)."""
    with world.database.write() as session:
        root = groups.root_of(session, member_id)
        given = named(vault(world), kind=kind_, value=value)
        assert people.add_proven(session, vault=vault(world), member=root, given=given, actor="command/test") is None


def merged(world: World, one: str, other: str) -> Any:
    return world.operator.write("/v1/identity/merges", {"one": one, "other": other, "case": "case/1"})


def undone(world: World, merge: str) -> Any:
    return world.operator.write(f"/v1/identity/merges/{merge}", method="DELETE")


def spendable(caller: Caller) -> dict[str, int]:
    view = caller.get("/v1/me/view")
    assert view.status_code == 200, view.text
    return {one["brand"]["slug"]: int(one["spendable"]) for one in view.json()["balances"]}


# How identifiers are written


@pytest.mark.parametrize(
    ("kind_", "written", "country", "one"),
    [
        ("phone", "010-1234-5678", "KR", "+821012345678"),
        ("phone", "+82 10 1234 5678", None, "+821012345678"),
        ("phone", "+82 (0)10-1234-5678", "US", "+821012345678"),
        ("email", " ADA@Example.ORG ", None, "ada@example.org"),
        ("email", "ada@ex\u0061\u0308mple.org", None, "ada@exämple.org"),
        ("card", "9410 0000-1234", None, "941000001234"),
        ("till", "a-17 b9", None, "A17B9"),
        ("wallet", "0x52908400098527886E0F7030069857D2E4169EE7", None, "0x52908400098527886e0f7030069857d2e4169ee7"),
        ("account", "cafe\u0301", None, "caf\u00e9"),
    ],
)  # fmt: skip
def test_one_identifier_has_one_spelling(kind_: Any, written: str, country: str | None, one: str) -> None:
    """SPEC 19.1"""
    assert normalised(kind_, written, country) == one
    assert normalised(kind_, one, country) == one


@pytest.mark.parametrize(
    ("kind_", "written", "error"),
    [
        ("phone", "010-1234-5678", PhoneUnclear),
        ("phone", "+82 10 12", IdentifierMalformed),
        ("phone", "call me", IdentifierMalformed),
        ("email", "ada@", IdentifierMalformed),
        ("email", "ada", IdentifierMalformed),
        ("email", "", IdentifierMalformed),
        ("wallet", "0x52908400098527886E0F7030069857D2E4169Ee7", IdentifierMalformed),
        ("card", "4242 4242 4242 4242", IdentifierMalformed),
        ("cookie", "two words", IdentifierMalformed),
        ("account", "x" * 257, IdentifierMalformed),
        ("account", "000-00", IdentifierBlocked),
        ("account", "-1", IdentifierBlocked),
        ("cookie", "NULL", IdentifierBlocked),
        ("device", "Anonymous", IdentifierBlocked),
        ("device", "00000000-0000-0000-0000-000000000000", IdentifierBlocked),
    ],
)  # fmt: skip
def test_what_names_nobody_is_refused(kind_: Any, written: str, error: type[Exception]) -> None:
    """SPEC 19.1, 19.2"""
    with pytest.raises(error):
        normalised(kind_, written)


def test_what_is_shown_of_an_identifier_does_not_tell_it() -> None:
    assert masked("email", "ada@example.org") == "a…@example.org"
    assert masked("phone", "+821012345678") == "…5678"
    assert masked("till", "A17B9") == "…B9"


# Resolution


def test_whom_a_brand_means_is_found_by_any_of_what_it_knows(world: World) -> None:
    """SPEC 19.3: every pair of kinds, once it was said together, names one member."""
    values = {
        "account": "app-7", "email": "ada@example.org", "phone": "+821012345678", "card": "9410-77", "till": "T-0017",
        "partner": "m-7", "wallet": "0x" + "7a" * 20, "cookie": "c-" + "7" * 20, "device": "d-" + "7" * 20,
    }  # fmt: skip
    assert values.keys() == KINDS.keys()
    first = resolve(world, *values.items())

    assert first["outcome"] == "created"
    for kind_, value in values.items():
        again = resolve(world, (kind_, value))
        assert (again["member"], again["outcome"], again["matched"]) == (first["member"], "found", [kind_])
    assert world.brand.get("/v1/members", identifier="m-7").json()["id"] == first["member"]
    assert resolve(world, ("email", "ADA@example.org"), ("cookie", "c-new"))["outcome"] == "added"
    assert resolve(world, ("cookie", "c-new"))["member"] == first["member"]


def test_a_telephone_number_written_as_at_home_is_the_brands_country(world: World) -> None:
    """SPEC 19.1"""
    unclear = world.brand.write("/v1/identity/resolve", {"identifiers": [{"kind": "phone", "value": "010-1234-5678"}]})
    world.operator.write("/v1/brands/cdnow", {"country": "KR"}, method="PATCH")

    assert refusal(unclear) == (422, "PhoneUnclear")
    assert (
        resolve(world, ("phone", "010-1234-5678"))["member"] == resolve(world, ("phone", "+82 10 1234 5678"))["member"]
    )


def test_what_another_brand_knows_stays_that_brands(world: World) -> None:
    """SPEC 19.4"""
    ours = resolve(world, ("email", "ada@example.org"))
    theirs = resolve(world, ("email", "ada@example.org"), brand=world.other)

    assert theirs["outcome"] == "created"
    assert ours["member"] != theirs["member"]
    assert world.other.get(f"/v1/members/{ours['member']}").status_code == 404


def test_a_shared_tablet_does_not_make_one_person_of_two(world: World) -> None:
    """SPEC 19.5"""
    tablet = ("cookie", "tablet-" + "t" * 20)
    ada = resolve(world, ("account", "ada"), tablet)
    bob = resolve(world, ("account", "bob"), tablet)
    carol = resolve(world, ("email", "carol@example.org"), ("account", "carol"), tablet)

    assert len({ada["member"], bob["member"], carol["member"]}) == 3
    assert [one["outcome"] for one in (ada, bob, carol)] == ["created"] * 3
    assert bob["dropped"] == carol["dropped"] == [{"kind": "cookie", "why": "limit_account"}]
    assert resolve(world, ("account", "bob"), tablet)["member"] == bob["member"]
    assert world.rows("SELECT COUNT(*) FROM member_merge") == [(0,)]


def test_beyond_a_limit_what_counts_least_is_left_out(world: World) -> None:
    """SPEC 19.5"""
    ada = resolve(world, ("account", "ada"), *[("email", f"ada{number}@example.org") for number in range(5)])

    more = resolve(world, ("account", "ada"), ("email", "ada5@example.org"))

    assert (more["member"], more["outcome"]) == (ada["member"], "found")
    assert more["dropped"] == [{"kind": "email", "why": "limit_email"}]
    world.run("UPDATE identifier_link SET first_seen_at_ms = :at", at=now_ms() - 366 * 86_400_000)
    assert resolve(world, ("account", "ada"), ("email", "ada5@example.org"))["outcome"] == "added"


def test_a_brand_makes_one_of_its_own_two_and_of_nobody_elses(world: World) -> None:
    """SPEC 19.4"""
    one, other = resolve(world, ("email", "ada@example.org")), resolve(world, ("phone", "+821012345678"))
    both_ = [("email", "ada@example.org"), ("phone", "+821012345678")]

    together = resolve(world, *both_)

    assert (together["outcome"], together["member"]) == ("merged", one["member"])
    assert resolve(world, ("phone", "+821012345678"))["member"] == other["member"], "the id it knows stays good"
    assert undone(world, together["merge"]).status_code == 200
    proved(world, one["member"], "email", "ada@example.org")
    apart = resolve(world, *both_)
    assert (apart["outcome"], apart["member"]) == ("found", one["member"])
    assert apart["dropped"] == [{"kind": "phone", "why": "not_the_brands_to_merge"}]


def test_only_what_names_nobody_is_refused_and_changes_nothing(world: World) -> None:
    """SPEC 19.2"""
    before = world.everything()

    answer = world.brand.write("/v1/identity/resolve", {"identifiers": [{"kind": "account", "value": "null"}]})

    assert refusal(answer) == (422, "IdentifiersMissing")
    assert world.everything() == before
    assert resolve(world, ("account", "null"), ("till", "T-0001"))["dropped"] == [{"kind": "account", "why": "blocked"}]


def test_identifiers_are_kept_under_the_members_key_alone(world: World) -> None:
    """SPEC 20.1"""
    ada = resolve(world, ("email", "ada.lovelace@example.org"), ("phone", "+821012345678"))
    bob = resolve(world, ("email", "bob@example.org"))
    rows = world.rows("SELECT sealed, lookup FROM identifier_link WHERE member_id = :m ORDER BY id", m=ada["member"])

    assert all(b"lovelace" not in bytes(sealed) and b"1012345678" not in bytes(sealed) for sealed, _ in rows)
    assert all(len(lookup) == 64 for _, lookup in rows)
    keys = vault(world)
    sealed = bytes(rows[0][0])
    assert keys.open(ada["member"], "identifier/email", sealed) == "ada.lovelace@example.org"
    for subject, field in ((bob["member"], "identifier/email"), (ada["member"], "identifier/phone")):
        with pytest.raises(InvalidTag):
            keys.open(subject, field, sealed)


# Merges


def test_who_may_merge_and_undo(world: World) -> None:
    """SPEC 19.8"""
    one, other = world.member("m-1"), world.member("m-2")
    third = world.session(world.member("m-3"))
    body = {"one": one["id"], "other": other["id"], "case": "case/1"}
    for caller in (world.brand, world.other, third, world.auditor()):
        assert refusal(caller.write("/v1/identity/merges", body)) == (403, "NotYours")
    assert refusal(world.anyone.write("/v1/identity/merges", body)) == (401, "KeyMissing")
    nobody = f"mem_{0:032x}"
    assert refusal(merged(world, one["id"], nobody)) == (404, "MemberUnknown")
    assert refusal(merged(world, one["id"], one["id"])) == (409, "MergeRefused")

    made = merged(world, one["id"], other["id"]).json()

    assert refusal(merged(world, other["id"], one["id"])) == (409, "MergeRefused")
    assert refusal(third.write(f"/v1/me/merges/{made['id']}", method="DELETE")) == (404, "MergeUnknown")
    assert refusal(undone(world, "mrg_" + "0" * 32)) == (404, "MergeUnknown")
    world.run("UPDATE member_merge SET undo_until_ms = :at", at=now_ms() - 1)
    assert refusal(undone(world, made["id"])) == (409, "UndoTooLate")
    world.run("UPDATE member_merge SET undo_until_ms = :at", at=now_ms() + 1_000_000)
    assert undone(world, made["id"]).json()["undone_at"] is not None
    assert refusal(undone(world, made["id"])) == (409, "MergeUndone")
    told = acts(world, "members.merged")
    assert sorted(one["detail"]["part"] for one in told) == ["absorbed", "survivor"]
    assert len(acts(world, "merge.undone")) == 2


def test_a_preview_says_what_would_become_one_and_changes_nothing(world: World) -> None:
    """SPEC 19.7"""
    world.mirror()
    one = resolve(world, ("email", "ada@example.org"), ("partner", "m-1"))
    other = resolve(world, ("phone", "+821012345678"), brand=world.other)
    world.holds_points(one["address"], 30)
    world.holds_points(other["address"], 12, "beans")
    world.brand.write("/v1/purchases", purchase())
    before = world.everything()

    told = world.operator.get("/v1/identity/merges/preview", one=other["member"], other=one["member"]).json()

    assert world.everything() == before
    assert (told["survivor"]["member"], told["refused"], told["undo_for_days"]) == (one["member"], None, 30)
    assert told["survivor"]["points"] == {"cdnow": "30"}
    assert (told["survivor"]["events"], told["survivor"]["brands"]) == (1, ["cdnow"])
    assert told["absorbed"]["points"] == {"beans": "12"}
    assert told["absorbed"]["identifiers"] == {"phone": 1}
    assert "ada@" not in str(told)
    assert "1012345678" not in str(told)


def test_one_person_sees_and_spends_what_both_have_and_each_keeps_it_after(world: World) -> None:
    """SPEC 19.6"""
    world.mirror()
    one, other = world.member("m-1"), world.member("m-2", world.other)
    world.other.write("/v1/members", {"identifier": "m-9", "id": one["id"]})
    world.holds_points(one["address"], 30)
    world.holds_points(other["address"], 50)
    world.holds_points(other["address"], 7, "beans")
    world.entry(one["address"], 30, index=1)
    world.entry(other["address"], 50, index=2)
    ada, also = world.session(one), world.session(other)
    assert (spendable(ada), spendable(also)) == ({"cdnow": 30, "beans": 0}, {"cdnow": 50, "beans": 7})
    merge = merged(world, one["id"], other["id"]).json()

    assert spendable(ada) == spendable(also) == {"cdnow": 80, "beans": 7}
    assert ada.get("/v1/me/view").json()["member"]["id"] == one["id"] == also.get("/v1/me/view").json()["member"]["id"]
    assert [int(entry["points"]) for entry in also.get("/v1/me/entries").json()["entries"]] == [50, 30]
    pages = [ada.get("/v1/me/entries", limit="1").json()]
    pages.append(ada.get("/v1/me/entries", limit="1", cursor=pages[0]["next_cursor"]).json())
    assert [page["entries"][0]["points"] for page in pages] == ["50", "30"]
    # The brand knows its own member, and of its own points all that this person has.
    assert world.brand.get(f"/v1/members/{one['id']}/view").json()["balances"][0]["spendable"] == "80"
    assert world.other.get(f"/v1/members/{other['id']}/view").json()["balances"][0]["spendable"] == "7"
    hold = also.write("/v1/holds", {"brand": "cdnow", "points": "40"})
    assert (hold.status_code, hold.json()["member"]) == (202, other["id"]), "from the address that has enough"
    assert ada.get(f"/v1/holds/{hold.json()['id']}").status_code == 200

    assert undone(world, merge["id"]).status_code == 200

    assert spendable(ada) == {"cdnow": 30, "beans": 0}
    assert spendable(also) == {"cdnow": 50, "beans": 7}
    assert [entry["points"] for entry in ada.get("/v1/me/entries").json()["entries"]] == ["30"]
    assert refusal(ada.get(f"/v1/holds/{hold.json()['id']}")) == (404, "HoldUnknown")


def test_points_at_two_addresses_are_not_held_as_one_lot_and_it_is_said(world: World) -> None:
    """SPEC 19.6"""
    world.mirror()
    one, other = world.member("m-1"), world.member("m-2")
    world.holds_points(one["address"], 30)
    world.holds_points(other["address"], 50)
    merged(world, one["id"], other["id"])
    ada = world.session(one)

    apart = ada.write("/v1/holds", {"brand": "cdnow", "points": "60"})
    short = ada.write("/v1/holds", {"brand": "cdnow", "points": "81"})

    assert refusal(apart) == (409, "PointsApart")
    assert (apart.json()["balance"], apart.json()["most"]) == ("80", "50")
    assert refusal(short) == (409, "ERC20InsufficientBalance")
    assert short.json()["balance"] == "80"


def test_a_merge_that_would_give_one_person_two_accounts_is_refused(world: World) -> None:
    """SPEC 19.8"""
    one, other = resolve(world, ("account", "ada")), resolve(world, ("account", "bob"))

    answer = merged(world, one["member"], other["member"])

    assert (*refusal(answer), answer.json()["kind"]) == (409, "MergeRefused", "account")


def test_merges_and_their_ends_in_any_order_keep_every_point_and_every_event(world: World) -> None:
    """SPEC 19.6: a forest of members, edges put in and taken out at random, against a plain model."""
    print(f"seed {SEED}")
    dice = random.Random(SEED)
    world.mirror()
    members = [world.member(f"m-{number}") for number in range(7)]
    sessions = [world.session(member) for member in members]
    for number, member in enumerate(members):
        world.holds_points(member["address"], 2**number)
        world.entry(member["address"], 2**number, index=number)
        world.brand.write("/v1/purchases", purchase(number, member=f"m-{number}"))
    events = world.rows("SELECT id, subject FROM event ORDER BY id")
    alive: dict[str, tuple[int, int]] = {}

    for _ in range(30):
        if alive and dice.random() < 0.4:
            gone = dice.choice(sorted(alive))
            assert undone(world, gone).status_code == 200
            del alive[gone]
        else:
            one, other = dice.sample(range(len(members)), 2)
            answer = merged(world, members[one]["id"], members[other]["id"])
            if answer.status_code == 201:
                ids = {member["id"]: number for number, member in enumerate(members)}
                alive[answer.json()["id"]] = (ids[answer.json()["absorbed"]], ids[answer.json()["survivor"]])
        together = {number: {number} for number in range(len(members))}
        for one, other in alive.values():
            union = together[one] | together[other]
            together |= dict.fromkeys(union, union)
        seen = dice.randrange(len(members))
        expected = sum(2**number for number in together[seen])
        assert spendable(sessions[seen])["cdnow"] == expected
        told = sessions[seen].get("/v1/me/entries").json()["entries"]
        assert sorted(int(entry["points"]) for entry in told) == [2**number for number in sorted(together[seen])]

    for gone in dice.sample(sorted(alive), len(alive)):
        assert undone(world, gone).status_code == 200
    assert [spendable(session)["cdnow"] for session in sessions] == [2**number for number in range(len(members))]
    assert world.rows("SELECT id, subject FROM event ORDER BY id") == events
    assert world.rows("SELECT COUNT(*) FROM member WHERE survivor_id IS NOT NULL OR absorbed <> 0") == [(0,)]


# Guests


def test_a_guests_receipt_is_claimed_once_by_whoever_has_its_code(world: World) -> None:
    """SPEC 19.9"""
    world.mirror()
    ada, bob = world.session(world.member("m-1")), world.session(world.member("m-2"))
    guest = world.brand.write("/v1/guests", key="g")
    assert world.brand.write("/v1/guests", key="g").json()["code"] is None, "shown once"
    sold = purchase(1)
    sold["member"] = {"id": guest.json()["member"]}
    assert world.brand.write("/v1/purchases", sold).status_code == 202
    address = world.rows("SELECT address FROM member WHERE id = :i", i=guest.json()["member"])[0][0]
    world.holds_points(address, 4399)
    code = guest.json()["code"]
    assert code not in str(world.rows("SELECT answer FROM idempotent_write"))
    for caller in (world.brand, world.other, world.operator):
        assert refusal(caller.write("/v1/me/claims", {"code": code})) == (403, "NotYours")
    assert refusal(world.anyone.write("/v1/me/claims", {"code": code})) == (401, "KeyMissing")
    wrong = ("0" if code[0] != "0" else "1") + code[1:]
    assert refusal(ada.write("/v1/me/claims", {"code": wrong})) == (404, "ClaimUnknown")
    assert spendable(ada) == {"cdnow": 0}

    first = ada.write("/v1/me/claims", {"code": code.lower().replace("-", " ")})
    again = ada.write("/v1/me/claims", {"code": code})

    assert first.status_code == again.status_code == 200
    assert first.json() == again.json()
    assert refusal(bob.write("/v1/me/claims", {"code": code})) == (409, "ClaimTaken")
    assert (spendable(ada), spendable(bob)) == ({"cdnow": 4399}, {"cdnow": 0})
    [merge] = ada.get("/v1/me/merges").json()["merges"]
    assert (merge["reason"], merge["why"]) == ("claimed", {"brand": "cdnow", "kinds": ["receipt"]})
    refused = ada.write(f"/v1/me/merges/{merge['id']}", method="DELETE")
    assert refusal(refused) == (404, "MergeUnknown"), "a receipt is not given back by a click"


def test_a_receipt_is_claimed_within_the_published_time_and_codes_are_not_guessed(world: World) -> None:
    """SPEC 19.9"""
    ada = world.session(world.member())
    guest = world.brand.write("/v1/guests").json()
    days = world.anyone.get("/v1/identity/policy").json()["claim_s"] // 86_400
    world.run("UPDATE claim SET expires_at_ms = :at", at=now_ms() - 1)

    late = ada.write("/v1/me/claims", {"code": guest["code"]})

    assert days == 30
    assert refusal(late) == (410, "ClaimExpired")
    tried = [refusal(ada.write("/v1/me/claims", {"code": f"{number:012d}"})) for number in range(11)]
    assert tried[:9] == [(404, "ClaimUnknown")] * 9
    assert tried[-1] == (429, "TriesTooMany")
    assert world.rows("SELECT COUNT(*) FROM member_merge") == [(0,)]


def test_the_policy_is_published_as_it_is_followed(world: World) -> None:
    """SPEC 19.2, 19.5"""
    told = world.anyone.get("/v1/identity/policy").json()

    assert [(one["kind"], one["limit"], one["window_s"]) for one in told["kinds"]][:3] == [
        ("account", 1, None), ("email", 5, 31_536_000), ("phone", 5, 31_536_000),
    ]  # fmt: skip
    assert [one["priority"] for one in told["kinds"]] == list(range(1, 10))
    assert {"-1", "null", "anonymous"} <= set(told["blocked_words"])
    assert TOKENS.keys() == {"cdnow", "beans"}
