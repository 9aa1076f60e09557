"""Tries, RLP and receipts beside the reference libraries, and what must be refused."""

from typing import Any

import pytest
import rlp as reference
from hypothesis import given, settings
from hypothesis import strategies as st
from rlp.exceptions import DecodingError
from trie import HexaryTrie

from chain.base.hashing import keccak
from chain.proofs import receipts, rlp, state, tries
from chain.proofs.errors import EncodingInvalid, ProofInvalid

ITEMS: Any = st.recursive(st.binary(max_size=70), lambda inner: st.lists(inner, max_size=5), max_leaves=20)
VALUES = st.lists(st.binary(min_size=1, max_size=90), min_size=1, max_size=300)


def reference_trie(values: list[bytes]) -> HexaryTrie:
    """The library's trie of a list."""
    made = HexaryTrie({})
    for index, value in enumerate(values):
        made[reference.encode(index)] = value
    return made


def key_of(index: int) -> bytes:
    return rlp.encode(rlp.number(index))


def proof_of(values: list[bytes], index: int) -> list[bytes]:
    """The library's proof of an item, or of its absence, as nodes send it: what is below 32 bytes lies within the node
    above it."""
    nodes = [rlp.encode(node) for node in reference_trie(values).get_proof(key_of(index))]
    return [node for place, node in enumerate(nodes) if place == 0 or len(node) >= 32]


def bloom_of(logs: list[receipts.ReceiptLog]) -> bytes:
    """Yellow paper, 4.4.1: three bits for each address and topic, counted from the low end."""
    bloom = bytearray(256)
    for value in (part for log in logs for part in (log.address, *log.topics)):
        digest = keccak(value)
        for at in (0, 2, 4):
            bit = (digest[at] % 8) * 256 + digest[at + 1]
            bloom[255 - bit // 8] |= 1 << bit % 8
    return bytes(bloom)


@given(ITEMS)
def test_rlp_is_the_librarys(item: Any) -> None:
    """SPEC 12.2"""
    assert rlp.encode(item) == reference.encode(item)
    assert rlp.decode(rlp.encode(item)) == item


@given(st.binary(max_size=60))
def test_rlp_refuses_what_the_library_refuses(data: bytes) -> None:
    """SPEC 12.8"""
    try:
        right = reference.decode(data, strict=True)
    except DecodingError:
        with pytest.raises(EncodingInvalid):
            rlp.decode(data)
    else:
        assert rlp.encode(rlp.decode(data)) == data == reference.encode(right)


def test_rlp_refuses_a_tower_of_lists() -> None:
    """SPEC 12.8"""
    item: Any = b""
    for _ in range(40):
        item = [item]
    with pytest.raises(EncodingInvalid, match="deeper"):
        rlp.decode(reference.encode(item))


@settings(max_examples=40, deadline=None)
@given(VALUES)
def test_the_root_of_a_list_is_the_librarys(values: list[bytes]) -> None:
    """SPEC 12.3"""
    assert tries.ordered_root(values) == reference_trie(values).root_hash


@pytest.mark.parametrize("count", [1, 2, 16, 17, 128, 129, 130, 144, 145, 257])
def test_the_root_of_a_list_of_any_shape_is_the_librarys(count: int) -> None:
    """SPEC 12.3: the keys of 129 items and a few more share what no shorter list's do."""
    values = [bytes([number % 251 + 1]) * (1 + number % 40) for number in range(count)]
    assert tries.ordered_root(values) == reference_trie(values).root_hash


def test_the_root_of_nothing_is_the_empty_root() -> None:
    """SPEC 12.3"""
    assert tries.ordered_root([]) == tries.EMPTY_ROOT == HexaryTrie({}).root_hash


@settings(max_examples=40, deadline=None)
@given(VALUES, st.integers(0, 400))
def test_every_item_is_proven_and_nothing_else(values: list[bytes], index: int) -> None:
    """SPEC 12.3"""
    found = tries.lookup(tries.ordered_root(values), key_of(index), proof_of(values, index))
    assert found == (values[index] if index < len(values) else None)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.binary(min_size=1, max_size=60), min_size=2, max_size=40), st.data())
def test_a_proof_with_any_byte_flipped_is_refused(values: list[bytes], data: Any) -> None:
    """SPEC 12.8"""
    index = data.draw(st.integers(0, len(values) - 1))
    proof = proof_of(values, index)
    node = data.draw(st.integers(0, len(proof) - 1))
    place = data.draw(st.integers(0, len(proof[node]) - 1))
    spoilt = bytearray(proof[node])
    spoilt[place] ^= 1 << data.draw(st.integers(0, 7))
    proof[node] = bytes(spoilt)

    with pytest.raises(ProofInvalid):
        tries.lookup(tries.ordered_root(values), key_of(index), proof)


