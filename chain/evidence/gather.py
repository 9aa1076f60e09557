"""Reads from a node what a bundle carries: headers, and the trie nodes of accounts, storage, receipts and transactions.

More may be gathered than is needed in the end; what no claim uses is left out when the bundle is made.
"""

from collections.abc import Iterable, Sequence
from typing import Any, Final

from chain.base.hashing import keccak
from chain.evidence.errors import EvidenceMissing, EvidenceTooLarge
from chain.evidence.witness_store import EMPTY_ROOT
from chain.node.rpc import Rpc
from chain.proofs import receipts, transactions, tries
from chain.proofs.errors import ProofError
from chain.proofs.headers import ProvenHeader

HEADERS_MAX: Final = 20_000
HEADERS_PER_BATCH: Final = 200
RECEIPTS_PER_BATCH: Final = 50


class Gatherer:
    """What was read so far. `words`: (address, slot) → the word at `block`."""

    def __init__(
        self, rpc: Rpc, first: int, last: int, *, block: int | None = None, known: "HeaderCache | None" = None
    ):
        if not 0 <= first <= last:
            raise EvidenceMissing(f"There are no blocks {first} to {last}.")
        if last - first >= HEADERS_MAX:
            raise EvidenceTooLarge("headers", last - first + 1, HEADERS_MAX)
        self._rpc = rpc
        self.block = last if block is None else block
        self.headers = known.between(rpc, first, last) if known else _headers(rpc, range(first, last + 1))
        for before, after in zip(self.headers, self.headers[1:], strict=False):
            if after.parent_hash != before.hash:
                raise EvidenceMissing(f"Block {after.number} changed while it was read; ask again.")
        self._first = first
        self.nodes: dict[bytes, bytes] = {}
        self.words: dict[tuple[str, int], int] = {}
        self.code_hashes: dict[str, str] = {}
        self._receipts: dict[int, list[bytes]] = {}
        self._hashes: dict[int, list[str]] = {}

    def header(self, number: int) -> ProvenHeader:
        """The header of a block within the range."""
        if not 0 <= number - self._first < len(self.headers):
            raise EvidenceMissing(f"Block {number} is not among those asked for.")
        return self.headers[number - self._first]

    def state(self, wanted: dict[str, Iterable[int]]) -> None:
        """Proofs of accounts and of slots of their storage, at `block`."""
        slots = {address: sorted(set(found)) for address, found in wanted.items()}
        answers = self._rpc.batch(
            [
                ("eth_getProof", [address, [f"0x{slot:064x}" for slot in found], hex(self.block)])
                for address, found in slots.items()
            ]
        )
        for (address, found), proof in zip(slots.items(), answers, strict=True):
            self.code_hashes[address] = proof["codeHash"]
            self._keep(bytes.fromhex(node[2:]) for node in proof["accountProof"])
            for slot, one in zip(found, proof["storageProof"], strict=True):
                self.words[address, slot] = int(one["value"], 16)
                self._keep(bytes.fromhex(node[2:]) for node in one["proof"])

    def receipts(self, numbers: Sequence[int]) -> dict[int, list[bytes]]:
        """All receipts of blocks as they lie in the trie, whose root must be the header's."""
        missing = [number for number in numbers if number not in self._receipts]
        hashes = dict(zip(missing, self._blocks(missing, whole=False), strict=True))
        asked = [hash_ for block in hashes.values() for hash_ in block["transactions"]]
        found: dict[str, Any] = {}
        for start in range(0, len(asked), RECEIPTS_PER_BATCH):
            part = asked[start : start + RECEIPTS_PER_BATCH]
            answers = self._rpc.batch([("eth_getTransactionReceipt", [hash_]) for hash_ in part])
            found.update(zip(part, answers, strict=True))
        for number, block in hashes.items():
            raw = _encoded(receipts.encode, [found[hash_] for hash_ in block["transactions"]], number)
            self._trie(raw, self.header(number).receipts_root, number)
            self._receipts[number] = raw
            self._hashes[number] = block["transactions"]
        return self._receipts

    def hashes(self, number: int) -> list[str]:
        """The hashes of the transactions of a block whose receipts were read."""
        return self._hashes[number]

    def transactions(self, number: int) -> list[bytes]:
        """All transactions of a block as they lie in the trie."""
        raw = _encoded(transactions.encode, self._blocks([number], whole=True)[0]["transactions"], number)
        self._trie(raw, self.header(number).transactions_root, number)
        return raw

    def _blocks(self, numbers: Sequence[int], *, whole: bool) -> list[Any]:
        answers = self._rpc.batch([("eth_getBlockByNumber", [hex(number), whole]) for number in numbers])
        for number, block in zip(numbers, answers, strict=True):
            if block is None or block["hash"] != "0x" + self.header(number).hash.hex():
                raise EvidenceMissing(f"Block {number} changed while it was read; ask again.")
        return answers

    def _trie(self, values: Sequence[bytes], root: bytes, number: int) -> None:
        nodes = tries.ordered_nodes(values)
        if (keccak(nodes[-1]) if nodes else EMPTY_ROOT) != root:
            raise EvidenceMissing(f"The node's answer does not make up the root in the header of block {number}.")
        self._keep(nodes)

    def _keep(self, nodes: Iterable[bytes]) -> None:
        for node in nodes:
            self.nodes[keccak(node)] = node


class HeaderCache:
    """Headers that a long-lived process has read already; a block that another one replaced is read anew."""

    def __init__(self, headers_max: int = HEADERS_MAX):
        self._max = headers_max
        self._found: dict[int, ProvenHeader] = {}

    def between(self, rpc: Rpc, first: int, last: int) -> list[ProvenHeader]:
        """The headers of the blocks first to last, linked up to what the node says now."""
        found = self._found
        newest = _headers(rpc, range(last, last + 1))[0]
        chain, at = [newest], last - 1
        while at >= first and at in found and found[at].hash == chain[-1].parent_hash:
            chain.append(found[at])
            at -= 1
        rest = _headers(rpc, range(first, at + 1)) if at >= first else []
        whole = rest + chain[::-1]
        if len(found) > self._max:
            self._found = {}
        self._found = {**self._found, **{header.number: header for header in whole}}
        return whole


def _headers(rpc: Rpc, numbers: range) -> list[ProvenHeader]:
    found: list[ProvenHeader] = []
    for start in range(0, len(numbers), HEADERS_PER_BATCH):
        part = numbers[start : start + HEADERS_PER_BATCH]
        for number, block in zip(
            part, rpc.batch([("eth_getBlockByNumber", [hex(number), False]) for number in part]), strict=True
        ):
            if block is None:
                raise EvidenceMissing(f"The node has no block {number}.")
            try:
                found.append(ProvenHeader.from_json(block))
            except ProofError as error:
                raise EvidenceMissing(f"Block {number}: {error}") from error
    return found


def _encoded(encode: Any, values: Sequence[Any], number: int) -> list[bytes]:
    try:
        if None in values:
            raise EvidenceMissing(f"Block {number} changed while it was read; ask again.")
        return [encode(value) for value in values]
    except ProofError as error:
        raise EvidenceMissing(f"Block {number}: {error}") from error


__all__ = ["Gatherer", "HeaderCache"]
