"""When a nonce counts as a stranger's: only long enough after it was seen as spent, and once the mirror is that far."""

from types import SimpleNamespace
from typing import Any, cast

import pytest

from chain.outbox.transactions import Transaction
from chain.relayer.receipts import THIRD_PARTY_AFTER_S, Receipts

SEEN_AT, SEEN_AT_BLOCK = 100.0, 9


@pytest.mark.parametrize(
    ("waited_s", "mirrored", "is_strangers"),
    [
        (THIRD_PARTY_AFTER_S + 0.001, SEEN_AT_BLOCK, True),
        (THIRD_PARTY_AFTER_S + 0.001, SEEN_AT_BLOCK + 5, True),
        (THIRD_PARTY_AFTER_S, SEEN_AT_BLOCK, False),
        (THIRD_PARTY_AFTER_S + 3_600.0, SEEN_AT_BLOCK - 1, False),
        (0.0, SEEN_AT_BLOCK + 5, False),
    ],
)
def test_a_nonce_is_a_strangers_only_when_the_mirror_has_read_the_block_in_which_it_was_spent(
    waited_s: float, mirrored: int, is_strangers: bool
) -> None:
    """SPEC 7.11"""
    transaction = Transaction(1, "0x51", 3, "batch", "0x52", 1, 1, "sent")
    receipts: Any = SimpleNamespace(
        _node_state=SimpleNamespace(passed={1: (SEEN_AT, SEEN_AT_BLOCK)}),
        _mirrored=SimpleNamespace(block_number=mirrored),
    )

    assert Receipts._is_strangers(cast(Receipts, receipts), transaction, SEEN_AT + waited_s) is is_strangers
