"""An exchange: agreed at the contract's own quote, signed by the member's key, done by whoever submits it."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, replace

from sqlmodel import Session

from api.auth.callers import MemberCaller
from api.kit.clock import now_ms
from api.kit.container import State
from api.members import service as identity
from api.members.models import Brand
from api.points.balances import now_s, payer
from api.points.models import ExchangeRequest
from api.points.operations import told_operation_of
from api.points.schemas import ExchangeCreate, ExchangePublic
from api.programmes import service as decisions
from api.programmes.catalogue import read_catalogue
from api.programmes.errors import OutBelowMinimum, VersionChanged
from api.writes.backlog import refuse_full
from chain.base.scalars import BaseUnits
from chain.contracts import authorisation
from chain.contracts.authorisation import Domain
from chain.outbox import calls, operations


@dataclass(frozen=True, slots=True)
class Agreed:
    """What the node said before the transaction: the agreement, and the domain that the member signs for."""

    agreement_id: str
    domain: Domain


def agreed(state: State, *, wanted: ExchangeCreate) -> Agreed:
    """Refuses at once what the contract would refuse: another version, or less than the minimum."""
    catalogue = state.database.reads(lambda read: read_catalogue(read, at_ms=now_ms()))
    agreement, _ = decisions.agreement_of(catalogue, source=wanted.source, target=wanted.target)
    quote = decisions.contract_quote(state, agreement=agreement, points_in=wanted.points_in)
    if quote.version != wanted.agreement_version:
        raise VersionChanged(
            "The agreement changed; ask for a new quote.",
            version=str(wanted.agreement_version),
            in_force=str(quote.version),
        )
    if quote.out < wanted.minimum_out:
        raise OutBelowMinimum(
            f"The exchange gives {quote.out} points, at least {wanted.minimum_out} were asked for.",
            out=str(quote.out),
            minimum=str(wanted.minimum_out),
        )
    return Agreed(agreement.id, state.node.domain("PartnerExchange"))


def exchange(
    session: Session, *, state: State, caller: MemberCaller, wanted: ExchangeCreate, terms: Agreed
) -> ExchangePublic:
    """Asks for the exchange with the member's authorisation."""
    source = identity.brand(session, slug=wanted.source)
    refuse_full(session, state.settings, brand=source.registry_id)
    known = tuple(zip(caller.member_ids, caller.addresses, strict=True))
    member_id, address = payer(session, token=source.token, members=known, points=BaseUnits(wanted.points_in))

    at_ms = now_ms()
    # What may be asked again by itself is signed for as long.
    lifetime_s = max(int(state.settings.exchange_lifetime.total_seconds()), wanted.retry_for_s or 0)
    deadline = now_s(session) + lifetime_s
    key = uuid.uuid4().hex
    nonce = authorisation.fresh_nonce()
    values = {
        "member": address,
        "agreementId": int(terms.agreement_id),
        "version": wanted.agreement_version,
        "pointsIn": wanted.points_in,
        "minimumOut": wanted.minimum_out,
        "nonce": nonce,
        "deadline": deadline,
    }
    signature = state.keystore.sign(
        identity.member_ref(member_id), authorisation.digest(terms.domain, "Exchange", values)
    )

    asked = calls.exchange(
        key=f"exchange/{key}",
        brand=source.registry_id,
        member=address,
        agreement_id=int(terms.agreement_id),
        version=wanted.agreement_version,
        points_in=BaseUnits(wanted.points_in),
        minimum_out=BaseUnits(wanted.minimum_out),
        nonce=nonce,
        deadline=deadline,
        signature="0x" + signature.hex(),
    )
    if wanted.retry_for_s:
        asked = replace(asked, retry_until_ms=at_ms + 1000 * wanted.retry_for_s)
    operation = operations.enqueue(session.connection(), asked)
    request = ExchangeRequest(
        id=f"exc_{key}",
        chain_id=authorisation.record_id(address, nonce),
        member_id=member_id,
        source=wanted.source,
        target=wanted.target,
        points_in=str(wanted.points_in),
        minimum_out=str(wanted.minimum_out),
        agreement_id=terms.agreement_id,
        version=wanted.agreement_version,
        operation=operation,
        created_at_ms=at_ms,
    )
    session.add(request)
    session.flush()
    return to_public(session, request)


def exchange_of(session: Session, *, exchange_id: str) -> ExchangeRequest:
    return session.get_one(ExchangeRequest, exchange_id)


def to_public(session: Session, request: ExchangeRequest) -> ExchangePublic:
    """The exchange as it stands; the points given are the chain's to say."""
    operation = told_operation_of(session, request.operation)
    view = operations.get(session.connection(), request.operation)
    result = (view.result if view is not None else None) or {}
    return ExchangePublic(
        id=request.id,
        source=request.source,
        target=request.target,
        points_in=request.points_in,
        points_out=result.get("exchange", {}).get("pointsOut"),
        minimum_out=request.minimum_out,
        decimals=session.get_one(Brand, request.source).decimals,
        operation=operation,
    )
