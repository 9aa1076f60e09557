"""An entry looked up at the node now: is the transaction there, in that block, with that event of that contract? Or,
where time alone made it: did these points lie in a lot whose end that block was the first to reach?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from api.kit.addresses import checksum
from api.kit.container import State
from api.views import history
from api.views.errors import EntryUnknown
from api.views.schemas import Check, EntryPlace, EntryProof
from chain.base.scalars import Address
from chain.contracts import lots
from chain.mirror.queries.entries import Entry


def prove(state: State, *, addresses: Sequence[Address], entry_id: int) -> EntryProof:
    """Compares the mirror's entry with what the node itself says; needs the node, not the mirror's word."""
    entry = state.database.reads(lambda read: history.one(read, accounts=addresses, seq=entry_id))
    if entry is None:
        raise EntryUnknown("There is no such entry of yours.", entry=str(entry_id))
    if entry.tx_hash is None:
        checks, head = _of_time(state, entry)
    else:
        receipt, block, head = state.node.rpc.batch(
            [
                ("eth_getTransactionReceipt", [entry.tx_hash]),
                ("eth_getBlockByNumber", [hex(entry.block_number), False]),
                ("eth_blockNumber", []),
            ]
        )
        checks = _checks(receipt, block, entry)
    return EntryProof(
        verified=all(check.ok for check in checks),
        checks=checks,
        receipt=EntryPlace(
            tx_hash=entry.tx_hash,
            block_number=entry.block_number,
            block_hash=entry.block_hash,
            log_index=entry.event_index,
            contract=checksum(entry.contract),
        ),
        confirmations=max(0, int(head, 16) - entry.block_number + 1),
    )


def _of_time(state: State, entry: Entry) -> tuple[list[Check], str]:
    """What must hold of an entry that no event made, and the node's head: the lot's end lies between two blocks, and in
    the first of them these points were in it."""
    block_number, token, detail = entry.block_number, entry.contract, entry.detail
    codec, asked = state.deployment.codec, checksum(entry.account)
    calldata = "0x" + codec.calldata("LoyaltyToken", "packedLotsOf", asked).hex()
    before, block, words, head = state.node.rpc.try_batch(
        [
            ("eth_getBlockByNumber", [hex(block_number - 1), False]),
            ("eth_getBlockByNumber", [hex(block_number), False]),
            ("eth_call", [{"to": token, "data": calldata}, hex(block_number - 1)]),
            ("eth_blockNumber", []),
        ]
    )
    for answer in (before, block, head):
        if isinstance(answer, Exception):
            raise answer
    ends, undone = int(detail["expires_at"]), not entry.points.startswith("-")
    passed = False
    if before is not None and block is not None:
        lived, lives = (int(found["timestamp"], 16) < ends for found in (before, block))
        passed = lives and not lived if undone else lived and not lives
    # A node that forgets old states cannot say it; then it is not verified here, and not refuted.
    had = None if isinstance(words, Exception) else codec.result("LoyaltyToken", "packedLotsOf", words)
    held = had is not None and lots.points_of(lots.pack([int(word) for word in had]), int(detail["expiry_epoch"]))
    return [
        Check(
            name="chain",
            ok=block is not None and block["hash"] == entry.block_hash,
            detail="The node's chain has this block at this height.",
        ),
        Check(
            name="end",
            ok=passed,
            detail="The points' end lies after the block before and not after this one, or the other way round.",
        ),
        Check(
            name="lot",
            ok=held == abs(int(entry.points)),
            detail="These points were in the account in the block before.",
        ),
    ], head


def _checks(receipt: dict[str, Any] | None, block: dict[str, Any] | None, entry: Entry) -> list[Check]:
    """Each thing that must hold, by name."""
    if receipt is None:
        return [Check(name="transaction", ok=False, detail="The node knows no receipt of it.")]
    emitters = {int(found["logIndex"], 16): found["address"].lower() for found in receipt["logs"]}
    return [
        Check(name="transaction", ok=int(receipt["status"], 16) == 1, detail="The transaction succeeded."),
        Check(
            name="block",
            ok=receipt["blockHash"] == entry.block_hash and int(receipt["blockNumber"], 16) == entry.block_number,
            detail="The receipt names the block that the entry names.",
        ),
        Check(
            name="chain",
            ok=block is not None and block["hash"] == entry.block_hash,
            detail="The node's chain has this block at this height.",
        ),
        Check(name="log", ok=entry.log_index in emitters, detail="The event is among the transaction's."),
        Check(
            name="contract",
            ok=emitters.get(entry.log_index) == entry.contract.lower(),
            detail="The event was emitted by the contract that the entry names.",
        ),
    ]
