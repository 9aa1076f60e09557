"""`moa keys` and `moa sessions`: who may come in, on the gateway's database itself.

The way back in for an operator whose keys are lost: whoever may write the database may make one. Each act is in the log
by the same transaction, with the command as its actor.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import orjson
import typer
from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from sqlmodel import Session

T = TypeVar("T")
REFUSED, UNKNOWN = 1, 2
DatabaseUrl = Annotated[
    str, typer.Option("--database", envvar="MOA_DATABASE_URL", help="sqlite:///… or postgresql://…")
]
Json = Annotated[bool, typer.Option("--json", help="machine-readable answer")]
KeyId = Annotated[str, typer.Argument(help="the key's id: twelve hex digits")]
MemberId = Annotated[str, typer.Argument(help="mem_…")]

keys = typer.Typer(help="The operator's keys: seen, made, followed by a successor, ended.", no_args_is_help=True)
sessions = typer.Typer(help="Members' sessions: seen and ended.", no_args_is_help=True)
COMMANDS = {"keys": keys, "sessions": sessions}


@keys.command("list")
def list_keys(database: DatabaseUrl, json: Json = False) -> None:
    """Show the operator's keys, without their secrets."""
    from api.members import operator_keys, service

    found = _write(database, lambda session: service.keys(session, slug=None, kind=operator_keys.KIND))
    _tell([key.model_dump() for key in found], json)


@keys.command("make")
def make_key(database: DatabaseUrl, json: Json = False) -> None:
    """Make a further key of the operator. It is shown this once."""
    from api.members import operator_keys, service

    def effect(session: Session) -> dict[str, Any]:
        key, token = operator_keys.make(session, actor="command/keys-make")
        return service.new_key_to_public(key, token, secret=True).model_dump()

    _tell(_write(database, effect), json)


@keys.command("rotate")
def rotate_key(
    key: KeyId,
    database: DatabaseUrl,
    overlap_s: Annotated[int, typer.Option(min=0, max=604_800, help="how long the old one still opens")] = 3_600,
    json: Json = False,
) -> None:
    """Make a key's successor, shown this once; the key itself ends after the overlap."""
    from api.members import operator_keys, service

    def effect(session: Session) -> dict[str, Any]:
        made, token = operator_keys.rotate(session, key_id=key, overlap_s=overlap_s, actor="command/keys-rotate")
        return service.new_key_to_public(made, token, secret=True).model_dump()

    _tell(_write(database, effect), json)


@keys.command("revoke")
def revoke_key(key: KeyId, database: DatabaseUrl, json: Json = False) -> None:
    """End a key of the operator at once; the last one only after its successor is made."""
    from api.members import operator_keys, service

    def effect(session: Session) -> dict[str, Any]:
        return service.key_to_public(
            operator_keys.revoke(session, key_id=key, actor="command/keys-revoke")
        ).model_dump()

    _tell(_write(database, effect), json)


@sessions.command("list")
def list_sessions(member: MemberId, database: DatabaseUrl, json: Json = False) -> None:
    """Show a member's sessions, without their secrets."""
    from api.members import sessions as found

    listed = _write(database, lambda session: found.listed(session, member_ids=found.of_person(session, member)))
    _tell([one.model_dump(exclude={"current"}) for one in listed.sessions], json)


@sessions.command("end")
def end_sessions(
    member: MemberId,
    database: DatabaseUrl,
    session: Annotated[str | None, typer.Option(help="only this one; all without it")] = None,
    json: Json = False,
) -> None:
    """End a member's sessions at once; the next request with one of them is refused."""
    from api.members import sessions as found

    def effect(open_: Session) -> list[dict[str, Any]]:
        mine = found.of_person(open_, member)
        if session is None:
            ended = found.end_all(open_, member_ids=mine, actor="command/sessions-end").sessions
        else:
            one = found.end(open_, member_ids=mine, session_id=session, actor="command/sessions-end")
            ended = [found.told(one)]
        return [one.model_dump(exclude={"current"}) for one in ended]

    _tell(_write(database, effect), json)


def _write(url: str, effect: Callable[[Session], T]) -> T:
    """What the effect gives in a transaction; ends with 1 when it refuses, 2 when this is no gateway's database."""
    from sqlalchemy.exc import SQLAlchemyError

    from api import migrate
    from api.kit.database import Database
    from api.kit.problems import Problem
    from chain.base.errors import ChainError
    from scripts.cli.status import existing, unreadable

    try:
        engine = existing(url)
        try:
            migrate.refuse_outdated(engine)
        finally:
            engine.dispose()
        database = Database(url)
        try:
            return database.in_write(effect)
        finally:
            database.close()
    except Problem as refusal:
        raise _ended(f"{refusal.error}: {refusal.detail}", REFUSED) from None
    except (migrate.DatabaseOutdated, ChainError) as error:
        raise _ended(str(error), UNKNOWN) from None
    except (SQLAlchemyError, FileNotFoundError) as error:
        raise _ended(unreadable(error), UNKNOWN) from None


def _ended(sentence: str, code: int) -> typer.Exit:
    Console(stderr=True, highlight=False, soft_wrap=True).print(sentence, markup=False)
    return typer.Exit(code)


def _tell(found: Any, as_json: bool) -> None:
    console = Console(highlight=False, soft_wrap=True)
    if as_json:
        console.out(orjson.dumps(found, option=orjson.OPT_INDENT_2).decode(), highlight=False)
        return
    for one in found if isinstance(found, list) else [found]:
        table = Table(box=None, pad_edge=False, show_header=False)
        for name, value in one.items():
            if value not in (None, ""):
                table.add_row(name, str(value))
        console.print(table)
        console.print()
