"""`moa memo show`: the words of an operation's memo, as the gateway keeps them."""

from __future__ import annotations

import orjson
from rich.console import Console
from rich.table import Table
from sqlmodel import Session

from api.events import memos
from api.events.memos import MemoMissing
from chain.database import engine


def show(*, database_url: str, operation: int, as_json: bool) -> int:
    """0, or 1 when there is no memo."""
    console = Console(highlight=False, soft_wrap=True)
    try:
        with Session(engine(database_url)) as session:
            fields = memos.fields(session, operation)
    except MemoMissing as error:
        console.print(f"[bold red]{error.error}:[/] {error.detail}")
        return 1
    if as_json:
        told = [{"name": one.name, "value": one.value, "salt": "0x" + one.salt.hex()} for one in fields]
        console.out(orjson.dumps(told, option=orjson.OPT_INDENT_2).decode(), highlight=False)
        return 0
    table = Table(box=None, pad_edge=False, show_header=False)
    for one in fields:
        table.add_row(one.name, one.value)
    console.print(table)
    return 0
