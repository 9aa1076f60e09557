"""Routes of roles: given by the programme and by a brand's owner, taken up by who proved the address."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

from fastapi import APIRouter, Path, Request
from sqlmodel import Session
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from api.auth.callers import CALLER_PROBLEMS, BrandCaller, ByBrand, ByMember, ByOperator
from api.auth.roles import Role
from api.identity.errors import IdentifierBlocked, IdentifierMalformed, PhoneUnclear
from api.kit.clock import rfc3339
from api.kit.container import State, state_of
from api.kit.problems import RequestMalformed, responses
from api.kit.schemas import MemberId, Slug
from api.members import service as members
from api.members import sessions
from api.members.errors import BrandUnknown, MemberUnknown
from api.members.models import Brand
from api.sign_in import codes, passkeys
from api.sign_in.schemas import PasskeyList, Proved
from api.staff import service
from api.staff.errors import RoleGiven, RoleNotYours, RoleUnknown
from api.staff.schemas import BrandRoleGiven, ProgrammeRoleGiven, RoleId, RoleList, RolePublic, RoleTaken
from api.vault.sealing import vault_of
from api.writes.strict import StrictRoute
from api.writes.unit_of_work import WRITE_PROBLEMS, Answer, UnitOfWork, Writes

router = APIRouter(prefix="/v1", route_class=StrictRoute)
OfBrand = Callable[[Session], Brand]
RolePath = Annotated[RoleId, Path(examples=["5f0c2a9b7d31"])]
GIVEN = (*CALLER_PROBLEMS, *WRITE_PROBLEMS, IdentifierMalformed, IdentifierBlocked, PhoneUnclear, RoleGiven)


@router.post(
    "/staff", tags=["brand"], operation_id="giveRole", status_code=201, response_model=RolePublic,
    responses=responses(*GIVEN),
)  # fmt: skip
async def give_role(caller: ByBrand, wanted: BrandRoleGiven, write: Writes) -> Response:
    """Gives an address a role of the calling brand. By the brand's key, or its owner."""
    return await write(caller, _giving(write, wanted.identifier, _own(caller), wanted.role, caller.actor))


@router.get(
    "/staff", tags=["brand"], operation_id="listRoles", response_model=RoleList, responses=responses(*CALLER_PROBLEMS)
)
async def list_roles(request: Request, caller: ByBrand) -> RoleList:
    """The roles that the brand gave, with the addresses masked."""

    def read(state: State) -> RoleList:
        with Session(state.database.engine) as session:
            return service.given(session, state.keystore, brand_id=caller.registry_id)

    return await run_in_threadpool(read, state_of(request))


@router.delete(
    "/staff/{role_id}", tags=["brand"], operation_id="takeRole", response_model=RoleList,
    responses=responses(*CALLER_PROBLEMS, *WRITE_PROBLEMS, RoleUnknown),
)  # fmt: skip
async def take_role(caller: ByBrand, role_id: RolePath, write: Writes) -> Response:
    """Takes a role back, at once."""

    def effect(session: Session) -> Answer:
        service.take_back(session, role_id=role_id, brand_id=caller.registry_id, actor=caller.actor)
        return Answer(service.given(session, write.state.keystore, brand_id=caller.registry_id))

    return await write(caller, effect)


@router.post(
    "/brands/{slug}/owners", tags=["operator"], operation_id="giveOwner", status_code=201, response_model=RolePublic,
    responses=responses(*GIVEN, BrandUnknown),
)  # fmt: skip
async def give_owner(caller: ByOperator, slug: Slug, wanted: Proved, write: Writes) -> Response:
    """Makes an address the owner of a brand, who gives the brand's other roles."""
    return await write(
        caller, _giving(write, wanted, lambda session: members.brand(session, slug=slug), "owner", caller.actor)
    )


@router.post(
    "/operators/staff", tags=["operator"], operation_id="giveProgrammeRole", status_code=201,
    response_model=RolePublic, responses=responses(*GIVEN),
)  # fmt: skip
async def give_programme_role(caller: ByOperator, wanted: ProgrammeRoleGiven, write: Writes) -> Response:
    """Gives an address a role of the programme: operator or auditor."""
    return await write(caller, _giving(write, wanted.identifier, None, wanted.role, caller.actor))


