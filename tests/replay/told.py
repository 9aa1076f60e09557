"""A made-up chain: the model acts, and what it says is told as the contracts' logs, without a node."""

from collections.abc import Sequence
from typing import Any

from chain.contracts.codec import EventLog
from chain.model.access import Kind, role_of
from chain.model.call import Call
from chain.model.policy import Policy
from chain.model.registry import Invitation
from chain.model.rules import Item, Rounding, RuleKind, RuleTerms
from chain.replay import Block, Facts, TokenTerms
from chain.replay.authority import StatedGrant
from chain.replay.books import Books
from chain.replay.compare import Expected, expected_of
from chain.replay.decoding.shapes import Shapes

START = 1_893_456_000
DAY = 86_400
SHAPES = Shapes.load()


def address(number: int) -> str:
    """An address of its own."""
    return "0x" + number.to_bytes(20).hex()


ADMIN, OPERATOR, OWNER, ISSUER = address(1), address(2), address(3), address(4)
TOKEN = address(0x70)
FACTS = Facts(
    registry=address(0x10),
    rules=address(0x11),
    desk=address(0x12),
    exchange=address(0x13),
    house=address(0x14),
    authority=address(0x15),
    implementation=address(0x16),
    chain_id=1337,
    terms=lambda token: TokenTerms(DAY, 15, 3 * DAY, START, "Café"),
)
ADDRESSES = {label: place for place, label in FACTS.labels().items()} | {"LoyaltyToken 1": TOKEN}
RULE = RuleTerms(
    "0x" + "00" * 32, RuleKind.RATE, Rounding.NEAREST, 3, 2, 0, 0, 2**56 - 1, 0, 2**40 - 1, 3_600, "0x" + "ab" * 32
)


def shape(value: Any, parts: Sequence[str]) -> Any:
    """A value as the codec gives it: integers as text, structs as dicts."""
    if isinstance(value, bool):
        return value
    if isinstance(value, int):
        return str(value)
    if isinstance(value, tuple) and parts:
        return {name: shape(each, ()) for name, each in zip(parts, value, strict=True)}
    if isinstance(value, tuple):
        return [shape(each, ()) for each in value]
    return value


class Told:
    """One brand with a rule on a chain that is told block by block."""

    def __init__(self) -> None:
        self.books = Books.of(FACTS)
        self.blocks: list[Block] = []
        self.at = START - 2
        self.tx = 0
        self._begin()

    def tell(self, events: Sequence[Expected]) -> None:
        """One transaction with these events, in a block of its own."""
        number, self.tx = len(self.blocks) + 1, self.tx + 1
        tx_hash = "0x" + self.tx.to_bytes(32).hex()
        logs = [
            EventLog(
                number,
                "0x" + number.to_bytes(32).hex(),
                tx_hash,
                0,
                index,
                ADDRESSES[contract],
                contract,
                name,
                {key: shape(value, SHAPES.parts(name, key)) for key, value in values.items()},
            )
            for index, (contract, name, values) in enumerate(events)
        ]
        self.blocks.append(Block(number, self.at, logs, {}))
        self.at += 1

    def said(self) -> list[Expected]:
        """What the model has said, as the contracts order it: awards before movements."""
        facts = expected_of(self.books.facts(), SHAPES)
        return sorted(facts, key=lambda each: each[0].startswith("LoyaltyToken") if each[1] != "HoldPlaced" else True)

    def award(self, *items: Item) -> None:
        """A batch."""
        self.books.rules.award_batch(Call(ISSUER, self.at), 1, items)
        self.tell(self.said())

    def _begin(self) -> None:
        roles = self.books.stated_roles
        roles.state(0, ADMIN, StatedGrant(0, 0))
        roles.state(1, OPERATOR, StatedGrant(0, 0))
        for role, holder in ((0, ADMIN), (1, OPERATOR)):
            granted = {"roleId": role, "account": holder, "delay": 0, "since": self.at, "newMember": True}
            self.tell([("Authority", "RoleGranted", granted)])
        self._invite()
        self.books.registry.activate(Call(OPERATOR, self.at), 1)
        self.tell(self.said())
        issuer = role_of(1, Kind.ISSUER)
        roles.state(issuer, ISSUER, StatedGrant(self.at, 0))
        granted = {"roleId": issuer, "account": ISSUER, "delay": 0, "since": self.at, "newMember": True}
        self.tell([("Authority", "RoleGranted", granted)])
        self.books.rules.publish(Call(OWNER, self.at), 1, RULE)
        self.tell(self.said())

    def _invite(self) -> None:
        invitation = Invitation("Café", "CAFE", DAY, 15, 3 * DAY, Policy.OPEN, OWNER, OWNER, "0x" + "00" * 32)
        self.books.registry.invite(Call(OPERATOR, self.at), invitation, TOKEN)
        self.books.add_token(1, TOKEN, FACTS.terms(TOKEN), Policy.OPEN)
        first = role_of(1, Kind.OWNER)
        self.books.stated_roles.state(first, OWNER, StatedGrant(self.at, 0))
        granted = {"roleId": first, "account": OWNER, "delay": 0, "since": self.at, "newMember": True}
        events: list[Expected] = [
            *self.said(),
            ("LoyaltyToken 1", "PolicyChanged", {"policy": 2}),
            ("Authority", "RoleGranted", granted),
        ]
        for kind in Kind:
            admin = {"roleId": role_of(1, kind), "admin": first}
            guardian = {"roleId": role_of(1, kind), "guardian": role_of(1, Kind.GUARDIAN)}
            events += [("Authority", "RoleAdminChanged", admin), ("Authority", "RoleGuardianChanged", guardian)]
        delay = {"roleId": role_of(1, Kind.TREASURER), "delay": DAY, "since": self.at + 5 * DAY}
        self.tell([*events, ("Authority", "RoleGrantDelayChanged", delay)])
