"""One act with everything known of it: its events, its second, and the transaction if the call was its own."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from chain.model.call import Call
from chain.model.clock import FOREVER
from chain.replay.authority import SOMEBODY
from chain.replay.decoding.facts import Facts, Sent
from chain.replay.decoding.inputs import CallRequest
from chain.replay.decoding.shapes import Event
from chain.replay.decoding.signatures import digest, domain, signer


@dataclass(slots=True)
class CallContext:
    """sent and asked: the transaction and its decoded call, when it called the act's contract itself.

    stranger: told of an account whose signature its own key did not make: a smart wallet, or a forgery.
    """

    kind: str
    events: list[Event]
    named: Event
    at: int
    facts: Facts
    sent: Sent | None = None
    asked: CallRequest | None = None
    third_party: Callable[[str], None] = field(default=lambda account: None)

    def __getitem__(self, name: str) -> Any:
        return self.named.values[name]

    def first(self, name: str) -> Event | None:
        """The first event of that name."""
        return next((event for event in self.events if event.name == name), None)

    def all(self, name: str) -> list[Event]:
        """All events of that name."""
        return [event for event in self.events if event.name == name]

    @property
    def call(self) -> Call:
        """The call by whoever made it; without the transaction by somebody who may."""
        return Call(self.sent.by, self.at, self.sent.data) if self.sent else Call(SOMEBODY, self.at)

    def call_of(self, member: str) -> Call:
        """The call of a member's own act; without the transaction by the member."""
        return Call(self.sent.by, self.at, self.sent.data) if self.sent else Call(member, self.at)

    def argument(self, name: str, otherwise: Any) -> Any:
        """What the call asked, or what the events say of it."""
        return self.asked.values.get(name, otherwise) if self.asked else otherwise

    @property
    def deadline(self) -> int:
        """The call's deadline; without the transaction none."""
        found: int = self.argument("deadline", FOREVER)
        return found

    def signature(self, account: str, name: str, values: list[Any], *, field_name: str = "signature") -> str | None:
        """Who signed these values in the domain `name` of the act's contract; without the transaction, the account."""
        if self.asked is None or self.sent is None or self.sent.by == account:
            return account
        raw = bytes.fromhex(self.asked.values[field_name][2:])
        separator = domain(name, self.facts.chain_id, self.named.log.address)
        if signer(digest(separator, self.asked.function, values), raw) != account:
            self.third_party(account)
        return account
