"""The whole ledger: all contracts' rules over one set of books."""

from collections.abc import Callable, Sequence
from copy import deepcopy
from dataclasses import dataclass, field, replace

from chain.model.access import MOA_ADMIN, MOA_GUARDIAN, MOA_OPERATOR, Roles
from chain.model.agreements import Agreements
from chain.model.badges import Badges
from chain.model.call import Call, Fact, Journal
from chain.model.clearing import Clearing
from chain.model.clock import Clock
from chain.model.desk import Desk
from chain.model.exchange import Exchanges
from chain.model.governor import Governor
from chain.model.openings import Openings
from chain.model.proposals import Action, Voting
from chain.model.registry import Invitation, Registry
from chain.model.rules import Rules
from chain.model.token import Token


@dataclass(frozen=True, slots=True)
class Parties:
    """Where Moa's contracts are and who runs them; addresses lower-case 0x text."""

    desk: str
    exchange: str
    clearing: str
    admin: str
    operator: str
    guardian: str
    badges: str = ""
    voting: Voting | None = None


@dataclass(slots=True)
class Ledger:
    """Brands are added as they are invited; every other change is a call on one of the parts."""

    parties: Parties
    journal: Journal = field(default_factory=Journal)
    roles: Roles = field(default_factory=Roles)
    tokens: dict[int, Token] = field(default_factory=dict)
    registry: Registry = field(init=False)
    rules: Rules = field(init=False)
    desk: Desk = field(init=False)
    clearing: Clearing = field(init=False)
    agreements: Agreements = field(init=False)
    exchanges: Exchanges = field(init=False)
    openings: Openings = field(init=False)
    badges: Badges = field(init=False)
    governor: Governor | None = field(init=False, default=None)

    def __post_init__(self) -> None:
        parties = self.parties
        self.roles.give(MOA_ADMIN, parties.admin)
        self.roles.give(MOA_OPERATOR, parties.operator)
        self.roles.give(MOA_GUARDIAN, parties.guardian)
        self.registry = Registry(parties.clearing, self.roles, self.journal)
        self.rules = Rules(self.registry, self.tokens, self.roles, self.journal)
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
            self.governor = Governor(
                parties.voting, self.registry, self.agreements, self.tokens, self.roles, self.journal
            )

    def invite(self, call: Call, invitation: Invitation, token: str) -> int:
        """A new brand with its token at the address that the chain chose; its id."""
        brand_id = self.registry.invite(call, invitation, token)
        made = self.tokens[brand_id] = Token(
            brand_id=brand_id,
            address=token,
            clock=Clock(call.at, invitation.epoch_s, invitation.lifetime_epochs, invitation.grace_s),
            policy=invitation.policy,
            desk=self.parties.desk,
            roles=self.roles,
            journal=self.journal,
        )
        self.journal.say(made.name, "PolicyChanged", invitation.policy)
        return brand_id

    def execute(
        self,
        call: Call,
        proposal_id: int,
        actions: Sequence[Action],
        makes: Sequence[Callable[["Ledger", Call], object]],
    ) -> None:
        """A queued proposal's calls by the timelock, all or none. makes: what each action does to the books."""
        assert self.governor is not None, "a programme without votes"
        self.governor.check_execution(call, proposal_id, actions)
        trial = deepcopy(self)
        for ledger in (trial, self):
            assert ledger.governor is not None
            ledger.governor.executed(proposal_id)
            for action, make in zip(actions, makes, strict=True):
                make(ledger, replace(call, by=ledger.governor.voting.timelock, data=action.data))

    def facts(self) -> list[Fact]:
        """What the contracts have said since the last time this was asked."""
        return self.journal.drain()
