"""Transactions as they lie in the trie: legacy, EIP-2930, EIP-1559, EIP-4844 and EIP-7702, from JSON-RPC and back.

The hash of a transaction is keccak256 of these bytes.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from coincurve import PublicKey

from chain.base.hashing import keccak
from chain.proofs import hexes, rlp
from chain.proofs.errors import EncodingInvalid, HashMismatch

NUMBER, BYTES, TARGET = "number", "bytes", "target"
ACCESS, HASHES, DELEGATIONS = "access", "hashes", "delegations"
_SIGNATURE: Final = (("v", NUMBER), ("r", NUMBER), ("s", NUMBER))
_TYPED_START: Final = (("chainId", NUMBER), ("nonce", NUMBER))
_FEES: Final = (("maxPriorityFeePerGas", NUMBER), ("maxFeePerGas", NUMBER))
_CALL: Final = (("gas", NUMBER), ("to", TARGET), ("value", NUMBER), ("input", BYTES))
# By type: the fields' names in JSON-RPC, in the order of their encoding.
SHAPES: Final[Mapping[int, tuple[tuple[str, str], ...]]] = {
    0: (("nonce", NUMBER), ("gasPrice", NUMBER), *_CALL, *_SIGNATURE),
    1: (*_TYPED_START, ("gasPrice", NUMBER), *_CALL, ("accessList", ACCESS), *_SIGNATURE),
    2: (*_TYPED_START, *_FEES, *_CALL, ("accessList", ACCESS), *_SIGNATURE),
    3: (
        *_TYPED_START,
        *_FEES,
        *_CALL,
        ("accessList", ACCESS),
        ("maxFeePerBlobGas", NUMBER),
        ("blobVersionedHashes", HASHES),
        *_SIGNATURE,
    ),
    4: (*_TYPED_START, *_FEES, *_CALL, ("accessList", ACCESS), ("authorizationList", DELEGATIONS), *_SIGNATURE),
}


@dataclass(frozen=True, slots=True)
class Transaction:
    """What a proof asks of a transaction. to: 20 bytes, or None when it makes a contract. data: its calldata."""

    hash: bytes
    type: int
    nonce: int
    to: bytes | None
    value: int
    data: bytes


def encode(transaction: Mapping[str, Any]) -> bytes:
    """A transaction as JSON-RPC gives it, as it lies in the trie. Its `hash` must be right: HashMismatch otherwise."""
    kind = hexes.to_number(transaction.get("type") or "0x0", "transaction (type)")
    if kind not in SHAPES:
        raise EncodingInvalid("transaction", f"type {kind} is not known")
    fields = rlp.joined(b"".join(_field(transaction, name, shape) for name, shape in SHAPES[kind]))
    raw = (bytes((kind,)) if kind else b"") + fields
    said = hexes.to_bytes(transaction.get("hash"), 32, "transaction (hash)")
    if said != keccak(raw):
        raise HashMismatch("The transaction", said, keccak(raw))
    return raw


def decode(raw: bytes) -> Transaction:
    """A transaction as it lies in the trie. Raises EncodingInvalid."""
    kind = raw[0] if raw and raw[0] in SHAPES else 0
    names = [name for name, _ in SHAPES[kind]]
    values = dict(zip(names, rlp.items(raw[1:] if kind else raw, len(names), "transaction"), strict=True))
    to = values["to"]
    return Transaction(
        hash=keccak(raw),
        type=kind,
        nonce=rlp.to_number(values["nonce"], "transaction (nonce)"),
        to=None if to == b"" else rlp.to_bytes(to, 20, "transaction (to)"),
        value=rlp.to_number(values["value"], "transaction (value)"),
        data=rlp.to_bytes(values["input"], None, "transaction (input)"),
    )


def _field(transaction: Mapping[str, Any], name: str, shape: str) -> bytes:
    value, what = transaction.get(name), f"transaction ({name})"
    if name == "v" and value is None:
        value = transaction.get("yParity")
    if shape == NUMBER:
        return rlp.string(rlp.number(hexes.to_number(value, what)))
    if shape == BYTES:
        return rlp.string(hexes.to_bytes(value, None, what))
    if shape == TARGET:
        # Ganache writes a contract's making with an empty or absent receiver.
        return rlp.string(b"" if value in (None, "0x") else hexes.to_bytes(value, 20, what))
    if not isinstance(value, list):
        raise EncodingInvalid("transaction", f"{name} is not a list")
    if shape == HASHES:
        return rlp.encode([hexes.to_bytes(item, 32, what) for item in value])
    if shape == DELEGATIONS:
        return rlp.encode([_delegation(item, what) for item in value])
    return rlp.encode(
        [
            [hexes.to_bytes(item["address"], 20, what), [hexes.to_bytes(key, 32, what) for key in item["storageKeys"]]]
            for item in value
        ]
    )


def _delegation(item: Mapping[str, Any], what: str) -> list[bytes]:
    chain_id, nonce, parity, r, s = (
        rlp.number(hexes.to_number(item.get(name), what)) for name in ("chainId", "nonce", "yParity", "r", "s")
    )
    return [chain_id, hexes.to_bytes(item.get("address"), 20, what), nonce, parity, r, s]


def sender(raw: bytes) -> bytes:
    """Who signed a transaction, as 20 bytes: what a node calls `from`. Raises EncodingInvalid."""
    kind = raw[0] if raw and raw[0] in SHAPES else 0
    values = rlp.items(raw[1:] if kind else raw, len(SHAPES[kind]), "transaction")
    v, r, s = (rlp.to_number(value, "transaction (signature)") for value in values[-3:])
    signed = values[:-3]
    parity = v
    if kind == 0:
        # EIP-155: the chain id is signed, and lies in v; before it v was 27 or 28.
        parity = v - 27 if v < 35 else (v - 35) % 2
        signed = signed if v < 35 else [*signed, rlp.number((v - 35) // 2), b"", b""]
    digest = keccak((bytes((kind,)) if kind else b"") + rlp.encode(signed))
    try:
        signature = r.to_bytes(32) + s.to_bytes(32) + bytes((parity,))
        key = PublicKey.from_signature_and_message(signature, digest, hasher=None)
    except (ValueError, OverflowError) as error:
        raise EncodingInvalid("transaction", f"its signature is nobody's ({error})") from None
    # 0x04 stands before the two coordinates.
    return keccak(key.format(compressed=False)[1:])[12:]
