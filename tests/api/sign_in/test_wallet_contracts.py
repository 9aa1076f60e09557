"""Sign-in of a wallet that is a contract: the chain itself is asked (SPEC 21.11). On Anvil, with a real ERC-1271."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from coincurve import PrivateKey
from eth_abi.abi import encode

from api.kit.container import Node
from chain.devnet.supervisor import Anvil
from chain.node.rpc import Rpc
from tests.api.auth.test_access import refusal
from tests.api.conftest import World, Worlds
from tests.api.sign_in.test_sign_in import address_of, asked_wallet, post, signed

pytestmark = pytest.mark.slow
BUILT = Path(__file__).resolve().parents[3] / "build" / "contracts" / "SmartWallet.json"
RECEIPTS_MAX = 200
OWNER, STRANGER = PrivateKey(b"\x21" * 32), PrivateKey(b"\x22" * 32)


@pytest.fixture(scope="module")
def anvil(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Anvil]:
    with Anvil(tmp_path_factory.mktemp("anvil")) as running:
        yield running


def deploy(node: Anvil, owner: str) -> str:
    """The address of a smart wallet of this owner, on the chain."""
    rpc = Rpc(node.url)
    data = "0x" + json.loads(BUILT.read_text())["bytecode"].removeprefix("0x") + encode(["address"], [owner]).hex()
    sent = {"from": rpc.call("eth_accounts")[0], "data": data, "gas": hex(2_000_000)}
    tx_hash = rpc.call("eth_sendTransaction", sent)
    for _ in range(RECEIPTS_MAX):
        receipt = rpc.call("eth_getTransactionReceipt", tx_hash)
        if receipt is not None:
            return str(receipt["contractAddress"])
        time.sleep(0.05)
    raise AssertionError("the wallet was not deployed")


def on(world: World, node: Anvil) -> World:
    """The gateway with this node."""
    state = world.app.state.moa
    state.node = Node(state.deployment, node.url, 5.0)
    return world


def answered(world: World, wallet: str, key: PrivateKey, **more: Any) -> Any:
    told = asked_wallet(world, wallet)
    body = {"challenge": told["challenge"], "message": told["message"], "signature": signed(key, told["message"])}
    return post(world, "wallets", body | more)


def test_a_contract_signs_in_by_its_owners_key_and_nobody_elses(make_world: Worlds, anvil: Anvil) -> None:
    """SPEC 21.11"""
    world = on(make_world(), anvil)
    wallet = deploy(anvil, address_of(OWNER))

    first, again = answered(world, wallet, OWNER), answered(world, wallet, OWNER)

    assert first.status_code == again.status_code == 201
    assert first.json()["member"] == again.json()["member"]
    assert refusal(answered(world, wallet, STRANGER)) == (401, "WalletRefused")
    assert refusal(answered(world, wallet, OWNER, signature="0x00")) == (401, "WalletRefused")
    # An address without code answers nothing, and nothing is no yes.
    assert refusal(answered(world, "0x" + "77" * 20, OWNER)) == (401, "WalletRefused")
    # Nor does a contract that answers something else.
    assert refusal(answered(world, "0x" + "00" * 19 + "04", OWNER)) == (401, "WalletRefused")
    assert world.rows("SELECT COUNT(*) FROM member") == [(1,)]


def test_a_node_that_is_away_is_said_and_lets_nobody_in(make_world: Worlds) -> None:
    """SPEC 21.11, 9.19"""
    world = make_world()
    world.app.state.moa.node = Node(world.app.state.moa.deployment, "http://127.0.0.1:9", 0.5)

    assert refusal(answered(world, "0x" + "77" * 20, OWNER)) == (503, "NodeUnavailable")
    assert world.rows("SELECT COUNT(*) FROM member") == [(0,)]


YES = "0x1626ba7e" + "00" * 28
LIES: list[tuple[str, bytes | None]] = [
    ("nothing at all", b""),
    ("no JSON", b"<html>yes</html>"),
    ("null", b"null"),
    ("another's answer", json.dumps({"jsonrpc": "2.0", "id": 7_777_777, "result": YES}).encode()),
    ("no result", b'{"jsonrpc": "2.0", "id": ID}'),
    ("a result that is no text", b'{"jsonrpc": "2.0", "id": ID, "result": true}'),
    ("a list", b'{"jsonrpc": "2.0", "id": ID, "result": ["' + YES.encode() + b'"]}'),
    ("yes and more", b'{"jsonrpc": "2.0", "id": ID, "result": "' + YES.encode() + b'00"}'),
    ("yes, too short", b'{"jsonrpc": "2.0", "id": ID, "result": "0x1626ba7e"}'),
    ("yes, written otherwise", b'{"jsonrpc": "2.0", "id": ID, "result": "' + YES.upper().encode() + b'"}'),
    ("an error that says yes", b'{"jsonrpc": "2.0", "id": ID, "error": {"code": 3, "message": "ok", "data": "'
     + YES.encode() + b'"}}'),
    ("far too much", b'{"jsonrpc": "2.0", "id": ID, "result": "0x' + b"00" * 9_000_000 + b'"}'),
    ("too late", None),
]  # fmt: skip


class _Liar(BaseHTTPRequestHandler):
    """A node that answers whatever it is asked with one lie; with None it never answers."""

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        lie = self.server.lie  # type: ignore[attr-defined]
        if lie is None:
            self.server.over.wait()  # type: ignore[attr-defined]
            return
        number = str(json.loads(body)["id"]).encode()
        told = lie.replace(b"ID", number)
        self.send_response(200)
        self.send_header("Content-Length", str(len(told)))
        self.end_headers()
        self.wfile.write(told)

    def log_message(self, *_: Any) -> None:
        """Quietly."""


@pytest.mark.parametrize("lie", [told for _, told in LIES], ids=[name for name, _ in LIES])
def test_no_lie_of_a_node_is_a_yes_or_a_fault_of_ours(make_world: Worlds, lie: bytes | None) -> None:
    """SPEC 21.11, 9.19: late, wrong, empty, another's, too much."""
    world = make_world()
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Liar)
    server.lie, server.over = lie, threading.Event()  # type: ignore[attr-defined]
    serving = threading.Thread(target=server.serve_forever)
    serving.start()
    world.app.state.moa.node = Node(world.app.state.moa.deployment, f"http://127.0.0.1:{server.server_port}", 0.5)
    try:
        answer = answered(world, "0x" + "77" * 20, OWNER)
    finally:
        server.over.set()  # type: ignore[attr-defined]
        server.shutdown()
        serving.join()
        server.server_close()

    assert refusal(answer) in {(401, "WalletRefused"), (503, "NodeUnavailable")}, answer.text
    assert world.rows("SELECT COUNT(*) FROM member") == [(0,)]
