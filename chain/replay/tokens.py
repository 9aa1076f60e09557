"""The model's token that also keeps the words in which its lots are stored, and says LotsChanged."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from chain.model import lots as lot
from chain.model.lots import SLOT_BITS, SLOTS, TAG_SHIFT, WORDS, Lots
from chain.model.token import Back, Token

Words = tuple[int, int, int, int]
NO_WORDS: Final[Words] = (0, 0, 0, 0)


def word_of(group: int, lots: Mapping[int, int]) -> int:
    """The word of a group, tag and all; without points it is the bare tag."""
    word = group << TAG_SHIFT
    for slot in range(SLOTS):
        points = lots.get(SLOTS * group + slot)
        if points:
            word |= points << SLOT_BITS * slot
    return word


def written(words: Words, changed: Iterable[int]) -> Words:
    """The stored words after LotsChanged with these: a bare tag empties its place."""
    found = list(words)
    for word in changed:
        group = word >> TAG_SHIFT
        found[group % WORDS] = word if word != group << TAG_SHIFT else 0
    return found[0], found[1], found[2], found[3]


@dataclass(slots=True)
class StatedToken(Token):
    """A token whose lots can be set to what the chain states."""

    words: dict[str, Words] = field(default_factory=dict)
    supply_words: Words = NO_WORDS
    waiting: dict[str, Lots] | None = None
    # Words of the accounts that the present act has touched, as they were before it; no part of the state.
    before: dict[str, Words] = field(default_factory=dict)

    def retract(self, account: str, announced: Iterable[int], said: Iterable[int]) -> None:
        """The chain changed other words of the account than the model, which took the points from other lots: those
        that the chain left alone are as they were before the act. What follows of it is for `accept`, which is next."""
        told = {word >> TAG_SHIFT for word in said}
        words, before = list(self.words.get(account, NO_WORDS)), self.before.get(account, NO_WORDS)
        for group in {word >> TAG_SHIFT for word in announced} - told:
            words[group % WORDS] = before[group % WORDS]
        self.words[account] = words[0], words[1], words[2], words[3]

    def accept(self, account: str, words: Iterable[int], at: int) -> None:
        """The chain says that these words of the account are so now; the supply follows lot by lot (SPEC 1.6)."""
        epoch = self.clock.epoch(at)
        before = self.lots_of(account, at)
        self.words[account] = written(self.words.get(account, NO_WORDS), words)
        after = lot.live(lot.unpacked(self.words[account]), epoch)
        self.accounts[account] = after
        supply = self.supply_by_expiry(at)
        changed = {expiry for expiry in {*before, *after} if before.get(expiry, 0) != after.get(expiry, 0)}
        for expiry in changed:
            supply[expiry] = max(0, supply.get(expiry, 0) + after.get(expiry, 0) - before.get(expiry, 0))
        self.supply = dict(sorted(supply.items()))
        self._store_supply(dict.fromkeys(changed, 0))

    def receive(self, account: str, points: int, at: int) -> None:
        """Points that the chain minted into the present lot, without an award."""
        expiry = self.clock.expiry_of_mint(at)
        held = lot.plus(self.lots_of(account, at), {expiry: points})
        self.accept(account, [word_of(expiry // SLOTS, held)], at)

    # --- the model's movements, with the words that they touch

    def give_back(self, member: str, lots: Mapping[int, int], at: int) -> Back:
        """As the model; each account touched says its words once, after both transfers."""
        self.waiting = {}
        try:
            back = super(StatedToken, self).give_back(member, lots, at)
        finally:
            touched, self.waiting = self.waiting, None
        for account, changed in touched.items():
            self._announce(account, changed)
        return back

    def _shift(self, sender: str, receiver: str, lots: Mapping[int, int], at: int) -> None:
        super(StatedToken, self)._shift(sender, receiver, lots, at)
        if sender != receiver:
            self._announce(sender, lots)
        self._announce(receiver, lots)

    def _mint(self, member: str, lots: Mapping[int, int], at: int) -> None:
        super(StatedToken, self)._mint(member, lots, at)
        self._store_supply(lots)
        self._announce(member, lots)

    def _mint_named(self, member: str, lots: Mapping[int, int], at: int) -> None:
        """Into a lot that was named for all: no LotsChanged."""
        self.waiting = {}
        try:
            super(StatedToken, self)._mint_named(member, dict(lots), at)
        finally:
            touched, self.waiting = self.waiting, None
        for account, changed in touched.items():
            self._write(account, changed)

    def _burn(self, member: str, lots: Mapping[int, int], at: int, then: Callable[[], None] = lambda: None) -> None:
        super(StatedToken, self)._burn(member, lots, at, then)
        self._store_supply(lots)
        self._announce(member, lots)

    def _announce(self, account: str, touched: Mapping[int, int]) -> None:
        if not touched:
            return
        if self.waiting is not None:
            self.waiting[account] = {**self.waiting.get(account, {}), **touched}
            return
        self.journal.say(self.name, "LotsChanged", account, self._write(account, touched))

    def _write(self, account: str, touched: Mapping[int, int]) -> tuple[int, ...]:
        """Stores the words of the lots touched, and shows them."""
        held = self.accounts[account]
        changed = tuple(word_of(group, held) for group in sorted({expiry // SLOTS for expiry in touched}))
        self.before.setdefault(account, self.words.get(account, NO_WORDS))
        self.words[account] = written(self.words.get(account, NO_WORDS), changed)
        return changed

    def _store_supply(self, touched: Mapping[int, int]) -> None:
        groups = {expiry // SLOTS for expiry in touched}
        self.supply_words = written(self.supply_words, [word_of(group, self.supply) for group in groups])
