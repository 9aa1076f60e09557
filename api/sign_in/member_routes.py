"""Routes of who is signed in: devices, passkeys, further proofs."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Request
from sqlmodel import Session
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from api.auth.callers import CALLER_PROBLEMS, ByMember, MemberCaller
from api.identity import service as identity
from api.identity import tries
from api.identity.errors import (
    IdentifierBlocked,
    IdentifierMalformed,
    LimitReached,
    MergeRefused,
    MergeTooLarge,
    PhoneUnclear,
)
from api.identity.schemas import MergePublic
from api.kit.addresses import AddressMalformed
from api.kit.clock import rfc3339
from api.kit.container import State, state_of
from api.kit.problems import NodeUnavailable, RequestMalformed, responses
from api.kit.schemas import ResponseModel
from api.kit.texts import patterned
from api.members import devices, sessions
from api.members.errors import DeviceUnknown, MemberUnknown
from api.members.schemas import DeviceList, DevicePublic
from api.sign_in import challenges, codes, passkeys, proving, wallets
from api.sign_in.errors import (
    CodesTooMany,
    CodeWrong,
    PasskeyRefused,
    PasskeyTaken,
    PasskeyUnknown,
    ProofMissing,
    WalletRefused,
)
from api.sign_in.routes import place_of
from api.sign_in.schemas import (
    ChallengeMade,
    CodeProved,
    CodeWanted,
    MergeConfirmed,
    PasskeyAdded,
    PasskeyList,
    PasskeyOptions,
    PasskeyPublic,
    ProofTaken,
    WalletMessage,
    WalletProved,
    WalletWanted,
)
from api.sign_in.sender import Outbox
from api.vault.sealing import vault_of
from api.writes.strict import AS_TEXT, StrictRoute, takes_newlines
from api.writes.unit_of_work import WRITE_PROBLEMS, Answer, Writes

router = APIRouter(prefix="/v1/me", tags=["member"], route_class=StrictRoute)
DeviceName = Annotated[str, patterned(r"^[0-9a-f]{12}$", "a device's id is 12 hex digits in lower case")]
DeviceId = Annotated[DeviceName, Path(examples=["5f0c2a9b7d31"])]
PasskeyId = Annotated[int, Path(ge=1, le=2**63 - 1, examples=["17"]), AS_TEXT]
PROBLEMS = (*CALLER_PROBLEMS, *WRITE_PROBLEMS)
# What one member may ask for and try to prove in an hour; a wallet's proof may ask the node.
ASKED_HOURLY_MAX = 60
PROVED_HOURLY_MAX = 300


class SignedOut(ResponseModel):
    """How much was ended."""

    devices: list[DevicePublic]


@router.get("/devices", operation_id="listMyDevices", response_model=DeviceList, responses=responses(*CALLER_PROBLEMS))
async def list_my_devices(request: Request, caller: ByMember) -> DeviceList:
    """Where the member signed in, the one seen last first; `current` is the one that asks."""

    def read(state: State) -> DeviceList:
        with Session(state.database.engine) as session:
            return devices.listed(session, vault_of(state), member_ids=caller.member_ids, current=caller.device_id)

    return await run_in_threadpool(read, state_of(request))


@router.delete(
    "/devices/{device_id}",
    operation_id="endMyDevice",
    response_model=DevicePublic,
    responses=responses(*PROBLEMS, DeviceUnknown),
)
async def end_my_device(caller: ByMember, device_id: DeviceId, write: Writes) -> Response:
    """Signs a device out, this one or another: its tokens open nothing from the next request on."""
    vault = vault_of(write.state)

    def effect(session: Session) -> Answer:
        ended = devices.end(
            session, device_id=device_id, why="member", actor=caller.actor, member_ids=caller.member_ids
        )
        return Answer(devices.told(vault, ended, current=caller.device_id))

    return await write(caller, effect)


@router.delete(
    "/sessions",
    operation_id="signOutEverywhere",
    response_model=SignedOut,
    responses=responses(*PROBLEMS, MemberUnknown),
)
async def sign_out_everywhere(caller: ByMember, write: Writes) -> Response:
    """Ends every device and every session of the member, the one that asks too."""
    vault = vault_of(write.state)

    def effect(session: Session) -> Answer:
        ended = devices.end_all(session, member_ids=caller.member_ids, why="everywhere", actor=caller.actor)
        sessions.end_all(session, member_ids=caller.member_ids, actor=caller.actor)
        return Answer(SignedOut(devices=[devices.told(vault, one, current=caller.device_id) for one in ended]))

    return await write(caller, effect)


@router.post(
    "/passkeys/options",
    operation_id="askForNewPasskey",
    response_model=PasskeyOptions,
    responses=responses(*PROBLEMS, CodesTooMany),
)
async def ask_for_new_passkey(caller: ByMember, write: Writes) -> Response:
    """What the browser is to be asked so that it makes a passkey."""
    state, vault = write.state, vault_of(write.state)
    await _refuse_many(state, caller, "ask", ASKED_HOURLY_MAX)

    def effect(session: Session) -> Answer:
        return Answer(
            passkeys.ask_new(session, vault, state.settings, member_id=caller.own_id, member_ids=caller.member_ids)
        )

    return await write(caller, effect)


@router.post(
    "/passkeys",
    operation_id="addPasskey",
    status_code=201,
    response_model=PasskeyPublic,
    responses=responses(*PROBLEMS, CodeWrong, PasskeyRefused, PasskeyTaken, MemberUnknown),
)
async def add_passkey(caller: ByMember, wanted: PasskeyAdded, write: Writes) -> Response:
    """Adds the passkey that the browser made. One that did not verify its user is refused."""
    state, vault = write.state, vault_of(write.state)

    def effect(session: Session) -> Answer:
        made = passkeys.add(
            session,
            vault,
            state.settings,
            member_id=caller.own_id,
            member_ids=caller.member_ids,
            device_id=caller.device_id,
            challenge_id=wanted.challenge,
            credential=wanted.credential,
            label=wanted.label,
            actor=caller.actor,
        )
        return Answer(passkeys.told(vault, made), 201)

    return await write(caller, effect)


@router.get(
    "/passkeys", operation_id="listMyPasskeys", response_model=PasskeyList, responses=responses(*CALLER_PROBLEMS)
)
async def list_my_passkeys(request: Request, caller: ByMember) -> PasskeyList:
    """The member's passkeys."""

    def read(state: State) -> PasskeyList:
        with Session(state.database.engine) as session:
            return passkeys.listed(session, vault_of(state), member_ids=caller.member_ids)

    return await run_in_threadpool(read, state_of(request))


