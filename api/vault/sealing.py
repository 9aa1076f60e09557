"""Personal values sealed and opened, and the keyed hashes by which they are found.

A value is sealed under the key of the person it is of, and bound to the field it is in: moved to another person or
another field it does not open. Equal values of two people look unlike each other. What finds them is HMAC-SHA256 with a
key of the keystore (a pepper): without it, no list of all telephone numbers finds anybody.
"""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from api.kit.container import State
from api.vault.errors import Shredded
from api.vault.subject_keys import FileKeys, SubjectKeys
from chain.storage.keystore import Keystore

NONCE_BYTES: Final = 12
PEPPER: Final = "vault/lookup"
FILE: Final = "subject-keys.db"


class Vault:
    """Seals, opens, finds and forgets."""

    def __init__(self, keys: SubjectKeys, keystore: Keystore) -> None:
        self.keys = keys
        self._keystore = keystore

    def seal(self, subject: str, field: str, value: str) -> bytes:
        """The value as it may lie in the database; makes the person's key when there is none."""
        nonce = secrets.token_bytes(NONCE_BYTES)
        return nonce + AESGCM(self.keys.make(subject)).encrypt(nonce, value.encode(), _bound(subject, field))

    def open(self, subject: str, field: str, sealed: bytes) -> str | None:
        """The value; None once the person's key is destroyed. InvalidTag for what was altered or is another's."""
        key = self.keys.find(subject)
        if key is None:
            return None
        nonce, rest = bytes(sealed[:NONCE_BYTES]), bytes(sealed[NONCE_BYTES:])
        return AESGCM(key).decrypt(nonce, rest, _bound(subject, field)).decode()

    def lookup(self, kind: str, value: str) -> str:
        """The keyed hash by which a value of this kind is found: 64 hex digits, the same for everybody."""
        return self._keystore.mac(PEPPER, f"{kind}\0{value}".encode()).hex()

    def shred(self, *subjects: str) -> None:
        """Makes everything of this person, however many members it is, unreadable: for ever, in every copy of the
        database, and never of one of them alone."""
        self.keys.shred(*subjects)


def vault_of(state: State) -> Vault:
    """The gateway's vault; the keys lie beside the keystore, unless the settings name another file."""
    found: Vault | None = state.kept.get(Vault)
    if found is None:
        path: Path = state.settings.subject_keys or state.settings.keystore_path.with_name(FILE)
        found = state.kept.setdefault(Vault, Vault(FileKeys(path, state.keystore), state.keystore))
    return found


def _bound(subject: str, field: str) -> bytes:
    return f"moa-vault/1\0{subject}\0{field}".encode()


__all__ = ["InvalidTag", "Shredded", "Vault", "vault_of"]
