"""Headers, transactions and receipts of every fork, against nodes that made them, and a header that everyone knows."""

import re
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from chain.devnet.supervisor import ANVIL
from chain.node.rpc import Rpc
from chain.proofs import headers, hexes, receipts, state, transactions, tries
from chain.proofs.errors import EncodingInvalid, HashMismatch, ProofInvalid
from tests.proofs.test_tries import bloom_of

EMPTY = hexes.shown(tries.EMPTY_ROOT)
# Ethereum's first block, with the 15 fields of its time.
FIRST: dict[str, Any] = {
    "hash": "0xd4e56740f876aef8c010b86a40d5f56745a118d0906a34e69aec8c0db1cb8fa3",
    "parentHash": "0x" + "00" * 32,
    "sha3Uncles": "0x1dcc4de8dec75d7aab85b567b6ccd41ad312451b948a7413f0a142fd40d49347",
    "miner": "0x" + "00" * 20,
    "stateRoot": "0xd7f8974fb5ac78d9ac099b9ad5018bedc2ce0a72dad1827a1709da30580f0544",
    "transactionsRoot": EMPTY,
    "receiptsRoot": EMPTY,
    "logsBloom": "0x" + "00" * 256,
    "difficulty": "0x400000000",
    "number": "0x0",
    "gasLimit": "0x1388",
    "gasUsed": "0x0",
    "timestamp": "0x0",
    "extraData": "0x11bbe8db4e347b4e8c937c1c8370e4b5ed33adb3db69cbdb7a38e1e50b1b82fa",
    "mixHash": "0x" + "00" * 32,
    "nonce": "0x0000000000000042",
}
# Stores 7 in slot 1 and logs with two topics.
CODE = "0x600760015560026001600060 00a200".replace(" ", "")
LISTED = [{"address": "0x" + "22" * 20, "storageKeys": ["0x" + "33" * 32, "0x" + "00" * 32]}]
FIELDS = {"london": 16, "paris": 16, "shanghai": 17, "cancun": 20, "prague": 21}


def test_ethereums_first_header_has_the_hash_that_everyone_knows() -> None:
    """SPEC 12.2"""
    header = headers.ProvenHeader.from_json(FIRST)

    assert hexes.shown(header.hash) == FIRST["hash"]
    assert headers.ProvenHeader.from_rlp(header.raw) == header
    shown = headers.fields(header.raw)
    assert (shown["gasLimit"], shown["extraData"]) == (0x1388, FIRST["extraData"])


@pytest.mark.parametrize("field", [name for name in FIRST if name != "hash"])
def test_any_other_value_of_any_field_is_another_hash(field: str) -> None:
    """SPEC 12.2"""
    value = FIRST[field]
    with pytest.raises(HashMismatch):
        headers.ProvenHeader.from_json({**FIRST, field: value[:-1] + ("1" if value[-1] != "1" else "2")})


@pytest.mark.parametrize(
    "spoil",
    [
        {"nonce": "0x42"},
        {"number": "7"},
        {"number": "0x_7"},
        {"miner": None},
        {"extraData": "0x" + "00" * 2000},
        {"stateRoot": "0x" + " 00" * 21 + "0"},
        {"excessBlobGas": "0x0"},
        {"hash": None},
    ],
)
def test_what_is_no_header_is_refused(spoil: dict[str, Any]) -> None:
    """SPEC 12.8"""
    with pytest.raises(EncodingInvalid):
        headers.ProvenHeader.from_json({**FIRST, **spoil})


@pytest.fixture
def node(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Rpc]:
    """An Anvil of the fork that the test names."""
    if not ANVIL.exists():
        pytest.fail("anvil is missing: run scripts/setup.sh node")
    output = (tmp_path / "log").open("wb")
    command = [str(ANVIL), "--port", "0", "--hardfork", request.param, "--cache-path", str(tmp_path / "cache")]
    child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output)
    try:
        until, port = time.monotonic() + 30, None
        while port is None and time.monotonic() < until:
            port = re.search(rb"Listening on 127\.0\.0\.1:(\d+)", (tmp_path / "log").read_bytes())
            time.sleep(0.02)
        assert port, (tmp_path / "log").read_text()
        rpc = Rpc(f"http://127.0.0.1:{int(port[1])}")
        yield rpc
        rpc.close()
    finally:
        child.terminate()
        child.wait(10)
        output.close()


def send(rpc: Rpc, **call: Any) -> Any:
    """A mined transaction of the node's first account; its receipt."""
    tx_hash = rpc.call("eth_sendTransaction", {"from": rpc.call("eth_accounts")[0], "gas": "0x30000", **call})
    for _ in range(500):
        receipt = rpc.call("eth_getTransactionReceipt", tx_hash)
        if receipt is not None:
            return receipt
        time.sleep(0.01)
    raise TimeoutError(tx_hash)


@pytest.mark.slow
@pytest.mark.parametrize("node", list(FIELDS), indirect=True)
def test_every_fork_is_proven_from_its_own_node(node: Rpc, request: pytest.FixtureRequest) -> None:
    """SPEC 12.2, 12.3, 12.6"""
    fork = request.node.callspec.params["node"]
    made = send(node, data=CODE, type="0x0", gasPrice="0x77359400")["contractAddress"]
    send(node, to="0x" + "11" * 20, value="0x5", type="0x1", gasPrice="0x77359400", accessList=LISTED)
    send(node, to=made, type="0x2", maxFeePerGas="0x77359400", maxPriorityFeePerGas="0x1")
    parent, kinds = None, set()
    # Not the first one: Anvil gives it fields of later forks.
    for number in range(1, int(node.call("eth_blockNumber"), 16) + 1):
        block = node.call("eth_getBlockByNumber", hex(number), True)
        header = headers.ProvenHeader.from_json(block)
        if parent is not None:
            assert (header.parent_hash, header.number) == (parent.hash, parent.number + 1)
        listed = block["transactions"]
        encoded = [transactions.encode(one) for one in listed]
        assert tries.ordered_root(encoded) == header.transactions_root
        assert [hexes.shown(transactions.sender(raw)) for raw in encoded] == [one["from"] for one in listed]
        found = [receipts.encode(node.call("eth_getTransactionReceipt", one["hash"])) for one in listed]
        assert tries.ordered_root(found) == header.receipts_root
        for receipt in map(receipts.decode, found):
            assert bloom_of(list(receipt.logs)) == receipt.bloom
        kinds |= {transactions.decode(raw).type for raw in encoded}
        parent = header
    assert parent is not None
    assert kinds == {0, 1, 2}
    assert len(headers.fields(parent.raw)) == FIELDS[fork]
    raw = bytes.fromhex(made[2:])
    answer = node.call("eth_getProof", made, [f"0x{slot:064x}" for slot in (1, 2)], "latest")
    proof = state.verify(parent.state_root, raw, [1, 2], answer)
    assert proof.words == {1: 7, 2: 0}
    with pytest.raises(ProofInvalid):
        state.verify(parent.transactions_root, raw, [1, 2], answer)
    with pytest.raises(ProofInvalid):
        state.verify(parent.state_root, raw, [2, 1], answer)
