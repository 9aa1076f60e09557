"""One leads, whichever way it came to the database."""

from pathlib import Path

import pytest
from sqlalchemy import Engine

from chain.base.errors import DatabaseUnusable, LeaderElsewhere
from chain.storage.database import engine as make_engine
from chain.worker.leader import Leader


def test_a_link_to_a_database_is_the_same_database(engine: Engine, tmp_path: Path) -> None:
    """SPEC 7.14"""
    assert engine.url.database is not None
    (tmp_path / "link.db").symlink_to(engine.url.database)
    other = make_engine(f"sqlite:///{tmp_path / 'link.db'}")
    with Leader(engine), pytest.raises(LeaderElsewhere), Leader(other):
        pass
    with Leader(other):
        pass
    other.dispose()


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///:memory:", "sqlite:////no/such/folder/moa.db"])
def test_a_database_that_nobody_can_lead_is_said_to_be_unusable(url: str) -> None:
    """SPEC 7.25"""
    with pytest.raises(DatabaseUnusable), Leader(make_engine(url)):
        pass


@pytest.mark.parametrize("url", ["", "nonsense", "mysql://user:secret@host/name"])
def test_an_address_of_another_kind_is_refused_and_not_shown(url: str) -> None:
    """SPEC 7.25"""
    with pytest.raises(DatabaseUnusable) as refused:
        make_engine(url)
    assert "secret" not in str(refused.value)
