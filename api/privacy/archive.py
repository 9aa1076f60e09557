"""Everything that is kept of one person, in one archive that anyone can read: JSON files and their hashes."""

from __future__ import annotations

import hashlib
import io
import zipfile
from collections.abc import Sequence
from typing import Any, Final

import orjson
from sqlalchemy import or_, select
from sqlmodel import Session

from api.events.memos import Memo
from api.kit.clock import now_ms, rfc3339
from api.privacy.catalogue import DATASETS, Dataset
from api.privacy.errors import ExportTooLarge
from api.vault.sealing import Vault
from chain.base.scalars import Address
from chain.mirror.queries import balances, entries
from chain.outbox.models import Operation
from chain.storage.columns import table_of
from chain.storage.looks import looking

ROWS_MAX: Final = 100_000
FORMAT: Final = "moa-person/1"
# Zip's first day: an archive of the same rows is the same bytes.
DAY_ONE: Final = (1980, 1, 1, 0, 0, 0)


def archive(
    session: Session,
    vault: Vault,
    *,
    member_ids: Sequence[str],
    addresses: Sequence[Address],
    accesses: list[dict[str, Any]],
) -> bytes:
    """The zip: a file for each kind of rows, the chain's entries and balances, who looked, and a manifest."""
    files = {f"{one.table.name}.json": _rows(session, vault, one, member_ids) for one in DATASETS}
    look = looking(session)
    files["entries.json"] = [
        one._asdict() for account in addresses for one in entries.page(look, account=account, after=0, limit=ROWS_MAX)
    ]
    files["balances.json"] = [
        one._asdict()
        for account in addresses
        for one in balances.of_account(look, account=account, after="", limit=ROWS_MAX)
    ]
    files["memos.json"] = _memos(session, addresses)
    files["accesses.json"] = accesses
    told = {name: orjson.dumps(rows, option=orjson.OPT_INDENT_2) for name, rows in sorted(files.items())}
    manifest = {
        "format": FORMAT,
        "made_at": rfc3339(now_ms()),
        "members": list(member_ids),
        "files": {
            name: {"rows": len(files[name]), "sha256": hashlib.sha256(content).hexdigest()}
            for name, content in told.items()
        },
    }
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as zipped:
        for name, content in {"manifest.json": orjson.dumps(manifest, option=orjson.OPT_INDENT_2), **told}.items():
            zipped.writestr(zipfile.ZipInfo(name, DAY_ONE), content)
    return made.getvalue()


def _rows(session: Session, vault: Vault, dataset: Dataset, member_ids: Sequence[str]) -> list[dict[str, Any]]:
    table = dataset.table
    whose = or_(*(table.c[name].in_(member_ids) for name in dataset.subject))
    found = session.execute(select(table).where(whose).order_by(*table.primary_key.columns).limit(ROWS_MAX + 1))
    rows = [row._mapping for row in found]
    if len(rows) > ROWS_MAX:
        raise ExportTooLarge(f"More than {ROWS_MAX} rows of {table.name} are kept; ask support for them.")
    return [{**{name: row[name] for name in dataset.told}, **dataset.opened(vault, dict(row))} for row in rows]


def _memos(session: Session, addresses: Sequence[str]) -> list[dict[str, Any]]:
    memo, operation = table_of(Memo), table_of(Operation)
    found = session.execute(
        select(memo.c.operation, memo.c.fields)
        .join(operation, operation.c.id == memo.c.operation)
        .where(operation.c.ordering_key.in_(addresses), memo.c.erased_at_ms.is_(None))
        .order_by(memo.c.operation)
        .limit(ROWS_MAX)
    )
    return [dict(row._mapping) for row in found]
