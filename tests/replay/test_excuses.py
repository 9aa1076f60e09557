"""What is not told twice is exactly what follows from a lie that was told: nothing beside it is excused."""

from typing import Any

import pytest

from chain.contracts.codec import Codec, EventLog
from chain.replay.awards import Awards
from chain.replay.compare import Mismatch, grace_was_spent
from chain.replay.decoding.shapes import Event
from chain.replay.findings import Findings
from tests.replay.told import TOKEN, Told, address

ADA, BOB, NOBODY = address(90), address(91), address(0)
AT = 1_893_456_900


def log(name: str, index: int = 0, **values: Any) -> EventLog:
    return EventLog(1, "0x", "0x", 0, index, TOKEN, "LoyaltyToken", name, values)


# --- a refund of which nothing certain was told


def differs(what: str, said: Any, right: Any, name: str = "HoldRefunded") -> Mismatch:
    return Mismatch(Event(log(name), "RedemptionDesk", name, {}), None, what, str(said), str(right), "3.10")


FEWER = differs("renewed of a refund", 3, 10)
LAPSED = differs("lapsed of a refund", 7, 0)
MINT = differs("value of a transfer", 3, 10, "Transfer")
LOTS = differs("lots of an account", ["3"], ["10"], "LotsChanged")


@pytest.mark.parametrize("wrong", [[FEWER, LAPSED], [FEWER, LAPSED, MINT], [FEWER, LAPSED, MINT, LOTS]])
def test_points_whose_grace_was_spent_by_a_lie_are_not_told_again(wrong: list[Mismatch]) -> None:
    """SPEC 12.18"""
    assert grace_was_spent(wrong)


@pytest.mark.parametrize(
    "wrong",
    [
        [differs("renewed of a refund", 11, 10), differs("lapsed of a refund", 0, 1)],
        [differs("renewed of a refund", 10, 10), LAPSED],
        [FEWER],
        [FEWER, differs("lapsed of a refund", 6, 0)],
        [FEWER, differs("lapsed of a refund", 8, 0)],
        [FEWER, LAPSED, differs("refunded total of a refund", 9, 8)],
        [differs("refunded total of a refund", 9, 8), FEWER, LAPSED],
        [FEWER, LAPSED, differs("debt of a debt", 1, 0, "DebtChanged")],
        [MINT, LOTS],
    ],
    ids=[
        "more",
        "as many",
        "none lapsed",
        "some vanish",
        "some appear",
        "a total",
        "a total first",
        "a debt",
        "no word",
    ],
)
def test_a_refund_that_says_anything_else_is_told(wrong: list[Mismatch]) -> None:
    """SPEC 12.18, 3.10: renewing more than the grace allows is a lie whatever was in doubt"""
    assert not grace_was_spent(wrong)


# --- a payment of a debtor whose debt is in doubt


def payment(index: int, payer: str = ADA) -> list[EventLog]:
    word = str(18 << 240 | 5)
    return [
        log("Transfer", index, **{"from": payer, "to": NOBODY, "value": "4"}),
        log("DebtChanged", index + 1, member=payer, debt="6"),
        log("LotsChanged", index + 2, account=payer, words=[word]),
    ]


def strays(*left: EventLog, doubtful: bool = True) -> list[str]:
    """What is told of these movements of one call."""
    books, findings = Told().books, Findings()
    if doubtful:
        findings.doubts.add(("debt", "LoyaltyToken 1", ADA))
    awards = Awards(books, findings, Codec.load())
    for each in left:
        awards._strays([each], books.token(1), AT)
    return [each.what for each in findings.kept]


def test_one_payment_that_follows_from_a_lie_about_a_debt_is_not_told_again() -> None:
    """SPEC 12.18, 1.25"""
    assert strays(*payment(0)) == []


def test_no_second_payment_and_nothing_else_is_excused() -> None:
    """SPEC 12.18, 1.11, 1.25"""
    assert strays(*payment(0), *payment(3)) == [
        "event Transfer without a cause", "event DebtChanged without a cause", "event LotsChanged without a cause",
    ]  # fmt: skip
    assert strays(log("Transfer", **{"from": ADA, "to": BOB, "value": "4"})) == ["event Transfer without a cause"]
    assert strays(*payment(0, BOB)) == [
        "event Transfer without a cause", "event DebtChanged without a cause", "event LotsChanged without a cause",
    ]  # fmt: skip
    assert len(strays(*payment(0), doubtful=False)) == 3
