"""Points by hand: within the rule's limit at once, above it by two, and never twice (SPEC 26)."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from coincurve import PrivateKey

from api.corrections import asking, deciding
from api.views.member_view import AWARDS
from chain.base.hashing import keccak
from chain.contracts import authorisation
from chain.contracts.authorisation import Domain
from chain.contracts.corrections import Left
from chain.outbox import calls, operations
from tests.api.auth.test_access import acts, refusal
from tests.api.conftest import DESK, Caller, World, Worlds
from tests.api.conftest import both as kind  # noqa: F401
from tests.api.sign_in.test_sign_in import ADA, BOB, by_passkey, caller, entered, registered
from tests.api.staff.test_staff import gave, took_up
from tests.support.authenticator import Authenticator

LIMIT, CAP, DAY, BUDGET = 500, 2_000, 3_000, 10_000
RULE = {
    "activity": "0x" + b"goodwill".hex(), "kind": 2, "rounding": 0, "numerator": "1", "denominator": "1",
    "capPerAward": str(CAP), "capPerMemberDay": str(DAY), "budget": str(BUDGET), "secondAbove": str(LIMIT),
}  # fmt: skip
OWNER = PrivateKey(b"\x0a" * 32)
REASON = "The parcel came three weeks late."


def account(key: PrivateKey) -> str:
    return "0x" + keccak(key.public_key.format(compressed=False)[1:])[12:].hex()


class Chain:
    """What the node would tell; the walk on a real one is tests/end_to_end/test_corrections.py."""

    def __init__(self) -> None:
        self.left, self.owners, self.contracts = Left(BUDGET, DAY), {account(OWNER)}, set[str]()


@pytest.fixture
def chain(monkeypatch: pytest.MonkeyPatch) -> Chain:
    made = Chain()
    monkeypatch.setattr(asking.corrections, "left", lambda *_, **__: made.left)
    monkeypatch.setattr(deciding.corrections, "is_owner", lambda *_, account, **__: account in made.owners)
    monkeypatch.setattr(deciding.corrections, "has_code", lambda _, account: account in made.contracts)
    return made


@pytest.fixture
def world(make_world: Worlds, chain: Chain) -> World:
    made = make_world(outbox_shown=True)
    made.mirror()
    for brand in ("1", "2"):
        made.run(
            "INSERT INTO rule (brand_id, rule_id, version, in_force_at, withdrawn, terms)"
            " VALUES (:b, '2', 1, 1, false, :t)",
            b=brand,
            t=json.dumps(RULE),
        )
    made.member()
    return made


def body(points: int = 400, *, reference: str = "case-1", **more: Any) -> dict[str, Any]:
    given = {"reference": reference, "member": {"identifier": "m-1"}, "points": str(points), "purpose": "goodwill"}
    return {**given, "reason": REASON, **more}


def ask(world: World, *arguments: Any, by: Caller | None = None, key: str | None = None, **more: Any) -> Any:
    return (by or world.brand).write("/v1/corrections", body(*arguments, **more), key=key)


def second(world: World) -> Caller:
    """Somebody with another key of the brand."""
    answer = world.operator.write("/v1/brands/cdnow/keys")
    assert answer.status_code == 201, answer.text
    return Caller(world.client, answer.json()["key"], f"second-{answer.json()['id']}")


def signed(caller: Caller, id: str, key: PrivateKey = OWNER) -> dict[str, str]:
    """The approval that an account gives to what it is asked to sign."""
    told = caller.get(f"/v1/corrections/{id}").json()["to_sign"]
    named = told["domain"]
    domain = Domain(named["name"], named["version"], named["chainId"], named["verifyingContract"])
    made = key.sign_recoverable(authorisation.digest(domain, told["primaryType"], told["message"]), hasher=None)
    return {"signer": account(key), "signature": "0x" + (made[:64] + bytes([made[64] + 27])).hex()}


def approve(caller: Caller, id: str, approval: dict[str, str]) -> Any:
    return caller.write(f"/v1/corrections/{id}/approval", approval)


def kinds(world: World) -> list[str]:
    return [row.kind for row in world.rows("SELECT kind FROM operation ORDER BY id")]


def test_within_the_limit_it_is_asked_at_once_and_the_member_reads_why(world: World) -> None:
    """SPEC 26.1, 26.8"""
    member = world.session({"id": world.rows("SELECT id FROM member")[0][0]})

    answer = ask(world, LIMIT)

    assert answer.status_code == 202, answer.text
    told = answer.json()
    assert (told["state"], told["points"], told["rule"], told["approve_until"]) == ("asked", "500", "2", None)
    [row] = world.rows("SELECT kind, key, payload FROM operation")
    assert (row.kind, row.key) == ("award", "correction/1/case-1")
    assert "parcel" not in str(row.payload), "nothing personal goes to the chain"
    assert "parcel" not in str(world.rows("SELECT * FROM correction")), "sealed under the member's own key"
    assert "parcel" not in str(world.rows("SELECT answer FROM idempotent_write"))
    [mine] = member.get("/v1/me/corrections").json()["corrections"]
    assert (mine["reason"], mine["brand"], mine["operation"]["id"]) == (REASON, "cdnow", told["operation"]["id"])
    assert world.brand.get(f"/v1/corrections/{told['id']}").json()["reason"] == REASON
    assert [one["detail"]["second"] for one in acts(world, "correction.asked")] == ["no"]


def test_nobody_but_the_brand_gives_its_points_and_each_sees_its_own(world: World) -> None:
    """SPEC 26.1"""
    member = world.session({"id": world.rows("SELECT id FROM member")[0][0]})
    before = world.everything()
    assert refusal(ask(world, by=world.anyone)) == (401, "KeyMissing")
    for other in (world.operator, member, world.auditor()):
        assert refusal(ask(world, by=other)) == (403, "NotYours")
    assert refusal(ask(world, by=world.other)) == (404, "MemberUnknown")
    assert refusal(ask(world, member={"identifier": "nobody"})) == (404, "MemberUnknown")
    assert refusal(ask(world, 0)) == (422, "AmountZero")
    assert refusal(ask(world, reason="  ")) == (422, "RequestMalformed")
    assert refusal(ask(world, purpose="bribe")) == (422, "RequestMalformed")
    after = world.everything()
    assert {name: after[name] for name in ("operation", "correction")} == {"operation": 0, "correction": 0}
    assert after["operation_counter"] == before["operation_counter"]

    id = ask(world).json()["id"]
    assert refusal(world.other.get(f"/v1/corrections/{id}")) == (404, "CorrectionUnknown")
    assert world.other.get("/v1/corrections").json()["corrections"] == []
    for act in ("refusal", "withdrawal"):
        assert refusal(world.other.write(f"/v1/corrections/{id}/{act}")) == (404, "CorrectionUnknown")
    other = world.session(world.member("m-2"))
    assert other.get("/v1/me/corrections").json()["corrections"] == []


def test_a_reference_counts_once(world: World) -> None:
    """SPEC 26.2"""
    first = ask(world).json()
    again = ask(world)
    assert (again.status_code, again.json()["id"]) == (202, first["id"])
    assert refusal(ask(world, 401)) == (409, "CorrectionConflict")
    assert refusal(ask(world, reason="Another one.")) == (409, "CorrectionConflict")
    assert refusal(ask(world, purpose="correction")) == (409, "CorrectionConflict")
    assert kinds(world) == ["award"]
    assert len(world.rows("SELECT id FROM correction")) == 1
    with ThreadPoolExecutor(4) as pool:
        made = list(pool.map(lambda _: ask(world, reference="case-2").json()["id"], range(4)))
    assert len(set(made)) == 1
    assert kinds(world) == ["award"] * 2


def test_what_the_ledger_refused_is_asked_for_again_under_the_same_id(world: World) -> None:
    """SPEC 26.2"""
    first = ask(world, key="k").json()
    world.finish("award", "failed", "BudgetExceeded")
    assert ask(world, key="k").json()["operation"]["state"] == "queued"
    world.finish("award", "failed", "BudgetExceeded")
    assert ask(world).json()["operation"]["id"] == first["operation"]["id"]
    assert [row.operation_id for row in world.rows("SELECT operation_id FROM operation")] == ["1"]


def test_beyond_cap_day_and_budget_nothing_is_kept(world: World, chain: Chain) -> None:
    """SPEC 26.3"""
    assert refusal(ask(world, CAP + 1)) == (409, "CorrectionTooLarge")
    chain.left = Left(BUDGET, 399)
    day = ask(world, 400)
    assert refusal(day) == (409, "MemberCapExceeded")
    assert (day.json()["points"], day.json()["remaining"]) == ("400", "399")
    chain.left = Left(399, DAY)
    assert refusal(ask(world, 400)) == (409, "BudgetExceeded")
    assert world.rows("SELECT * FROM correction") == []
    assert ask(world, 399).status_code == 202
    world.run("DELETE FROM rule WHERE rule_id = '2'")
    assert refusal(ask(world, reference="case-2")) == (409, "RuleMissing")
    ended = json.dumps({**RULE, "end": "2"})
    world.run(
        "INSERT INTO rule (brand_id, rule_id, version, in_force_at, withdrawn, terms)"
        " VALUES ('1', '2', 1, 1, false, :t)",
        t=ended,
    )
    assert refusal(ask(world, reference="case-2")) == (409, "RuleMissing")
    world.run("DELETE FROM mirror_checkpoint")
    assert refusal(ask(world, reference="case-2")) == (503, "RuleUnread")


def test_above_the_limit_nothing_is_sent_before_a_second_one_has_signed(world: World) -> None:
    """SPEC 26.4, 26.5"""
    other, member = second(world), world.session({"id": world.rows("SELECT id FROM member")[0][0]})
    waiting = ask(world, LIMIT + 1).json()
    id = waiting["id"]
    assert (waiting["state"], waiting["operation"], kinds(world)) == ("waiting", None, [])
    assert waiting["approve_until"] is not None
    assert member.get("/v1/me/corrections").json()["corrections"] == [], "a promise is none"
    approval = signed(other, id)

    assert refusal(approve(world.brand, id, approval)) == (409, "SecondSignerSame")
    assert refusal(approve(world.other, id, approval)) == (404, "CorrectionUnknown")
    stranger = signed(other, id, PrivateKey(b"\x0b" * 32))
    assert refusal(approve(other, id, stranger)) == (409, "RoleMissing")
    assert refusal(approve(other, id, {**stranger, "signer": approval["signer"]})) == (409, "SignatureInvalid")
    elsewhere = signed(other, ask(world, 600, reference="case-9").json()["id"])
    assert refusal(approve(other, id, elsewhere)) == (409, "SignatureInvalid"), "of another correction"
    assert kinds(world) == []

    answer = approve(other, id, approval)

    assert answer.status_code == 202, answer.text
    told = answer.json()
    assert (told["state"], told["decided_by"]) == ("asked", f"key/{other.key.split('_')[2]}")
    [row] = world.rows("SELECT id, kind, operation_id FROM operation")
    assert (row.kind, row.operation_id) == ("correct", "1")
    with world.database.engine.connect() as connection:
        view = operations.get(connection, row.id)
    assert view is not None
    target, data = calls.single(world.app.state.moa.deployment, "correct", "", view.payload, token=None) or ("", b"")
    assert (target, data[:4]) == (DESK, data[:4])
    assert approval["signature"][2:] in data.hex()
    assert refusal(approve(other, id, approval)) == (409, "CorrectionStateWrong"), "once"
    assert member.get("/v1/me/corrections").json()["corrections"][0]["reason"] == REASON
    assert [one["detail"]["correction"] for one in acts(world, "correction.approved")] == [id]


def test_what_waits_is_refused_by_another_or_withdrawn_by_who_asked(world: World) -> None:
    """SPEC 26.6"""
    other = second(world)
    one, two = (ask(world, 600, reference=name).json()["id"] for name in ("one", "two"))
    approval = signed(other, one)
    assert refusal(world.brand.write(f"/v1/corrections/{one}/refusal")) == (409, "SecondSignerSame")
    assert refusal(other.write(f"/v1/corrections/{two}/withdrawal")) == (403, "NotYours")

    assert other.write(f"/v1/corrections/{one}/refusal").json()["state"] == "refused"
    assert world.brand.write(f"/v1/corrections/{two}/withdrawal").json()["state"] == "withdrawn"

    for id in (one, two):
        assert refusal(other.write(f"/v1/corrections/{id}/refusal")) == (409, "CorrectionStateWrong")
        assert refusal(world.brand.write(f"/v1/corrections/{id}/withdrawal")) == (409, "CorrectionStateWrong")
        assert refusal(approve(other, id, approval)) == (409, "CorrectionStateWrong")
        assert world.brand.get(f"/v1/corrections/{id}").json()["to_sign"] is None
    assert refusal(ask(world, 600, reference="one")) == (409, "CorrectionStateWrong")
    assert kinds(world) == []
    listed = world.brand.get("/v1/corrections").json()["corrections"]
    assert {each["reference"]: each["state"] for each in listed} == {"one": "refused", "two": "withdrawn"}
    assert [each["id"] for each in world.brand.get("/v1/corrections", state="refused").json()["corrections"]] == [one]
    assert (len(acts(world, "correction.refused")), len(acts(world, "correction.withdrawn"))) == (1, 1)


def test_of_an_approval_and_a_withdrawal_at_once_exactly_one_counts(world: World) -> None:
    """SPEC 26.6"""
    other = second(world)
    for number in range(3):
        id = ask(world, 600, reference=f"case-{number}").json()["id"]
        approval = signed(other, id)
        with ThreadPoolExecutor(2) as pool:
            signing = pool.submit(approve, other, id, approval)
            taking = pool.submit(world.brand.write, f"/v1/corrections/{id}/withdrawal")
        assert sorted([signing.result().status_code < 300, taking.result().status_code < 300]) == [False, True]
        state = world.brand.get(f"/v1/corrections/{id}").json()["state"]
        assert state == ("asked" if signing.result().status_code == 202 else "withdrawn")


def test_what_waited_too_long_is_expired_and_what_the_ledger_refused_is_signed_anew(world: World) -> None:
    """SPEC 26.5"""
    other = second(world)
    id = ask(world, 600).json()["id"]
    approval = signed(other, id)
    assert approve(other, id, approval).status_code == 202
    world.finish("correct", "failed", "BudgetExceeded")
    assert approve(other, id, approval).json()["operation"]["state"] == "queued"
    assert [row.operation_id for row in world.rows("SELECT operation_id FROM operation")] == ["1"]

    late = ask(world, 600, reference="late").json()["id"]
    kept = signed(other, late)
    world.run("UPDATE correction SET deadline = 1 WHERE id = :i", i=late)
    assert refusal(approve(other, late, kept)) == (409, "CorrectionExpired")
    assert [each["id"] for each in other.get("/v1/corrections", state="expired").json()["corrections"]] == [late]
    assert other.get("/v1/corrections", state="waiting").json()["corrections"] == []


def test_a_wallet_that_is_a_contract_is_asked_by_the_relayer(world: World, chain: Chain) -> None:
    """SPEC 26.5"""
    other = second(world)
    id = ask(world, 600).json()["id"]
    wallet = "0x" + "c0" * 20
    chain.owners.add(wallet)
    approval = {"signer": wallet, "signature": "0x" + "ab" * 200}
    assert refusal(approve(other, id, approval)) == (409, "SignatureInvalid")
    chain.contracts.add(wallet)
    assert approve(other, id, approval).status_code == 202


def at_work(world: World, who: dict[str, str], *roles: str) -> list[Caller]:
    """A person with a passkey, in each of these roles."""
    device, tokens = Authenticator(), entered(world, who)
    registered(world, tokens, device)
    person = caller(world, by_passkey(world, device)[0].json())
    return [took_up(world, person, gave(world, role, who)) for role in roles]


def test_one_person_in_two_roles_is_one_and_support_approves_nothing(world: World) -> None:
    """SPEC 26.4, 26.7"""
    support, treasurer = at_work(world, ADA, "support", "treasurer")
    [owner, viewer] = at_work(world, BOB, "owner", "viewer")
    id = ask(world, 600, by=support).json()["id"]
    approval = signed(owner, id)
    assert refusal(ask(world, by=treasurer)) == (403, "NotYours")
    assert refusal(viewer.get("/v1/corrections")) == (403, "NotYours")
    assert refusal(approve(support, id, approval)) == (403, "NotYours")
    assert refusal(approve(treasurer, id, approval)) == (409, "SecondSignerSame")
    assert refusal(treasurer.write(f"/v1/corrections/{id}/refusal")) == (409, "SecondSignerSame")

    assert approve(owner, id, approval).status_code == 202

    gone = ask(world, 600, by=support, reference="gone").json()["id"]
    kept = signed(owner, gone)
    for role in world.brand.get("/v1/staff").json()["roles"]:
        if role["role"] == "support":
            world.brand.write(f"/v1/staff/{role['id']}", method="DELETE")
    assert refusal(approve(owner, gone, kept)) == (409, "AskerUnknown")
    weak = took_up(world, caller(world, entered(world, BOB)), gave(world, "support", BOB))
    assert refusal(ask(world, by=weak)) == (403, "SecondFactorNeeded")


def test_pages_miss_nothing(world: World) -> None:
    """SPEC 26.8"""
    made = [ask(world, 10 + number, reference=f"case-{number}").json()["id"] for number in range(7)]
    member = world.session({"id": world.rows("SELECT id FROM member")[0][0]})
    for who, path in ((world.brand, "/v1/corrections"), (member, "/v1/me/corrections")):
        found, cursor = [], None
        while True:
            page = who.get(path, limit=3, **({"cursor": cursor} if cursor else {})).json()
            found += [one["id"] for one in page["corrections"]]
            cursor = page["next_cursor"]
            if cursor is None:
                break
        assert sorted(found) == sorted(made)
        assert len(found) == len(made)
    assert refusal(world.brand.get("/v1/corrections", cursor="cor_" + "0" * 32)) == (404, "CorrectionUnknown")


def test_who_is_erased_is_given_nothing_and_the_reason_is_nobodys(world: World) -> None:
    """SPEC 26.9"""
    other = second(world)
    asked = ask(world).json()["id"]
    waiting = ask(world, 600, reference="waiting").json()["id"]
    approval = signed(other, waiting)
    member = world.session({"id": world.rows("SELECT id FROM member")[0][0]})
    assert member.write("/v1/me/erasure", {"confirm": "erase everything"}).status_code in (200, 201)

    assert world.brand.get(f"/v1/corrections/{asked}").json()["reason"] is None
    assert refusal(approve(other, waiting, approval)) == (404, "MemberUnknown")


def test_points_by_hand_that_are_on_their_way_are_pending(world: World) -> None:
    """SPEC 26.8"""
    assert set(AWARDS) == {"open award", "open correct"}
    other, member = second(world), world.session({"id": world.rows("SELECT id FROM member")[0][0]})
    ask(world, 400)
    id = ask(world, 600, reference="two").json()["id"]
    approve(other, id, signed(other, id))
    [balance] = [one for one in member.get("/v1/me/view").json()["balances"] if one["brand"]["slug"] == "cdnow"]
    assert balance["pending"] == "1000"
