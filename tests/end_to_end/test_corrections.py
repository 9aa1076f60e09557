"""Points by hand on Ganache: the contract counts what one may give, and what two signed for, once (SPEC 26)."""

from __future__ import annotations

from typing import Any

import pytest
from coincurve import PrivateKey

from chain.base.hashing import keccak
from chain.contracts import authorisation
from chain.contracts.authorisation import Domain
from tests.chain.conftest import CDNOW
from tests.end_to_end.test_badges_and_votes import Programme, error
from tests.end_to_end.test_badges_and_votes import programme as programme
from tests.support.callers import Caller

pytestmark = pytest.mark.slow

OWNER = PrivateKey(b"\x0a" * 32)
DAY_S = 86_400
TERMS = {
    "activity": "0x" + b"goodwill".ljust(32, b"\0").hex(), "kind": 2, "rounding": 0, "numerator": "1",
    "denominator": "1", "capPerAward": "2000", "capPerMemberDay": "3000", "budget": "4000", "start": "0",
    "end": str(2**40 - 1), "noticeSeconds": "3600", "textHash": "0x" + "7e" * 32, "returnWindow": "0", "shortfall": 0,
    "lockSeconds": "0", "dayStart": "0", "secondAbove": "500",
}  # fmt: skip


def account(key: PrivateKey) -> str:
    return "0x" + keccak(key.public_key.format(compressed=False)[1:])[12:].hex()


@pytest.fixture(scope="module")
def ready(programme: Programme) -> Programme:
    """The brand has a rule for points by hand, and a second account with its owner role."""
    programme.send("RewardRules", "publish", CDNOW, TERMS)
    programme.send("AccessManager", "grantRole", int(CDNOW) * 256 + 1, account(OWNER), 0)
    return programme


def second(programme: Programme) -> Caller:
    answer = programme.operator.write("/v1/brands/cdnow/keys")
    return Caller(programme.client, answer.json()["key"], answer.json()["id"])


def ask(programme: Programme, points: int, reference: str, member: str) -> Any:
    body = {"reference": reference, "member": {"identifier": member}, "points": str(points), "purpose": "goodwill"}
    return programme.brands["cdnow"].write("/v1/corrections", {**body, "reason": "The parcel came late."})


def signed(caller: Caller, id: str, key: PrivateKey = OWNER) -> dict[str, str]:
    told = caller.get(f"/v1/corrections/{id}").json()["to_sign"]
    named = told["domain"]
    domain = Domain(named["name"], named["version"], named["chainId"], named["verifyingContract"])
    made = key.sign_recoverable(authorisation.digest(domain, told["primaryType"], told["message"]), hasher=None)
    return {"signer": account(key), "signature": "0x" + (made[:64] + bytes([made[64] + 27])).hex()}


def spendable(member: Caller) -> str:
    view = member.get("/v1/me/view").json()
    return str(next(one["spendable"] for one in view["balances"] if one["brand"]["slug"] == "cdnow"))


def test_points_by_hand_are_counted_once_with_one_and_with_two(ready: Programme) -> None:
    """SPEC 26.1, 26.3, 26.4, 26.5, 2.30"""
    ada, _, _ = ready.member("by-hand")
    other = second(ready)

    small = ask(ready, 500, "small", "by-hand")
    assert (small.status_code, small.json()["state"]) == (202, "asked")
    ready.world.drain()
    assert spendable(ada) == "500"

    large = ask(ready, 1_500, "large", "by-hand").json()
    ready.world.drain()
    assert (spendable(ada), large["state"]) == ("500", "waiting")
    assert error(ask(ready, 2_001, "too large", "by-hand")) == (422, "RequestMalformed"), "no reference has spaces"
    assert error(ask(ready, 2_001, "too-large", "by-hand")) == (409, "CorrectionTooLarge")
    stranger = signed(other, large["id"], PrivateKey(b"\x0b" * 32))
    path = f"/v1/corrections/{large['id']}/approval"
    assert error(other.write(path, stranger)) == (409, "RoleMissing")
    approval = signed(other, large["id"])
    assert error(other.write(path, {**approval, "signature": stranger["signature"]})) == (409, "SignatureInvalid")

    assert other.write(path, approval).status_code == 202
    ready.world.drain()

    assert spendable(ada) == "2000"
    [row] = ready.world.rows("SELECT state, result FROM operation WHERE kind = 'correct'")
    assert row[0] == "confirmed"
    entries = ada.get("/v1/me/entries").json()["entries"]
    assert {(one["reference"], one["points"]) for one in entries} == {("small", "500"), ("large", "1500")}
    mine = {one["reference"]: one for one in ada.get("/v1/me/corrections").json()["corrections"]}
    assert mine["large"]["reason"] == "The parcel came late."
    assert mine["large"]["operation"]["id"] == next(
        one["operation_id"] for one in entries if one["reference"] == "large"
    )
    # What is left of the member's day, and then of the rule's budget, is what the contract says.
    day = ask(ready, 1_001, "day", "by-hand")
    assert (error(day), day.json()["remaining"]) == ((409, "MemberCapExceeded"), "1000")
    ready.member("bob-by-hand")
    full = ready.brands["cdnow"]
    assert full.get("/v1/corrections", state="waiting").json()["corrections"] == []
    for number in range(3):
        assert ask(ready, 500, f"rest-{number}", "bob-by-hand").status_code == 202
    ready.world.drain()
    budget = ask(ready, 501, "budget", "bob-by-hand")
    assert (error(budget), budget.json()["remaining"]) == ((409, "BudgetExceeded"), "500")
    calldata = [row[0] for row in ready.world.rows("SELECT calldata FROM chain_transaction")]
    assert not [data for data in calldata if b"parcel".hex() in data], "nothing personal on the chain"


def test_a_signature_that_lost_its_role_is_refused_by_the_contract_and_another_is_taken(ready: Programme) -> None:
    """SPEC 26.5"""
    carol, _, _ = ready.member("carol-by-hand")
    other, late = second(ready), PrivateKey(b"\x0c" * 32)
    ready.send("AccessManager", "grantRole", int(CDNOW) * 256 + 1, account(late), 0)
    # The youngest rule is the one that counts: of the other the budget is given.
    ready.send("RewardRules", "publish", CDNOW, TERMS)
    id = ask(ready, 501, "lost", "carol-by-hand").json()
    path = f"/v1/corrections/{id['id']}/approval"
    assert other.write(path, signed(other, id["id"], late)).status_code == 202
    ready.send("AccessManager", "revokeRole", int(CDNOW) * 256 + 1, account(late))
    ready.world.drain()
    told = other.get(f"/v1/corrections/{id['id']}").json()
    assert (told["operation"]["state"], told["operation"]["error"]) == ("failed", "RoleMissing")
    assert ready.world.rows("SELECT operation_id FROM operation WHERE kind = 'correct' AND state = 'failed'")

    assert other.write(path, signed(other, id["id"])).status_code == 202
    ready.world.drain()
    assert spendable(carol) == "501"
    assert len(ready.world.rows("SELECT id FROM operation WHERE key = 'correction/1/lost'")) == 1
