"""`moa log` and `moa witness` against a gateway that serves."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import httpx
import orjson
import pytest
from click.testing import Result
from sqlalchemy import text
from typer.testing import CliRunner

from chain.tlog.checkpoints import Checkpoint, open_checkpoint, unverified
from chain.tlog.errors import ProofInvalid
from chain.tlog.notes import Verifier, decode, encode
from chain.tlog.proofs import verify_consistency
from scripts.cli.app import app
from tests.api.auditors.test_log import LIES, acted, leaves, log_of, rewrite
from tests.api.conftest import Prepared, World, Worlds, served
from tests.api.conftest import prepared as prepared

pytestmark = pytest.mark.slow


@dataclass
class Outsider:
    """Where somebody outside sits: a gateway's address, the log's key as it was pinned, a folder."""

    world: World
    url: str
    key: Verifier
    folder: Path
    auditor: str

    def moa(self, *arguments: str, **environment: str) -> Result:
        """The command in this process: what it says and how it ends are the same, and it starts at once."""
        told = {"MOA_LOG_KEY": self.key.vkey, "MOA_GATEWAY_URL": self.url, **environment}
        if "MOA_DATABASE_URL" in environment:
            told.pop("MOA_GATEWAY_URL")
        return CliRunner().invoke(app, list(arguments), env=told)

    def witness(self, *more: str) -> Result:
        options = ["--name", "witness.example/w1", "--state", str(self.folder / "witness.json")]
        return self.moa(
            "witness",
            *options,
            "--keystore",
            str(self.folder / "witness.key"),
            *more,
            MOA_WITNESS_PASSWORD="hush",
        )


@pytest.fixture
def outsider(tmp_path: Path, prepared: Prepared) -> Iterator[Outsider]:
    """The gateway knows the witness whose key the command makes."""
    folder = tmp_path / "outside"
    folder.mkdir()
    bare = Outsider(None, "", Verifier("none", b"\0" * 32), folder, "")  # type: ignore[arg-type]
    vkey = bare.witness("--show-key").stdout.strip()
    worlds = Worlds(tmp_path, prepared)
    world = worlds(checkpoint_every=timedelta(0), refusal_window=timedelta(hours=1), log_witnesses=(vkey,))
    auditor = world.auditor()
    key = log_of(world)
    acted(world, 20)
    with served(world) as (url, _):
        yield Outsider(world, url, key, folder, auditor.key)
    worlds.end()


def grow(outsider: Outsider, acts: int) -> None:
    """More acts, put in order by the gateway that serves."""
    from api.audit_log.recording import record_now

    for number in range(acts):
        record_now(outsider.world.database, "export.made", actor="gateway", what="more", rows=number)
    for _ in range(200):
        if outsider.world.rows("SELECT COUNT(*) FROM act_pending") == [(0,)]:
            break
        time.sleep(0.05)


def signed(outsider: Outsider) -> Checkpoint:
    """The newest checkpoint, once it is of all acts: one has its place a moment before it is signed."""
    for _ in range(200):
        found = unverified(outsider.moa("log", "checkpoint").stdout)
        waiting = outsider.world.rows("SELECT COUNT(*) FROM act_pending")[0][0]
        if waiting == 0 and outsider.world.rows("SELECT size FROM log_state") == [(found.size,)]:
            return found
        time.sleep(0.05)
    raise AssertionError("the gateway signs no more")


def test_an_outsider_keeps_checkpoints_and_proves_entries(outsider: Outsider) -> None:
    """SPEC 14.7"""
    kept, proof = outsider.folder / "kept.note", outsider.folder / "proof.json"

    assert outsider.moa("log", "checkpoint", "--out", str(kept)).exit_code == 0
    made = outsider.moa("log", "prove", "5", "--out", str(proof), MOA_KEY=outsider.auditor)
    assert made.exit_code == 0, made.stderr
    held = outsider.moa("log", "verify", str(proof))
    grow(outsider, 3)
    whole = outsider.moa("log", "verify", "--since", str(kept), "--full", "--json", MOA_KEY=outsider.auditor)
    listed = outsider.moa("log", "list", "--act", "export.made", "--limit", "1000", "--json", MOA_KEY=outsider.auditor)

    assert open_checkpoint(kept.read_text(), outsider.key).size >= 20
    assert (held.exit_code, "Entry 5" in held.stdout) == (0, True)
    told = orjson.loads(whole.stdout)
    assert (whole.exit_code, told["faults"], told["entries"]) == (0, [], told["size"])
    assert len(listed.stdout.splitlines()) == 23
    altered = orjson.loads(proof.read_bytes())
    altered["entry"] = altered["entry"].replace('"version":1', '"version":2')
    proof.write_bytes(orjson.dumps(altered))
    assert outsider.moa("log", "verify", str(proof)).exit_code == 1
    assert outsider.moa("log", "list").exit_code == 4, "entries need an auditor's key"
    assert outsider.moa("log", "verify", "--log-key", "nonsense").exit_code == 1
    assert outsider.moa("log", "verify", MOA_GATEWAY_URL="http://127.0.0.1:9").exit_code == 4


def test_newest_checkpoint_is_told_as_json_beside_the_note(outsider: Outsider) -> None:
    """SPEC 11.12"""
    kept = outsider.folder / "kept.note"

    told = orjson.loads(outsider.moa("log", "checkpoint", "--json", "--out", str(kept)).stdout)

    seen = open_checkpoint(kept.read_text(), outsider.key)
    assert told["note"] == kept.read_text()
    assert (told["origin"], told["size"], told["root"]) == (seen.origin, seen.size, encode(seen.root))
    assert told["verified"] is True
    alone = outsider.moa("log", "checkpoint", "--json")
    assert orjson.loads(alone.stdout).keys() == told.keys()
    failed = outsider.moa("log", "checkpoint", "--json", MOA_GATEWAY_URL="http://127.0.0.1:9")
    assert (failed.exit_code, orjson.loads(failed.stdout)["error"]) == (4, "SourceFailed")


def test_proof_that_the_log_only_grew_is_written_out_for_anyone(outsider: Outsider) -> None:
    """SPEC 14.7, 14.1: as the gateway's route tells it, from the gateway and from the database alike."""
    before = signed(outsider)
    grow(outsider, 7)
    newest = signed(outsider)
    path = outsider.folder / "growth.json"
    in_database = {"MOA_DATABASE_URL": outsider.world.settings.database_url}

    made = outsider.moa("log", "prove", "--since", str(before.size), "--out", str(path))

    assert made.exit_code == 0, made.stderr
    told = orjson.loads(path.read_bytes())
    assert (told["old"], told["size"]) == (before.size, newest.size) == (before.size, before.size + 7)
    proof = [decode(one) for one in told["proof"]]
    assert proof
    verify_consistency(before.size, newest.size, proof, before.root, newest.root)
    assert (decode(told["old_root"]), decode(told["root"])) == (before.root, newest.root)
    for altered in (proof[1:], [*proof, proof[0]], [proof[0][::-1], *proof[1:]]):
        with pytest.raises(ProofInvalid):
            verify_consistency(before.size, newest.size, altered, before.root, newest.root)
    route = httpx.get(f"{outsider.url}/v1/log/proof/consistency", params={"old": before.size, "size": newest.size})
    assert route.json() == told
    assert orjson.loads(outsider.moa("log", "prove", "--since", str(before.size), **in_database).stdout) == told
    for since in (0, 1, newest.size):
        assert outsider.moa("log", "prove", "--since", str(since)).exit_code == 0
    beyond = outsider.moa("log", "prove", "--since", str(newest.size + 1))
    assert (beyond.exit_code, f"{newest.size} signed entries" in beyond.stderr) == (2, True)
    assert outsider.moa("log", "prove").exit_code == 2
    assert outsider.moa("log", "prove", "3", "--since", "2").exit_code == 2


