"""What claims stand on: the headers and trie nodes of a bundle, and what can be read out of them with certainty.

Nodes lie in one set, by their hash: a walk down a trie looks each next node up, so proofs of accounts, storage,
receipts and transactions share what they share. Every node must be used.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import count
from typing import Final

from chain.base.hashing import keccak
from chain.evidence import rlp
from chain.evidence.errors import Refused

EMPTY_ROOT: Final = keccak(b"\x80")
HEADER_ITEMS: Final = range(15, 22)
BLOOM_BITS: Final = 2048


@dataclass(frozen=True, slots=True)
class WitnessedHeader:
    """What a claim needs of a header; `time` in unix seconds."""

    number: int
    hash: bytes
    parent: bytes
    state_root: bytes
    transactions_root: bytes
    receipts_root: bytes
    bloom: int
    time: int


@dataclass(frozen=True, slots=True)
class Account:
    """A contract in the state."""

    storage_root: bytes
    code_hash: bytes


@dataclass(frozen=True, slots=True)
class WitnessedLog:
    """A log within its receipt: `address` 20 bytes, topics 32 each."""

    position: int
    address: bytes
    topics: tuple[bytes, ...]
    data: bytes


def header(raw: bytes) -> WitnessedHeader:
    """Raises Refused with HeaderInvalid."""
    try:
        found = rlp.listed(raw)
        if len(found) not in HEADER_ITEMS or any(one.is_list for one in found):
            raise ValueError("a header has 15 to 21 strings")
        return WitnessedHeader(
            number=rlp.number(found[8], 8),
            hash=keccak(raw),
            parent=rlp.string(found[0], 32),
            state_root=rlp.string(found[3], 32),
            transactions_root=rlp.string(found[4], 32),
            receipts_root=rlp.string(found[5], 32),
            bloom=int.from_bytes(rlp.string(found[6], BLOOM_BITS // 8)),
            time=rlp.number(found[11], 8),
        )
    except ValueError as error:
        raise Refused("HeaderInvalid", str(error)) from None


def linked(raw: Iterable[bytes]) -> dict[int, WitnessedHeader]:
    """Headers by number, each the parent of the next."""
    found: dict[int, WitnessedHeader] = {}
    last: WitnessedHeader | None = None
    for one in map(header, raw):
        if last is not None and (one.number != last.number + 1 or one.parent != last.hash):
            raise Refused("HeaderBroken", f"header {one.number} does not follow header {last.number}")
        found[one.number] = last = one
    return found


def bloom_mask(value: bytes) -> int:
    """The three bits that an address or topic sets in a bloom."""
    digest = keccak(value)
    return sum({1 << (int.from_bytes(digest[at : at + 2]) % BLOOM_BITS) for at in (0, 2, 4)})


class WitnessStore:
    """Headers and nodes of one bundle."""

    def __init__(self, headers: dict[int, WitnessedHeader], nodes: Iterable[bytes], block: int):
        self.headers = headers
        self.block = self.header(block)
        self._nodes: dict[bytes, bytes] = {}
        self._unused: set[bytes] = set()
        self._accounts: dict[bytes, Account] = {}
        last = b""
        for node in nodes:
            hash_ = keccak(node)
            if hash_ <= last:
                raise Refused("NodesUnsorted", f"node 0x{hash_.hex()} does not stand after the one before it")
            self._nodes[hash_] = node
            last = hash_
        self._unused.update(self._nodes)

    def header(self, number: int) -> WitnessedHeader:
        """The header of a block, or HeaderMissing."""
        found = self.headers.get(number)
        if found is None:
            raise Refused("HeaderMissing", f"there is no header of block {number}")
        return found

    def account(self, address: bytes) -> Account:
        """An account in the state of the bundle's block, or AccountAbsent."""
        found = self._accounts.get(address)
        if found is None:
            value = self.get(self.block.state_root, keccak(address))
            if value is None:
                raise Refused("AccountAbsent", f"the state has no account 0x{address.hex()}")
            with _proofs():
                parts = rlp.listed(value)
                if len(parts) != 4:
                    raise ValueError("an account has four parts")
                found = Account(rlp.string(parts[2], 32), rlp.string(parts[3], 32))
            self._accounts[address] = found
        return found

    def storage(self, address: bytes, slot: int) -> int:
        """A word of a contract's storage in the state of the bundle's block; 0 where it is proven absent."""
        value = self.get(self.account(address).storage_root, keccak(slot.to_bytes(32)))
        if value is None:
            return 0
        # Anvil keeps words of 0 in its tries; other nodes leave them out.
        with _proofs():
            return rlp.number(rlp.whole(value), 32)

    def receipt(self, block: int, index: int) -> bytes | None:
        """A receipt as it lies in the trie of its block, or None where the block has no such transaction."""
        return self.get(self.header(block).receipts_root, index_key(index))

    def receipts(self, block: int) -> Iterable[tuple[int, bytes]]:
        """All receipts of a block: from 0 up to the first that is proven not to be there."""
        for index in count():
            found = self.receipt(block, index)
            if found is None:
                return
            yield index, found

    def transaction(self, block: int, index: int) -> bytes | None:
        """A signed transaction as it lies in the trie of its block."""
        return self.get(self.header(block).transactions_root, index_key(index))

    def get(self, root: bytes, key: bytes) -> bytes | None:
        """The value under a key, or None when the nodes prove that there is none."""
        if root == EMPTY_ROOT:
            return None
        path = key.hex()
        with _proofs():
            raw = self._node(root)
            while True:
                node = rlp.listed(raw)
                if len(node) == 17:
                    if not path:
                        return rlp.string(node[16]) or None
                    child, path = node[int(path[0], 16)], path[1:]
                    if child.raw == b"\x80":
                        return None
                elif len(node) == 2:
                    part, is_leaf = _part(node[0])
                    if is_leaf:
                        if path != part:
                            return None
                        if not rlp.string(node[1]):
                            raise ValueError("a leaf without a value")
                        return rlp.string(node[1])
                    if not path.startswith(part):
                        return None
                    child, path = node[1], path[len(part) :]
                else:
                    raise ValueError("a node has 2 or 17 parts")
                if child.is_list:
                    if len(child.raw) > 31:
                        raise ValueError("a node of 32 bytes or more is named by its hash")
                    raw = child.raw
                else:
                    raw = self._node(rlp.string(child, 32))

    def used(self) -> list[bytes]:
        """The nodes that were needed so far, in order."""
        return [node for hash_, node in self._nodes.items() if hash_ not in self._unused]

    def finish(self) -> None:
        """Raises NodeUnused when something was carried along that nothing needed."""
        if self._unused:
            raise Refused("NodeUnused", f"{len(self._unused)} nodes prove nothing that is claimed")

    def _node(self, hash_: bytes) -> bytes:
        self._unused.discard(hash_)
        try:
            return self._nodes[hash_]
        except KeyError:
            raise Refused("NodeMissing", f"there is no node 0x{hash_.hex()}") from None


