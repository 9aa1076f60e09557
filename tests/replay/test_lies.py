"""Lies planted in an honest chain's events, one at a time: each is found, named by its rule, and told once."""

import random
from collections.abc import Callable
from dataclasses import replace

import pytest

from chain.contracts.codec import EventLog
from chain.replay import replay
from tests.replay import lies
from tests.replay.recorded import SEED, Recorded

PLACES = 3
SHUFFLED = 0.1


def anything(log: EventLog) -> bool:
    """Every event of the kind."""
    return True


def gives(log: EventLog) -> bool:
    """An award of points."""
    return log.args["points"] != "0"


def gives_alone(log: EventLog) -> bool:
    """Not one of the ring's four: they lie in two words, and the next award's word takes the doubt of the other."""
    return gives(log) and log.args["baseAmount"] != "1000"


def positioned(log: EventLog) -> bool:
    """A statement under which somebody pays."""
    return any(each != "0" for each in log.args["positions"])


def single(log: EventLog) -> bool:
    """One word with points."""
    return len(log.args["words"]) == 1 and int(log.args["words"][0]) % 2**240 > 0


def takes(log: EventLog) -> bool:
    """A return that found points."""
    return log.args["taken"] != "0"


def misses(log: EventLog) -> bool:
    """A return that forgave some."""
    return log.args["missing"] != "0" and log.args["owes"] == "0"


def ends(log: EventLog) -> bool:
    """A return after which nothing of its award is left, that found points."""
    return log.args["standing"] == "0" and takes(log)


# The lie: the event it is told with, how, what is found, and the rule.
LIES: dict[str, tuple[str, Callable[[EventLog], bool], lies.Change, str, str]] = {
    "an award off by one": ("Awarded", gives, lies.off("points"), "points of an award", "2.9"),
    "an award above its rule": ("Awarded", gives_alone, lies.above_its_rule, "points of an award", "2.9"),
    "another version": ("Awarded", gives, lies.off("version"), "version of an award", "2.4"),
    "a transfer off by one": ("Transfer", anything, lies.off("value"), "", ""),
    "a lot of another date": ("LotsChanged", single, lies.another_date, "lots of an account", ""),
    "a refund beyond its capture": (
        "HoldRefunded",
        anything,
        lies.beyond_its_capture,
        "a refund that the rules refuse",
        "3.8",
    ),
    "a refund's total": ("HoldRefunded", anything, lies.off("refundedTotal", -1), "", ""),
    "a split refund": ("HoldRefunded", anything, lies.off("lapsed"), "lapsed of a refund", "3.10"),
    "a captured point more": ("HoldCaptured", anything, lies.off("returned"), "returned of a capture", "3.6"),
    "an obligation dropped from a statement": (
        "PeriodNetted",
        positioned,
        lies.without_an_obligation,
        "positions of a statement",
        "5.9",
    ),
    "an obligation off by one": ("ObligationBooked", anything, lies.off("amount"), "amount of an obligation", "5.5"),
    "a fee off by one": ("Exchanged", anything, lies.fee, "fee of an exchange", "4.8"),
    "a settled position": ("PositionSettled", anything, lies.off("position"), "position of a settled position", "5.11"),
    "collateral off by one": (
        "CollateralDeposited",
        anything,
        lies.off("collateral"),
        "collateral of a deposit",
        "5.3",
    ),
    "a claim paid": ("ClaimPaid", anything, lies.off("paid"), "paid of a claim paid", "5.13"),
    "a shorter notice": (
        "RuleChangeAnnounced",
        anything,
        lies.off("inForceAt", -1),
        "in force at of a rule's change",
        "2.3",
    ),
    "a role from another second on": ("RoleGranted", anything, lies.off("since", -1), "", ""),
    "a missing award": ("Awarded", gives, lies.dropped, "event Transfer without a cause", "1.11"),
    "missing lots": ("LotsChanged", anything, lies.dropped, "missing event LotsChanged", ""),
    "a returned point more": ("Returned", takes, lies.off("taken"), "taken of a return", "2.24"),
    "another standing": ("Returned", anything, lies.off("standing"), "standing of a return", "2.24"),
    "a return beyond its award": (
        "Returned",
        anything,
        lies.off("baseAmount", 10**6),
        "a return that the rules refuse",
        "2.23",
    ),
    "a forgiven point that is owed": ("Returned", misses, lies.off("owes"), "owes of a return", "2.26"),
    "a return by nobody": ("Returned", ends, lies.dropped, "event Transfer without a cause", "1.11"),
    "a return twice": ("Returned", anything, lies.doubled, "a return that the rules refuse", "2.15"),
    "a debt off by one": ("DebtChanged", anything, lies.off("debt"), "", ""),
    "another lot for all": ("LotNamed", anything, lies.off("expiryEpoch"), "lot of the awards of a call", "2.16"),
    "another number of awards": ("LotNamed", anything, lies.off("transfers"), "lot of the awards of a call", "2.16"),
    "no lot for all": ("LotNamed", anything, lies.dropped, "missing event LotNamed", "2.16"),
    "another root": ("AwardsCommitted", anything, lies.another_root, "root of the awards of a call", "2.16"),
    "no root": ("AwardsCommitted", anything, lies.dropped, "missing event AwardsCommitted", "2.16"),
    "a missing transfer": ("Transfer", anything, lies.dropped, "", ""),
    "a missing obligation": ("ObligationBooked", anything, lies.dropped, "missing event ObligationBooked", "5.5"),
    "a missing refund": ("HoldRefunded", anything, lies.dropped, "event Transfer without a cause", "1.11"),
    "a doubled award": ("Awarded", gives, lies.doubled, "an award that the rules refuse", "2.15"),
    "a doubled transfer": ("Transfer", anything, lies.doubled, "", ""),
    "doubled lots": ("LotsChanged", anything, lies.doubled, "", ""),
    "a doubled refund": ("HoldRefunded", anything, lies.doubled, "", ""),
    "a doubled exchange": ("Exchanged", anything, lies.doubled, "", ""),
    "a doubled settlement": ("PeriodSettled", anything, lies.doubled, "a settlement that the rules refuse", "5.11"),
}


