"""Gas of whole transactions beside OpenZeppelin's ERC-20, measured by forge in one run."""

from __future__ import annotations

from scripts.bench.figures import Figure
from scripts.verify.gas import BARS, measure


def gas() -> list[Figure]:
    """One figure a bar of the design; a multiple of OpenZeppelin's figure, or gas itself."""
    figures = measure()
    found = []
    for bar in BARS:
        value, base = figures[bar.name], figures[bar.multiple_of] if bar.multiple_of else 0
        unit = "gas, OpenZeppelin as baseline" if bar.multiple_of else "gas"
        found.append(
            Figure(
                f"gas_{bar.name}",
                value,
                unit,
                base,
                bar=bar.factor_or_gas,
                at_least=False,
                on_value=not bar.multiple_of,
            )
        )
    return found
