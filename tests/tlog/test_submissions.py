"""C2SP's tlog-witness: what a witness is sent, and what it answers; and the paths of tlog-tiles."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.testclient import TestClient

from chain.storage.keystore import LocalKeystore
from chain.tlog import notes
from chain.tlog.checkpoints import Block, Checkpoint, unverified
from chain.tlog.cosignatures import cosignature
from chain.tlog.errors import SubmissionMalformed
from chain.tlog.forks import Fork
from chain.tlog.hashes import EMPTY_ROOT, leaf_hash
from chain.tlog.notes import KeySigner, Note, encode
from chain.tlog.places import Place, place_of
from chain.tlog.submissions import PROOF_LINES_MAX, SUBMISSION_BYTES_MAX, Submission, told
from chain.tlog.tiles import TILE_WIDTH
from chain.tlog.tree import naive_root
from scripts.cli.log.errors import SourceFailed
from scripts.cli.log.submitting import submitted
from scripts.cli.log.witness import Witness
from scripts.cli.log.witness_server import application
from tests.tlog.test_forks import LIES, TRUE, of
from tests.tlog.test_notes import BLOCK, LOG, ORIGIN, OTHER, signer
from tests.tlog.test_tree import rfc_consistency

ROOT = Path(__file__).resolve().parents[2]
NEXT_KEY = signer(ORIGIN, 7)
HASH = encode(leaf_hash(b"any"))


@pytest.fixture
def witness(tmp_path: Path) -> Witness:
    return Witness.of(LocalKeystore(b"\x09" * 32), name="witness.example/w1", state=tmp_path / "witness.json")


@pytest.fixture
def client(witness: Witness) -> Iterator[TestClient]:
    with TestClient(application(witness, [LOG.verifier, NEXT_KEY.verifier])) as client:
        yield client


def asked(client: TestClient, old: int, checkpoint: Checkpoint, *proof: bytes, by: KeySigner = LOG) -> httpx.Response:
    """The answer to a checkpoint that was submitted as grown from `old`."""
    return client.post("/add-checkpoint", content=told(old, proof, checkpoint.signed(by)).encode())


def grown(client: TestClient, old: int, size: int, hashes: list[bytes] = TRUE) -> httpx.Response:
    return asked(client, old, of(hashes, size), *rfc_consistency(old, hashes[:size]) if 0 < old < size else ())


def test_a_log_that_grows_is_cosigned_and_remembered_first(client: TestClient, witness: Witness) -> None:
    """SPEC 14.18, 14.12"""
    for old, size in ((0, 5), (5, 5), (5, 12), (12, 17), (17, 20)):
        answer = grown(client, old, size)
        assert answer.status_code == 200
        assert answer.text.count("\n") == 1
        note = Note.parse(of(TRUE, size).signed(LOG) + answer.text)
        assert cosignature(note, witness.signer.verifier) is not None
        with witness.memory() as memory:
            assert memory[ORIGIN] == {"size": size, "note": of(TRUE, size).signed(LOG)}


def test_the_proof_begins_with_the_size_that_was_seen_last(client: TestClient, witness: Witness) -> None:
    """SPEC 14.18"""
    for seen, olds in ((0, (3, 5)), (5, (0, 4, 6, 12))):
        if seen:
            assert grown(client, 0, seen).status_code == 200
        for old in olds:
            answer = grown(client, old, 12)
            assert (answer.status_code, answer.text) == (409, f"{seen}\n"), (seen, old)
            assert answer.headers["content-type"] == "text/x.tlog.size"
    with witness.memory() as memory:
        assert memory[ORIGIN]["size"] == 5


@pytest.mark.parametrize("lie", LIES)
def test_another_tree_is_never_cosigned_and_kept_as_a_fork(client: TestClient, witness: Witness, lie: str) -> None:
    """SPEC 14.18, 14.13"""
    assert grown(client, 0, 5).status_code == 200
    remembered = witness.state.read_bytes()

    same_size, more = grown(client, 5, 5, LIES[lie]), grown(client, 5, 17, LIES[lie])

    assert (same_size.status_code, same_size.text) == (409, "5\n")
    assert more.status_code == 422
    assert witness.state.read_bytes() == remembered
    kept = Fork.from_json(witness.state.with_name("witness.json.fork.json").read_bytes())
    assert kept.check(LOG.verifier).startswith(ORIGIN)
    assert unverified(kept.newer).size == 17


def test_two_hashes_of_one_block_are_not_cosigned(client: TestClient, witness: Witness) -> None:
    """SPEC 14.18, 14.13"""
    assert asked(client, 0, of(TRUE, 5, BLOCK.told())).status_code == 200

    answer = asked(client, 5, of(TRUE, 7, replace(BLOCK, hash="0x" + "cd" * 32).told()), *rfc_consistency(5, TRUE[:7]))

    assert answer.status_code == 422
    assert "block 4711" in answer.text
    kept = Fork.from_json(witness.state.with_name("witness.json.fork.json").read_bytes())
    assert "block 4711" in kept.check(LOG.verifier)
    other = Block(BLOCK.chain_id, BLOCK.number + 1, "0x" + "cd" * 32)
    assert asked(client, 5, of(TRUE, 7, other.told()), *rfc_consistency(5, TRUE[:7])).status_code == 200


def test_a_proof_that_does_not_lead_there_is_unprocessable(client: TestClient) -> None:
    """SPEC 14.18"""
    right = rfc_consistency(5, TRUE[:12])
    assert asked(client, 0, of(TRUE, 5), leaf_hash(b"one too many")).status_code == 422
    assert grown(client, 0, 5).status_code == 200
    for proof in ([], right[:-1], [*right, right[-1]], right[::-1], [leaf_hash(b"x"), *right[1:]]):
        assert asked(client, 5, of(TRUE, 12), *proof).status_code == 422
    assert asked(client, 5, of(TRUE, 5), *right[:1]).status_code == 422
    assert asked(client, 5, of(TRUE, 12), *right).status_code == 200


def test_whose_checkpoint_it_is_decides_before_what_it_says(client: TestClient, witness: Witness) -> None:
    """SPEC 14.18"""
    unknown = replace(of(TRUE, 5), origin=OTHER.verifier.name)
    namesake = signer(ORIGIN, 99)
    forged = of(TRUE, 5).signed(LOG).replace("\n5\n", "\n6\n")

    assert asked(client, 3, unknown, by=OTHER).status_code == 404
    assert asked(client, 3, of(TRUE, 5), by=namesake).status_code == 403
    assert client.post("/add-checkpoint", content=told(0, (), forged).encode()).status_code == 403
    signed_by_another = notes.sign(unknown.text(), LOG)
    assert client.post("/add-checkpoint", content=told(0, (), signed_by_another).encode()).status_code == 404
    both = notes.sign(of(TRUE, 5).text(), OTHER, LOG)
    assert not witness.state.exists()
    assert client.post("/add-checkpoint", content=told(0, (), both).encode()).status_code == 200


def test_a_new_key_of_the_log_goes_on_where_the_old_one_ended(client: TestClient) -> None:
    """SPEC 14.18, 14.14"""
    assert asked(client, 0, of(TRUE, 5)).status_code == 200
    assert asked(client, 5, of(TRUE, 12), *rfc_consistency(5, TRUE[:12]), by=NEXT_KEY).status_code == 200
    assert grown(client, 12, 17).status_code == 200


def test_a_tree_without_entries_is_cosigned_too(client: TestClient) -> None:
    """SPEC 14.18"""
    assert asked(client, 0, Checkpoint(ORIGIN, 0, EMPTY_ROOT)).status_code == 200
    assert grown(client, 0, 5).status_code == 200


GOOD = told(5, rfc_consistency(5, TRUE[:12]), of(TRUE, 12).signed(LOG))


@pytest.mark.parametrize(
    "body",
    [
        "",
        "old 5",
        "old 5\n\n",
        GOOD.replace("old 5", "old 05"),
        GOOD.replace("old 5", "old +5"),
        GOOD.replace("old 5", "old  5"),
        GOOD.replace("old 5", "old 5 "),
        GOOD.replace("old 5", "Old 5"),
        GOOD.replace("old 5", "old ٥"),
        GOOD.replace("old 5", "old -1"),
        GOOD.replace("old 5", "old 13"),
        GOOD.replace("old 5", "old 9223372036854775808"),
        GOOD.replace("old 5\n", ""),
        GOOD.replace("old 5\n", "old 5\n\n"),
        GOOD.replace("old 5\n", "old 5\nAAAA\n"),
        GOOD.replace("old 5\n", "old 5\nnot base64\n"),
        GOOD.replace("\n", "\r\n"),
        GOOD[:-1],
        GOOD + "\n",
        GOOD.replace("\n12\n", "\n012\n"),
        GOOD.replace("old 5\n", "old 5\n" + f"{HASH}\n" * PROOF_LINES_MAX),
        GOOD + "x" * SUBMISSION_BYTES_MAX,
        "old 5\n\n" + "x\n" * 3 + "\n— a AAAAAAA=\n",
    ],
)
def test_what_is_no_submission_is_a_bad_request(client: TestClient, witness: Witness, body: str) -> None:
    """SPEC 14.18"""
    assert Submission.parse(GOOD.encode()).told() == GOOD
    with pytest.raises(SubmissionMalformed):
        Submission.parse(body.encode())
    assert client.post("/add-checkpoint", content=body.encode()).status_code == 400
    assert not witness.state.exists()


def test_other_bytes_methods_and_paths_are_refused(client: TestClient) -> None:
    """SPEC 14.18"""
    assert client.post("/add-checkpoint", content=b"old 5\n\n\xff").status_code == 400
    assert client.get("/add-checkpoint").status_code == 405
    assert client.put("/add-checkpoint", content=GOOD.encode()).status_code == 405
    assert client.post("/other", content=GOOD.encode()).status_code == 404


@given(st.binary(max_size=300))
def test_any_bytes_are_read_or_refused_by_name(body: bytes) -> None:
    """SPEC 14.18"""
    for one in (body, b"old 5\n" + body, b"old 5\n\n" + body):
        with pytest.raises(SubmissionMalformed):
            Submission.parse(one)


def test_a_witness_that_is_busy_says_so(client: TestClient, witness: Witness) -> None:
    """SPEC 14.18"""
    with witness.memory():
        assert grown(client, 0, 5).status_code == 503
    assert grown(client, 0, 5).status_code == 200


class Shown:
    """A log at a size, as `moa log submit` reads it."""

    def __init__(self, size: int) -> None:
        self.size = size

    def checkpoint(self) -> str:
        return of(TRUE, self.size).signed(LOG)

    def consistency(self, old: int, size: int) -> tuple[bytes, list[bytes]]:
        return naive_root(TRUE[:old]), rfc_consistency(old, TRUE[:size])

    def entries(self, start: int, end: int) -> list[str]:
        raise NotImplementedError

    def inclusion(self, index: int, size: int) -> tuple[bytes, list[bytes]]:
        raise NotImplementedError


def test_a_log_learns_the_size_and_is_cosigned(client: TestClient, witness: Witness) -> None:
    """SPEC 14.18"""
    for size in (5, 12, 12, 20):
        note = submitted(Shown(size), "http://testserver/", client)
        assert Checkpoint.parse(Note.parse(note).text) == of(TRUE, size)
        assert cosignature(Note.parse(note), witness.signer.verifier) is not None
    with pytest.raises(SourceFailed, match="409"):
        submitted(Shown(12), "http://testserver", client)


def test_the_command_listens_where_it_says(tmp_path: Path) -> None:
    """SPEC 14.18"""
    env = {**os.environ, "PYTHONPATH": str(ROOT), "MOA_WITNESS_PASSWORD": "x", "MOA_WITNESS_NAME": "witness.example/w1"}
    words = ("--keystore", str(tmp_path / "key"), "--state", str(tmp_path / "seen.json"), "--listen", "127.0.0.1:0")
    command = [sys.executable, "-m", "scripts.cli", "witness", *words, "--log-key", LOG.verifier.vkey]
    with subprocess.Popen(command, cwd=ROOT, env=env, stdout=subprocess.PIPE, text=True) as running:
        try:
            assert running.stdout is not None
            address = re.fullmatch(
                r"listening at (http://127\.0\.0\.1:\d+/add-checkpoint)\n", running.stdout.readline()
            )
            assert address
            body = told(0, (), of(TRUE, 5).signed(LOG))
            answer = httpx.post(address[1], content=body.encode(), timeout=30, trust_env=False)
            assert (answer.status_code, answer.text[:2]) == (200, "— ")
            answer = httpx.post(address[1], content=body.encode(), timeout=30, trust_env=False)
            assert (answer.status_code, answer.text) == (409, "5\n")
            assert answer.headers["content-type"] == "text/x.tlog.size"
        finally:
            running.terminate()
            running.wait(20)


# Paths of tiles


@pytest.mark.parametrize(
    ("number", "path"), [(0, "000"), (999, "999"), (1_000, "x001/000"), (1_234_067, "x001/x234/067")]
)
def test_a_tiles_path_is_the_specifications(number: int, path: str) -> None:
    """SPEC 14.17"""
    assert Place(number, TILE_WIDTH).told() == path
    assert place_of(path) == Place(number, TILE_WIDTH)
    assert place_of(f"{path}.p/7") == Place(number, 7)
    assert place_of(f"x000/{path}") is None


@given(st.integers(0, 2**63 - 1), st.integers(1, TILE_WIDTH))
def test_every_tile_has_one_path(number: int, width: int) -> None:
    """SPEC 14.17"""
    path = Place(number, width).told()

    assert place_of(path) == Place(number, width)
    for other in (f"x000/{path}", f"0{path}", path.replace("x", "X", 1), f"{path}/", f"{path}\n", f"/{path}"):
        assert other == path or place_of(other) is None


@given(st.text("x0123456789/.p", max_size=24))
def test_a_path_that_is_read_is_the_one_that_is_told(path: str) -> None:
    """SPEC 14.17"""
    found: Any = place_of(path)
    assert found is None or found.told() == path
