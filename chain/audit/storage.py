"""Words of storage at the pinned block, each proven against its stateRoot."""

from collections.abc import Callable, Mapping, Sequence
from typing import Final

from chain.audit.errors import Stopped
from chain.base.difference import CHAIN, Difference, Where
from chain.base.errors import AnswerTooLarge, NodeTimeout, RequestTooLarge, RpcError
from chain.base.hashing import keccak
from chain.node.rpc import Rpc
from chain.proofs import hexes, state, tries
from chain.proofs.errors import ProofInvalid
from chain.proofs.headers import ProvenHeader

# Some nodes build a contract's whole trie for each question: few questions, of many slots.
SLOTS_PER_PROOF_MAX: Final = 1_000
SLOTS_PER_PROOF_MIN: Final = 10
SHORT_TEXT_MAX: Final = 31
TEXT_BYTES_MAX: Final = 64
# A node that is taking a block in may answer from between two states; a lie is told every time.
ASKS_MAX: Final = 3
Walked = Callable[[int], None]


class Storage:
    """Asks one node for storage at one block. Every answer is proven or raises Stopped."""

    def __init__(self, rpc: Rpc, header: ProvenHeader):
        self._rpc = rpc
        self._header = header
        self._tag = hex(header.number)
        self._known: tries.Known = {}
        self._size = SLOTS_PER_PROOF_MAX
        self.block = header.number
        self.proven = 0

    def words(self, address: str, slots: Sequence[int], walked: Walked = lambda _count: None) -> dict[int, int]:
        """The words of a contract's slots; `walked` hears how many more are proven."""
        found: dict[int, int] = {}
        at = 0
        while at < len(slots):
            part = slots[at : at + self._size]
            try:
                found |= self._proof(address, part).words
            except (RpcError, NodeTimeout, AnswerTooLarge, RequestTooLarge):
                # Providers bound the slots of one question, each in its own words.
                if self._size == SLOTS_PER_PROOF_MIN:
                    raise
                self._size = max(SLOTS_PER_PROOF_MIN, self._size // 4)
                continue
            at += len(part)
            walked(len(part))
        return found

    def account(self, address: str) -> state.Account:
        """The account itself: the root of its storage, the hash of its code."""
        return self._proof(address, []).account

    def text(self, address: str, slot: int) -> str:
        """A string of storage, as Solidity lays it out: up to 31 bytes in the slot, longer ones behind its hash."""
        word = self.words(address, [slot])[slot]
        if not word & 1:
            return word.to_bytes(32)[: min(SHORT_TEXT_MAX, (word & 0xFF) // 2)].decode("utf-8", "replace")
        size = min(TEXT_BYTES_MAX, (word - 1) // 2)
        first = int.from_bytes(keccak(slot.to_bytes(32)))
        slots = [first + index for index in range((size + 31) // 32)]
        words = self.words(address, slots)
        return b"".join(words[at].to_bytes(32) for at in slots)[:size].decode("utf-8", "replace")

    def _proof(self, address: str, slots: Sequence[int]) -> state.Proof:
        asked = ["0x" + slot.to_bytes(32).hex() for slot in slots]
        raw = hexes.to_bytes(address, 20, "address")
        why = ""
        for _ in range(ASKS_MAX):
            answer = self._rpc.call("eth_getProof", address, asked, self._tag)
            try:
                if not isinstance(answer, Mapping):
                    raise ProofInvalid("the node answered nothing")
                proof = state.verify(self._header.state_root, raw, slots, answer, self._known)
            except ProofInvalid as error:
                why = str(error)
                continue
            self.proven += len(slots)
            return proof
        raise Stopped(_unproven(self._header, address, slots, why))


def _unproven(header: ProvenHeader, address: str, slots: Sequence[int], why: str) -> Difference:
    places = ", ".join(hex(slot) for slot in slots[:2]) + (", …" if len(slots) > 2 else "")
    return Difference(
        kind=CHAIN,
        where=Where(block=header.number, address=address, contract="storage"),
        what="storage proof",
        said=why,
        right=f"a proof against stateRoot {hexes.shown(header.state_root)}",
        rule="12.6",
        look=f"eth_getProof of {address} at this block, slots {places}.",
    )
