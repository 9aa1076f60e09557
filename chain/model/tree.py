"""How a contract remembers awards that may come back: leaves of four words, and a call's root (SPEC 2.16)."""

from collections.abc import Sequence
from typing import Final, Protocol

from eth_utils.crypto import keccak

NOTHING: Final = bytes(32)
WORD: Final = 32


class RuleTerms(Protocol):
    """What a leaf tells of a rule's terms."""

    @property
    def numerator(self) -> int: ...
    @property
    def denominator(self) -> int: ...
    @property
    def cap_per_award(self) -> int: ...
    @property
    def cap_per_member_day(self) -> int: ...
    @property
    def notice_s(self) -> int: ...
    @property
    def kind(self) -> int: ...
    @property
    def rounding(self) -> int: ...
    @property
    def return_window_s(self) -> int: ...
    @property
    def shortfall(self) -> int: ...
    @property
    def day_start(self) -> int: ...


class Asked(Protocol):
    """What was asked for."""

    @property
    def operation_id(self) -> int: ...
    @property
    def rule_id(self) -> int: ...
    @property
    def member(self) -> str: ...
    @property
    def base_amount(self) -> int: ...


class Award(Protocol):
    """What a leaf tells of an award; place: among the leaves of its call."""

    @property
    def item(self) -> Asked: ...
    @property
    def terms(self) -> RuleTerms: ...
    @property
    def version(self) -> int: ...
    @property
    def points(self) -> int: ...
    @property
    def expiry(self) -> int: ...
    @property
    def at(self) -> int: ...
    @property
    def place(self) -> int: ...


def rate_word(terms: RuleTerms) -> int:
    """The first word of the terms as the contract keeps them."""
    return (
        terms.numerator
        | terms.denominator << 48
        | terms.cap_per_award << 96
        | terms.cap_per_member_day << 144
        | terms.notice_s << 192
        | terms.kind << 224
        | terms.rounding << 232
    )


def award_word(base_amount: int, points: int, rule_id: int, version: int) -> int:
    """The word of the event Awarded."""
    return base_amount | points << 96 | rule_id << 144 | version << 176


def words(award: Award) -> tuple[int, int, int, int]:
    """What a return brings along."""
    item, terms = award.item, award.terms
    return (
        item.operation_id,
        int(item.member, 16) << 96 | award.expiry << 64 | award.at << 24 | terms.day_start,
        award_word(item.base_amount, award.points, item.rule_id, award.version)
        | terms.return_window_s << 200
        | terms.shortfall << 232
        | award.place << 240,
        rate_word(terms),
    )


def leaf(award: Award) -> bytes:
    """The hash of the award's words."""
    return keccak(b"".join(word.to_bytes(WORD) for word in words(award)))


def root(leaves: Sequence[bytes]) -> bytes:
    """The root of at least one leaf."""
    level = list(leaves)
    while len(level) > 1:
        level = _above(level)
    return level[0]


def proof(leaves: Sequence[bytes], place: int) -> list[bytes]:
    """The neighbours from a leaf to the root."""
    level, way = list(leaves), []
    while len(level) > 1:
        way.append(level[place ^ 1] if place ^ 1 < len(level) else NOTHING)
        level, place = _above(level), place // 2
    return way


def climbed(node: bytes, place: int, way: Sequence[bytes]) -> bytes:
    """The root that a proof leads to."""
    for neighbour in way:
        node = keccak(neighbour + node if place & 1 else node + neighbour)
        place //= 2
    return node


def _above(level: Sequence[bytes]) -> list[bytes]:
    """Neighbours hashed in their order; a last one without has nothing to its right."""
    padded = [*level, NOTHING] if len(level) % 2 else level
    return [keccak(padded[at] + padded[at + 1]) for at in range(0, len(padded), 2)]
