"""Currencies: how many decimals stand between what people say and the base units that shops send."""

from __future__ import annotations

USUAL_DECIMALS = 2
# ISO 4217's minor units, where they are not two.
DECIMALS = {
    **dict.fromkeys(
        (
            "BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW",
            "PYG", "RWF", "UGX", "UYI", "VND", "VUV", "XAF", "XOF", "XPF",
        ),
        0,
    ),
    **dict.fromkeys(("BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"), 3),
    **dict.fromkeys(("CLF", "UYW"), 4),
}  # fmt: skip


def decimals_of(currency: str) -> int:
    """Decimals of a currency's base unit by ISO 4217: 2 for USD (cents), 0 for KRW (won)."""
    return DECIMALS.get(currency, USUAL_DECIMALS)
