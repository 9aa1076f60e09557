"""An entry looked up at the node now: is the transaction there, in that block, with that event of that contract?"""

from __future__ import annotations

from typing import Any

from api.events.schemas import Receipt
from api.kit.addresses import checksum
from api.kit.container import State
from api.views import history
from api.views.errors import EntryUnknown
from api.views.schemas import Check, EntryProof


def prove(state: State, *, address: str, entry_id: int) -> EntryProof:
    """Compares the mirror's entry with the node's own receipt and block; needs the node, not the mirror's word."""
    row = state.database.reads(lambda read: history.one(read, address=address, seq=entry_id))
    if row is None:
        raise EntryUnknown("There is no such entry of yours.", entry=str(entry_id))
    tx_hash, block_number, block_hash, log_index, contract = row[5], row[6], row[7], row[9], row[10]
    receipt, block, head = state.node.rpc.batch(
        [
            ("eth_getTransactionReceipt", [tx_hash]),
            ("eth_getBlockByNumber", [hex(block_number), False]),
            ("eth_blockNumber", []),
        ]
    )
    checks = _checks(
        receipt, block, block_number=block_number, block_hash=block_hash, log_index=log_index, contract=contract
    )
    return EntryProof(
        verified=all(check.ok for check in checks),
        checks=checks,
        receipt=Receipt(
            tx_hash=tx_hash,
            block_number=block_number,
            block_hash=block_hash,
            log_index=log_index,
            contract=checksum(contract),
        ),
        confirmations=max(0, int(head, 16) - block_number + 1),
    )


def _checks(
    receipt: dict[str, Any] | None,
    block: dict[str, Any] | None,
    *,
    block_number: int,
    block_hash: str,
    log_index: int,
    contract: str,
) -> list[Check]:
    """Each thing that must hold, by name."""
    if receipt is None:
        return [Check(name="transaction", ok=False, detail="The node knows no receipt of it.")]
    emitters = {int(found["logIndex"], 16): found["address"].lower() for found in receipt["logs"]}
    return [
        Check(name="transaction", ok=int(receipt["status"], 16) == 1, detail="The transaction succeeded."),
        Check(
            name="block",
            ok=receipt["blockHash"] == block_hash and int(receipt["blockNumber"], 16) == block_number,
            detail="The receipt names the block that the entry names.",
        ),
        Check(
            name="chain",
            ok=block is not None and block["hash"] == block_hash,
            detail="The node's chain has this block at this height.",
        ),
        Check(name="log", ok=log_index in emitters, detail="The event is among the transaction's."),
        Check(
            name="contract",
            ok=emitters.get(log_index) == contract.lower(),
            detail="The event was emitted by the contract that the entry names.",
        ),
    ]