def test_proof_of_growth_that_does_not_hold_is_not_handed_out(outsider: Outsider) -> None:
    """SPEC 14.2"""
    before = signed(outsider)
    grow(outsider, 7)
    assert signed(outsider).size == before.size + 7
    outsider.world.run("UPDATE log_tile SET hashes = zeroblob(length(hashes)) WHERE level = 0")
    path = outsider.folder / "growth.json"

    made = outsider.moa("log", "prove", "--since", str(before.size), "--out", str(path))

    assert (made.exit_code, "Traceback" in made.output, path.exists()) == (1, False, False), made.output


def test_witness_follows_then_names_the_fork(outsider: Outsider) -> None:
    """SPEC 14.12"""
    first = outsider.witness("--once")
    grow(outsider, 4)
    second = outsider.witness("--once")
    assert (first.exit_code, second.exit_code) == (0, 0), first.stderr + second.stderr
    assert outsider.world.rows("SELECT COUNT(*) FROM log_cosignature") == [(2,)]
    shown = outsider.moa("log", "checkpoint").stdout
    assert shown.count("— ") == 2
    kept = outsider.folder / "kept.note"
    kept.write_text(shown)

    rewrite(outsider.world, LIES["rewritten"](leaves(outsider.world)))
    grow(outsider, 5)
    third = outsider.witness("--once")

    assert third.exit_code == 3
    assert "is forked" in third.stderr
    fork = outsider.folder / "witness.json.fork.json"
    verified = outsider.moa("log", "verify", str(fork))
    assert (verified.exit_code, "Proof of fraud" in verified.stdout) == (3, True)
    assert outsider.moa("verify", str(fork)).exit_code == 3
    again = outsider.folder / "again.json"
    found = outsider.moa("log", "verify", "--since", str(kept), "--fork", str(again))
    assert (found.exit_code, again.exists()) == (3, True)
    assert outsider.world.rows("SELECT COUNT(*) FROM log_cosignature") == [(2,)]


