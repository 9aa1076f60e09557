"""What the reports say: chain.reports and chain.history of one snapshot, in the words of the wire."""

from __future__ import annotations

import tempfile
import threading
import zipfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO, TypeVar, cast

from sqlalchemy import Connection, select
from starlette.concurrency import run_in_threadpool

from api.audit_log.keys import log_signers
from api.audit_log.recording import record_now
from api.kit.addresses import checksum
from api.kit.clock import rfc3339
from api.kit.container import State
from api.members.errors import BrandUnknown
from api.members.models import Brand
from api.reports import schemas
from api.reports.errors import AsOfMalformed, ExportsTooMany, FractionInvalid, HistoryNotAvailable, PeriodInvalid
from chain.base import errors as chain_errors
from chain.base.scalars import Address
from chain.mirror import history
from chain.mirror.history import Moment
from chain.mirror.queries.checkpoint import checkpoint
from chain.reports import bundle
from chain.reports import errors as report_errors
from chain.reports.datasets import Scope
from chain.reports.fractions import fraction_of
from chain.reports.income import income
from chain.reports.liability import liability
from chain.reports.to_public import income_to_public
from chain.storage import database
from chain.storage.columns import table_of
from chain.storage.looks import looking

T = TypeVar("T")
EXPORTS_MAX = 2
SPOOLED_MAX_BYTES = 8 << 20
CHUNK_BYTES = 1 << 18
BRANDS_MAX = 10_000
brands = table_of(Brand)


@dataclass(frozen=True, slots=True)
class Place:
    """The block or moment of a request; neither: the newest block."""

    block: int | None = None
    at: datetime | None = None


@dataclass
class Exports:
    """How many exports are being made now."""

    slots: threading.BoundedSemaphore = field(default_factory=lambda: threading.BoundedSemaphore(EXPORTS_MAX))


async def balances(
    state: State, addresses: Sequence[Address], place: Place, *, only: str | None = None
) -> schemas.BalancesThen:
    """What the accounts of one person could spend. only: the slug of the one brand that may be told."""

    def look(connection: Connection) -> schemas.BalancesThen:
        moment = _chosen(connection, place)
        told = []
        for token in _tokens(connection, moment, only):
            lots = _lots_of(connection, token["token"], addresses, moment.number)
            owed = [
                int(row["points"])
                for address in addresses
                for row in history.debts(connection, moment.number, token["token"], account=address)
            ]
            told.append(
                schemas.BalanceThen(
                    brand=token["slug"],
                    token=checksum(token["token"]),
                    decimals=int(token["decimals"]),
                    points=str(sum(lot.points for lot in lots)),
                    debt=str(sum(owed)),
                    lots=[_bucket(lot) for lot in lots],
                )
            )
        return schemas.BalancesThen(as_of=_then(connection, moment), balances=told)

    return await _looked(state, look)


async def supplies(state: State, place: Place, *, only: str | None = None) -> schemas.SuppliesThen:
    """The supply of each token that may be told."""

    def look(connection: Connection) -> schemas.SuppliesThen:
        moment = _chosen(connection, place)
        told = []
        for token in _tokens(connection, moment, only):
            supply = history.supply(connection, token["token"], moment.number)
            told.append(
                schemas.SupplyThen(
                    brand=token["slug"],
                    token=checksum(token["token"]),
                    decimals=int(token["decimals"]),
                    minted=str(supply.minted),
                    burnt=str(supply.burnt),
                    expired=str(supply.minted - supply.burnt - supply.live),
                    live=str(supply.live),
                )
            )
        return schemas.SuppliesThen(as_of=_then(connection, moment), supplies=told)

    return await _looked(state, look)


