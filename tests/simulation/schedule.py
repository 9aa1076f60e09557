"""What happens in an episode, all of it decided by the seed before it begins.

A schedule is plain data: it can be printed, shortened and run again. Amounts follow from a rough book of what the
members should have by then, so that most of what is asked for can be done and a share of it cannot.
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field, fields
from typing import Final

from tests.differential.cast import MEMBERS
from tests.simulation.node.troubles import TROUBLES

BAD_SHARE: Final = 0.1
BRAND_IDS: Final = (1, 2, 3, 4)
# The agreements that the base has made: (from, to) by agreement id.
# The rules that the base publishes, by what becomes of goods that come back.
OWING_RULE: Final = 1
FORGIVING_RULES: Final = (2, 3)
# A lock as the gateway sets it: what a rule's terms name, from the fact's second on.
LOCKS_S: Final = (5, 40, 2 * 3_600)
AGREEMENTS: Final = {1: (1, 2), 2: (2, 1), 3: (1, 3), 4: (3, 1), 5: (4, 1), 6: (1, 4)}
HOUR: Final = 3_600
KILL_PLACES: Final = (
    "before a statement",
    "after a statement",
    "before a commit",
    "after a commit",
    "before a request",
    "before its answer",
)
REORGS: Final = ("dropped", "returned", "shuffled", "replaced", "shorter", "merged")

NAMES: Final = sorted(TROUBLES)
# A lie of the node shows only where it meets blocks with something in them: it is told more often.
LIES: Final = ("logs", "block", "receipt", "behind")
WEIGHTS: Final = [3 if any(word in name for word in LIES) else 1 for name in NAMES]


class Shown:
    """Shows what is not as usual."""

    def __repr__(self) -> str:
        given = [(each.name, getattr(self, each.name)) for each in fields(self) if each.default is not None]  # type: ignore[arg-type]
        usual = {each.name: each.default for each in fields(self)}  # type: ignore[arg-type]
        said = ", ".join(f"{name}={value!r}" for name, value in given if value != usual[name])
        return f"{type(self).__name__}({said})"


@dataclass(frozen=True, repr=False)
class Asked(Shown):
    """One operation. `subject`: index of the earlier operation (award, hold, exchange) that it is about. `seconds`: how
    long a hold may last, or how long an award is locked."""

    kind: str
    brand: int
    member: int
    points: int = 0
    rule: int = 0
    other: int = 0
    subject: int = -1
    seconds: int = 0
    wrong: str = ""


@dataclass(frozen=True, repr=False)
class Ask(Shown):
    """Operations written in one SQL transaction; `stranger`: someone else submits some of them first.

    left_out: nothing is written; the step only keeps its place, so that later ones find what they are about.
    """

    asked: tuple[Asked, ...]
    third_party: tuple[int, ...] = ()
    left_out: bool = False


@dataclass(frozen=True)
class Start:
    """A worker more. It dies when it comes to the `count`-th such place; without a place it lives until stopped."""

    place: str = ""
    count: int = 0


@dataclass(frozen=True)
class Stop:
    """All workers: by SIGKILL or by SIGTERM."""

    how: str


@dataclass(frozen=True)
class Let:
    """Time passes until the line has carried so many requests, at most so long."""

    requests: int
    ms_max: int


@dataclass(frozen=True)
class Trouble:
    """A fault at work on a share of what it wants, so many times."""

    name: str
    chance: float
    times: int


@dataclass(frozen=True)
class Clear:
    """The line is honest again."""


@dataclass(frozen=True)
class Reorg:
    """So many blocks off the chain, and what comes instead."""

    depth: int
    kind: str


@dataclass(frozen=True)
class Mine:
    """Blocks, empty or with what waits."""

    blocks: int


@dataclass(frozen=True)
class Automine:
    """Whether the node mines each transaction at once; otherwise every few milliseconds what waits."""

    on: bool


@dataclass(frozen=True)
class Jump:
    """The chain's clock goes forward."""

    seconds: int


@dataclass(frozen=True)
class Away:
    """The node is gone for a while; back again it has lost so many blocks and its pool, if any."""

    ms: int
    lost: int = 0


@dataclass(frozen=True)
class Drop:
    """Every open connection breaks."""


