"""A key for each person, in a file of its own: never in the database, and so in none of the database's backups.

A key is 32 random bytes, kept under the keystore's. Shredding it makes everything that it sealed unreadable, wherever
copies of that lie; the row stays as a tombstone, so that a database restored from before is known to hold somebody who
is gone, and no second key is ever made for them.

The file is to be kept with backups no older than the published time, or else what is shredded comes back with it. A
KMS that can destroy a key takes its place behind the same four functions.
"""

from __future__ import annotations

import os
import secrets
import sqlite3
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, Protocol

from api.kit.clock import now_ms
from api.vault.errors import Shredded
from chain.storage.keystore import Keystore

KEY_BYTES: Final = 32
BUSY_TIMEOUT_S: Final = 30.0
REF: Final = "vault/subjects"
_TABLE = "CREATE TABLE IF NOT EXISTS subject_key (subject TEXT PRIMARY KEY, sealed BLOB, shredded_at_ms INTEGER)"
_FIND = "SELECT sealed FROM subject_key WHERE subject = ?"
_MAKE = "INSERT INTO subject_key (subject, sealed) VALUES (?, ?) ON CONFLICT (subject) DO NOTHING"
_SHRED = (
    "INSERT INTO subject_key (subject, sealed, shredded_at_ms) VALUES (?, NULL, ?) ON CONFLICT (subject)"
    " DO UPDATE SET sealed = NULL, shredded_at_ms = excluded.shredded_at_ms WHERE sealed IS NOT NULL"
)
_GONE = "SELECT subject FROM subject_key WHERE sealed IS NULL AND subject > ? ORDER BY subject LIMIT ?"


class SubjectKeys(Protocol):
    """Whoever keeps a key for each person and can destroy it."""

    def find(self, subject: str) -> bytes | None:
        """The key; None without one, or once it is shredded."""

    def make(self, subject: str) -> bytes:
        """The key, made if there is none: on disk when this returns. Shredded once it was destroyed."""

    def shred(self, *subjects: str) -> None:
        """Destroys these keys for ever, all of them or none; on disk when this returns. A second time changes
        nothing."""

    def gone(self, *, after: str, limit: int) -> Sequence[str]:
        """Subjects whose keys were destroyed, in order, above one."""


class FileKeys:
    """The keys in an SQLite file of their own; several processes of one machine may share it."""

    def __init__(self, path: Path | str, keystore: Keystore) -> None:
        self._keystore = keystore
        self._lock = threading.Lock()
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
        self._connection = sqlite3.connect(path, timeout=BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False)
        # What was shredded is overwritten, in the file and in its journal: no write-ahead log that keeps it.
        for pragma in ("journal_mode = TRUNCATE", "secure_delete = ON", "synchronous = FULL"):
            self._connection.execute(f"PRAGMA {pragma}")
        self._connection.execute(_TABLE)

    def __repr__(self) -> str:
        return "FileKeys(sealed)"

    def find(self, subject: str) -> bytes | None:
        """The key; None without one, or once it is shredded."""
        row = self._run(_FIND, subject)
        return self._opened(subject, row[0][0]) if row and row[0][0] is not None else None

    def make(self, subject: str) -> bytes:
        """The key, made if there is none: on disk when this returns. Shredded once it was destroyed."""
        row = self._run(_FIND, subject)
        if not row:
            sealed = self._keystore.seal(REF, secrets.token_bytes(KEY_BYTES), subject.encode())
            self._run(_MAKE, subject, sealed)
            row = self._run(_FIND, subject)  # Another process may have been first.
        if row[0][0] is None:
            raise Shredded(f"The key of {subject[:4]}… was destroyed.")
        return self._opened(subject, row[0][0])

    def shred(self, *subjects: str) -> None:
        """Destroys these keys for ever, all of them or none; on disk when this returns. A second time changes
        nothing."""
        with self._lock:
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                self._connection.executemany(_SHRED, [(subject, now_ms()) for subject in subjects])
            except BaseException:
                self._connection.execute("ROLLBACK")
                raise
            self._connection.execute("COMMIT")

    def gone(self, *, after: str, limit: int) -> Sequence[str]:
        """Subjects whose keys were destroyed, in order, above one."""
        return [subject for (subject,) in self._run(_GONE, after, limit)]

    def close(self) -> None:
        with self._lock:
            self._connection.close()

    def _opened(self, subject: str, sealed: bytes) -> bytes:
        return self._keystore.unseal(REF, sealed, subject.encode())

    def _run(self, sql: str, *values: object) -> list[tuple[Any, ...]]:
        with self._lock:
            return self._connection.execute(sql, values).fetchall()
