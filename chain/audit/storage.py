"""Words of storage at the pinned block, each proven against its stateRoot."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final

from chain.audit.difference import CHAIN, Difference, Where
from chain.audit.errors import Stopped
from chain.hashing import keccak
from chain.proofs import hexes, state, tries
from chain.proofs.errors import ProofInvalid
from chain.proofs.headers import Header
from chain.rpc import Rpc

SLOTS_PER_PROOF: Final = 64
PROOFS_PER_BATCH: Final = 4
SHORT_TEXT_MAX: Final = 31
TEXT_BYTES_MAX: Final = 64
Walked = Callable[[int], None]


class Storage:
    """Asks one node for storage at one block. Every answer is proven or raises Stopped."""

    def __init__(self, rpc: Rpc, header: Header):
        self._rpc = rpc
        self._header = header
        self._tag = hex(header.number)
        self._known: tries.Known = {}
        self.block = header.number
        self.proven = 0

    def words(self, address: str, slots: Sequence[int], walked: Walked = lambda _count: None) -> dict[int, int]:
        """The words of a contract's slots; `walked` hears how many more are proven."""
        found: dict[int, int] = {}
        for group in _groups(slots, SLOTS_PER_PROOF * PROOFS_PER_BATCH):
            asked = list(_groups(group, SLOTS_PER_PROOF))
            for part, proof in zip(asked, self._proofs([(address, part) for part in asked]), strict=True):
                found |= proof.words
                walked(len(part))
        return found

    def account(self, address: str) -> state.Account:
        """The account itself: the root of its storage, the hash of its code."""
        (proof,) = self._proofs([(address, [])])
        return proof.account

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

    def _proofs(self, asked: Sequence[tuple[str, Sequence[int]]]) -> list[state.Proof]:
        calls = [
            ("eth_getProof", [address, ["0x" + slot.to_bytes(32).hex() for slot in slots], self._tag])
            for address, slots in asked
        ]
        answers = self._rpc.batch(calls)
        proofs = []
        for (address, slots), answer in zip(asked, answers, strict=True):
            try:
                if not isinstance(answer, Mapping):
                    raise ProofInvalid("the node answered nothing")
                raw = hexes.to_bytes(address, 20, "address")
                proofs.append(state.verify(self._header.state_root, raw, slots, answer, self._known))
            except ProofInvalid as error:
                raise Stopped(_unproven(self._header, address, slots, str(error))) from error
            self.proven += len(slots)
        return proofs


def _unproven(header: Header, address: str, slots: Sequence[int], why: str) -> Difference:
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


def _groups(slots: Sequence[int], size: int) -> Iterator[Sequence[int]]:
    for start in range(0, len(slots), size):
        yield slots[start : start + size]