@dataclass(frozen=True)
class Steal:
    """Someone with the relayer's key uses its next nonce."""

    signer: int


@dataclass(frozen=True)
class Switch:
    """A brand is stopped from issuing, or resumed."""

    brand: int
    stopped: bool


@dataclass(frozen=True)
class Clearing:
    """Moa nets all obligations and settles them."""


Step = (
    Ask
    | Start
    | Stop
    | Let
    | Trouble
    | Clear
    | Reorg
    | Mine
    | Automine
    | Jump
    | Away
    | Drop
    | Steal
    | Switch
    | Clearing
)


@dataclass(frozen=True)
class Schedule:
    """An episode: how the workers are set, and the steps. `database`: sqlite or postgresql."""

    seed: int
    database: str
    signers: int
    batch_items_max: int
    batch_delay_ms: int
    receipt_grace_s: float
    confirmed_depth: int
    range_blocks_max: int
    steps: tuple[Step, ...]

    def __str__(self) -> str:
        head = (
            f"seed {self.seed}: {self.database}, {self.signers} signers, batches of {self.batch_items_max}, "
            f"{self.batch_delay_ms} ms, grace {self.receipt_grace_s} s, confirmed at {self.confirmed_depth}, "
            f"ranges of {self.range_blocks_max}"
        )
        played = [step for step in self.steps if not (isinstance(step, Ask) and step.left_out)]
        return "\n".join([head, *(f"  {at:3d} {step}" for at, step in enumerate(played, 1))])


def schedule(seed: int, *, postgresql_share: float = 0.2) -> Schedule:
    """The episode of a seed."""
    dice = random.Random(seed)
    return Schedule(
        seed=seed,
        database="postgresql" if dice.random() < postgresql_share else "sqlite",
        signers=dice.choice((1, 1, 2)),
        batch_items_max=dice.choice((1, 3, 8, 200)),
        batch_delay_ms=dice.choice((0, 0, 10)),
        receipt_grace_s=dice.choice((0.0, 0.02, 0.2)),
        confirmed_depth=dice.choice((0, 0, 0, 2)),
        range_blocks_max=dice.choice((1, 3, 50, 200)),
        steps=tuple(Author(dice).write()),
    )