@router.delete(
    "/passkeys/{passkey_id}",
    operation_id="removePasskey",
    response_model=PasskeyList,
    responses=responses(*PROBLEMS, PasskeyUnknown),
)
async def remove_passkey(caller: ByMember, passkey_id: PasskeyId, write: Writes) -> Response:
    """Takes a passkey away: it opens nothing from now on."""
    vault = vault_of(write.state)

    def effect(session: Session) -> Answer:
        passkeys.remove(session, member_ids=caller.member_ids, passkey_id=passkey_id, actor=caller.actor)
        return Answer(passkeys.listed(session, vault, member_ids=caller.member_ids))

    return await write(caller, effect)


@router.post(
    "/identifiers/codes",
    operation_id="askForProof",
    status_code=202,
    response_model=ChallengeMade,
    responses=responses(*PROBLEMS, IdentifierMalformed, IdentifierBlocked, PhoneUnclear, CodesTooMany),
)
async def ask_for_proof(request: Request, caller: ByMember, wanted: CodeWanted, write: Writes) -> Response:
    """Sends a code to a further address of the member."""
    state, vault, _ = write.state, vault_of(write.state), write.key
    to, place = codes.given(vault, wanted.identifier), place_of(request)

    def count(session: Session) -> bool:
        return codes.refuse_many(session, vault, to=to, place=place)

    if await run_in_threadpool(state.database.in_write, count):
        raise codes.too_many()

    def effect(session: Session) -> Answer:
        made = codes.send(
            session,
            vault,
            Outbox(state.keystore),
            to=to,
            purpose="add",
            lifetime_s=int(state.settings.challenge_lifetime.total_seconds()),
            member_id=caller.member_id,
        )
        return Answer(ChallengeMade(challenge=made.id, expires_at=rfc3339(made.expires_at_ms)), 202)

    return await write(caller, effect)


