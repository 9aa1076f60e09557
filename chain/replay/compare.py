"""What one act says beside what the model says of it."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from chain.model.call import Fact
from chain.replay import rulebook
from chain.replay.decoding.plain import plain, shown, shown_words
from chain.replay.decoding.shapes import Event, Shapes

# What tells events of one kind within one call apart; the others are there once.
KEYS: Final = {
    "Transfer": ("from", "to"),
    "LotsChanged": ("account",),
    "DebtChanged": ("member",),
    "ObligationBooked": ("debtorId", "creditorId"),
    "ObligationReduced": ("debtorId", "creditorId"),
    "PositionSettled": ("brandId",),
    "ClaimPaid": ("creditorId",),
    "OpeningClaimed": ("index",),
    "BadgeGiven": ("operationId", "member"),
    "BadgeRefused": ("operationId", "member"),
    "RoleGranted": ("roleId", "account"),
    "RoleAdminChanged": ("roleId",),
    "RoleGuardianChanged": ("roleId",),
    "RoleGrantDelayChanged": ("roleId",),
}
# Parameters that are packed lots.
PACKED: Final = frozenset({"words", "lots", "lotsIn"})


@dataclass(frozen=True, slots=True)
class Mismatch:
    """One event that is not what the model says. event None: missing; right None: one too many."""

    event: Event | None
    expected: tuple[str, str, dict[str, Any]] | None
    what: str
    said: Any
    right: Any
    rule: str


Expected = tuple[str, str, dict[str, Any]]


def expected_of(facts: Sequence[Fact], shapes: Shapes) -> list[Expected]:
    """The model's facts with their values by parameter."""
    found = []
    for fact in facts:
        values = plain(fact.values)
        found.append((fact.contract, fact.name, dict(zip(shapes.names(fact.name, len(values)), values, strict=True))))
    return found


def mismatches(expected: Sequence[Expected], stated: Sequence[Event], anchor: str, shapes: Shapes) -> list[Mismatch]:
    """All of them, those of the event that names the act first."""
    if [_comparable(*each) for each in expected] == [_of(event) for event in stated]:
        return []
    sides: dict[tuple[Any, ...], tuple[list[Expected], list[Event]]] = defaultdict(lambda: ([], []))
    for each in expected:
        sides[_key(*each)][0].append(each)
    for event in stated:
        sides[_key(event.contract, event.name, event.values)][1].append(event)
    found: list[Mismatch] = []
    for wanted, said in sides.values():
        found += _of_kind(wanted, said, shapes)
    if not found:
        found += _order(expected, stated)
    return sorted(found, key=lambda each: _rank(each, anchor))


def grace_was_spent(wrong: Sequence[Mismatch]) -> bool:
    """Whether all that is wrong is that points were given back lapsed for which the model still had grace.

    So many fewer are renewed as more have lapsed, and beside that only the mint and the lots of it differ.
    """
    first, *others = wrong
    if not first.what.startswith("renewed of ") or int(first.said) >= int(first.right):
        return False
    lapsed = [each for each in others if each.what.startswith("lapsed of ")]
    moved = {each.event.name if each.event else each.expected[1] if each.expected else "" for each in others
             if each not in lapsed}  # fmt: skip
    fewer = int(first.right) - int(first.said)
    return moved <= {"Transfer", "LotsChanged"} and [int(each.said) - int(each.right) for each in lapsed] == [fewer]


def _rank(each: Mismatch, anchor: str) -> tuple[bool, bool]:
    name = each.event.name if each.event else each.expected[1] if each.expected else ""
    return name != anchor, each.event is None


def _key(contract: str, name: str, values: dict[str, Any]) -> tuple[Any, ...]:
    return (contract, name, *(values[part] for part in KEYS.get(name, ())))


def _of(event: Event) -> tuple[Any, ...]:
    return _comparable(event.contract, event.name, event.values)


def _comparable(contract: str, name: str, values: dict[str, Any]) -> tuple[Any, ...]:
    if name == "LotsChanged":
        return contract, name, values["account"], tuple(sorted(values["words"]))
    return contract, name, values


def _of_kind(wanted: list[Expected], said: list[Event], shapes: Shapes) -> list[Mismatch]:
    """Events of one kind and key: pairs in their order, then what is missing or too many."""
    found = []
    # Equal ones first, so that one too many among them does not shift the rest.
    wanted, said = list(wanted), list(said)
    if len(wanted) != len(said):
        for each in list(wanted):
            for event in said:
                if _comparable(*each) == _of(event):
                    wanted.remove(each)
                    said.remove(event)
                    break
    for each, event in zip(wanted, said, strict=False):
        found += _values(each, event, shapes)
    for each in wanted[len(said) :]:
        what = f"missing event {each[1]}"
        found.append(Mismatch(None, each, what, None, shown(each[2]), rulebook.of_value(each[1], "")))
    for event in said[len(wanted) :]:
        what = f"event {event.name} without a cause"
        found.append(Mismatch(event, None, what, shown(event.values), None, rulebook.of_value(event.name, "")))
    return found


def _values(each: Expected, event: Event, shapes: Shapes) -> list[Mismatch]:
    if _comparable(*each) == _of(event):
        return []
    found = []
    for name, right in each[2].items():
        said = event.values[name]
        parts = shapes.parts(event.name, name) or [name]
        pairs = zip(parts, said, right, strict=True) if len(parts) > 1 else [(name, said, right)]
        for part, said_part, right_part in pairs:
            if said_part != right_part:
                what = rulebook.value(event.name, part)
                rule = rulebook.of_value(event.name, part)
                show = shown_words if part in PACKED else shown
                found.append(Mismatch(event, each, what, show(said_part), show(right_part), rule))
    return found


def _order(expected: Sequence[Expected], stated: Sequence[Event]) -> list[Mismatch]:
    """The same events, contract by contract in another order."""
    for contract in dict.fromkeys(each[0] for each in expected):
        wanted = [each for each in expected if each[0] == contract]
        said = [event for event in stated if event.contract == contract]
        for each, event in zip(wanted, said, strict=True):
            if _comparable(*each) != _of(event):
                what = f"order of the events of {rulebook.name(event.name)}"
                return [Mismatch(event, each, what, event.name, each[1], rulebook.of_value(event.name, ""))]
    return []
