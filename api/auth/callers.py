"""Who is calling: a type in each route's signature.

A key or session is looked up at every request, so that revocation is immediate; the look-up is one prepared
read on a primary key.
"""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Request, Security
from fastapi.openapi.models import HTTPBase as HTTPBaseModel
from fastapi.openapi.models import HTTPBearer as HTTPBearerModel
from fastapi.security.base import SecurityBase

from api.audit_log.names import member as acts_name
from api.audit_log.refusals import note_look
from api.auth.errors import KeyInvalid, KeyMissing, NotYours, SecondFactorNeeded, SessionExpired
from api.auth.roles import Role, may, needs_second_factor
from api.auth.tokens import Token, read_token
from api.kit.clock import now_ms
from api.kit.container import State, state_of
from api.kit.database import Snapshot
from chain.base.scalars import Address, RegistryId


@dataclass(frozen=True, slots=True)
class Staff:
    """Somebody who took up a role. strong: with a second factor."""

    role_id: str
    role: Role
    strong: bool


@dataclass(frozen=True, slots=True)
class OperatorCaller:
    """The programme: by its key, or somebody with a role of it. key_id is then the role's."""

    key_id: str
    staff: Staff | None = None

    @property
    def principal(self) -> str:
        return "operator"

    @property
    def actor(self) -> str:
        """Who this is in the log of acts."""
        return f"operator/{self.key_id}" if self.staff is None else f"operator/role/{self.key_id}"


@dataclass(frozen=True, slots=True)
class AuditorCaller:
    """An auditor, by a key that the operator made or by a role: reads all of the ledger, nothing personal, changes
    nothing."""

    key_id: str
    staff: Staff | None = None

    @property
    def principal(self) -> str:
        return f"auditor:{self.key_id}"

    @property
    def actor(self) -> str:
        return f"auditor/{self.key_id}" if self.staff is None else f"auditor/role/{self.key_id}"


@dataclass(frozen=True, slots=True)
class BrandCaller:
    """A brand, by one of its keys or somebody with a role. The principal is the brand: a retry may come with a newer
    key."""

    slug: str
    key_id: str
    registry_id: RegistryId
    staff: Staff | None = None

    @property
    def principal(self) -> str:
        return f"brand:{self.registry_id}"

    @property
    def actor(self) -> str:
        return f"brand/{self.slug}/{'' if self.staff is None else 'role/'}{self.key_id}"


@dataclass(frozen=True, slots=True)
class MemberCaller:
    """A person, by a session of any of the members that this person is. member_id, address: of the one that stands for
    all; others: (id, address) of those that were merged into it; own_id: of the one whose session it is, which no merge
    and no end of one changes.
    """

    member_id: str
    address: Address
    expires_at_ms: int
    session_id: str
    own_id: str
    others: tuple[tuple[str, Address], ...] = ()
    device_id: str | None = None

    @property
    def member_ids(self) -> tuple[str, ...]:
        return (self.member_id, *(one for one, _ in self.others))

    @property
    def addresses(self) -> tuple[Address, ...]:
        return (self.address, *(address for _, address in self.others))

    @property
    def principal(self) -> str:
        """Under whom a write counts: the session's own member, so that a retry after a merge, or its end, is one."""
        return f"member:{self.own_id}"

    @property
    def principals(self) -> tuple[str, ...]:
        """Under whom a write of this person may have counted before: by a session of another of its members."""
        return tuple(f"member:{one}" for one in self.member_ids)

    @property
    def actor(self) -> str:
        return acts_name(self.member_id)


Caller = OperatorCaller | AuditorCaller | BrandCaller | MemberCaller

_KEY = (
    "SELECT k.kind, k.secret_hash, k.revoked_at_ms, k.brand, b.registry_id"
    " FROM api_key k LEFT JOIN brand b ON b.slug = k.brand WHERE k.id = ?"
)
_SESSION = (
    "SELECT s.member_id, s.secret_hash, s.expires_at_ms, m.address, m.survivor_id, m.absorbed, s.device_id"
    " FROM member_session s JOIN member m ON m.id = s.member_id WHERE s.id = ?"
)
# A role is had for as long as it is not taken back, its device not signed out and the address still proved, by the same
# person as the member that took it up first.
_STAFF = (
    "SELECT s.secret_hash, s.expires_at_ms, s.strong, r.id, r.role, r.brand, b.registry_id FROM staff_session s"
    " JOIN staff_role r ON r.id = s.role_id LEFT JOIN brand b ON b.slug = r.brand"
    " JOIN device d ON d.id = s.device_id AND d.ended_at_ms IS NULL"
    " WHERE s.id = ? AND EXISTS (SELECT 1 FROM identifier_link l JOIN member m ON m.id = l.member_id"
    " JOIN member w ON w.id = s.member_id JOIN member f ON f.id = r.member_id"
    " WHERE l.lookup = r.lookup AND l.scope = ''"
    " AND COALESCE(m.survivor_id, m.id) = COALESCE(w.survivor_id, w.id)"
    " AND COALESCE(f.survivor_id, f.id) = COALESCE(w.survivor_id, w.id))"
)
OTHERS_MAX = 64
_ROOT = "SELECT id, address FROM member WHERE id = ?"
_OTHERS = "SELECT id, address FROM member WHERE survivor_id = ? ORDER BY created_at_ms, id LIMIT ?"


