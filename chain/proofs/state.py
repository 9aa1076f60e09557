"""Accounts and storage against a state root: inclusion and exclusion, as EIP-1186 (eth_getProof) shows them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from chain.base.hashing import keccak
from chain.proofs import hexes, rlp, tries
from chain.proofs.errors import EncodingInvalid, ProofInvalid

EMPTY_CODE: Final = keccak(b"")


@dataclass(frozen=True, slots=True)
class Account:
    """An account in the state trie; balance in wei."""

    nonce: int
    balance: int
    storage_root: bytes
    code_hash: bytes


ABSENT: Final = Account(0, 0, tries.EMPTY_ROOT, EMPTY_CODE)


def verify_account(
    state_root: bytes, address: bytes, proof: Sequence[bytes], known: tries.Known | None = None
) -> Account:
    """The account at `address` (20 bytes); ABSENT when the proof shows that there is none. Raises ProofInvalid."""
    value = tries.lookup(state_root, keccak(address), proof, known)
    if value is None:
        return ABSENT
    try:
        nonce, balance, storage_root, code_hash = rlp.items(value, 4, "account")
        return Account(
            nonce=rlp.to_number(nonce, "account (nonce)"),
            balance=rlp.to_number(balance, "account (balance)"),
            storage_root=rlp.to_bytes(storage_root, 32, "account (storage root)"),
            code_hash=rlp.to_bytes(code_hash, 32, "account (code hash)"),
        )
    except EncodingInvalid as error:
        raise ProofInvalid(str(error)) from error


def verify_storage(storage_root: bytes, slot: int, proof: Sequence[bytes], known: tries.Known | None = None) -> int:
    """The word in `slot`; 0 when the proof shows that nothing is there. Raises ProofInvalid."""
    value = tries.lookup(storage_root, keccak(slot.to_bytes(32)), proof, known)
    if value is None:
        return 0
    try:
        word = rlp.to_number(rlp.decode(value), "word")
    except EncodingInvalid as error:
        raise ProofInvalid(str(error)) from error
    # Anvil keeps a 0 in its trie where others take the leaf away; both say 0.
    if word >= 1 << 256:
        raise ProofInvalid("a word of storage has at most 32 bytes")
    return word


@dataclass(frozen=True, slots=True)
class Proof:
    """What eth_getProof answered, proven: the account and the words of the slots asked, by slot."""

    account: Account
    words: dict[int, int]


def verify(
    state_root: bytes,
    address: bytes,
    slots: Sequence[int],
    answer: Mapping[str, Any],
    known: tries.Known | None = None,
) -> Proof:
    """A whole answer of eth_getProof, checked against a state root; known: as in tries.lookup.

    Raises ProofInvalid unless it proves the account and every slot, and says itself what it proves.
    """
    try:
        account = verify_account(state_root, address, _nodes(answer["accountProof"]), known)
        parts = answer["storageProof"]
        if len(parts) != len(slots):
            raise ProofInvalid(f"{len(slots)} slots were asked and {len(parts)} answered")
        words = {}
        for slot, part in zip(slots, parts, strict=True):
            if hexes.to_number(part["key"], "key of a slot") != slot:
                raise ProofInvalid("another slot than the one asked")
            words[slot] = verify_storage(account.storage_root, slot, _nodes(part["proof"]), known)
            if hexes.to_number(part["value"], "value of a slot") != words[slot]:
                raise ProofInvalid(
                    f"slot {slot:#x} is said to hold {part['value']} and proven to hold {words[slot]:#x}"
                )
    except EncodingInvalid as error:
        raise ProofInvalid(str(error)) from error
    except (KeyError, TypeError) as error:
        raise ProofInvalid(f"the answer has no such form ({type(error).__name__}: {error})") from error
    return Proof(account, words)


def _nodes(values: Any) -> list[bytes]:
    if not isinstance(values, list):
        raise ProofInvalid("a proof is a list of nodes")
    return [hexes.to_bytes(value, None, "node of a proof") for value in values]
