"""OpenZeppelin's Merkle tree: complete, in one array, leaves from its last place on, pairs hashed in order of size."""

from collections.abc import Sequence

from eth_utils.crypto import keccak


def node(one: bytes, other: bytes) -> bytes:
    """The parent of two nodes."""
    return keccak(min(one, other) + max(one, other))


def tree(leaves: Sequence[bytes]) -> list[bytes]:
    """All places of the tree of these leaves, at least one; place 0 is the root."""
    places = [b""] * (len(leaves) - 1) + list(reversed(leaves))
    for place in range(len(leaves) - 2, -1, -1):
        places[place] = node(places[2 * place + 1], places[2 * place + 2])
    return places


def proof(places: Sequence[bytes], leaf: int) -> list[bytes]:
    """The siblings from a leaf (by its place in the file) up to the root."""
    place, siblings = len(places) - 1 - leaf, []
    while place > 0:
        siblings.append(places[place - 1 if place % 2 == 0 else place + 1])
        place = (place - 1) // 2
    return siblings


def root_of(leaf: bytes, siblings: Sequence[bytes]) -> bytes:
    """The root that a leaf and its proof lead to."""
    for sibling in siblings:
        leaf = node(leaf, sibling)
    return leaf


def multiproof(places: Sequence[bytes], leaves: Sequence[int]) -> tuple[list[bytes], list[bool]]:
    """Siblings and flags for several leaves, ascending and without repetition."""
    queue = [len(places) - 1 - leaf for leaf in leaves]
    siblings, flags = [], []
    while queue[0] > 0:
        place = queue.pop(0)
        sibling = place - 1 if place % 2 == 0 else place + 1
        together = bool(queue) and queue[0] == sibling
        if together:
            queue.pop(0)
        else:
            siblings.append(places[sibling])
        flags.append(together)
        queue.append((place - 1) // 2)
    return siblings, flags


def root_of_many(leaves: Sequence[bytes], siblings: Sequence[bytes], flags: Sequence[bool]) -> bytes | None:
    """The root that a multiproof leads to; None when it is not the proof of so many leaves."""
    if len(leaves) + len(siblings) != len(flags) + 1 or flags.count(False) != len(siblings):
        return None
    queue, rest = list(leaves), iter(siblings)
    for together in flags:
        one = queue.pop(0)
        if together and not queue:
            return None
        queue.append(node(one, queue.pop(0) if together else next(rest)))
    return queue[0]
