"""What can be read out of headers and nodes with certainty: made by the reference libraries, then spoilt."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import rlp
from trie import HexaryTrie

from chain.base.hashing import keccak
from chain.evidence import witness_store
from chain.evidence.errors import Refused
from chain.evidence.witness_store import EMPTY_ROOT, Account, WitnessStore, index_key, linked

ADDRESS, CODE = b"\xaa" * 20, b"\xcc" * 32
WORDS = {0: 7, 1: 2**256 - 1, 2: 0, 300: 0x80}
RECEIPTS = [b"\x02" + rlp.encode([b"\x01", b"", b"", []]) + bytes([n]) for n in range(130)]


def header_of(
    number: int,
    parent: bytes,
    state: bytes,
    receipts: bytes = EMPTY_ROOT,
    *,
    parts: int = 15,
    mix: Any = b"\x11" * 32,
    time: int = 1_005,
) -> bytes:
    found: list[Any] = [b"\x11" * 32] * 13 + [mix, b"\0" * 8]
    found[0], found[3], found[4], found[5], found[6] = parent, state, EMPTY_ROOT, receipts, b"\0" * 256
    found[8], found[11] = number, time
    return rlp.encode([*found, *[b"\x05"] * (parts - 15)])


def trie_of(values: dict[bytes, bytes]) -> HexaryTrie:
    made = HexaryTrie({}, prune=True)
    for key, value in values.items():
        made[key] = value
    return made


def storage_of(words: dict[int, bytes]) -> HexaryTrie:
    return trie_of({keccak(slot.to_bytes(32)): value for slot, value in words.items()})


def store(
    words: dict[int, bytes] | None = None, account: list[bytes] | None = None, receipts: list[bytes] | None = None
) -> WitnessStore:
    """A bundle of block 5 with one contract, and every node that there is."""
    told = {slot: rlp.encode(word) for slot, word in WORDS.items()} if words is None else words
    storage = storage_of(told)
    state = trie_of({keccak(ADDRESS): rlp.encode(account or [b"\x01", b"", storage.root_hash, CODE])})
    kept = trie_of({rlp.encode(number): each for number, each in enumerate(receipts or [])})
    nodes = {**storage.db, **state.db, **(kept.db if receipts else {})}
    root = kept.root_hash if receipts else EMPTY_ROOT
    return WitnessStore(
        linked([header_of(5, b"\x22" * 32, state.root_hash, root)]), [nodes[k] for k in sorted(nodes)], 5
    )


def refused(act: Callable[[], object], error: str) -> None:
    with pytest.raises(Refused) as found:
        act()
    assert found.value.name == error


def test_words_of_a_contract_are_read_and_what_is_absent_is_nothing() -> None:
    """SPEC 13.3"""
    made = store()

    assert {slot: made.storage(ADDRESS, slot) for slot in [*WORDS, 9]} == {**WORDS, 9: 0}
    assert made.account(ADDRESS).code_hash == CODE
    refused(lambda: made.account(b"\xab" * 20), "AccountAbsent")


@pytest.mark.parametrize("word", [rlp.encode(b"\x01" * 33), b"\x00", rlp.encode([b"\x01"]), b"\x01\x01", b"\x81\x7f"])
def test_a_word_is_one_number_of_at_most_32_bytes(word: bytes) -> None:
    """SPEC 13.3"""
    assert store({1: rlp.encode(b"\x01" * 32)}).storage(ADDRESS, 1) == int.from_bytes(b"\x01" * 32)
    refused(lambda: store({1: word}).storage(ADDRESS, 1), "ProofInvalid")


@pytest.mark.parametrize(
    "account",
    [
        [b"\x01", b"", b"\x11" * 32],
        [b"\x01", b"", b"\x11" * 32, CODE, b""],
        [b"\x01", b"", b"\x11" * 31, CODE],
        [b"\x01", b"", b"\x11" * 32, CODE + b"\0"],
    ],
)
def test_an_account_has_four_parts_and_two_hashes(account: list[bytes]) -> None:
    """SPEC 13.3"""
    refused(lambda: store(account=account).account(ADDRESS), "ProofInvalid")
    assert store(account=[b"\x01", b"", b"\x11" * 32, CODE]).account(ADDRESS) == Account(b"\x11" * 32, CODE)


def test_receipts_are_read_up_to_the_first_that_is_not_there() -> None:
    """SPEC 13.3"""
    made = store(receipts=RECEIPTS)

    assert list(made.receipts(5)) == list(enumerate(RECEIPTS))
    assert made.receipt(5, len(RECEIPTS)) is None
    assert made.transaction(5, 0) is None
    assert list(store().receipts(5)) == []


@pytest.mark.parametrize("index", [0, 1, 127, 128, 255, 256, 65_535, 65_536])
def test_an_item_of_a_block_lies_under_its_numbers_rlp(index: int) -> None:
    """SPEC 13.3"""
    assert index_key(index) == rlp.encode(index)


def test_every_node_is_needed_and_each_lies_in_its_order() -> None:
    """SPEC 13.3"""
    made = store()
    nodes = made.used()
    assert nodes == []
    refused(made.finish, "NodeUnused")
    for slot in WORDS:
        made.storage(ADDRESS, slot)
    made.finish()

    nodes = made.used()
    assert len(nodes) > 2
    for spoilt in ([*nodes[1:], nodes[0]], [nodes[0], *nodes]):
        refused(lambda spoilt=spoilt: WitnessStore(made.headers, spoilt, 5), "NodesUnsorted")
    missing = WitnessStore(made.headers, [node for node in nodes if keccak(node) != made.block.state_root], 5)
    refused(lambda: missing.account(ADDRESS), "NodeMissing")
    refused(lambda: WitnessStore(made.headers, nodes, 6), "HeaderMissing")


@pytest.mark.parametrize("parts", [15, 21])
def test_a_header_has_fifteen_to_twenty_one_parts(parts: int) -> None:
    """SPEC 13.3"""
    found = witness_store.header(header_of(5, b"\x22" * 32, b"\x33" * 32, parts=parts))
    assert (found.number, found.parent, found.state_root, found.time) == (5, b"\x22" * 32, b"\x33" * 32, 1_005)
    assert (found.transactions_root, found.receipts_root, found.bloom) == (EMPTY_ROOT, EMPTY_ROOT, 0)


@pytest.mark.parametrize(
    "raw",
    [
        rlp.encode([b""] * 14),
        header_of(5, b"\x22" * 32, b"\x33" * 32, parts=22),
        header_of(5, b"\x22" * 32, b"\x33" * 32, mix=[b"\x11"]),
        header_of(5, b"\x22" * 31, b"\x33" * 32),
        header_of(5, b"\x22" * 32, b"\x33" * 33),
        header_of(2**64, b"\x22" * 32, b"\x33" * 32),
        header_of(5, b"\x22" * 32, b"\x33" * 32, time=2**64),
        b"",
        b"\x01",
    ],
)
def test_what_is_no_header_is_refused(raw: bytes) -> None:
    """SPEC 13.3"""
    refused(lambda: witness_store.header(raw), "HeaderInvalid")
    assert witness_store.header(header_of(2**64 - 1, b"\x22" * 32, b"\x33" * 32)).number == 2**64 - 1


def test_headers_follow_each_other_by_number_and_by_hash() -> None:
    """SPEC 13.3"""
    first = header_of(5, b"\x22" * 32, b"\x33" * 32)
    second = header_of(6, keccak(first), b"\x33" * 32)

    assert sorted(linked([first, second])) == [5, 6]
    for wrong in (header_of(7, keccak(first), b"\x33" * 32), header_of(6, b"\x22" * 32, b"\x33" * 32), first):
        refused(lambda wrong=wrong: linked([first, wrong]), "HeaderBroken")


def log_of(address: bytes, *topics: bytes, data: bytes = b"") -> list[Any]:
    return [address, list(topics), data]


def test_logs_that_name_something_keep_their_places() -> None:
    """SPEC 13.5"""
    topic, other = b"\x55" * 32, b"\x66" * 32
    body = rlp.encode([b"\x01", b"", b"", [log_of(ADDRESS, topic), log_of(ADDRESS, other), log_of(CODE[:20], topic)]])

    for receipt in (body, b"\x02" + body):
        assert [log.position for log in witness_store.logs(receipt)] == [0, 1, 2]
        found = list(witness_store.logs(receipt, topic))
        assert [(log.position, log.address, log.topics) for log in found] == [
            (0, ADDRESS, (topic,)),
            (2, CODE[:20], (topic,)),
        ]
        assert list(witness_store.logs(receipt, b"\x77" * 32)) == []
        assert witness_store.status(receipt) == b"\x01"


@pytest.mark.parametrize(
    "receipt",
    [
        rlp.encode([b"\x01", b"", []]),
        rlp.encode([b"\x01", b"", b"", [], b""]),
        rlp.encode([b"\x01", b"", b"", b""]),
        rlp.encode([b"\x01", b"", b"", [[ADDRESS, []]]]),
        rlp.encode([b"\x01", b"", b"", [[ADDRESS, b"", b""]]]),
        rlp.encode([b"\x01", b"", b"", [[ADDRESS[1:], [], b""]]]),
        rlp.encode([b"\x01", b"", b"", [[ADDRESS, [b"\x01" * 31], b""]]]),
    ],
)
def test_what_is_no_receipt_is_refused(receipt: bytes) -> None:
    """SPEC 13.3"""
    with pytest.raises(ValueError, match=r"expected|a log is|a receipt is"):
        list(witness_store.logs(receipt))


def leaf(path: bytes, value: Any) -> bytes:
    return rlp.encode([path, value])


@pytest.mark.parametrize("path", [b"", b"\x40" + b"\x12" * 32, b"\x2f" + b"\x12" * 32, b"\x0f" + b"\x12" * 32, b"\x00"])
def test_a_path_has_one_form(path: bytes) -> None:
    """SPEC 13.3"""
    made, node = store(), leaf(path, b"\x07")
    bare = WitnessStore(made.headers, [node], 5)
    refused(lambda: bare.get(keccak(node), b"\x12" * 32), "ProofInvalid")


def test_a_leaf_says_its_value_for_its_own_key_alone() -> None:
    """SPEC 13.3"""
    made, node = store(), leaf(b"\x20" + b"\x12" * 32, b"\x07")
    bare = WitnessStore(made.headers, [node], 5)
    assert bare.get(keccak(node), b"\x12" * 32) == b"\x07"
    assert bare.get(keccak(node), b"\x12" * 31 + b"\x13") is None
    for wrong in (leaf(b"\x20" + b"\x12" * 32, b""), rlp.encode([b"\x20", b"", b""]), rlp.encode([b"\x20"])):
        spoilt = WitnessStore(made.headers, [wrong], 5)
        refused(lambda spoilt=spoilt, wrong=wrong: spoilt.get(keccak(wrong), b"\x12" * 32), "ProofInvalid")
