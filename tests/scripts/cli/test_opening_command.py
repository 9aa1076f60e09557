"""`moa opening`: from a table of old balances to root, schedule and proofs, and what is no such table or file."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from chain.contracts.opening_file import read
from chain.model import merkle
from chain.model.openings import Line
from scripts.cli.app import app

ANN, BOB, CLARE = (f"0x{digit * 40}" for digit in "abc")
TABLE = f"member,expiry_epoch,points\n{ANN},6,100\n{BOB},11,250\n{ANN},9,1000\n{ANN},6,5\n{CLARE},6,1\n"
runner = CliRunner()


def run(*arguments: object) -> tuple[int, str]:
    """Exit code and output of `moa opening …`."""
    found = runner.invoke(app, ["opening", *(str(each) for each in arguments)])
    return found.exit_code, found.output


@pytest.fixture
def file(tmp_path: Path) -> Path:
    (tmp_path / "balances.csv").write_text(TABLE)
    code, said = run("make", tmp_path / "balances.csv", "--out", tmp_path / "opening.jsonl")
    assert code == 0, said
    return tmp_path / "opening.jsonl"


def test_a_table_becomes_a_file_with_root_and_schedule(file: Path) -> None:
    """SPEC 16.1, 11.12"""
    code, said = run("show", file, "--json")
    found = read(file.read_bytes())

    assert code == 0
    told = json.loads(said)
    assert told["root"] == found.root
    assert told["file_hash"] == found.file_hash
    assert told["schedule"] == {"6": "106", "9": "1000", "11": "250"}
    assert told["points"] == "1356"
    assert [line.member for line in found.lines] == [ANN, BOB, CLARE]


def test_a_members_proof_leads_to_the_root(file: Path) -> None:
    """SPEC 16.8"""
    for asked in (("--line", 1), ("--member", "0x" + "B" * 40)):
        code, said = run("proof", file, *asked, "--json")

        assert code == 0
        (told,) = json.loads(said)
        line = Line(told["index"], told["member"], tuple(int(word) for word in told["lots"]))
        siblings = [bytes.fromhex(node[2:]) for node in told["proof"]]
        assert line.member == BOB
        assert "0x" + merkle.root_of(line.leaf(), siblings).hex() == told["root"]


def test_a_batch_brings_one_proof_for_all_its_lines(file: Path) -> None:
    """SPEC 16.11"""
    code, said = run("batch", file, "--from", 1, "--count", 2)

    assert code == 0
    told = json.loads(said)
    leaves = [Line(each["index"], each["member"], tuple(map(int, each["lots"]))).leaf() for each in told["lines"]]
    siblings = [bytes.fromhex(node[2:]) for node in told["proof"]]
    root = merkle.root_of_many(leaves, siblings, told["flags"])
    assert root is not None
    assert "0x" + root.hex() == read(file.read_bytes()).root


@pytest.mark.parametrize(
    "table",
    [
        "",
        "member,expiry_epoch,points\n",
        "who,expiry_epoch,points\n" + f"{ANN},6,100\n",
        f"member,expiry_epoch,points\n{ANN},6,0\n",
        f"member,expiry_epoch,points\n{ANN},six,1\n",
        f"member,expiry_epoch,points\n{ANN},6,1.5\n",
        f"member,expiry_epoch,points\n{ANN[:-1]},6,1\n",
        f"member,expiry_epoch,points\n{ANN},6\n",
        f"member,expiry_epoch,points\n{ANN},6,{2**48}\n",
        f"member,expiry_epoch,points\n{ANN},6,1\n{BOB},26,1\n",
    ],
)
def test_what_is_no_table_makes_no_file(tmp_path: Path, table: str) -> None:
    """SPEC 16.1"""
    (tmp_path / "balances.csv").write_text(table)

    code, said = run("make", tmp_path / "balances.csv", "--out", tmp_path / "opening.jsonl")

    assert code == 2, said
    assert "ArgumentInvalid" in said
    assert not (tmp_path / "opening.jsonl").exists()


def test_a_file_is_not_overwritten_and_an_unknown_line_is_refused(file: Path) -> None:
    """SPEC 16.1"""
    before = file.read_bytes()

    assert run("make", file.with_name("balances.csv"), "--out", file)[0] == 2
    assert file.read_bytes() == before
    nobody = "0x" + "d" * 40
    for wrong in (("--line", 3), ("--member", nobody), ("--member", "0x12"), (), ("--line", 0, "--member", ANN)):
        assert run("proof", file, *wrong)[0] == 2
    assert run("batch", file, "--from", 3)[0] == 2
    file.write_bytes(before[:-1])
    assert run("show", file)[0] == 2
