"""The points that members had before their brand came to Moa (SPEC 16)."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

from eth_abi.abi import encode
from eth_utils.crypto import keccak

from chain.model import lots as lot
from chain.model import merkle
from chain.model.access import Announcements, Kind, Roles, role_of
from chain.model.call import NOBODY, Call, Journal
from chain.model.errors import (
    BatchSizeWrong,
    LineClaimed,
    LineLotsInvalid,
    LineUnknown,
    MemberInvalid,
    OpeningBegun,
    OpeningExceeded,
    OpeningNotOpen,
    OpeningOver,
    OpeningProofInvalid,
    OpeningSettled,
    OpeningTermsInvalid,
    OpeningUnknown,
)
from chain.model.registry import Registry
from chain.model.token import Token

OPENINGS: Final = "OpeningBalances"
BATCH_LINES_MAX: Final = 200
LINES_MAX: Final = 2**32 - 1
END_MAX: Final = 2**40 - 1
POINTS_MASK: Final = (1 << lot.TAG_SHIFT) - 1
ZERO: Final = "0x" + "00" * 32

Words = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class OpeningTerms:
    """What a brand commits. lots: the schedule, packed."""

    root: str
    lots: Words
    lines: int
    start: int
    end: int
    file_hash: str


@dataclass(frozen=True, slots=True)
class Line:
    """One member's old balance, its lots packed."""

    index: int
    member: str
    lots: Words

    def leaf(self) -> bytes:
        """The line as the tree has it."""
        plain = encode(["uint256", "address", "uint256[4]"], [self.index, self.member, self.lots])
        return keccak(keccak(plain))


@dataclass(slots=True)
class Opening:
    """An opening as it stands. remaining: what of the schedule is not claimed, word by word."""

    terms: OpeningTerms
    comparing: bool
    remaining: list[int]
    end: int
    version: int = 1
    claimed: set[int] = field(default_factory=set)


