"""Holds and exchanges that were asked for beside their authorisations, and brands beside the registry's tokens."""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256
from typing import Any, Final

from sqlalchemy import Connection, select

from api.cross_checks import sent
from api.cross_checks.findings import BRANDS_MAX, Found, compare, differs, pages
from api.members.models import Brand, Member
from api.points.models import ExchangeRequest, HoldRequest
from chain.mirror.queries import brands
from chain.outbox.models import Operation
from chain.storage.columns import table_of
from chain.storage.looks import looking

RULE: Final = "25.6"
NO_REWARD: Final = "0x" + "00" * 32
# The words of PartnerExchange.exchange before its signature.
QUOTE: Final = ("member", "agreementId", "version", "pointsIn", "minimumOut", "nonce", "deadline")

_hold, _exchange, _operation = table_of(HoldRequest), table_of(ExchangeRequest), table_of(Operation)
_brand, _member = table_of(Brand), table_of(Member)


def check_brands(connection: Connection, found: Found) -> int:
    """Every brand has the token that the registry gave it."""
    tokens = {int(one.brand_id): str(one.token).lower() for one in brands.named(looking(connection), limit=BRANDS_MAX)}
    asked = select(_brand.c.slug, _brand.c.registry_id, _brand.c.token).order_by(_brand.c.slug).limit(BRANDS_MAX)
    rows = connection.execute(asked).all()
    for row in rows:
        compare(found, "brand", row.slug, [("token of a brand", row.token, tokens.get(row.registry_id))], RULE)
    return len(rows)


def check_holds(connection: Connection, found: Found) -> int:
    """Each hold that was asked for is what its authorisation says, and has it still."""
    rows = 0
    for page in pages(connection, _asked(_hold, _hold.c.brand)):
        rows += len(page)
        for row in page:
            if row.payload is None:
                differs(found, "operation", row.operation, "row removed", None, "hold", RULE)
                continue
            # What the chain has where it has it; else what was signed.
            asked = row.result if row.result is not None else row.payload.get("request", {})
            reward = "0x" + sha256(row.reward.encode()).hexdigest() if row.reward else NO_REWARD
            pairs = [
                ("id of a hold", f"hold/{row.id.removeprefix('hold_')}", row.key),
                ("member of a hold", row.address, asked.get("member")),
                ("brand of a hold", str(row.registry_id), asked.get("brandId")),
                ("points of a hold", row.points, asked.get("points")),
                ("reward of a hold", reward, asked.get("rewardId")),
                ("end of a hold", str(row.hold_until), str(asked.get("holdUntil"))),
            ]
            if row.result is not None:
                pairs.append(("chain's id of a hold", row.chain_id, asked.get("holdId")))
            compare(found, "hold_request", row.id, pairs, RULE)
    _without_request(connection, found, "hold", _hold)
    return rows


def check_exchanges(connection: Connection, found: Found) -> int:
    """Each exchange that was asked for is what was signed for it and, once it was sent, what the transaction asked."""
    rows = 0
    for page in pages(connection, _asked(_exchange, _exchange.c.source)):
        rows += len(page)
        for row in page:
            if row.payload is None:
                differs(found, "operation", row.operation, "row removed", None, "exchange", RULE)
                continue
            signed = _signed(connection, row.tx_hash) or row.payload.get("quote", {})
            pairs = [
                ("id of an exchange", f"exchange/{row.id.removeprefix('exc_')}", row.key),
                ("brand of an exchange", row.registry_id, row.brand_id),
                ("member of an exchange", row.address, signed.get("member")),
                ("points of an exchange", row.points_in, signed.get("pointsIn")),
                ("minimum of an exchange", row.minimum_out, signed.get("minimumOut")),
                ("agreement of an exchange", row.agreement_id, signed.get("agreementId")),
                ("version of an exchange", str(row.version), signed.get("version")),
            ]
            compare(found, "exchange_request", row.id, pairs, RULE)
    _without_request(connection, found, "exchange", _exchange)
    return rows


def _asked(table: Any, slug: Any) -> Any:
    return (
        select(
            table, _operation.c.key, _operation.c.payload, _operation.c.result, _operation.c.tx_hash,
            _operation.c.brand.label("brand_id"), _member.c.address, _brand.c.registry_id,
        )
        .select_from(
            table.outerjoin(_operation, _operation.c.id == table.c.operation)
            .outerjoin(_member, _member.c.id == table.c.member_id)
            .outerjoin(_brand, _brand.c.slug == slug)
        )
        .order_by(table.c.id)
    )  # fmt: skip


def _signed(connection: Connection, tx_hash: str | None) -> Mapping[str, str] | None:
    """The quote in a transaction of ours, from its own bytes."""
    data = None if tx_hash is None else sent.calldata(connection, tx_hash)
    if data is None or len(data) < 4 + 32 * len(QUOTE):
        return None
    words = [int.from_bytes(data[at : at + 32]) for at in range(4, 4 + 32 * len(QUOTE), 32)]
    return {name: f"0x{word:040x}" if name == "member" else str(word) for name, word in zip(QUOTE, words, strict=True)}


def _without_request(connection: Connection, found: Found, kind: str, table: Any) -> None:
    """Operations that a journey asked for and whose row is gone."""
    known = select(table.c.id).where(table.c.operation == _operation.c.id).exists()
    asked = select(_operation.c.id).where(_operation.c.kind == kind, _operation.c.key.like(f"{kind}/%"), ~known)
    for page in pages(connection, asked.order_by(_operation.c.id)):
        for (id,) in page:
            differs(found, table.name, id, "row removed", None, kind, RULE)
