"""One hash over everything a mirror holds, whatever the order in which it arrived and the database it lies in."""

import hashlib
from typing import Final

from chain.erc20.store import Store

ORDERS: Final = {"erc20_transfers": ("block_number", "log_index"), "erc20_balances": ("address",)}


def digest(store: Store) -> str:
    """SHA-256, in hex, over the block, the token, every transfer and every balance. Reads in chunks."""
    hash = hashlib.sha256()
    held = store.checkpoint()
    if held is not None:
        facts = (held.genesis_hash, held.token, held.from_block, held.block_number, held.block_hash)
        hash.update(_line("mirror_checkpoint", facts))
    for table, order in ORDERS.items():
        for row in store.each(table, order):
            hash.update(_line(table, row))
    return hash.hexdigest()


def _line(table: str, values: tuple[object, ...]) -> bytes:
    return ("\t".join((table, *map(str, values))) + "\n").encode()
