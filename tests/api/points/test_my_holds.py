"""A member's own holds: listed, told by a code that can be read out, cancelled before a till takes them."""

from __future__ import annotations

import random
from typing import Any

import pytest

from api.kit.clock import now_ms
from api.points import codes
from tests.api.conftest import Caller, World
from tests.api.conftest import both as kind  # noqa: F401
from tests.api.points.test_journeys import on_chain, placed


@pytest.fixture
def funded(world: World) -> World:
    """A member m-1 with 1,000 points of the first brand."""
    world.mirror()
    world.holds_points(world.member()["address"], 1_000)
    return world


def me(world: World, identifier: str = "m-1") -> Caller:
    [(member_id,)] = world.rows("SELECT member_id FROM enrolment WHERE identifier = :i LIMIT 1", i=identifier)
    return world.session({"id": member_id})


def error(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]


def test_nobody_else_sees_or_cancels_a_members_hold(funded: World) -> None:
    """SPEC 9.90, 9.92"""
    hold = placed(funded).json()
    stranger = funded.session(funded.member("m-2"))
    cancel = f"/v1/me/holds/{hold['id']}/cancel"
    before = funded.everything()

    assert error(funded.anyone.get("/v1/me/holds")) == (401, "KeyMissing")
    assert error(funded.brand.get("/v1/me/holds")) == (403, "NotYours")
    assert stranger.get("/v1/me/holds").json() == {"holds": [], "next_cursor": None}
    assert error(funded.anyone.write(cancel)) == (401, "KeyMissing")
    assert error(funded.brand.write(cancel)) == (403, "NotYours")
    assert error(stranger.write(cancel)) == (404, "HoldUnknown")
    assert error(stranger.write(f"/v1/me/holds/hold_{'0' * 32}/cancel")) == (404, "HoldUnknown")
    assert funded.everything() == before


def test_a_members_holds_are_listed_newest_first_over_pages_without_gap(funded: World) -> None:
    """SPEC 9.90"""
    ids = [placed(funded, "1").json()["id"] for _ in range(5)]
    # Two of the same millisecond: the order has no ties.
    funded.run("UPDATE hold_request SET created_at_ms = 1000 WHERE id IN (:a, :b)", a=ids[0], b=ids[1])
    member = me(funded)

    whole = [hold["id"] for hold in member.get("/v1/me/holds").json()["holds"]]
    found: list[str] = []
    cursor: dict[str, str] = {}
    for _ in range(3):
        page = member.get("/v1/me/holds", limit="2", **cursor).json()
        found += [hold["id"] for hold in page["holds"]]
        cursor = {"cursor": page["next_cursor"]}

    assert set(whole[:3]) == set(ids[2:])
    assert whole[3:] == sorted(ids[:2], reverse=True)
    assert found == whole
    assert page["next_cursor"] is None
    for wrong in ("x", "1-2", "-" + "0" * 32):
        assert error(member.get("/v1/me/holds", cursor=wrong)) == (422, "RequestMalformed")


def test_a_hold_is_found_by_the_code_its_member_reads_out_by_its_brand_alone(funded: World) -> None:
    """SPEC 9.91"""
    hold = placed(funded).json()
    code = hold["code"]
    one_off = code[:-1] + str((int(code[-1]) + 1) % 10)

    assert codes.is_code(code)
    assert funded.brand.get("/v1/holds", code=code).json()["id"] == hold["id"]
    assert me(funded).get("/v1/me/holds").json()["holds"][0]["code"] == code
    assert error(funded.other.get("/v1/holds", code=code)) == (404, "HoldUnknown")
    assert error(me(funded).get("/v1/holds", code=code)) == (403, "NotYours")
    assert error(funded.anyone.get("/v1/holds", code=code)) == (401, "KeyMissing")
    assert error(funded.brand.get("/v1/holds", code=one_off)) == (422, "HoldCodeWrong")
    assert error(funded.brand.get("/v1/holds", code="000000000")) == (404, "HoldUnknown")
    for wrong in ("", "12", "12345678a", f"{code[:3]} {code[3:]}"):
        assert error(funded.brand.get("/v1/holds", code=wrong)) == (422, "RequestMalformed")


