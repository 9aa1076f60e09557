"""A node that lies: headers, receipts, events and proofs that are not what the pinned block commits to."""

import copy
from collections.abc import Sequence
from typing import Any

import pytest

from chain.audit.errors import KindUnknown, PinMissing, PinUnusable
from chain.base.difference import CHAIN
from chain.base.errors import NodeTimeout
from chain.base.hashing import keccak
from chain.proofs import headers, hexes
from tests.audit.liars import Liar

pytestmark = pytest.mark.slow


@pytest.fixture
def ledger(books: Any) -> Any:
    """These lies too on both nodes, against the mirror in both databases."""
    return books


def lied(ledger: Any, lie: Any) -> Any:
    """The one difference of an audit through this liar, which stops there."""
    report = ledger.audit(lambda: Liar(ledger.small.chain.node.url, lie))
    assert not report.finished
    (difference,) = report.differences
    assert difference.kind == CHAIN
    return difference


def of_receipts(change: Any) -> Any:
    """A lie about receipts, however the node is asked for them."""

    def lie(method: str, _params: Sequence[Any], answer: Any) -> Any:
        if method == "eth_getTransactionReceipt" and answer is not None:
            return change(copy.deepcopy(answer))
        if method == "eth_getBlockReceipts" and answer is not None:
            return [change(copy.deepcopy(receipt)) for receipt in answer]
        return answer

    return lie


def awarding(ledger: Any) -> int:
    """The block of the first award."""
    return int(ledger.one("SELECT min(block_number) FROM ledger_event WHERE name = 'Awarded'")[0])


def test_an_event_left_out_of_a_receipt_is_found(ledger: Any) -> None:
    """SPEC 12.3"""
    number = awarding(ledger)

    def without_last(receipt: Any) -> Any:
        if int(receipt["blockNumber"], 16) == number:
            receipt["logs"] = receipt["logs"][:-1]
        return receipt

    difference = lied(ledger, of_receipts(without_last))

    assert (difference.what, difference.where.block) == ("receiptsRoot", number)


def test_a_forged_receipt_is_found(ledger: Any) -> None:
    """SPEC 12.3"""
    number = awarding(ledger)

    def richer(receipt: Any) -> Any:
        if int(receipt["blockNumber"], 16) == number:
            data = receipt["logs"][0]["data"]
            receipt["logs"][0]["data"] = data[:-1] + ("1" if data[-1] == "0" else "0")
        return receipt

    difference = lied(ledger, of_receipts(richer))

    assert (difference.what, difference.where.block) == ("receiptsRoot", number)
    assert difference.said != difference.right


def test_a_block_whose_receipts_are_forged_and_whose_root_was_made_to_fit_has_another_hash(ledger: Any) -> None:
    """SPEC 12.2"""
    number = awarding(ledger)

    def lie(method: str, params: Sequence[Any], answer: Any) -> Any:
        if method in ("eth_getBlockByNumber", "eth_getBlockByHash") and int(answer["number"], 16) == number:
            forged = {**answer, "receiptsRoot": "0x" + "ab" * 32}
            return {**forged, "hash": hexes.shown(keccak(headers.encode(forged)))}
        return answer

    difference = lied(ledger, lie)

    assert (difference.what, difference.where.block) == ("header", number)
    assert difference.look.startswith("eth_getBlockByNumber")


@pytest.mark.parametrize("field", ["stateRoot", "timestamp", "logsBloom", "parentHash", "number"])
def test_a_rewritten_header_is_found_where_it_is(ledger: Any, field: str) -> None:
    """SPEC 12.2"""

    def lie(method: str, params: Sequence[Any], answer: Any) -> Any:
        if method in ("eth_getBlockByNumber", "eth_getBlockByHash") and int(answer["number"], 16) == 7:
            value = answer[field]
            return {**answer, field: value[:-1] + ("1" if value[-1] == "0" else "0")}
        return answer

    difference = lied(ledger, lie)

    assert (difference.what, difference.where.block) == ("header", 7)


def test_a_header_that_is_not_answered_is_named(ledger: Any) -> None:
    """SPEC 12.2"""

    def lie(method: str, params: Sequence[Any], answer: Any) -> Any:
        gone = method in ("eth_getBlockByNumber", "eth_getBlockByHash") and int(answer["number"], 16) == 5
        return None if gone else answer

    difference = lied(ledger, lie)

    assert (difference.what, difference.where.block, difference.said) == ("header", 5, "no such block")


