"""The log by HTTP and by database: proofs hold, and what is cut, moved or changed is caught from two checkpoints.

The lies are planted straight into the database, by somebody who has the log's key too and recomputes every hash.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest
from sqlalchemy import text

from api.audit_log.keys import log_signers
from api.audit_log.loop import sequencer_of
from api.audit_log.recording import record
from api.audit_log.sequencer import drain
from api.kit.container import State
from chain.tlog.checkpoints import Checkpoint, open_checkpoint
from chain.tlog.cosignatures import cosignature
from chain.tlog.errors import LogForked
from chain.tlog.forks import Fork
from chain.tlog.hashes import leaf_hash
from chain.tlog.notes import Note, Verifier, decode
from chain.tlog.places import Place
from chain.tlog.proofs import verify_consistency, verify_inclusion
from chain.tlog.tiles import Tiles, append
from chain.tlog.tree import root
from scripts.cli.log.checking import check, grew
from scripts.cli.log.errors import MemoryUnreadable, SourceFailed
from scripts.cli.log.sources import DatabaseLog
from scripts.cli.log.witness import KEY_REF, Witness
from tests.api.conftest import World, new_gateway, settings_in

NOW = timedelta(0)
LATER = timedelta(hours=1)


@pytest.fixture
def world(migrated: str, tmp_path: Path) -> Iterator[World]:
    """A gateway whose log is put in order by the test alone, and that knows one witness."""
    witness = Witness.of(keystore(), name="witness.example/w1", state=tmp_path / "none.json").signer.verifier
    settings = replace(
        settings_in(tmp_path, migrated), checkpoint_every=NOW, refusal_window=LATER, log_witnesses=(witness.vkey,)
    )
    with new_gateway(settings) as made:
        yield made


@pytest.fixture
def source(world: World) -> Iterator[DatabaseLog]:
    """The log as it lies in the database."""
    opened = DatabaseLog(world.settings.database_url)
    yield opened
    opened.close()


SQLITE = pytest.mark.parametrize("migrated", ["sqlite"], indirect=True)


def keystore() -> Any:
    from chain.storage.keystore import LocalKeystore

    return LocalKeystore(b"\x09" * 32)


def state_of(world: World) -> State:
    state: State = world.app.state.moa
    return state


def log_of(world: World) -> Verifier:
    state = state_of(world)
    return log_signers(state.keystore, origin=state.log_origin, number=0)[0].verifier


def acted(world: World, count: int) -> str:
    """So many acts more, in their places and signed; the checkpoint."""
    with world.database.write() as session:
        for number in range(count):
            record(session.connection(), "export.made", actor="gateway", what="entries", rows=number)
    drain(sequencer_of(state_of(world)), seconds_max=20)
    note: str = world.client.get("/v1/log/checkpoint").text
    return note


def leaves(world: World) -> list[str]:
    return [leaf for (leaf,) in world.rows("SELECT leaf FROM log_entry ORDER BY seq")]


def rewrite(world: World, told: list[str]) -> None:
    """Writes this history in place of the true one: entries, tiles, size, and every checkpoint forgotten."""
    changed = append(lambda _level, _number: None, 0, [leaf_hash(leaf.encode()) for leaf in told])
    with world.database.write() as session:
        connection = session.connection()
        for table in ("log_entry", "log_tile", "log_checkpoint"):
            connection.execute(text(f"DELETE FROM {table}"))
        for seq, leaf in enumerate(told):
            connection.execute(text("INSERT INTO log_entry (seq, leaf) VALUES (:s, :l)"), {"s": seq, "l": leaf})
        for (level, number), hashes in changed.items():
            connection.execute(
                text("INSERT INTO log_tile (level, number, hashes) VALUES (:l, :n, :h)"),
                {"l": level, "n": number, "h": hashes},
            )
        connection.execute(text("UPDATE log_state SET size = :s"), {"s": len(told)})


def other(leaf: str) -> str:
    return leaf.replace('"rows":3', '"rows":4').replace('"rows":5', '"rows":6')


LIES: dict[str, Callable[[list[str]], list[str]]] = {
    "truncated": lambda told: told[:-7],
    "reordered": lambda told: [*told[:3], told[4], told[3], *told[5:]],
    "rewritten": lambda told: list(map(other, told)),
    "removed": lambda told: [*told[:5], *told[6:], told[0]],
    "added": lambda told: [*told[:5], told[0], *told[5:]],
}


@pytest.mark.parametrize("lie", LIES)
@pytest.mark.parametrize("more", [0, 40])
def test_log_that_was_tampered_with_is_caught_from_two_checkpoints(
    world: World, source: DatabaseLog, lie: str, more: int
) -> None:
    """SPEC 14.13"""
    key = log_of(world)
    older = acted(world, 20)
    told = leaves(world)
    lied = LIES[lie](told)
    assert lied != told

    rewrite(world, lied)
    newer = acted(world, more + 1)

    found = check(source, key, older_note=older, full=True)
    assert open_checkpoint(newer, key).size == len(lied) + more + 1
    assert found.entries == len(lied) + more + 1, "the forged history is whole in itself"
    [fault] = found.faults
    if lie == "truncated" and more == 0:
        assert "it was cut" in fault
    else:
        assert found.fork is not None
        assert Fork.from_json(found.fork.to_json()).check(key).startswith(f"{key.name} signed ")


@pytest.mark.parametrize(
    ("lie", "sentence"),
    [
        ("UPDATE log_entry SET leaf = leaf || ' ' WHERE seq = 13", "entry 13"),
        ("DELETE FROM log_entry WHERE seq = 9", "Entry 9 is missing"),
        (
            "UPDATE log_entry SET seq = -1 WHERE seq = 4; UPDATE log_entry SET seq = 4 WHERE seq = 5;"
            " UPDATE log_entry SET seq = 5 WHERE seq = -1",
            "entry 4",
        ),
    ],
)
def test_entry_that_was_changed_alone_is_named(world: World, source: DatabaseLog, lie: str, sentence: str) -> None:
    """SPEC 14.13"""
    acted(world, 20)
    for statement in lie.split("; "):
        world.run(statement.strip().rstrip(";"))

    try:
        found = " ".join(check(source, log_of(world), full=True).faults)
    except SourceFailed as fault:
        found = str(fault)

    assert sentence in found


def test_honest_log_grows_and_its_proofs_hold(world: World, source: DatabaseLog) -> None:
    """SPEC 14.7"""
    key = log_of(world)
    notes = [acted(world, count) for count in (1, 5, 300, 2)]
    opened = [open_checkpoint(note, key) for note in notes]
    told = leaves(world)

    for note in notes:
        found = check(source, key, older_note=note, full=True)
        assert (found.faults, found.entries) == ([], opened[-1].size)
    for older in opened:
        answer = world.client.get("/v1/log/proof/consistency", params={"old": older.size}).json()
        proof = [decode(one) for one in answer["proof"]]
        verify_consistency(older.size, opened[-1].size, proof, older.root, opened[-1].root)
        assert decode(answer["old_root"]) == older.root
    for index in (0, 1, 255, 256, opened[-1].size - 1):
        answer = world.client.get("/v1/log/proof/inclusion", params={"index": index}).json()
        proof = [decode(one) for one in answer["proof"]]
        verify_inclusion(leaf_hash(told[index].encode()), index, opened[-1].size, proof, opened[-1].root)
        assert answer["checkpoint"] == notes[-1]
    assert world.client.get("/v1/log").json()["keys"] == [key.vkey]


@SQLITE
def test_entries_are_for_auditors_and_in_pages(world: World) -> None:
    """SPEC 14.7"""
    acted(world, 12)
    auditor = world.auditor()
    total = open_checkpoint(acted(world, 1), log_of(world)).size

    pages: list[dict[str, Any]] = []
    start: int | None = 0
    while start is not None:
        page = auditor.get("/v1/log/entries", start=start, limit=7).json()
        pages += page["entries"]
        start = page["next_start"]

    assert [entry["index"] for entry in pages] == list(range(total))
    assert [entry["leaf"] for entry in pages] == leaves(world)[:total]
    assert world.operator.get("/v1/log/entries").status_code == 200
    assert world.brand.get("/v1/log/entries").json()["error"] == "NotYours"
    assert auditor.get("/v1/log/entries", start=total).json()["entries"] == []


NO_RANGE = (
    "proof/inclusion?index=99999",
    "proof/inclusion?index=3&size=3",
    "proof/inclusion?index=0&size=99999",
    "proof/consistency?old=99999",
    "proof/consistency?old=5&size=4",
)
NO_NUMBER = (
    "proof/inclusion?index=-1",
    "proof/inclusion?index=x",
    "proof/inclusion",
    "proof/consistency?old=0&size=9223372036854775808",
)
# Of a tree of 300 and some: absent ones, and other spellings of those that are there.
NO_TILE = (
    "0/999", "0/001", "0/001.p/255", "0/002.p/1", "1/000", "1/000.p/2", "2/000.p/1", "8/000.p/1", "63/000", "64/000",
    "0/000.p/0", "0/000.p/01", "0/000.p/256", "0/000.p/300", "0/000.p/", "0/000.p", "0/0", "0/00", "0/0000", "0/x000",
    "0/x000/000", "0/x000/x000/000", "0/000/000", "0/x001", "0/X000/000", "0/x999/x999/x999/x999/x999/x999/999",
    "0/x999/x999/x999/x999/x999/x999/x999/999", "00/000", "+0/000", "%20/000", "0%20/000", "1_0/000", "-1/000",
    "a/000", "0/", "0/000/", "0//000", "0/%D9%A0%D9%A0%D9%A0", "0/000.p/%D9%A1", "0/000%0A",
)  # fmt: skip


@SQLITE
def test_what_the_log_does_not_have_is_refused(world: World) -> None:
    """SPEC 14.7, 14.17"""
    acted(world, 300)

    for paths, status, error in ((NO_RANGE, 422, "LogRangeWrong"), (NO_NUMBER, 422, "RequestMalformed")):
        for path in paths:
            answer = world.client.get(f"/v1/log/{path}")
            assert (answer.status_code, answer.json()["error"]) == (status, error), path
    auditor = world.auditor()
    for path in NO_TILE:
        answer = world.client.get(f"/v1/log/tile/{path}")
        assert answer.status_code == 404, path
        assert answer.json()["error"] == "TileUnknown", path
        level, _, rest = path.partition("/")
        if level == "0":
            answer = auditor.get(f"/v1/log/tile/entries/{rest}")
            assert (answer.status_code, answer.json()["error"]) == (404, "TileUnknown"), path


def test_entry_bundles_hash_to_the_tiles_beside_them(world: World) -> None:
    """SPEC 14.17"""
    size = open_checkpoint(acted(world, 600), log_of(world)).size
    auditor, told = world.auditor(), leaves(world)
    seen: list[str] = []
    for number in range(-(-size // 256)):
        width = min(256, size - 256 * number)
        path = Place(number, width).told()
        for accepted in ("identity", "gzip", "br, gzip;q=0.5", "gzip;q=0"):
            headers = {**auditor.headers, "Accept-Encoding": accepted}
            answer = world.client.get(f"/v1/log/tile/entries/{path}", headers=headers)
            assert answer.status_code == 200, answer.text
            assert answer.headers["content-type"] == "application/octet-stream"
            assert answer.headers["cache-control"] == "private, max-age=31536000, immutable"
            wanted = "gzip" if accepted in ("gzip", "br, gzip;q=0.5") else None
            assert answer.headers.get("content-encoding") == wanted
            found = unbundled(answer.content)
            assert [leaf_hash(one) for one in found] == hashes_in(world.client.get(f"/v1/log/tile/0/{path}").content)
        seen += [one.decode() for one in found]
    assert seen == told[:size]
    assert len(seen) > 600
    assert unbundled(auditor.get("/v1/log/tile/entries/000.p/3").content) == [one.encode() for one in told[:3]]


def unbundled(bundle: bytes) -> list[bytes]:
    found = []
    while bundle:
        end = 2 + int.from_bytes(bundle[:2])
        assert end <= len(bundle)
        found.append(bundle[2:end])
        bundle = bundle[end:]
    return found


def hashes_in(tile: bytes) -> list[bytes]:
    assert len(tile) % 32 == 0
    return [tile[at : at + 32] for at in range(0, len(tile), 32)]


@SQLITE
def test_entry_bundles_are_for_auditors(world: World) -> None:
    """SPEC 14.7, 14.17"""
    acted(world, 5)
    path = "/v1/log/tile/entries/000.p/2"

    assert world.client.get(path).json()["error"] == "KeyMissing"
    assert world.brand.get(path).json()["error"] == "NotYours"
    assert world.operator.get(path).status_code == 200


@SQLITE
def test_head_answers_as_get_does_without_a_body(world: World) -> None:
    """SPEC 14.17"""
    acted(world, 5)
    auditor = world.auditor()
    for path, caller in (
        ("/v1/log", world.anyone),
        ("/v1/log/checkpoint", world.anyone),
        ("/v1/log/tile/0/000.p/5", world.anyone),
        ("/v1/log/tile/0/000.p/255", world.anyone),
        ("/v1/log/tile/entries/000.p/5", world.anyone),
        ("/v1/log/tile/entries/000.p/5", auditor),
        ("/v1/log/proof/inclusion?index=0", world.anyone),
    ):
        got, asked = (world.client.request(method, path, headers=caller.headers) for method in ("GET", "HEAD"))
        assert (asked.status_code, asked.content) == (got.status_code, b""), path
        names = ("content-type", "content-length", "cache-control")
        assert [asked.headers.get(name) for name in names] == [got.headers.get(name) for name in names], path
    assert world.client.head("/v1/me/view").status_code != 200


@SQLITE
def test_tiles_alone_are_enough_to_check_the_tree(world: World) -> None:
    """SPEC 14.3"""
    size = open_checkpoint(acted(world, 700), log_of(world)).size

    def fetch(level: int, number: int) -> bytes | None:
        width = min(256, (size >> 8 * level) - number * 256)
        answer = world.client.get(f"/v1/log/tile/{level}/{Place(number, width).told()}")
        assert answer.headers["cache-control"].endswith("immutable")
        return answer.content

    signed = open_checkpoint(world.client.get("/v1/log/checkpoint").text, log_of(world))
    assert root(Tiles(fetch, size).node, size) == signed.root
    first = [leaf_hash(leaf.encode()) for leaf in leaves(world)[:256]]
    assert world.client.get("/v1/log/tile/0/000").content == b"".join(first)


@SQLITE
def test_log_before_its_first_checkpoint_says_so(world: World) -> None:
    for path in ("", "/checkpoint", "/proof/inclusion?index=0", "/checkpoint?witnessed=true"):
        world.run("DELETE FROM log_checkpoint")
        world.run("DELETE FROM log_state")
        assert world.client.get(f"/v1/log{path}").json()["error"] == "LogUnavailable"


def test_checkpoint_binds_the_newest_final_block(world: World) -> None:
    """SPEC 14.5"""
    world.mirror(9)
    for number in (5, 6, 7):
        world.run(
            "INSERT INTO mirror_block (number, hash, time) VALUES (:n, :h, 1)", n=number, h="0x" + f"{number:064x}"
        )

    bound = open_checkpoint(acted(world, 1), log_of(world)).block

    assert bound is not None
    assert (bound.chain_id, bound.number, bound.hash) == (1337, 6, f"0x{6:064x}")


@SQLITE
def test_changed_key_signs_beside_the_one_before(world: World) -> None:
    """SPEC 14.14"""
    state = state_of(world)
    before = log_of(world)
    old, new = log_signers(state.keystore, origin=state.log_origin, number=1)[::-1]
    acted(world, 1)
    rotated = replace(sequencer_of(state), signers=[new, old])
    with world.database.write() as session:
        record(session.connection(), "export.made", actor="gateway", what="x")
    drain(rotated, seconds_max=5)
    note = world.client.get("/v1/log/checkpoint").text

    assert before == old.verifier != new.verifier
    assert open_checkpoint(note, old.verifier) == open_checkpoint(note, new.verifier)


# Witnesses


@pytest.fixture
def witness(tmp_path: Path) -> Witness:
    return Witness.of(keystore(), name="witness.example/w1", state=tmp_path / "witness.json")


def test_witness_cosigns_what_grew_and_the_gateway_shows_it(
    world: World, source: DatabaseLog, witness: Witness
) -> None:
    """SPEC 14.12"""
    for count in (1, 30, 0, 5):
        acted(world, count)
        cosigned = witness.look(source, log_of(world), at_s=1_700_000_000 + count)
        answer = world.client.post("/v1/log/cosignatures", json={"note": cosigned})
        assert (answer.status_code, answer.json()["witnesses"]) == (200, ["witness.example/w1"])

    shown = Note.parse(world.client.get("/v1/log/checkpoint").text)
    found = cosignature(shown, witness.signer.verifier)
    assert found is not None
    assert found.time_s == 1_700_000_005
    assert open_checkpoint(shown.told(), log_of(world))
    acted(world, 3)
    assert cosignature(Note.parse(world.client.get("/v1/log/checkpoint").text), witness.signer.verifier) is None
    witnessed = world.client.get("/v1/log/checkpoint", params={"witnessed": True}).text
    assert cosignature(Note.parse(witnessed), witness.signer.verifier) == found


@pytest.mark.parametrize("lie", LIES)
def test_witness_refuses_a_fork_and_keeps_the_proof(
    world: World, source: DatabaseLog, witness: Witness, lie: str
) -> None:
    """SPEC 14.12"""
    acted(world, 20)
    witness.look(source, log_of(world))
    remembered = witness.state.read_bytes()
    rewrite(world, LIES[lie](leaves(world)))
    acted(world, 12)

    for _ in range(2):
        with pytest.raises(LogForked):
            witness.look(source, log_of(world))

    assert witness.state.read_bytes() == remembered
    kept = Fork.from_json(witness.state.with_name("witness.json.fork.json").read_bytes())
    assert kept.check(log_of(world)).startswith(log_of(world).name)


@SQLITE
def test_witness_whose_memory_was_damaged_does_not_begin_anew(
    world: World, source: DatabaseLog, witness: Witness
) -> None:
    """SPEC 14.12"""
    acted(world, 2)
    for damaged in (b"", b"{", b"[]", b'{"format": "moa-witness/1", "logs": {"a": 1}}', b'{"format": "x", "logs": {}}'):
        witness.state.write_bytes(damaged)
        with pytest.raises(MemoryUnreadable):
            witness.look(source, log_of(world))
        assert witness.state.read_bytes() == damaged


@SQLITE
@pytest.mark.parametrize("change", ["stranger", "forged", "unsigned", "other log", "nonsense", "unknown size"])
def test_cosignature_that_is_not_a_known_witnesses_is_refused(
    world: World, source: DatabaseLog, witness: Witness, tmp_path: Path, change: str
) -> None:
    """SPEC 14.12"""
    acted(world, 3)
    good = witness.look(source, log_of(world))
    note = Note.parse(good)
    line = note.lines[-1]
    flipped = line.signature[:-1] + bytes([line.signature[-1] ^ 1])
    third_party = Witness.of(keystore(), name="witness.example/w2", state=tmp_path / "other.json")
    error = "CheckpointUnknown" if change in ("other log", "unknown size") else "CosignatureInvalid"
    given = {
        "stranger": lambda: third_party.look(source, log_of(world)),
        "forged": lambda: Note(note.text, (replace(line, signature=flipped),)).told(),
        "unsigned": lambda: world.client.get("/v1/log/checkpoint").text,
        "other log": lambda: good.replace("moa/1337", "moa/1338"),
        "nonsense": lambda: "nonsense",
        "unknown size": lambda: good.replace(f"\n{Checkpoint.parse(note.text).size}\n", "\n999999\n"),
    }[change]()

    answer = world.client.post("/v1/log/cosignatures", json={"note": given})

    assert answer.json()["error"] == error
    assert world.rows("SELECT COUNT(*) FROM log_cosignature") == [(0,)]


@SQLITE
def test_cosignature_of_a_size_that_no_tree_has_is_refused(world: World, source: DatabaseLog, witness: Witness) -> None:
    """SPEC 14.12"""
    acted(world, 3)
    note = Note.parse(witness.look(source, log_of(world)))
    origin, _, *rest = note.text.split("\n")
    told = {}
    for size in (str(2**63 - 1), str(2**63), str(2**64), str(-(2**70)), "-1", "1_0", "010"):
        given = replace(note, text="\n".join([origin, size, *rest])).told()
        told[size] = world.client.post("/v1/log/cosignatures", json={"note": given}).json()["error"]

    assert told.pop(str(2**63 - 1)) == "CheckpointUnknown", "a tree may be as large as that"
    assert set(told.values()) == {"CosignatureInvalid"}
    assert world.rows("SELECT COUNT(*) FROM log_cosignature") == [(0,)]


@SQLITE
def test_grown_log_is_no_fork_and_a_forged_checkpoint_is_refused(world: World, source: DatabaseLog) -> None:
    """SPEC 14.13"""
    first, second = acted(world, 3), acted(world, 9)

    assert grew(source, log_of(world), older_note=first, newer_note=second) is None
    answer = orjson.loads(world.client.get("/v1/log/proof/inclusion", params={"index": 0}).content)
    assert answer["size"] == open_checkpoint(second, log_of(world)).size
    assert KEY_REF == "witness/0"
