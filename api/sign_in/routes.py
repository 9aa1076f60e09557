"""Routes by which people come in. For anyone, so without an Idempotency-Key: what is asked for counts by its challenge.

A code, a passkey's answer and a signed message are good once; a refresh names its attempt. Everything here is bounded
by the person's address and by the caller's.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from fastapi import APIRouter, Request
from pydantic import BaseModel
from sqlmodel import Session
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from api.auth.callers import CALLER_PROBLEMS, ByOperator
from api.auth.errors import KeyInvalid, SessionExpired
from api.auth.tokens import read_token
from api.identity import groups
from api.identity.errors import IdentifierBlocked, IdentifierMalformed, PhoneUnclear
from api.kit.addresses import AddressMalformed
from api.kit.clock import rfc3339
from api.kit.container import State, state_of
from api.kit.problems import NodeUnavailable, RequestMalformed, responses
from api.members import devices
from api.members.errors import BrandUnknown, MemberUnknown
from api.members.models import Device, Member
from api.sign_in import challenges, codes, entering, passkeys, wallets
from api.sign_in.errors import CodesTooMany, CodeWrong, OutboxClosed, PasskeyRefused, RefreshReused, WalletRefused
from api.sign_in.schemas import (
    ChallengeMade,
    CodeEntered,
    CodeWanted,
    OutboxList,
    PasskeyEntered,
    PasskeyOptions,
    RefreshWanted,
    TokensMade,
    WalletEntered,
    WalletMessage,
    WalletWanted,
)
from api.sign_in.sender import Outbox
from api.vault.sealing import vault_of
from api.writes.strict import StrictRoute, takes_newlines

T = TypeVar("T")
router = APIRouter(prefix="/v1/sign-in", tags=["sign-in"], route_class=StrictRoute)
GIVEN = (IdentifierMalformed, IdentifierBlocked, PhoneUnclear, RequestMalformed)
ENTERING = (RequestMalformed, BrandUnknown, IdentifierMalformed, IdentifierBlocked, CodesTooMany)


@router.post(
    "/codes",
    operation_id="askForCode",
    status_code=202,
    response_model=ChallengeMade,
    responses=responses(*GIVEN, CodesTooMany),
)
async def ask_for_code(request: Request, wanted: CodeWanted) -> Response:
    """Sends a one-time code by e-mail or telephone. The answer is the same for everybody, member or not."""
    state, place = state_of(request), place_of(request)
    vault, sender = vault_of(state), Outbox(state.keystore)
    to = codes.given(vault, wanted.identifier)
    if await _write(state, lambda session: codes.refuse_many(session, vault, to=to, place=place)):
        raise codes.too_many()
    lifetime_s = int(state.settings.challenge_lifetime.total_seconds())

    def effect(session: Session) -> ChallengeMade:
        made = codes.send(session, vault, sender, to=to, purpose="sign_in", lifetime_s=lifetime_s)
        return ChallengeMade(challenge=made.id, expires_at=rfc3339(made.expires_at_ms))

    return _private(await _write(state, effect), 202)


@router.post(
    "/sessions",
    operation_id="enterCode",
    status_code=201,
    response_model=TokensMade,
    responses=responses(*GIVEN, *ENTERING, CodeWrong),
)
async def enter_code(request: Request, wanted: CodeEntered) -> Response:
    """Signs in with a code. At the first time a member is made; what brands said of this address becomes the member's.

    Wrong, late, used, tried too often, of another address: all is `CodeWrong`.
    """
    state = state_of(request)
    vault = vault_of(state)
    given = codes.given(vault, wanted.identifier)
    await _count_try(request, wanted.challenge)

    def effect(session: Session) -> TokensMade | None:
        used = challenges.use(
            session,
            vault,
            challenge_id=wanted.challenge,
            purpose="sign_in",
            means=given.kind,
            secret=wanted.code,
            lookup=given.lookup,
        )
        if used is None:
            return None
        return entering.by_proof(session, state, vault, given=given, means=wanted.identifier.kind, how=wanted)

    made = await _enter(state, effect)
    if made is None:
        raise CodeWrong("This code does not open anything; ask for another one.")
    return _private(made, 201)


@router.post(
    "/passkeys/options", operation_id="askForPasskey", response_model=PasskeyOptions, responses=responses(CodesTooMany)
)
async def ask_for_passkey(request: Request) -> Response:
    """What the browser is to be asked: any passkey of ours on this device, with its user verified."""
    state = state_of(request)
    vault = vault_of(state)
    await _refuse_flood(request)
    return _private(await _write(state, lambda session: passkeys.ask(session, vault, state.settings)), 200)


@router.post(
    "/passkeys",
    operation_id="enterPasskey",
    status_code=201,
    response_model=TokensMade,
    responses=responses(*ENTERING, PasskeyRefused),
)
async def enter_passkey(request: Request, wanted: PasskeyEntered) -> Response:
    """Signs in with a passkey."""
    state = state_of(request)
    vault = vault_of(state)
    await _count_try(request, wanted.challenge)

    def effect(session: Session) -> TokensMade:
        found = passkeys.who(
            session, vault, state.settings, challenge_id=wanted.challenge, credential=wanted.credential
        )
        member = session.get_one(Member, found.member_id)
        return entering.enter(session, state, vault, member=member, means="passkey", how=wanted, strong=found.strong)

    return _private(await _enter(state, effect), 201)


@router.post(
    "/wallets/messages",
    operation_id="askForWallet",
    response_model=WalletMessage,
    responses=responses(RequestMalformed, AddressMalformed, CodesTooMany),
)
async def ask_for_wallet(request: Request, wanted: WalletWanted) -> Response:
    """The ERC-4361 message that this wallet is to sign. The answer is the same for everybody, member or not."""
    state = state_of(request)
    vault = vault_of(state)
    await _refuse_flood(request)

    def effect(session: Session) -> WalletMessage:
        made, message = wallets.ask(session, vault, state, address=wanted.address, purpose="sign_in")
        return WalletMessage(challenge=made.id, message=message, expires_at=rfc3339(made.expires_at_ms))

    return _private(await _write(state, effect), 200)


@router.post(
    "/wallets",
    operation_id="enterWallet",
    status_code=201,
    response_model=TokensMade,
    responses=responses(*ENTERING, WalletRefused, NodeUnavailable),
)
@takes_newlines
async def enter_wallet(request: Request, wanted: WalletEntered) -> Response:
    """Signs in with a wallet: a key's signature (ERC-191), or a contract's (ERC-1271), which the chain is asked for."""
    state = state_of(request)
    vault = vault_of(state)
    await _count_try(request, wanted.challenge)
    given, nonce = await run_in_threadpool(
        wallets.shown, state, vault, message=wanted.message, signature=wanted.signature
    )

    def effect(session: Session) -> TokensMade:
        wallets.use(
            session, vault, state, challenge_id=wanted.challenge, purpose="sign_in", given=given, nonce=nonce,
            message=wanted.message,
        )  # fmt: skip
        return entering.by_proof(session, state, vault, given=given, means="wallet", how=wanted)

    return _private(await _enter(state, effect), 201)


@router.post(
    "/refresh",
    operation_id="refreshTokens",
    response_model=TokensMade,
    responses=responses(RequestMalformed, KeyInvalid, SessionExpired, RefreshReused),
)
async def refresh_tokens(request: Request, wanted: RefreshWanted) -> Response:
    """The next tokens of a device. A refresh token that comes a second time, by another attempt, ends its device."""
    state = state_of(request)
    token = read_token(wanted.refresh)
    assert token is not None, "its schema saw to that"

    def effect(session: Session) -> TokensMade | Device:
        made = devices.refresh(
            session,
            state.keystore,
            token=token,
            attempt=wanted.attempt,
            access_s=int(state.settings.access_lifetime.total_seconds()),
        )
        if isinstance(made, Device):
            return made
        return entering.told(made, member_id=groups.root_of(session, made.device.member_id).id)

    made = await _write(state, effect)
    if isinstance(made, Device):
        raise RefreshReused("This token was used before; the device is signed out, sign in again.")
    return _private(made, 200)


@router.get(
    "/outbox",
    operation_id="showOutbox",
    response_model=OutboxList,
    responses=responses(*CALLER_PROBLEMS, OutboxClosed),
)
async def show_outbox(request: Request, _: ByOperator) -> Response:
    """What was sent, where a demo has nothing that carries it; closed everywhere else."""
    state = state_of(request)
    if not state.settings.outbox_shown:
        raise OutboxClosed("Messages are carried, not shown.")

    def read(state: State) -> OutboxList:
        with Session(state.database.engine) as session:
            return Outbox(state.keystore).shown(session)

    return _private(await run_in_threadpool(read, state), 200)


def place_of(request: Request) -> str | None:
    """The caller's address, where it is a caller's own and not one that speaks for many."""
    host = None if request.client is None else request.client.host
    return None if host in state_of(request).settings.proxies else host


async def _refuse_flood(request: Request) -> None:
    state, place = state_of(request), place_of(request)
    vault = vault_of(state)
    if await _write(state, lambda session: entering.refuse_many(session, vault, place=place)):
        raise CodesTooMany("Too many tries from this address; wait a while.")


async def _count_try(request: Request, challenge_id: str) -> None:
    """Counts a try of the challenge and of the caller, before anything is compared and whatever comes of it."""
    await _refuse_flood(request)
    await _write(state_of(request), lambda session: challenges.spend_try(session, challenge_id))


async def _enter(state: State, effect: Callable[[Session], T]) -> T:
    """Somebody comes in. Whose member is being erased meanwhile is looked for once more, and is somebody new."""
    try:
        return await _write(state, effect)
    except MemberUnknown:
        return await _write(state, effect)


async def _write(state: State, effect: Callable[[Session], T]) -> T:
    return await run_in_threadpool(state.database.in_write, effect)


def _private(body: BaseModel, status: int) -> Response:
    headers = {"Cache-Control": "private, no-store"}
    return Response(body.model_dump_json(), status_code=status, headers=headers, media_type="application/json")
