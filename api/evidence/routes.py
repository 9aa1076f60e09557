"""Routes of evidence: bundles, signed receipts, memos, and the keys to check them with."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request
from pydantic import Field
from sqlmodel import Session
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from api import audit_log
from api.auth.callers import CALLER_PROBLEMS, BrandCaller, ByBrandOrMember, ByMember, MemberCaller, looked
from api.auth.errors import NotYours
from api.events import memos
from api.events.errors import OperationUnknown
from api.events.memos import MemoMissing
from api.evidence import service as evidence
from api.evidence.memo_roots import root_on_chain
from api.kit.addresses import Address
from api.kit.container import State, state_of
from api.kit.problems import NodeUnavailable, RequestMalformed, responses
from api.kit.schemas import ResponseModel
from api.points import operations as service
from api.views.errors import EvidenceBusy, EvidenceUnavailable, MemoUnproven, ReceiptNotYet
from api.writes.strict import AS_TEXT, StrictRoute
from api.writes.unit_of_work import WRITE_PROBLEMS, Answer, Writes
from chain.evidence.receipts import KEY_REF

router = APIRouter(route_class=StrictRoute)
FromBlock = Annotated[
    int | None, Query(ge=0, le=2**53, description="Events from this block on; all of them without it.")
]
OperationId = Annotated[int, Path(ge=1, le=2**63 - 1, examples=["17"]), AS_TEXT]
Block = Annotated[int | None, Query(ge=0, le=2**53, description="As of this block; the newest without it.")]
OwnAddress = Annotated[Address | None, Query(description="One of the member's own addresses.", examples=[None])]
SHOWN_MAX = 32
Show = Annotated[list[str] | None, Query(max_length=SHOWN_MAX, description="Fields of the memo to show and to prove.")]
BUNDLE: dict[int | str, dict[str, Any]] = {200: {"description": "A document of chain/evidence/FORMAT.md, byte for byte.", "content": {"application/json": {"schema": {"type": "object"}}}}}  # noqa: E501  # fmt: skip


class MemoField(ResponseModel):
    """A field of a memo. Whoever has the salt can show the field and prove it."""

    name: str = Field(examples=["item.1"])
    value: str = Field(examples=["1 tea, jasmine"])
    salt: str = Field(examples=["0x" + "5a" * 32])


class MemoPublic(ResponseModel):
    """An operation's memo as we keep it, and the root that the chain has of it: of exactly these words."""

    operation: str = Field(examples=["17"])
    memo_root: str | None = Field(
        description="Read from the transaction that the mirror saw; null until it did.", examples=["0x" + "9f" * 32]
    )
    fields: list[MemoField]


class MemoErased(ResponseModel):
    """The memo's words and salts are deleted; what the chain has of it means nothing any more."""

    operation: str = Field(examples=["17"])


class Keys(ResponseModel):
    """What a reader pins: the gateway's public keys, Ed25519, as 0x hex, and the contracts that make evidence Moa's."""

    receipts: str = Field(description="Signs receipts and bundles.", examples=["0x" + "8c" * 32])
    registry: str = Field(
        description="The PartnerRegistry of Moa: evidence of another is not Moa's.", examples=["0x" + "5b" * 20]
    )
    badges: str | None = Field(
        description="Moa's Badges, to which the registry does not lead; null where there is none.",
        examples=["0x" + "5c" * 20],
    )
    governor: str | None = Field(
        description="Moa's ProgrammeGovernor, to which the registry does not lead; null where there is none.",
        examples=["0x" + "5d" * 20],
    )


class Document(Response):
    """The very bytes of a document; for nobody's cache."""

    media_type = "application/json"

    def __init__(self, content: bytes, name: str) -> None:
        headers = {"cache-control": "private, no-store", "content-disposition": f'attachment; filename="{name}.json"'}
        super().__init__(content, headers=headers)


@router.get(
    "/v1/me/evidence",
    tags=["member"],
    operation_id="getMyEvidence",
    response_class=Response,
    responses=responses(*CALLER_PROBLEMS, RequestMalformed, EvidenceUnavailable, EvidenceBusy, NodeUnavailable)
    | BUNDLE,
)
async def get_my_evidence(
    request: Request,
    caller: ByMember,
    block: Block = None,
    from_block: FromBlock = None,
    address: OwnAddress = None,
) -> Response:
    """The member's balances and every entry's event, with proofs, for `moa verify` or any other verifier.

    A bundle is of one address; who has several of them by a merge names one of `GET /v1/me/identifiers`.
    """
    state = state_of(request)
    data = await run_in_threadpool(
        evidence.member_bundle, state, address=_own(caller, address), block=block, from_block=from_block
    )
    return Document(data, "evidence")


@router.get(
    "/v1/me/receipt",
    tags=["member"],
    operation_id="getMyReceipt",
    response_class=Response,
    responses=responses(*CALLER_PROBLEMS, ReceiptNotYet) | BUNDLE,
)
async def get_my_receipt(request: Request, caller: ByMember, address: OwnAddress = None) -> Response:
    """What the member holds at the newest mirrored block, signed by the gateway; of one address, as evidence is."""
    data = await run_in_threadpool(evidence.view_receipt, state_of(request), address=_own(caller, address))
    return Document(data, "receipt")


