"""Which mint and which lots belong to which award of a batch, also when some are missing or too many."""

from collections import defaultdict, deque
from collections.abc import Sequence
from dataclasses import dataclass, field

from chain.codec import Log


@dataclass(slots=True)
class Minted:
    """What followed one award: as a rule one transfer and one change of lots."""

    transfers: list[Log] = field(default_factory=list)
    lots: list[Log] = field(default_factory=list)


def in_order(awards: Sequence[Log], moves: Sequence[Log]) -> bool:
    """Whether each award with points has its transfer and lots, one pair after the other (SPEC 2.16)."""
    if len(moves) != 2 * len(awards):
        return False
    for place, award in enumerate(awards):
        transfer, lots = moves[2 * place], moves[2 * place + 1]
        member = award.args["member"]
        if transfer.name != "Transfer" or lots.name != "LotsChanged":
            return False
        if transfer.args["to"] != member or lots.args["account"] != member:
            return False
    return True


def assigned(awards: Sequence[Log], moves: Sequence[Log]) -> tuple[list[Minted], list[Log]]:
    """What belongs to each award, account by account and amount by amount; and what belongs to none."""
    found = [Minted() for _ in awards]
    places = _places(awards)
    waiting = {member: deque(queue) for member, queue in places.items()}
    left: list[Log] = []
    last: tuple[str, int] | None = None
    for log in moves:
        is_transfer = log.name == "Transfer"
        member = log.args["to"] if is_transfer else log.args["account"]
        if member not in places:
            left.append(log)
            last = None
        elif is_transfer:
            place = _take(waiting[member], awards, log.args["value"], places[member][-1])
            found[place].transfers.append(log)
            last = member, place
        else:
            # Lots follow their transfer; alone, they are the first award's that has none.
            bare = (place for place in places[member] if not found[place].lots)
            place = last[1] if last and last[0] == member else next(bare, places[member][-1])
            found[place].lots.append(log)
            last = None
    return found, left


def _places(awards: Sequence[Log]) -> dict[str, list[int]]:
    """The awards of each account; one whose operation id was there before comes last."""
    first: dict[str, list[int]] = defaultdict(list)
    again: dict[str, list[int]] = defaultdict(list)
    seen: set[str] = set()
    for place, award in enumerate(awards):
        operation = award.args["operationId"]
        (again if operation in seen else first)[award.args["member"]].append(place)
        seen.add(operation)
    return {member: first[member] + again[member] for member in {*first, *again}}


def _take(queue: deque[int], awards: Sequence[Log], value: str, last: int) -> int:
    """The next award of the account with this amount, else the next, else the last."""
    for place in queue:
        if awards[place].args["points"] == value:
            queue.remove(place)
            return place
    return queue.popleft() if queue else last
