"""What plan.toml declares."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

TERMS = Path(__file__).with_name("plan.toml")


def terms(path: Path = TERMS) -> dict[str, Any]:
    """The declared plan that the deployment follows too."""
    return tomllib.loads(path.read_text())
