"""A process to be killed: `record` writes acts and puts them in order, `serve` is a gateway. Tells what is on disk.

python -m tests.api.audit_log.acting record|serve <database url> <folder> <first number>
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from api.audit_log.keys import log_signers
from api.audit_log.recording import record
from api.audit_log.sequencer import Sequencer
from api.kit.database import Database
from chain.storage.keystore import LocalKeystore

ORIGIN = f"moa/1337/{'0' * 16}"


def sequencer_on(database: Database) -> Sequencer:
    """The sequencer of the tests' gateway, without all the rest: what is killed must start fast."""
    signers = log_signers(LocalKeystore(b"\x07" * 32), origin=ORIGIN, number=0)
    return Sequencer(database, ORIGIN, signers, chain_id=1337, window_ms=3_600_000, every_ms=0)


def recorded(database: Database, first: int) -> Iterator[int]:
    """Writes acts for ever, numbered from `first`; each number when its act is on disk."""
    sequencer = sequencer_on(database)
    number = first
    while True:
        for _ in range(5):
            with database.write() as session:
                record(session.connection(), "export.made", actor="gateway", what="crash", rows=number)
            yield number
            number += 1
        sequencer.step()


def serve(url: str, folder: str, port: int) -> None:
    import uvicorn

    from api.app import create_app
    from tests.api.conftest import settings_in, state_without_node

    settings = replace(settings_in(Path(folder), url), refusal_window=timedelta(hours=1))
    uvicorn.run(create_app(settings, opened=state_without_node), host="127.0.0.1", port=port, log_level="error")


def main(mode: str, url: str, folder: str, first: str) -> None:
    if mode == "serve":
        serve(url, folder, int(first))
        return
    for number in recorded(Database(url), int(first)):
        sys.stdout.write(f"{number}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main(*sys.argv[1:])