@router.get(
    "/operators/staff", tags=["operator"], operation_id="listAllRoles", response_model=RoleList,
    responses=responses(*CALLER_PROBLEMS),
)  # fmt: skip
async def list_all_roles(request: Request, _: ByOperator) -> RoleList:
    """Every role of every brand and of the programme."""

    def read(state: State) -> RoleList:
        with Session(state.database.engine) as session:
            return service.given(session, state.keystore, brand_id=None)

    return await run_in_threadpool(read, state_of(request))


@router.delete(
    "/operators/staff/{role_id}", tags=["operator"], operation_id="takeAnyRole", response_model=RoleList,
    responses=responses(*CALLER_PROBLEMS, *WRITE_PROBLEMS, RoleUnknown),
)  # fmt: skip
async def take_any_role(caller: ByOperator, role_id: RolePath, write: Writes) -> Response:
    """Takes any role back, at once."""

    def effect(session: Session) -> Answer:
        service.take_back(session, role_id=role_id, brand_id=None, actor=caller.actor)
        return Answer(service.given(session, write.state.keystore, brand_id=None))

    return await write(caller, effect)


@router.delete(
    "/members/{member_id}/passkeys", tags=["operator"], operation_id="forgetPasskeys", response_model=PasskeyList,
    responses=responses(*CALLER_PROBLEMS, *WRITE_PROBLEMS, RequestMalformed, MemberUnknown),
)  # fmt: skip
async def forget_passkeys(caller: ByOperator, member_id: MemberId, write: Writes) -> Response:
    """Takes every passkey of a person away and signs every device out: for who lost them. The next one that the person
    adds is a second factor again."""

    def effect(session: Session) -> Answer:
        passkeys.forget(session, member_ids=sessions.of_person(session, member_id), actor=caller.actor)
        return Answer(PasskeyList(passkeys=[]))

    return await write(caller, effect)


@router.get(
    "/me/roles", tags=["member"], operation_id="listMyRoles", response_model=RoleList,
    responses=responses(*CALLER_PROBLEMS),
)  # fmt: skip
async def list_my_roles(request: Request, caller: ByMember) -> RoleList:
    """The roles that were given to addresses which the member proved."""

    def read(state: State) -> RoleList:
        with Session(state.database.engine) as session:
            return service.mine(session, state.keystore, caller=caller)

    return await run_in_threadpool(read, state_of(request))


@router.post(
    "/me/roles/{role_id}/sessions", tags=["member"], operation_id="takeUpRole", status_code=201,
    response_model=RoleTaken, responses=responses(*CALLER_PROBLEMS, *WRITE_PROBLEMS, RequestMalformed, RoleNotYours),
)  # fmt: skip
async def take_up_role(caller: ByMember, role_id: RolePath, write: Writes) -> Response:
    """A token to work with in this role, for minutes. It ends with the role and with the device."""
    access_s = int(write.state.settings.access_lifetime.total_seconds())

    def effect(session: Session) -> Answer:
        role, token, ends_ms, strong = service.take_up(session, caller=caller, role_id=role_id, access_s=access_s)
        told = RoleTaken(token=token.text, role=role.role, brand=role.brand, strong=strong, expires_at=rfc3339(ends_ms))
        return Answer(told, 201, stored=told.model_copy(update={"token": None}))

    return await write(caller, effect)


def _own(caller: BrandCaller) -> OfBrand:
    return lambda session: members.brand_of(session, caller.registry_id)


def _giving(
    write: UnitOfWork, wanted: Proved, of: OfBrand | None, role: Role, actor: str
) -> Callable[[Session], Answer]:
    to = codes.given(vault_of(write.state), wanted)

    def effect(session: Session) -> Answer:
        brand = None if of is None else of(session)
        made = service.give(session, write.state.keystore, to=to, brand=brand, role=role, actor=actor)
        return Answer(service.told(write.state.keystore, made), 201)

    return effect
