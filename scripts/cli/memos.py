"""`moa memo show`: the words of an operation's memo, as the gateway keeps them."""

from __future__ import annotations

import orjson
from rich.console import Console
from rich.table import Table
from sqlalchemy.exc import SQLAlchemyError
from sqlmodel import Session

from api.events import memos
from api.events.memos import MemoMissing
from api.points import operations as lookups
from scripts.cli.log.errors import ActUnrecorded
from scripts.cli.log.looks import record_look
from scripts.cli.status import UNKNOWN, existing, unreadable


def show(*, database_url: str, operation: int, as_json: bool) -> int:
    """0; 1 when there is no memo; 2 when the database cannot be read, or the log of acts not be told of the look."""
    console = Console(highlight=False, soft_wrap=True)
    try:
        engine = existing(database_url)
        try:
            with Session(engine) as session:
                fields = memos.fields(session, operation)
                member_id = lookups.member_of(session, operation)
        finally:
            engine.dispose()
        record_look(database_url, command="memo show", member_id=member_id, otherwise=f"operation/{operation}")
    except MemoMissing as error:
        console.print(f"[bold red]{error.error}:[/] {error.detail}")
        return 1
    except ActUnrecorded as error:
        return _refused(f"ActUnrecorded: {error}")
    except (SQLAlchemyError, FileNotFoundError) as error:
        return _refused(unreadable(error))
    if as_json:
        told = [{"name": one.name, "value": one.value, "salt": "0x" + one.salt.hex()} for one in fields]
        console.out(orjson.dumps(told, option=orjson.OPT_INDENT_2).decode(), highlight=False)
        return 0
    table = Table(box=None, pad_edge=False, show_header=False)
    for one in fields:
        table.add_row(one.name, one.value)
    console.print(table)
    return 0


def _refused(sentence: str) -> int:
    Console(stderr=True, highlight=False, soft_wrap=True).print(sentence, markup=False)
    return UNKNOWN