class _proofs:  # noqa: N801 - used as a statement
    """What is no RLP or node within is ProofInvalid."""

    def __enter__(self) -> None:
        pass

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        if isinstance(error, ValueError):
            raise Refused("ProofInvalid", str(error)) from None


proofs = _proofs


def index_key(index: int) -> bytes:
    """Where the trie of a block keeps item `index`: under its RLP."""
    if index == 0:
        return b"\x80"
    data = index.to_bytes((index.bit_length() + 7) // 8)
    return data if index < 0x80 else bytes((0x80 + len(data),)) + data


def _part(item: rlp.Item) -> tuple[str, bool]:
    """Nibbles of a leaf or an extension, and which of them it is."""
    digits = rlp.string(item).hex()
    if not digits or digits[0] not in "0123" or (digits[0] in "02" and digits[1] != "0"):
        raise ValueError("a path of a node is not well formed")
    part, is_leaf = digits[1 if digits[0] in "13" else 2 :], digits[0] in "23"
    if not part and not is_leaf:
        raise ValueError("an extension that leads nowhere")
    return part, is_leaf


def status(receipt: bytes) -> bytes:
    """The first part of a receipt: 1 when its transaction was carried out."""
    return rlp.string(_receipt(receipt)[0])


def logs(receipt: bytes, naming: bytes = b"") -> Iterable[WitnessedLog]:
    """The logs of a receipt in which the bytes `naming` appear somewhere. Raises ValueError."""
    if naming not in receipt:
        return
    for position, one in enumerate(rlp.items(_receipt(receipt)[3].payload)):
        if naming in one.raw:
            parts = rlp.listed(one.raw)
            if len(parts) != 3 or not parts[1].is_list:
                raise ValueError("a log is address, topics and data")
            topics = tuple(rlp.string(topic, 32) for topic in rlp.items(parts[1].payload))
            yield WitnessedLog(position, rlp.string(parts[0], 20), topics, rlp.string(parts[2]))


def _receipt(raw: bytes) -> list[rlp.Item]:
    parts = rlp.listed(raw[1:] if raw and raw[0] < 0x80 else raw)
    if len(parts) != 4 or not parts[3].is_list:
        raise ValueError("a receipt is status, gas, bloom and logs")
    return parts
