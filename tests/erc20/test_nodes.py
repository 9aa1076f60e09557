"""The same on real nodes: Ganache and Anvil, by HTTP and by WebSocket, with reorgs as they make them."""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import pytest
from eth_abi import abi

from chain.base.errors import RpcError
from chain.base.hashing import keccak_text
from chain.devnet.supervisor import Anvil, Ganache, Node
from chain.erc20.check import check_balances
from chain.erc20.follower import Follower, FollowerSettings, open_store
from chain.node.head_subscription import HeadSubscription
from chain.node.rpc import Rpc
from tests.erc20.conftest import Running, select, until
from tests.support.scripted_node.tokens import address_of

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]
ACCOUNTS = [address_of(f"holder {number}") for number in range(6)]


class Token:
    """OpenZeppelin's ERC-20 with open minting, on a real node."""

    def __init__(self, rpc: Rpc):
        self.rpc = rpc
        artifact: dict[str, Any] = json.loads((ROOT / "build" / "contracts" / "PlainToken.json").read_text())
        self.owner = rpc.call("eth_accounts")[0]
        self.address = str(self._send({"data": "0x" + artifact["bytecode"]})["contractAddress"]).lower()

    def mint(self, accounts: list[str], amount: int) -> None:
        call = keccak_text("mintLoop(address[],uint256)")[:4] + abi.encode(["address[]", "uint256"], [accounts, amount])
        self._send({"to": self.address, "data": "0x" + call.hex()})

    def give(self, to: str, amount: int) -> None:
        call = keccak_text("transfer(address,uint256)")[:4] + abi.encode(["address", "uint256"], [to, amount])
        self._send({"to": self.address, "data": "0x" + call.hex()})

    def balance(self, account: str) -> int:
        call = keccak_text("balanceOf(address)")[:4] + abi.encode(["address"], [account])
        return int(self.rpc.call("eth_call", {"to": self.address, "data": "0x" + call.hex()}, "latest"), 16)

    def _send(self, call: dict[str, str]) -> dict[str, Any]:
        hash = self.rpc.call("eth_sendTransaction", {"from": self.owner, "gas": hex(3_000_000), **call})
        found: list[Any] = []

        def mined() -> bool:
            # Ganache answers with an error of its own while it writes the block.
            with suppress(RpcError):
                found[:] = [self.rpc.call("eth_getTransactionReceipt", hash)]
            return bool(found) and found[0] is not None

        until(mined)
        receipt: dict[str, Any] = found[0]
        assert receipt["status"] == "0x1"
        return receipt


@pytest.fixture(params=[Ganache, Anvil], ids=["ganache", "anvil"])
def real(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Node]:
    with request.param(tmp_path / "node") as made:
        yield made


def check_beside_the_token(settings: FollowerSettings, rpc: Rpc) -> None:
    """The mirror itself compares with balanceOf, at its own block, while it runs."""
    with closing(open_store(settings.database_url)) as store:
        store.open_to_read()
        mirrored = store.checkpoint()
        assert mirrored is not None
        found = check_balances(store, rpc, mirrored, sample=None, seed=1)
    assert found.agrees
    assert found.compared == len(ACCOUNTS) + 1


@pytest.mark.parametrize("scheme", ["http", "ws"])
def test_a_token_on_a_real_node_is_followed_through_its_reorgs(real: Node, tmp_path: Path, scheme: str) -> None:
    """SPEC 8.30, 8.34, 8.35, 8.42"""
    database, url = tmp_path / "mirror.db", real.url.replace("http", scheme)
    with closing(Rpc(real.url, timeout_s=30.0)) as rpc:
        token = Token(rpc)
        for round_ in range(8):
            token.mint([*ACCOUNTS, token.owner], 100 + round_)
        settings = FollowerSettings(url, f"sqlite:///{database}", token.address, 0, behind_grace_s=0.0, verify=True)
        running = Running(Follower(settings), HeadSubscription(url)).start()

        def agree() -> bool:
            head = rpc.call("eth_getBlockByNumber", "latest", False)
            try:
                rows = select(settings.database_url, "SELECT block_hash, state FROM mirror_checkpoint")
            except sqlite3.OperationalError:
                return False
            return rows == [(head["hash"], "live")]

        def check() -> None:
            until(agree)
            held = dict(select(settings.database_url, "SELECT * FROM erc20_balances"))
            expected = {one: str(token.balance(one)) for one in (*ACCOUNTS, token.owner)}
            assert held == {one: balance for one, balance in expected.items() if balance != "0"}
            check_beside_the_token(settings, rpc)

        check()
        assert running.heads.subscribed.is_set()
        for depth in (1, 3):
            snapshot = rpc.call("evm_snapshot")
            for _ in range(depth):
                token.give(ACCOUNTS[depth], 7)
            check()
            rpc.call("evm_revert", snapshot)
            for _ in range(depth + 1):
                token.give(ACCOUNTS[0], 5)
            check()
        running.end()
        assert running.failures == []