def test_a_receipt_that_is_not_answered_is_named(ledger: Any) -> None:
    """SPEC 12.3"""
    number = awarding(ledger)

    def lie(method: str, params: Sequence[Any], answer: Any) -> Any:
        if method == "eth_getTransactionReceipt" and int(answer["blockNumber"], 16) == number:
            return None
        if method == "eth_getBlockReceipts" and int(params[0], 16) == number:
            return [None for _ in answer]
        return answer

    difference = lied(ledger, lie)

    assert (difference.what, difference.where.block) == ("receipt missing", number)


def test_no_receipts_at_all_are_no_events_at_all(ledger: Any) -> None:
    """SPEC 12.3"""
    number = awarding(ledger)

    def lie(method: str, params: Sequence[Any], answer: Any) -> Any:
        if method == "eth_getBlockReceipts" and int(params[0], 16) == number:
            return []
        if method == "eth_getBlockByHash" and int(answer["number"], 16) == number:
            return {**answer, "transactions": []}
        return answer

    difference = lied(ledger, lie)

    assert difference.what in ("transactionsRoot", "receiptsRoot")
    assert difference.where.block == number


@pytest.mark.parametrize("how", ["capitals", "a space", "another prefix"])
def test_another_spelling_of_the_same_bytes_hides_no_event(ledger: Any, how: str) -> None:
    """SPEC 12.3"""

    def spelt(text: str) -> str:
        if how == "capitals":
            return "0x" + text[2:].upper()
        return "0x " + text[2:] if how == "a space" else "0X" + text[2:]

    def other(receipt: Any) -> Any:
        for log in receipt["logs"]:
            log.update(address=spelt(log["address"]), topics=list(map(spelt, log["topics"])), data=spelt(log["data"]))
        return receipt

    report = ledger.audit(lambda: Liar(ledger.small.chain.node.url, of_receipts(other)))

    if how == "capitals":
        assert report.agrees, [str(one) for one in report.differences]
        assert report.counts["events"] == ledger.audit().counts["events"]
    else:
        assert [one.what for one in report.differences] == ["receipt"]


def test_a_transaction_in_anothers_place_is_found(ledger: Any) -> None:
    """SPEC 12.3"""
    number = awarding(ledger)

    def lie(method: str, params: Sequence[Any], answer: Any) -> Any:
        if method == "eth_getBlockByHash" and int(answer["number"], 16) == number and len(params) > 1 and params[1]:
            (first, *rest) = answer["transactions"]
            return {**answer, "transactions": [{**first, "nonce": hex(int(first["nonce"], 16) + 1)}, *rest]}
        return answer

    difference = lied(ledger, lie)

    assert (difference.what, difference.where.block) == ("transaction", number)


def _spoil(answer: Any, how: str) -> Any:
    answer = copy.deepcopy(answer)
    part = answer["storageProof"][0]
    if how == "another value":
        part["value"] = hex(int(part["value"], 16) + 1)
    elif how == "a flipped node":
        part["proof"][-1] = part["proof"][-1][:-1] + ("1" if part["proof"][-1][-1] == "0" else "0")
    elif how == "a node left out":
        part["proof"] = part["proof"][:-1]
    elif how == "a node too many":
        part["proof"] = [*part["proof"], part["proof"][-1]]
    elif how == "another account's":
        answer["accountProof"] = answer["accountProof"][:-1]
    else:
        part["key"] = hex(int(part["key"], 16) + 1)
    return answer


@pytest.mark.parametrize(
    "how", ["another value", "a flipped node", "a node left out", "a node too many", "another account's", "another key"]
)
def test_a_wrong_storage_proof_is_found(ledger: Any, how: str) -> None:
    """SPEC 12.6"""
    token = ledger.small.world.brands["cdnow"].token

    def lie(method: str, params: Sequence[Any], answer: Any) -> Any:
        asked = method == "eth_getProof" and params[0] == token and len(params[1]) > 4
        return _spoil(answer, how) if asked else answer

    difference = lied(ledger, lie)

    assert (difference.what, difference.where.address) == ("storage proof", token)


