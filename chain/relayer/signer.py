"""EIP-1559 transactions, signed by whoever holds the keys, and read back."""

from dataclasses import dataclass
from typing import Final, Protocol

import rlp

from chain.base.hashing import keccak
from chain.outbox.transactions import FILL_GAS

TYPE: Final = b"\x02"


class Keys(Protocol):
    """All that the relayer asks of whoever holds its keys: the encrypted file (chain.storage.keystore), or a KMS."""

    def address_of(self, ref: str) -> str:
        """The address of a key, lower case."""

    def sign(self, ref: str, digest: bytes) -> bytes:
        """65 bytes r, s, v over a 32-byte digest; v is 27 or 28, s in the lower half (EIP-2)."""


@dataclass(frozen=True, slots=True)
class Fees:
    """Wei per gas."""

    max_fee: int
    tip: int

    def raised(self, cap: int) -> "Fees":
        """A quarter more, which every node takes as a replacement (they ask for 10 to 12.5 %); never above `cap`."""
        return Fees(min(cap, self.max_fee * 5 // 4 + 1), min(cap, self.tip * 5 // 4 + 1))

    def at_least(self, other: "Fees") -> "Fees":
        """The higher of both, each part by itself."""
        return Fees(max(self.max_fee, other.max_fee), max(self.tip, other.tip))


@dataclass(frozen=True, slots=True)
class Signed:
    """A raw transaction and its hash, both 0x hex."""

    raw: str
    tx_hash: str


def sign(
    keystore: Keys, ref: str, *, chain_id: int, nonce: int, target: str, calldata: bytes, gas: int, fees: Fees
) -> Signed:
    """The transaction, ready to send. Equal inputs give equal bytes (RFC 6979)."""
    fields = [chain_id, nonce, fees.tip, fees.max_fee, gas, bytes.fromhex(target[2:]), 0, calldata, []]
    signature = keystore.sign(ref, keccak(TYPE + rlp.encode(fields)))
    r, s, v = int.from_bytes(signature[:32]), int.from_bytes(signature[32:64]), signature[64] - 27
    raw = TYPE + rlp.encode([*fields, v, r, s])
    return Signed("0x" + raw.hex(), "0x" + keccak(raw).hex())


def fees_of(raw: str) -> Fees:
    """What a raw transaction of ours offers."""
    fields = rlp.decode(bytes.fromhex(raw[4:]))
    return Fees(max_fee=int.from_bytes(fields[3]), tip=int.from_bytes(fields[2]))


def is_fill(raw: str) -> bool:
    """Whether a raw transaction of ours spends its nonce on nothing."""
    fields = rlp.decode(bytes.fromhex(raw[4:]))
    return not fields[7] and int.from_bytes(fields[4]) == FILL_GAS
