"""Bundles and signed receipts over HTTP: what is said of a member or an operation, in a form that others can check."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from typing import Any, Final

from sqlalchemy import select
from sqlmodel import Session

from api.auth.callers import BrandCaller, MemberCaller
from api.events import memos
from api.kit.container import State
from api.members import service as identity
from api.points import operations as lookups
from api.views.errors import EvidenceBusy, EvidenceUnavailable, MemoUnproven, ReceiptNotYet
from chain.base.scalars import Address
from chain.evidence import receipts
from chain.evidence.bundle import Maker, Memo, Place
from chain.evidence.errors import EvidenceError
from chain.evidence.gather import HeaderCache
from chain.mirror.queries import balances, events
from chain.mirror.queries.checkpoint import checkpoint
from chain.outbox.models import Operation
from chain.storage.columns import table_of
from chain.storage.database import snapshot
from chain.storage.looks import looking

EVIDENCE_TIMEOUT_S: Final = 20.0
AWARD: Final = "award"
# Brands of which a member may hold points: as many as the registry is read for (chain.mirror.brands).
TOKENS_MAX: Final = 1_000
# Making one is some hundred milliseconds of work here and at the node: members must not starve each other's reads.
AT_A_TIME_MAX: Final = 2
PATIENCE_S: Final = 5.0


class Workshop:
    """Where a gateway makes bundles: a few at a time, with the headers that it has read already."""

    def __init__(self) -> None:
        self.headers = HeaderCache()
        self._places = threading.BoundedSemaphore(AT_A_TIME_MAX)

    @contextmanager
    def place(self) -> Iterator[None]:
        """A place to work, or EvidenceBusy when none gets free."""
        if not self._places.acquire(timeout=PATIENCE_S):
            raise EvidenceBusy("Other evidence is being made just now; ask again in a moment.")
        try:
            yield
        finally:
            self._places.release()


def member_bundle(state: State, *, address: str, block: int | None, from_block: int | None) -> bytes:
    """A member's own balances and history as of a block."""
    with state.singleton(Workshop).place(), closing(state.node.patient(EVIDENCE_TIMEOUT_S)) as rpc:
        try:
            return _maker(state, rpc).member(address, block=block, from_block=from_block, labels=_labels(state))
        except EvidenceError as error:
            raise EvidenceUnavailable(str(error)) from error


def operation_bundle(
    state: State, *, caller: BrandCaller | MemberCaller, operation_id: int, show: Sequence[str], block: int | None
) -> bytes:
    """What an operation of the caller's did, and the shown fields of its memo."""
    with Session(state.database.engine) as session:
        lookups.operation_of(session, caller=caller, operation_id=operation_id)
        row = _operation(session, operation_id)
        memo = None
        if show:
            memo = Memo(memos.fields(session, operation_id), show, memos.items(session, operation_id))
            unknown = sorted(set(show) - {field.name for field in memo.fields})
            if unknown:
                raise MemoUnproven(f"The memo has no field {', '.join(unknown)}.", operation=str(operation_id))
    if row.tx_hash is None or row.block_number is None:
        raise ReceiptNotYet("The operation is not on the chain yet.", operation=str(operation_id))
    award = None
    if row.kind == AWARD and row.operation_id is not None:
        award = (int(row.brand), int(row.operation_id))
    with state.singleton(Workshop).place(), closing(state.node.patient(EVIDENCE_TIMEOUT_S)) as rpc:
        try:
            place = Place(int(row.block_number), str(row.tx_hash))
            return _maker(state, rpc).operation(place, award=award, memo=memo, block=block, labels=_labels(state))
        except EvidenceError as error:
            raise EvidenceUnavailable(str(error)) from error


def operation_receipt(state: State, *, caller: BrandCaller | MemberCaller, operation_id: int) -> bytes:
    """The signed receipt of a confirmed operation: what its event says, in which block."""
    with Session(state.database.engine) as session:
        lookups.operation_of(session, caller=caller, operation_id=operation_id)
    with snapshot(state.database.engine) as connection:
        row = _operation(connection, operation_id)
        look = looking(connection)
        at, found = checkpoint(look), None
        if row.state == "confirmed":
            found = events.at(look, block_number=row.block_number, log_index=row.log_index)
    if at is None or found is None or found.block_hash != row.block_hash:
        raise ReceiptNotYet("The operation is not confirmed yet.", operation=str(operation_id))
    finality = at.finality(found.block_number)
    return receipts.of_event(state.keystore, found, chain_id=state.deployment.chain_id, finality=finality)


def view_receipt(state: State, *, address: str) -> bytes:
    """The signed receipt of what a member holds, at the mirror's block."""
    with snapshot(state.database.engine) as connection:
        look = looking(connection)
        at = checkpoint(look)
        if at is None:
            raise ReceiptNotYet("The mirror has not begun yet.")
        held = balances.lots_of(look, account=Address(address.lower()), limit=TOKENS_MAX)
    return receipts.of_member(
        state.keystore,
        address.lower(),
        [(one.token, one.lots) for one in held],
        chain_id=state.deployment.chain_id,
        block=(at.block_number, at.block_hash),
        finality=at.finality(at.block_number),
    )


def _maker(state: State, rpc: Any) -> Maker:
    signer = receipts.signer(state.keystore)
    return Maker(rpc, state.deployment, headers=state.singleton(Workshop).headers, signer=signer)


def _labels(state: State) -> dict[str, str]:
    """Names for the brands' tokens; nobody proves a name."""
    with Session(state.database.engine) as session:
        return {f"token {brand.token}": brand.slug for brand in identity.brands(session)}


def _operation(session: Any, operation_id: int) -> Any:
    operation = table_of(Operation)
    return session.execute(select(operation).where(operation.c.id == operation_id)).one()
