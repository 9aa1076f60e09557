"""EIP-1559 transactions, signed by a keystore."""

from dataclasses import dataclass
from typing import Final

import rlp

from chain.hashing import keccak
from chain.keystore import Keystore

TYPE: Final = b"\x02"


@dataclass(frozen=True, slots=True)
class Fees:
    """Wei per gas."""

    max_fee: int
    tip: int

    def raised(self, cap: int) -> "Fees":
        """A quarter more, which every node takes as a replacement; never above `cap`."""
        return Fees(min(cap, self.max_fee * 5 // 4 + 1), min(cap, self.tip * 5 // 4 + 1))


@dataclass(frozen=True, slots=True)
class Signed:
    """A raw transaction and its hash, both 0x hex."""

    raw: str
    tx_hash: str


def sign(
    keystore: Keystore, ref: str, *, chain_id: int, nonce: int, target: str, calldata: bytes, gas: int, fees: Fees
) -> Signed:
    """The transaction, ready to send. Equal inputs give equal bytes (RFC 6979)."""
    fields = [chain_id, nonce, fees.tip, fees.max_fee, gas, bytes.fromhex(target[2:]), 0, calldata, []]
    signature = keystore.sign(ref, keccak(TYPE + rlp.encode(fields)))
    r, s, v = int.from_bytes(signature[:32]), int.from_bytes(signature[32:64]), signature[64] - 27
    raw = TYPE + rlp.encode([*fields, v, r, s])
    return Signed("0x" + raw.hex(), "0x" + keccak(raw).hex())
