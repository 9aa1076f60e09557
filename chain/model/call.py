"""What every call brings along: who makes it and when; and what every contract says when it has done something."""

from dataclasses import dataclass, field
from typing import Any, Final

NOBODY: Final = "0x" + "00" * 20


@dataclass(frozen=True, slots=True)
class Call:
    """`by` calls at second `at`. data: the calldata, selector first; only announced calls need it."""

    by: str
    at: int
    data: bytes = b""


@dataclass(frozen=True, slots=True)
class Fact:
    """An event without its encoding: the contract's name here, the event's name, its values in the ABI's order."""

    contract: str
    name: str
    values: tuple[Any, ...]


@dataclass(slots=True)
class Journal:
    """The facts of all contracts, in the order they were said."""

    facts: list[Fact] = field(default_factory=list)

    def say(self, contract: str, name: str, *values: Any) -> None:
        """Adds one fact."""
        self.facts.append(Fact(contract, name, values))

    def drain(self) -> list[Fact]:
        """The facts since the last drain."""
        facts, self.facts = self.facts, []
        return facts
