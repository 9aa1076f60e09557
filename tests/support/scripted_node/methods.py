"""The JSON-RPC methods of an honest node over a chain; what is dishonest comes from faults.py."""

from collections.abc import Callable, Sequence
from typing import Any, Final

import orjson

from tests.support.scripted_node.blocks import BASE_FEE_WEI, Block
from tests.support.scripted_node.chain import Chain
from tests.support.scripted_node.hashing import selector_of
from tests.support.scripted_node.pool import ANVIL, GANACHE, GETH, Pool
from tests.support.scripted_node.replies import Failure, Refusal, Reply, Request, Result
from tests.support.scripted_node.truth import truth

VERSIONS: Final = {
    GANACHE: "Ganache/v7.9.2/EthereumJS TestRPC/v7.9.2/ethereum-js",
    ANVIL: "anvil/v1.7.1",
    GETH: "Geth/v1.15.11-stable/linux-amd64/go1.24.2",
}
SOME_CODE: Final = "0x6001600101"
BALANCE_WEI: Final = 10**24
BALANCE_OF: Final = selector_of("balanceOf(address)")
TOTAL_SUPPLY: Final = selector_of("totalSupply()")

# What a call gives back: 0x hex. It may raise Refusal (a revert: Refusal(3, "execution reverted", "0x...")).
CallHandler = Callable[[str, Block], str]


