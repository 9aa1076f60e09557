"""The scripted node is honest unless told otherwise, and misbehaves exactly as it is told."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

import httpx
import pytest
import rlp
from eth_account import Account
from trie import HexaryTrie
from web3 import HTTPProvider, Web3
from websockets.sync.client import ClientConnection, connect

from chain.base.errors import AlreadyKnown, NodeTimeout, NodeUnavailable, NonceTooLow, RpcError, Underpriced
from chain.node.rpc import Rpc
from tests.support.scripted_node import faults, limits
from tests.support.scripted_node.blocks import ZERO_ADDRESS, Log
from tests.support.scripted_node.chain import Chain
from tests.support.scripted_node.hashing import keccak, rlp_bytes, rlp_int, rlp_list, trie_root
from tests.support.scripted_node.methods import BALANCE_OF
from tests.support.scripted_node.node import ScriptedNode
from tests.support.scripted_node.pool import ANVIL, GANACHE, GETH, Effect
from tests.support.scripted_node.tokens import WORD_MAX, Traffic, address_of, burn, event, mint, transfer, word
from tests.support.scripted_node.truth import TRANSFER, truth

HEADER = (
    *("parentHash", "sha3Uncles", "miner", "stateRoot", "transactionsRoot", "receiptsRoot", "logsBloom", "difficulty"),
    *(
        "number",
        "gasLimit",
        "gasUsed",
        "timestamp",
        "extraData",
        "mixHash",
        "nonce",
        "baseFeePerGas",
        "withdrawalsRoot",
    ),
)
TOKEN = address_of("token")
ANN, BEN = address_of("ann"), address_of("ben")
# What comes at all comes in milliseconds; these only bound a wait for what never comes.
ANSWER_S_MAX = 20.0
TOLD_S_MAX = 10.0


@pytest.fixture
def node() -> Iterator[ScriptedNode]:
    with ScriptedNode(seed=11) as running:
        yield running


@pytest.fixture
def rpc(node: ScriptedNode) -> Iterator[Rpc]:
    with client(node) as opened:
        yield opened


@contextmanager
def client(node: ScriptedNode) -> Iterator[Rpc]:
    opened = Rpc(node.url, timeout_s=ANSWER_S_MAX)
    try:
        yield opened
    finally:
        opened.close()


def logs_of(rpc: Rpc, first: int, last: int, **more: object) -> list[dict[str, str]]:
    return rpc.call("eth_getLogs", {"fromBlock": hex(first), "toBlock": hex(last), **more})


def signed(nonce: int, *, key: int = 1, fee_wei: int = 3 * 10**9, to: str = TOKEN) -> str:
    fields = {
        "type": 2,
        "chainId": 1337,
        "nonce": nonce,
        "maxFeePerGas": fee_wei,
        "maxPriorityFeePerGas": 1,
        "gas": 100_000,
        "to": Web3.to_checksum_address(to),
        "value": 0,
    }
    return "0x" + bytes(Account.from_key(key.to_bytes(32)).sign_transaction(fields).raw_transaction).hex()


SENDER = Account.from_key((1).to_bytes(32)).address.lower()


# The chain is a chain


def test_a_block_of_an_unknown_number_or_hash_is_null(rpc: Rpc) -> None:
    assert rpc.call("eth_getBlockByNumber", "0x1", False) is None
    assert rpc.call("eth_getBlockByHash", "0x" + "12" * 32, False) is None
    assert rpc.call("eth_getTransactionReceipt", "0x" + "12" * 32) is None


def test_the_hash_of_a_block_is_that_of_its_header(node: ScriptedNode, rpc: Rpc) -> None:
    node.chain.mine([mint(TOKEN, ANN, 5)], [])
    for number in range(3):
        shown = rpc.call("eth_getBlockByNumber", hex(number), False)
        quantities = {"difficulty", "number", "gasLimit", "gasUsed", "timestamp", "baseFeePerGas"}
        fields = [int(shown[name], 16) if name in quantities else bytes.fromhex(shown[name][2:]) for name in HEADER]
        assert shown["hash"] == "0x" + keccak(rlp.encode(fields)).hex()
        if number:
            assert shown["parentHash"] == rpc.call("eth_getBlockByNumber", hex(number - 1), False)["hash"]


@pytest.mark.parametrize("count", [1, 2, 17, 128, 300])
def test_roots_are_those_of_the_trie_library(count: int) -> None:
    values = [bytes([index % 251]) * (1 + index % 90) for index in range(count)]
    trie = HexaryTrie({})
    for index, value in enumerate(values):
        trie[rlp.encode(index)] = value
    assert trie_root(values) == trie.root_hash


@pytest.mark.parametrize("value", [b"", b"\x00", b"\x7f", b"\x80", b"x" * 55, b"x" * 56, b"x" * 70_000])
def test_the_encoding_is_that_of_the_rlp_library(value: bytes) -> None:
    assert rlp_bytes(value) == rlp.encode(value)
    assert rlp_list((rlp_bytes(value), rlp_int(1 << 70))) == rlp.encode([value, 1 << 70])


def test_receipts_root_and_bloom_follow_from_the_receipts(node: ScriptedNode, rpc: Rpc) -> None:
    node.chain.mine([mint(TOKEN, ANN, 5), event(BEN, "Said(address,uint256)", [ANN], [7])] * 20, per_transaction=3)
    block = rpc.call("eth_getBlockByNumber", "latest", True)
    receipts = [rpc.call("eth_getTransactionReceipt", one["hash"]) for one in block["transactions"]]
    assert [int(log["logIndex"], 16) for one in receipts for log in one["logs"]] == list(range(40))
    assert [log for one in receipts for log in one["logs"]] == logs_of(rpc, 1, 1)
    assert rpc.call("eth_getBlockReceipts", "0x1") == receipts
    encoded, bloom = [], 0
    for one in receipts:
        logs = [[_raw(log["address"]), [_raw(t) for t in log["topics"]], _raw(log["data"])] for log in one["logs"]]
        gas_used = int(one["cumulativeGasUsed"], 16)
        encoded.append(b"\x02" + rlp.encode([int(one["status"], 16), gas_used, _raw(one["logsBloom"]), logs]))
        bloom |= int(one["logsBloom"], 16)
    trie = HexaryTrie({})
    for index, receipt in enumerate(encoded):
        trie[rlp.encode(index)] = receipt
    assert block["receiptsRoot"] == "0x" + trie.root_hash.hex()
    assert int(block["logsBloom"], 16) == bloom
    assert _in_bloom(bloom, _raw(TOKEN))
    assert _in_bloom(bloom, _raw(TRANSFER))
    assert not _in_bloom(bloom, _raw(ANN))


def _raw(text: str) -> bytes:
    return bytes.fromhex(text[2:])


def _in_bloom(bloom: int, value: bytes) -> bool:
    digest = keccak(value)
    return all(bloom >> (int.from_bytes(digest[at : at + 2]) % 2048) & 1 for at in (0, 2, 4))


def test_the_same_seed_and_orders_give_the_same_chain() -> None:
    def play(seed: int) -> list[str]:
        chain = Chain(seed=seed)
        traffic = Traffic(chain, TOKEN)
        traffic.mine(5, 4)
        traffic.reorg(2, "others")
        return [block.hash for block in chain.blocks]

    assert play(3) == play(3)
    assert play(3) != play(4)


def test_web3_reads_it_as_any_node(node: ScriptedNode) -> None:
    node.chain.mine([mint(TOKEN, ANN, 5)])
    web3 = Web3(HTTPProvider(node.url))
    assert web3.eth.chain_id == 1337
    assert web3.eth.get_block("latest", full_transactions=True)["number"] == 1
    (log,) = web3.eth.get_logs({"fromBlock": 1, "toBlock": 1})
    assert web3.eth.get_transaction_receipt(log["transactionHash"])["logs"][0]["data"] == log["data"]


# Logs


def test_logs_are_filtered_by_range_address_topics_and_hash(node: ScriptedNode, rpc: Rpc) -> None:
    other = address_of("other token")
    first, second = node.chain.mine([mint(TOKEN, ANN, 1), mint(other, ANN, 2)], [transfer(TOKEN, ANN, BEN, 3)])
    to_ben = "0x" + "00" * 12 + BEN[2:]
    assert len(logs_of(rpc, 0, 99)) == 3
    assert [log["blockHash"] for log in logs_of(rpc, 2, 2)] == [second.hash]
    assert len(logs_of(rpc, 0, 2, address=other)) == 1
    assert len(logs_of(rpc, 0, 2, address=[TOKEN.upper().replace("0X", "0x"), other])) == 3
    assert len(logs_of(rpc, 0, 2, topics=[TRANSFER, None, [to_ben]])) == 1
    assert len(logs_of(rpc, 0, 2, topics=[TRANSFER, None, None, None])) == 0
    assert len(rpc.call("eth_getLogs", {"blockHash": first.hash, "address": TOKEN})) == 1


@pytest.mark.parametrize(("dialect", "found"), [(GANACHE, 0), (GETH, 1), (ANVIL, None)])
def test_logs_of_an_orphan_by_hash_differ_by_node(dialect: str, found: int | None) -> None:
    """field/chain.md 2.6"""
    with ScriptedNode(dialect=dialect) as node, client(node) as rpc:
        (orphan,) = node.chain.mine([mint(TOKEN, ANN, 1)])
        node.chain.reorg(1, [])
        assert rpc.call("eth_getBlockByHash", orphan.hash, False)["hash"] == orphan.hash
        assert rpc.call("eth_getTransactionReceipt", orphan.transactions[0].hash) is None
        if found is None:
            with pytest.raises(RpcError, match="unknown block"):
                rpc.call("eth_getLogs", {"blockHash": orphan.hash})
        else:
            assert len(rpc.call("eth_getLogs", {"blockHash": orphan.hash})) == found


def test_unusual_but_legal_logs_are_served(node: ScriptedNode, rpc: Rpc) -> None:
    node.chain.mine([mint(TOKEN, ANN, WORD_MAX), Log(TOKEN, ()), Log(TOKEN, (TRANSFER,), "0x" + word(1))])
    node.chain.mine([mint(TOKEN, ANN, 1), burn(TOKEN, ANN, 1)], first_log_index=2**32 - 2, time=1_000)
    found = logs_of(rpc, 0, 2)
    assert int(found[0]["data"], 16) == WORD_MAX
    assert found[1]["topics"] == []
    assert [int(log["logIndex"], 16) for log in found[3:]] == [2**32 - 2, 2**32 - 1]
    earlier, later = (rpc.call("eth_getBlockByNumber", hex(number), False)["timestamp"] for number in (1, 2))
    assert int(later, 16) < int(earlier, 16)
    assert node.truth(TOKEN).balances(TOKEN) == {ANN: WORD_MAX}


def test_a_hundred_thousand_logs_are_served_in_seconds(node: ScriptedNode, rpc: Rpc) -> None:
    started = time.monotonic()
    Traffic(node.chain, TOKEN).mine(9, 10_000, per_transaction=50)
    Traffic(node.chain, TOKEN, seed=2).mine(1, 10_000)
    found = sum(len(logs_of(rpc, number, number)) for number in range(1, 11))
    assert found == 100_000
    # Some 4 s on an idle machine; the bound only catches what grows faster than the chain.
    assert time.monotonic() - started < 60


# Tags, state, calls


def test_tags_name_blocks_by_depth(rpc: Rpc, node: ScriptedNode) -> None:
    node.chain.mine_empty(10)
    node.chain.safe_depth, node.chain.final_depth = 2, 6
    numbers = {
        tag: int(rpc.call("eth_getBlockByNumber", tag, False)["number"], 16)
        for tag in ("earliest", "finalized", "safe", "latest")
    }
    assert numbers == {"earliest": 0, "finalized": 4, "safe": 8, "latest": 10}


def test_balances_can_be_asked_as_of_any_block(node: ScriptedNode, rpc: Rpc) -> None:
    node.chain.mine([mint(TOKEN, ANN, 9)], [transfer(TOKEN, ANN, BEN, 4)])
    call = {"to": TOKEN, "data": BALANCE_OF + "00" * 12 + ANN[2:]}
    assert [int(rpc.call("eth_call", call, tag), 16) for tag in ("0x0", "0x1", "latest")] == [0, 9, 5]
    node.methods.calls[TOKEN, BALANCE_OF] = lambda data, block: "0x" + word(block.number)
    assert int(rpc.call("eth_call", call, "0x2"), 16) == 2


def test_a_contract_may_have_no_code(node: ScriptedNode, rpc: Rpc) -> None:
    node.chain.mine([mint(TOKEN, ANN, 9)])
    assert len(rpc.call("eth_getCode", TOKEN, "latest")) > 2
    assert rpc.call("eth_getCode", ANN, "latest") == "0x"
    node.methods.codes[TOKEN] = "0x"
    assert rpc.call("eth_getCode", TOKEN, "latest") == "0x"
    assert rpc.call("eth_call", {"to": TOKEN, "data": BALANCE_OF}, "latest") == "0x"


# Truth


def test_truth_is_the_plain_sum_of_transfers_as_of_any_block() -> None:
    chain = Chain()
    nft = Log(TOKEN, (TRANSFER, *["0x" + word(1)] * 3))
    other = address_of("other")
    chain.mine([mint(TOKEN, ANN, 10), nft, mint(other, ANN, 1)], [transfer(TOKEN, ANN, BEN, 4), burn(TOKEN, BEN, 4)])
    assert truth(chain, TOKEN, at=1).balances(TOKEN) == {ANN: 10}
    now = truth(chain, TOKEN)
    assert now.balances(TOKEN) == {ANN: 6}
    assert now.supplies == {TOKEN: 6}
    assert [(one.sender, one.recipient, one.amount) for one in now.transfers] == [
        (ZERO_ADDRESS, ANN, "10"),
        (ANN, BEN, "4"),
        (BEN, ZERO_ADDRESS, "4"),
    ]
    assert truth(chain).tokens.keys() == {TOKEN, other}


def test_traffic_never_spends_what_an_account_has_not() -> None:
    chain = Chain(seed=5)
    traffic = Traffic(chain, TOKEN, accounts=6)
    for replacement in ("others", "none", "moved", "others"):
        traffic.mine(6, 5)
        traffic.reorg(4, replacement)
    for number in range(chain.head.number + 1):
        assert all(amount > 0 for amount in truth(chain, TOKEN, at=number).balances(TOKEN).values())


# Reorgs


def test_a_reorg_replaces_blocks_and_their_logs(node: ScriptedNode, rpc: Rpc) -> None:
    node.chain.mine([mint(TOKEN, ANN, 1)], [mint(TOKEN, ANN, 2)], [mint(TOKEN, ANN, 4)])
    before = [block.hash for block in node.chain.blocks]
    change = node.chain.reorg(2, [mint(TOKEN, BEN, 8)])
    assert [block.hash for block in change.removed] == [before[3], before[2]]
    assert int(rpc.call("eth_blockNumber"), 16) == 2
    assert rpc.call("eth_getBlockByNumber", "0x2", False)["hash"] != before[2]
    assert node.truth(TOKEN).balances(TOKEN) == {ANN: 1, BEN: 8}


def test_a_reorg_without_contents_is_empty_and_longer(node: ScriptedNode) -> None:
    node.chain.mine([mint(TOKEN, ANN, 1)], [mint(TOKEN, ANN, 2)])
    node.chain.reorg(2)
    assert node.chain.head.number == 3
    assert node.truth(TOKEN).transfers == []


def test_the_same_transaction_may_come_again_in_another_block(node: ScriptedNode, rpc: Rpc) -> None:
    (block,) = node.chain.mine([mint(TOKEN, ANN, 1)])
    hash = block.transactions[0].hash
    node.chain.reorg_moving(1)
    receipt = rpc.call("eth_getTransactionReceipt", hash)
    assert receipt["blockNumber"] == "0x2"
    assert receipt["blockHash"] != block.hash
    assert node.truth(TOKEN).balances(TOKEN) == {ANN: 1}


def test_the_head_may_go_backwards_and_an_old_branch_may_return(node: ScriptedNode, rpc: Rpc) -> None:
    node.chain.mine([mint(TOKEN, ANN, 1)], [mint(TOKEN, ANN, 2)])
    old_head = node.chain.head.hash
    change = node.chain.rewind(1)
    assert int(rpc.call("eth_blockNumber"), 16) == 1
    node.chain.mine([])
    node.chain.restore(change.removed)
    assert rpc.call("eth_getBlockByNumber", "latest", False)["hash"] == old_head
    assert node.chain.reorgs == [1, 1]


# Faults


def test_a_fault_ends_after_its_count_or_when_cleared(node: ScriptedNode, rpc: Rpc) -> None:
    twice = node.faults.add(faults.error(-32000, "odd"), "eth_blockNumber", times=2)
    for _ in range(2):
        with pytest.raises(RpcError, match="odd"):
            rpc.call("eth_blockNumber")
    assert rpc.call("eth_blockNumber") == "0x0"
    with node.faults.add(faults.answers("0x99")):
        assert rpc.call("eth_blockNumber") == "0x99"
    assert rpc.call("eth_blockNumber") == "0x0"
    assert twice.hits == 2
    assert node.faults.counts() == {"error": 2, "wrong answer": 1}


def test_a_fault_may_wait_for_a_certain_request_or_a_throw_of_dice(node: ScriptedNode, rpc: Rpc) -> None:
    node.chain.mine_empty(3)
    node.faults.add(faults.answers(None), "eth_getBlockByNumber", when=lambda request, _: request.params[0] == "0x2")
    assert rpc.call("eth_getBlockByNumber", "0x2", False) is None
    assert rpc.call("eth_getBlockByNumber", "0x1", False) is not None
    half = node.faults.add(faults.answers("half"), "eth_chainId", chance=0.5)
    found = [rpc.call("eth_chainId") for _ in range(40)]
    assert 5 < found.count("half") == half.hits < 35


@pytest.mark.parametrize(
    ("behaviour", "words"),
    [
        (faults.too_many_requests(), "429"),
        (faults.bad_gateway(), "502"),
        (faults.text(), "not JSON"),
        (faults.reset(), "cannot be reached"),
        (faults.close(), "cannot be reached"),
        (faults.cut(), "IncompleteRead"),
    ],
)
def test_the_connection_fails_as_told(node: ScriptedNode, rpc: Rpc, behaviour: faults.Behaviour, words: str) -> None:
    with node.faults.add(behaviour), pytest.raises(NodeUnavailable, match=words):
        rpc.call("eth_chainId")
    assert rpc.call("eth_chainId") == "0x539"


def test_too_many_requests_says_when_to_come_again(node: ScriptedNode) -> None:
    node.faults.add(faults.too_many_requests(retry_after_s=7))
    address = urlsplit(node.url)
    with socket.create_connection((address.hostname, address.port), 2) as plug:
        body = b'{"jsonrpc":"2.0","id":1,"method":"eth_chainId","params":[]}'
        plug.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))
        answer = plug.recv(4096)
    assert answer.startswith(b"HTTP/1.1 429 ")
    assert b"\r\nRetry-After: 7\r\n" in answer


def test_it_hangs_or_is_slow_as_told(node: ScriptedNode, rpc: Rpc) -> None:
    with node.faults.add(faults.slow(0.3)):
        started = time.monotonic()
        assert rpc.call("eth_chainId") == "0x539"
        assert time.monotonic() - started > 0.29
    with node.faults.add(faults.hang()), pytest.raises(NodeTimeout):
        rpc.call("eth_chainId", timeout_s=0.3)


def test_it_goes_down_and_comes_up_on_the_same_port(node: ScriptedNode, rpc: Rpc) -> None:
    url = node.url
    node.down()
    with pytest.raises(NodeUnavailable):
        rpc.call("eth_chainId")
    node.up()
    assert node.url == url
    assert rpc.call("eth_chainId") == "0x539"


@pytest.mark.parametrize("provider", sorted(limits.RESULT_TEXTS))
def test_too_many_results_are_refused_in_the_words_of_a_provider(node: ScriptedNode, rpc: Rpc, provider: str) -> None:
    Traffic(node.chain, TOKEN).mine(8, 10)
    node.faults.add(limits.too_many_results(provider, 40))
    with pytest.raises(RpcError) as refused:
        logs_of(rpc, 1, 8)
    assert refused.value.code == limits.RESULT_TEXTS[provider][0]
    assert "{" not in refused.value.message
    assert len(logs_of(rpc, 1, 4)) == 40


def test_a_range_that_a_provider_suggests_would_do(node: ScriptedNode, rpc: Rpc) -> None:
    Traffic(node.chain, TOKEN).mine(8, 10)
    node.faults.add(limits.too_many_results("alchemy", 25))
    with pytest.raises(RpcError) as refused:
        logs_of(rpc, 1, 8)
    first, last = (int(part, 16) for part in refused.value.message.rpartition("[")[2].rstrip("]").split(", "))
    assert len(logs_of(rpc, first, last)) == 20


def test_one_block_is_never_too_much_for_a_provider(node: ScriptedNode, rpc: Rpc) -> None:
    Traffic(node.chain, TOKEN).mine(1, 50)
    node.faults.add(limits.too_many_results("infura", 10))
    assert len(logs_of(rpc, 1, 1)) == 50


@pytest.mark.parametrize("provider", sorted(limits.RANGE_TEXTS))
def test_a_range_too_wide_is_refused_in_the_words_of_a_provider(node: ScriptedNode, rpc: Rpc, provider: str) -> None:
    node.chain.mine_empty(9)
    node.faults.add(limits.range_too_wide(provider, 5))
    with pytest.raises(RpcError) as refused:
        logs_of(rpc, 0, 5)
    assert "{" not in refused.value.message
    assert logs_of(rpc, 1, 5) == []


def test_logs_are_wrong_in_each_way(node: ScriptedNode, rpc: Rpc) -> None:
    node.chain.mine([mint(TOKEN, ANN, 1)], [mint(TOKEN, ANN, 2), mint(TOKEN, ANN, 3)])
    node.chain.reorg(1, [mint(TOKEN, BEN, 8)], [])

    def amounts() -> list[int]:
        return [int(log["data"], 16) for log in logs_of(rpc, 1, 3)]

    assert amounts() == [1, 8]
    for behaviour, expected in (
        (faults.empty_logs(), []),
        (faults.missing_logs(), [1]),
        (faults.unordered_logs(), [8, 1]),
        (faults.doubled_logs(), [1, 1, 8, 8]),
        (faults.orphan_logs(), [1, 2, 3]),
    ):
        with node.faults.add(behaviour):
            assert amounts() == expected, behaviour.name
    with node.faults.add(faults.removed_logs()):
        assert all(log["removed"] for log in logs_of(rpc, 1, 3))
    with node.faults.add(faults.answers("rate limited", "eth_getLogs")):
        assert logs_of(rpc, 1, 3) == "rate limited"


def test_blocks_and_receipts_are_wrong_in_each_way(node: ScriptedNode, rpc: Rpc) -> None:
    (orphan,) = node.chain.mine([mint(TOKEN, ANN, 1)])
    node.chain.reorg(1, [mint(TOKEN, BEN, 8)], [])

    def hash_of(tag: str) -> str | None:
        block = rpc.call("eth_getBlockByNumber", tag, False)
        return block and block["hash"]

    with node.faults.add(faults.null_block(1)):
        assert hash_of("0x1") is None
        assert hash_of("0x2") == hash_of("latest") == node.chain.head.hash
    with node.faults.add(faults.stale_block()):
        assert hash_of("0x1") == orphan.hash
        assert hash_of("0x2") == node.chain.head.hash
    with node.faults.add(faults.wrong_block()):
        assert hash_of("0x1") == node.chain.genesis_hash
    with node.faults.add(faults.null_receipt()):
        assert rpc.call("eth_getTransactionReceipt", node.chain.blocks[1].transactions[0].hash) is None
    with node.faults.add(faults.behind(1), times=None):
        assert hash_of("latest") == node.chain.blocks[1].hash
        assert hash_of("0x2") is None
        assert rpc.call("eth_blockNumber") == "0x1"


def test_an_answer_may_be_of_any_size(node: ScriptedNode, rpc: Rpc) -> None:
    with node.faults.add(faults.padded(5_000_000)):
        assert rpc.call("eth_chainId") == "0x539"


def test_a_batch_is_answered_whole_in_any_order_or_not_at_all(node: ScriptedNode, rpc: Rpc) -> None:
    calls = [("eth_chainId", []), ("eth_blockNumber", []), ("net_version", [])]
    right = ["0x539", "0x0", "1337"]
    assert rpc.batch(calls) == right
    with node.faults.add(faults.shuffled()):
        assert rpc.batch(calls) == right
    with node.faults.add(faults.drops_one()), pytest.raises(NodeUnavailable, match="left net_version out"):
        rpc.batch(calls)
    with node.faults.add(faults.error(-32005, "slow down"), "eth_blockNumber"):
        first, second, third = rpc.try_batch(calls)
        assert (first, third) == ("0x539", "1337")
        assert isinstance(second, RpcError)


@pytest.mark.parametrize("like_geth", [True, False])
def test_a_batch_that_is_too_large_is_refused_as_a_whole(node: ScriptedNode, like_geth: bool) -> None:
    def post(count: int) -> object:
        calls = [{"jsonrpc": "2.0", "id": id, "method": "eth_chainId", "params": []} for id in range(7, 7 + count)]
        return httpx.post(node.url, json=calls).json()

    node.faults.add(faults.batch_limit(2, like_geth=like_geth))
    assert [answer["result"] for answer in post(2)] == ["0x539"] * 2
    if like_geth:
        (refused,) = post(3)
        assert (refused["id"], refused["error"]["message"]) == (7, "batch too large")
    else:
        assert post(3)["error"]["message"] == "batch limit 2 exceeded"


# What a client costs


def test_requests_are_counted_by_method_and_time(node: ScriptedNode, rpc: Rpc) -> None:
    for _ in range(5):
        rpc.call("eth_blockNumber")
    rpc.batch([("eth_chainId", []), ("eth_chainId", [])])
    assert node.log.count() == 6
    assert node.log.methods() == {"eth_blockNumber": 5, "eth_chainId": 2}
    assert node.log.busiest(10.0) == 6
    assert node.log.busiest(10.0, "eth_chainId") == 1
    node.log.clear()
    with node.faults.add(faults.reset()), pytest.raises(NodeUnavailable):
        rpc.call("eth_chainId")
    assert node.log.count("eth_chainId") > 1


# Sending


def test_a_sent_transaction_does_what_the_test_says(node: ScriptedNode, rpc: Rpc) -> None:
    node.pool.effect = lambda sent: Effect((mint(TOKEN, sent.sender, 5),))
    hash = rpc.call("eth_sendRawTransaction", signed(0))
    assert rpc.call("eth_getTransactionReceipt", hash) is None
    assert rpc.call("eth_getTransactionCount", SENDER, "pending") == "0x1"
    assert node.mine_pool() == [hash]
    receipt = rpc.call("eth_getTransactionReceipt", hash)
    assert (receipt["status"], receipt["from"], len(receipt["logs"])) == ("0x1", SENDER, 1)
    assert rpc.call("eth_getTransactionCount", SENDER, "latest") == "0x1"
    assert node.truth(TOKEN).balances(TOKEN) == {SENDER: 5}


def test_a_gap_waits_and_a_revert_has_no_logs(node: ScriptedNode, rpc: Rpc) -> None:
    rpc.call("eth_sendRawTransaction", signed(1))
    assert node.mine_pool() == []
    node.pool.effect = lambda sent: Effect((mint(TOKEN, ANN, 5),), status=0)
    rpc.call("eth_sendRawTransaction", signed(0))
    assert len(node.mine_pool()) == 2
    assert node.truth(TOKEN).transfers == []
    assert rpc.call("eth_getBlockReceipts", "latest")[1]["status"] == "0x0"


@pytest.mark.parametrize("dialect", [GANACHE, ANVIL, GETH])
def test_the_pool_refuses_in_the_words_of_each_node(dialect: str) -> None:
    with ScriptedNode(dialect=dialect) as node, client(node) as rpc:
        node.automine = True
        rpc.call("eth_sendRawTransaction", signed(0))
        rpc.call("eth_sendRawTransaction", signed(1))
        with pytest.raises(NonceTooLow):
            rpc.call("eth_sendRawTransaction", signed(1))
        node.automine = False
        rpc.call("eth_sendRawTransaction", signed(2))
        with pytest.raises(Underpriced if dialect == GANACHE else AlreadyKnown):
            rpc.call("eth_sendRawTransaction", signed(2))
        with pytest.raises(Underpriced):
            rpc.call("eth_sendRawTransaction", signed(2, fee_wei=3_100_000_000))
        rpc.call("eth_sendRawTransaction", signed(2, fee_wei=3_300_000_000))
        assert len(node.mine_pool()) == 1


def test_ganache_mines_nonce_zero_as_often_as_it_is_sent() -> None:
    """facts.md, Ganache 7.9.2"""
    with ScriptedNode(dialect=GANACHE) as node, client(node) as rpc:
        node.automine = True
        node.pool.effect = lambda sent: Effect((mint(TOKEN, ANN, 5),))
        assert rpc.call("eth_sendRawTransaction", signed(0)) == rpc.call("eth_sendRawTransaction", signed(0))
        assert node.truth(TOKEN).balances(TOKEN) == {ANN: 10}
        assert rpc.call("eth_getTransactionCount", SENDER, "latest") == "0x2"


def test_an_answer_is_lost_after_the_transaction_was_taken(node: ScriptedNode, rpc: Rpc) -> None:
    node.faults.add(faults.loses_answer(), times=1)
    with pytest.raises(NodeUnavailable):
        rpc.call("eth_sendRawTransaction", signed(0))
    assert len(node.mine_pool()) == 1
    node.faults.add(faults.loses_answer(faults.hang()), times=1)
    with pytest.raises(NodeTimeout):
        rpc.call("eth_sendRawTransaction", signed(1), timeout_s=0.3)
    assert len(node.mine_pool()) == 1


def test_a_transaction_is_refused_or_forgotten_for_no_reason(node: ScriptedNode, rpc: Rpc) -> None:
    node.faults.add(faults.refuses("underpriced"), times=1)
    with pytest.raises(Underpriced):
        rpc.call("eth_sendRawTransaction", signed(0))
    node.faults.add(faults.forgets(), times=1)
    rpc.call("eth_sendRawTransaction", signed(0))
    assert node.mine_pool() == []


def test_a_reorg_gives_transactions_back_to_the_pool_or_loses_them(node: ScriptedNode, rpc: Rpc) -> None:
    hash = rpc.call("eth_sendRawTransaction", signed(0))
    node.mine_pool()
    node.reorg_pool(1)
    assert rpc.call("eth_getTransactionReceipt", hash) is None
    assert rpc.call("eth_getTransactionCount", SENDER, "latest") == "0x0"
    assert node.mine_pool() == [hash]
    node.reorg_pool(1, back=False)
    assert node.mine_pool() == []


# WebSocket


@pytest.fixture
def plug(node: ScriptedNode) -> Iterator[ClientConnection]:
    with connect(node.ws_url, max_size=None) as client:
        yield client


def ask(plug: ClientConnection, method: str, *params: object) -> object:
    plug.send(json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}))
    return json.loads(plug.recv(timeout=TOLD_S_MAX)).get("result")


def told(plug: ClientConnection) -> dict[str, str]:
    return json.loads(plug.recv(timeout=TOLD_S_MAX))["params"]["result"]


def test_subscriptions_need_a_websocket(rpc: Rpc) -> None:
    with pytest.raises(RpcError, match="notifications not supported"):
        rpc.call("eth_subscribe", "newHeads")


def test_a_websocket_answers_as_http_does(node: ScriptedNode, plug: ClientConnection, rpc: Rpc) -> None:
    node.chain.mine([mint(TOKEN, ANN, 1)])
    wanted = {"fromBlock": "0x0", "toBlock": "0x1"}
    assert ask(plug, "eth_getLogs", wanted) == rpc.call("eth_getLogs", wanted)
    node.faults.add(faults.error(-32000, "odd"), "eth_chainId")
    assert ask(plug, "eth_chainId") is None
    assert node.log.exchanges("eth_chainId")[0].transport == "ws"


def test_subscribers_are_told_of_heads_logs_and_removals(node: ScriptedNode, plug: ClientConnection) -> None:
    heads = ask(plug, "eth_subscribe", "newHeads")
    (block,) = node.chain.mine([mint(TOKEN, ANN, 1)])
    assert told(plug)["hash"] == block.hash
    assert ask(plug, "eth_unsubscribe", heads) is True
    ask(plug, "eth_subscribe", "logs", {"address": TOKEN})
    assert node.subscribers == 1
    node.chain.reorg(1, [mint(TOKEN, BEN, 2), mint(BEN, BEN, 3)])
    gone, come = told(plug), told(plug)
    assert (gone["removed"], gone["blockHash"]) == (True, block.hash)
    assert (come["removed"], come["blockHash"]) == (False, node.chain.head.hash)


def test_subscribers_may_be_told_too_little_or_too_much(node: ScriptedNode, plug: ClientConnection) -> None:
    ask(plug, "eth_subscribe", "newHeads")
    node.push = "last"
    node.chain.mine_empty(3)
    assert told(plug)["number"] == "0x3"
    node.push = "doubled"
    node.chain.mine_empty(1)
    assert told(plug) == told(plug)
    node.push = "none"
    node.chain.mine_empty(1)
    with pytest.raises(TimeoutError):
        plug.recv(timeout=0.2)


def test_a_slow_answer_on_a_websocket_does_not_hold_up_the_next(node: ScriptedNode, plug: ClientConnection) -> None:
    node.faults.add(faults.slow(1.5), "eth_chainId")
    plug.send('{"jsonrpc":"2.0","id":1,"method":"eth_chainId","params":[]}')
    plug.send('{"jsonrpc":"2.0","id":2,"method":"eth_blockNumber","params":[]}')
    assert [json.loads(plug.recv(timeout=TOLD_S_MAX))["id"] for _ in range(2)] == [2, 1]


def test_connections_are_dropped_on_command(node: ScriptedNode, plug: ClientConnection) -> None:
    ask(plug, "eth_subscribe", "newHeads")
    node.drop_connections()
    with pytest.raises(Exception, match=r"no close frame|reset"):
        plug.recv(timeout=TOLD_S_MAX)
    until = time.monotonic() + TOLD_S_MAX
    while node.subscribers:
        assert time.monotonic() < until, "the session was not given up"
        time.sleep(0.01)
    with connect(node.ws_url) as again:
        assert ask(again, "eth_chainId") == "0x539"
