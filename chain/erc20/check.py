"""Whether the balances of a mirror are what the token says at the mirror's own block: all of them, or some by lot.

A mirror's balances are the sums of Transfer events. They are what accounts hold only where the token moves nothing
without an event and the mirror began before the token did.
"""

import random
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import Final

from chain.base.errors import AnswerInconsistent
from chain.erc20.identity import check_chain
from chain.erc20.store import Checkpoint, Store
from chain.erc20.token import Token
from chain.erc20.transfers import ZERO_ADDRESS
from chain.node import blocks, identity
from chain.node.rpc import Rpc

CHUNK: Final = 200
SAMPLE_MAX: Final = 100_000
# Places that are looked at for each address asked for: some lead to one that was chosen already.
DRAWS: Final = 4
# Differences that are kept to be shown; all are counted.
SHOWN_MAX: Final = 20


@dataclass(frozen=True, slots=True)
class Difference:
    """One address. Base units; `token_says`: None where the contract did not answer."""

    address: str
    mirrored: int
    token_says: int | None


@dataclass(slots=True)
class Findings:
    """What was compared at which block, and what differs. `supply`: (sum of the balances, totalSupply), when all were
    compared and the token tells one."""

    block_number: int
    block_hash: str
    compared: int = 0
    differ: int = 0
    below_zero: int = 0
    differences: list[Difference] = field(default_factory=list)
    supply: tuple[int, int] | None = None

    @property
    def agrees(self) -> bool:
        """Whether nothing differs."""
        return not self.differ and not self.below_zero and (self.supply is None or self.supply[0] == self.supply[1])


def check_balances(store: Store, rpc: Rpc, held: Checkpoint, *, sample: int | None, seed: int) -> Findings:
    """Compares every address that ever gave or took (`sample` None), or about so many chosen by `seed`.

    Raises ChainReplaced when the node has another chain; AnswerInconsistent when it does not have the mirror's block;
    RpcError when it keeps no state of it.
    """
    _same_block(rpc, held)
    found = Findings(held.block_number, held.block_hash)
    token = Token(rpc, held.token)
    chosen = store.parties() if sample is None else sampled(store, held, sample, seed)
    total = 0
    addresses = (address for address in chosen if address != ZERO_ADDRESS)
    while chunk := list(islice(addresses, CHUNK)):
        for address, said in zip(chunk, token.balances(chunk, held.block_number), strict=True):
            mirrored = store.balance(address)
            total += mirrored
            _compare(found, Difference(address, mirrored, said))
    if sample is None:
        supply = token.total_supply(held.block_number)
        found.supply = None if supply is None else (total, supply)
    # Asked for again afterwards: all the while the node had this block.
    _same_block(rpc, held)
    return found


def _compare(found: Findings, one: Difference) -> None:
    found.compared += 1
    found.below_zero += one.mirrored < 0
    if one.mirrored != one.token_says:
        found.differ += 1
        if len(found.differences) < SHOWN_MAX:
            found.differences.append(one)


def _same_block(rpc: Rpc, held: Checkpoint) -> None:
    head = blocks.latest(rpc)
    check_chain(held, identity.ask(rpc, head, held.from_block - 1), undo_blocks=0)
    if held.block_number < 0:
        raise AnswerInconsistent("The mirror holds no block yet.")
    if head.number < held.block_number:
        raise AnswerInconsistent(f"The node is only at block {head.number}, the mirror at {held.block_number}.")
    if blocks.present_headers(rpc, [held.block_number])[0].hash != held.block_hash:
        raise AnswerInconsistent(f"The node has another block {held.block_number} than the mirror.")


def sampled(store: Store, held: Checkpoint, count: int, seed: int) -> Iterator[str]:
    """By turns a holder and both sides of a transfer, each next to a random place; each address once."""
    dice = random.Random(seed)  # noqa: S311 - nobody gains by knowing the sample
    seen = {ZERO_ADDRESS}
    for _ in range(DRAWS * min(count, SAMPLE_MAX)):
        if len(seen) > count:
            return
        near = store.holder_near(f"0x{dice.getrandbits(160):040x}") or store.holder_near(ZERO_ADDRESS)
        block = dice.randint(max(0, held.from_block), max(held.from_block, held.block_number))
        candidates: Iterable[str] = (*((near,) if near else ()), *store.parties_near(block))
        for address in candidates:
            if address not in seen and len(seen) <= count:
                seen.add(address)
                yield address
