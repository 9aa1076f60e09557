"""Holds and exchanges as far as the gateway decides; what the contracts decide is in tests/end_to_end."""

from __future__ import annotations

import time
from typing import Any

import orjson
import pytest
from eth_keys.datatypes import Signature

from chain.contracts import authorisation
from tests.api.conftest import DESK, TOKENS, Caller, World, purchase
from tests.api.conftest import both as kind  # noqa: F401


def placed(world: World, points: str = "500", caller: Caller | None = None, **body: Any) -> Any:
    member = {} if caller is not None else {"member": {"identifier": "m-1"}}
    return (caller or world.brand).write("/v1/holds", {**member, "points": points, **body})


def on_chain(world: World, hold: dict[str, Any], state: str, captured: int = 0, refunded: int = 0) -> None:
    """The mirror shows the hold in this state, and every operation so far is confirmed."""
    world.run("UPDATE operation SET state = 'confirmed'")
    world.run(
        "INSERT INTO hold (hold_id, brand_id, token, account, state, points, captured, refunded, hold_until, reward_id,"
        " placed_tx_hash, placed_at, block_number, log_index)"
        " SELECT chain_id, '1', :t, '0x', :s, points, :c, :r, hold_until, '0x', '0x', 1, 1, 1 FROM hold_request"
        " WHERE id = :id ON CONFLICT (hold_id) DO UPDATE SET state = :s, captured = :c, refunded = :r",
        t=TOKENS["cdnow"],
        s=state,
        c=str(captured),
        r=str(refunded),
        id=hold["id"],
    )


@pytest.fixture
def funded(world: World) -> World:
    """A member m-1 with 1,000 points of the first brand."""
    world.mirror()
    world.holds_points(world.member()["address"], 1_000)
    return world


def test_hold_carries_the_members_own_signature(funded: World) -> None:
    answer = placed(funded)

    assert answer.status_code == 202, answer.text
    assert answer.json()["state"] == "requested"
    [(payload,)] = funded.rows("SELECT payload FROM operation WHERE kind = 'hold'")
    # SQLite gives JSON as text, PostgreSQL as what it says.
    request = orjson.loads(payload) if isinstance(payload, str) else payload
    domain = authorisation.Domain("RedemptionDesk", "1", 1337, DESK)
    digest = authorisation.digest(domain, "Hold", request["request"])
    raw = bytes.fromhex(request["signature"][2:])
    signer = Signature(raw[:64] + bytes([raw[64] - 27])).recover_public_key_from_msg_hash(digest)
    assert signer.to_address() == request["request"]["member"]


def test_hold_above_the_balance_is_refused(funded: World) -> None:
    """SPEC 9.10"""
    before = funded.everything()

    answer = placed(funded, "1001")

    assert (answer.status_code, answer.json()["error"]) == (409, "ERC20InsufficientBalance")
    assert (answer.json()["balance"], answer.json()["needed"]) == ("1000", "1001")
    assert funded.everything() == before


def test_hold_is_left_to_the_contract_while_points_are_on_their_way(funded: World) -> None:
    funded.brand.write("/v1/purchases", purchase())

    assert placed(funded, "1001").status_code == 202


@pytest.mark.parametrize("points", ["0", "-1", "1.5", "1" + "0" * 40, "many", 5])
def test_hold_of_a_bad_amount_is_refused(funded: World, points: Any) -> None:
    before = funded.everything()

    answer = placed(funded, points)

    assert answer.status_code == 422
    assert answer.json()["error"].startswith("Amount")
    assert funded.everything() == before


@pytest.mark.parametrize("reward", ["\x00", "coffee\n", "\x1b[2J", "\x7f"])
def test_reward_with_control_characters_is_refused(funded: World, reward: str) -> None:
    """PostgreSQL keeps no zero byte, and a till's screen should meet none of the others."""
    before = funded.everything()

    answer = funded.brand.write("/v1/holds", {"member": {"identifier": "m-1"}, "points": "1", "reward": reward})

    assert (answer.status_code, answer.json()["error"]) == (422, "CharacterRefused")
    assert funded.everything() == before


def test_reward_is_named_in_any_script(funded: World) -> None:
    wanted = {"member": {"identifier": "m-1"}, "points": "1", "reward": "커피 ☕ 큰 잔"}

    assert funded.brand.write("/v1/holds", wanted).json()["reward"] == wanted["reward"]