async def obligations(state: State, place: Place, *, only: str | None = None) -> schemas.ObligationsThen:
    """What brands owe each other; of one brand only what names it."""

    decimals = await run_in_threadpool(state.node.settlement_decimals)

    def look(connection: Connection) -> schemas.ObligationsThen:
        moment = _chosen(connection, place)
        slugs = _slugs(connection)
        told = [
            schemas.ObligationThen(
                debtor=slugs.get(row["debtor_id"], row["debtor_id"]),
                creditor=slugs.get(row["creditor_id"], row["creditor_id"]),
                outstanding=str(row["outstanding"]),
                decimals=decimals,
            )
            for row in history.obligations(connection, moment.number)
        ]
        named = [one for one in told if only is None or only in (one.debtor, one.creditor)]
        return schemas.ObligationsThen(as_of=_then(connection, moment), obligations=named)

    return await _looked(state, look)


async def outstanding(state: State, slug: str, place: Place) -> schemas.LiabilityThen:
    """A brand's points outstanding."""

    def look(connection: Connection) -> schemas.LiabilityThen:
        moment = _chosen(connection, place)
        found = liability(
            connection,
            brand_id=_number(connection, slug),
            desk=state.deployment.address("RedemptionDesk"),
            block=moment.number,
        )
        return schemas.LiabilityThen(
            as_of=_then(connection, moment),
            brand=slug,
            token=checksum(found.token),
            decimals=found.decimals,
            outstanding=str(found.outstanding),
            held=str(found.held),
            owed=str(found.owed),
            buckets=[_bucket(lot) for lot in found.buckets],
        )

    return await _looked(state, look)


async def roll_forward(
    state: State, slug: str, since: Place, until: Place, *, price: str, breakage: str | None
) -> schemas.RollForward:
    """A brand's contract liability from one block to another."""

    def look(connection: Connection) -> schemas.RollForward:
        opening, closing = _chosen(connection, since), _chosen(connection, until)
        found = income(
            connection,
            brand_id=_number(connection, slug),
            from_block=opening.number,
            to_block=closing.number,
            price=fraction_of(price),
            breakage=None if breakage is None else fraction_of(breakage),
        )
        told = income_to_public(found)
        return schemas.RollForward(
            brand=slug,
            price=told["price"],
            since=_then(connection, opening),
            until=_then(connection, closing),
            **{name: told[name] for name in ("points", "adds_up", "money", "opening", "closing")},
        )

    return await _looked(state, look)


async def export(state: State, place: Place, *, format: str, only: str | None, actor: str) -> Iterator[bytes]:
    """The books as a ZIP archive: the files and the manifest of chain.reports.bundle. Recorded as an act."""
    slots = state.singleton(Exports).slots
    if not slots.acquire(blocking=False):
        raise ExportsTooMany(f"{EXPORTS_MAX} exports are being made already; try again in a moment.")
    try:
        archive = await _looked(state, lambda connection: _archive(connection, state, place, format, only, actor))
    finally:
        slots.release()
    return _chunks(archive)


def _archive(connection: Connection, state: State, place: Place, format: str, only: str | None, actor: str) -> BinaryIO:
    moment = _chosen(connection, place)
    token, number = None, None
    if only is not None:
        number = _number(connection, only)
        row = next(iter(_tokens(connection, moment, only)), None)
        if row is None:
            raise BrandUnknown(f"{only} had no token at block {moment.number}.", brand=only)
        token = row["token"]
    chain = {"chain_id": state.deployment.chain_id, "genesis_hash": state.deployment.genesis_hash}
    file = cast(BinaryIO, tempfile.SpooledTemporaryFile(SPOOLED_MAX_BYTES))  # noqa: SIM115 - closed by _chunks
    with tempfile.TemporaryDirectory(prefix="moa-export-") as name:
        folder = Path(name)
        bundle.write(
            connection,
            folder,
            scope=Scope(moment.number, token, number),
            format=format,
            chain=chain,
            signers=log_signers(state.keystore, origin=state.log_origin, number=state.settings.log_key),
            sealing=partial(_recorded, state, actor, only),
        )
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
            for path in sorted(folder.iterdir()):
                archive.write(path, path.name)
    file.seek(0)
    return file


