"""Blocks as a Shanghai chain has them: the hash is that of the RLP header, bloom and roots are right."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final

import orjson

from tests.support.scripted_node.hashing import (
    EMPTY_TRIE,
    EMPTY_UNCLES,
    bloom_mask,
    keccak,
    rlp_bytes,
    rlp_int,
    rlp_list,
    trie_root,
)

ZERO_ADDRESS: Final = "0x" + "00" * 20
ZERO_HASH: Final = "0x" + "00" * 32
GAS_LIMIT: Final = 150_000_000
BASE_FEE_WEI: Final = 1_000_000_000
GAS_PRICE_WEI: Final = 2_000_000_000
LOG_GAS: Final = 30_000


@dataclass(frozen=True, slots=True)
class Log:
    """What a contract said; address, topics and data in lower-case 0x hex."""

    address: str
    topics: tuple[str, ...]
    data: str = "0x"

    def bloom(self) -> int:
        """The bits this log sets."""
        bits = bloom_mask(bytes.fromhex(self.address[2:]))
        for topic in self.topics:
            bits |= bloom_mask(bytes.fromhex(topic[2:]))
        return bits

    def rlp(self) -> bytes:
        """As it stands in a receipt."""
        topics = rlp_list(rlp_bytes(bytes.fromhex(topic[2:])) for topic in self.topics)
        return rlp_list((rlp_bytes(bytes.fromhex(self.address[2:])), topics, rlp_bytes(bytes.fromhex(self.data[2:]))))


@dataclass(frozen=True, slots=True)
class Transaction:
    """A transaction and what it did. The same one may lie in several blocks of different branches."""

    hash: str
    raw: bytes
    sender: str
    to: str | None
    nonce: int
    logs: tuple[Log, ...] = ()
    status: int = 1
    data: str = "0x"
    fee_cap_wei: int = GAS_PRICE_WEI

    @property
    def gas_used(self) -> int:
        """An invented figure that grows with the logs."""
        return 21_000 + LOG_GAS * len(self.logs)

    def shown(self, block: "Block", index: int) -> dict[str, Any]:
        """As eth_getTransactionByHash gives it."""
        return {
            "type": "0x2",
            "hash": self.hash,
            "blockHash": block.hash,
            "blockNumber": hex(block.number),
            "transactionIndex": hex(index),
            "from": self.sender,
            "to": self.to,
            "nonce": hex(self.nonce),
            "gas": hex(self.gas_used),
            "value": "0x0",
            "input": self.data,
            "maxFeePerGas": hex(self.fee_cap_wei),
            "maxPriorityFeePerGas": hex(BASE_FEE_WEI),
            "gasPrice": hex(min(self.fee_cap_wei, GAS_PRICE_WEI)),
            "accessList": [],
        }


@dataclass(frozen=True, slots=True)
class MinedLog:
    """A log with its place; `json` is the node's whole answer for it."""

    log: Log
    tx_hash: str
    tx_index: int
    log_index: int
    json: bytes


