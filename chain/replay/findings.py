"""The differences found so far, and the subjects about which the last word is still in doubt.

After a difference the books hold what the chain stated. If that statement itself was the lie, the next one about the
same subject is true again and differs from the books once more: this second one is the same lie, and is not told twice.
"""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Final

from chain.base.difference import CONTRACT, Difference, Where
from chain.contracts.codec import EventLog
from chain.replay.acts import ZERO
from chain.replay.decoding.facts import TOKEN
from chain.replay.decoding.shapes import Event

# ("hold", id), ("lots", contract, account), ("obligation", debtor, creditor)…
Subject = tuple[Any, ...]
DIFFERENCES_MAX: Final = 10_000


def where(log: EventLog) -> Where:
    """The place of an event."""
    return Where(
        block=log.block_number,
        tx=log.tx_hash,
        log_index=log.log_index,
        contract=log.contract,
        address=log.address,
    )


@dataclass(slots=True)
class Findings:
    """kept: the first DIFFERENCES_MAX; found: how many there were.

    lost: by contract, movements that no event explains; one refusal that follows from each is the same lie.
    told: what is told once only.
    """

    kept: list[Difference] = field(default_factory=list)
    found: int = 0
    doubts: set[Subject] = field(default_factory=set)
    lost: Counter[str] = field(default_factory=Counter)
    told: set[str] = field(default_factory=set)

    def add(self, log: EventLog, what: str, said: Any, right: Any, rule: str, look: str) -> None:
        """One more difference."""
        self.found += 1
        if len(self.kept) < DIFFERENCES_MAX:
            place = where(log)
            self.kept.append(
                Difference(kind=CONTRACT, where=place, what=what, said=said, right=right, rule=rule, look=look)
            )

    def follows(self, contract: str) -> bool:
        """Whether something lost there may be why; it is used up."""
        if self.lost[contract] == 0:
            return False
        self.lost[contract] -= 1
        return True

    def first(self, subject: str) -> bool:
        """Whether this was not told before."""
        known = subject in self.told
        self.told.add(subject)
        return not known

    def doubtful(self, subjects: set[Subject]) -> bool:
        """Whether one of these is in doubt; afterwards none is."""
        known = not self.doubts.isdisjoint(subjects)
        self.doubts -= subjects
        return known


def subjects(event: Event) -> set[Subject]:
    """What an event speaks of, as later events will."""
    values = event.values
    found: set[Subject] = set()
    if event.name == "LotsChanged":
        found.add(("lots", event.contract, values["account"]))
    if event.name == "Transfer":
        found |= {("lots", event.contract, values[side]) for side in ("from", "to") if values[side] != ZERO}
    if event.name in ("HoldPlaced", "HoldPaid"):
        # It shows which lots were taken of the member's.
        found.add(("lots", f"{TOKEN} {values['brandId']}", values["member"]))
    if event.name == "DebtChanged":
        found.add(("debt", event.contract, values["member"]))
    if event.name == "Returned":
        found.add(("award", values["brandId"], values["operationId"]))
    for name, kind in (("holdId", "hold"), ("exchangeId", "exchange"), ("period", "period")):
        if name in values:
            found.add((kind, values[name]))
    if "debtorId" in values:
        found.add(("obligation", values["debtorId"], values["creditorId"]))
    if "collateral" in values:
        found.add(("collateral", values.get("creditorId", values["brandId"])))
    if "ruleId" in values:
        found.add(("rule", values["brandId"], values["ruleId"]))
    if "openingId" in values:
        found.add(("opening", values["brandId"], values["openingId"]))
    if "agreementId" in values:
        found.add(("agreement", values["agreementId"]))
    if event.contract == "PartnerRegistry":
        found.add(("standing", values.get("brandId", 0)))
    if "roleId" in values:
        found.add(("role", values["roleId"], values.get("account")))
    return found


def main_subjects(event: Event) -> set[Subject]:
    """The hold, exchange or period that an act goes on with: if its last word is in doubt, so is all that follows."""
    found: set[Subject] = {
        (kind, event.values[name])
        for name, kind in (("holdId", "hold"), ("exchangeId", "exchange"), ("period", "period"))
        if name in event.values
    }
    if event.name == "Returned":
        found.add(("award", event.values["brandId"], event.values["operationId"]))
    return found


def described(event: Event) -> str:
    """Where to look: what the event is about."""
    named = [
        f"{name} {value}"
        for name, value in event.values.items()
        if isinstance(value, (int, str)) and not isinstance(value, bool)
    ]
    return f"{event.name} of {', '.join(named)}."
