"""What became of a write whose answer was lost: asked by its key, or made sure never to count."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from tests.api.conftest import Caller, World
from tests.api.conftest import both as kind  # noqa: F401
from tests.api.points.test_journeys import on_chain
from tests.api.points.test_my_holds import error, me

HOLD = {"brand": "cdnow", "points": "500", "lifetime_s": 900}


@pytest.fixture
def funded(world: World) -> World:
    """A member m-1 with 1,000 points of the first brand."""
    world.mirror()
    world.holds_points(world.member()["address"], 1_000)
    return world


def asked(member: Caller, key: str) -> Any:
    answer = member.get(f"/v1/me/intentions/{key}")
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_asking_changes_nothing_and_tells_nobody_elses(funded: World) -> None:
    """SPEC 9.93"""
    member, stranger = me(funded), funded.session(funded.member("m-2"))
    member.write("/v1/holds", HOLD, key="k-1")
    before = funded.everything()

    assert error(funded.anyone.get("/v1/me/intentions/k-1")) == (401, "KeyMissing")
    assert error(funded.brand.get("/v1/me/intentions/k-1")) == (403, "NotYours")
    assert asked(stranger, "k-1")["state"] == "unknown"
    assert asked(member, "k-2") == {
        "key": "k-2", "state": "unknown", "operation": None, "hold": None, "exchange": None
    }  # fmt: skip
    for wrong in ("a b", "a.b", "k" * 129):
        assert error(member.get(f"/v1/me/intentions/{wrong}")) == (422, "RequestMalformed")
    assert funded.everything() == before


def test_an_intention_is_told_as_it_stands_from_settling_to_its_end(funded: World) -> None:
    """SPEC 9.93"""
    member = me(funded)
    hold = member.write("/v1/holds", HOLD, key="k-1").json()

    settling = asked(member, "k-1")
    on_chain(funded, hold, "held")
    confirmed = asked(member, "k-1")

    assert (settling["state"], settling["hold"]["id"]) == ("settling", hold["id"])
    assert (confirmed["state"], confirmed["hold"]["state"]) == ("confirmed", "held")

    cancel = member.write(f"/v1/me/holds/{hold['id']}/cancel", key="k-2").json()
    assert asked(member, "k-2")["operation"]["id"] == cancel["operation"]["id"]
    assert asked(member, "k-1")["state"] == "confirmed", "an intention is its own operation's, not the newest one's"
    funded.finish("release", "failed", "HoldStateWrong")
    assert (asked(member, "k-2")["state"], asked(member, "k-2")["operation"]["error"]) == ("refused", "HoldStateWrong")


def test_what_was_withdrawn_never_counts_however_late_it_comes(funded: World) -> None:
    """SPEC 9.94"""
    member = me(funded)

    told = member.write("/v1/me/intentions/k-1/withdraw", key="w-1")
    before = funded.everything()
    late = member.write("/v1/holds", HOLD, key="k-1")

    assert told.json()["state"] == asked(member, "k-1")["state"] == "withdrawn"
    assert error(late) == (422, "IdempotencyKeyReused")
    assert funded.everything() == before
    assert funded.rows("SELECT 1 FROM operation") == []
    assert member.write("/v1/me/intentions/k-1/withdraw", key="w-2").json()["state"] == "withdrawn"


def test_what_counted_already_is_not_withdrawn_but_told(funded: World) -> None:
    """SPEC 9.94"""
    member, stranger = me(funded), funded.session(funded.member("m-2"))
    hold = member.write("/v1/holds", HOLD, key="k-1").json()

    of_other = stranger.write("/v1/me/intentions/k-1/withdraw", key="w-1").json()
    told = member.write("/v1/me/intentions/k-1/withdraw", key="w-1").json()

    assert of_other["state"] == "withdrawn", "a key is a caller's own"
    assert (told["state"], told["hold"]["id"]) == ("settling", hold["id"])
    assert member.write("/v1/holds", HOLD, key="k-1").json()["id"] == hold["id"]


def test_of_a_request_and_its_withdrawal_at_once_exactly_one_counts(funded: World) -> None:
    """SPEC 9.94: whichever comes first, both are told the same."""
    member = me(funded)
    for number in range(6):
        key, answers = f"race-{number}", {}

        def ask(key: str = key, answers: dict[str, Any] = answers) -> None:
            answers["hold"] = member.write("/v1/holds", {**HOLD, "points": "1"}, key=key)

        def withdraw(key: str = key, answers: dict[str, Any] = answers) -> None:
            answers["withdrawn"] = member.write(f"/v1/me/intentions/{key}/withdraw", key=f"w-{key}")

        threads = [threading.Thread(target=one) for one in ((ask, withdraw) if number % 2 else (withdraw, ask))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        counted = answers["hold"].status_code == 202
        assert counted == (answers["withdrawn"].json()["state"] == "settling"), answers
        assert counted or error(answers["hold"]) == (422, "IdempotencyKeyReused")
        assert asked(member, key)["state"] == ("settling" if counted else "withdrawn")