def test_a_node_too_few_or_too_many_is_refused() -> None:
    """SPEC 12.8"""
    values = [bytes([number]) * 40 for number in range(1, 60)]
    root, proof = tries.ordered_root(values), proof_of(values, 33)
    for spoilt in (proof[:-1], [*proof, proof[-1]], proof[1:], [proof[0], proof[0], *proof[1:]], []):
        with pytest.raises(ProofInvalid):
            tries.lookup(root, key_of(33), spoilt)


@settings(max_examples=30, deadline=None)
@given(st.dictionaries(st.integers(0, 2**256 - 1), st.integers(1, 2**256 - 1), max_size=40), st.integers(0, 2**256 - 1))
def test_words_and_their_absence_are_proven(words: dict[int, int], other: int) -> None:
    """SPEC 12.6"""
    made = HexaryTrie({})
    for slot, word in words.items():
        made[keccak(slot.to_bytes(32))] = reference.encode(word)
    known: tries.Known = {}
    for slot in [*words, other]:
        proof = [rlp.encode(node) for node in made.get_proof(keccak(slot.to_bytes(32)))]
        assert state.verify_storage(made.root_hash, slot, proof, known) == words.get(slot, 0)


def test_what_is_known_does_not_stand_for_what_is_shown() -> None:
    """SPEC 12.8"""
    values = [bytes([number]) * 40 for number in range(1, 60)]
    root, proof, known = tries.ordered_root(values), proof_of(values, 33), dict[Any, Any]()
    key = key_of(33)
    assert tries.lookup(root, key, proof, known) == values[33]
    assert known

    with pytest.raises(ProofInvalid):
        tries.lookup(root, key, [proof[0] + b"\0", *proof[1:]], known)


LOGS = st.lists(
    st.builds(
        receipts.ReceiptLog,
        address=st.binary(min_size=20, max_size=20),
        topics=st.lists(st.binary(min_size=32, max_size=32), max_size=4).map(tuple),
        data=st.binary(max_size=130),
    ),
    max_size=4,
)


@given(st.integers(0, 3), st.integers(0, 1), st.integers(0, 2**40), LOGS)
def test_a_receipt_comes_back_as_it_was(kind: int, status: int, gas: int, logs: list[receipts.ReceiptLog]) -> None:
    """SPEC 12.3"""
    bloom = bloom_of(logs)
    raw = receipts.encode(
        {
            "type": hex(kind),
            "status": hex(status),
            "cumulativeGasUsed": hex(gas),
            "logsBloom": "0x" + bloom.hex(),
            "logs": [
                {
                    "address": "0x" + log.address.hex(),
                    "topics": ["0x" + topic.hex() for topic in log.topics],
                    "data": "0x" + log.data.hex(),
                }
                for log in logs
            ],
        }
    )

    assert receipts.decode(raw) == receipts.Receipt(kind, status, gas, bloom, tuple(logs))
    listed = [[log.address, list(log.topics), log.data] for log in logs]
    assert raw == (bytes([kind]) if kind else b"") + reference.encode([status, gas, bloom, listed])
    assert all(receipts.may_hold(bloom, [log.address]) for log in logs)


@pytest.mark.parametrize(
    "spoil",
    [
        {"status": "0x2"},
        {"status": None},
        {"type": "0x80"},
        {"cumulativeGasUsed": "12"},
        {"logsBloom": "0x00"},
        {"logs": None},
        {"logs": [{"address": "0x00", "topics": [], "data": "0x"}]},
        {"logs": [{"address": "0x" + "00" * 20, "topics": ["0x" + "00" * 31, "0x" + "00" * 33], "data": "0x"}]},
        {"logs": [{"topics": [], "data": "0x"}]},
        {"logs": [{"address": "0x" + "00" * 20, "topics": [], "data": "0x00 00"}]},
        {"logs": [{"address": "0X" + "00" * 20, "topics": [], "data": "0x"}]},
        {"logs": [{"address": "0x" + " 00" * 13 + "00" * 7, "topics": [], "data": "0x"}]},
        {"logs": [{"address": "0x" + "00" * 20, "topics": ["0x" + "00" * 32] * 5, "data": "0x"}]},
        {"logs": [None]},
    ],
)
def test_a_receipt_of_no_such_shape_is_refused(spoil: dict[str, Any]) -> None:
    """SPEC 12.8"""
    good = {"status": "0x1", "cumulativeGasUsed": "0x1", "logsBloom": "0x" + "00" * 256, "logs": []}
    receipts.encode(good)

    with pytest.raises(EncodingInvalid):
        receipts.encode({**good, **spoil})
