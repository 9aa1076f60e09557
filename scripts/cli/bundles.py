"""`moa evidence` and `moa memo`: bundles made from a node, of a member, brand, operation, badge or vote."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import orjson
from rich.console import Console
from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError
from sqlmodel import Session

from api.events import memos
from api.kit.problems import Problem
from api.members.models import Member
from api.points import operations as lookups
from chain.base.addresses import parse_address
from chain.base.errors import ChainError
from chain.contracts.deployment import Deployment
from chain.evidence import receipts
from chain.evidence.bundle import Maker, Memo, Place
from chain.evidence.errors import EvidenceError, EvidenceMissing
from chain.evidence.finding import Finder
from chain.node.rpc import Rpc
from chain.outbox.models import Operation
from chain.storage.columns import table_of
from chain.storage.keystore import LocalKeystore
from scripts.cli.log.errors import ActUnrecorded
from scripts.cli.log.looks import record_look
from scripts.cli.status import existing, unreadable
from scripts.console.printed import plain
from scripts.stack.brand_names import NamedBrand, find, of_chain, of_gateway

RPC_TIMEOUT_S = 60.0
NUMBER_DIGITS_MAX: Final = 9


@dataclass(frozen=True, slots=True)
class Source:
    """Where the facts are. No database: addresses and <brand>/<number> only. No keystore: no signature."""

    rpc_url: str
    chain_id: int
    deployments: Path
    database_url: str | None = None
    keystore: Path | None = None
    keystore_password: str | None = None


@dataclass(frozen=True, slots=True)
class BundleRequest:
    """What a bundle is about: exactly one of member, brand, operation, badge and vote; a badge is a member's, and a
    vote may be. events: also the transactions that gave or took a badge, posted a list, cast a vote."""

    member: str | None = None
    brand: str | None = None
    operation: str | None = None
    block: int | None = None
    from_block: int | None = None
    anchor: int | None = None
    show: Sequence[str] = ()
    badge: str | None = None
    vote: str | None = None
    events: bool = False


def write(source: Source, asked: BundleRequest, *, out: Path | None, as_json: bool = False) -> int:
    """Makes the bundle into a file, or onto standard output. 0, or 1 with a sentence that says what is missing.

    as_json: what was written, or why nothing was, is told as JSON on standard output; there a bundle is JSON anyway.
    """
    console = Console(stderr=True, highlight=False, soft_wrap=True)
    try:
        data = make(source, asked)
    except (EvidenceError, ChainError, Problem, ActUnrecorded, SQLAlchemyError, FileNotFoundError) as error:
        said = unreadable(error) if isinstance(error, SQLAlchemyError | FileNotFoundError) else str(error)
        if as_json:
            _print({"error": type(error).__name__, "detail": said})
        else:
            console.print(f"[bold red]No evidence:[/] {plain(said)}")
        return 1
    if out is None:
        sys.stdout.buffer.write(data)
        return 0
    out.write_bytes(data)
    if as_json:
        _print(written(out, data))
    else:
        console.print(
            f"{out}: {len(data):,} bytes. Check it with: moa verify {out} --pin <block hash> --registry <address>"
            f"{_named_too(asked)}"
        )
    return 0


def written(out: Path, data: bytes) -> dict[str, Any]:
    """A bundle in a file, for machines: what to check it against is not told by it."""
    found = orjson.loads(data)
    body = found["body"]
    return {
        "file": str(out),
        "bytes": len(data),
        "format": found["format"],
        "digest": found["digest"],
        "chain_id": body["chain_id"],
        "block": body["block"],
        "claims": [one["type"] for one in body["claims"]],
    }


def make(source: Source, asked: BundleRequest) -> bytes:
    """The bundle. Raises EvidenceError, ChainError, MemoMissing or ActUnrecorded."""
    of_member = asked.badge is not None or asked.vote is not None
    subjects = (asked.brand, asked.operation, asked.badge, asked.vote, None if of_member else asked.member)
    if sum(one is not None for one in subjects) != 1:
        raise EvidenceMissing("Name one of --member, --brand, --operation, --badge and --vote.")
    if asked.badge is not None and asked.member is None:
        raise EvidenceMissing("Whose badge? Name the --member too.")
    deployment = Deployment.load(source.deployments, source.chain_id)
    signer = None
    if source.keystore is not None and source.keystore_password is not None:
        signer = receipts.signer(LocalKeystore.open(source.keystore, source.keystore_password))
    with closing(Rpc(source.rpc_url, timeout_s=RPC_TIMEOUT_S)) as rpc:
        deployment.verify(rpc)
        maker = Maker(rpc, deployment, signer=signer)
        named = _named(source, rpc, deployment)
        labels = {f"token {brand.token}": brand.slug for brand in named}
        if of_member:
            finder = Finder(rpc, deployment, maker.head() if asked.block is None else asked.block)
            return (
                _badge(source, maker, finder, named, asked)
                if asked.badge
                else _vote(source, maker, finder, named, asked)
            )
        if asked.member is not None:
            account = _account(source, asked.member)
            return maker.member(
                account, block=asked.block, from_block=asked.from_block, anchor=asked.anchor, labels=labels
            )
        if asked.brand is not None:
            brand_id = _brand(named, asked.brand)
            return maker.brand(brand_id, block=asked.block, anchor=asked.anchor, labels=labels)
        assert asked.operation is not None, "one of them is named"
        place, award, memo = _operation(source, maker, named, asked)
        return maker.operation(place, award=award, memo=memo, block=asked.block, anchor=asked.anchor, labels=labels)


def _badge(source: Source, maker: Maker, finder: Finder, named: Sequence[NamedBrand], asked: BundleRequest) -> bytes:
    """Of `<brand>/<definition>`, and of a member."""
    slug, definition_id = _pair(asked.badge or "", "badge", "<brand>/<number of the definition>")
    brand_id = _brand(named, slug)
    account = _account(source, asked.member or "")
    place = finder.badge(brand_id, definition_id, account) if asked.events else None
    return maker.badge(brand_id, definition_id, account, place=place, block=asked.block, anchor=asked.anchor)


def _vote(source: Source, maker: Maker, finder: Finder, named: Sequence[NamedBrand], asked: BundleRequest) -> bytes:
    """Of `<brand>/<proposal>`: the house; and of a member, who is in its list."""
    slug, proposal_id = _pair(asked.vote or "", "vote", "<brand>/<number of the proposal>")
    brand_id = _brand(named, slug)
    account = None if asked.member is None else _account(source, asked.member)
    found = finder.adopted(proposal_id, brand_id)
    places = list(found.places)
    if account is not None:
        places += [each for each in finder.cast(proposal_id, brand_id, account) if each not in places]
    return maker.vote(
        proposal_id,
        brand_id,
        leaves=found.leaves,
        member=account,
        places=places if asked.events else (),
        block=asked.block,
        anchor=asked.anchor,
    )


def _pair(text: str, what: str, shape: str) -> tuple[str, int]:
    """A brand's name and a number."""
    slug, _, number = text.rpartition("/")
    if not slug or not (number.isascii() and number.isdecimal()) or len(number) > NUMBER_DIGITS_MAX:
        raise EvidenceMissing(f"{text} is no {what}: {shape}.")
    return slug, int(number)


