"""What members and brands decide on (SPEC 18): a proposal, its electorate, what was said to it, and where it stands."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum, IntEnum, auto
from typing import Final

from chain.model.errors import (
    ActionNotAllowed,
    ActionsUnknown,
    ActionsWrong,
    BrandNotAsked,
    ElectorateMixed,
)
from chain.model.ids import hash_of

ACTIONS_MAX: Final = 8
BPS: Final = 10_000
LIFE_S: Final = 30 * 86_400
SELECTOR_BYTES: Final = 4
NAMED_BYTES: Final = 36


class State(IntEnum):
    """Where a proposal stands."""

    NONE = 0
    OPEN = 1
    AGREED = 2
    REFUSED = 3
    QUEUED = 4
    EXECUTED = 5
    VETOED = 6
    STALE = 7


class Choice(IntEnum):
    """What a vote or a voice says."""

    AGAINST = 0
    FOR = 1
    ABSTAIN = 2


class Names(Enum):
    """What the first argument of a call that may be decided on names."""

    BRAND = auto()
    AGREEMENT = auto()
    TEXT = auto()


@dataclass(frozen=True, slots=True)
class GovernorTerms:
    """What is fixed when the governor is made."""

    challenge_s: int
    preparation_s: int
    voting_s: int
    delay_s: int
    threshold_bps: int
    quorum_bps: int


@dataclass(frozen=True, slots=True)
class Voting:
    """A governor: its timelock, its terms, and (target, selector) of what a vote may decide on."""

    timelock: str
    terms: GovernorTerms
    decides: Mapping[tuple[str, bytes], Names]


@dataclass(frozen=True, slots=True)
class Action:
    """One call that the timelock is to make."""

    target: str
    data: bytes


@dataclass(frozen=True, slots=True)
class Ground:
    """The block before a proposal's; hash 0x text, time in unix seconds."""

    number: int
    hash: str
    time: int


@dataclass(slots=True)
class House:
    """What the members of a brand said, in points."""

    total: int = 0
    said: dict[Choice, int] = field(default_factory=lambda: dict.fromkeys(Choice, 0))

    def agrees(self, quorum_bps: int) -> bool:
        """More for it than against it, and the quorum has voted."""
        if self.said[Choice.FOR] <= self.said[Choice.AGAINST]:
            return False
        return sum(self.said.values()) * BPS >= self.total * quorum_bps


@dataclass(slots=True)
class Proposal:
    """weights: brand → account → points at the end of the ground's block; supplies: brand → their sum."""

    number: int
    actions_hash: str
    text_hash: str
    ground: Ground
    prepared_until: int
    voted_until: int
    brands: tuple[int, ...]
    brand_count: int
    weights: Mapping[int, Mapping[str, int]]
    supplies: Mapping[int, int]
    voices: dict[int, Choice] = field(default_factory=dict)
    houses: dict[int, House] = field(default_factory=dict)
    voted: set[tuple[int, int, int]] = field(default_factory=set)
    ready_at: int = 0
    vetoed: bool = False
    executed: bool = False

    @property
    def electorate(self) -> Sequence[int]:
        """Who is asked: the brands that the actions name, or all of them."""
        return self.brands or range(1, self.brand_count + 1)

    def check_asked(self, brand_id: int) -> None:
        """Refuses a brand that is not asked."""
        if brand_id not in self.electorate:
            raise BrandNotAsked(self.number, brand_id)

    def check_actions(self, actions: Sequence[Action]) -> None:
        """Refuses other actions than the proposal's."""
        found = hash_of_actions(actions)
        if found != self.actions_hash:
            raise ActionsUnknown(found)

    def outcome(self, quorum_bps: int) -> tuple[bool, bool]:
        """Whether the members' house and the brands' house agree."""
        asked = len(self.electorate)
        members = sum(house.agrees(quorum_bps) for house in self.houses.values())
        brands = sum(choice == Choice.FOR for choice in self.voices.values())
        return 2 * members > asked, 2 * brands > asked

    def state(self, at: int, quorum_bps: int) -> State:
        """Where it stands at second `at`."""
        if self.vetoed:
            return State.VETOED
        if self.executed:
            return State.EXECUTED
        if self.ready_at:
            return State.QUEUED if at < self.ready_at + LIFE_S else State.STALE
        if at < self.voted_until:
            return State.OPEN
        if not all(self.outcome(quorum_bps)):
            return State.REFUSED
        return State.AGREED if at < self.voted_until + LIFE_S else State.STALE

    def shown(self, state: State) -> tuple[object, ...]:
        """In the contract's order of values."""
        first, second = (*self.brands, 0, 0)[:2]
        voices = list(self.voices.values())
        return (
            self.actions_hash,
            self.text_hash,
            self.ground.hash,
            self.ground.number,
            self.prepared_until,
            self.voted_until,
            first,
            second,
            self.brand_count,
            voices.count(Choice.FOR),
            voices.count(Choice.AGAINST),
            state,
        )


def hash_of_actions(actions: Sequence[Action]) -> str:
    """keccak256(abi.encode(actions))."""
    return hash_of(["(address,bytes)[]"], [(each.target, each.data) for each in actions])


def operation_id(actions: Sequence[Action], proposal_id: int) -> str:
    """The timelock's id of a proposal's calls: no value, no predecessor, the proposal's id as salt."""
    return hash_of(
        ["address[]", "uint256[]", "bytes[]", "bytes32", "bytes32"],
        [each.target for each in actions],
        [0] * len(actions),
        [each.data for each in actions],
        bytes(32),
        proposal_id.to_bytes(32),
    )


def electorate_of(
    actions: Sequence[Action],
    decides: Mapping[tuple[str, bytes], Names],
    brands_of: Callable[[Names, int], tuple[int, ...]],
) -> tuple[int, ...]:
    """The brands that the actions name, at most two; none: the programme's text. brands_of refuses the unknown."""
    if not 1 <= len(actions) <= ACTIONS_MAX:
        raise ActionsWrong(len(actions), ACTIONS_MAX)
    found: tuple[int, ...] = ()
    text = False
    for action in actions:
        selector = action.data[:SELECTOR_BYTES].ljust(SELECTOR_BYTES, b"\0")
        names = decides.get((action.target, selector))
        if names is None or len(action.data) < NAMED_BYTES:
            raise ActionNotAllowed(action.target, "0x" + selector.hex())
        text = text or names is Names.TEXT
        for brand_id in brands_of(names, int.from_bytes(action.data[SELECTOR_BYTES:NAMED_BYTES])):
            if brand_id not in found:
                found = (*found, brand_id)
            if len(found) > 2:
                raise ElectorateMixed
    if text and found:
        raise ElectorateMixed
    return found
