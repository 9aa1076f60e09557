"""Whether a node shows the chain that a database follows."""

from chain.base.errors import ChainReplaced
from chain.erc20.store import Checkpoint
from chain.node.identity import CHAIN_ID, Identity


def check_chain(held: Checkpoint, found: Identity, undo_blocks: int) -> None:
    """Raises ChainReplaced when the tables are of another chain than the node's.

    The anchor, the block below the first one, counts once it lies deeper than a reorg may be: until then another block
    there may be a reorg of its own.
    """
    if held.chain_id is not None and held.chain_id != str(found.chain_id):
        raise ChainReplaced(held.chain_id, str(found.chain_id), CHAIN_ID)
    if held.genesis_hash != found.genesis_hash:
        raise ChainReplaced(held.genesis_hash, found.genesis_hash)
    anchor = held.from_block - 1
    if held.anchor_hash is None or found.anchor_hash is None or held.block_number - anchor <= undo_blocks:
        return
    if held.anchor_hash != found.anchor_hash:
        raise ChainReplaced(held.anchor_hash, found.anchor_hash, f"block {anchor}")