def _brand(named: Sequence[NamedBrand], name: str) -> int:
    """The registry's id. Raises EvidenceMissing."""
    found = find(named, name)
    if found is None:
        raise EvidenceMissing(f"There is no brand {name}.")
    return found


def _named_too(asked: BundleRequest) -> str:
    """What a reader of a badge or a vote must name besides the registry."""
    return " --badges <address>" if asked.badge else " --governor <address>" if asked.vote else ""


def _print(told: dict[str, Any]) -> None:
    sys.stdout.write(orjson.dumps(told, option=orjson.OPT_INDENT_2).decode() + "\n")


def _named(source: Source, rpc: Rpc, deployment: Deployment) -> list[NamedBrand]:
    """The brands as the gateway calls them; without its database, as the chain and their documents do."""
    if source.database_url is None:
        return of_chain(rpc, deployment)
    with _reading(source, "A brand's name") as session:
        return of_gateway(session.connection())


def _account(source: Source, member: str) -> str:
    if member.startswith(("0x", "0X")):
        return parse_address(member)
    table = table_of(Member)
    with _reading(source, "A member's id") as session:
        found = session.connection().execute(select(table.c.address).where(table.c.id == member)).scalar()
    if found is None:
        raise EvidenceMissing(f"There is no member {member}.")
    assert source.database_url is not None, "the member was found in it"
    # From here on somebody knows whose the address is.
    record_look(source.database_url, command="evidence", member_id=member)
    return str(found).lower()


def _operation(
    source: Source, maker: Maker, named: Sequence[NamedBrand], asked: BundleRequest
) -> tuple[Place, tuple[int, int] | None, Memo | None]:
    """Place, (brand id, operation id) of an award, and its memo when fields of it are to be shown."""
    wanted = asked.operation or ""
    slug, _, number = wanted.rpartition("/")
    if slug:
        brand_id = find(named, slug)
        if brand_id is None or not number.isdecimal():
            raise EvidenceMissing(f"{wanted} is no operation: <brand>/<number of the brand>, or the gateway's number.")
        award = (brand_id, int(number))
        return maker.find_award(*award, last=asked.block), award, None
    if not wanted.isdecimal():
        raise EvidenceMissing(f"{wanted} is no operation: <brand>/<number of the brand>, or the gateway's number.")
    table = table_of(Operation)
    with _reading(source, "The gateway's number of an operation") as session:
        row = session.connection().execute(select(table).where(table.c.id == int(wanted))).one_or_none()
        if row is None or row.tx_hash is None or row.block_number is None:
            raise EvidenceMissing(f"Operation {wanted} is not on the chain.")
        memo = None
        if asked.show:
            memo = Memo(memos.fields(session, row.id), asked.show, memos.items(session, row.id))
            member_id = lookups.member_of(session, row.id)
    if memo is not None and source.database_url is not None:
        record_look(
            source.database_url, command="memo prove", member_id=member_id, otherwise=f"operation/{int(wanted)}"
        )
    of_award = None
    if row.kind == "award":
        of_award = (int(row.brand), int(row.operation_id))
    return Place(int(row.block_number), str(row.tx_hash)), of_award, memo


@contextmanager
def _reading(source: Source, what: str) -> Iterator[Session]:
    if source.database_url is None:
        raise EvidenceMissing(f"{what} is in the database: give --database, or an address or <brand>/<number>.")
    engine = existing(source.database_url)
    try:
        with Session(engine) as session:
            yield session
    finally:
        engine.dispose()
