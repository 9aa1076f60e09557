"""What an audit keeps of many differences, and when it agrees."""

from chain.audit.report import DIFFERENCES_KEPT_MAX, Report
from chain.base.difference import MIRROR, Difference, Where


def difference(number: int) -> Difference:
    return Difference(
        kind=MIRROR, where=Where(block=number), what="balance", said=str(number), right="0", rule="12.5", look="there"
    )


def test_a_thousand_differences_are_kept_and_all_are_counted() -> None:
    """SPEC 12.9"""
    report = Report(pin="0x00")
    for number in range(1_500):
        report.differs(difference(number))

    assert (DIFFERENCES_KEPT_MAX, report.found) == (1_000, 1_500)
    assert [one.where.block for one in report.differences] == list(range(1_000))


def test_a_difference_tells_both_values_the_rule_and_where_to_look() -> None:
    """SPEC 12.9"""
    told = str(difference(7))

    for part in ("block 7", "balance", "is 7", "right is 0", "12.5", "there"):
        assert part in told


def test_what_was_not_finished_does_not_agree() -> None:
    """SPEC 12.10"""
    report = Report(pin="0x00")
    assert not report.agrees
    report.finished = True
    assert report.agrees
    report.differs(difference(1))
    assert not report.agrees
