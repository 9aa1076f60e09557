"""What a member and a brand see: of whom, as of when, and nothing of anyone else."""

from __future__ import annotations

import time
from typing import Any

import pytest

from api.views import member_view as views
from api.views.schemas import EntryPage, MemberView
from chain.mirror.queries import entries
from tests.api.conftest import TOKENS, World, purchase
from tests.api.conftest import both as kind  # noqa: F401


@pytest.fixture
def seen(world: World) -> World:
    """m-1 holds points of both brands and is enrolled with the first only."""
    world.mirror()
    world.rule()
    world.agreement()
    address = world.member()["address"]
    world.holds_points(address, 4_399)
    world.holds_points(address, 700, "beans")
    world.entry(address, 4_399, index=1)
    world.entry(address, 700, brand="beans", index=2)
    return world


def member_of(world: World) -> dict[str, Any]:
    [(member_id, address)] = world.rows("SELECT id, address FROM member")
    return {"id": member_id, "address": address}


def test_member_sees_every_brand_with_block_and_age(seen: World) -> None:
    """SPEC 9.11"""
    answer = seen.session(member_of(seen)).get("/v1/me/view")

    view = MemberView.model_validate(answer.json())
    assert [(line.brand.slug, line.spendable) for line in view.balances] == [("beans", "700"), ("cdnow", "4399")]
    assert (view.as_of.block_number, view.as_of.finality) == (7, "latest")
    assert 0 <= view.as_of.age_s < 60
    assert [brand.slug for brand in view.balances[1].exchange_to] == ["beans"]
    assert answer.headers["cache-control"] == "private, no-store"


def test_brand_sees_its_own_part_only(seen: World) -> None:
    """SPEC 9.3"""
    member = member_of(seen)

    ours = seen.brand.get(f"/v1/members/{member['id']}/view")
    theirs = seen.other.get(f"/v1/members/{member['id']}/view")
    entries = seen.brand.get(f"/v1/members/{member['id']}/entries")

    assert [line["brand"]["slug"] for line in ours.json()["balances"]] == ["cdnow"]
    # Never enrolled there, but a holder of its points: known to it by id, with its own part.
    assert [line["brand"]["slug"] for line in theirs.json()["balances"]] == ["beans"]
    assert {entry["brand"]["slug"] for entry in entries.json()["entries"]} == {"cdnow"}
    for answer in (ours, entries):
        assert TOKENS["beans"] not in answer.text.lower()
        assert "beans" not in answer.text


def test_enrolled_member_without_points_sees_a_zero(world: World) -> None:
    world.mirror()
    view = world.session(world.member()).get("/v1/me/view").json()

    assert [(line["brand"]["slug"], line["spendable"], line["expiring"]) for line in view["balances"]] == [
        ("cdnow", "0", [])
    ]


def test_points_on_their_way_are_pending_by_the_rule(seen: World) -> None:
    """SPEC 9.11"""
    seen.brand.write("/v1/purchases", purchase(1, amount="2933"))
    seen.brand.write("/v1/purchases", purchase(2, amount="1"))
    member = seen.session(member_of(seen))

    before = member.get("/v1/me/view").json()["balances"][1]
    seen.finish("award", "confirmed")
    after = member.get("/v1/me/view").json()["balances"][1]

    assert (before["pending"], after["pending"]) == (str(4_399 + 1), "0")


def test_held_points_are_shown_apart(seen: World) -> None:
    member = member_of(seen)
    seen.run(
        "INSERT INTO hold (hold_id, brand_id, token, account, state, points, captured, refunded, hold_until, reward_id,"
        " placed_tx_hash, placed_at, block_number, log_index)"
        " VALUES ('0x1', '1', :t, :a, 'held', '250', '0', '0', 9, '0x', '0x', 1, 1, 1),"
        " ('0x2', '1', :t, :a, 'released', '99', '0', '0', 9, '0x', '0x', 1, 1, 1)",
        t=TOKENS["cdnow"],
        a=member["address"],
    )

    view = seen.session(member).get("/v1/me/view").json()

    assert view["balances"][1]["held"] == "250"


def test_expired_points_are_not_shown_though_the_words_hold_them(seen: World) -> None:
    """SPEC 9.11"""
    seen.run(
        "UPDATE brand_token SET lifetime_epochs = 1, origin = :o, epoch_s = 3600 WHERE brand_id = '1'",
        o=int(time.time()) - 7_200,
    )

    view = seen.session(member_of(seen)).get("/v1/me/view").json()

    assert view["balances"][1]["spendable"] == "0"
    assert view["balances"][1]["expired"] == "0", "the block is behind the end: the entry says it"


