"""Facts, what they were decided to be worth, their memos and their members, beside the operations that carried them.

Operations are compared with the chain apart (operations.py), so what agrees with them agrees with the chain.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from sqlalchemy import Connection, select

from api.cross_checks.findings import Found, compare, differs, pages
from api.cross_checks.sent import MemoRoots
from api.decisions.mappings import MAPPINGS
from api.decisions.models import Award, GoodsReturn
from api.events import facts
from api.events.kinds import KINDS
from api.events.memos import Memo
from api.events.models import Event
from api.members.models import Brand, Member
from chain.contracts import memos
from chain.outbox.models import Operation
from chain.outbox.operations import AWARD, CANCELLED, CONFIRMED, MINED
from chain.storage.columns import table_of

RULE: Final = "25.5"
MICROSECONDS: Final = 1_000
COUNTED: Final = (MINED, CONFIRMED)

_award, _event, _member = table_of(Award), table_of(Event), table_of(Member)
_brand, _memo, _operation, _back = table_of(Brand), table_of(Memo), table_of(Operation), table_of(GoodsReturn)


def check(connection: Connection, found: Found) -> int:
    """Every award of the gateway with its fact, and every fact with its award; how many awards."""
    _facts_without_awards(connection, found)
    rows, roots = 0, MemoRoots(connection)
    asked = (
        select(
            _operation.c.id, _operation.c.operation_id, _operation.c.tx_hash,
            _operation.c.key, _operation.c.state, _operation.c.brand, _operation.c.payload,
            _award.c.event, _award.c.rule, _award.c.base_amount,
            _event.c.id.label("fact"), _event.c.source, _event.c.type, _event.c.external_id, _event.c.subject,
            _event.c.occurred_at_ms, _event.c.data, _event.c.content_hash,
            _member.c.address, _brand.c.registry_id, _brand.c.currency, _memo.c.fields,
        )
        .select_from(
            _operation.outerjoin(_award, _award.c.operation == _operation.c.id)
            .outerjoin(_event, _event.c.id == _award.c.event)
            .outerjoin(_member, _member.c.id == _event.c.subject)
            .outerjoin(_brand, _brand.c.slug == _event.c.source)
            .outerjoin(_memo, _memo.c.operation == _operation.c.id)
        )
        .where(_operation.c.kind == AWARD, _operation.c.key.like("purchase/%"))
        .order_by(_operation.c.id)
    )  # fmt: skip
    for page in pages(connection, asked):
        rows += len(page)
        back = _came_back_before(connection, [row.id for row in page])
        for row in page:
            _compare_one(found, row, back[row.id], roots)
    return rows


def _compare_one(found: Found, row: Any, back: int, roots: MemoRoots) -> None:
    if row.event is None:
        differs(found, "award", row.id, "row removed", None, row.key, RULE)
        return
    if row.fact is None:
        differs(found, "event", row.event, "row removed", None, row.key, RULE)
        return
    payload = row.payload
    compare(found, "award", row.id, [("rule of an award", row.rule, payload.get("rule"))], RULE)
    if row.state != CANCELLED:
        right = str(int(payload.get("base_amount", "0")) + back)
        compare(found, "award", row.id, [("base amount of an award", row.base_amount, right)], RULE)
    pairs: list[tuple[str, Any, Any]] = [
        ("key of a fact", f"{row.type}/{row.registry_id}/{row.external_id}", row.key),
        ("brand of a fact", row.registry_id, row.brand),
    ]
    kind, mapping = KINDS.get(row.type), MAPPINGS.get(row.type)
    if kind is not None and mapping is not None:
        try:
            amount: str | None = str(mapping.base_amount(row.data))
        except (KeyError, TypeError, ValueError):
            amount = None
        pairs += [
            ("amount of a fact", amount, row.base_amount),
            ("content of a fact", _true_hash(kind, row), True),
        ]
    compare(found, "event", row.fact, pairs, RULE)
    compare(found, "member", row.subject, [("address of a member", row.address, payload.get("member"))], RULE)
    if row.fields:
        said = _root(row.fields)
        counted = row.state in COUNTED and row.tx_hash is not None
        told = roots.of(row.tx_hash, row.brand, row.operation_id) if counted else payload.get("memo_root")
        compare(found, "memo", row.id, [("words of a memo", said, told)], RULE)


def _true_hash(kind: Any, row: Any) -> bool:
    """Whether the hash is that of the content. A time is kept in milliseconds, its hash may be of a finer one."""
    at = datetime.fromtimestamp(row.occurred_at_ms // 1000, UTC) + timedelta(milliseconds=row.occurred_at_ms % 1000)
    for more in range(MICROSECONDS):
        moment = (at + timedelta(microseconds=more)).isoformat()
        try:
            if facts.content_hash(kind, row.data, row.subject, moment) == row.content_hash:
                return True
        except (KeyError, TypeError):
            return False
    return False


def _root(fields: Sequence[Any]) -> str | None:
    try:
        kept = [memos.Field(one["name"], one["value"], bytes.fromhex(one["salt"][2:])) for one in fields]
    except (KeyError, TypeError, ValueError):
        return None
    return "0x" + memos.memo_root(kept).hex()


def _came_back_before(connection: Connection, operations: Sequence[int]) -> dict[int, int]:
    """What came off awards while they were locked, by operation."""
    taken: dict[int, int] = defaultdict(int)
    asked = select(_back.c.award, _back.c.base_amount).where(_back.c.award.in_(operations), _back.c.operation.is_(None))
    for award, amount in connection.execute(asked):
        taken[award] += int(amount)
    return taken


def _facts_without_awards(connection: Connection, found: Found) -> None:
    made = select(_award.c.event).where(_award.c.event == _event.c.id).exists()
    asked = select(_event.c.id).where(_event.c.type.in_(list(MAPPINGS)), ~made).order_by(_event.c.id)
    for page in pages(connection, asked):
        for (id,) in page:
            differs(found, "event", id, "row added", "a fact", None, RULE)
    known = select(_operation.c.id).where(_operation.c.id == _award.c.operation).exists()
    for page in pages(connection, select(_award.c.operation).where(~known).order_by(_award.c.operation)):
        for (id,) in page:
            differs(found, "operation", id, "row removed", None, "an operation", RULE)
