"""Acts of commands that read the gateway's database past the gateway: on disk before anything is told (SPEC 14.16)."""

from __future__ import annotations

from typing import Final

from sqlalchemy.exc import SQLAlchemyError

from api import audit_log
from api.audit_log import names
from api.kit.database import Database
from scripts.cli.log.errors import ActUnrecorded

METHOD: Final = "command"


def record_command(
    url: str, act: str, /, *, command: str, subject: str | None = None, **detail: str | int | None
) -> None:
    """Records what a command is about to tell. Raises ActUnrecorded: then it must not be told.

    command: its words, as "memo show". subject: `member/<id>` is hidden, as always in the log.
    """
    database = Database(url)
    try:
        audit_log.record_now(database, act, actor=f"command/{command.replace(' ', '-')}", subject=subject, **detail)
    except SQLAlchemyError as fault:
        reason = str(getattr(fault, "orig", fault)).splitlines()[0]
        raise ActUnrecorded(
            f"The log of acts must say so first, and it cannot be written to: {reason}. A copy that can only be read,"
            " and a database without the gateway's tables, is not told from: give the gateway's own."
        ) from None
    finally:
        database.close()


def record_look(url: str, *, command: str, member_id: str, otherwise: str = "") -> None:
    """Records a look at what belongs to a member; `otherwise` is named where no member is known."""
    subject = names.member(member_id) if member_id else otherwise
    record_command(
        url, "personal.seen", command=command, subject=subject, method=METHOD, route=f"moa {command}", count=1
    )
