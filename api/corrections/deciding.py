"""The second one: approves by a signature that the contract asks for, or refuses; and the first one takes back."""

from __future__ import annotations

from sqlmodel import Session

from api import audit_log
from api.audit_log import names
from api.auth.callers import BrandCaller
from api.auth.errors import NotYours
from api.corrections import given, signers
from api.corrections.errors import (
    CorrectionExpired,
    CorrectionStateWrong,
    RoleMissing,
    SecondSignerSame,
    SignatureInvalid,
)
from api.corrections.models import Correction
from api.corrections.schemas import CorrectionApproval
from api.kit.addresses import checksum
from api.kit.clock import now_ms
from api.kit.container import State
from api.kit.database import lock
from api.members.living import refuse_erased
from api.sign_in.wallets import signer_of
from api.writes.backlog import refuse_full
from chain.base.scalars import Address, BaseUnits
from chain.contracts import authorisation, corrections
from chain.outbox import calls, operations
from chain.outbox.operations import Change


def examined(state: State, *, caller: BrandCaller, id: str, wanted: CorrectionApproval) -> None:
    """Refuses at once what the contract would: an account that is no owner of the brand, a signature of another thing.

    Of an account that is a contract only the contract itself can tell; the relayer asks it before it sends.
    """
    with Session(state.database.engine) as session:
        row = given.find(session, brand=caller.registry_id, id=id)
        _refuse_decided(session, row, caller)
        message = given.message(row, brand=caller.registry_id)
    signer = Address(wanted.signer.lower())
    rpc, deployment = state.node.rpc, state.deployment
    if not corrections.is_owner(rpc, deployment, brand=caller.registry_id, account=signer):
        role = str(corrections.owner_role(caller.registry_id))
        raise RoleMissing("This account does not hold the brand's owner role.", who=checksum(signer), role=role)
    digest = authorisation.digest(state.node.domain(corrections.CONTRACT), "Correction", message)
    recovered = signer_of(digest, bytes.fromhex(wanted.signature[2:]))
    if recovered != signer and not corrections.has_code(rpc, signer):
        raise SignatureInvalid("This is not the account's signature over this correction.", signer=checksum(signer))


def approve(session: Session, state: State, *, caller: BrandCaller, id: str, wanted: CorrectionApproval) -> Correction:
    """Asks the ledger for it, with both signatures; once the ledger refused it, it may be signed anew."""
    brand = caller.registry_id
    lock(session, f"brand:{brand}")
    row = given.find(session, brand=brand, id=id, locked=True)
    _refuse_decided(session, row, caller)
    refuse_erased(session, row.member_id)
    refuse_full(session, state.settings, brand=brand)
    asked = calls.correct(
        key=f"correction/{brand}/{row.reference}",
        brand=brand,
        member=Address(row.address),
        rule=row.rule,
        points=BaseUnits(int(row.points)),
        operation_id=row.operation_id or "",
        signer=Address(wanted.signer),
        deadline=row.deadline or 0,
        signature=wanted.signature.lower(),
    )
    if row.operation is None:
        row.operation = operations.enqueue(session.connection(), asked)
    else:
        operations.again(session, row.operation, Change(payload=asked.payload))
    return _decided(session, row, caller, given.ASKED, "correction.approved")


def refuse(session: Session, *, caller: BrandCaller, id: str) -> Correction:
    """The second one says no: nothing is ever sent."""
    lock(session, f"brand:{caller.registry_id}")
    row = given.find(session, brand=caller.registry_id, id=id, locked=True)
    _refuse_not_waiting(row)
    if signers.is_same(session, row.asked_by, caller):
        raise SecondSignerSame("Who asked for this withdraws it; another one refuses it.")
    return _decided(session, row, caller, given.REFUSED, "correction.refused")


def withdraw(session: Session, *, caller: BrandCaller, id: str) -> Correction:
    """Whoever asked takes it back before a second one decided."""
    lock(session, f"brand:{caller.registry_id}")
    row = given.find(session, brand=caller.registry_id, id=id, locked=True)
    _refuse_not_waiting(row)
    if not signers.is_same(session, row.asked_by, caller):
        raise NotYours("Who asked for this withdraws it; another one refuses it.")
    return _decided(session, row, caller, given.WITHDRAWN, "correction.withdrawn")


def _refuse_decided(session: Session, row: Correction, caller: BrandCaller) -> None:
    """Unless it waits, in time, for another one than the caller; or the ledger refused what was signed before."""
    if not given.is_to_sign(session, row):
        _refuse_not_waiting(row)
    if signers.is_same(session, row.asked_by, caller):
        raise SecondSignerSame("Who asked for this does not approve it: it takes two.")
    if given.is_over(session, row):
        raise CorrectionExpired("The time in which this could be approved is over.", until=str(row.deadline))


def _refuse_not_waiting(row: Correction) -> None:
    if row.state != given.WAITING:
        raise CorrectionStateWrong(f"This correction is {row.state}.", state=row.state)


def _decided(session: Session, row: Correction, caller: BrandCaller, state: str, act: str) -> Correction:
    row.state, row.decided_by, row.decided_at_ms = state, signers.name_of(caller), now_ms()
    session.add(row)
    session.flush()
    audit_log.record(
        session.connection(),
        act,
        actor=caller.actor,
        subject=names.member(row.member_id),
        brand=row.brand,
        correction=row.id,
    )
    return row
