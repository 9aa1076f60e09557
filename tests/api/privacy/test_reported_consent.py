"""What brands report of their members: a reporter that is late, wrong, empty or repeats itself widens nothing."""

from __future__ import annotations

import random
from typing import Any

from api.kit.clock import now_ms, rfc3339
from api.privacy.consents import AHEAD_MS
from tests.api.auth.test_access import refusal
from tests.api.conftest import Caller, World
from tests.api.conftest import both as kind  # noqa: F401
from tests.api.privacy.test_privacy import may, said

SEED = random.randrange(2**32)


def reported(brand: Caller, member_id: str, granted: bool, *, ago_ms: int | None = None) -> Any:
    """The brand says what the member said, so long ago."""
    body: dict[str, Any] = {"purpose": "marketing", "channel": "email", "granted": granted, "text_version": 1}
    if ago_ms is not None:
        body["said_at"] = rfc3339(now_ms() - ago_ms)
    return brand.write(f"/v1/members/{member_id}/consents", body)


def test_a_reporter_that_lies_lifts_nothing_that_the_member_ended(world: World) -> None:
    """SPEC 20.4"""
    member = world.member()["id"]
    ada = world.session({"id": member})
    said(ada, False)

    assert reported(world.brand, member, True).status_code == 201
    assert may(world.brand, member) == (False, "withdrawn")
    said(ada, True)
    assert may(world.brand, member) == (True, "granted")
    words = ada.get("/v1/me/consents").json()["words"]
    assert [(one["source"], one["granted"]) for one in words] == [
        ("member", False), ("brand/1", True), ("member", True)
    ]  # fmt: skip


def test_a_brands_report_is_that_brands_alone(world: World) -> None:
    """SPEC 20.4"""
    member = world.member()["id"]
    world.other.write("/v1/members", {"identifier": "theirs", "id": member})

    reported(world.brand, member, True)

    assert may(world.brand, member) == (True, "granted")
    assert may(world.other, member) == (False, "no_consent")


def test_a_late_or_repeated_report_counts_by_when_it_was_said(world: World) -> None:
    """SPEC 20.4"""
    member = world.member()["id"]
    ada = world.session({"id": member})

    reported(world.brand, member, False, ago_ms=1_000)
    reported(world.brand, member, True, ago_ms=90_000)
    assert may(world.brand, member) == (False, "withdrawn"), "it was said before"
    said(ada, True)
    reported(world.brand, member, False, ago_ms=60_000)
    assert may(world.brand, member) == (True, "granted"), "the member agreed since"
    reported(world.brand, member, False)
    assert may(world.brand, member) == (False, "withdrawn"), "what is ended at a till is ended"


def test_a_report_from_the_future_or_of_nothing_is_refused(world: World) -> None:
    """SPEC 20.4"""
    member = world.member()["id"]
    path = f"/v1/members/{member}/consents"

    assert refusal(reported(world.brand, member, True, ago_ms=-AHEAD_MS - 60_000)) == (422, "ConsentNotYetSaid")
    assert refusal(world.brand.write(path, {})) == (422, "RequestMalformed")
    assert refusal(world.brand.write(path, {"purpose": "", "channel": "", "granted": None})) == (
        422, "RequestMalformed"
    )  # fmt: skip
    assert world.rows("SELECT COUNT(*) FROM consent_word") == [(0,)]
    # A clock a little ahead says now: what comes after it is later.
    assert reported(world.brand, member, True, ago_ms=-1_000).json()["said_at"] <= rfc3339(now_ms())


def test_no_schedule_of_words_and_reports_allows_what_the_member_ended(world: World) -> None:
    """SPEC 20.4: words and reports in any order, against a plain model."""
    print(f"seed {SEED}")
    dice = random.Random(SEED)
    member = world.member()["id"]
    ada = world.session({"id": member})
    own: bool | None = None
    reports: dict[int, bool] = {}
    for minutes in dice.sample(range(1, 10_000), 40):
        granted = dice.random() < 0.5
        if dice.random() < 0.3 and len(reports) > 5:
            said(ada, granted)
            own = granted
        else:
            reported(world.brand, member, granted, ago_ms=minutes * 60_000)
            reports[minutes] = granted
        # Every report is of a time before any word of the member's own.
        expected = own if own is not None else reports[min(reports)]
        assert may(world.brand, member)[0] == expected
