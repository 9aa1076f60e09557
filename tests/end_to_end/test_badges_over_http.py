"""Badges on Ganache through the gateway: defined by the owner's key, given in a batch, read by anyone (SPEC 26)."""

from __future__ import annotations

import json
from typing import Any

import pytest
from typer.testing import CliRunner

from scripts.cli.app import app
from tests.chain.conftest import CDNOW
from tests.end_to_end.test_badges_and_votes import Programme, error
from tests.end_to_end.test_badges_and_votes import programme as programme
from tests.support.callers import Caller

pytestmark = pytest.mark.slow
DAY_S = 86_400


def give(programme: Programme, reference: str, definition: str, *members: str) -> Any:
    body = {
        "reference": reference,
        "definition": definition,
        "members": [{"identifier": one} for one in members],
    }
    return programme.brands["cdnow"].write("/v1/badges", body)


def told(programme: Programme, answer: Any) -> Any:
    """The same once the chain has it: the write repeated under its own key."""
    sent = answer.request
    return programme.client.request(sent.method, sent.url, content=sent.content, headers=sent.headers).json()


def test_a_brand_defines_gives_in_a_batch_and_takes_back(programme: Programme) -> None:
    """SPEC 26.12, 26.13, 26.14, 26.15, 17.4, 17.9"""
    ada, ada_id, address = programme.member("ada")
    _, bob_id, _ = programme.member("bob")
    _, cyd_id, _ = programme.member("cyd")
    anyone = Caller(programme.client, "")
    world = programme.world
    owner = world.rpc.call("eth_accounts")[1]
    place = ["--rpc", world.node.url, "--chain-id", str(world.node.chain_id), "--deployments", str(world.deployments)]

    def define(*more: str, by: str = owner) -> Any:
        text = ["badges", "define", "--brand", str(CDNOW), "--owner", by, *place, "--json"]
        return CliRunner().invoke(app, [*text, *more])

    assert error(give(programme, "early", "1", "ada")) == (409, "DefinitionUnknown")
    assert anyone.get("/v1/brands/cdnow/badges").json()["definitions"] == []
    stranger = world.rpc.call("eth_accounts")[6]
    common = ("--text", "Gold: a hundred visits.", "--limit", "2", "--end", str(2**39))
    assert "RoleMissing" in define("--kind", "achievement", *common, by=stranger).output
    assert "DefinitionInvalid" in define("--kind", "tier", *common).output, "a tier has a level"
    made = define("--kind", "achievement", *common, "--withdrawable")
    assert (made.exit_code, json.loads(made.output)[0]["definition"]) == (0, "1")
    assert define("--kind", "mission", *common, "--giver", "till").exit_code == 0

    [first, second] = anyone.get("/v1/brands/cdnow/badges").json()["definitions"]
    assert (first["kind"], first["giver"], first["limit"], first["given"]) == ("achievement", "issuer", "2", "0")
    assert (second["giver"], second["withdrawable"], second["valid_s"]) == ("till", False, None)
    page = anyone.get("/v1/brands/cdnow/badges", limit=1).json()
    assert page["next_cursor"] == "1"
    assert anyone.get("/v1/brands/cdnow/badges", limit=1, cursor="1").json()["definitions"] == [second]
    assert error(give(programme, "tills", "2", "ada")) == (409, "BadgeGiverElsewhere")

    batch = give(programme, "gold", "1", "ada", "bob", "cyd")
    assert (batch.status_code, batch.json()["given"]) == (202, None)
    world.drain()
    after = told(programme, batch)
    assert (after["operation"]["state"], after["given"]) == ("confirmed", [ada_id, bob_id])
    assert [(one["member"], one["error"]) for one in after["refused"]] == [(cyd_id, "BadgesExhausted")]

    [badge] = ada.get("/v1/me/badges").json()["badges"]
    assert anyone.get(f"/v1/brands/cdnow/badges/{address}").json()["badges"] == [badge]
    assert anyone.get(f"/v1/brands/hanok/badges/{address}").json()["badges"] == []
    again = give(programme, "gold-2", "1", "ada")
    world.drain()
    refused = programme.brands["cdnow"].get(f"/v1/operations/{again.json()['operation']['id']}").json()
    assert (refused["state"], refused["error"]) == ("failed", "BadgeHeld")
    body = {"reference": "back", "definition": "1", "member": {"id": ada_id}}
    back = programme.brands["cdnow"].write("/v1/badges/withdrawals", body)
    assert back.status_code == 202, back.text
    world.drain()
    assert told(programme, back)["operation"]["state"] == "confirmed"
    assert ada.get("/v1/me/badges").json()["badges"] == []
    assert anyone.get("/v1/brands/cdnow/badges").json()["definitions"][0]["given"] == "2", "what came back counts"
