"""Keys and session tokens: made, split and compared. Pure.

A token is `moa_<kind>_<id>_<secret>`: kind o (operator), b (brand), a (auditor), m (member's session), s (a role that
somebody took up) or r (which opens nothing but the next session of a device), a public id of 48 bits and a secret of
256 bits. Only SHA-256 of the secret is kept: it is as random as the hash, so a slow hash would protect nothing more.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass
from typing import Literal

Kind = Literal["o", "b", "a", "m", "r", "s"]
ID_BYTES = 6
SECRET_BYTES = 32
_token = re.compile(r"moa_([obamrs])_([0-9a-f]{12})_([A-Za-z0-9_-]{43})\Z", re.ASCII)


@dataclass(frozen=True, slots=True)
class Token:
    """A token as its bearer has it; never stored."""

    kind: Kind
    id: str
    secret: str

    @property
    def prefix(self) -> str:
        """What may be shown of it later."""
        return f"moa_{self.kind}_{self.id}"

    @property
    def text(self) -> str:
        return f"{self.prefix}_{self.secret}"

    @property
    def secret_hash(self) -> str:
        return hashlib.sha256(self.secret.encode()).hexdigest()

    def opens(self, secret_hash: str) -> bool:
        """Whether its secret is the one that was hashed; in constant time."""
        return hmac.compare_digest(self.secret_hash, secret_hash)


def new_token(kind: Kind) -> Token:
    return Token(kind, secrets.token_hex(ID_BYTES), secrets.token_urlsafe(SECRET_BYTES))


def successor(token: Token, *, derived: bytes) -> Token:
    """The next token of a family, from 38 bytes that only this token and one attempt lead to."""
    assert len(derived) == ID_BYTES + SECRET_BYTES, "an id and a secret"
    secret = base64.urlsafe_b64encode(derived[ID_BYTES:]).rstrip(b"=").decode()
    return Token(token.kind, derived[:ID_BYTES].hex(), secret)


def read_token(text: str) -> Token | None:
    """The token's parts, or None when it is not one of ours."""
    found = _token.match(text)
    if found is None:
        return None
    kind, token_id, secret = found.groups()
    return Token(kind, token_id, secret)  # type: ignore[arg-type]
