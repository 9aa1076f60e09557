"""Proofs that a log lied: two of its own signatures that cannot both be true. Whoever holds one needs nobody's word.

    {"format": "moa-fork/1", "log_key": vkey, "older": note, "newer": note, "proof": [base64 hash, …]}

It holds in one of three ways:
- both checkpoints have one size and two roots;
- both bind one block number to two hashes;
- `older` is smaller, `proof` (a consistency path whose first hash is always present) leads to the root of `newer`, and
  shows that the newer tree began with another tree than `older` signed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Self

import orjson

from chain.tlog.checkpoints import Checkpoint, open_checkpoint
from chain.tlog.errors import NotAFork, NoteMalformed, ProofInvalid
from chain.tlog.notes import Verifier, decode, encode
from chain.tlog.proofs import PROOF_HASHES_MAX, roots_of_path

FORMAT: Final = "moa-fork/1"
_FIELDS: Final = {"format", "log_key", "older", "newer", "proof"}


@dataclass(frozen=True, slots=True)
class Fork:
    """Two signed checkpoints of one log, and the path between them where one is needed."""

    log_key: str
    older: str
    newer: str
    proof: tuple[bytes, ...] = ()

    def check(self, log: Verifier | None = None) -> str:
        """The sentence that says what was contradicted; NotAFork when nothing was, and whatever is wrong with a note.

        log: the key that the reader trusts; without it, the key that the proof names (whoever has that key lied).
        """
        key = log or Verifier.parse(self.log_key)
        older, newer = open_checkpoint(self.older, key), open_checkpoint(self.newer, key)
        found = contradiction(older, newer, self.proof)
        if found is None:
            raise NotAFork("Both checkpoints may be true.")
        return f"{key.name} signed {found}"

    def to_json(self) -> bytes:
        told = {
            "format": FORMAT,
            "log_key": self.log_key,
            "older": self.older,
            "newer": self.newer,
            "proof": list(map(encode, self.proof)),
        }
        return orjson.dumps(told) + b"\n"

    @classmethod
    def from_json(cls, raw: bytes) -> Self:
        """The proof in a file, or NoteMalformed."""
        try:
            told = orjson.loads(raw)
        except orjson.JSONDecodeError:
            raise NoteMalformed("This is not JSON.") from None
        if not isinstance(told, dict) or told.keys() != _FIELDS or told["format"] != FORMAT:
            raise NoteMalformed(f"A proof of a fork is {FORMAT} with {', '.join(sorted(_FIELDS))}.")
        texts, proof = (told["log_key"], told["older"], told["newer"]), told["proof"]
        if not all(isinstance(text, str) for text in texts) or not isinstance(proof, list):
            raise NoteMalformed("Notes are texts, and the proof is a list.")
        if len(proof) > PROOF_HASHES_MAX or not all(isinstance(one, str) for one in proof):
            raise NoteMalformed(f"A proof is a list of at most {PROOF_HASHES_MAX} hashes.")
        return cls(*texts, tuple(map(decode, proof)))


def contradiction(older: Checkpoint, newer: Checkpoint, path: tuple[bytes, ...] = ()) -> str | None:
    """What two signed checkpoints of one log contradict each other in; None when both may be true."""
    if older.size == newer.size and older.root != newer.root:
        return f"two different trees of {older.size} entries."
    bound, other = older.block, newer.block
    if bound and other and (bound.chain_id, bound.number) == (other.chain_id, other.number) and bound != other:
        return f"two different hashes of block {bound.number}: {bound.hash} and {other.hash}."
    if path and 0 < older.size < newer.size:
        try:
            began, became = roots_of_path(older.size, newer.size, path)
        except ProofInvalid:
            return None
        if became == newer.root and began != older.root:
            return f"a tree of {newer.size} entries whose first {older.size} are not those it had signed before."
    return None
