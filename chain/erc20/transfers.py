"""What a log of a plain ERC-20 says: one row of `erc20_transfers`, and what it does to balances."""

from collections.abc import Iterable, Mapping
from typing import Any, Final, NamedTuple

from chain.base.hashing import keccak_text

TRANSFER: Final = "0x" + keccak_text("Transfer(address,address,uint256)").hex()
ZERO_ADDRESS: Final = "0x" + "00" * 20
# A topic is a word: 0x and 64 digits; an address is its last 40.
WORD_CHARS: Final = 66
ADDRESS_AT: Final = 26


class Transfer(NamedTuple):
    """One row. Hex in lower case with 0x; the amount, in base units, as decimal text."""

    block_number: int
    block_hash: str
    tx_hash: str
    log_index: int
    sender: str
    recipient: str
    amount: str


def is_transfer(log: Mapping[str, Any]) -> bool:
    """Whether this is ERC-20's Transfer: both addresses indexed, one word of data.

    An ERC-721 Transfer has the same first topic, a fourth one and no data; a Transfer whose addresses are not indexed
    is not the standard's event. Neither moves points of a plain ERC-20.
    """
    topics = log["topics"]
    return len(topics) == 3 and topics[0].lower() == TRANSFER and len(log["data"]) == WORD_CHARS


def transfer(log: Mapping[str, Any], block_number: int, block_hash: str, log_index: int) -> Transfer:
    """The row of a log for which `is_transfer` holds. Raises ValueError or TypeError for what is no hex."""
    _, sender, recipient = log["topics"]
    tx_hash = log["transactionHash"]
    if not len(sender) == len(recipient) == len(tx_hash) == WORD_CHARS:
        raise ValueError("a topic or a hash is not 32 bytes")
    # `_make` would be the plain way; this is the same without a call in between, for each of millions.
    return tuple.__new__(
        Transfer,
        (
            block_number,
            block_hash,
            tx_hash.lower(),
            log_index,
            "0x" + sender[ADDRESS_AT:].lower(),
            "0x" + recipient[ADDRESS_AT:].lower(),
            str(int(log["data"], 16)),
        ),
    )


def deltas(rows: Iterable[Transfer], *, sign: int = 1) -> dict[str, int]:
    """What these rows change, by address, in base units; without the zero address, which holds nothing.

    sign -1: what taking them back changes. A token that moves balances without a Transfer (rebasing, a fee taken in
    silence) ends in balances that are not its own, below zero even: they are the sums of its events, no more.
    """
    changes: dict[str, int] = {}
    for *_, sender, recipient, text in rows:
        amount = sign * int(text)
        changes[sender] = changes.get(sender, 0) - amount
        changes[recipient] = changes.get(recipient, 0) + amount
    changes.pop(ZERO_ADDRESS, None)
    return changes
