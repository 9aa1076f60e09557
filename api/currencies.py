"""Minor units of currencies (ISO 4217): a base amount of KRW is in won, one of USD in cents."""

from __future__ import annotations

MINOR_UNITS = 2
WITHOUT_MINOR_UNITS = frozenset("BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF".split())
WITH_THREE = frozenset("BHD IQD JOD KWD LYD OMR TND".split())


def minor_units(currency: str) -> int:
    """Decimals of the currency's base amounts."""
    if currency in WITHOUT_MINOR_UNITS:
        return 0
    return 3 if currency in WITH_THREE else MINOR_UNITS