def identify(read: Snapshot, token: Token, *, at_ms: int) -> Caller:
    """The caller who holds this token, or KeyInvalid / SessionExpired."""
    if token.kind == "m":
        found = read.row(_SESSION, token.id)
        if found is None:
            raise KeyInvalid("This session is unknown.")
        member_id, secret_hash, expires_at_ms, address, survivor_id, absorbed, device_id = found
        if not token.opens(secret_hash):
            raise KeyInvalid("This session is unknown.")
        if expires_at_ms <= at_ms:
            raise SessionExpired("This session is over; ask for a new one.")
        root, others = person(read, member_id, address, survivor_id=survivor_id, absorbed=absorbed)
        return MemberCaller(root[0], root[1], expires_at_ms, token.id, member_id, others, device_id)
    if token.kind == "s":
        return _staff(read, token, at_ms=at_ms)
    found = read.row(_KEY, token.id)
    if found is None:
        raise _invalid(None)
    kind, secret_hash, revoked_at_ms, slug, registry_id = found
    if kind != token.kind or not token.opens(secret_hash) or _has_ended(revoked_at_ms, at_ms):
        raise _invalid(token.id)
    if token.kind == "o":
        return OperatorCaller(token.id)
    if token.kind == "a":
        return AuditorCaller(token.id)
    return BrandCaller(slug, token.id, registry_id)


def _invalid(claimed: str | None) -> KeyInvalid:
    """claimed: the id of a key that there is."""
    fault = KeyInvalid("This key is unknown, wrong or revoked.")
    fault.claimed = claimed
    return fault


def _staff(read: Snapshot, token: Token, *, at_ms: int) -> Caller:
    found = read.row(_STAFF, token.id)
    if found is None:
        raise KeyInvalid("This role is unknown or was taken back.")
    secret_hash, expires_at_ms, strong, role_id, role, slug, registry_id = found
    if not token.opens(secret_hash):
        raise KeyInvalid("This role is unknown or was taken back.")
    if expires_at_ms <= at_ms:
        raise SessionExpired("This role's time is over; take it up again.")
    staff = Staff(role_id, role, bool(strong))
    if staff.role == "operator":
        return OperatorCaller(staff.role_id, staff)
    if staff.role == "auditor":
        return AuditorCaller(staff.role_id, staff)
    return BrandCaller(slug, staff.role_id, registry_id, staff)


def _refuse_role(request: Request, caller: Caller) -> None:
    """Raises NotYours for what the caller's role does not do, SecondFactorNeeded for money without one."""
    staff = None if isinstance(caller, MemberCaller) else caller.staff
    if staff is None:
        return
    operation = str(getattr(request.scope.get("route"), "operation_id", ""))
    if not may(staff.role, operation):
        raise NotYours(f"A {staff.role} does not do this.", role=staff.role)
    if needs_second_factor(operation) and not staff.strong:
        raise SecondFactorNeeded("Sign in with a passkey to do this.")


Known = tuple[str, Address]


def person(
    read: Snapshot, member_id: str, address: Address, *, survivor_id: str | None, absorbed: int
) -> tuple[Known, tuple[Known, ...]]:
    """(id, address) of the member that stands for this one, and of the others that are the same person.

    Whoever was never merged, which is nearly everybody, costs no further look.
    """
    root: Known = (member_id, address)
    if survivor_id is not None:
        stands = read.row(_ROOT, survivor_id)
        assert stands is not None, "who stands for a member is a member"
        id_, its_address = stands
        root = (id_, its_address)
    elif not absorbed:
        return root, ()
    return root, tuple((one, its) for one, its in read.rows(_OTHERS, root[0], OTHERS_MAX))


