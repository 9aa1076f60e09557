"""Nodes that lie: another way to a real node, whose answers are doctored before they arrive."""

from collections.abc import Callable, Sequence
from typing import Any

from chain.base.hashing import keccak
from chain.node.rpc import Rpc
from chain.proofs import headers, hexes, receipts, tries
from chain.proofs.receipts import bloom_bits

Lie = Callable[[str, Sequence[Any], Any], Any]


class Liar(Rpc):
    """An Rpc whose answers go through `lie(method, params, answer)`."""

    def __init__(self, url: str, lie: Lie):
        super().__init__(url, timeout_s=30.0)
        self._lie = lie

    def call(self, method: str, *params: Any, timeout_s: float | None = None) -> Any:
        return self._lie(method, params, super().call(method, *params, timeout_s=timeout_s))

    def batch(self, calls: Sequence[tuple[str, Sequence[Any]]], *, timeout_s: float | None = None) -> list[Any]:
        answers = super().batch(calls, timeout_s=timeout_s)
        return [self._lie(method, params, answer) for (method, params), answer in zip(calls, answers, strict=True)]


class Forged:
    """A whole other history: from one block on every header follows from forged receipts, up to a pin of its own.

    Every hash in it is right, as a node that mined it would have it. Storage stays the real one's.
    """

    def __init__(self, url: str, forge: Callable[[int, list[dict[str, Any]]], None]):
        """forge changes the receipts of a block in place; it is asked for every block, oldest first."""
        rpc = Rpc(url, timeout_s=30.0)
        self.url = url
        self.blocks: dict[str, dict[str, Any]] = {}
        self.receipts: dict[int, list[dict[str, Any]]] = {}
        self.numbers: dict[int, str] = {}
        parent: str | None = None
        for number in range(int(rpc.call("eth_blockNumber"), 16) + 1):
            block = rpc.call("eth_getBlockByNumber", hex(number), True)
            found = [rpc.call("eth_getTransactionReceipt", one["hash"]) for one in block["transactions"]]
            forge(number, found)
            self.receipts[number] = found
            self._seal(block, found, parent)
            self.blocks[block["hash"]], self.numbers[number] = block, block["hash"]
            parent = block["hash"]
        assert parent is not None, "a chain has a first block"
        self.pin = parent
        rpc.close()

    def _seal(self, block: dict[str, Any], found: list[dict[str, Any]], parent: str | None) -> None:
        bloom = 0
        for receipt in found:
            own = 0
            for log in receipt["logs"]:
                for value in (log["address"], *log["topics"]):
                    own |= bloom_bits(bytes.fromhex(value[2:]))
            receipt["logsBloom"] = hexes.shown(own.to_bytes(256))
            bloom |= own
        block["logsBloom"] = hexes.shown(bloom.to_bytes(256))
        block["receiptsRoot"] = hexes.shown(tries.ordered_root([receipts.encode(receipt) for receipt in found]))
        if parent is not None:
            block["parentHash"] = parent
        block["hash"] = hexes.shown(keccak(headers.encode(block)))

    def rpc(self) -> Rpc:
        """A way to this history."""
        return Liar(self.url, self._answer)

    def _answer(self, method: str, params: Sequence[Any], answer: Any) -> Any:
        if method == "eth_getBlockByHash":
            return self.blocks.get(params[0])
        if method == "eth_getBlockByNumber":
            return self.blocks[self.numbers[int(params[0], 16)]]
        if method == "eth_getBlockReceipts":
            return self.receipts[int(params[0], 16)]
        if method == "eth_getTransactionReceipt":
            number = int(answer["blockNumber"], 16)
            return next(one for one in self.receipts[number] if one["transactionHash"] == params[0])
        return answer
