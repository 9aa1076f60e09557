"""Routes of points by hand: asked for, decided by a second one, listed; and a member's own with their reasons."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request
from sqlmodel import Session
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from api.auth.callers import CALLER_PROBLEMS, ByBrand, ByMember, looked
from api.corrections import asking, deciding, given
from api.corrections.asking import Prepared
from api.corrections.errors import (
    AskerUnknown,
    BudgetExceeded,
    CorrectionConflict,
    CorrectionExpired,
    CorrectionStateWrong,
    CorrectionTooLarge,
    CorrectionUnknown,
    MemberCapExceeded,
    RoleMissing,
    SecondSignerSame,
    SignatureInvalid,
)
from api.corrections.models import Correction
from api.corrections.schemas import (
    EXAMPLE_CORRECTION,
    CorrectionApproval,
    CorrectionCreate,
    CorrectionId,
    CorrectionList,
    CorrectionPublic,
    CorrectionState,
    CorrectionTold,
    MyCorrectionList,
)
from api.events.errors import RuleMissing, RuleUnread
from api.kit.addresses import AddressMalformed
from api.kit.amounts import AMOUNT_PROBLEMS
from api.kit.container import State, state_of
from api.kit.problems import NodeUnavailable, RequestMalformed, responses
from api.members.errors import MemberUnknown
from api.vault.sealing import vault_of
from api.writes.backlog import BacklogFull
from api.writes.strict import StrictRoute
from api.writes.unit_of_work import WRITE_PROBLEMS, Answer, Writes
from chain.contracts import corrections

router = APIRouter(prefix="/v1", route_class=StrictRoute)
PAGE_MAX = 200
PAGE = 50
CorrectionPath = Annotated[CorrectionId, Path(examples=[EXAMPLE_CORRECTION])]
Cursor = Annotated[CorrectionId | None, Query(description="`next_cursor` of the page before.", examples=[None])]
Limit = Annotated[int, Query(ge=1, le=PAGE_MAX)]
StateOnly = Annotated[CorrectionState | None, Query(description="Only these; all without it.", examples=["waiting"])]
DECIDED = (*CALLER_PROBLEMS, *WRITE_PROBLEMS, CorrectionUnknown, CorrectionStateWrong, AskerUnknown)
WAITED: dict[int | str, dict[str, Any]] = {
    201: {"description": "Waited for: the points are on the chain and mirrored.", "model": CorrectionPublic}
}


@router.post(
    "/corrections",
    tags=["brand"],
    operation_id="askCorrection",
    status_code=202,
    response_model=CorrectionPublic,
    responses=responses(
        *CALLER_PROBLEMS,
        *WRITE_PROBLEMS,
        *AMOUNT_PROBLEMS,
        MemberUnknown,
        RuleMissing,
        RuleUnread,
        CorrectionConflict,
        CorrectionStateWrong,
        CorrectionTooLarge,
        MemberCapExceeded,
        BudgetExceeded,
        NodeUnavailable,
        BacklogFull,
    )
    | WAITED,
)
async def ask_correction(caller: ByBrand, wanted: CorrectionCreate, write: Writes) -> Response:
    """Gives a member points by hand, by the brand's published rule for it. Above the rule's limit nothing is sent until
    a second one has signed."""
    state, vault = write.state, vault_of(write.state)

    def prepare() -> Prepared:
        return asking.prepared(state, caller=caller, wanted=wanted)

    def effect(session: Session, ready: Prepared) -> Answer:
        made = asking.ask(session, vault, state, caller=caller, wanted=wanted, ready=ready)
        return Answer(given.told(session, made), 202)

    return await write.prepared(caller, prepare, effect, follow=_following(caller.registry_id))


@router.get(
    "/corrections",
    tags=["brand"],
    operation_id="listCorrections",
    response_model=CorrectionList,
    responses=responses(*CALLER_PROBLEMS, RequestMalformed, CorrectionUnknown),
)
async def list_corrections(
    request: Request, caller: ByBrand, state: StateOnly = None, cursor: Cursor = None, limit: Limit = PAGE
) -> CorrectionList:
    """The brand's points by hand, the newest first; without their reasons, which are of one member each."""

    def read(found: State) -> CorrectionList:
        with Session(found.database.engine) as session:
            return given.page(session, brand=caller.registry_id, state=state, cursor=cursor, limit=limit)

    return await run_in_threadpool(read, state_of(request))


