"""Which mint and which lots belong to which award of a batch, also when some are missing or too many."""

from collections import Counter, defaultdict, deque
from collections.abc import Sequence
from dataclasses import dataclass, field

from chain.contracts.codec import EventLog
from chain.replay.acts import pays


@dataclass(slots=True)
class Minted:
    """What followed one award: as a rule one transfer. paid: what its debtor paid of it."""

    transfers: list[EventLog] = field(default_factory=list)
    lots: list[EventLog] = field(default_factory=list)
    paid: list[EventLog] = field(default_factory=list)


def in_order(awards: Sequence[EventLog], moves: Sequence[EventLog]) -> bool:
    """Whether each award with points has its transfer, one after the other (SPEC 2.16)."""
    if len(moves) != len(awards):
        return False
    return all(
        move.name == "Transfer" and move.args["to"] == award.args["member"]
        for award, move in zip(awards, moves, strict=True)
    )


def parted(moves: Sequence[EventLog]) -> tuple[list[EventLog], dict[int, list[EventLog]]]:
    """The movements without what debtors paid; and that, by the log index of the mint of which it was paid."""
    left: list[EventLog] = []
    paid: dict[int, list[EventLog]] = {}
    at = 0
    while at < len(moves):
        if left and pays(moves, at):
            payer = moves[at].args["from"]
            mints = (each for each in reversed(left) if each.name == "Transfer" and each.args["to"] == payer)
            paid.setdefault(next(mints, left[-1]).log_index, []).extend(moves[at : at + 3])
            at += 3
        else:
            left.append(moves[at])
            at += 1
    return left, paid


def assigned(awards: Sequence[EventLog], moves: Sequence[EventLog]) -> tuple[list[Minted], list[EventLog]]:
    """What belongs to each award, account by account and amount by amount; and what belongs to none."""
    found = [Minted() for _ in awards]
    places = _places(awards)
    waiting = {member: deque(queue) for member, queue in places.items()}
    surplus = Counter(log.args["to"] for log in moves if log.name == "Transfer")
    surplus.subtract(award.args["member"] for award in awards)
    left: list[EventLog] = []
    # The account of the transfer before, and its award.
    last: tuple[str, int | None] | None = None
    for log in moves:
        if log.name == "DebtChanged":
            left.append(log)
            continue
        is_transfer = log.name == "Transfer"
        member = log.args["to"] if is_transfer else log.args["account"]
        if member not in places:
            place, last = None, None
        elif last and last[0] == member and not is_transfer:
            # Lots follow their transfer.
            place, last = last[1], None
        elif last and last[0] == member and surplus[member] > 0 and twice(found, last[1], log):
            place = last[1]
            surplus[member] -= 1
        elif is_transfer:
            place = _take(waiting[member], awards, log.args["value"])
            if place is None and surplus[member] > 0:
                surplus[member] -= 1
            elif place is None:
                place = waiting[member].popleft() if waiting[member] else places[member][-1]
            last = member, place
        else:
            bare = (place for place in places[member] if not found[place].lots)
            place = next(bare, places[member][-1])
        if place is None:
            left.append(log)
        elif is_transfer:
            found[place].transfers.append(log)
        else:
            found[place].lots.append(log)
    return found, left


def twice(found: Sequence[Minted], place: int | None, log: EventLog) -> bool:
    """Whether the award has this very transfer already."""
    return place is not None and any(each.args["value"] == log.args["value"] for each in found[place].transfers)


def _places(awards: Sequence[EventLog]) -> dict[str, list[int]]:
    """The awards of each account; one whose operation id was there before comes last."""
    first: dict[str, list[int]] = defaultdict(list)
    again: dict[str, list[int]] = defaultdict(list)
    seen: set[str] = set()
    for place, award in enumerate(awards):
        operation = award.args["operationId"]
        (again if operation in seen else first)[award.args["member"]].append(place)
        seen.add(operation)
    return {member: first[member] + again[member] for member in {*first, *again}}


def _take(queue: deque[int], awards: Sequence[EventLog], value: str) -> int | None:
    """The next award of the account with this amount."""
    for place in queue:
        if awards[place].args["points"] == value:
            queue.remove(place)
            return place
    return None
