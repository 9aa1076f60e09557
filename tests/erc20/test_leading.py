"""One mirror leads a file, whichever way it came to it."""

from __future__ import annotations

from pathlib import Path

import pytest

from chain.base.errors import LeaderElsewhere
from chain.erc20.sqlite import SqliteStore


def test_a_link_to_a_file_is_the_same_file(tmp_path: Path) -> None:
    """SPEC 8.38"""
    first = SqliteStore(str(tmp_path / "mirror.db"))
    first.open()
    (tmp_path / "link.db").symlink_to(tmp_path / "mirror.db")
    second = SqliteStore(str(tmp_path / "link.db"))
    with pytest.raises(LeaderElsewhere):
        second.open()

    first.close()
    second.open()
    second.close()
