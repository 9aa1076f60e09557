"""`moa corrections` against a gateway that serves: the owner's key signs where the command runs (SPEC 26.11)."""

from __future__ import annotations

import json
from typing import Any

from typer.testing import CliRunner

from scripts.cli.app import app
from tests.api.auth.test_access import acts
from tests.api.conftest import World, served
from tests.api.corrections.test_corrections import OWNER, REASON, kinds, second
from tests.api.corrections.test_corrections import chain as chain
from tests.api.corrections.test_corrections import world as world

runner = CliRunner()


def test_points_by_hand_from_the_command_line(world: World) -> None:
    """SPEC 26.11, 26.10"""
    other = second(world)
    with served(world) as (url, _):

        def moa(*arguments: str, key: str = world.brand.key, **environment: str) -> tuple[int, Any]:
            found = runner.invoke(
                app,
                ["corrections", *arguments, "--json"],
                env={"MOA_GATEWAY": url, "MOA_BRAND_KEY": key, **environment},
            )
            return found.exit_code, json.loads(found.stdout) if found.exit_code == 0 else found.output

        code, [asked] = moa("ask", "case-1", "m-1", "600", REASON)
        assert (code, asked["state"]) == (0, "waiting")
        code, [shown] = moa("show", asked["id"])
        assert (shown["reason"], shown["to_sign"]["message"]["baseAmount"]) == (REASON, "600")
        owner, stranger = ({"MOA_OWNER_KEY": "0x" + one.hex()} for one in (OWNER.secret, b"\x0b" * 32))
        assert "SecondSignerSame" in moa("approve", asked["id"], **owner)[1]
        assert "RoleMissing" in moa("approve", asked["id"], key=other.key, **stranger)[1]
        assert moa("approve", asked["id"], key=other.key, MOA_OWNER_KEY="0x12")[0] == 2
        assert kinds(world) == []

        code, [approved] = moa("approve", asked["id"], key=other.key, **owner)

        assert (code, approved["state"], kinds(world)) == (0, "asked", ["correct"])
        assert moa("approve", asked["id"], key=other.key, **owner)[0] == 2, "nothing is to be signed any more"
        _, [one] = moa("ask", "case-2", "m-1", "600", REASON)
        assert moa("withdraw", one["id"])[1][0]["state"] == "withdrawn"
        _, [two] = moa("ask", "case-3", "m-1", "600", REASON)
        assert moa("refuse", two["id"], key=other.key)[1][0]["state"] == "refused"
        assert {one["state"] for one in moa("list")[1]} == {"asked", "withdrawn", "refused"}
        assert [one["reference"] for one in moa("list", "--state", "refused")[1]] == ["case-3"]
        assert moa("show", "cor_" + "0" * 32)[0] == 1
        plain = runner.invoke(app, ["corrections", "list", "--url", url, "--key", world.brand.key])
        assert (plain.exit_code, "case-3" in plain.output) == (0, True)
        assert runner.invoke(app, ["corrections", "list", "--url", "http://127.0.0.1:9", "--key", "x"]).exit_code == 2
    done = ("correction.asked", "correction.approved", "correction.refused", "correction.withdrawn")
    assert [len(acts(world, act)) for act in done] == [3, 1, 1, 1]
