"""Waits made short in the test's own process, from the one table of them (tests/simulation/processes/tempo.py)."""

import pytest

from chain.node import outage_limiter
from tests.simulation.processes.tempo import OUTAGE_REQUESTS_PER_S, PAUSES


def brisk(monkeypatch: pytest.MonkeyPatch, *modules: str, requests_per_s: float = OUTAGE_REQUESTS_PER_S) -> None:
    """Until the end of the test: the pauses of these modules, and the ration of requests in an outage."""
    known = {module for module, _, _ in PAUSES}
    assert known.issuperset(modules), f"no pause of {set(modules) - known} is known"
    for module, name, seconds in PAUSES:
        if module in modules:
            monkeypatch.setattr(f"{module}.{name}", seconds)
    monkeypatch.setattr(outage_limiter, "OUTAGE_REQUESTS_PER_S", requests_per_s)