def test_a_code_is_no_second_holds_while_a_till_could_mean_the_first(
    funded: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SPEC 9.91"""
    drawn = iter([7, 7, 8, 7, 9, 7])
    monkeypatch.setattr(codes.secrets, "randbelow", lambda _: next(drawn))

    first, second = placed(funded, "1").json(), placed(funded, "1").json()
    assert first["code"] != second["code"]

    def ended(days_ago: int) -> None:
        at = now_ms() // 1000 - days_ago * 24 * 3600
        funded.run("UPDATE hold_request SET hold_until = :at WHERE id = :id", at=at, id=first["id"])

    ended(29)
    assert placed(funded, "1").json()["code"] != first["code"], "a receipt may still be asked about"
    ended(31)
    third = placed(funded, "1").json()
    assert third["code"] == first["code"]
    assert funded.brand.get("/v1/holds", code=first["code"]).json()["id"] == third["id"], "the newest is meant"


def test_where_no_code_is_free_the_hold_is_placed_without_one(funded: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(codes.secrets, "randbelow", lambda _: 7)

    assert [placed(funded, "1").json()["code"] for _ in range(2)] == ["000000076", None]


def test_one_wrong_digit_or_two_neighbours_exchanged_are_never_another_code() -> None:
    """SPEC 9.91: over all codes of a thousand drawn by seed."""
    chance = random.Random(13)
    for _ in range(1_000):
        digits = f"{chance.randrange(10**8):08d}"
        code = digits + codes.check_digit(digits)
        assert codes.is_code(code)
        for at in range(len(code)):
            others = {code[:at] + other + code[at + 1 :] for other in "0123456789" if other != code[at]}
            if at + 1 < len(code) and code[at] != code[at + 1]:
                others.add(code[:at] + code[at + 1] + code[at] + code[at + 2 :])
            assert not any(codes.is_code(other) for other in others), (code, at)


def test_a_member_cancels_before_the_till_and_once(funded: World) -> None:
    """SPEC 9.92"""
    hold = placed(funded).json()
    member = me(funded)
    cancel = f"/v1/me/holds/{hold['id']}/cancel"

    unkeyed = funded.client.post(cancel, headers=member.headers)
    on_chain(funded, hold, "held")
    first = member.write(cancel, key="cancel-1")
    again = member.write(cancel, key="cancel-1")
    another = member.write(cancel, key="cancel-2")
    till = funded.brand.write(f"/v1/holds/{hold['id']}/capture")

    assert error(unkeyed) == (400, "IdempotencyKeyMissing")
    assert (first.status_code, first.json()["operation"]["kind"], first.json()["state"]) == (202, "release", "held")
    assert again.json()["operation"]["id"] == first.json()["operation"]["id"]
    assert error(another) == error(till) == (409, "HoldBusy")
    assert len(funded.rows("SELECT 1 FROM operation WHERE kind = 'release'")) == 1

    on_chain(funded, hold, "released")
    assert error(member.write(cancel, key="cancel-3")) == (409, "HoldStateWrong")


@pytest.mark.parametrize(("state", "captured"), [("captured", 500), ("released", 0), ("timed_out", 0)])
def test_what_is_over_is_not_cancelled(funded: World, state: str, captured: int) -> None:
    """SPEC 9.92"""
    hold = placed(funded).json()
    on_chain(funded, hold, state, captured=captured)
    member = me(funded)
    before = funded.everything()

    assert error(member.write(f"/v1/me/holds/{hold['id']}/cancel")) == (409, "HoldStateWrong")
    assert funded.everything() == before


def test_what_the_till_began_first_is_left_to_end(funded: World) -> None:
    """SPEC 9.92"""
    hold = placed(funded).json()
    on_chain(funded, hold, "held")
    funded.brand.write(f"/v1/holds/{hold['id']}/capture")

    assert error(me(funded).write(f"/v1/me/holds/{hold['id']}/cancel")) == (409, "HoldBusy")


def test_after_its_deadline_a_hold_is_given_back_by_what_time_owes(funded: World) -> None:
    """SPEC 9.92"""
    hold = placed(funded).json()
    on_chain(funded, hold, "held")
    funded.run("UPDATE hold_request SET hold_until = 1")

    told = me(funded).write(f"/v1/me/holds/{hold['id']}/cancel").json()

    assert told["operation"]["kind"] == "timeout"
