"""A node never outlives its parent, and its chain outlives the node."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from chain.base.errors import NodeStartFailed
from chain.devnet.supervisor import Anvil, Ganache
from chain.node.blocks import mined
from chain.node.rpc import Rpc

pytestmark = pytest.mark.slow
ROOT = Path(__file__).resolve().parents[3]
PARENT = """
import sys, time
from pathlib import Path
from chain.devnet.supervisor import Anvil, Ganache
node = {"Ganache": Ganache, "Anvil": Anvil}[sys.argv[1]](Path(sys.argv[2])).start()
print(node.url, flush=True)
time.sleep(600)
"""


@pytest.mark.parametrize("title", ["Ganache", "Anvil"])
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_a_node_ends_with_its_parent_however_that_ends(tmp_path, title, how, until):
    """SPEC 7.13"""
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT, title, str(tmp_path / "state")],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
    )
    assert parent.stdout is not None
    assert parent.stdout.readline().startswith(b"http://127.0.0.1:")
    family = psutil.Process(parent.pid).children(recursive=True)
    assert family

    parent.send_signal(how)
    parent.wait()
    parent.stdout.close()

    until(lambda: not any(process.is_running() and process.status() != "zombie" for process in family), 10)


@pytest.mark.parametrize("make", [Ganache, Anvil])
def test_a_node_that_is_killed_answers_nobody(tmp_path, make, until):
    """SPEC 7.13: what a kill leaves running would go on as if nothing had happened."""
    node = make(tmp_path / "state").start()
    keeper = psutil.Process(node.pid)
    family = [keeper, *keeper.children(recursive=True)]
    node.kill()
    until(lambda: not any(process.is_running() and process.status() != "zombie" for process in family), 10)


@pytest.mark.parametrize("cache", [True, False])
def test_what_was_mined_is_there_after_a_kill(tmp_path, cache):
    """SPEC 7.13"""
    node = Ganache(tmp_path / "state", cache=cache).start()
    try:
        rpc = Rpc(node.url)
        giver, taker = rpc.call("eth_accounts")[:2]
        sent = []
        for _ in range(20):
            sent.append(rpc.call("eth_sendTransaction", {"from": giver, "to": taker, "value": hex(7)}))
            # One at a time: Ganache's pool forgets what arrives while it mines.
            mined(rpc, sent[-1])
        head, balance = rpc.call("eth_getBlockByNumber", "latest", True), rpc.call("eth_getBalance", taker, "latest")
        rpc.close()

        node.kill()
        node.start()

        rpc = Rpc(node.url)
        assert rpc.call("eth_getBlockByNumber", "latest", True) == head
        assert rpc.call("eth_getBalance", taker, "latest") == balance
        assert rpc.call("eth_accounts")[:2] == [giver, taker]
        assert all(
            receipt["status"] == "0x1" for receipt in rpc.batch([("eth_getTransactionReceipt", [h]) for h in sent])
        )
        rpc.close()
    finally:
        node.stop()


def test_the_chain_is_found_again_and_fresh_starts_anew(tmp_path):
    with Ganache(tmp_path / "state") as node:
        rpc = Rpc(node.url)
        rpc.call("evm_mine")
        genesis = rpc.call("eth_getBlockByNumber", "0x0", False)["hash"]
        rpc.close()
    with Ganache(tmp_path / "state") as node:
        rpc = Rpc(node.url)
        assert rpc.call("eth_blockNumber") == "0x1"
        assert rpc.call("eth_getBlockByNumber", "0x0", False)["hash"] == genesis
        rpc.close()
    with Ganache(tmp_path / "state", fresh=True) as node:
        rpc = Rpc(node.url)
        assert rpc.call("eth_blockNumber") == "0x0"
        assert rpc.call("eth_getBlockByNumber", "0x0", False)["hash"] != genesis
        rpc.close()


def test_a_node_that_cannot_start_says_why_and_leaves_nothing_behind(tmp_path):
    before = set(psutil.Process().children(recursive=True))
    with Ganache(tmp_path / "state") as node, pytest.raises(NodeStartFailed) as caught:
        Ganache(tmp_path / "state").start()
    assert "lock" in str(caught.value).lower()
    with Ganache(tmp_path / "one") as node, pytest.raises(NodeStartFailed):
        Ganache(tmp_path / "two", port=node.port).start()
    with pytest.raises(NodeStartFailed):
        Anvil(tmp_path / "three", chain_id=-1).start()
    assert set(psutil.Process().children(recursive=True)) <= before


def test_the_mnemonic_is_read_by_its_owner_only(tmp_path):
    node = Ganache(tmp_path)
    assert node.mnemonic == Ganache(tmp_path).mnemonic
    assert (tmp_path / "mnemonic").stat().st_mode & 0o777 == 0o600