@router.get(
    "/corrections/{correction_id}",
    tags=["brand"],
    operation_id="getCorrection",
    response_model=CorrectionTold,
    responses=responses(*CALLER_PROBLEMS, RequestMalformed, CorrectionUnknown, NodeUnavailable),
)
async def get_correction(request: Request, caller: ByBrand, correction_id: CorrectionPath) -> CorrectionTold:
    """One of them with its reason and, while a second one is waited for, what that one signs."""

    def read(found: State) -> CorrectionTold:
        with Session(found.database.engine) as session:
            row = given.find(session, brand=caller.registry_id, id=correction_id)
            waits = given.is_to_sign(session, row) and not given.is_over(session, row)
        # Asked once in a gateway's life: it can never change.
        domain = found.node.domain(corrections.CONTRACT) if waits else None
        with Session(found.database.engine) as session:
            row = given.find(session, brand=caller.registry_id, id=correction_id)
            return given.told_whole(session, vault_of(found), row, brand=caller.registry_id, domain=domain)

    told = await run_in_threadpool(read, state_of(request))
    await looked(request, caller, told.member)
    return told


@router.post(
    "/corrections/{correction_id}/approval",
    tags=["brand"],
    operation_id="approveCorrection",
    status_code=202,
    response_model=CorrectionPublic,
    responses=responses(
        *DECIDED,
        SecondSignerSame,
        CorrectionExpired,
        MemberUnknown,
        AddressMalformed,
        RoleMissing,
        SignatureInvalid,
        NodeUnavailable,
        BacklogFull,
    )
    | WAITED,
)
async def approve_correction(
    caller: ByBrand, correction_id: CorrectionPath, wanted: CorrectionApproval, write: Writes
) -> Response:
    """Approves it, by another key or person than asked, with the signature of the brand's owner account."""

    def prepare() -> None:
        deciding.examined(write.state, caller=caller, id=correction_id, wanted=wanted)

    def effect(session: Session, _: None) -> Answer:
        row = deciding.approve(session, write.state, caller=caller, id=correction_id, wanted=wanted)
        return Answer(given.told(session, row), 202)

    return await write.prepared(caller, prepare, effect, follow=_following(caller.registry_id))


@router.post(
    "/corrections/{correction_id}/refusal",
    tags=["brand"],
    operation_id="refuseCorrection",
    response_model=CorrectionPublic,
    responses=responses(*DECIDED, SecondSignerSame),
)
async def refuse_correction(caller: ByBrand, correction_id: CorrectionPath, write: Writes) -> Response:
    """Refuses it, by another key or person than asked: nothing is ever sent."""

    def effect(session: Session) -> Answer:
        return Answer(given.told(session, deciding.refuse(session, caller=caller, id=correction_id)))

    return await write(caller, effect)


@router.post(
    "/corrections/{correction_id}/withdrawal",
    tags=["brand"],
    operation_id="withdrawCorrection",
    response_model=CorrectionPublic,
    responses=responses(*DECIDED),
)
async def withdraw_correction(caller: ByBrand, correction_id: CorrectionPath, write: Writes) -> Response:
    """Takes it back before a second one decided; whoever asked, and nobody else."""

    def effect(session: Session) -> Answer:
        return Answer(given.told(session, deciding.withdraw(session, caller=caller, id=correction_id)))

    return await write(caller, effect)


@router.get(
    "/me/corrections",
    tags=["member"],
    operation_id="listMyCorrections",
    response_model=MyCorrectionList,
    responses=responses(*CALLER_PROBLEMS, RequestMalformed, CorrectionUnknown),
)
async def list_my_corrections(
    request: Request, caller: ByMember, cursor: Cursor = None, limit: Limit = PAGE
) -> MyCorrectionList:
    """Points that brands gave the member by hand, each with its reason, the newest first."""

    def read(found: State) -> MyCorrectionList:
        with Session(found.database.engine) as session:
            return given.mine(session, vault_of(found), caller=caller, cursor=cursor, limit=limit)

    return await run_in_threadpool(read, state_of(request))


def _following(brand: int) -> Any:
    def follow(session: Session, told: dict[str, Any]) -> CorrectionPublic:
        row: Correction = given.find(session, brand=brand, id=told["id"])
        return given.told(session, row)

    return follow
