"""Memos: what a purchase was, in the brand's words, off the chain; on the chain lies only a salted root (SPEC 13.9).

Erasing a memo deletes its words and its salts: nobody can tell afterwards what the root committed to.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Annotated, Final

from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError
from sqlalchemy import BigInteger, Engine, delete, insert, select, update
from sqlalchemy.exc import OperationalError
from sqlmodel import Field as Column
from sqlmodel import Session, SQLModel

from api.kit.clock import now_ms
from api.kit.problems import Problem, told_by_validation
from chain.contracts import memos
from chain.evidence.shapes import TEXT
from chain.outbox import calls, operations, transactions
from chain.outbox.models import Operation
from chain.storage.columns import document, table_of

FIELDS_MAX: Final = 32
VALUE_CHARS_MAX: Final = 1_024
MEMO_BYTES_MAX: Final = 8 * 1_024
NAME: Final = re.compile(r"[a-z][a-z0-9_.-]{0,63}")


class Memo(SQLModel, table=True):
    """The fields of an operation's memo: [{"name", "value", "salt"}], in the order of their tree; none once erased."""

    __tablename__ = "memo"
    operation: int = Column(sa_type=BigInteger, primary_key=True, sa_column_kwargs={"autoincrement": False})
    fields: list[dict[str, str]] = document(nullable=False)
    erased_at_ms: int | None = Column(default=None, sa_type=BigInteger, nullable=True)


@told_by_validation
class MemoMalformed(Problem):
    """A memo's field has no such name, or its value is no plain text."""

    status = 422


@told_by_validation
class MemoTooLarge(Problem):
    """A memo has more fields or more text than may be kept."""

    status = 422


class MemoMissing(Problem):
    """The operation has no memo, or it was erased."""

    status = 404


def checked(memo: dict[str, str]) -> dict[str, str]:
    """The memo, if it is within its bounds."""
    size = sum(len(name.encode()) + len(value.encode("utf-8", "replace")) for name, value in memo.items())
    if len(memo) > FIELDS_MAX or size > MEMO_BYTES_MAX or any(len(value) > VALUE_CHARS_MAX for value in memo.values()):
        raise PydanticCustomError(
            "MemoTooLarge", f"A memo has at most {FIELDS_MAX} fields and {MEMO_BYTES_MAX} bytes, a value at most"
            f" {VALUE_CHARS_MAX} characters.",
        )  # fmt: skip
    for name, value in memo.items():
        plain = TEXT.fullmatch(value) and not any("\ud800" <= one <= "\udfff" for one in value)
        if not NAME.fullmatch(name) or not plain or not value:
            raise PydanticCustomError(
                "MemoMalformed", "A memo's names are like item.1, its values text without control characters."
            )
    return memo


MemoText = Annotated[
    dict[str, str],
    Field(description="Fields of a receipt or basket. They stay with us; the chain has a salted root of them."),
    AfterValidator(checked),
]


def salted(memo: Mapping[str, str]) -> list[memos.Field]:
    """The fields of a new memo."""
    return memos.salted(memo)


def store(session: Session, fields_of: Mapping[int, Sequence[memos.Field]]) -> None:
    """Keeps the memos of operations that were made in this transaction."""
    rows = [
        {
            "operation": operation,
            "fields": [{"name": one.name, "value": one.value, "salt": "0x" + one.salt.hex()} for one in fields],
        }
        for operation, fields in fields_of.items()
    ]
    if rows:
        session.connection().execute(insert(table_of(Memo)), rows)


def replace(session: Session, operation: int, fields: Sequence[memos.Field]) -> None:
    """The memo of an order that was corrected: the words of the old one are gone."""
    memo = table_of(Memo)
    session.connection().execute(delete(memo).where(memo.c.operation == operation))
    if fields:
        store(session, {operation: fields})


def texts(session: Session, operations: Sequence[int]) -> dict[int, dict[str, str] | None]:
    """Operation → its memo's words; None: erased. Operations that never had one are not in it."""
    memo = table_of(Memo)
    found = session.connection().execute(
        select(memo.c.operation, memo.c.fields, memo.c.erased_at_ms).where(memo.c.operation.in_(operations))
    )
    return {
        operation: None if erased else {one["name"]: one["value"] for one in fields}
        for operation, fields, erased in found
    }


def fields(session: Session, operation: int) -> list[memos.Field]:
    """The fields of a memo with their salts, or MemoMissing."""
    memo = table_of(Memo)
    found = session.connection().execute(select(memo.c.fields).where(memo.c.operation == operation)).scalar()
    if not found:
        raise MemoMissing("This operation has no memo, or it was erased.", operation=str(operation))
    return [memos.Field(one["name"], one["value"], bytes.fromhex(one["salt"][2:])) for one in found]


def erase(session: Session, operation: int) -> None:
    """Deletes words and salts of a memo. Twice is once; MemoMissing where there never was one."""
    memo = table_of(Memo)
    changed = session.connection().execute(
        update(memo).where(memo.c.operation == operation, memo.c.erased_at_ms.is_(None)).values(
            fields=[], erased_at_ms=now_ms()
        )
    )  # fmt: skip
    known = session.connection().execute(select(memo.c.operation).where(memo.c.operation == operation)).scalar()
    if changed.rowcount == 0 and known is None:
        raise MemoMissing("This operation has no memo.", operation=str(operation))


def purge(engine: Engine) -> bool:
    """Empties SQLite's log of writes, where an erased memo's words still lie; whether nothing kept it from that.

    To be called after the erasing transaction. PostgreSQL removes the words at its next vacuum.
    """
    if engine.dialect.name != "sqlite":
        return True
    try:
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            return connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)").scalar() == 0
    except OperationalError:
        # Somebody reads or writes; the next erasure, or SQLite's own next turn, takes the words with it.
        return False


def items(session: Session, operation: int) -> list[tuple[int, bytes | None]]:
    """(operation id, memo root or None) of every item of the transaction that carried an operation, in its order.

    Order and company are those of the call that was signed: no row's place in a table, and nothing that became of an
    item since, changes them.
    """
    connection, table = session.connection(), table_of(Operation)
    carried = select(table.c.transaction_id, table.c.brand).where(table.c.id == operation)
    sent = connection.execute(carried).one_or_none()
    if sent is None or sent.transaction_id is None:
        return []
    ids = calls.batched(transactions.calldata(connection, sent.transaction_id))
    found = operations.carried_payloads(connection, transaction_id=sent.transaction_id, brand=sent.brand, ids=ids)
    roots = {id: payload.get("memo_root") for id, payload in found.items()}
    return [(int(id), bytes.fromhex(root[2:]) if (root := roots.get(id)) else None) for id in ids]