def _ends_at(world: World, second: int) -> None:
    """The first brand's points, all of them, end at this second."""
    world.run(
        "UPDATE brand_token SET lifetime_epochs = 1, origin = :o, epoch_s = 3600 WHERE brand_id = '1'", o=second - 3_600
    )


def test_points_that_ended_since_the_block_are_told_apart_until_the_next_block_has_their_entry(seen: World) -> None:
    """SPEC 9.80: the entries make up what is spendable and what has ended since the block."""
    now = int(time.time())
    _ends_at(seen, now)
    seen.run("UPDATE mirror_checkpoint SET block_time = :t", t=now - 60)

    view = MemberView.model_validate(seen.session(member_of(seen)).get("/v1/me/view").json())

    assert (view.balances[1].spendable, view.balances[1].expired, view.balances[1].expiring) == ("0", "4399", [])
    # The other brand's points never end.
    assert (view.balances[0].spendable, view.balances[0].expired) == ("700", "0")


def test_what_ended_does_not_live_again_when_the_machines_clock_is_set_back(
    seen: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SPEC 9.80"""
    now = int(time.time())
    _ends_at(seen, now)
    seen.run("UPDATE mirror_checkpoint SET block_time = :t", t=now - 60)
    member = seen.session(member_of(seen))
    told = []
    for ago_s in (0, 30):
        monkeypatch.setattr("api.views.member_view.now_ms", lambda ago_s=ago_s: (now + 1 - ago_s) * 1000)
        told.append(member.get("/v1/me/view").json()["balances"][1]["spendable"])

    assert told == ["0", "0"]


def test_an_entry_of_time_alone_has_a_block_and_no_transaction(seen: World) -> None:
    """SPEC 9.12"""
    member = member_of(seen)
    seen.entry(member["address"], -7, index=-1)
    seen.run("UPDATE entry SET kind = 'expire', tx_hash = NULL, detail = '{}' WHERE log_index = -1")

    entry = EntryPage.model_validate(seen.session(member).get("/v1/me/entries").json()).entries[0]
    audited = seen.auditor().get("/v1/audit/entries").json()["entries"][-1]

    assert (entry.kind, entry.points, entry.related) == ("expire", "-7", [])
    assert (entry.proof.tx_hash, entry.proof.log_index, entry.proof.block_number) == (None, None, 7)
    assert (audited["kind"], audited["tx_hash"], audited["log_index"]) == ("expire", None, None)


def test_view_before_the_mirrors_first_block_is_unavailable(world: World) -> None:
    """SPEC 9.19"""
    answer = world.session(world.member()).get("/v1/me/view")

    assert (answer.status_code, answer.json()["error"]) == (503, "ViewUnavailable")


@pytest.mark.parametrize(("block", "finality"), [(4, "final"), (6, "safe"), (7, "latest")])
def test_entry_says_how_final_it_is(world: World, block: int, finality: str) -> None:
    """SPEC 9.12"""
    world.mirror(7)
    member = world.member()
    world.entry(member["address"], 5, block_number=block)

    [entry] = world.session(member).get("/v1/me/entries").json()["entries"]

    assert entry["state"] == finality


def test_chain_that_takes_blocks_back_is_marked(seen: World) -> None:
    """SPEC 9.12"""
    member = seen.session(member_of(seen))
    marks = []
    for block in (7, 9, 8, 9, 10):
        seen.mirror(block)
        marks.append(member.get("/v1/me/view").json()["as_of"]["reorganised"])

    assert marks == [False, False, True, False, False]


def test_entry_shows_its_place_on_the_chain_and_its_rule(seen: World) -> None:
    """SPEC 9.12"""
    page = EntryPage.model_validate(seen.session(member_of(seen)).get("/v1/me/entries").json())

    award = page.entries[1]
    assert (award.brand.slug, award.kind, award.points, award.proof.block_number) == ("cdnow", "award", "4399", 7)
    assert award.rule is not None
    assert (award.rule.base_amount, award.rule.numerator, award.rule.denominator, award.rule.currency) == (
        "2933",
        "3",
        "2",
        "USD",
    )
    assert award.rule.name == "purchase"


def test_pages_join_without_gap_or_repetition(world: World) -> None:
    """SPEC 9.12"""
    world.mirror()
    member = world.member()
    third_party = world.member("m-2")
    for index in range(25):
        world.entry(member["address"], index, index=index)
        world.entry(third_party["address"], 1, index=100 + index)
    caller = world.session(member)

    read: list[str] = []
    cursor: str | None = None
    for _ in range(4):
        page = caller.get("/v1/me/entries", limit=7, **({} if cursor is None else {"cursor": cursor})).json()
        read += [entry["points"] for entry in page["entries"]]
        cursor = page["next_cursor"]

    assert cursor is None
    assert read == [str(points) for points in reversed(range(25))]


@pytest.mark.parametrize("cursor", ["x", "-1", "0", "0.x", "0.", ".1", "0.01", "0." + "9" * 19, "0.1.1"])
def test_bad_cursor_is_refused(seen: World, cursor: str) -> None:
    answer = seen.session(member_of(seen)).get("/v1/me/entries", cursor=cursor)

    assert (answer.status_code, answer.json()["error"]) == (422, "CursorMalformed")


@pytest.mark.parametrize("query", [{"limit": "0"}, {"limit": "201"}, {"limit": "x"}, {"brand": "No Brand"}])
def test_bad_page_is_refused(seen: World, query: dict[str, str]) -> None:
    answer = seen.session(member_of(seen)).get("/v1/me/entries", **query)

    assert (answer.status_code, answer.json()["error"]) == (422, "RequestMalformed")


def test_history_may_be_asked_of_one_brand(seen: World) -> None:
    member = seen.session(member_of(seen))

    only = member.get("/v1/me/entries", brand="beans").json()["entries"]
    nobody = member.get("/v1/me/entries", brand="nobody")

    assert [entry["brand"]["slug"] for entry in only] == ["beans"]
    assert nobody.json()["error"] == "BrandUnknown"


READS = [
    *(entries._NEWEST, entries._NEWEST_OF, entries._OF_ACCOUNT, entries._ONE),
    views._FACTS,
]


@pytest.mark.parametrize("kind", ["sqlite"], indirect=True)
@pytest.mark.parametrize("statement", READS)
def test_reads_of_one_member_never_walk_through_a_brand(world: World, statement: str) -> None:
    with world.database.engine.connect() as connection:
        plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", ("1",) * statement.count("?"))
        steps = [row[3] for row in plan]

    searches = [step for step in steps if "SEARCH" in step]
    assert searches
    assert all(
        any(
            of_one in step
            for of_one in ("account=?", "member_id=?", "ordering_key=?", "rowid=?", "SEARCH b USING INDEX")
        )
        for step in searches
    )
    assert not [step for step in steps if step.startswith("SCAN") and step not in ("SCAN h", "SCAN p", "SCAN l")]


def test_proof_of_anothers_entry_is_unknown(seen: World) -> None:
    """SPEC 9.3"""
    [(entry,)] = seen.rows("SELECT seq FROM entry WHERE points = '700'")
    third_party = seen.session(seen.member("m-2"))

    answer = third_party.get(f"/v1/me/entries/{entry}/proof")

    assert (answer.status_code, answer.json()["error"]) == (404, "EntryUnknown")


def test_proof_without_a_node_is_unavailable(seen: World) -> None:
    """SPEC 9.19"""
    [(entry,)] = seen.rows("SELECT seq FROM entry WHERE points = '700'")

    answer = seen.session(member_of(seen)).get(f"/v1/me/entries/{entry}/proof")

    assert (answer.status_code, answer.json()["error"]) == (503, "NodeUnavailable")


def test_what_is_on_its_way_out_is_reserved_until_the_mirror_has_it(seen: World) -> None:
    """SPEC 9.95"""
    member = seen.session(member_of(seen))

    def told() -> tuple[str, str]:
        balance = member.get("/v1/me/view").json()["balances"][1]
        return balance["reserved"], balance["pending"]

    member.write("/v1/holds", {"brand": "cdnow", "points": "50"})
    seen.run(
        "INSERT INTO operation (key, kind, brand, ordering_key, payload, state, created_at_ms, updated_at_ms)"
        " SELECT 'e', 'exchange', 1, ordering_key, :p, 'sent', 1, 1 FROM operation WHERE kind = 'hold'",
        p='{"quote": {"pointsIn": "7"}, "signature": "0x"}',
    )
    seen.brand.write("/v1/purchases", purchase(1, amount="2933"))
    assert told() == ("57", "4399")

    # Mined in a block that the mirror has not: still on its way. In one that it has: in the balance already.
    seen.run("UPDATE operation SET state = 'mined', block_number = 8")
    assert told() == ("57", "4399")
    seen.run("UPDATE operation SET block_number = 7")
    assert told() == ("0", "0")


def test_entries_of_one_hold_lead_to_each_other_both_ways(seen: World) -> None:
    """SPEC 9.96"""
    member = member_of(seen)
    mine = seen.session(member)
    seen.run("DELETE FROM entry")
    hold = mine.write("/v1/holds", {"brand": "cdnow", "points": "50"}).json()
    [(chain_id,)] = seen.rows("SELECT chain_id FROM hold_request")
    steps = [("hold", "0xa1", 3), ("capture", "0xa2", 4), ("refund", "0xa3", 5), ("refund", "0xa4", 6)]
    for named, tx_hash, block in steps:
        seen.run(
            "INSERT INTO entry (token, account, kind, points, held, tx_hash, block_number, block_hash, block_time,"
            " log_index, contract, brand_id, detail)"
            " VALUES (:t, :a, :k, '0', '0', :x, :n, '0x', 1, 1, :c, '1', :d)",
            t=TOKENS["cdnow"], a=member["address"].lower(), k=named, x=tx_hash, n=block, c=TOKENS["beans"],
            d=f'{{"hold_id": "{chain_id}"}}',
        )  # fmt: skip
    seen.run(
        "INSERT INTO hold (hold_id, brand_id, token, account, state, points, captured, refunded, hold_until, reward_id,"
        " placed_tx_hash, placed_at, block_number, log_index)"
        " VALUES (:h, '1', :t, :a, 'captured', '50', '50', '2', 9, '0x', '0xa1', 1, 6, 1)",
        h=chain_id, t=TOKENS["cdnow"], a=member["address"].lower(),
    )  # fmt: skip
    for number, (named, tx_hash, block) in enumerate(steps[1:3], 1):
        seen.run(
            "INSERT INTO operation (key, kind, brand, ordering_key, payload, state, tx_hash, block_number,"
            " created_at_ms, updated_at_ms) VALUES (:k, :k, 1, :a, '{}', 'confirmed', :x, :n, 1, 1)",
            k=f"{named}-{number}", a=member["address"].lower(), x=tx_hash, n=block,
        )  # fmt: skip
        seen.run(
            "INSERT INTO hold_step (hold_id, number, kind, points, operation, created_at_ms)"
            " SELECT :h, :n, :k, '1', id, 1 FROM operation WHERE tx_hash = :x",
            h=hold["id"], n=number, k=named, x=tx_hash,
        )  # fmt: skip

    answer = mine.get("/v1/me/entries")
    assert answer.status_code == 200, answer.text
    entries = {entry["id"]: set(entry["related"]) for entry in answer.json()["entries"]}

    assert len(entries) == 4
    assert all(related == entries.keys() - {id} for id, related in entries.items()), entries
    # The second refund was made by another till: the mirror alone knows it, and it is found from the hold all the same.


def test_an_entry_is_told_by_its_id_to_its_member_alone(seen: World) -> None:
    """SPEC 9.96"""
    member = seen.session(member_of(seen))
    [first, *_] = member.get("/v1/me/entries").json()["entries"]
    stranger = seen.session(seen.member("m-2"))

    assert member.get(f"/v1/me/entries/{first['id']}").json() == first
    for caller, id in ((stranger, first["id"]), (member, "999999")):
        answer = caller.get(f"/v1/me/entries/{id}")
        assert (answer.status_code, answer.json()["error"]) == (404, "EntryUnknown")
    assert seen.brand.get(f"/v1/me/entries/{first['id']}").json()["error"] == "NotYours"
    assert seen.anyone.get(f"/v1/me/entries/{first['id']}").json()["error"] == "KeyMissing"


def test_an_award_says_when_it_was_earned_beside_when_the_chain_had_it(seen: World) -> None:
    """SPEC 9.96"""
    seen.brand.write("/v1/purchases", purchase(1))
    seen.run("UPDATE entry SET operation_id = (SELECT operation_id FROM operation) WHERE points = '4399'")
    found = seen.session(member_of(seen)).get("/v1/me/entries").json()["entries"]

    told = {entry["reference"]: entry["occurred_at"] for entry in found}
    assert told.get("order-1") == "1997-01-01T00:00:00.000Z", told
    assert told.get(None, "none") is None
