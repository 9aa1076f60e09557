"""Decisions: a fact turned into the award that its kind's rule gives. Nobody here commits."""

from __future__ import annotations

from collections.abc import Mapping as Dict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlmodel import Session, col, select

from api.decisions.mappings import MAPPINGS, Mapping
from api.decisions.models import Award, GoodsReturn
from api.events.errors import RuleMissing, RuleUnread
from api.events.kinds import Data, FactKind
from api.events.models import Event
from api.kit.clock import now_ms
from api.kit.problems import Problem
from api.members.models import Brand
from chain.base.scalars import Address
from chain.mirror.queries import brands
from chain.mirror.queries.brands import Rewarding
from chain.outbox import calls, operations
from chain.outbox.operations import NewOperation
from chain.storage import bulk
from chain.storage.columns import table_of

EVENTS_MAX = 1_000


@dataclass(frozen=True, slots=True)
class Decided:
    """What a fact is worth: its operation, and the row that ties both."""

    operation: NewOperation
    row: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of an award. points: what the chain issued; None as long as it has not, or when it refused."""

    state: str
    points: int | None
    version: int | None


@dataclass(slots=True)
class Decider:
    """Decides facts of one kind for one brand, by what is in force at one moment."""

    kind: FactKind
    brand: Brand
    mapping: Mapping
    rules: Sequence[Rewarding]
    at_ms: int
    unread: bool = False

    def refusal(self, data: Data) -> Problem | None:
        """Why a fact counts nothing, whatever rule is in force."""
        return self.mapping.refusal(data, self.brand)

    def beyond(self, data: Data) -> Problem | None:
        """That a fact which is not known yet is more than the brand's ceiling lets it be."""
        return self.mapping.beyond(data, self.brand)

    def missing(self, occurred_at_ms: int) -> RuleMissing | RuleUnread | None:
        """That no rule rewards the activity when the award would go, or that it cannot be told."""
        if self.unread:
            return RuleUnread(f"The rules of {self.brand.slug} are still being read; send it again in a moment.")
        if self._rule(occurred_at_ms) is not None:
            return None
        until = " that still gives points when their lock ends" if self.rules else ""
        return RuleMissing(
            f"{self.brand.slug} publishes no rule for the activity {self.mapping.activity}{until}.",
            brand=self.brand.slug,
        )

    def _rule(self, occurred_at_ms: int) -> Rewarding | None:
        """The youngest rule that lasts until the award goes."""
        for one in self.rules:
            due_s = self._due_ms(one, occurred_at_ms) // 1000
            if due_s * 1000 <= self.at_ms or one.end_s == 0 or due_s < one.end_s:
                return one
        return None

    @staticmethod
    def _due_ms(rule: Rewarding, occurred_at_ms: int) -> int:
        """The second at which an award is asked for; whole, and never before the lock has passed."""
        return (-(-occurred_at_ms // 1000) + rule.lock_s) * 1000

    def decide(
        self,
        data: Data,
        *,
        external_id: str,
        occurred_at_ms: int,
        address: Address,
        memo_root: bytes | None,
        bulk: bool,
        retry_for_s: int | None,
    ) -> Decided:
        """The award of a fact; only when no rule is missing."""
        rule = self._rule(occurred_at_ms)
        assert rule is not None, "a missing rule is refused before"
        due_at_ms = self._due_ms(rule, occurred_at_ms) if rule.lock_s else None
        base_amount = self.mapping.base_amount(data)
        operation = calls.award(
            key=f"{self.kind.name}/{self.brand.registry_id}/{external_id}",
            brand=self.brand.registry_id,
            member=address,
            rule=rule.rule,
            base_amount=base_amount,
            memo_root=memo_root,
            bulk=bulk,
        )
        until_ms = max(self.at_ms, due_at_ms or 0) + 1000 * retry_for_s if retry_for_s else None
        operation = replace(operation, due_at_ms=due_at_ms, retry_until_ms=until_ms)
        row = {
            "activity": self.mapping.activity,
            "rule": rule.rule,
            "base_amount": str(base_amount),
            "decided_at_ms": self.at_ms,
        }
        return Decided(operation, row)


def decider(session: Session, *, kind: FactKind, brand: Brand) -> Decider:
    """Reads what is in force."""
    mapping, at_ms = MAPPINGS[kind.name], now_ms()
    rules = brands.rules_for(session, brand.registry_id, mapping.activity, at_s=at_ms // 1000)
    unread = brands.may_come(session, rules[0].rule if rules else None)
    return Decider(kind, brand, mapping, rules, at_ms, unread)


def store(session: Session, decided: Sequence[Decided], *, events: Sequence[int], made: Sequence[int]) -> None:
    """Ties each fact to its operation."""
    rows = [
        {"event": event, **one.row, "operation": operation}
        for one, event, operation in zip(decided, events, made, strict=True)
    ]
    bulk.insert(session.connection(), table_of(Award), rows)


def change(session: Session, event: int, decided: Decided) -> None:
    """Another decision about a fact that was corrected; it stays the same operation."""
    table = table_of(Award)
    session.connection().execute(
        table.update().where(table.c.event == event, table.c.activity == decided.row["activity"]).values(decided.row)
    )


def operations_of(session: Session, events: Sequence[int]) -> dict[int, int]:
    """The operation of each fact that was decided."""
    if not events:
        return {}
    rows = session.exec(select(Award.event, Award.operation).where(col(Award.event).in_(events)))
    return dict(rows.all())


def facts_of(session: Session, operations: Sequence[int]) -> dict[int, tuple[str, str]]:
    """(the source's id of the fact, its member) of each of the operations that a fact made."""
    if not operations:
        return {}
    found: dict[int, tuple[str, str]] = {}
    for made in (Award, GoodsReturn):
        rows = session.exec(
            select(made.operation, Event.external_id, Event.subject)
            .join(Event, col(Event.id) == col(made.event))
            .where(col(made.operation).in_(operations))
        )
        found |= {
            operation: (external_id, subject) for operation, external_id, subject in rows if operation is not None
        }
    return found


def fact_of(session: Session, operation: int) -> Event:
    """The fact that made an operation."""
    return session.exec(
        select(Event).join(Award, col(Award.event) == col(Event.id)).where(Award.operation == operation)
    ).one()


def outcome(session: Session, event: int) -> Dict[str, Outcome]:
    """What became of a fact's awards, by activity, as the chain has it now."""
    rows = session.exec(select(Award.activity, Award.operation).where(Award.event == event)).all()
    found = operations.get_many(session.connection(), [operation for _, operation in rows])
    outcomes = {}
    for activity, operation in rows:
        view = found[operation]
        result = view.result or {}
        points, version = result.get("points"), result.get("version")
        outcomes[activity] = Outcome(
            view.state, None if points is None else int(points), None if version is None else int(version)
        )
    return outcomes
