"""How much of a refund's renewed points the capture had burnt: the fold tells it from sums, here point by point."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from chain.audit.expected import Rows
from chain.contracts import lots as packed_lots
from chain.contracts.codec import EventLog
from chain.mirror.rows.lot_ends import MemoryLotEnds
from chain.mirror.rows.projection import ZERO, Context, Projector

TOKEN, DESK, MEMBER = ("0x" + two * 20 for two in ("aa", "dd", "ee"))
HOLD = "0x" + "11" * 32


@given(
    lots=st.lists(st.integers(1, 6), min_size=1, max_size=5),
    captured_at=st.integers(0, 6),
    taken=st.integers(1, 30),
    refunds=st.lists(st.tuples(st.integers(1, 8), st.integers(0, 3)), max_size=6),
)
def test_of_each_refund_the_renewed_points_that_the_capture_burnt_are_told(
    lots: list[int], captured_at: int, taken: int, refunds: list[tuple[int, int]]
) -> None:
    """SPEC 15.4; 3.6, 3.8, 3.10, 3.14. The lot at place i ends with epoch i + 1; grace gives new life."""
    # Every point of the hold by the epoch in which it ends, the oldest first.
    points = [place + 1 for place, count in enumerate(lots) for _ in range(count)]
    captured = points[: min(taken, len(points))]
    burnt = [end for end in captured if end > captured_at]
    fold = _fold()
    held = packed_lots.unpack(packed_lots.packed(dict(enumerate(lots, 1))))
    fold.block(_logs(1, _placed(len(points), lots=held)), 1)
    moved = [_transfer(DESK, ZERO, len(burnt))] if burnt else []
    fold.block(_logs(2, *moved, _captured(len(captured), len(points) - len(captured))), 2)

    left, epoch, refunded = list(captured), captured_at, 0
    for number, (wanted, later) in enumerate(refunds, start=3):
        epoch += later
        given_back = left[len(left) - min(wanted, len(left)) :]
        if not given_back:
            return
        left = left[: len(left) - len(given_back)]
        renewed = [end for end in given_back if end <= epoch]
        refunded += len(given_back)
        fold.entries = []
        event = _refunded(len(given_back), refunded, len(given_back) - len(renewed), len(renewed))
        fold.block(_logs(number, _transfer(ZERO, MEMBER, len(given_back)), event), number)

        (entry,) = fold.entries
        assert entry["detail"]["renewed_of_burnt"] == str(sum(end > captured_at for end in renewed))
        kept = packed_lots.lots_of((fold.ledger.get("hold", HOLD) or {})["lots"])
        assert [end for end, count in kept.items() for _ in range(count)] == left


def test_a_capture_of_what_has_expired_takes_no_other_captures_burn_for_its_own() -> None:
    """SPEC 15.4: two captures of one transaction, the first of which burnt nothing."""
    fold = _fold()
    other = "0x" + "22" * 32
    fold.block(_logs(1, _placed(5), _placed(7, other)), 1)
    fold.block(_logs(2, _captured(5, 0), _transfer(DESK, ZERO, 7), _captured(7, 0, other)), 2)

    burnt = [(fold.ledger.get("hold", hold_id) or {})["burnt"] for hold_id in (HOLD, other)]
    assert burnt == ["0", "7"]


def _fold() -> Projector:
    """Of a token whose clock stands: what has ended is told by the events alone."""
    fold = Projector(Rows(), Context(DESK, {"1": TOKEN}, {}), MemoryLotEnds())
    token = {"token": TOKEN, "origin": 0, "epoch_s": 1, "lifetime_epochs": 0, "grace_s": 0}
    fold.ledger.put("brand_token", token)
    return fold


def _logs(number: int, *told: tuple[str, str, dict[str, Any]]) -> list[EventLog]:
    return [
        EventLog(
            block_number=number, block_hash=f"0x{number:064x}", tx_hash=f"0x{number:064x}", tx_index=0, log_index=index,
            address=TOKEN if contract == "LoyaltyToken" else DESK, contract=contract, name=name, args=args,
        )
        for index, (contract, name, args) in enumerate(told)
    ]  # fmt: skip


def _transfer(giver: str, taker: str, points: int) -> tuple[str, str, dict[str, Any]]:
    return "LoyaltyToken", "Transfer", {"from": giver, "to": taker, "value": str(points)}


def _placed(points: int, hold_id: str = HOLD, *, lots: Sequence[int] = (0, 0, 0, 0)) -> tuple[str, str, dict[str, Any]]:
    args = {
        "holdId": hold_id, "brandId": "1", "member": MEMBER, "points": str(points), "rewardId": "0x", "holdUntil": "9",
        "nonce": "1", "lots": [str(word) for word in lots],
    }  # fmt: skip
    return "RedemptionDesk", "HoldPlaced", args


def _captured(points: int, returned: int, hold_id: str = HOLD) -> tuple[str, str, dict[str, Any]]:
    args = {"holdId": hold_id, "brandId": "1", "member": MEMBER, "captured": str(points)}
    return "RedemptionDesk", "HoldCaptured", args | {"returned": str(returned), "renewed": "0", "lapsed": "0"}


def _refunded(points: int, total: int, returned: int, renewed: int) -> tuple[str, str, dict[str, Any]]:
    args = {"holdId": HOLD, "brandId": "1", "member": MEMBER, "points": str(points), "refundedTotal": str(total)}
    return "RedemptionDesk", "HoldRefunded", args | {"returned": str(returned), "renewed": str(renewed), "lapsed": "0"}