@dataclass(eq=False)
class Block:
    """A block and all that a node knows of it. `salt` keeps two blocks of equal content apart, as a miner's would."""

    number: int
    parent_hash: str
    timestamp: int
    transactions: tuple[Transaction, ...]
    salt: int
    first_log_index: int = 0
    gas_limit: int = GAS_LIMIT
    bloom: int = 0
    hash: str = ""
    header: bytes = field(default=b"", repr=False)
    roots: tuple[bytes, bytes] = (EMPTY_TRIE, EMPTY_TRIE)

    def __post_init__(self) -> None:
        receipts, gas_used = [], 0
        for transaction in self.transactions:
            bits = 0
            for log in transaction.logs:
                bits |= log.bloom()
            gas_used += transaction.gas_used
            self.bloom |= bits
            receipts.append(_receipt_rlp(transaction, gas_used, bits))
        self.roots = (trie_root([transaction.raw for transaction in self.transactions]), trie_root(receipts))
        self.header = self._header_rlp()
        self.hash = "0x" + keccak(self.header).hex()

    @property
    def gas_used(self) -> int:
        """Of all transactions together."""
        return sum(transaction.gas_used for transaction in self.transactions)

    @property
    def state_root(self) -> bytes:
        """There is no state to take a root of: any 32 bytes that the content decides."""
        return keccak(b"state" + self.salt.to_bytes(8))

    def _header_rlp(self) -> bytes:
        transactions_root, receipts_root = self.roots
        fixed = (bytes.fromhex(self.parent_hash[2:]), EMPTY_UNCLES, bytes(20))
        roots = (self.state_root, transactions_root, receipts_root, self.bloom.to_bytes(256))
        numbers = (0, self.number, self.gas_limit, self.gas_used, self.timestamp)
        return rlp_list(
            (
                *map(rlp_bytes, fixed),
                *map(rlp_bytes, roots),
                *map(rlp_int, numbers),
                rlp_bytes(self.salt.to_bytes(8)),
                rlp_bytes(bytes(32)),
                rlp_bytes(bytes(8)),
                rlp_int(BASE_FEE_WEI),
                rlp_bytes(EMPTY_TRIE),
            )
        )

    # As the node shows it

    @cached_property
    def fields(self) -> dict[str, Any]:
        """The block's header in JSON terms, without its transactions."""
        return {
            "number": hex(self.number),
            "hash": self.hash,
            "parentHash": self.parent_hash,
            "sha3Uncles": "0x" + EMPTY_UNCLES.hex(),
            "miner": ZERO_ADDRESS,
            "stateRoot": "0x" + self.state_root.hex(),
            "transactionsRoot": "0x" + self.roots[0].hex(),
            "receiptsRoot": "0x" + self.roots[1].hex(),
            "logsBloom": "0x" + self.bloom.to_bytes(256).hex(),
            "difficulty": "0x0",
            "gasLimit": hex(self.gas_limit),
            "gasUsed": hex(self.gas_used),
            "timestamp": hex(self.timestamp),
            "extraData": "0x" + self.salt.to_bytes(8).hex(),
            "mixHash": ZERO_HASH,
            "nonce": "0x" + "00" * 8,
            "baseFeePerGas": hex(BASE_FEE_WEI),
            "withdrawalsRoot": "0x" + EMPTY_TRIE.hex(),
        }

    @cached_property
    def json(self) -> bytes:
        """The block with the hashes of its transactions."""
        return self._json([transaction.hash for transaction in self.transactions])

    @property
    def full_json(self) -> bytes:
        """The block with its transactions."""
        return self._json([transaction.shown(self, index) for index, transaction in enumerate(self.transactions)])

    def _json(self, transactions: list[Any]) -> bytes:
        size = hex(len(self.header) + sum(len(transaction.raw) for transaction in self.transactions))
        rest = {"size": size, "totalDifficulty": "0x0", "uncles": [], "withdrawals": [], "transactions": transactions}
        return orjson.dumps({**self.fields, **rest})

    @cached_property
    def logs(self) -> list[MinedLog]:
        """Every log in its order, with its JSON made once."""
        made: list[MinedLog] = []
        number = hex(self.number)
        for tx_index, transaction in enumerate(self.transactions):
            for log in transaction.logs:
                log_index = self.first_log_index + len(made)
                quoted = ",".join(f'"{topic}"' for topic in log.topics)
                json = (
                    f'{{"address":"{log.address}","topics":[{quoted}],"data":"{log.data}",'
                    f'"blockNumber":"{number}","blockHash":"{self.hash}","transactionHash":"{transaction.hash}",'
                    f'"transactionIndex":"{hex(tx_index)}","logIndex":"{hex(log_index)}","removed":false}}'
                )
                made.append(MinedLog(log, transaction.hash, tx_index, log_index, json.encode()))
        return made

    @cached_property
    def addresses(self) -> frozenset[str]:
        """Contracts that said something in this block."""
        return frozenset(log.address for transaction in self.transactions for log in transaction.logs)

    def receipts(self) -> list[dict[str, Any]]:
        """One for each transaction."""
        shown, gas_used = [], 0
        logs = iter(self.logs)
        for index, transaction in enumerate(self.transactions):
            gas_used += transaction.gas_used
            bits = 0
            for log in transaction.logs:
                bits |= log.bloom()
            shown.append(
                {
                    "type": "0x2",
                    "status": hex(transaction.status),
                    "cumulativeGasUsed": hex(gas_used),
                    "gasUsed": hex(transaction.gas_used),
                    "logsBloom": "0x" + bits.to_bytes(256).hex(),
                    "logs": [orjson.Fragment(next(logs).json) for _ in transaction.logs],
                    "transactionHash": transaction.hash,
                    "transactionIndex": hex(index),
                    "blockHash": self.hash,
                    "blockNumber": hex(self.number),
                    "effectiveGasPrice": hex(GAS_PRICE_WEI),
                    "from": transaction.sender,
                    "to": transaction.to,
                    "contractAddress": None,
                }
            )
        return shown

    def logs_json(self, addresses: frozenset[str] | None, topics: Sequence[frozenset[str] | None] = ()) -> list[bytes]:
        """The logs that match a filter; None matches everything."""
        if addresses is not None and self.addresses.isdisjoint(addresses):
            return []
        return [found.json for found in self.logs if _matches(found.log, addresses, topics)]


def _matches(log: Log, addresses: frozenset[str] | None, topics: Sequence[frozenset[str] | None]) -> bool:
    if addresses is not None and log.address not in addresses:
        return False
    if len(topics) > len(log.topics):
        return False
    return all(wanted is None or topic in wanted for wanted, topic in zip(topics, log.topics, strict=False))


def _receipt_rlp(transaction: Transaction, gas_used: int, bits: int) -> bytes:
    logs: Iterable[bytes] = (log.rlp() for log in transaction.logs)
    parts = (rlp_int(transaction.status), rlp_int(gas_used), rlp_bytes(bits.to_bytes(256)), rlp_list(logs))
    return b"\x02" + rlp_list(parts)