def test_brand_holds_its_own_points_only(funded: World) -> None:
    """SPEC 9.3"""
    before = funded.everything()

    of_other = placed(funded, brand="beans")
    of_nobody = placed(funded, brand="nobody")
    others_member = funded.other.write("/v1/holds", {"member": {"identifier": "m-1"}, "points": "5"})

    assert of_other.json()["error"] == "NotYours"
    assert of_nobody.json()["error"] == "BrandUnknown"
    assert others_member.json()["error"] == "MemberUnknown"
    assert funded.everything() == before


def test_member_holds_its_own_points_only(funded: World) -> None:
    [(member_id,)] = funded.rows("SELECT id FROM member")
    member = funded.session({"id": member_id})
    third_party = funded.session(funded.member("m-2"))
    before = funded.everything()

    own = placed(funded, caller=member, brand="cdnow")
    unnamed = placed(funded, caller=member)
    unknown = placed(funded, caller=member, brand="nobody")
    for_another = third_party.write("/v1/holds", {"member": {"id": member_id}, "brand": "cdnow", "points": "5"})
    without = placed(funded, caller=third_party, brand="cdnow")

    assert own.status_code == 202
    assert unnamed.json()["error"] == "BrandUnknown"
    assert unknown.json()["error"] == "BrandUnknown"
    assert for_another.json()["error"] == "NotYours"
    assert without.json()["error"] == "ERC20InsufficientBalance"
    assert funded.everything()["hold_request"] == before["hold_request"] + 1


def test_hold_of_another_brand_is_unknown(funded: World) -> None:
    """SPEC 9.3"""
    hold = placed(funded).json()
    on_chain(funded, hold, "held")
    before = funded.everything()

    answers = [
        funded.other.get(f"/v1/holds/{hold['id']}"),
        *(funded.other.write(f"/v1/holds/{hold['id']}/{step}", {}) for step in ("capture", "release", "refund")),
    ]

    assert [(answer.status_code, answer.json()["error"]) for answer in answers] == [(404, "HoldUnknown")] * 4
    assert funded.everything() == before


def test_capture_above_the_hold_is_refused(funded: World) -> None:
    """SPEC 9.10"""
    hold = placed(funded).json()
    on_chain(funded, hold, "held")
    before = funded.everything()

    answer = funded.brand.write(f"/v1/holds/{hold['id']}/capture", {"points": "501"})

    assert (answer.status_code, answer.json()["error"]) == (409, "CaptureExceedsHold")
    assert (answer.json()["points"], answer.json()["held"]) == ("501", "500")
    assert funded.everything() == before


def test_capture_asks_for_the_whole_hold_or_a_part(funded: World) -> None:
    whole, part = placed(funded).json(), placed(funded, "400").json()
    on_chain(funded, whole, "held")
    on_chain(funded, part, "held")

    funded.brand.write(f"/v1/holds/{whole['id']}/capture")
    funded.brand.write(f"/v1/holds/{part['id']}/capture", {"points": "150"})

    rows = funded.rows("SELECT points FROM hold_step WHERE kind = 'capture' ORDER BY created_at_ms, operation")
    assert rows == [("500",), ("150",)]


def test_second_step_waits_for_the_first(funded: World) -> None:
    """SPEC 9.10"""
    hold = placed(funded).json()
    on_chain(funded, hold, "held")
    funded.brand.write(f"/v1/holds/{hold['id']}/capture")
    before = funded.everything()

    again = funded.brand.write(f"/v1/holds/{hold['id']}/capture")
    release = funded.brand.write(f"/v1/holds/{hold['id']}/release")

    assert [answer.json()["error"] for answer in (again, release)] == ["HoldBusy"] * 2
    assert {answer.json()["step"] for answer in (again, release)} == {"capture"}
    assert funded.everything() == before


@pytest.mark.parametrize("state", ["captured", "released", "timed_out", "paid"])
def test_ended_hold_is_neither_captured_nor_released(funded: World, state: str) -> None:
    hold = placed(funded).json()
    on_chain(funded, hold, state, captured=500)
    before = funded.everything()

    answers = [funded.brand.write(f"/v1/holds/{hold['id']}/{step}") for step in ("capture", "release")]

    assert [answer.json()["error"] for answer in answers] == ["HoldStateWrong"] * 2
    assert funded.everything() == before


