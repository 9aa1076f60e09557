"""Holds the gas of whole transactions against the bars and against the snapshot in the repository.

`build/gas.json` (written by tests/forge/Gas.t.sol in the same run as OpenZeppelin's figures) is what `make bench`
reads, `build/gas-programme.json` (GasProgramme.t.sol) beside it. Ends with 0 only if no figure
differs from .gas-snapshot by more than 1 % and every bar holds that is kept. `--write` takes the new figures as the
snapshot.
"""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass

from scripts.verify import tree

SNAPSHOT = tree.ROOT / ".gas-snapshot"
FIGURES = (tree.ROOT / "build" / "gas.json", tree.ROOT / "build" / "gas-programme.json")
# Difference from the snapshot that is refused, in parts of a hundred.
TOLERANCE_PERCENT = 1


@dataclass(frozen=True)
class Bar:
    """A promise of the design. `least_of`: the figure it is a multiple of, or none for gas itself."""

    name: str
    factor_or_gas: float
    multiple_of: str | None = None
    # Why the figure is above its bar, where it is: the limit it must keep all the same.
    missed: str = ""

    def limit(self, figures: dict[str, int]) -> float:
        return self.factor_or_gas * (figures[self.multiple_of] if self.multiple_of else 1)


FRESH_WORD = "two fresh words at the receiver cost 44,200 alone, where OpenZeppelin's writes one of 22,100"
BARS = (
    Bar("transfer_1_lot_new", 1.6, "oz_transfer_new"),
    Bar("transfer_1_lot_existing", 1.6, "oz_transfer_existing"),
    Bar("transfer_4_lots_one_word_new", 1.6, "oz_transfer_new"),
    Bar("transfer_4_lots_one_word_existing", 1.6, "oz_transfer_existing"),
    Bar("transfer_4_lots_two_words_new", 1.6, "oz_transfer_new", missed=FRESH_WORD),
    Bar(
        "transfer_4_lots_two_words_existing",
        1.6,
        "oz_transfer_existing",
        missed="two LotsChanged: 54,236 without a log of lots",
    ),
    Bar("transfer_16_lots_new", 2.8, "oz_transfer_new"),
    Bar("transfer_16_lots_existing", 2.8, "oz_transfer_existing"),
    Bar("award_with_root_in_batch_of_100_new", 32_000),
    Bar("award_with_root_in_batch_of_100_existing", 14_000),
    # What the root costs, beside the same award under a rule without returns.
    Bar("root_share_in_batch_of_100", 600),
    Bar("worst_batch_of_200", 15_000_000),
    Bar("worst_batch_of_200_debtors", 15_000_000),
    Bar("return_whole", 90_000),
    Bar("return_rest", 90_000),
    Bar("return_first_part", 90_000, missed="what is back of the award is a fresh word: 17,100 more, once an award"),
    Bar("return_second_part", 90_000),
    Bar("opening_claim_in_batch_of_100_new", 45_000),
    Bar("opening_claim_in_batch_of_100_existing", 45_000),
    Bar("vote_of_10000_with_snapshot_each", 60_000),
    Bar("exchange_existing", 170_000),
    Bar("exchange_new_receiver", 170_000),
    Bar(
        "exchange_first_of_agreement", 170_000, missed="the pair's first obligation and debt are 34,200 more, once ever"
    ),
)


def measure() -> dict[str, int]:
    """Runs the gas test; every call in it is a transaction of its own."""
    for part in FIGURES:
        part.parent.mkdir(exist_ok=True)
        part.unlink(missing_ok=True)
    result = tree.run(
        tree.ROOT,
        *("forge", "test", "--isolate", "--match-path", "tests/forge/Gas*.t.sol", "--color", "never"),
        # A build of its own: `make test` runs the other tests at the same time.
        FOUNDRY_OUT="build/gas/out",
        FOUNDRY_CACHE_PATH="build/gas/cache",
    )
    if result.code:
        print(result.output)
        raise SystemExit("The gas test failed.")
    figures: dict[str, int] = {}
    for part in FIGURES:
        figures |= json.loads(part.read_text())
    return figures


def snapshot() -> dict[str, int]:
    """The figures in the repository."""
    if not SNAPSHOT.exists():
        return {}
    return {name: int(gas) for name, gas in (line.split() for line in SNAPSHOT.read_text().splitlines())}


def moved(figures: dict[str, int], kept: dict[str, int]) -> list[str]:
    """Figures that are new, gone, or differ from the snapshot by more than the tolerance."""
    lines = [f"{name}: {figures.get(name)} is not in both" for name in sorted(figures.keys() ^ kept.keys())]
    for name in figures.keys() & kept.keys():
        if abs(figures[name] - kept[name]) * 100 > kept[name] * TOLERANCE_PERCENT:
            lines.append(f"{name}: {kept[name]} in the snapshot, {figures[name]} now")
    return lines


def judged(figures: dict[str, int]) -> list[str]:
    """Prints each bar; gives those that are missed without a reason."""
    broken = []
    for bar in BARS:
        gas, limit = figures[bar.name], bar.limit(figures)
        beside = f" = {gas / figures[bar.multiple_of]:.2f} x" if bar.multiple_of else ""
        verdict = "holds" if gas <= limit else f"MISSED: {bar.missed}" if bar.missed else "BROKEN"
        print(f"  {bar.name:36} {gas:>8,}{beside:9}  bar {limit:>9,.0f}  {verdict}")
        if verdict == "BROKEN":
            broken.append(bar.name)
    return broken


def main(arguments: list[str]) -> int:
    """Measures, compares, judges."""
    figures = measure()
    if "--write" in arguments:
        SNAPSHOT.write_text("".join(f"{name} {gas}\n" for name, gas in figures.items()))
    differences = moved(figures, snapshot())
    broken = judged(figures)
    for line in differences:
        print(f"  differs: {line}")
    off = f"{len(differences)} off the snapshot by more than {TOLERANCE_PERCENT} %"
    print(f"gas: {len(figures)} figures, {off}, {len(broken)} bars broken")
    return 1 if differences or broken else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