@dataclass(slots=True)
class Openings:
    """All openings of all brands, ids from 1 within a brand."""

    registry: Registry
    tokens: dict[int, Token]
    roles: Roles
    journal: Journal
    openings: dict[int, list[Opening]] = field(default_factory=dict)
    announcements: Announcements = field(init=False)

    def __post_init__(self) -> None:
        self.announcements = Announcements(OPENINGS, self.roles, self.journal)

    # --- reading

    def opening(self, brand_id: int, opening_id: int) -> Opening:
        """The opening, or OpeningUnknown."""
        openings = self.openings.get(brand_id, [])
        if not 1 <= opening_id <= len(openings):
            raise OpeningUnknown(brand_id, opening_id)
        return openings[opening_id - 1]

    def is_claimed(self, brand_id: int, opening_id: int, index: int) -> bool:
        """Whether the line has counted."""
        return index in self.opening(brand_id, opening_id).claimed

    # --- the brand's owner

    def commit(self, call: Call, brand_id: int, terms: OpeningTerms, comparing: bool) -> int:
        """A new opening; its id."""
        self.registry.brand_of(brand_id)
        use = self._check_owner(call, brand_id)
        self._check_terms(brand_id, terms, call.at)

        use()
        openings = self.openings.setdefault(brand_id, [])
        openings.append(Opening(terms, comparing, list(terms.lots), terms.end))
        self._say(brand_id, len(openings))
        return len(openings)

    def replace(self, call: Call, brand_id: int, opening_id: int, terms: OpeningTerms) -> int:
        """Other terms in place of an opening that is compared and unclaimed; their version."""
        use = self._check_owner(call, brand_id)
        opening = self.opening(brand_id, opening_id)
        if not opening.comparing:
            raise OpeningSettled(brand_id, opening_id)
        if opening.claimed:
            raise OpeningBegun(brand_id, opening_id, len(opening.claimed))
        self._check_terms(brand_id, terms, call.at)

        use()
        replaced = Opening(terms, True, list(terms.lots), terms.end, opening.version + 1)
        self.openings[brand_id][opening_id - 1] = replaced
        self._say(brand_id, opening_id)
        return replaced.version

    def end_comparing(self, call: Call, brand_id: int, opening_id: int) -> None:
        """The root stands from now on."""
        use = self._check_owner(call, brand_id)
        opening = self.opening(brand_id, opening_id)
        if not opening.comparing:
            raise OpeningSettled(brand_id, opening_id)

        use()
        opening.comparing = False
        self.journal.say(OPENINGS, "ComparingEnded", brand_id, opening_id)

    def prolong(self, call: Call, brand_id: int, opening_id: int, end: int) -> None:
        """Lines are claimed for longer."""
        use = self._check_owner(call, brand_id)
        opening = self.opening(brand_id, opening_id)
        if call.at >= opening.end:
            raise OpeningOver(opening.end, call.at)
        if not opening.end < end <= END_MAX:
            raise OpeningTermsInvalid("end")

        use()
        opening.end = end
        self.journal.say(OPENINGS, "OpeningProlonged", brand_id, opening_id, end)

    # --- anyone

    def claim(self, call: Call, brand_id: int, opening_id: int, line: Line, proof: Sequence[bytes]) -> int:
        """One line for its member; the points minted."""
        opening = self._open(brand_id, opening_id, call.at)
        if merkle.root_of(line.leaf(), proof) != bytes.fromhex(opening.terms.root[2:]):
            raise OpeningProofInvalid(opening.terms.root)
        if not self._is_new(opening, line, opening.claimed):
            raise LineClaimed(brand_id, opening_id, line.index)
        left = self._left(brand_id, opening.remaining, line)
        return self._count(brand_id, opening_id, [line], left, call.at)

    def claim_batch(
        self,
        call: Call,
        brand_id: int,
        opening_id: int,
        lines: Sequence[Line],
        proof: Sequence[bytes],
        flags: Sequence[bool],
    ) -> tuple[int, int]:
        """Many lines, those claimed before passed over; how many counted and their points."""
        opening = self._open(brand_id, opening_id, call.at)
        if not 1 <= len(lines) <= BATCH_LINES_MAX:
            raise BatchSizeWrong(len(lines), BATCH_LINES_MAX)
        root = merkle.root_of_many([line.leaf() for line in lines], proof, flags)
        if root != bytes.fromhex(opening.terms.root[2:]):
            raise OpeningProofInvalid(opening.terms.root)
        left, fresh, seen = opening.remaining, [], set(opening.claimed)
        for line in lines:
            if self._is_new(opening, line, seen):
                left = self._left(brand_id, left, line)
                fresh.append(line)
                seen.add(line.index)
        if not fresh:
            raise LineClaimed(brand_id, opening_id, lines[0].index)
        return len(fresh), self._count(brand_id, opening_id, fresh, list(left), call.at)

    def claim_proven(self, call: Call, brand_id: int, opening_id: int, lines: Sequence[Line]) -> int:
        """Lines of which nobody brings the proof, because it is not at hand; the points minted."""
        opening = self._open(brand_id, opening_id, call.at)
        left, seen = opening.remaining, set(opening.claimed)
        for line in lines:
            if not self._is_new(opening, line, seen):
                raise LineClaimed(brand_id, opening_id, line.index)
            left = self._left(brand_id, left, line)
            seen.add(line.index)
        return self._count(brand_id, opening_id, lines, list(left), call.at)

    # --- one line

    def _is_new(self, opening: Opening, line: Line, claimed: set[int]) -> bool:
        if line.index >= opening.terms.lines:
            raise LineUnknown(line.index, opening.terms.lines)
        return line.index not in claimed

    def _left(self, brand_id: int, remaining: Sequence[int], line: Line) -> list[int]:
        token = self.tokens[brand_id]
        if line.member in (NOBODY, token.desk, token.address):
            raise MemberInvalid(line.member)
        left = list(remaining)
        for place, word in enumerate(line.lots):
            if word:
                left[place] = _taken(left[place], word, line.index, place)
        return left

    def _count(self, brand_id: int, opening_id: int, lines: Sequence[Line], left: list[int], at: int) -> int:
        token, opening = self.tokens[brand_id], self.opening(brand_id, opening_id)
        alive = [lot.live(lot.unpacked(line.lots), token.clock.epoch(at)) for line in lines]
        token.check_lots([(line.member, lots) for line, lots in zip(lines, alive, strict=True)])
        opening.remaining = left
        for line, lots in zip(lines, alive, strict=True):
            opening.claimed.add(line.index)
            values = brand_id, opening_id, line.member, line.index, lot.total(lots), line.lots
            self.journal.say(OPENINGS, "OpeningClaimed", *values)
        for line, lots in zip(lines, alive, strict=True):
            token.mint_lots(line.member, lots, at)
        return sum(lot.total(lots) for lots in alive)

    # --- openings

    def _check_owner(self, call: Call, brand_id: int) -> Callable[[], None]:
        return self.announcements.check(call, role_of(brand_id, Kind.OWNER))

    def _open(self, brand_id: int, opening_id: int, at: int) -> Opening:
        self.registry.check_issuing(brand_id)
        opening = self.opening(brand_id, opening_id)
        if not opening.terms.start <= at < opening.end:
            raise OpeningNotOpen(opening.terms.start, opening.end, at)
        return opening

    def _check_terms(self, brand_id: int, terms: OpeningTerms, at: int) -> None:
        clock = self.tokens[brand_id].clock
        if terms.root == ZERO:
            raise OpeningTermsInvalid("root")
        clock.check(clock.expiry_of_mint(at))
        lots = lot.unpacked(terms.lots)
        placed = all((word >> lot.TAG_SHIFT) % lot.WORDS == place for place, word in enumerate(terms.lots) if word)
        within = all(clock.epoch(at) < epoch <= clock.expiry_of_mint(at) for epoch in lots)
        bounds = {
            "lots": placed and within and lot.total(lots) > 0,
            "lines": 1 <= terms.lines <= LINES_MAX,
            "end": terms.start < terms.end <= END_MAX and at < terms.end,
        }
        for name, kept in bounds.items():
            if not kept:
                raise OpeningTermsInvalid(name)

    def _say(self, brand_id: int, opening_id: int) -> None:
        opening = self.opening(brand_id, opening_id)
        terms = opening.terms
        told = terms.root, terms.lots, terms.lines, terms.start, terms.end, terms.file_hash
        values = brand_id, opening_id, opening.version, opening.comparing, told
        self.journal.say(OPENINGS, "OpeningCommitted", *values)


def _taken(have: int, word: int, index: int, place: int) -> int:
    """What is left of a word of the schedule without the line's; its tag stays."""
    group = have >> lot.TAG_SHIFT
    if word >> lot.TAG_SHIFT != group or word & POINTS_MASK == 0:
        raise LineLotsInvalid(index, place)
    for slot in range(lot.SLOTS):
        left = have >> lot.SLOT_BITS * slot & lot.LOT_POINTS_MAX
        points = word >> lot.SLOT_BITS * slot & lot.LOT_POINTS_MAX
        if points > left:
            raise OpeningExceeded(lot.SLOTS * group + slot, points, left)
    return have - (word & POINTS_MASK)