def test_members_salt_is_destroyed_by_command(outsider: Outsider) -> None:
    """SPEC 14.11"""
    with outsider.world.database.write() as session:
        session.execute(text("INSERT INTO act_salt (member_id, salt) VALUES ('mem_x', 'aa')"))

    done = outsider.moa("log", "forget", "mem_x", MOA_DATABASE_URL=outsider.world.settings.database_url)
    again = outsider.moa("log", "forget", "mem_x", MOA_DATABASE_URL=outsider.world.settings.database_url)

    assert (done.stdout, again.stdout) == ("The salt is destroyed.\n", "There was none.\n")
    assert outsider.world.rows("SELECT COUNT(*) FROM act_salt WHERE member_id = 'mem_x'") == [(0,)]


def test_what_is_named_on_the_command_line_is_meant(outsider: Outsider) -> None:
    """SPEC 14.13: a database in the environment is there for other commands."""
    elsewhere = {"MOA_LOG_KEY": outsider.key.vkey, "MOA_DATABASE_URL": "sqlite:////nowhere/at/all.db"}
    spoken = CliRunner().invoke(app, ["log", "verify", "--url", outsider.url], env=elsewhere)
    past = CliRunner().invoke(
        app, ["log", "verify", "--database", outsider.world.settings.database_url],
        env={"MOA_LOG_KEY": outsider.key.vkey, "MOA_GATEWAY_URL": "http://127.0.0.1:9"},
    )  # fmt: skip
    both = CliRunner().invoke(app, ["log", "verify", "--url", outsider.url, "--database", "sqlite:///x"], env=elsewhere)

    assert (spoken.exit_code, past.exit_code, both.exit_code) == (0, 0, 2), (spoken.output, past.output)
