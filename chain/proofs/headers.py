"""Block headers: from JSON-RPC or RLP, back to RLP, and the hash that binds everything else.

The optional fields come in the order of the forks and without gaps: 15 (before London), 16 (London, Paris),
17 (Shanghai), 20 (Cancun), 21 (Prague); 19 in the first block of an Anvil for Shanghai.
Sources: yellow paper 4.3; EIPs 1559, 4895, 4844, 4788, 7685.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from chain.base.hashing import keccak
from chain.proofs import hexes, rlp
from chain.proofs.errors import EncodingInvalid, HashMismatch

NUMBER: Final = -1
# Name in JSON-RPC, and bytes: NUMBER for a quantity, None for any length.
FIELDS: Final[tuple[tuple[str, int | None], ...]] = (
    ("parentHash", 32),
    ("sha3Uncles", 32),
    ("miner", 20),
    ("stateRoot", 32),
    ("transactionsRoot", 32),
    ("receiptsRoot", 32),
    ("logsBloom", 256),
    ("difficulty", NUMBER),
    ("number", NUMBER),
    ("gasLimit", NUMBER),
    ("gasUsed", NUMBER),
    ("timestamp", NUMBER),
    ("extraData", None),
    ("mixHash", 32),
    ("nonce", 8),
    ("baseFeePerGas", NUMBER),
    ("withdrawalsRoot", 32),
    ("blobGasUsed", NUMBER),
    ("excessBlobGas", NUMBER),
    ("parentBeaconBlockRoot", 32),
    ("requestsHash", 32),
)
COUNTS: Final = (15, 16, 17, 19, 20, 21)
EXTRA_BYTES_MAX: Final = 1024


@dataclass(frozen=True, slots=True)
class ProvenHeader:
    """What a header commits to. `raw`: its RLP; `hash`: keccak256 of it. `time`: unix seconds."""

    hash: bytes
    raw: bytes
    number: int
    time: int
    parent_hash: bytes
    state_root: bytes
    transactions_root: bytes
    receipts_root: bytes
    bloom: bytes

    @classmethod
    def from_json(cls, block: Mapping[str, Any]) -> "ProvenHeader":
        """The header of a block as JSON-RPC gives it. Its `hash` must be right: HashMismatch otherwise."""
        header = cls.from_rlp(encode(block))
        said = hexes.to_bytes(block.get("hash"), 32, "hash of a header")
        if said != header.hash:
            raise HashMismatch(f"The header of block {header.number}", said, header.hash)
        return header

    @classmethod
    def from_rlp(cls, raw: bytes) -> "ProvenHeader":
        """Raises EncodingInvalid."""
        values = rlp.items(raw, COUNTS, "header")
        for (name, size), value in zip(FIELDS, values, strict=False):
            if size == NUMBER:
                rlp.to_number(value, f"header ({name})")
            else:
                rlp.to_bytes(value, size, f"header ({name})")
        if len(values[12]) > EXTRA_BYTES_MAX:
            raise EncodingInvalid("header", "extraData is too long")
        return cls(
            hash=keccak(raw),
            raw=raw,
            number=int.from_bytes(values[8]),
            time=int.from_bytes(values[11]),
            parent_hash=values[0],
            state_root=values[3],
            transactions_root=values[4],
            receipts_root=values[5],
            bloom=values[6],
        )


def encode(block: Mapping[str, Any]) -> bytes:
    """RLP of the header of a block as JSON-RPC gives it, with as many fields as it has. Raises EncodingInvalid."""
    count = max((index for index, (name, _) in enumerate(FIELDS) if block.get(name) is not None), default=0) + 1
    if count not in COUNTS:
        raise EncodingInvalid("header", f"its last field is {FIELDS[count - 1][0]}")
    parts = []
    for name, size in FIELDS[:count]:
        value = block.get(name)
        if size == NUMBER:
            parts.append(rlp.string(rlp.number(hexes.to_number(value, f"header ({name})"))))
        else:
            parts.append(rlp.string(hexes.to_bytes(value, size, f"header ({name})")))
    return rlp.joined(b"".join(parts))


def fields(raw: bytes) -> dict[str, Any]:
    """The header's fields by their JSON-RPC names: numbers as int, the rest as 0x hex. Raises EncodingInvalid."""
    values = rlp.items(ProvenHeader.from_rlp(raw).raw, COUNTS, "header")
    return {
        name: int.from_bytes(value) if size == NUMBER else hexes.shown(value)
        for (name, size), value in zip(FIELDS, values, strict=False)
    }
