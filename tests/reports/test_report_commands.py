"""The commands, run as a process against the walk's mirror: their JSON, their sentences, their exit codes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

import api.audit_log.models  # noqa: F401 - the walk's databases have the log's tables, as every gateway's has
from chain.mirror import history
from chain.reports.liability import token_of
from chain.storage.database import writing
from tests.reports.conftest import Walked

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def deployments(walked: Walked, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the walk's deployment file."""
    folder = tmp_path_factory.mktemp("deployments")
    found = walked.deployment
    (folder / f"{found.chain_id}.json").write_text(
        json.dumps(
            {
                "chain_id": found.chain_id,
                "start_block": 0,
                "genesis_hash": found.genesis_hash,
                "contracts": {
                    name: {"address": one.address, "bytecode_hash": one.bytecode_hash}
                    for name, one in found.contracts.items()
                },
                "brands": {},
            }
        )
    )
    return folder


class Command:
    """`moa` with the walk's settings in its environment."""

    def __init__(self, walked: Walked, deployments: Path):
        url = walked.engine.url.render_as_string(hide_password=False)
        self._env = {
            **os.environ,
            "MOA_DATABASE_URL": url.replace("postgresql+psycopg", "postgresql"),
            "MOA_DEPLOYMENTS": str(deployments),
            "MOA_CHAIN_ID": str(walked.deployment.chain_id),
        }

    def __call__(self, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "scripts.cli", *words],
            env=self._env, capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip

    def json(self, *words: str) -> Any:
        done = self(*words, "--json")
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)


@pytest.fixture
def moa(walked: Walked, deployments: Path) -> Command:
    return Command(walked, deployments)


@pytest.mark.parametrize("walked", ["SQLite"], indirect=True)
@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("report", "liability", "--brand", "nobody"), "BrandUnknown"),
        (("report", "liability", "--brand", "99"), "TokenUnknown"),
        (("report", "liability", "--brand", "1", "--block", "99999999"), "HistoryNotAvailable"),
        (("report", "liability", "--brand", "1", "--time", "yesterday"), "no moment"),
        (("report", "liability", "--brand", "1", "--time", "2026-11-22"), "no offset"),
        (("report", "liability", "--brand", "1", "--time", "1"), "HistoryNotAvailable"),
        (("report", "liability", "--brand", "1", "--time", "1", "--block", "1"), "not both"),
        (("report", "roll-forward", "--brand", "1", "--from", "9", "--to", "8", "--price", "1"), "PeriodInvalid"),
        (("report", "roll-forward", "--brand", "1", "--from", "1", "--to", "8", "--price", "0.1"), "FractionInvalid"),
        (("report", "roll-forward", "--brand", "1", "--price", "1"), "PeriodUnclear"),
        (("report", "roll-forward", "--brand", "1", "--price", "1", "--month", "2026-03"), "PeriodUnclear"),
        (
            ("report", "roll-forward", "--brand", "1", "--price", "1", "--month", "2026-13", "--zone", "UTC"),
            "MonthInvalid",
        ),
        (
            ("report", "roll-forward", "--brand", "1", "--price", "1", "--month", "2000-01", "--zone", "UTC"),
            "HistoryNotAvailable",
        ),
        (("export", "check", "/nowhere"), "ExportInvalid"),
        (("export", "write", "/nowhere", "--format", "xlsx"), "csv, jsonl or parquet"),
    ],
)
def test_what_cannot_be_answered_ends_with_2_and_a_sentence(moa: Command, words: tuple[str, ...], told: str) -> None:
    """SPEC 15.1-15.10, 24.1, 24.2"""
    done = moa(*words)
    assert done.returncode == 2
    assert told in done.stderr
    assert done.stdout == ""
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("walked", ["SQLite", "PostgreSQL"], indirect=True)
def test_as_of_answers_agree_with_each_other(moa: Command, walked: Walked) -> None:
    """SPEC 15.1, 15.2"""
    with walked.looking() as connection:
        last = history.span(connection).last
    block = last.number - 7
    supply = {one["brand_id"]: one for one in moa.json("as-of", "supply", "--block", str(block))["tokens"]}
    for brand_id in (1, 2):
        told = moa.json("report", "liability", "--brand", str(brand_id), "--block", str(block))
        assert told["outstanding"] == supply[brand_id]["live"]
        assert told["block_number"] == block
    by_time = moa.json("as-of", "supply", "--time", str(last.time))
    assert by_time["block_hash"] == last.hash
    with walked.looking() as connection:
        owed = [
            {name: row[name] for name in ("debtor_id", "creditor_id", "outstanding")}
            for row in history.obligations(connection, last.number)
        ]
        held = {row["hold_id"] for row in history.holds(connection, last.number, states=("held",))}
    assert moa.json("as-of", "obligations")["obligations"] == owed
    debts = moa.json("as-of", "debts", "--block", str(block))["debts"]
    for brand_id in (1, 2, 3, 4):
        told = moa.json("report", "liability", "--brand", str(brand_id), "--block", str(block))
        assert sum(int(one["points"]) for one in debts if one["brand_id"] == brand_id) == int(told["owed"])
    assert {row["hold_id"] for row in moa.json("as-of", "holds")["holds"]} == held
    with walked.looking() as connection:
        account, _ = next(iter(history.accounts(connection, supply[1]["token"], block)))
    balances = moa.json("as-of", "balance", "--account", account.upper().replace("0X", "0x"), "--block", str(block))
    assert {one["brand_id"] for one in balances["balances"]} == set(supply)