def test_a_proof_from_between_two_states_is_asked_for_again(ledger: Any) -> None:
    """SPEC 12.6: a node that takes a block in; what it tells every time is the lie of the test before."""
    token, told = ledger.small.world.brands["cdnow"].token, 0

    def stumble(method: str, params: Sequence[Any], answer: Any) -> Any:
        nonlocal told
        if method == "eth_getProof" and params[0] == token and len(params[1]) > 4 and told < 2:
            told += 1
            return _spoil(answer, "a flipped node")
        return answer

    report = ledger.audit(lambda: Liar(ledger.small.chain.node.url, stumble))

    assert report.agrees
    assert told == 2


def test_a_pin_that_the_node_does_not_know_is_no_verdict(ledger: Any) -> None:
    """SPEC 12.8"""
    with pytest.raises(PinMissing):
        ledger.audit(pin="0x" + "11" * 32)


def test_a_pin_that_is_answered_with_another_block_is_found(ledger: Any) -> None:
    """SPEC 12.2"""

    def lie(method: str, params: Sequence[Any], answer: Any) -> Any:
        return {**answer, "timestamp": "0x1"} if method == "eth_getBlockByHash" else answer

    assert lied(ledger, lie).what == "header"


def test_a_pin_before_the_deployment_is_refused(ledger: Any) -> None:
    """SPEC 12.8"""
    genesis = ledger.small.deployment.genesis_hash

    with pytest.raises(PinUnusable, match="before the deployment"):
        ledger.audit(pin=genesis)


def test_a_node_that_does_not_answer_in_time_is_no_verdict(ledger: Any) -> None:
    """SPEC 12.8"""

    def lie(method: str, params: Sequence[Any], answer: Any) -> Any:
        if method == "eth_getProof":
            raise NodeTimeout("no answer within 30 s")
        return answer

    with pytest.raises(NodeTimeout):
        ledger.audit(lambda: Liar(ledger.small.chain.node.url, lie))


@pytest.mark.parametrize("rubbish", [{}, [], "0x", 7, {"storageProof": None, "accountProof": 3}, {"number": "x"}])
def test_answers_of_no_known_shape_are_typed(ledger: Any, rubbish: Any) -> None:
    """SPEC 12.8"""
    for method in ("eth_getBlockByHash", "eth_getProof"):
        difference = lied(ledger, lambda asked, _params, answer, m=method: rubbish if asked == m else answer)
        assert difference.what in ("header", "storage proof", "block")


def test_a_header_that_is_right_by_its_hash_is_enough(ledger: Any) -> None:
    """SPEC 12.2"""
    # As a node does whose branch has changed: by number it has another block now.
    report = ledger.audit(
        lambda: Liar(
            ledger.small.chain.node.url,
            lambda asked, _params, answer: {} if asked == "eth_getBlockByNumber" else answer,
        )
    )

    assert report.agrees


def test_a_chain_that_left_the_pin_accuses_nobody(ledger: Any) -> None:
    """SPEC 12.8"""
    small = ledger.small
    rpc = small.world.new_rpc()
    pinned = rpc.call("eth_getBlockByHash", small.pin, False)
    # Of the same height, and the node's own: a branch that it left still answers by its hash.
    other = rpc.call("eth_getBlockByNumber", hex(int(pinned["number"], 16) - 1), False)

    def lie(method: str, params: Sequence[Any], answer: Any) -> Any:
        if method == "eth_getBlockByNumber" and params[0] == pinned["number"]:
            return {**other, "number": pinned["number"]}
        if method == "eth_getProof" and len(params[1]) > 20:
            return {**answer, "accountProof": []}
        return answer

    with pytest.raises(PinMissing, match="left"):
        ledger.audit(lambda: Liar(small.chain.node.url, lie))


def test_a_kind_of_transaction_that_only_some_chains_have_accuses_nobody(ledger: Any) -> None:
    """SPEC 12.8"""

    def lie(method: str, params: Sequence[Any], answer: Any) -> Any:
        if method == "eth_getBlockByHash" and params[1]:
            return {**answer, "transactions": [{**one, "type": "0x7e"} for one in answer["transactions"]]}
        return answer

    with pytest.raises(KindUnknown, match="0x7e"):
        ledger.audit(lambda: Liar(ledger.small.chain.node.url, lie))
