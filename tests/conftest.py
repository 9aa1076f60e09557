"""What holds for every suite that pytest runs here. Brownie's own (tests/contracts) has its own root and never sees it.

Hypothesis measures each example against 200 ms of wall clock unless told otherwise: one stall of a busy machine would
be a failure of the code. What takes too long is caught by pytest's timeout. A failing example prints the line that
replays it.

Each session has a folder of its own. pytest's common one is closed to other users whenever a session begins, and the
PostgreSQL of another session (a user of its own, when we are root) loses its data from one moment to the next.
"""

import shutil
import tempfile
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

from tests.support.databases import Postgres, served
from tests.support.durations import durations

settings.register_profile("moa", deadline=None, print_blob=True, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("moa")

OWN_FOLDER = pytest.StashKey[str]()


@pytest.fixture(scope="session")
def postgres_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Postgres]:
    """The run's PostgreSQL, started when it is first asked for."""
    with served(tmp_path_factory.mktemp("postgresql")) as server:
        yield server


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Before pytest chooses its folder; one that is named on the command line stays."""
    if config.option.basetemp is None:
        config.stash[OWN_FOLDER] = config.option.basetemp = tempfile.mkdtemp(prefix="moa-tests-")
    config.pluginmanager.register(durations(), "moa-durations")


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """What failed leaves its folder to be looked at."""
    folder = session.config.stash.get(OWN_FOLDER, None)
    if folder is not None and exitstatus == pytest.ExitCode.OK:
        shutil.rmtree(folder, ignore_errors=True)