class Methods:
    """Answers requests. `orphan_logs` says what eth_getLogs gives for the hash of a block that left the chain:
    nothing (Ganache), its logs (geth), or an error."""

    def __init__(self, chain: Chain, pool: Pool, dialect: str):
        self.chain = chain
        self.pool = pool
        self.dialect = dialect
        self.orphan_logs = {GANACHE: "nothing", ANVIL: "error", GETH: "logs"}[dialect]
        self.codes: dict[str, str] = {}
        # The first block at which a contract is there; without one it always was.
        self.created: dict[str, int] = {}
        self.calls: dict[tuple[str, str], CallHandler] = {}
        self.sent: Callable[[], None] = lambda: None
        self._table: dict[str, Callable[[list[Any], int], Any]] = {
            "web3_clientVersion": lambda params, top: VERSIONS[self.dialect],
            "net_version": lambda params, top: str(self.chain.chain_id),
            "net_listening": lambda params, top: True,
            "eth_chainId": lambda params, top: hex(self.chain.chain_id),
            "eth_syncing": lambda params, top: False,
            "eth_accounts": lambda params, top: [],
            "eth_gasPrice": lambda params, top: hex(2 * BASE_FEE_WEI),
            "eth_maxPriorityFeePerGas": lambda params, top: hex(BASE_FEE_WEI),
            "eth_estimateGas": lambda params, top: hex(100_000),
            "eth_blockNumber": lambda params, top: hex(top),
            "eth_getBalance": lambda params, top: hex(BALANCE_WEI),
            "eth_getBlockByNumber": self._block_by_number,
            "eth_getBlockByHash": self._block_by_hash,
            "eth_getBlockReceipts": self._block_receipts,
            "eth_getLogs": self._logs,
            "eth_getTransactionByHash": self._transaction,
            "eth_getTransactionReceipt": self._receipt,
            "eth_getTransactionCount": self._transaction_count,
            "eth_getCode": self._code,
            "eth_call": self._call,
            "eth_sendRawTransaction": self._send,
        }

    def answer(self, request: Request, *, behind: int = 0) -> Reply:
        """The true answer, or the true answer of a node whose head is some blocks behind."""
        method = self._table.get(request.method)
        if method is None or (self.dialect == GANACHE and request.method == "eth_getBlockReceipts"):
            text = f"The method {request.method} does not exist/is not available"
            return Failure(-32601, "Method not found" if self.dialect == ANVIL else text)
        try:
            with self.chain.lock:
                return Result(method(request.params, max(0, self.chain.head.number - behind)))
        except Refusal as refusal:
            return Failure(refusal.code, refusal.message, refusal.data)
        except (IndexError, KeyError, TypeError, ValueError, AttributeError) as error:
            return Failure(-32602, f"invalid argument: {type(error).__name__}: {error}")

    def log_range(self, params: list[Any]) -> tuple[int, int]:
        """First and last block of an eth_getLogs filter; a filter by hash is one block."""
        if "blockHash" in params[0]:
            return 0, 0
        top = self.chain.head.number
        first = self._number(params[0].get("fromBlock", "latest"), top)
        return first, min(top, self._number(params[0].get("toBlock", "latest"), top))

    def count_logs(self, params: list[Any]) -> int:
        """How many logs an honest eth_getLogs would give."""
        with self.chain.lock:
            return len(self._matching(params, self.chain.head.number))

    # Blocks

    def _number(self, tag: str, top: int) -> int:
        named = {
            "earliest": 0,
            "latest": top,
            "pending": top,
            "safe": max(0, top - self.chain.safe_depth),
            "finalized": max(0, top - self.chain.final_depth),
        }
        return named[tag] if tag in named else int(tag, 16)

    def _at(self, tag: Any, top: int) -> Block | None:
        if isinstance(tag, dict):
            return self.chain.by_hash[tag["blockHash"]] if "blockHash" in tag else self._at(tag["blockNumber"], top)
        number = self._number(tag, top)
        return self.chain.block(number) if number <= top else None

    def _block_by_number(self, params: list[Any], top: int) -> Any:
        return shown(self._at(params[0], top), full=bool(params[1]) if len(params) > 1 else False)

    def _block_by_hash(self, params: list[Any], top: int) -> Any:
        return shown(self.chain.by_hash.get(params[0]), full=bool(params[1]) if len(params) > 1 else False)

    def _block_receipts(self, params: list[Any], top: int) -> Any:
        block = self.chain.by_hash.get(params[0]) if len(str(params[0])) == 66 else self._at(params[0], top)
        return block.receipts() if block else None

    # Logs

    def _logs(self, params: list[Any], top: int) -> Any:
        return fragment(self._matching(params, top))

    def _matching(self, params: list[Any], top: int) -> list[bytes]:
        wanted = params[0]
        addresses, topics = addresses_of(wanted), topics_of(wanted)
        if "blockHash" in wanted:
            return self._logs_of_hash(wanted["blockHash"], addresses, topics)
        first, last = (self._number(wanted.get(key, "latest"), top) for key in ("fromBlock", "toBlock"))
        if self.dialect != GANACHE and first > last:
            raise Refusal(-32602, "invalid block range params")
        if self.dialect == ANVIL and first > top:
            raise Refusal(-32602, f"BlockOutOfRangeError: block height is {top} but requested was {first}")
        found: list[bytes] = []
        for block in self.chain.blocks[first : min(last, top) + 1]:
            found += block.logs_json(addresses, topics)
        return found

    def _logs_of_hash(
        self, hash: str, addresses: frozenset[str] | None, topics: Sequence[frozenset[str] | None]
    ) -> list[bytes]:
        block = self.chain.by_hash.get(hash)
        known = block is not None and self.chain.block(block.number) is block
        if block is None or (not known and self.orphan_logs == "error"):
            if self.dialect == GANACHE:
                return []
            raise Refusal(-32000, "unknown block")
        return block.logs_json(addresses, topics) if known or self.orphan_logs == "logs" else []

    # Transactions

    def _place(self, hash: str, top: int) -> tuple[Block, int] | None:
        place = self.chain.places.get(hash)
        return (self.chain.blocks[place[0]], place[1]) if place is not None and place[0] <= top else None

    def _transaction(self, params: list[Any], top: int) -> Any:
        place = self._place(params[0], top)
        return place[0].transactions[place[1]].shown(*place) if place else None

    def _receipt(self, params: list[Any], top: int) -> Any:
        place = self._place(params[0], top)
        return place[0].receipts()[place[1]] if place else None

    def _transaction_count(self, params: list[Any], top: int) -> str:
        sender, tag = params[0].lower(), params[1] if len(params) > 1 else "latest"
        if tag == "pending":
            return hex(self.pool.pending_nonce(sender))
        last = self._number(tag, top)
        above = self.chain.blocks[last + 1 :]
        later = sum(one.sender == sender for block in above for one in block.transactions)
        return hex(self.chain.nonces[sender] - later)

    def _send(self, params: list[Any], top: int) -> str:
        hash = self.pool.send(params[0])
        self.sent()
        return hash

    # State

    def _code(self, params: list[Any], top: int) -> str:
        """What was set, or some code for any contract that ever said something."""
        address = params[0].lower()
        if self._number(params[1] if len(params) > 1 else "latest", top) < self.created.get(address, 0):
            return "0x"
        if address in self.codes:
            return self.codes[address]
        return SOME_CODE if address in self.chain.speakers else "0x"

    def _call(self, params: list[Any], top: int) -> str:
        call, block = params[0], self._at(params[1] if len(params) > 1 else "latest", top)
        if block is None:
            raise Refusal(-32000, "header not found")
        to, data = call["to"].lower(), call.get("data") or call.get("input") or "0x"
        handler = self.calls.get((to, data[:10])) or self.calls.get((to, "*"))
        if handler is not None:
            return handler(data, block)
        if self._code([to], top) == "0x":
            return "0x"
        if data[:10] == BALANCE_OF:
            return _word(truth(self.chain, to, at=block.number).balances(to).get("0x" + data[34:74].lower(), 0))
        if data[:10] == TOTAL_SUPPLY:
            return _word(truth(self.chain, to, at=block.number).supplies.get(to, 0))
        raise Refusal(3, "execution reverted", "0x")


def shown(block: Block | None, *, full: bool = False) -> Any:
    """A block as an answer."""
    if block is None:
        return None
    return orjson.Fragment(block.full_json if full else block.json)


def fragment(parts: Sequence[bytes]) -> Any:
    """A list of things that are JSON already."""
    return orjson.Fragment(b"[" + b",".join(parts) + b"]")


def addresses_of(wanted: dict[str, Any]) -> frozenset[str] | None:
    """The filter's addresses in lower case; None: any."""
    named = wanted.get("address")
    if not named:
        return None
    return frozenset(one.lower() for one in ([named] if isinstance(named, str) else named))


def topics_of(wanted: dict[str, Any]) -> list[frozenset[str] | None]:
    """The filter's topics, place by place; None: any."""
    return [
        None if not place else frozenset(one.lower() for one in ([place] if isinstance(place, str) else place))
        for place in wanted.get("topics") or ()
    ]


def _word(value: int) -> str:
    return f"0x{value % (1 << 256):064x}"