@dataclass
class Author:
    """Writes the steps; knows roughly what the members have."""

    dice: random.Random
    book: dict[tuple[int, int], int] = field(default_factory=lambda: defaultdict(int))
    count: int = 0
    holds: list[tuple[int, int, int, int]] = field(default_factory=list)
    captured: list[tuple[int, int, int, int]] = field(default_factory=list)
    exchanges: list[tuple[int, int, int]] = field(default_factory=list)
    # Purchases of which goods may come back: index, brand, member, base amount that is left.
    purchases: list[tuple[int, int, int, int]] = field(default_factory=list)

    def write(self) -> Iterator[Step]:
        """The whole episode; what ends it (an honest line, a worker, quiet) is not part of it."""
        yield from self._opening()
        for _ in range(self.dice.randint(3, 6)):
            yield from self._scene()

    def _opening(self) -> Iterator[Step]:
        if self.dice.random() < 0.4:
            yield Automine(False)
        if self.dice.random() < 0.5:
            yield self._start()
        asked = [self._award(brand) for brand in BRAND_IDS for _ in range(self.dice.randint(1, 3))]
        self.dice.shuffle(asked)
        yield Ask(tuple(asked))

    def _scene(self) -> Iterator[Step]:
        dice = self.dice
        if dice.random() < 0.75:
            yield self._start()
        for _ in range(dice.randint(2, 6)):
            draw = dice.random()
            if draw < 0.34:
                yield from self._more()
            elif draw < 0.60:
                yield from self._trouble()
            elif draw < 0.76:
                yield from self._reorg()
            elif draw < 0.86:
                yield from self._event()
            else:
                yield self._let()
        if dice.random() < 0.6:
            yield self._let()
        if dice.random() < 0.3:
            yield self._start()
        if dice.random() < 0.35:
            yield Clear()
        if dice.random() < 0.45:
            yield Stop("SIGKILL" if dice.random() < 0.75 else "SIGTERM")
            if dice.random() < 0.3:
                yield from self._reorg()

    def _start(self) -> Start:
        if self.dice.random() < 0.4:
            return Start()
        most = self.dice.choice((6, 15, 40, 120))
        return Start(self.dice.choice(KILL_PLACES), self.dice.randint(1, most))

    def _let(self) -> Let:
        return Let(self.dice.choice((2, 5, 12, 30)), self.dice.choice((15, 40, 100)))

    def _trouble(self) -> Iterator[Step]:
        for _ in range(self.dice.choice((1, 1, 2))):
            name = self.dice.choices(NAMES, WEIGHTS)[0]
            yield Trouble(name, self.dice.choice((0.3, 1.0)), self.dice.choice((2, 6, 20)))
        yield self._let()

    def _reorg(self) -> Iterator[Step]:
        for _ in range(self.dice.choice((1, 1, 1, 2, 3))):
            yield Reorg(self.dice.choice((1, 1, 2, 3, 5, 8, 13, 21)), self.dice.choice(REORGS))
            if self.dice.random() < 0.5:
                yield self._let()

    def _event(self) -> Iterator[Step]:
        dice = self.dice
        kind = dice.choice(("mine", "jump", "away", "away", "drop", "steal", "switch", "clearing", "automine"))
        if kind == "mine":
            yield Mine(dice.choice((1, 2, 10, 40)))
        elif kind == "jump":
            yield Jump(dice.choice((30, 700, HOUR, 2 * HOUR, 26 * HOUR, 121 * HOUR)))
            # After a leap of days what comes back is too late.
            yield Ask(tuple(self._return() for _ in range(2) if self.purchases))
        elif kind == "away":
            yield Away(dice.choice((10, 60, 200)), dice.choice((0, 0, 1, 4)))
        elif kind == "drop":
            yield Drop()
        elif kind == "steal":
            yield Steal(dice.randrange(2))
        elif kind == "clearing":
            yield Clearing()
        elif kind == "automine":
            yield Automine(dice.random() < 0.5)
        else:
            brand = dice.choice(BRAND_IDS)
            yield Switch(brand, True)
            yield from self._more()
            yield self._let()
            yield Switch(brand, False)

    def _more(self) -> Iterator[Step]:
        dice = self.dice
        if dice.random() < 0.4:
            brand = dice.choice(BRAND_IDS)
            asked = [self._award(brand if dice.random() < 0.8 else 0) for _ in range(dice.choice((2, 5, 12)))]
        else:
            asked = [self._single() for _ in range(dice.randint(1, 4))]
        third_party = tuple(at for at in range(len(asked)) if dice.random() < 0.5) if dice.random() < 0.15 else ()
        yield Ask(tuple(asked), third_party)

    # Operations

    def _next(self) -> int:
        self.count += 1
        return self.count - 1

    def _bad(self) -> bool:
        return self.dice.random() < BAD_SHARE

    def _award(self, brand: int) -> Asked:
        brand = brand or self.dice.choice(BRAND_IDS)
        member, base = self.dice.randrange(MEMBERS), self.dice.choice((0, 1, 7, 100, 2_000, 6_000))
        rule = self.dice.choice((1, 1, 1, 2, 3, 5)) if not self._bad() else self.dice.choice((4, 9))
        index = self._next()
        lock = self.dice.choice(LOCKS_S) if self.dice.random() < 0.25 else 0
        if not lock:
            self.book[brand, member] += {1: base * 3 // 2, 2: base // 100, 3: 250, 5: 2 * base}.get(rule, 0)
        if rule in (OWING_RULE, *FORGIVING_RULES) or lock:
            self.purchases.append((index, brand, member, base))
        return Asked("award", brand, member, points=base, rule=rule, seconds=lock)

    def _rich(self) -> tuple[int, int, int]:
        """(brand, member, points) of someone who has some."""
        have = sorted((key, points) for key, points in self.book.items() if points > 0)
        if not have or self._bad():
            return self.dice.choice(BRAND_IDS), self.dice.randrange(MEMBERS), self.dice.choice((1, 5_000, 2**48))
        (brand, member), points = self.dice.choice(have)
        return brand, member, self.dice.choice((points, self.dice.randint(1, points), max(1, points // 3)))

    def _single(self) -> Asked:
        kinds = ["hold"] * 4 + ["transfer"] * 2 + ["exchange"] * 3 + ["pay", "leave"]
        kinds += ["capture", "release", "timeout"] * (2 if self.holds else 0)
        kinds += ["return"] * (6 if self.purchases else 0)
        kinds += ["refund"] * (2 if self.captured else 0) + ["unwind"] * (2 if self.exchanges else 0)
        kind = self.dice.choice(kinds)
        asked: Asked = getattr(self, f"_{kind}")()
        return asked

    def _return(self) -> Asked:
        """Goods of a purchase come back: whole, in part, more than there were, again, or to another brand's till."""
        dice = self.dice
        at = dice.randrange(len(self.purchases))
        index, brand, member, left = self.purchases[at]
        self._next()
        if self._bad():
            return Asked("return", dice.choice(BRAND_IDS), member, dice.choice((left + 1, left, 0)), subject=index)
        base = dice.choice((left, left, max(1, left // 2), 1)) if left else 0
        # What is back already is sometimes brought once more.
        self.purchases[at] = index, brand, member, max(0, left - base)
        self.book[brand, member] = max(0, self.book[brand, member] - 3 * base // 2)
        return Asked("return", brand, member, base, subject=index)

    def _wrong(self) -> str:
        return self.dice.choice(("signature", "deadline", "again")) if self._bad() else ""

    def _hold(self) -> Asked:
        brand, member, points = self._rich()
        wrong = self._wrong()
        index = self._next()
        if not wrong:
            self.book[brand, member] -= points
            self.holds.append((index, brand, member, points))
        return Asked("hold", brand, member, points, seconds=self.dice.choice((20, HOUR, HOUR, 50 * HOUR)), wrong=wrong)

    def _some_hold(self) -> tuple[int, int, int, int]:
        at = self.dice.randrange(len(self.holds))
        return self.holds[at] if self._bad() else self.holds.pop(at)

    def _capture(self) -> Asked:
        index, brand, member, points = self._some_hold()
        taken = self.dice.choice((points, max(1, points // 2), 1)) if not self._bad() else points + 1
        self._next()
        self.captured.append((index, brand, member, taken))
        return Asked("capture", brand, member, taken, subject=index)

    def _release(self, kind: str = "release") -> Asked:
        index, brand, member, points = self._some_hold()
        self._next()
        self.book[brand, member] += points
        return Asked(kind, brand, member, subject=index)

    def _timeout(self) -> Asked:
        return self._release("timeout")

    def _refund(self) -> Asked:
        index, brand, member, taken = self.dice.choice(self.captured)
        self._next()
        return Asked("refund", brand, member, max(1, taken // self.dice.choice((1, 2, 3))), subject=index)

    def _exchange(self, kind: str = "exchange") -> Asked:
        brand, member, points = self._rich()
        fitting = [number for number, pair in AGREEMENTS.items() if pair[0] == brand]
        agreement = self.dice.choice(fitting) if fitting and not self._bad() else self.dice.choice((*AGREEMENTS, 99))
        wrong = self._wrong()
        index = self._next()
        if not wrong and kind == "exchange":
            self.book[brand, member] -= points
            self.exchanges.append((index, agreement, member))
        return Asked(kind, brand, member, points, other=agreement, wrong=wrong)

    def _pay(self) -> Asked:
        return self._exchange("pay")

    def _unwind(self) -> Asked:
        index, agreement, member = self.dice.choice(self.exchanges)
        self._next()
        return Asked("unwind", AGREEMENTS.get(agreement, (1, 2))[1], member, subject=index, wrong=self._wrong())

    def _transfer(self) -> Asked:
        brand, member, points = self._rich()
        other, wrong = self.dice.randrange(MEMBERS), self._wrong()
        self._next()
        if brand in (1, 4) and not wrong:
            self.book[brand, member] -= points
            self.book[brand, other] += points
        return Asked("transfer", brand, member, points, other=other, wrong=wrong)

    def _leave(self) -> Asked:
        brand, member, _ = self._rich()
        other, wrong = self.dice.randrange(MEMBERS), self._wrong()
        self._next()
        return Asked("leave", brand, member, other=other, wrong=wrong)