@pytest.mark.parametrize("lie", LIES)
def test_a_planted_lie_is_found_named_and_told_once(chain: Recorded, lie: str) -> None:
    """SPEC 12.15, 12.16, 12.17, 12.18"""
    event, fits, change, what, rule = LIES[lie]
    blocks = chain.events_only
    found_at = lies.places(blocks, event, fits)
    assert found_at, f"the walk of MOA_SEED={SEED} has no such {event}"

    for place in random.Random(SEED).sample(found_at, min(PLACES, len(found_at))):
        result = replay(lies.told(blocks, place, change), chain.facts)
        told = [str(each) for each in result.differences]
        assert result.found == 1, "\n".join([f"MOA_SEED={SEED}", str(place), *told])
        difference = result.differences[0]
        assert difference.where.block == blocks[place[0]].number, told
        assert what in ("", difference.what), told
        assert rule in ("", difference.rule), told
        assert str(difference.said) != str(difference.right)


def before_an_unwinding(chain: Recorded) -> list[tuple[int, int]]:
    """The last words of an account before an unwinding burns of its lots: block and log."""
    last: dict[tuple[str, str], tuple[int, int]] = {}
    found = {}
    for number, block in enumerate(chain.blocks):
        unwound = {log.tx_hash for log in block.logs if log.name == "Unwound"}
        for at, log in enumerate(block.logs):
            if log.name != "LotsChanged":
                continue
            of, burnt = (log.address, log.args["account"]), block.logs[at - 1]
            if of in last and log.tx_hash in unwound and int(burnt.args.get("to", "1"), 16) == 0:
                found[last[of]] = None
            last.pop(of, None)
            if single(log) and not unwound:
                last[of] = number, at
    return list(found)


def test_another_date_before_an_unwinding_is_told_once(chain: Recorded) -> None:
    """SPEC 12.18: the model then burns another lot than the chain, and follows the chain in both"""
    found_at = before_an_unwinding(chain)
    assert found_at, f"the walk of MOA_SEED={SEED} unwinds nothing that changed before"

    for place in found_at:
        result = replay(lies.told(chain.events_only, place, lies.another_date), chain.facts)
        assert result.found == 1, (place, [str(each) for each in result.differences])


def test_no_nonsense_stops_the_replay(chain: Recorded) -> None:
    """Events dropped, doubled, changed and swapped anywhere: differences at most, never an end."""
    rng = random.Random(SEED)
    for _ in range(12):
        blocks = list(chain.blocks)
        for _ in range(25):
            number = rng.randrange(len(blocks))
            at = rng.randrange(len(blocks[number].logs))
            names = [name for name, value in blocks[number].logs[at].args.items() if str(value).isdigit()]
            change = rng.choice([lies.dropped, lies.doubled, *([lies.off(rng.choice(names))] if names else [])])
            logs = change(list(blocks[number].logs), at)
            if rng.random() < SHUFFLED:
                rng.shuffle(logs)
            if logs:
                blocks[number] = replace(blocks[number], logs=logs)
        result = replay(blocks, chain.facts)
        assert result.found > 0
        assert len(result.state()) > 0
