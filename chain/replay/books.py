"""The model's whole ledger, ready to be set to what the chain states."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

from chain.contracts.codec import Codec
from chain.model.agreements import Agreements
from chain.model.badges import Badges
from chain.model.call import Call
from chain.model.clearing import Clearing
from chain.model.clock import Clock, day_of
from chain.model.desk import Desk
from chain.model.exchange import Exchanges
from chain.model.ledger import Ledger, Parties
from chain.model.openings import Openings
from chain.model.policy import Policy
from chain.model.registry import Registry
from chain.model.rules import Item, Rules, RuleTerms
from chain.replay.authority import StatedRoles
from chain.replay.decoding.facts import Facts, TokenTerms
from chain.replay.operations import Operations
from chain.replay.tokens import StatedToken
from chain.replay.votes import StatedGovernor, voting_of


@dataclass(slots=True)
class StatedRules(Rules):
    """The model's rules, one item of a batch at a time."""

    def begin(self, call: Call, brand_id: int) -> None:
        """What `award` and `awardBatch` look at first (SPEC 2.7)."""
        use: Callable[[], None] = self._check_issuer(call, brand_id)
        use()

    def decide(self, brand_id: int, item: Item, at: int, *, signed: bool = False) -> tuple[int, int]:
        """Points and version of one item, or why it is refused (SPEC 2.8)."""
        return self._decide(brand_id, item, at, signed=signed)

    def count(self, brand_id: int, item: Item, points: int, version: int, at: int) -> None:
        """The item counts: id, budget, day and mint (SPEC 2.13)."""
        self._count(brand_id, item, points, version, at)
        if points:
            self.tokens[brand_id].mint_award(item.member, points, at)

    def commit(self, brand_id: int, items: Sequence[Item], at: int) -> None:
        """What may come back of a call's awards (SPEC 2.16)."""
        self._commit(brand_id, items, at)

    def terms_of(self, brand_id: int, rule_id: int, at: int) -> RuleTerms:
        """The terms in force."""
        return self.rule(brand_id, rule_id).in_force(at)[0]


@dataclass(slots=True)
class Books(Ledger):
    """Nobody holds a role until the chain says so. sealed: Moa's contracts are named (SPEC 6.3)."""

    sealed: bool = False
    # What a call noticed beside its events: what, said, right, rule. Taken by the replay after each act.
    noticed: list[tuple[str, Any, Any, str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        parties = self.parties
        self.roles = StatedRoles()
        self.registry = Registry(parties.clearing, self.roles, self.journal)
        self.rules = StatedRules(self.registry, self.tokens, self.roles, self.journal)
        self.operations = Operations()
        self.desk = Desk(self.registry, self.tokens, self.roles, self.journal)
        self.clearing = Clearing(self.registry, self.roles, self.journal)
        self.agreements = Agreements(self.registry, self.roles, self.journal)
        self.openings = Openings(self.registry, self.tokens, self.roles, self.journal)
        self.badges = Badges(parties.badges, self.registry, self.roles, self.journal)
        self.exchanges = Exchanges(
            parties.exchange,
            self.agreements,
            self.registry,
            self.tokens,
            self.clearing,
            self.desk,
            self.journal,
        )
        if parties.voting is not None:
            self.governor = StatedGovernor(
                parties.voting, self.registry, self.agreements, self.tokens, self.roles, self.journal
            )

    @classmethod
    def of(cls, facts: Facts) -> "Books":
        """The empty books of a deployment."""
        addresses = {name: address for address, name in facts.labels().items()}
        voting = None
        if facts.governor and facts.votes is not None:
            voting = voting_of(addresses, facts.timelock, facts.votes, Codec.load().selector)
        return cls(
            Parties(
                desk=facts.desk,
                exchange=facts.exchange,
                clearing=facts.house,
                admin="",
                operator="",
                guardian="",
                badges=facts.badges,
                voting=voting,
            )
        )

    @property
    def operations(self) -> Operations:
        """The operation ids that have counted."""
        return cast("Operations", cast("object", self.rules.used))

    @operations.setter
    def operations(self, operations: Operations) -> None:
        # What the model asks of a set, in a hundredth of the memory.
        self.rules.used = cast("set[tuple[int, int]]", cast("object", operations))

    @property
    def stated_roles(self) -> StatedRoles:
        """The roles as the chain gave them."""
        return cast("StatedRoles", self.roles)

    @property
    def stated_rules(self) -> StatedRules:
        """The rules, item by item."""
        return cast("StatedRules", self.rules)

    def token(self, brand_id: int) -> StatedToken:
        """A brand's token."""
        return cast("StatedToken", self.tokens[brand_id])

    def add_token(self, brand_id: int, address: str, terms: TokenTerms, policy: Policy) -> StatedToken:
        """A brand's token as it was made."""
        made = self.tokens[brand_id] = StatedToken(
            brand_id=brand_id,
            address=address,
            clock=Clock(terms.origin, terms.epoch_s, terms.lifetime_epochs, terms.grace_s),
            policy=policy,
            desk=self.parties.desk,
            roles=self.roles,
            journal=self.journal,
        )
        return made

    def forget_days(self, at: int) -> None:
        """Drops what was counted on days before (the contracts remember one day as well, which a rule may begin
        later than UTC), and awards that can no longer come back."""
        day = day_of(at) - 1
        self.rules.forget(at)
        if isinstance(self.governor, StatedGovernor):
            self.governor.forget(at)
        for rules in self.rules.rules.values():
            for rule in rules:
                if rule.by_day:
                    rule.by_day = {key: points for key, points in rule.by_day.items() if key[1] >= day}
        flows = self.agreements.flows
        self.agreements.flows = {key: points for key, points in flows.items() if key[2] >= day}
