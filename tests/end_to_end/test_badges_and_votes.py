"""Badges and votes through the gateway, on Ganache: given, told to the member; voted by signature, and counted."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from api.kit.clock import now_ms
from api.programmes.catalogue import read_catalogue
from api.votes import lists
from chain.contracts.snapshots import Snapshot
from chain.outbox import calls
from chain.storage.database import snapshot
from tests.chain.conftest import CDNOW
from tests.end_to_end.programme import Programme, programme_on
from tests.support.callers import Caller

pytestmark = pytest.mark.slow

DAY_S = 86_400
ISSUER, TIER = 2, 0
TEXT = "0x" + "7e" * 32


@pytest.fixture(scope="module")
def programme(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Programme]:
    with programme_on("ganache", tmp_path_factory.mktemp("programme")) as made:
        yield made


def error(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]


def test_a_badge_is_told_to_its_member_and_its_brand_alone(programme: Programme) -> None:
    """SPEC 17.10"""
    definition = [TIER, ISSUER, 3, True, 10, 2**39, DAY_S, "0x" + "6b" * 32]
    ada, ada_id, address = programme.member("ada")
    bob, bob_id, _ = programme.member("bob")
    assert ada.get("/v1/me/badges").json()["badges"] == []

    programme.send("Badges", "publish", CDNOW, definition)
    programme.world.enqueue(calls.badges(key="gold", brand=CDNOW, definition_id=1, members=[address]))
    programme.world.drain()

    told = ada.get("/v1/me/badges").json()
    (badge,) = told["badges"]
    assert (badge["brand"], badge["definition"], badge["kind"], badge["level"]) == ("cdnow", "1", "tier", 3)
    assert badge["given_at"] < badge["valid_until"]
    assert told["block_number"] == int(programme.world.rpc.call("eth_blockNumber"), 16)
    assert programme.brands["cdnow"].get(f"/v1/members/{ada_id}/badges").json()["badges"] == [badge]
    assert bob.get("/v1/me/badges").json()["badges"] == []
    assert programme.brands["cdnow"].get(f"/v1/members/{bob_id}/badges").json()["badges"] == []

    assert error(programme.brands["hanok"].get(f"/v1/members/{ada_id}/badges")) == (404, "MemberUnknown")
    assert error(programme.brands["cdnow"].get("/v1/me/badges")) == (403, "NotYours")
    assert error(Caller(programme.client, "").get("/v1/me/badges")) == (401, "KeyMissing")

    programme.world.enqueue(calls.badge_withdraw(key="gold back", brand=CDNOW, definition_id=1, member=address))
    programme.world.drain()
    assert ada.get("/v1/me/badges").json()["badges"] == []


def test_a_member_votes_once_with_the_points_of_the_block_before(programme: Programme) -> None:
    """SPEC 18.20, 18.6, 26.16, 26.17"""
    world, governor = programme.world, "ProgrammeGovernor"
    eve, _, _ = programme.member("eve", base_amount=1_000)
    dan, _, _ = programme.member("dan", base_amount=200)
    terms = programme.read("RewardRules", "ruleOf", CDNOW, 1)[0]
    data = world.deployment.codec.calldata("RewardRules", "announceChange", CDNOW, 1, terms)
    actions = [{"target": world.deployment.address("RewardRules"), "data": "0x" + data.hex()}]
    vote = {"proposal": "1", "brand": "cdnow", "choice": "for"}

    def ask(caller: Caller, **changes: str) -> Any:
        return caller.write("/v1/me/votes", {**vote, **changes})

    anyone = Caller(programme.client, "")
    assert error(ask(eve)) == (409, "ProposalUnknown")
    assert error(anyone.get("/v1/proposals/1")) == (409, "ProposalUnknown")
    assert anyone.get("/v1/proposals").json()["proposals"] == []
    programme.send(governor, "proposeAsBrand", CDNOW, actions, TEXT)
    late, _, _ = programme.member("late", base_amount=500)
    assert error(ask(eve)) == (409, "VotingClosed")
    assert error(ask(eve, brand="hanok")) == (409, "BrandNotAsked")
    assert error(ask(eve, brand="nobody")) == (404, "BrandUnknown")
    assert error(programme.brands["cdnow"].write("/v1/me/votes", vote)) == (403, "NotYours")

    database = programme.client.app.state.moa.database  # type: ignore[attr-defined]
    card = database.reads(lambda read: read_catalogue(read, at_ms=now_ms())).by_slug["cdnow"]
    block = int(programme.read(governor, "proposalOf", 1)["blockNumber"])
    with snapshot(world.engine) as connection:
        listed = Snapshot.of(lists.balances(connection, card, block))
    programme.send("Snapshots", "post", 1, CDNOW, [str(leaf) for leaf in listed.leaves], True, account=5)
    [posted] = anyone.get("/v1/proposals/1").json()["lists"]
    assert (posted["accounts"], posted["contradicted"], posted["adopted"]) == (len(listed.leaves), False, False)
    assert posted["challenge_until"] is not None
    assert error(ask(eve)) == (409, "VotingClosed"), "nothing is adopted yet"
    world.rpc.call("evm_increaseTime", DAY_S + 60)
    world.mine()
    poster = world.rpc.call("eth_accounts")[5]
    programme.send("Snapshots", "adopt", 1, CDNOW, poster, account=6)

    answer = ask(eve)
    assert answer.status_code == 202, answer.text
    assert answer.json()["points"] == "1500"
    again = ask(eve)
    assert again.json()["operation"]["id"] == answer.json()["operation"]["id"]
    assert error(ask(eve, choice="against")) == (409, "VoteUsed")
    assert ask(dan, choice="abstain").json()["points"] == "300"
    assert error(ask(late)) == (409, "VoterNotListed")
    world.drain()

    assert world.rows("SELECT kind, state FROM operation WHERE kind = 'vote'") == [("vote", "confirmed")] * 2
    assert world.rows("SELECT operations, state FROM chain_transaction WHERE kind = 'vote'") == [(2, "mined")]
    choices = {row[0]: row[1] for row in world.rows("SELECT key, result FROM operation WHERE kind = 'vote'")}
    told = {key.rpartition("/")[2]: json.loads(result)["choice"] for key, result in choices.items()}
    assert sorted(told.values()) == ["1", "2"], "each vote has its own outcome"
    tally = programme.read(governor, "tallyOf", 1, CDNOW)
    assert (tally["pointsFor"], tally["pointsAgainst"], tally["pointsAbstaining"]) == ("1500", "0", "300")
    assert error(ask(eve)) == (409, "VoteUsed")
    programme.send(governor, "castVoice", 1, CDNOW, 1)
    shown = anyone.get("/v1/proposals/1").json()
    assert (shown["state"], shown["brands"], shown["voices_for"]) == ("open", ["cdnow"], 1)
    assert (shown["members_agree"], shown["brands_agree"]) == (True, True)
    [house] = shown["tallies"]
    assert (house["points_for"], house["points_against"], house["points_abstaining"]) == ("1500", "0", "300")
    assert [(one["adopted"], one["total"]) for one in shown["lists"]] == [(True, house["total"])]
    page = anyone.get("/v1/proposals").json()
    assert ([one["proposal"] for one in page["proposals"]], page["next_cursor"]) == (["1"], None)
