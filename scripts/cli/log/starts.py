"""A worker's start, told to the log of acts: the worker itself knows Ethereum only."""

from __future__ import annotations

import logging

from sqlalchemy.exc import SQLAlchemyError

from api import audit_log
from api.kit.database import Database

VERSION = "0.1.0"
log = logging.getLogger(__name__)


def note_worker_start(url: str, *, chain_id: int) -> None:
    """Records the start. A database that is away or not yet migrated keeps no worker from starting: it is logged."""
    database = Database(url)
    try:
        audit_log.record_now(
            database,
            "worker.started",
            actor="worker",
            version=VERSION,
            chain_id=chain_id,
            database=database.engine.dialect.name,
        )
    except SQLAlchemyError as fault:
        log.warning("the worker's start is not in the log of acts: %s", fault)
    finally:
        database.close()
