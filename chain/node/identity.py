"""Which chain a node shows: its chain id, its genesis and, where one is named, a block that marks it as well.

Two chains may share a genesis (a fork that goes on under another id) or an id (two networks of one developer), so one
of these alone proves nothing. They are asked for in one batch together with the head that is believed: of several
nodes behind one address, it is that node which answers for itself.
"""

from dataclasses import dataclass
from typing import Final

from chain.base.errors import AnswerInconsistent
from chain.node import blocks
from chain.node.blocks import BlockHeader
from chain.node.rpc import Rpc

CHAIN_ID: Final = "chain id"


@dataclass(frozen=True, slots=True)
class Identity:
    """`anchor_hash`: the hash of the block that was named; None where none was, or the chain is not as long yet."""

    chain_id: int
    genesis_hash: str
    anchor_hash: str | None


def ask(rpc: Rpc, head: BlockHeader, anchor: int | None = None) -> Identity:
    """The identity of the chain that has this head. Raises AnswerInconsistent when the head changed meanwhile."""
    numbers = [0, head.number]
    if anchor is not None and 0 <= anchor <= head.number:
        numbers.append(anchor)
    chain_id, *raws = rpc.batch(
        [("eth_chainId", []), *(("eth_getBlockByNumber", [hex(number), False]) for number in numbers)]
    )
    with blocks.believable("the chain id or a block"):
        number = int(chain_id, 16)
        found = [blocks.header(raw) for raw in raws]
    if number < 0:
        raise AnswerInconsistent("The node's chain id is below zero.")
    for wanted, block in zip(numbers, found, strict=True):
        if block is None or block.number != wanted:
            raise AnswerInconsistent(f"The node does not have block {wanted} any more.")
    hashes = [block.hash for block in found if block is not None]
    if hashes[1] != head.hash:
        raise AnswerInconsistent(f"Block {head.number} changed while the node was asked which chain it has.")
    return Identity(number, hashes[0], hashes[2] if len(hashes) > 2 else None)
