"""Merkle-Patricia tries: the root and the nodes of an ordered list, and what a proof says of a key.

A proof is the list of nodes from the root down, as eth_getProof gives it; every node of it must be used. Receipts and
transactions lie in a trie under rlp(index). Source: yellow paper, appendix D.
"""

from collections.abc import Sequence
from typing import Final

from chain.base.hashing import keccak
from chain.proofs import rlp
from chain.proofs.errors import EncodingInvalid, ProofInvalid

EMPTY_ROOT: Final = keccak(b"\x80")
NODES_MAX: Final = 65
KNOWN_MAX: Final = 1 << 12
Leaf = tuple[bytes, bytes]
# Branches by their hash: as bytes, and decoded.
Known = dict[bytes, tuple[bytes, list[rlp.Item]]]


def nibbles(key: bytes) -> bytes:
    """Two for each byte, one in a byte."""
    return bytes.fromhex("".join("0" + digit for digit in key.hex()))


def ordered_root(values: Sequence[bytes]) -> bytes:
    """Root of the trie of a list; EMPTY_ROOT of an empty one."""
    return keccak(_node(_leaves(values), 0)) if values else EMPTY_ROOT


def ordered_nodes(values: Sequence[bytes]) -> list[bytes]:
    """All nodes of the trie of a list that are named by a hash, the root among them; none of an empty list."""
    kept: list[bytes] = []
    if values:
        root = _node(_leaves(values), 0, kept)
        # The root is named by its hash however small it is.
        kept += [root] if len(root) < 32 else []
    return kept


def lookup(root: bytes, key: bytes, proof: Sequence[bytes], known: Known | None = None) -> bytes | None:
    """The value under `key` in the trie with this root, or None when the proof shows that there is none.

    known: branches of earlier proofs, so that many proofs of one trie hash what they share once.
    Raises ProofInvalid when the nodes do not lead from the root to the one or the other, or when one is left over.
    """
    if len(proof) > NODES_MAX:
        raise ProofInvalid(f"more than {NODES_MAX} nodes")
    # An empty trie has no node; some nodes send its one (0x80) all the same.
    if root == EMPTY_ROOT and list(proof) in ([], [b"\x80"]):
        return None
    walk = _Walk(root, proof, {} if known is None else known)
    value = walk.find(nibbles(key))
    if walk.used != len(proof):
        raise ProofInvalid(f"{len(proof) - walk.used} nodes are not on the way")
    return value


class _Walk:
    """One way down a trie."""

    def __init__(self, root: bytes, proof: Sequence[bytes], known: Known):
        self._proof = proof
        self._known = known
        self._reference: rlp.Item = root
        self.used = 0

    def find(self, path: bytes) -> bytes | None:
        at = 0
        while True:
            node = self._next()
            if len(node) == 17:
                if at == len(path):
                    return _value(node[16])
                self._reference = node[path[at]]
                at += 1
                if self._reference == b"":
                    return None
                continue
            part, is_leaf = _unpacked(node[0])
            if path[at : at + len(part)] != part:
                return None
            at += len(part)
            if is_leaf:
                return _value(node[1]) if at == len(path) else None
            self._reference = node[1]

    def _next(self) -> list[rlp.Item]:
        reference = self._reference
        if isinstance(reference, bytes):
            if len(reference) != 32 or self.used == len(self._proof):
                raise ProofInvalid("a node is missing")
            raw = self._proof[self.used]
            before = self._known.get(reference)
            if before is not None and before[0] == raw:
                self.used += 1
                return before[1]
            if keccak(raw) != reference:
                raise ProofInvalid(f"node {self.used} has another hash than the node above it says")
            self.used += 1
            node = _decoded(raw)
            if len(node) == 17 and isinstance(node, list) and len(self._known) < KNOWN_MAX:
                self._known[reference] = raw, node
        else:
            node = reference
            # Some nodes list also what lies within the node above.
            if self.used < len(self._proof) and self._proof[self.used] == rlp.encode(node):
                self.used += 1
        if not isinstance(node, list) or len(node) not in (2, 17):
            raise ProofInvalid("a node is neither branch, extension nor leaf")
        return node


def _decoded(raw: bytes) -> rlp.Item:
    try:
        return rlp.decode(raw)
    except EncodingInvalid as error:
        raise ProofInvalid(str(error)) from error


def _value(item: rlp.Item) -> bytes | None:
    if not isinstance(item, bytes):
        raise ProofInvalid("a value is a list")
    return item or None


def _packed(path: bytes, *, leaf: bool) -> bytes:
    """Nibbles with the flag of their kind, two to a byte."""
    flag = 2 if leaf else 0
    head = bytes((flag + 1,)) if len(path) % 2 else bytes((flag, 0))
    digits = head + path
    return bytes(16 * high + low for high, low in zip(digits[::2], digits[1::2], strict=True))


def _unpacked(item: rlp.Item) -> tuple[bytes, bool]:
    if not isinstance(item, bytes) or not item or item[0] >> 4 > 3:
        raise ProofInvalid("a path has no such form")
    digits = nibbles(item)
    if not digits[0] & 1 and digits[1]:
        raise ProofInvalid("a path has no such form")
    part = digits[1 if digits[0] & 1 else 2 :]
    if digits[0] < 2 and not part:
        raise ProofInvalid("an extension leads nowhere")
    return part, digits[0] >= 2


def _leaves(values: Sequence[bytes]) -> list[Leaf]:
    return sorted((nibbles(rlp.encode(rlp.number(index))), value) for index, value in enumerate(values))


def _shared(leaves: Sequence[Leaf], depth: int) -> int:
    """How far all paths agree. Sorted: what first and last share, all share. They differ somewhere, for no key of a
    list begins another (RLP of two numbers)."""
    first, last = leaves[0][0], leaves[-1][0]
    while first[depth] == last[depth]:
        depth += 1
    return depth


def _node(leaves: Sequence[Leaf], depth: int, kept: list[bytes] | None = None) -> bytes:
    """RLP of the node over these leaves, which agree in their first `depth` nibbles.

    kept: where it and the nodes under it are put down, if they have 32 bytes or more.
    """
    node = _made(leaves, depth, kept)
    if kept is not None and len(node) >= 32:
        kept.append(node)
    return node


def _made(leaves: Sequence[Leaf], depth: int, kept: list[bytes] | None) -> bytes:
    if len(leaves) == 1:
        path, value = leaves[0]
        return rlp.joined(rlp.string(_packed(path[depth:], leaf=True)) + rlp.string(value))
    shared = _shared(leaves, depth)
    if shared > depth:
        part = _packed(leaves[0][0][depth:shared], leaf=False)
        return rlp.joined(rlp.string(part) + _reference(_node(leaves, shared, kept)))
    children, start = [b"\x80"] * 16, 0
    while start < len(leaves):
        digit, end = leaves[start][0][depth], start + 1
        while end < len(leaves) and leaves[end][0][depth] == digit:
            end += 1
        children[digit] = _reference(_node(leaves[start:end], depth + 1, kept))
        start = end
    return rlp.joined(b"".join(children) + rlp.string(b""))


def _reference(node: bytes) -> bytes:
    return node if len(node) < 32 else b"\xa0" + keccak(node)
