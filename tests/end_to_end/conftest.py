"""One running Moa for the whole session: real Ganache, worker, gateway, the plan's two brands."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from scripts.world import Plan, World, world


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A World: url, rpc_url, operator_key, brand_keys["cdnow" | "hanok"], deployment. Stopped at the end."""
    state: Path = tmp_path_factory.mktemp("moa")
    with world(Plan(state=state)) as running:
        yield running
