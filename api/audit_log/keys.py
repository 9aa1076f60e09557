"""The log's keys: Ed25519 of the keystore, by reference. A new number is a new key; the last one signs beside it."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from chain.storage.keystore import Keystore
from chain.tlog.cosignatures import COSIGNATURE
from chain.tlog.notes import KeySigner, Verifier


def log_ref(number: int) -> str:
    """The keystore's name of the log's key."""
    return f"log/{number}"


def log_signers(keystore: Keystore, *, origin: str, number: int) -> Sequence[KeySigner]:
    """The log's key of this number first, then the one before it: readers who know only that still verify."""
    numbers = [number] if number == 0 else [number, number - 1]
    return [_signer(keystore, log_ref(one), origin) for one in numbers]


def witness_verifiers(vkeys: Sequence[str]) -> Sequence[Verifier]:
    """The witnesses that the gateway shows, from their vkeys."""
    return [Verifier.parse(vkey, kind=COSIGNATURE) for vkey in vkeys]


def _signer(keystore: Keystore, ref: str, origin: str) -> KeySigner:
    return KeySigner(Verifier(origin, keystore.public_key(ref)), partial(keystore.sign_message, ref))