@router.post(
    "/identifiers",
    operation_id="proveIdentifier",
    response_model=ProofTaken,
    responses=responses(
        *PROBLEMS,
        IdentifierMalformed,
        IdentifierBlocked,
        PhoneUnclear,
        CodeWrong,
        CodesTooMany,
        LimitReached,
        MemberUnknown,
        MergeRefused,
    ),
)
async def prove_identifier(caller: ByMember, wanted: CodeProved, write: Writes) -> Response:
    """Adds an address whose code the member has. Where it is another member's, nothing changes and a preview says what
    one person of both would be.
    """
    vault, _ = vault_of(write.state), write.key
    given = codes.given(vault, wanted.identifier)
    await _count_try(write.state, caller, wanted.challenge)

    def effect(session: Session) -> Answer:
        used = challenges.use(
            session,
            vault,
            challenge_id=wanted.challenge,
            purpose="add",
            means=given.kind,
            secret=wanted.code,
            lookup=given.lookup,
            member_ids=caller.member_ids,
        )
        if used is None:
            raise CodeWrong("This code does not open anything; ask for another one.")
        return Answer(proving.take(session, vault, caller=caller, challenge=used, given=given))

    return await write(caller, effect)


@router.post(
    "/wallets/messages",
    operation_id="askForMyWallet",
    response_model=WalletMessage,
    responses=responses(*PROBLEMS, AddressMalformed, CodesTooMany),
)
async def ask_for_my_wallet(caller: ByMember, wanted: WalletWanted, write: Writes) -> Response:
    """The message with which a wallet becomes a way in for the member."""
    state, vault = write.state, vault_of(write.state)
    await _refuse_many(state, caller, "ask", ASKED_HOURLY_MAX)

    def effect(session: Session) -> Answer:
        made, message = wallets.ask(
            session, vault, state, address=wanted.address, purpose="add", member_id=caller.member_id
        )
        told = WalletMessage(challenge=made.id, message=message, expires_at=rfc3339(made.expires_at_ms))
        return Answer(told)

    return await write(caller, effect)


@router.post(
    "/wallets",
    operation_id="proveWallet",
    response_model=ProofTaken,
    responses=responses(
        *PROBLEMS, WalletRefused, CodesTooMany, LimitReached, MemberUnknown, MergeRefused, NodeUnavailable
    ),
)
@takes_newlines
async def prove_wallet(caller: ByMember, wanted: WalletProved, write: Writes) -> Response:
    """Adds a wallet as a way in. The member's points stay where they are."""
    state, vault, _ = write.state, vault_of(write.state), write.key
    await _count_try(state, caller, wanted.challenge)
    given, nonce = await run_in_threadpool(
        wallets.shown, state, vault, message=wanted.message, signature=wanted.signature
    )

    def effect(session: Session) -> Answer:
        used = wallets.use(
            session,
            vault,
            state,
            challenge_id=wanted.challenge,
            purpose="add",
            given=given,
            nonce=nonce,
            message=wanted.message,
            member_ids=caller.member_ids,
        )
        return Answer(proving.take(session, vault, caller=caller, challenge=used, given=given))

    return await write(caller, effect)


@router.post(
    "/merges",
    operation_id="confirmMerge",
    status_code=201,
    response_model=MergePublic,
    responses=responses(*PROBLEMS, ProofMissing, MergeRefused, MergeTooLarge, MemberUnknown, RequestMalformed),
)
async def confirm_merge(caller: ByMember, wanted: MergeConfirmed, write: Writes) -> Response:
    """Makes one person of the member and of another whom the same person has just proved to be."""
    vault = vault_of(write.state)

    def effect(session: Session) -> Answer:
        made = proving.confirm(session, vault, caller=caller, challenge_id=wanted.challenge)
        return Answer(identity.told_merge(made), 201)

    return await write(caller, effect)


async def _refuse_many(state: State, caller: MemberCaller, what: str, limit: int) -> None:
    """Counts one try of this member; CodesTooMany beyond `limit` an hour."""

    def count(session: Session) -> bool:
        who = caller.own_id
        return tries.within(session, vault_of(state), what=what, who=who, window_s=codes.HOUR_S, limit=limit)

    if not await run_in_threadpool(state.database.in_write, count):
        raise CodesTooMany("Too many tries; wait a while.")


async def _count_try(state: State, caller: MemberCaller, challenge_id: str) -> None:
    await _refuse_many(state, caller, "prove", PROVED_HOURLY_MAX)
    await run_in_threadpool(state.database.in_write, lambda session: challenges.spend_try(session, challenge_id))
