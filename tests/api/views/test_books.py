"""The public books: answered at once whatever the node does, and the node asked as seldom as promised."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, cast

import orjson
import pytest

from api.views import books
from api.views.books import Ledgered
from chain.mirror.books import CALLS_AT_ONCE
from chain.mirror.queries.checkpoint import Checkpoint
from tests.api.conftest import TOKENS, World, Worlds

ACCOUNTS = 2 * CALLS_AT_ONCE + 7


class Node(ThreadingHTTPServer):
    """A node that knows supply and balances, and answers when it is let."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answers)
        self.let = threading.Event()
        self.asked = threading.Event()
        self.batches: list[int] = []
        self.walks = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def answer(self, call: dict[str, Any]) -> Any:
        if call["method"] == "eth_getBlockByNumber":
            self.walks += 1
            return {"hash": f"0x{int(call['params'][0], 16):064x}"}
        if call["params"][0]["data"] == "0x313ce567":
            return f"0x{6:064x}"
        if call["params"][0]["data"].startswith("0x18160ddd"):
            return f"0x{100 * ACCOUNTS:064x}"
        return f"0x{100:064x}"


class Answers(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        node = cast(Node, self.server)
        told = orjson.loads(self.rfile.read(int(self.headers["content-length"])))
        node.asked.set()
        node.let.wait()
        calls = told if isinstance(told, list) else [told]
        node.batches.append(len(calls))
        answers = [{"jsonrpc": "2.0", "id": call["id"], "result": node.answer(call)} for call in calls]
        body = orjson.dumps(answers if isinstance(told, list) else answers[0])
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Nothing."""


@pytest.fixture
def node() -> Iterator[Node]:
    made = Node()
    thread = threading.Thread(target=made.serve_forever)
    thread.start()
    yield made
    made.let.set()
    made.shutdown()
    thread.join()
    made.server_close()


@pytest.fixture
def world(make_world: Worlds, node: Node) -> World:
    made = make_world(rpc_url=node.url)
    made.mirror(7)
    # The node has one brand.
    made.run("DELETE FROM brand_token WHERE brand_id = '2'")
    for number in range(ACCOUNTS):
        if number == 0:
            made.holds_points(f"0x{number + 1:040x}", 100)
            continue
        made.run(
            "INSERT INTO balance (token, account, lots, points, block_number, log_index)"
            " SELECT token, :a, lots, points, 7, 0 FROM balance WHERE account = :first AND token = :t",
            a=f"0x{number + 1:040x}",
            first=f"0x{1:040x}",
            t=TOKENS["cdnow"],
        )
    made.run(
        "INSERT INTO supply_lots (token, expiry_epoch, points) VALUES (:t, 1, :p)",
        t=TOKENS["cdnow"],
        p=str(100 * ACCOUNTS),
    )
    return made


def ask(world: World) -> Any:
    answer = world.client.get("/v1/books")
    assert answer.status_code == 200, answer.text
    return answer.json()


def kept(world: World) -> Ledgered:
    return cast(Ledgered, world.app.state.moa.singleton(Ledgered))


def until_compared(world: World, block: int) -> Any:
    while (told := ask(world))["block_number"] != block:
        time.sleep(0.01)  # pytest's own timeout ends what never comes
    return told


def test_the_answer_does_not_wait_for_the_node(world: World, node: Node) -> None:
    """SPEC 9.18: the node answers nothing at all, and everyone is told what the mirror holds."""
    told = ask(world)
    assert node.asked.wait(30)
    again = [ask(world) for _ in range(20)]

    for one in (told, *again):
        assert one["as_of"]["block_number"] == 7
        assert (one["balanced"], one["block_number"], one["compared_at"]) == (None, None, None)
        [line] = one["brands"]
        assert (line["supply_in_mirror"], line["held"]) == (str(100 * ACCOUNTS), "0")
        assert {line[name] for name in ("supply_on_chain", "sum_on_chain", "sum_in_mirror", "drift")} == {None}
    assert node.batches == []


def test_the_chain_is_asked_once_for_a_block_in_pieces(world: World, node: Node) -> None:
    """SPEC 9.18"""
    node.let.set()
    told = until_compared(world, 7)
    for _ in range(20):
        assert ask(world) == {
            **told,
            "as_of": {**told["as_of"], "age_s": pytest.approx(told["as_of"]["age_s"], abs=60)},
        }

    [line] = told["brands"]
    assert told["balanced"] is True
    whole = str(100 * ACCOUNTS)
    assert {line[name] for name in ("supply_on_chain", "sum_on_chain", "sum_in_mirror")} == {whole}
    assert line["drift"] == "0"
    assert node.walks == 1
    assert max(node.batches) <= CALLS_AT_ONCE
    assert sum(node.batches) == ACCOUNTS + 2  # the supply, and the block once more


def test_the_next_block_waits_until_the_node_has_rested(
    world: World, node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SPEC 9.18: and meanwhile the comparison before is told, with its own block."""
    monkeypatch.setattr(books, "REST_S_MIN", 3_600.0)
    node.let.set()
    until_compared(world, 7)
    world.mirror(8)
    for _ in range(20):
        told = ask(world)
        assert (told["as_of"]["block_number"], told["block_number"], told["balanced"]) == (8, 7, True)
    assert node.walks == 1

    kept(world).ended_at_s = float("-inf")
    until_compared(world, 8)
    assert node.walks == 2


def test_a_long_comparison_is_followed_by_a_longer_rest() -> None:
    """SPEC 9.18"""
    made = Ledgered(ended_at_s=time.monotonic() - 100, took_s=40.0)
    at = Checkpoint(None, "0x00", 0, 7, "0x07", 0, 7, 0, 0, "g", 0, "live", None, 0, None, None)

    assert not made.may_begin(at)
    made.ended_at_s -= 100
    assert made.may_begin(at)


def test_a_node_that_cannot_be_compared_with_leaves_the_answer_as_it_was(world: World, node: Node) -> None:
    """SPEC 9.18"""
    node.let.set()
    until_compared(world, 7)
    node.shutdown()
    node.server_close()
    world.mirror(8)
    kept(world).ended_at_s = float("-inf")

    while kept(world).ended_at_s == float("-inf"):
        told = ask(world)
        time.sleep(0.01)
    assert (told["block_number"], told["balanced"]) == (7, True)


def test_the_gateway_stops_in_the_middle_of_a_comparison(world: World, node: Node) -> None:
    """SPEC 9.18: it is given up after the request that is under way."""
    ask(world)
    assert node.asked.wait(30)
    ending = threading.Timer(0.0, node.let.set)
    kept(world).ending.set()
    ending.start()

    world.client.__exit__(None, None, None)
    world.client.__enter__()

    assert node.walks == 0


def test_what_is_owed_has_the_decimals_of_its_token(world: World, node: Node) -> None:
    """SPEC 9.47: asked once; while the node is silent, unknown rather than guessed."""
    world.run(
        "INSERT INTO obligation (debtor_id, creditor_id, outstanding, block_number, log_index)"
        " VALUES ('1', '2', '9', 7, 0)"
    )
    auditor = world.auditor()
    node.let.set()

    told = [auditor.get("/v1/audit/clearing").json()["obligations"] for _ in range(3)]

    assert [[(one["outstanding"], one["decimals"]) for one in each] for each in told] == [[("9", 6)]] * 3
    assert node.batches == [1]


def test_decimals_that_nobody_tells_are_null(make_world: Worlds) -> None:
    """SPEC 9.47"""
    made = make_world()
    made.mirror()
    made.run("INSERT INTO collateral (brand_id, collateral, in_default) VALUES ('1', '5', false)")

    [one] = made.auditor().get("/v1/audit/clearing").json()["collateral"]

    assert (one["collateral"], one["decimals"]) == ("5", None)