@pytest.mark.parametrize("walked", ["SQLite", "PostgreSQL"], indirect=True)
def test_a_roll_forward_adds_up_and_an_export_gives_its_inputs_again(
    moa: Command, walked: Walked, tmp_path: Path
) -> None:
    """SPEC 15.5, 15.8, 15.9, 15.10"""
    with walked.looking() as connection:
        last = history.span(connection).last.number
    words = ("report", "roll-forward", "--brand", "1", "--from", str(last // 2), "--to", str(last), "--price", "3/10")
    told = moa.json(*words)
    assert told["adds_up"] is True
    money = {name: int(value) for name, value in told["money"].items()}
    came = money["deferred"] + money["renewed"]
    assert money["opening"] + came - money["taken_back"] - money["used"] - money["breakage"] == money["closing"]
    assert "adds up" in moa(*words).stdout

    folder = str(tmp_path / "out")
    written = moa.json("export", "write", folder, "--brand", "1")
    assert written["block"]["number"] == last
    assert moa.json("export", "check", folder) == {
        "adds_up": True,
        "block": written["block"],
        "signed_by": None,
        "problems": [],
    }
    assert moa.json("report", "recompute", folder, "--brand", "1")["cohorts"] == told["closing"]["cohorts"]
    with open(tmp_path / "out" / "balances.csv", "a") as file:
        file.write("x,y,1,1,1\r\n")
    done = moa("export", "check", folder)
    assert done.returncode == 1
    assert "balances.csv: sha256" in done.stdout


@pytest.fixture
def spoilt(walked: Walked) -> Iterator[int]:
    """An award of one point more in the entries than the lots know of: its block. As it was after the test."""
    change = text("UPDATE entry SET points = :points WHERE seq = :seq")
    with walked.looking() as connection:
        token = token_of(connection, 1, history.span(connection).last.number)["token"]
        award = text("SELECT max(seq) FROM entry WHERE kind = 'award' AND points <> '0' AND token = :token")
        seq = connection.execute(award, {"token": token}).scalar_one()
        found = text("SELECT points, block_number FROM entry WHERE seq = :seq")
        points, block = connection.execute(found, {"seq": seq}).one()
    with writing(walked.engine) as connection:
        connection.execute(change, {"points": str(int(points) + 1), "seq": seq})
    yield block
    with writing(walked.engine) as connection:
        connection.execute(change, {"points": points, "seq": seq})


def test_a_roll_forward_that_does_not_add_up_ends_with_1(moa: Command, spoilt: int) -> None:
    """SPEC 15.5, 11.12"""
    words = ("report", "roll-forward", "--brand", "1", "--price", "1", "--from", str(spoilt - 1), "--to", str(spoilt))
    shown, told = moa(*words), moa(*words, "--json")
    assert (shown.returncode, told.returncode) == (1, 1), shown.stderr + told.stderr
    assert "does NOT add up" in shown.stdout
    assert json.loads(told.stdout)["adds_up"] is False


@pytest.mark.parametrize("walked", ["SQLite"], indirect=True)
def test_a_database_that_is_not_there_is_told_so_and_not_made(moa: Command, tmp_path: Path) -> None:
    """SPEC 15.1"""
    missing = tmp_path / "missing.db"
    done = moa("as-of", "supply", "--database", f"sqlite:///{missing}")
    assert (done.returncode, missing.exists()) == (2, False)
    assert "there is no file" in done.stderr
    empty = tmp_path / "empty.db"
    empty.touch()
    done = moa("as-of", "supply", "--database", f"sqlite:///{empty}")
    assert (done.returncode, "Traceback" in done.stderr) == (2, False)
    assert "cannot be read" in done.stderr
