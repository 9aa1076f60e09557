"""Lies told with a chain's own events: each changes one block and nothing else."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from chain.contracts.codec import EventLog
from chain.replay import Block

Logs = list[EventLog]
Change = Callable[[Logs, int], Logs]


def changed(log: EventLog, **values: Any) -> EventLog:
    """The log with other values."""
    return replace(log, args={**log.args, **values})


def more(log: EventLog, name: str, by: int = 1) -> EventLog:
    """The log with a number that is off."""
    return changed(log, **{name: str(int(log.args[name]) + by)})


def off(name: str, by: int = 1) -> Change:
    """A value off by so much."""
    return lambda logs, at: [*logs[:at], more(logs[at], name, by), *logs[at + 1 :]]


def dropped(logs: Logs, at: int) -> Logs:
    """The event is missing."""
    return [*logs[:at], *logs[at + 1 :]]


def doubled(logs: Logs, at: int) -> Logs:
    """The event is there twice."""
    return [*logs[: at + 1], *logs[at:]]


def above_its_rule(logs: Logs, at: int) -> Logs:
    """An award of a point more than its rule gives, with a transfer to match."""
    found = [*logs[:at], more(logs[at], "points"), *logs[at + 1 :]]
    number = sum(log.name == "Awarded" and log.args["points"] != "0" for log in logs[:at])
    mints = [place for place, log in enumerate(logs) if log.name == "Transfer" and int(log.args["from"], 16) == 0]
    place = mints[number]
    found[place] = more(logs[place], "value")
    return found


def another_root(logs: Logs, at: int) -> Logs:
    """A root of other leaves."""
    return [*logs[:at], changed(logs[at], root="0x" + "11" * 32), *logs[at + 1 :]]


def another_date(logs: Logs, at: int) -> Logs:
    """The points of an account moved to the lot beside."""
    words = list(logs[at].args["words"])
    tag, points = int(words[0]) >> 240 << 240, int(words[0]) & (2**240 - 1)
    moved = points << 48 if points >> 192 == 0 else points >> 48
    return [*logs[:at], changed(logs[at], words=[str(tag | moved), *words[1:]]), *logs[at + 1 :]]


def beyond_its_capture(logs: Logs, at: int) -> Logs:
    """A refund of a million points more."""
    return [*logs[:at], more(more(logs[at], "points", 10**6), "refundedTotal", 10**6), *logs[at + 1 :]]


def without_an_obligation(logs: Logs, at: int) -> Logs:
    """A statement that leaves the first brand's debts out."""
    positions = [int(each) for each in logs[at].args["positions"]]
    first = next(place for place, each in enumerate(positions) if each)
    last = next(place for place, each in enumerate(positions) if each and place != first)
    positions[first], positions[last] = 0, positions[last] + positions[first]
    return [*logs[:at], changed(logs[at], positions=[str(each) for each in positions]), *logs[at + 1 :]]


def fee(logs: Logs, at: int) -> Logs:
    """An exchange's fee off by one."""
    record = logs[at].args["exchange"]
    other = {**record, "fee": str(int(record["fee"]) + 1)}
    return [*logs[:at], changed(logs[at], exchange=other), *logs[at + 1 :]]


def places(blocks: list[Block], event: str, fits: Callable[[EventLog], bool]) -> list[tuple[int, int]]:
    """Where such events are: block and log."""
    return [
        (number, at)
        for number, block in enumerate(blocks)
        for at, log in enumerate(block.logs)
        if log.name == event and fits(log)
    ]


def told(blocks: list[Block], place: tuple[int, int], lie: Change) -> Iterator[Block]:
    """The blocks with the lie in its place."""
    number, at = place
    yield from blocks[:number]
    yield replace(blocks[number], logs=lie(list(blocks[number].logs), at))
    yield from blocks[number + 1 :]
