"""Acts on opening balances: files of lines, committed, replaced, claimed alone and in batches; at times wrongly."""

from dataclasses import dataclass, field, replace

from chain.model import lots as lot
from chain.model import merkle
from chain.model.openings import Line, OpeningTerms
from tests.differential.acts.standing import StandingActs
from tests.differential.chooser import NOBODY, Made
from tests.differential.steps import TOKEN
from tests.differential.world import DAY, ZERO32

LINES_MAX = 14


@dataclass(frozen=True)
class File:
    """A brand's file and its tree."""

    lines: list[Line]

    @property
    def places(self) -> list[bytes]:
        return merkle.tree([line.leaf() for line in self.lines])

    def schedule(self) -> tuple[int, ...]:
        """What the brand commits: the sum of all lines whose words are in their places."""
        lots: lot.Lots = {}
        for line in self.lines:
            lots = lot.plus(lots, lot.unpacked(line.lots))
        return lot.packed(lots)


@dataclass
class OpeningActs(StandingActs):
    """Files, and what is claimed of them."""

    files: dict[tuple[int, int], File] = field(default_factory=dict)
    offered: dict[tuple[int, int], File] = field(default_factory=dict)

    def file(self, brand_id: int) -> File:
        """A few lines of members, each with one to three lots that new points could have."""
        clock = self.world.ledger.tokens[brand_id].clock
        first, last = clock.epoch(self.at) + 1, clock.expiry_of_mint(self.at)
        lines = []
        for index in range(self.rng.randint(1, LINES_MAX)):
            epochs = {self.rng.randint(first, last) for _ in range(self.rng.randint(1, 3))}
            lots = {epoch: self.rng.randint(1, 3_000) for epoch in epochs}
            lines.append(Line(index, self.member(), lot.packed(lots)))
        if self.bad(0.2):
            number = self.rng.randrange(len(lines))
            nobodies = [NOBODY, self.world.chain.addresses["RedemptionDesk"]]
            nobodies.append(self.world.chain.addresses[f"{TOKEN} {brand_id}"])
            wrong = [replace(lines[number], member=one) for one in nobodies]
            wrong += [replace(lines[number], index=len(lines) + 3), replace(lines[number], index=0)]
            lines[number] = self.some(wrong)
        return File(lines)

    def terms(self, brand_id: int, file: File) -> OpeningTerms:
        """The file's terms; at times out of bounds, at times a schedule that is too small for its lines."""
        start = self.at + (self.rng.randint(-DAY, DAY // 4) if self.bad(0.3) else 0)
        end = self.at + self.rng.choice((300, 4_000, DAY, 20 * DAY))
        terms = OpeningTerms(
            "0x" + file.places[0].hex(), file.schedule(), len(file.lines), start, end, "0x" + "f1" * 32
        )
        clock = self.world.ledger.tokens[brand_id].clock
        if self.bad(0.1):
            late = {clock.expiry_of_mint(self.at) + 1: 5}
            gone = {clock.epoch(self.at): 5}
            words = list(terms.lots)
            words[0], words[1] = words[1], words[0]
            wrong = [
                {"root": ZERO32},
                {"lots": lot.packed(late)},
                {"lots": lot.packed(gone)},
                {"lots": tuple(words)},
                {"lots": (0, 0, 0, 0)},
                {"lines": 0},
                {"lines": 2**32},
                {"end": terms.start},
                {"end": self.at},
                {"end": 2**40},
            ]
            terms = replace(terms, **self.some(wrong))
        elif self.bad(0.15):
            lots = lot.unpacked(terms.lots)
            epoch = self.some(list(lots))
            terms = replace(terms, lots=lot.packed({**lots, epoch: max(1, lots[epoch] - self.rng.randint(1, 900))}))
        return terms

    def commit_opening(self) -> Made:
        brand_id = self.brand()
        file = self.file(brand_id)
        self.offered[brand_id, len(self.world.ledger.openings.openings.get(brand_id, [])) + 1] = file
        values = brand_id, self.terms(brand_id, file), not self.bad(0.4)
        return "OpeningBalances", "commit", values, self.staff("owner", brand_id)

    def known(self) -> tuple[int, int]:
        """An opening, at times one that is not there."""
        openings = self.world.ledger.openings.openings
        pairs = [(brand, number) for brand, each in openings.items() for number in range(1, len(each) + 1)]
        if not pairs or self.bad(0.03):
            return self.brand(), 77
        now_open = [pair for pair in pairs[-12:] if openings[pair[0]][pair[1] - 1].end > self.at]
        return self.some(now_open) if now_open and not self.bad(0.1) else self.some(pairs)

    def replace_opening(self) -> Made:
        brand_id, opening_id = self.known()
        file = self.file(brand_id)
        self.offered[brand_id, opening_id] = file
        values = brand_id, opening_id, self.terms(brand_id, file)
        return "OpeningBalances", "replace", values, self.staff("owner", brand_id)

    def end_comparing(self) -> Made:
        brand_id, opening_id = self.known()
        return "OpeningBalances", "endComparing", (brand_id, opening_id), self.staff("owner", brand_id)

    def prolong(self) -> Made:
        brand_id, opening_id = self.known()
        openings = self.world.ledger.openings.openings.get(brand_id, [])
        end = openings[opening_id - 1].end if opening_id <= len(openings) else self.at
        end += self.rng.choice((-5, 0, 1, 900, DAY, 30 * DAY, 2**40))
        return "OpeningBalances", "prolong", (brand_id, opening_id, end), self.staff("owner", brand_id)

    def claimable(self) -> tuple[tuple[int, int], File]:
        """An opening and the file that its root stands for, or, at times, another."""
        pair = self.known()
        for key, offered in self.offered.items():
            openings = self.world.ledger.openings.openings.get(key[0], [])
            if key[1] <= len(openings) and openings[key[1] - 1].terms.root == "0x" + offered.places[0].hex():
                self.files[key] = offered
        return pair, self.files.get(pair) or self.file(pair[0])

    def claim(self) -> Made:
        pair, file = self.claimable()
        number = self.rng.randrange(len(file.lines))
        line = file.lines[number]
        if self.bad(0.08):
            line = replace(line, **self.some([{"member": self.member()}, {"index": 2**200}, {"lots": (1, 0, 0, 0)}]))
        proof = merkle.proof(file.places, number)
        return "OpeningBalances", "claim", (*pair, line, proof), self.world.cast["stranger"]

    def claim_batch(self) -> Made:
        pair, file = self.claimable()
        size = self.rng.randint(1, len(file.lines))
        numbers = sorted(self.rng.sample(range(len(file.lines)), size))
        proof, flags = merkle.multiproof(file.places, numbers)
        lines = [file.lines[number] for number in numbers]
        if self.bad(0.1):
            lines, proof, flags = self.some(
                [
                    ([], proof, flags),
                    (lines[:1] * 201, proof, flags),
                    (lines, [*proof, b"\1" * 32], flags),
                    (lines, proof, [*flags, True]),
                    (lines, proof, [not each for each in flags]),
                    (lines[::-1], proof, flags),
                ]
            )
        return "OpeningBalances", "claimBatch", (*pair, lines, proof, flags), self.world.cast["stranger"]
