"""Old points from a brand's table to its members' balances on Ganache: committed by the owner, claimed, mirrored."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest
from typer.testing import CliRunner

from scripts.cli.app import app
from tests.chain.conftest import CDNOW, OnChain

pytestmark = pytest.mark.slow

LINES = 120
DAY_S = 86_400
runner = CliRunner()


def run(*arguments: object) -> tuple[int, str]:
    """Exit code and output of `moa opening …`."""
    found = runner.invoke(app, ["opening", *(str(each) for each in arguments)])
    return found.exit_code, found.output


@pytest.fixture
def file(tmp_path: Path, world: OnChain) -> Path:
    """Ada has old points of two ages, and so many strangers some of one."""
    ada = world.member("ada")
    table = [f"{ada},4,1000", f"{ada},9,250", *(f"0x{number:040x},7,{number}" for number in range(1, LINES))]
    (tmp_path / "old.csv").write_text("member,expiry_epoch,points\n" + "\n".join(table) + "\n")
    code, said = run("make", tmp_path / "old.csv", "--out", tmp_path / "opening.jsonl")
    assert code == 0, said
    return tmp_path / "opening.jsonl"


def node(world: OnChain) -> list[object]:
    """How a command finds the contracts."""
    chain_id = world.deployment.chain_id
    return ["--rpc", world.node.url, "--chain-id", chain_id, "--deployments", world.deployments]


def test_a_file_is_committed_by_the_owner_and_claimed_by_the_relayer_once(world: OnChain, file: Path) -> None:
    """SPEC 16.13, 16.14"""
    _operator, owner, stranger = world.rpc.call("eth_accounts")[:3]
    end = int(time.time()) + 30 * DAY_S
    asked = ["commit", file, "--brand", CDNOW, "--end", end, *node(world)]
    height = world.rpc.call("eth_blockNumber")

    assert run(*asked)[0] == 2, "nobody commits it"
    for wrong, error in ((["--owner", stranger], "RoleMissing"), (["--owner", owner, "--start", end], "OpeningTerms")):
        code, said = run(*asked, *wrong)
        assert (code, error in said) == (2, True), said
    assert world.rpc.call("eth_blockNumber") == height, "what is refused is not sent"
    code, said = run(*asked, "--owner", owner, "--json")
    assert code == 0, said
    opening = json.loads(said)["opening"]

    claim = ["claim", file, "--brand", CDNOW, "--opening", opening, "--database", world.engine.url, *node(world)]
    for _ in range(2):
        code, said = run(*claim, "--json")
        assert code == 0, said
        assert json.loads(said) == {"lines": LINES, "claims": 2}
    world.drain()

    assert world.rows("SELECT kind, state FROM operation") == [("claim", "confirmed")] * 2
    assert world.balance_on_chain("ada") == world.balance_in_mirror("ada") == 1_250
    entries = world.rows("SELECT account, points FROM entry WHERE kind = 'opening'")
    assert len(entries) == LINES
    assert sum(int(points) for _, points in entries) == 1_250 + LINES * (LINES - 1) // 2
    assert world.count("entry", "kind = 'mint'") == 0


def test_another_file_than_the_committed_one_is_not_claimed(world: OnChain, file: Path, tmp_path: Path) -> None:
    """SPEC 16.14"""
    owner = world.rpc.call("eth_accounts")[1]
    end = int(time.time()) + DAY_S
    code, said = run("commit", file, "--brand", CDNOW, "--end", end, "--owner", owner, "--json", *node(world))
    assert code == 0, said
    (tmp_path / "other.csv").write_text(f"member,expiry_epoch,points\n{world.member('ada')},4,999999\n")
    run("make", tmp_path / "other.csv", "--out", tmp_path / "other.jsonl")

    for opening, wanted in ((json.loads(said)["opening"], "root"), (77, "OpeningUnknown")):
        asked = ["--brand", CDNOW, "--opening", opening, "--database", world.engine.url, *node(world)]
        code, told = run("claim", tmp_path / "other.jsonl", *asked)
        assert (code, wanted in told) == (2, True), told
    assert world.count("operation") == 0
