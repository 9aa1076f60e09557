"""The books: for each brand, supply on the chain, sum of balances on the chain and sum in the mirror, at one block.

Every account that ever had an entry is asked for its balance; held points lie in the desk's own account and count.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Engine

from chain.base.errors import AnswerInconsistent, ResultTooWide
from chain.contracts import lots
from chain.contracts.codec import address_word
from chain.contracts.deployment import Deployment
from chain.mirror.brands import BRANDS_MAX
from chain.mirror.queries.balances import Holder, holders
from chain.mirror.queries.brands import BrandToken, all_tokens
from chain.mirror.queries.checkpoint import checkpoint
from chain.node.rpc import Rpc
from chain.storage.database import reading
from chain.storage.looks import looking

DIFFERENCES_SHOWN_MAX: Final = 20
RANGE_BLOCKS: Final = 500
ATTEMPTS_MAX: Final = 3
# So many balances are asked for at once; between two such requests whoever else needs the node gets a turn.
CALLS_AT_ONCE: Final = 100
BALANCE_OF: Final = bytes.fromhex("70a08231")
TOTAL_SUPPLY: Final = bytes.fromhex("18160ddd")


@dataclass(frozen=True)
class Difference:
    """An account whose balance in the mirror is not the chain's."""

    account: str
    on_chain: int
    in_mirror: int


@dataclass(frozen=True)
class BrandBooks:
    """One brand's sums in base units; `brand` is the registry's id. `held` is the part that lies in the desk.

    drift 0: all agree.
    """

    brand: int
    token: str
    supply_on_chain: int
    sum_on_chain: int
    sum_in_mirror: int
    held: int
    accounts: int
    differences: tuple[Difference, ...]

    @property
    def drift(self) -> int:
        """How far the three sums and the single balances lie apart, in base units."""
        single = sum(abs(one.on_chain - one.in_mirror) for one in self.differences)
        sums = abs(self.supply_on_chain - self.sum_on_chain) + abs(self.sum_on_chain - self.sum_in_mirror)
        return max(single, sums)


@dataclass(frozen=True)
class Books:
    """All brands at one block."""

    block_number: int
    block_hash: str
    block_time: int
    brands: tuple[BrandBooks, ...]

    @property
    def balanced(self) -> bool:
        """Whether nothing drifts."""
        return all(brand.drift == 0 for brand in self.brands)


def books(
    rpc: Rpc, engine: Engine, deployment: Deployment, *, between: Callable[[float], None] = lambda _took_s: None
) -> Books:
    """Reads the mirror at its checkpoint and the chain at that very block.

    between: called after each request for balances with the seconds that it took; may wait, and may raise.
    Raises AnswerInconsistent when the node no longer has the block (a reorg under our hands) after a few attempts.
    """
    for attempt in range(ATTEMPTS_MAX):
        try:
            return _books(rpc, engine, deployment, between)
        except AnswerInconsistent:
            if attempt == ATTEMPTS_MAX - 1:
                raise
    raise AssertionError("unreachable: the last attempt returns or raises")


def _books(rpc: Rpc, engine: Engine, deployment: Deployment, between: Callable[[float], None]) -> Books:
    with reading(engine) as connection:
        look = looking(connection)
        point = checkpoint(look)
        if point is None:
            raise AnswerInconsistent("The mirror has not begun yet.")
        tokens = all_tokens(look, limit=BRANDS_MAX)
        rows = {token.token: holders(look, token=token.token) for token in tokens}
    block = hex(point.block_number)
    brands = tuple(
        _brand(rpc, deployment, token, rows[token.token], block, point.block_time, between) for token in tokens
    )
    again = rpc.call("eth_getBlockByNumber", block, False)
    if again is None or again["hash"] != point.block_hash:
        raise AnswerInconsistent(f"Block {point.block_number} changed while the books were read.")
    return Books(point.block_number, point.block_hash, point.block_time, brands)


def _brand(
    rpc: Rpc,
    deployment: Deployment,
    token: BrandToken,
    rows: Sequence[Holder],
    block: str,
    block_time: int,
    between: Callable[[float], None],
) -> BrandBooks:
    asked = [TOTAL_SUPPLY, *(BALANCE_OF + address_word(row.account) for row in rows)]
    answers: list[Any] = []
    for start in range(0, len(asked), CALLS_AT_ONCE):
        calls = asked[start : start + CALLS_AT_ONCE]
        began = time.monotonic()
        answers += rpc.batch([("eth_call", [{"to": token.token, "data": "0x" + data.hex()}, block]) for data in calls])
        between(time.monotonic() - began)
    supply, *on_chain = (int(answer, 16) for answer in answers)
    clock = token.clock
    in_mirror = [lots.spendable(row.lots, clock, block_time) for row in rows]
    desk = deployment.address("RedemptionDesk")
    different = [
        Difference(row.account, chain, mirror)
        for row, chain, mirror in zip(rows, on_chain, in_mirror, strict=True)
        if chain != mirror
    ]
    return BrandBooks(
        brand=int(token.brand_id),
        token=token.token,
        supply_on_chain=supply,
        sum_on_chain=sum(on_chain),
        sum_in_mirror=sum(in_mirror),
        held=sum(points for row, points in zip(rows, in_mirror, strict=True) if row.account == desk),
        accounts=len(rows),
        differences=tuple(different[:DIFFERENCES_SHOWN_MAX]),
    )


def awards_on_chain(rpc: Rpc, deployment: Deployment, brand: int) -> int:
    """How many operations of the brand counted, from the chain itself: its Awarded events."""
    topic = next(shape.topic for shape in deployment.codec.events.values() if shape.name == "Awarded")
    head = int(rpc.call("eth_blockNumber"), 16)
    wanted = {"address": deployment.address("RewardRules"), "topics": [topic, f"0x{brand:064x}"]}
    return sum(len(logs) for logs in _logs(rpc, wanted, deployment.start_block, head))


def _logs(rpc: Rpc, wanted: dict[str, Any], first: int, last: int) -> Iterator[list[Any]]:
    """Ranges that narrow when the node finds them too wide."""
    width = RANGE_BLOCKS
    while first <= last:
        until = min(last, first + width - 1)
        try:
            yield rpc.call("eth_getLogs", {**wanted, "fromBlock": hex(first), "toBlock": hex(until)})
        except ResultTooWide:
            if width == 1:
                raise
            width //= 2
            continue
        first = until + 1
