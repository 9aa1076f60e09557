"""A step of the walk: one call, told in the model's words, that both the contracts and the model can make."""

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

from chain.model import modules
from chain.model.call import Call
from chain.model.errors import Refused
from chain.model.governor import Ballot
from chain.model.ledger import Ledger
from chain.model.proposals import Ground

TOKEN = "LoyaltyToken"


@dataclass(frozen=True)
class Signed:
    """A signature by `by` over the step's values; honest: exactly these values, else others."""

    by: str
    honest: bool = True


class OfAnother(int):
    """The id of an award that was never made, with which a return brings the words and the proof of this other one."""

    like: int

    def __new__(cls, operation_id: int, like: int) -> "OfAnother":
        """A number like any other, for the model."""
        made = super().__new__(cls, operation_id)
        made.like = like
        return made


@dataclass(frozen=True)
class Proven:
    """A proof of words of storage, as the contract reads it; honest: of the block that it must be of."""

    proof: Any
    honest: bool = True


@dataclass(frozen=True)
class Step:
    """`by` calls `function` of `contract` ("LoyaltyToken 2": brand 2's) with `values` at second `at`.

    token: where the chain put the new brand's token, for an invitation that was made. ground: the block before, for a
    proposal. deeds: what each action does, for an execution.
    """

    contract: str
    function: str
    values: tuple[Any, ...]
    by: str
    at: int = 0
    token: str = ""
    ground: Ground | None = None
    deeds: "tuple[Step, ...]" = ()

    def __str__(self) -> str:
        return f"{self.at} {self.by[:8]} {self.contract}.{self.function}{self.values}"


@dataclass(frozen=True)
class Outcome:
    """What a step did: what each contract said, or the error with its values."""

    facts: dict[str, list[tuple[str, tuple[Any, ...]]]]
    error: tuple[str, tuple[Any, ...]] | None = None


def plain(value: Any) -> Any:
    """Structs as tuples, enums as integers, refusals as name and values: how both sides are compared."""
    if isinstance(value, Refused):
        return value.name, tuple(plain(each) for each in value.values())
    if isinstance(value, bool):
        return value
    if isinstance(value, IntEnum):
        return int(value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return tuple(plain(getattr(value, each.name)) for each in dataclasses.fields(value))
    if isinstance(value, list | tuple):
        return tuple(plain(each) for each in value)
    return value


def of_contract(ledger: Ledger, contract: str) -> Any:
    """The part of the model that stands for a contract."""
    if contract.startswith(TOKEN):
        return ledger.tokens[int(contract.split()[1])]
    if contract in ("ProgrammeGovernor", "Snapshots"):
        assert ledger.governor is not None
        return ledger.governor if contract == "ProgrammeGovernor" else ledger.governor.snapshots
    return {
        "PartnerRegistry": ledger.registry,
        "RewardRules": ledger.rules,
        "RedemptionDesk": ledger.desk,
        "PartnerExchange": ledger.exchanges,
        "ClearingHouse": ledger.clearing,
        "OpeningBalances": ledger.openings,
        "Badges": ledger.badges,
        "Authority": ledger.roles,
    }[contract]


AGREEMENTS = {"propose", "accept", "propose_change", "accept_change", "withdraw_change", "end"}


def method(ledger: Ledger, step: Step) -> Callable[..., Any]:
    """The model's method for a step."""
    if step.function == "invite":
        return lambda call, invitation: ledger.invite(call, invitation, step.token)
    only = step.contract.split()[0], step.function
    if only in modules.ONLY:
        return lambda call, *_: modules.refuse(call, *only)
    part = of_contract(ledger, step.contract)
    name = "".join("_" + letter.lower() if letter.isupper() else letter for letter in step.function)
    if name in ("announce", "retract"):
        announcements = ledger.agreements.announcements if part is ledger.exchanges else part.announcements
        return getattr(announcements, name)  # type: ignore[no-any-return]
    if part is ledger.exchanges and name in AGREEMENTS:
        return getattr(ledger.agreements, name)  # type: ignore[no-any-return]
    if name in ("propose_as_brand", "propose_as_member"):
        return lambda call, *values: getattr(part, name)(call, *values, ground=step.ground)
    if name == "execute":
        return lambda call, number, actions: ledger.execute(call, number, actions, [made(each) for each in step.deeds])
    if name == "cancel_authorisation" and (step.contract.startswith(TOKEN) or part is ledger.governor):
        return part.nonces.cancel_authorisation  # type: ignore[no-any-return]
    return getattr(part, name)  # type: ignore[no-any-return]


def made(deed: Step) -> Callable[[Ledger, Call], Any]:
    """Makes a vote's deed on whichever books."""
    return lambda ledger, call: method(ledger, deed)(call, *deed.values)


def judged(value: Any) -> Any:
    """Signatures as who made them, proofs as whether they hold: what the model is told of both."""
    if isinstance(value, Signed):
        return value.by if value.honest else None
    if isinstance(value, Proven):
        return value.honest
    if isinstance(value, Ballot):
        return dataclasses.replace(value, signature=judged(value.signature))
    if isinstance(value, list):
        return [judged(each) for each in value]
    return value


def apply(ledger: Ledger, step: Step, data: bytes = b"") -> Outcome:
    """Makes the call on the model."""
    values = [judged(value) for value in step.values]
    try:
        method(ledger, step)(Call(step.by, step.at, data), *values)
    except Refused as refusal:
        leftovers = ledger.facts()
        assert not leftovers, f"the model said {leftovers} and then refused {step}"
        return Outcome({}, plain(refusal))
    facts: dict[str, list[tuple[str, tuple[Any, ...]]]] = {}
    for fact in ledger.facts():
        facts.setdefault(fact.contract, []).append((fact.name, plain(fact.values)))
    return Outcome(facts)
