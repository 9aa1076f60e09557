"""A chain held in memory whose truth is known: it grows, forks and shrinks exactly as it is told."""

import random
import threading
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from tests.support.scripted_node.blocks import GAS_PRICE_WEI, ZERO_HASH, Block, Log, Transaction
from tests.support.scripted_node.hashing import keccak, rlp_bytes, rlp_int, rlp_list

GENESIS_TIME: Final = 1_700_000_000
BLOCK_SECONDS: Final = 2

# What a block is made of: logs (each gets a transaction, see `per_transaction`) or whole transactions.
Item = Log | Transaction
Content = Sequence[Item]


@dataclass(frozen=True, slots=True)
class Change:
    """One move of the head: blocks that left the chain, newest first, and blocks that came, oldest first."""

    removed: tuple[Block, ...]
    added: tuple[Block, ...]


class Chain:
    """Blocks from genesis to head. Everything follows from the seed and the orders given."""

    def __init__(self, *, seed: int = 1, chain_id: int = 1337, safe_depth: int = 0, final_depth: int = 0):
        self.seed = seed
        self.chain_id = chain_id
        self.safe_depth = safe_depth
        self.final_depth = final_depth
        self.random = random.Random(seed)
        self.lock = threading.RLock()
        self.blocks: list[Block] = []
        self.by_hash: dict[str, Block] = {}
        # Blocks that were once on the chain, by number, oldest branch first.
        self.orphans: dict[int, list[Block]] = defaultdict(list)
        # Where each transaction of the present chain lies: (block number, place in the block).
        self.places: dict[str, tuple[int, int]] = {}
        self.nonces: Counter[str] = Counter()
        # Every contract that ever said something, on any branch.
        self.speakers: set[str] = set()
        self.listeners: list[Callable[[Change], None]] = []
        self.reorgs: list[int] = []
        self._salt = seed << 32
        self._sender = "0x" + keccak(f"sender {seed}".encode())[12:].hex()
        self._script_nonce = 0
        self._append(Block(0, ZERO_HASH, GENESIS_TIME, (), self._next_salt()))

    @property
    def head(self) -> Block:
        """The newest block."""
        return self.blocks[-1]

    @property
    def genesis_hash(self) -> str:
        """The hash of block 0."""
        return self.blocks[0].hash

    def block(self, number: int) -> Block | None:
        """The block of that number on the present chain."""
        return self.blocks[number] if 0 <= number < len(self.blocks) else None

    # Orders

    def mine(
        self,
        *contents: Content,
        time: int | None = None,
        first_log_index: int = 0,
        per_transaction: int = 1,
    ) -> list[Block]:
        """One block for each argument. `time` is that of the first block, in unix seconds, in order or not."""
        with self.lock:
            return list(self._change(0, contents, time, first_log_index, per_transaction).added)

    def mine_empty(self, blocks: int = 1) -> list[Block]:
        """Blocks in which nothing happens."""
        return self.mine(*([()] * blocks))

    def reorg(self, depth: int, *contents: Content, per_transaction: int = 1) -> Change:
        """Takes `depth` blocks back and mines these instead: others, none, or the same transactions elsewhere.

        With no contents at all the new branch is empty and one block longer, as a node would need to see it.
        """
        with self.lock:
            return self._change(depth, contents or [()] * (depth + 1), None, 0, per_transaction)

    def reorg_moving(self, depth: int, *, blocks: int | None = None) -> Change:
        """Takes `depth` blocks back; their transactions come again, in order, in the last new block."""
        with self.lock:
            moved = [transaction for block in self.blocks[-depth:] for transaction in block.transactions]
            empty: list[Content] = [()] * ((blocks or depth + 1) - 1)
            return self._change(depth, [*empty, moved], None, 0, 1)

    def rewind(self, depth: int) -> Change:
        """The head goes backwards and nothing comes instead, as after evm_revert."""
        with self.lock:
            return self._change(depth, (), None, 0, 1)

    def restore(self, removed: Iterable[Block]) -> Change:
        """Blocks of an earlier branch become the chain again (A, B, then A): `change.removed` of a reorg."""
        with self.lock:
            branch = sorted(removed, key=lambda block: block.number)
            depth = self.head.number - branch[0].number + 1
            gone = self._take_off(depth)
            for block in branch:
                self._append(block)
            return self._tell(Change(tuple(gone), tuple(branch)))

    def _change(
        self,
        depth: int,
        contents: Sequence[Content],
        time: int | None,
        first_log_index: int,
        per_transaction: int,
    ) -> Change:
        removed = self._take_off(depth)
        added = []
        for content in contents:
            transactions = tuple(self._transactions(content, per_transaction))
            at = self.head.timestamp + BLOCK_SECONDS if time is None else time
            block = Block(self.head.number + 1, self.head.hash, at, transactions, self._next_salt(), first_log_index)
            self._append(block)
            added.append(block)
            time = None
        return self._tell(Change(tuple(removed), tuple(added)))

    def _tell(self, change: Change) -> Change:
        if change.removed:
            self.reorgs.append(len(change.removed))
        for listener in self.listeners:
            listener(change)
        return change

    def _append(self, block: Block) -> None:
        self.blocks.append(block)
        self.by_hash[block.hash] = block
        self.speakers |= block.addresses
        for index, transaction in enumerate(block.transactions):
            self.places[transaction.hash] = (block.number, index)
            self.nonces[transaction.sender] += 1

    def _take_off(self, depth: int) -> list[Block]:
        assert 0 <= depth < len(self.blocks), f"only {len(self.blocks) - 1} blocks lie on the genesis block"
        removed = []
        for _ in range(depth):
            block = self.blocks.pop()
            self.orphans[block.number].append(block)
            for transaction in block.transactions:
                self.places.pop(transaction.hash, None)
                self.nonces[transaction.sender] -= 1
            removed.append(block)
        return removed

    # What blocks are made of

    def _transactions(self, content: Content, per_transaction: int) -> Iterable[Transaction]:
        waiting: list[Log] = []
        for item in content:
            if isinstance(item, Transaction):
                yield from self._carry(waiting)
                waiting = []
                yield item
                continue
            waiting.append(item)
            if len(waiting) == per_transaction:
                yield from self._carry(waiting)
                waiting = []
        yield from self._carry(waiting)

    def _carry(self, logs: Sequence[Log]) -> Iterable[Transaction]:
        if logs:
            yield self.transaction(logs)

    def transaction(self, logs: Sequence[Log], *, status: int = 1) -> Transaction:
        """A transaction of nobody's that did this; no two are equal."""
        nonce = self._script_nonce
        self._script_nonce += 1
        to = logs[0].address if logs else self._sender
        signature = keccak(f"{self.seed} {nonce}".encode())
        raw = b"\x02" + rlp_list(
            (
                *map(rlp_int, (self.chain_id, nonce, 1, GAS_PRICE_WEI, 21_000 + 30_000 * len(logs))),
                rlp_bytes(bytes.fromhex(to[2:])),
                rlp_int(0),
                rlp_bytes(b""),
                rlp_list(()),
                rlp_int(nonce & 1),
                rlp_int(int.from_bytes(signature)),
                rlp_int(int.from_bytes(signature[::-1])),
            )
        )
        return Transaction("0x" + keccak(raw).hex(), raw, self._sender, to, nonce, tuple(logs), status)

    def _next_salt(self) -> int:
        self._salt += 1
        return self._salt