def test_capture_after_the_deadline_is_refused_and_release_is_a_timeout(funded: World) -> None:
    hold = placed(funded).json()
    on_chain(funded, hold, "held")
    funded.run("UPDATE hold_request SET hold_until = :past", past=int(time.time()) - 5)

    capture = funded.brand.write(f"/v1/holds/{hold['id']}/capture")
    release = funded.brand.write(f"/v1/holds/{hold['id']}/release")

    assert capture.json()["error"] == "HoldOver"
    assert release.json()["operation"]["kind"] == "timeout"


@pytest.mark.parametrize("state", ["none", "queued", "failed"])
def test_release_after_the_deadline_is_the_one_that_time_owes(funded: World, state: str) -> None:
    """SPEC 7.81: asked for by the worker before, or refused to it, or first by the till."""
    hold = placed(funded).json()
    on_chain(funded, hold, "held")
    funded.run("UPDATE hold_request SET hold_until = :past", past=int(time.time()) - 5)
    [(chain_id,)] = funded.rows("SELECT chain_id FROM hold_request")
    if state != "none":
        funded.run(
            "INSERT INTO operation (key, kind, brand, ordering_key, payload, state, error, created_at_ms,"
            " updated_at_ms) VALUES (:k, 'timeout', 1, '0x', '{}', :s, NULL, 1, 1)",
            k=f"timeout/{chain_id}",
            s=state,
        )

    first = funded.brand.write(f"/v1/holds/{hold['id']}/release")
    second = funded.brand.write(f"/v1/holds/{hold['id']}/release")

    [(id, now)] = funded.rows("SELECT id, state FROM operation WHERE kind = 'timeout'")
    assert (first.status_code, first.json()["operation"]["id"], now) == (202, str(id), "queued")
    assert second.json()["error"] == "HoldBusy"


def test_refund_gives_back_at_most_what_was_captured(funded: World) -> None:
    """SPEC 9.10"""
    hold = placed(funded).json()
    on_chain(funded, hold, "captured", captured=300, refunded=100)
    before = funded.everything()

    above = funded.brand.write(f"/v1/holds/{hold['id']}/refund", {"points": "201"})

    assert (above.status_code, above.json()["error"]) == (409, "RefundExceedsCapture")
    assert above.json()["refundable"] == "200"
    assert funded.everything() == before
    rest = funded.brand.write(f"/v1/holds/{hold['id']}/refund")
    assert rest.status_code == 202
    assert funded.rows("SELECT points FROM hold_step") == [("200",)]


def test_open_hold_is_not_refunded(funded: World) -> None:
    hold = placed(funded).json()
    on_chain(funded, hold, "held")

    answer = funded.brand.write(f"/v1/holds/{hold['id']}/refund")

    assert answer.json()["error"] == "HoldStateWrong"


def test_hold_that_lost_a_race_is_refused_for_its_own_reason(funded: World) -> None:
    """SPEC 9.46: a step that was asked of it meanwhile fails with HoldUnknown, and is not what went wrong."""
    hold = placed(funded).json()
    capture = funded.brand.write(f"/v1/holds/{hold['id']}/capture", key="early")
    assert capture.status_code == 202
    funded.finish("hold", "failed", "ERC20InsufficientBalance")
    funded.finish("capture", "failed", "HoldUnknown")

    told = funded.brand.get(f"/v1/holds/{hold['id']}").json()
    waited = funded.brand.write(f"/v1/holds/{hold['id']}/capture", key="early", Prefer="wait=5")
    again = funded.brand.write(f"/v1/holds/{hold['id']}/release")

    assert (told["state"], told["operation"]["error"]) == ("refused", "ERC20InsufficientBalance")
    # What failed is asked for anew under its key (9.20), and there is no such hold to capture.
    assert (waited.status_code, waited.json()["error"]) == (409, "HoldStateWrong")
    assert (again.json()["error"], again.json()["state"]) == ("HoldStateWrong", "refused")


