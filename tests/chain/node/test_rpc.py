"""The JSON-RPC client: bounded in time, size and repetition, with typed errors."""

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from chain.base import errors
from chain.node import rpc
from chain.node.rpc import Rpc

Answer = Callable[[Any, BaseHTTPRequestHandler], bytes | None]


class Scripted(ThreadingHTTPServer):
    """Answers each request as the test says."""

    daemon_threads = True

    def __init__(self, answer: Answer):
        self.seen: list[Any] = []
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                server.seen.append(body)
                payload = answer(body, self)
                if payload is not None:
                    self.send_response(200)
                    self.send_header("Content-Length", str(len(payload)))
                    self.end_headers()
                    self.wfile.write(payload)

            def log_message(self, *_: Any) -> None:
                pass

        super().__init__(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True).start()


@pytest.fixture
def serve() -> Iterator[Callable[..., tuple[Rpc, Scripted]]]:
    running = []

    def start(answer: Answer, **options: Any) -> tuple[Rpc, Scripted]:
        server = Scripted(answer)
        client = Rpc(f"http://127.0.0.1:{server.server_address[1]}", **{"timeout_s": 5.0, **options})
        running.append((client, server))
        return client, server

    yield start
    for client, server in running:
        client.close()
        server.shutdown()
        server.server_close()


def failing(code: int, message: str, data: Any = None) -> Answer:
    error = {"code": code, "message": message, "data": data}
    return lambda body, _: json.dumps({"jsonrpc": "2.0", "id": body["id"], "error": error}).encode()


@pytest.mark.parametrize(
    ("message", "kind"),
    [
        ("the tx doesn't have the correct nonce. account has nonce of: 5 tx has nonce of: 3", errors.NonceTooLow),
        ("the tx doesn't have the correct nonce. account has nonce of: 5 tx has nonce of: 9", errors.NonceTooHigh),
        ("nonce too low: next nonce 5, tx nonce 3", errors.NonceTooLow),
        ("nonce too high", errors.NonceTooHigh),
        ("already known", errors.AlreadyKnown),
        ("transaction already imported", errors.AlreadyKnown),
        ("transaction can't be replaced, mining has already started", errors.AlreadyKnown),
        ("transaction underpriced", errors.Underpriced),
        ("replacement transaction underpriced", errors.Underpriced),
        ("max fee per gas less than block base fee: address 0x…", errors.Underpriced),
        ("insufficient funds for gas * price + value", errors.InsufficientFunds),
        ("sender doesn't have enough funds to send tx", errors.InsufficientFunds),
        ("query returned more than 10000 results", errors.ResultTooWide),
        ("The method eth_nope does not exist/is not available", errors.MethodMissing),
        ("execution reverted", errors.Reverted),
        ("something nobody ever saw", errors.RpcError),
    ],
)
def test_the_words_of_many_nodes_become_our_types(serve, message, kind):
    client, _ = serve(failing(-32000, message))
    with pytest.raises(errors.RpcError) as caught:
        client.call("eth_sendRawTransaction", "0x")
    assert type(caught.value) is kind


@pytest.mark.parametrize("shape", [lambda data: data, lambda data: {"result": data, "message": "revert"}])
def test_a_revert_carries_the_name_and_values_of_the_contracts_error(serve, shape):
    selector_and_values = "0x08c379a0" + f"{32:064x}" + f"{5:064x}" + b"no, 0".ljust(32, b"\0").hex()
    client, _ = serve(failing(-32000, "execution reverted: no, 0", shape(selector_and_values)))
    with pytest.raises(errors.Reverted) as caught:
        client.call("eth_call", {}, "latest")
    assert (caught.value.name, caught.value.error_args) == ("Error", {"message": "no, 0"})


def test_a_read_that_gets_no_answer_is_asked_again_a_bounded_number_of_times(serve, monkeypatch):
    """SPEC 7.13"""
    monkeypatch.setattr(rpc, "RETRY_DELAY_S", 0.001)
    client, server = serve(lambda body, handler: handler.connection.shutdown(socket.SHUT_RDWR))
    with pytest.raises(errors.NodeUnavailable):
        client.call("eth_blockNumber")
    assert len(server.seen) == rpc.READ_ATTEMPTS_MAX


def test_a_write_that_gets_no_answer_is_never_asked_again(serve):
    """SPEC 7.13"""
    client, server = serve(lambda body, handler: handler.connection.shutdown(socket.SHUT_RDWR))
    with pytest.raises(errors.NodeUnavailable):
        client.call("eth_sendRawTransaction", "0x00")
    assert len(server.seen) == 1


def test_an_answer_that_drips_in_is_cut_off_at_the_time_given(serve):
    def drip(body: Any, handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", "100000")
        handler.end_headers()
        for _ in range(400):
            handler.wfile.write(b" ")
            handler.wfile.flush()
            time.sleep(0.05)

    client, _ = serve(drip, timeout_s=0.3)
    began = time.monotonic()
    with pytest.raises(errors.NodeTimeout):
        client.call("eth_blockNumber")
    assert time.monotonic() - began < 10, "the drip takes 20 s"


def test_an_answer_beyond_the_bound_is_not_read(serve):
    client, _ = serve(lambda body, _: b'{"result": "' + b"0" * 2000 + b'"}', answer_max_bytes=1000)
    with pytest.raises(errors.AnswerTooLarge):
        client.call("eth_getLogs", {})


@pytest.mark.parametrize("payload", [b"", b"<html>busy</html>", b"[]", b"7", b'{"jsonrpc": "2.0", "id": 1}'])
def test_what_is_not_json_rpc_is_a_node_that_is_not_available(serve, payload, monkeypatch):
    monkeypatch.setattr(rpc, "RETRY_DELAY_S", 0.001)
    client, _ = serve(lambda body, _: payload)
    with pytest.raises(errors.NodeUnavailable):
        client.call("eth_blockNumber")


def test_a_batch_keeps_its_order_whatever_the_order_of_the_answers(serve):
    def backwards(body: Any, _: Any) -> bytes:
        answers = [{"jsonrpc": "2.0", "id": call["id"], "result": call["params"][0]} for call in body]
        return json.dumps(answers[::-1]).encode()

    client, server = serve(backwards)
    assert client.batch([("echo", [number]) for number in range(450)]) == list(range(450))
    assert [len(body) for body in server.seen] == [200, 200, 50]


def test_a_batch_that_leaves_an_answer_out_is_not_believed(serve, monkeypatch):
    monkeypatch.setattr(rpc, "RETRY_DELAY_S", 0.001)
    client, _ = serve(lambda body, _: json.dumps([{"jsonrpc": "2.0", "id": body[0]["id"], "result": 1}]).encode())
    with pytest.raises(errors.NodeUnavailable):
        client.batch([("a", []), ("b", [])])


def test_the_key_in_an_address_is_never_shown():
    client = Rpc("http://127.0.0.1:1/v3/secret-key?token=secret", timeout_s=0.2)
    with pytest.raises(errors.NodeUnavailable) as caught:
        client.call("eth_sendRawTransaction", "0x")
    assert "secret" not in str(caught.value)
