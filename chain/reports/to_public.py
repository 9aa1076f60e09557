"""Reports as JSON values: amounts as strings of base units, shares as exact fractions."""

from fractions import Fraction
from typing import Any

from chain.mirror.history import Moment
from chain.reports.breakage import Cohort
from chain.reports.income import Income, Side
from chain.reports.liability import Liability

LINES = (
    "opening", "awarded", "exchanged_in", "returned", "renewed", "minted_otherwise", "redeemed", "exchanged_out",
    "unwound", "taken_back", "burnt_otherwise", "expired", "closing",
)  # fmt: skip


def liability_to_public(found: Liability) -> dict[str, Any]:
    """Points outstanding by the second at which they end."""
    return {
        "brand_id": found.brand_id,
        "token": found.token,
        "decimals": found.decimals,
        **moment_to_public(found.moment),
        "outstanding": str(found.outstanding),
        "held": str(found.held),
        "owed": str(found.owed),
        "buckets": [
            {"expiry_epoch": lot.expiry_epoch, "expires_at": lot.expires_at, "points": str(lot.points)}
            for lot in found.buckets
        ],
    }


def income_to_public(found: Income) -> dict[str, Any]:
    """The roll-forward in points and in money, and all inputs it was computed from."""
    lines = found.lines
    return {
        "brand_id": found.brand_id,
        "token": found.token,
        "decimals": found.decimals,
        "price": fraction_to_public(found.price),
        "from": moment_to_public(found.movements.opening_at),
        "to": moment_to_public(found.movements.closing_at),
        "points": {name: str(getattr(found.movements, name)) for name in LINES},
        "adds_up": found.movements.difference == 0,
        "money": {
            "opening": str(lines.opening),
            "deferred": str(lines.deferred),
            "renewed": str(lines.renewed),
            "taken_back": str(lines.taken_back),
            "used": str(lines.used),
            "breakage": str(lines.breakage),
            "closing": str(lines.closing),
        },
        "opening": _side(found.opening, found.movements.opening_at.time),
        "closing": _side(found.closing, found.movements.closing_at.time),
    }


def _side(side: Side, at: int) -> dict[str, Any]:
    return {
        "expected_breakage": breakage_to_public(side),
        "cohorts": [cohort_to_public(cohort, at) for cohort in side.cohorts],
    }


def cohort_to_public(cohort: Cohort, at: int) -> dict[str, Any]:
    """One cohort; `over`: its points have expired by second `at`."""
    return {
        "expiry_epoch": cohort.expiry_epoch,
        "expires_at": cohort.expires_at,
        "entered": str(cohort.entered),
        "renewed": str(cohort.renewed),
        "renewed_of_burnt": str(cohort.renewed_of_burnt),
        "taken_back": str(cohort.taken_back),
        "outstanding": str(cohort.outstanding),
        "over": cohort.over(at),
    }


def breakage_to_public(side: Side) -> str:
    """The share as a fraction, exact."""
    return fraction_to_public(side.breakage)


def fraction_to_public(value: Fraction) -> str:
    """3/10, or 3 when it is whole."""
    return str(value)


def moment_to_public(at: Moment) -> dict[str, Any]:
    """Which block: number, hash, unix seconds."""
    return {"block_number": at.number, "block_hash": at.hash, "block_time": at.time}