def test_hold_that_the_chain_refused_is_refused(funded: World) -> None:
    hold = placed(funded).json()
    funded.finish("hold", "failed", "ERC20InsufficientBalance")

    told = funded.brand.get(f"/v1/holds/{hold['id']}").json()

    assert told["state"] == "refused"
    assert told["operation"]["error"] == "ERC20InsufficientBalance"


def test_waiting_caller_is_told_what_the_chain_refused(funded: World) -> None:
    """SPEC 9.9"""
    placed(funded)
    funded.settles("state = 'failed', error = 'HoldUntilWrong', error_args = '{\"holdUntil\": \"5\"}'")

    answer = funded.brand.write("/v1/holds", {"member": {"identifier": "m-1"}, "points": "5"}, Prefer="wait=5")

    assert (answer.status_code, answer.json()["error"]) == (409, "HoldUntilWrong")
    assert answer.json()["arguments"] == {"holdUntil": "5"}


def test_waiting_ends_with_its_time(funded: World) -> None:
    """SPEC 9.9"""
    began = time.monotonic()

    answer = funded.brand.write("/v1/holds", {"member": {"identifier": "m-1"}, "points": "5"}, Prefer="wait=1")

    assert (answer.status_code, answer.json()["state"]) == (202, "requested")
    assert answer.headers["preference-applied"] == "wait=1"
    assert 0.9 < time.monotonic() - began < 10


def test_operation_is_seen_by_its_brand_and_its_member_only(funded: World) -> None:
    """SPEC 9.3"""
    operation = placed(funded).json()["operation"]["id"]
    [(member_id,)] = funded.rows("SELECT id FROM member")
    member, third_party = funded.session({"id": member_id}), funded.session(funded.member("m-2"))

    seen = [caller.get(f"/v1/operations/{operation}").status_code for caller in (funded.brand, member)]
    unseen = [caller.get(f"/v1/operations/{operation}").json()["error"] for caller in (funded.other, third_party)]

    assert seen == [200, 200]
    assert unseen == ["OperationUnknown"] * 2
    assert funded.brand.get("/v1/operations/99").json()["error"] == "OperationUnknown"


def test_operations_are_counted_by_state(funded: World) -> None:
    placed(funded)
    funded.brand.write("/v1/purchases", purchase())
    funded.finish("award", "confirmed")

    told = funded.brand.get("/v1/operations").json()

    assert (told["states"]["queued"], told["states"]["confirmed"], told["states"]["failed"]) == (1, 1, 0)
    assert told["kinds"] == {"award": 1, "hold": 1}
    assert funded.brand.get("/v1/operations", kind="award").json()["states"]["queued"] == 0
    assert funded.other.get("/v1/operations").json()["kinds"] == {}


@pytest.mark.parametrize(
    ("change", "error", "status"),
    [
        ({"from": "nobody"}, "BrandUnknown", 404),
        ({"to": "nobody"}, "BrandUnknown", 404),
        ({}, "AgreementUnknown", 404),
        ({"points_in": "0"}, "AmountZero", 422),
        ({"points_in": "-3"}, "AmountNegative", 422),
        ({"minimum_out": "0.5"}, "AmountFractional", 422),
        ({"agreement_version": 0}, "RequestMalformed", 422),
    ],
)
def test_bad_exchange_is_refused_and_changes_nothing(
    funded: World, change: dict[str, Any], error: str, status: int
) -> None:
    [(member_id,)] = funded.rows("SELECT id FROM member")
    member = funded.session({"id": member_id})
    before = funded.everything()
    body = {"from": "cdnow", "to": "beans", "points_in": "10", "minimum_out": "1", "agreement_version": 1, **change}

    answer = member.write("/v1/exchanges", body)

    assert (answer.status_code, answer.json()["error"]) == (status, error)
    assert funded.everything() == before


def test_exchange_without_a_node_is_refused_as_unavailable(funded: World) -> None:
    """SPEC 9.19"""
    [(member_id,)] = funded.rows("SELECT id FROM member")
    member = funded.session({"id": member_id})
    funded.agreement()
    before = funded.everything()

    answer = member.write(
        "/v1/exchanges",
        {"from": "cdnow", "to": "beans", "points_in": "10", "minimum_out": "1", "agreement_version": 1},
    )

    assert (answer.status_code, answer.json()["error"]) == (503, "NodeUnavailable")
    assert funded.everything() == before