@router.get(
    "/v1/operations/{operation_id}/evidence",
    tags=["brand", "member"],
    operation_id="getOperationEvidence",
    response_class=Response,
    responses=responses(
        *CALLER_PROBLEMS, RequestMalformed, OperationUnknown, MemoMissing, MemoUnproven, ReceiptNotYet,
        EvidenceUnavailable, EvidenceBusy, NodeUnavailable,
    )
    | BUNDLE,
)  # fmt: skip
async def get_operation_evidence(
    request: Request,
    caller: ByBrandOrMember,
    operation_id: OperationId,
    show: Show = None,
    block: Block = None,
) -> Response:
    """What an operation did, with proofs; of its memo the fields asked for, and no others."""
    state = state_of(request)
    data = await run_in_threadpool(
        evidence.operation_bundle, state, caller=caller, operation_id=operation_id, show=show or [], block=block
    )
    if show:
        await looked(request, caller, await run_in_threadpool(_member_of, state, operation_id))
    return Document(data, f"operation-{operation_id}")


@router.get(
    "/v1/operations/{operation_id}/receipt",
    tags=["brand", "member"],
    operation_id="getOperationReceipt",
    response_class=Response,
    responses=responses(*CALLER_PROBLEMS, RequestMalformed, OperationUnknown, ReceiptNotYet) | BUNDLE,
)
async def get_operation_receipt(request: Request, caller: ByBrandOrMember, operation_id: OperationId) -> Response:
    """What a confirmed operation did, signed by the gateway and bound to its block."""
    state = state_of(request)
    data = await run_in_threadpool(evidence.operation_receipt, state, caller=caller, operation_id=operation_id)
    return Document(data, f"receipt-{operation_id}")


@router.get(
    "/v1/operations/{operation_id}/memo",
    tags=["brand", "member"],
    operation_id="getMemo",
    response_model=MemoPublic,
    responses=responses(*CALLER_PROBLEMS, RequestMalformed, OperationUnknown, MemoMissing, MemoUnproven),
)
async def get_memo(request: Request, caller: ByBrandOrMember, operation_id: OperationId) -> MemoPublic:
    """The memo of an operation of the caller's, with its salts."""
    member_id, told = await run_in_threadpool(_memo, state_of(request), caller, operation_id)
    await looked(request, caller, member_id)
    return told


@router.delete(
    "/v1/operations/{operation_id}/memo",
    tags=["brand", "member"],
    operation_id="eraseMemo",
    response_model=MemoErased,
    responses=responses(*CALLER_PROBLEMS, *WRITE_PROBLEMS, OperationUnknown, MemoMissing),
)
async def erase_memo(caller: ByBrandOrMember, write: Writes, operation_id: OperationId) -> Response:
    """Deletes a memo's words and salts for ever."""

    def effect(session: Session) -> Answer:
        service.operation_of(session, caller=caller, operation_id=operation_id)
        memos.erase(session, operation_id)
        audit_log.record(session.connection(), "memo.erased", actor=caller.actor, subject=f"operation/{operation_id}")
        return Answer(MemoErased(operation=str(operation_id)), 200)

    answer = await write(caller, effect)
    await run_in_threadpool(memos.purge, write.state.database.engine)
    return answer


@router.get("/.well-known/moa-keys.json", tags=["public"], operation_id="getKeys", response_model=Keys)
async def get_keys(request: Request) -> Keys:
    """The keys that the gateway signs with, and its contracts. Compare them with what you were told elsewhere."""
    state = state_of(request)
    deployment = state.deployment

    def later(name: str) -> str | None:
        # A deployment from before badges and votes has none.
        return deployment.address(name).lower() if name in deployment.contracts else None

    return Keys(
        receipts="0x" + state.keystore.public_key(KEY_REF).hex(),
        registry=deployment.address("PartnerRegistry").lower(),
        badges=later("Badges"),
        governor=later("ProgrammeGovernor"),
    )


def _member_of(state: State, operation_id: int) -> str:
    with Session(state.database.engine) as session:
        return service.member_of(session, operation_id)


def _own(caller: MemberCaller, address: str | None) -> str:
    """The address asked for, if it is the member's; the first one without."""
    if address is not None and address not in caller.addresses:
        raise NotYours("This address is not yours.")
    return address or caller.address


def _memo(state: State, caller: BrandCaller | MemberCaller, operation_id: int) -> tuple[str, MemoPublic]:
    with Session(state.database.engine) as session:
        service.operation_of(session, caller=caller, operation_id=operation_id)
        fields = memos.fields(session, operation_id)
        member_id = service.member_of(session, operation_id)
        root = root_on_chain(session, operation=operation_id, fields=fields)
    told = [MemoField(name=one.name, value=one.value, salt="0x" + one.salt.hex()) for one in fields]
    return member_id, MemoPublic(operation=str(operation_id), memo_root=root, fields=told)
