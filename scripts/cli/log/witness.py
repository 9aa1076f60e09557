"""`moa witness`: sees a log grow, signs that it did, and never signs two histories.

Its memory is one file: for each log, the largest tree that it found consistent. The file is on disk before a
cosignature leaves, so that a crash can never make it sign another tree of the same size.
"""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

import orjson

from chain.storage.keystore import Keystore
from chain.tlog.checkpoints import Checkpoint, open_checkpoint, unverified
from chain.tlog.cosignatures import COSIGNATURE, cosign
from chain.tlog.errors import LogForked, ProofInvalid
from chain.tlog.forks import Fork, contradiction
from chain.tlog.hashes import EMPTY_ROOT
from chain.tlog.notes import KeySigner, Line, Note, Verifier
from chain.tlog.proofs import verify_consistency
from chain.tlog.submissions import Submission
from scripts.cli.log.checking import grew
from scripts.cli.log.errors import MemoryUnreadable, OldSizeWrong, RootsDiffer, WitnessBusy
from scripts.cli.log.sources import HttpLog, Source

KEY_REF: Final = "witness/0"
FORMAT: Final = "moa-witness/1"
LOGS_MAX: Final = 1_000


@dataclass(frozen=True)
class Witness:
    """A witness with its key and its memory."""

    signer: KeySigner
    state: Path

    @classmethod
    def of(cls, keystore: Keystore, *, name: str, state: Path) -> Witness:
        verifier = Verifier(name, keystore.public_key(KEY_REF), COSIGNATURE)
        return cls(KeySigner(verifier, partial(keystore.sign_message, KEY_REF)), state)

    def look(self, source: Source, log: Verifier, *, at_s: int | None = None) -> str:
        """The newest checkpoint with this witness's line; LogForked when it is not what was seen before, grown.

        A fork is kept beside the state, as `<state>.fork.json`, with both signatures where they prove it.
        """
        with self.memory() as memory:
            note = source.checkpoint()
            offered = open_checkpoint(note, log)
            before = memory.get(offered.origin)
            if before is not None:
                found = grew(source, log, older_note=before["note"], newer_note=note)
                if found is not None:
                    self._keep_fork(found, before["note"], note, log)
                    raise LogForked(offered.origin, found.check(log) if isinstance(found, Fork) else found)
            self._remember(memory, offered, note)
        opened = Note.parse(note)
        return Note(opened.text, (*opened.lines, self.line(opened, at_s=at_s))).told()

    def add(self, asked: Submission, log: Verifier, *, at_s: int | None = None) -> Line:
        """The line under a submitted checkpoint that `log` signed, once it is remembered (C2SP's tlog-witness).

        Raises OldSizeWrong, RootsDiffer, ProofInvalid, or LogForked for two hashes of one block; a submission that is
        proof of a lie is kept as a fork.
        """
        offered = asked.checkpoint
        with self.memory() as memory:
            before = memory.get(offered.origin)
            # The memory is our own: what is in it was verified, perhaps by a key that the log has no more.
            seen = None if before is None else unverified(before["note"])
            size, root = (0, EMPTY_ROOT) if seen is None else (seen.size, seen.root)
            if asked.old != size:
                raise OldSizeWrong(size)
            if offered.size == size and offered.root != root:
                if before is not None:
                    self._keep_fork("", before["note"], asked.note, log)
                raise RootsDiffer(size)
            try:
                verify_consistency(size, offered.size, asked.proof, root, offered.root)
            except ProofInvalid:
                if seen is not None and before is not None and contradiction(seen, offered, asked.proof) is not None:
                    self._keep_fork(Fork(log.vkey, before["note"], asked.note, asked.proof), "", "", log)
                raise
            if seen is not None and before is not None and (found := contradiction(seen, offered)) is not None:
                self._keep_fork(found, before["note"], asked.note, log)
                raise LogForked(offered.origin, f"it signed {found}")
            self._remember(memory, offered, asked.note)
        return self.line(Note.parse(asked.note), at_s=at_s)

    def line(self, note: Note, *, at_s: int | None) -> Line:
        """This witness's line for a note that it found consistent."""
        return cosign(note, self.signer, time_s=int(time.time()) if at_s is None else at_s)

    @contextmanager
    def memory(self) -> Iterator[dict[str, Any]]:
        """What is remembered, while nobody else uses it."""
        with self._locked():
            yield self._remembered()

    @contextmanager
    def _locked(self) -> Iterator[None]:
        with open(self.state.with_name(self.state.name + ".lock"), "w") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise WitnessBusy(f"Another witness uses {self.state.name}.") from None
            yield

    def _remembered(self) -> dict[str, Any]:
        """Origin → {"size", "note"}. A file that cannot be read is an error, never a fresh start."""
        if not self.state.exists():
            return {}
        try:
            told = orjson.loads(self.state.read_bytes())
            logs: dict[str, Any] = told["logs"]
            known = told["format"] == FORMAT and all(isinstance(one["note"], str) for one in logs.values())
        except (orjson.JSONDecodeError, TypeError, KeyError, AttributeError):
            known = False
        if not known:
            raise MemoryUnreadable(f"{self.state.name} is not a witness's memory; it is not overwritten.")
        return logs

    def _remember(self, memory: dict[str, Any], seen: Checkpoint, note: str) -> None:
        memory[seen.origin] = {"size": seen.size, "note": note}
        if len(memory) > LOGS_MAX:
            raise MemoryUnreadable(f"A witness remembers at most {LOGS_MAX} logs.")
        raw = orjson.dumps({"format": FORMAT, "logs": memory}, option=orjson.OPT_INDENT_2)
        _write(self.state, raw)

    def _keep_fork(self, found: Fork | str, older: str, newer: str, log: Verifier) -> None:
        proof = found if isinstance(found, Fork) else Fork(log.vkey, older, newer)
        _write(self.state.with_name(self.state.name + ".fork.json"), proof.to_json())


def follow(witness: Witness, log: Verifier, url: str, *, every_s: float, once: bool) -> Iterator[str]:
    """Looks again and again; yields each checkpoint that it cosigned and gave back to the gateway."""
    source = HttpLog(url)
    while True:
        cosigned = witness.look(source, log)
        source.cosign(cosigned)
        yield cosigned
        if once:
            return
        time.sleep(every_s)


def _write(path: Path, raw: bytes) -> None:
    """The whole file or the one before, also after a loss of power."""
    fresh = path.with_name(path.name + ".new")
    with open(os.open(fresh, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600), "wb") as file:
        file.write(raw)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
