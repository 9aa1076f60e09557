"""ERC-4361 messages, written and read to the letter. Pure.

A message that we wrote is compared whole with the one that comes back: domain, address, URI, version, chain, nonce and
times are then ours, without a parser that a clever text could lead astray. What a wallet is shown is what we check.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from api.kit.clock import rfc3339

VERSION: Final = "1"
STATEMENT: Final = "Sign in to Moa. This moves no points and costs nothing."
TEXT: Final = (
    "{domain} wants you to sign in with your Ethereum account:\n{address}\n\n{statement}\n\nURI: {uri}\n"
    "Version: {version}\nChain ID: {chain_id}\nNonce: {nonce}\nIssued At: {issued_at}\nExpiration Time: {expires_at}"
)
_NONCE: Final = "\nNonce: "


@dataclass(frozen=True, slots=True)
class SignIn:
    """What a wallet is asked to sign. address: with its checksum."""

    origin: str
    address: str
    chain_id: int
    nonce: str
    issued_at_ms: int
    expires_at_ms: int

    def text(self) -> str:
        """The message, word for word."""
        return TEXT.format(
            domain=urlsplit(self.origin).netloc,
            address=self.address,
            statement=STATEMENT,
            uri=self.origin,
            version=VERSION,
            chain_id=self.chain_id,
            nonce=self.nonce,
            issued_at=rfc3339(self.issued_at_ms),
            expires_at=rfc3339(self.expires_at_ms),
        )


def nonce_of(message: str) -> str:
    """The nonce that a message names; empty where it names none."""
    _, _, rest = message.partition(_NONCE)
    return rest.partition("\n")[0]


def address_of(message: str) -> str:
    """The second line: the account that a message says to be of."""
    lines = message.split("\n", 2)
    return lines[1] if len(lines) > 1 else ""