def _has_ended(revoked_at_ms: int | None, at_ms: int) -> bool:
    """Whether a key has ended: its end may lie ahead while its successor is handed out."""
    return revoked_at_ms is not None and revoked_at_ms <= at_ms


def token_of(request: Request, *, basic: bool = False) -> Token:
    """The bearer token of a request, or KeyMissing / KeyInvalid. basic: as the user name of Basic too."""
    header = request.headers.get("authorization")
    if not header:
        raise KeyMissing("Give a key: Authorization: Bearer moa_…")
    scheme, _, text = header.partition(" ")
    if basic and scheme.lower() == "basic":
        scheme, text = "bearer", _user_name(text)
    token = read_token(text.strip()) if scheme.lower() == "bearer" else None
    if token is None:
        raise KeyInvalid("This is not one of our keys.")
    return token


def _user_name(encoded: str) -> str:
    """The user name of Basic; the empty text for what is none."""
    try:
        return base64.b64decode(encoded.strip(), validate=True).decode("ascii").partition(":")[0]
    except (binascii.Error, UnicodeDecodeError, ValueError):
        return ""


async def _caller(request: Request, *, basic: bool = False) -> Caller:
    state: State = state_of(request)
    token = token_of(request, basic=basic)
    at_ms = now_ms()
    caller = await state.database.reads.off_loop(lambda read: identify(read, token, at_ms=at_ms))
    if token.kind not in ("m", "s"):
        state.key_uses[token.id] = at_ms
    request.state.caller = caller
    return caller


class _Calls(SecurityBase):
    """A bearer scheme of OpenAPI that is also the look-up; refuses callers of another kind."""

    def __init__(self, name: str, description: str, *kinds: type[Caller], basic: bool = False) -> None:
        bearer = HTTPBearerModel(description=description)
        self.model = HTTPBaseModel(scheme="basic", description=description) if basic else bearer
        self._basic = basic
        self.scheme_name = name
        self._kinds = kinds
        self._wanted = description

    async def __call__(self, request: Request) -> Caller:
        caller = await _caller(request, basic=self._basic)
        if not isinstance(caller, self._kinds):
            raise NotYours(f"This needs {self._wanted}.")
        _refuse_role(request, caller)
        if isinstance(caller, AuditorCaller):
            address = request.path_params.get("address")
            subject = "" if address is None else f"account/{str(address).lower()}"
            await note_look(request, "audit.seen", actor=caller.actor, subject=subject)
        return caller


async def looked(request: Request, caller: Caller, member_id: str) -> None:
    """Notes that someone looked at what belongs to a member; to be called before it is told."""
    if not isinstance(caller, MemberCaller):
        await note_look(request, "personal.seen", actor=caller.actor, subject=acts_name(member_id))


_auditor = _Calls("auditorKey", "an auditor's key", AuditorCaller)
_auditor_or_operator = _Calls(
    "auditorKeyOrOperatorKey", "an auditor's or the operator's key", AuditorCaller, OperatorCaller
)
_operator = _Calls("operatorKey", "the operator's key", OperatorCaller)
_brand = _Calls("brandKey", "a brand's key", BrandCaller)
_write_key = _Calls("writeKey", "a brand's key, as Bearer or as the user name of Basic", BrandCaller, basic=True)
_member = _Calls("memberSession", "a member's session", MemberCaller)
_brand_or_auditor = _Calls("brandKeyOrAuditorKey", "a brand's or an auditor's key", BrandCaller, AuditorCaller)
_brand_or_member = _Calls("brandKeyOrMemberSession", "a brand's key or a member's session", BrandCaller, MemberCaller)

by_operator = _operator  # for a page that is no route of the document

ByOperator = Annotated[OperatorCaller, Security(_operator)]
ByAuditor = Annotated[AuditorCaller, Security(_auditor)]
ByAuditorOrOperator = Annotated[AuditorCaller | OperatorCaller, Security(_auditor_or_operator)]
ByBrand = Annotated[BrandCaller, Security(_brand)]
ByWriteKey = Annotated[BrandCaller, Security(_write_key)]
ByBrandOrAuditor = Annotated[BrandCaller | AuditorCaller, Security(_brand_or_auditor)]
ByMember = Annotated[MemberCaller, Security(_member)]
ByBrandOrMember = Annotated[BrandCaller | MemberCaller, Security(_brand_or_member)]
# For a route that looks its caller up itself, in the same read as all the rest.
BY_MEMBER: dict[str, Any] = {"security": [{_member.scheme_name: []}]}
CALLER_PROBLEMS = (KeyMissing, KeyInvalid, SessionExpired, NotYours, SecondFactorNeeded)
