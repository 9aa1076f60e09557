"""Events in integers: the codec's plain values as the model says them, struct as tuple, in the ABI's order."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from chain.contracts.codec import Codec, EventLog, told

Read = Callable[[Any], Any]


@dataclass(slots=True)
class Event:
    """One event as stated: the log, the contract's name, the event's name, its values by parameter."""

    log: EventLog
    contract: str
    name: str
    values: dict[str, Any]


def same(value: Any) -> Any:
    """Text, bytes and truth values stay."""
    return value


def reader(parameter: Mapping[str, Any]) -> Read:
    """How a parameter's value becomes integers and tuples."""
    kind = str(parameter["type"])
    if kind.endswith("]"):
        inner = reader({**parameter, "type": kind[: kind.rindex("[")]})
        return lambda value: tuple(inner(each) for each in value)
    if kind == "tuple":
        parts = [(part["name"], reader(part)) for part in parameter["components"]]
        return lambda value: tuple(read(value[name]) for name, read in parts)
    return int if kind.startswith(("uint", "int")) else same


class Shapes:
    """Every event of Moa's contracts by name and number of values."""

    def __init__(self, abis: Mapping[str, Sequence[Mapping[str, Any]]]):
        events = [item for items in abis.values() for item in items if item.get("type") == "event"]
        self._events = {
            (item["name"], len(told(item["name"], item["inputs"]))): [
                (part["name"], reader(part)) for part in told(item["name"], item["inputs"])
            ]
            for item in events
        }
        self._parts = {
            (item["name"], part["name"]): [str(each["name"]) for each in part["components"]]
            for item in events
            for part in item["inputs"]
            if part["type"] == "tuple"
        }

    @classmethod
    def load(cls) -> "Shapes":
        """From the exported ABI."""
        return cls(Codec.load().abis)

    def event(self, log: EventLog, contract: str) -> Event:
        """The log in integers."""
        plan = self._events[log.name, len(log.args)]
        return Event(log, contract, log.name, {name: read(log.args[name]) for name, read in plan})

    def names(self, name: str, count: int) -> list[str]:
        """The parameters of an event."""
        return [each for each, _ in self._events[name, count]]

    def parts(self, name: str, parameter: str) -> list[str]:
        """The fields of a parameter that is a struct, else nothing."""
        return self._parts.get((name, parameter), [])
