"""RFC 6962 trees: the reference tree of Certificate Transparency, and properties against the words of the RFC."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chain.tlog.errors import ProofInvalid, TileMissing
from chain.tlog.hashes import EMPTY_ROOT, leaf_hash, node_hash
from chain.tlog.proofs import verify_consistency, verify_inclusion
from chain.tlog.tiles import TILE_WIDTH, Tiles, append
from chain.tlog.tree import Nodes, consistency, inclusion, naive_root, root

LEAVES = [
    bytes.fromhex(text)
    for text in (
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    )
]
ROOTS = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
# (index, size) → path, as the reference implementation of Certificate Transparency has them.
INCLUSIONS = {
    (0, 1): [],
    (0, 8): [
        "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
    ],
    (5, 8): [
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ],
    (2, 3): ["fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"],
    (1, 5): [
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
    ],
}
CONSISTENCIES = {
    (1, 1): [],
    (1, 8): [
        "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
    ],
    (6, 8): [
        "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ],
    (2, 5): [
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
    ],
}
HASHES = [leaf_hash(leaf) for leaf in LEAVES]


def nodes_of(hashes: Sequence[bytes]) -> Nodes:
    """Nodes by the words of the RFC."""
    return lambda height, index: naive_root(hashes[index << height : (index + 1) << height])


def tiles_of(hashes: Sequence[bytes], *, steps: Sequence[int] = ()) -> dict[tuple[int, int], bytes]:
    """Tiles of a tree that was appended to in these steps."""
    held: dict[tuple[int, int], bytes] = {}
    size = 0

    def read(level: int, number: int) -> bytes | None:
        return held.get((level, number))

    for step in [*steps, len(hashes)]:
        more = hashes[size : min(size + step, len(hashes))]
        held.update(append(read, size, more))
        size += len(more)
    return held


def rfc_inclusion(index: int, hashes: Sequence[bytes]) -> list[bytes]:
    """PATH(m, D[n]) of RFC 6962, 2.1.1, word by word."""
    if len(hashes) <= 1:
        return []
    middle = 1 << ((len(hashes) - 1).bit_length() - 1)
    if index < middle:
        return [*rfc_inclusion(index, hashes[:middle]), naive_root(hashes[middle:])]
    return [*rfc_inclusion(index - middle, hashes[middle:]), naive_root(hashes[:middle])]


def rfc_consistency(old: int, hashes: Sequence[bytes], *, whole: bool = True) -> list[bytes]:
    """SUBPROOF(m, D[n], b) of RFC 6962, 2.1.2, word by word."""
    if old == len(hashes):
        return [] if whole else [naive_root(hashes)]
    middle = 1 << ((len(hashes) - 1).bit_length() - 1)
    if old <= middle:
        return [*rfc_consistency(old, hashes[:middle], whole=whole), naive_root(hashes[middle:])]
    return [*rfc_consistency(old - middle, hashes[middle:], whole=False), naive_root(hashes[:middle])]


def refuses(call: object, *arguments: object) -> bool:
    try:
        call(*arguments)  # type: ignore[operator]
    except ProofInvalid:
        return True
    return False


def test_roots_of_the_reference_tree() -> None:
    """SPEC 14.1"""
    assert [naive_root(HASHES[:size]).hex() for size in range(9)] == ROOTS
    assert [root(nodes_of(HASHES), size).hex() for size in range(9)] == ROOTS
    assert bytes.fromhex(ROOTS[0]) == EMPTY_ROOT


@pytest.mark.parametrize(("place", "path"), INCLUSIONS.items())
def test_inclusion_proofs_of_the_reference_tree(place: tuple[int, int], path: list[str]) -> None:
    """SPEC 14.1"""
    index, size = place

    made = inclusion(nodes_of(HASHES), index, size)

    assert [one.hex() for one in made] == path
    verify_inclusion(HASHES[index], index, size, made, bytes.fromhex(ROOTS[size]))


@pytest.mark.parametrize(("sizes", "path"), CONSISTENCIES.items())
def test_consistency_proofs_of_the_reference_tree(sizes: tuple[int, int], path: list[str]) -> None:
    """SPEC 14.1"""
    old, size = sizes

    made = consistency(nodes_of(HASHES), old, size)

    assert [one.hex() for one in made] == path
    verify_consistency(old, size, made, bytes.fromhex(ROOTS[old]), bytes.fromhex(ROOTS[size]))


def test_leaf_is_never_taken_for_a_node() -> None:
    """SPEC 14.1"""
    assert leaf_hash(HASHES[0] + HASHES[1]) != node_hash(HASHES[0], HASHES[1])


@pytest.mark.parametrize("size", range(1, 9))
def test_every_wrong_inclusion_is_refused(size: int) -> None:
    """SPEC 14.2"""
    tree_root = bytes.fromhex(ROOTS[size])
    for index in range(size):
        proof = inclusion(nodes_of(HASHES), index, size)
        leaf = HASHES[index]
        verify_inclusion(leaf, index, size, proof, tree_root)
        wrong = [
            (leaf_hash(b"other"), index, size, proof, tree_root),
            (leaf, index, size, [*proof, EMPTY_ROOT], tree_root),
            (leaf, index, size, [EMPTY_ROOT, *proof], tree_root),
            (leaf, index, size, proof, EMPTY_ROOT),
            (leaf, -1, size, proof, tree_root),
            (leaf, size, size, proof, tree_root),
            (leaf, index, 0, proof, tree_root),
            (leaf[:-1], index, size, proof, tree_root),
            *((leaf, other, size, proof, tree_root) for other in range(size) if other != index),
            *((leaf, index, size, proof[:cut], tree_root) for cut in range(len(proof))),
            *((leaf, index, size, [*proof[:at], EMPTY_ROOT, *proof[at + 1 :]], tree_root) for at in range(len(proof))),
        ]
        assert all(refuses(verify_inclusion, *arguments) for arguments in wrong)


@pytest.mark.parametrize("size", range(1, 9))
def test_every_wrong_consistency_is_refused(size: int) -> None:
    """SPEC 14.2"""
    new_root = bytes.fromhex(ROOTS[size])
    for old in range(size + 1):
        proof = consistency(nodes_of(HASHES), old, size)
        old_root = bytes.fromhex(ROOTS[old])
        verify_consistency(old, size, proof, old_root, new_root)
        junk = leaf_hash(b"junk")
        wrong = [
            (old, size, proof, junk, new_root),
            (old, size, [*proof, junk], old_root, new_root),
            (old, size, [junk, *proof], old_root, new_root),
            (old, old - 1, proof, old_root, new_root),
            (size + 1, size, proof, old_root, new_root),
            (-1, size, proof, old_root, new_root),
            *((old, size, proof[:cut], old_root, new_root) for cut in range(len(proof))),
            *((old, size, [*proof[:at], junk, *proof[at + 1 :]], old_root, new_root) for at in range(len(proof))),
            *([(old, size, proof, old_root, junk)] if old else []),
        ]
        assert all(refuses(verify_consistency, *arguments) for arguments in wrong), (old, size)


def test_endless_proof_is_refused_before_it_is_hashed() -> None:
    """SPEC 14.2"""
    assert refuses(verify_inclusion, HASHES[0], 0, 2**62, [HASHES[1]] * 66, EMPTY_ROOT)
    assert refuses(verify_consistency, 3, 2**62, [HASHES[1]] * 66, EMPTY_ROOT, EMPTY_ROOT)


@settings(max_examples=150, deadline=None)
@given(size=st.integers(1, 700), data=st.data())
def test_proofs_are_those_of_the_rfc(size: int, data: st.DataObject) -> None:
    """SPEC 14.1: made from tiles, in whatever steps the tree grew; each verifies, and none for another place."""
    hashes = [leaf_hash(number.to_bytes(4)) for number in range(size)]
    steps = data.draw(st.lists(st.integers(1, 300), max_size=8))
    index = data.draw(st.integers(0, size - 1))
    old = data.draw(st.integers(0, size))
    held = tiles_of(hashes, steps=steps)
    tree = Tiles(lambda level, number: held.get((level, number)), size)
    tree_root, old_root = naive_root(hashes), naive_root(hashes[:old])

    assert root(tree.node, size) == tree_root
    assert root(tree.node, old) == old_root
    path, link = inclusion(tree.node, index, size), consistency(tree.node, old, size)
    assert path == rfc_inclusion(index, hashes)
    assert link == (rfc_consistency(old, hashes) if old else [])
    verify_inclusion(hashes[index], index, size, path, tree_root)
    verify_consistency(old, size, link, old_root, tree_root)
    other = data.draw(st.integers(0, size - 1).filter(lambda place: place != index)) if size > 1 else None
    if other is not None:
        assert refuses(verify_inclusion, hashes[index], other, size, path, tree_root)


def test_tiles_are_those_of_c2sp() -> None:
    """SPEC 14.3: the example of c2sp.org/tlog-tiles, a tree of 70,000."""
    hashes = [number.to_bytes(32) for number in range(70_000)]

    held = tiles_of(hashes, steps=[1, 255, 256, 1_000, 65_536])

    level_0 = [len(tile) // 32 for (level, _), tile in sorted(held.items()) if level == 0]
    assert level_0 == [TILE_WIDTH] * 273 + [112]
    assert {place: len(tile) // 32 for place, tile in held.items() if place[0] > 0} == {
        (1, 0): TILE_WIDTH,
        (1, 1): 17,
        (2, 0): 1,
    }


def test_hash_that_is_missing_is_named() -> None:
    """SPEC 14.3"""
    hashes = [number.to_bytes(32) for number in range(600)]
    held = tiles_of(hashes)
    held[0, 1] = held[0, 1][: 32 * 100]

    with pytest.raises(TileMissing) as caught:
        inclusion(Tiles(lambda level, number: held.get((level, number)), 600).node, 300, 600)

    assert (caught.value.level, caught.value.number) == (0, 1)
    with pytest.raises(TileMissing):
        append(lambda _level, _number: None, 600, hashes[:1])