def _recorded(state: State, actor: str, only: str | None, manifest: dict[str, Any], digest: str) -> None:
    """The act, with what is signed: on disk before the export leaves."""
    record_now(
        state.database,
        "export.made",
        actor=actor,
        what="books",
        brand=only,
        block_number=manifest["block"]["number"],
        rows=sum(file["rows"] for file in manifest["files"]),
        digest=digest,
    )


def _chunks(file: BinaryIO) -> Iterator[bytes]:
    with file:
        while chunk := file.read(CHUNK_BYTES):
            yield chunk


# What they share


async def _looked(state: State, look: Callable[[Connection], T]) -> T:
    """Runs a look at one moment of the tables, off the loop; expected trouble is told as a problem."""

    def run() -> T:
        with _told_errors(), database.snapshot(state.database.engine) as connection:
            return look(connection)

    return await run_in_threadpool(run)


@contextmanager
def _told_errors() -> Iterator[None]:
    try:
        yield
    except chain_errors.HistoryNotAvailable as error:
        raise HistoryNotAvailable(str(error), from_block=error.from_block, to_block=error.to_block) from error
    except report_errors.TokenUnknown as error:
        raise BrandUnknown(str(error)) from error
    except report_errors.PeriodInvalid as error:
        raise PeriodInvalid(str(error)) from error
    except (report_errors.FractionInvalid, ValueError) as error:
        raise FractionInvalid(str(error)) from error


def _chosen(connection: Connection, place: Place) -> Moment:
    if place.block is not None and place.at is not None:
        raise AsOfMalformed("Give a block or a moment, not both.")
    if place.block is not None:
        return history.moment(connection, place.block)
    if place.at is None:
        return history.span(connection).last
    return history.block_at(connection, int(place.at.timestamp()))


def _then(connection: Connection, moment: Moment) -> schemas.Then:
    at = checkpoint(looking(connection))
    assert at is not None, "a mirror that has a history has a checkpoint"
    return schemas.Then(
        block_number=moment.number,
        block_hash=moment.hash,
        block_time=rfc3339(moment.time * 1000),
        finality=at.finality(moment.number),
    )


def _lots_of(connection: Connection, token: str, addresses: Sequence[Address], block: int) -> list[history.Lot]:
    """The lots of all these accounts, those that end together as one; what ends first first."""
    found: dict[int, history.Lot] = {}
    for address in addresses:
        for lot in history.lots_of(connection, token, address, block):
            before = found.get(lot.expiry_epoch)
            found[lot.expiry_epoch] = lot if before is None else replace(before, points=before.points + lot.points)
    return [found[expiry] for expiry in sorted(found)]


def _bucket(lot: history.Lot) -> schemas.Bucket:
    ends = None if lot.expires_at is None else rfc3339(lot.expires_at * 1000)
    return schemas.Bucket(points=str(lot.points), expires_at=ends)


def _tokens(connection: Connection, moment: Moment, only: str | None) -> Iterator[dict[str, Any]]:
    """The tokens of then, each with its brand's slug."""
    slugs = _slugs(connection)
    for row in history.tokens(connection, moment.number):
        slug = slugs.get(str(row["brand_id"]), str(row["brand_id"]))
        if only in (None, slug):
            yield {**row, "slug": slug}


def _slugs(connection: Connection) -> dict[str, str]:
    """The registry's ids as text, and the names that the gateway gave them; a brand it does not know goes by its id."""
    found = connection.execute(select(brands.c.registry_id, brands.c.slug).order_by(brands.c.slug).limit(BRANDS_MAX))
    return {str(row.registry_id): row.slug for row in found}


def _number(connection: Connection, slug: str) -> int:
    found = connection.execute(select(brands.c.registry_id).where(brands.c.slug == slug)).scalar_one_or_none()
    if found is None:
        raise BrandUnknown(f"No brand is called {slug}.", brand=slug)
    return int(found)
