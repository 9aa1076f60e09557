"""Who may call what (SPEC 6): roles of brands and of Moa, delays with announcements, members' authorisations."""

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Final

from chain.model.call import Call, Journal
from chain.model.errors import (
    AccessManagerUnauthorizedAccount,
    AuthorisationExpired,
    AuthorisationUsed,
    CallExpired,
    CallNotAnnounced,
    CallNotReady,
    RoleMissing,
    SignatureInvalid,
)
from chain.model.ids import hash_of

ANNOUNCEMENT_LIFE_S: Final = 7 * 86_400
TREASURER_WAIT_S: Final = 86_400
TREASURER_WAITS_AFTER_S: Final = 5 * 86_400
BRAND_ID_MAX: Final = 2**32 - 1
NO_ROLE: Final = 2**64 - 2
MOA_ADMIN: Final = 0
MOA_OPERATOR: Final = 1
MOA_GUARDIAN: Final = 2

# Who really signed exactly the values of the call; None: nobody, or other values.
Signature = str | None


class Kind(IntEnum):
    """The kinds of a brand's roles."""

    OWNER = 1
    ISSUER = 2
    TILL = 3
    TREASURER = 4
    GUARDIAN = 5


def role_of(brand_id: int, kind: int) -> int:
    """The role id of a brand; what nobody ever holds for an id that no brand can have."""
    return brand_id * 256 + kind if 0 < brand_id <= BRAND_ID_MAX else NO_ROLE


@dataclass(frozen=True, slots=True)
class Grant:
    """A role held from second `since` on; delay_s: how long its calls are announced before."""

    since: int
    delay_s: int


@dataclass(slots=True)
class Roles:
    """The one AccessManager: who holds which role with which execution delay in seconds."""

    grants: dict[tuple[int, str], Grant] = field(default_factory=dict)
    invited_at: dict[int, int] = field(default_factory=dict)

    def holds(self, role: int, account: str, at: int) -> bool:
        """Whether the account has the role at second `at`, for calls at once or announced ones."""
        grant = self.grants.get((role, account))
        return grant is not None and at >= grant.since

    def delay_s(self, role: int, account: str) -> int:
        """How long the holder's calls are announced before."""
        return self.grants[role, account].delay_s

    def vetoes(self, role: int) -> tuple[int, int]:
        """The role's guardian and its admin, who retract what its holders announced."""
        brand_id, kind = divmod(role, 256)
        if brand_id in self.invited_at and kind in list(Kind):
            return role_of(brand_id, Kind.GUARDIAN), role_of(brand_id, Kind.OWNER)
        return MOA_GUARDIAN if role == MOA_OPERATOR else MOA_ADMIN, MOA_ADMIN

    def since(self, role: int, account: str) -> int:
        """Since when the holder has had the role."""
        return self.grants[role, account].since

    def give(self, role: int, account: str) -> None:
        """Gives the role without asking who gives it: how the world is set up."""
        self.grants[role, account] = Grant(0, 0)

    def grant_role(self, call: Call, role: int, account: str, delay_s: int) -> None:
        """The role's admin gives it: a brand's owner the brand's, Moa's admin the rest. Treasurers wait a day."""
        self._check_admin(call, role)
        brand_id, kind = divmod(role, 256)
        waits = kind == Kind.TREASURER and call.at >= self.invited_at[brand_id] + TREASURER_WAITS_AFTER_S
        since = call.at + (TREASURER_WAIT_S if waits else 0)
        self.grants.setdefault((role, account), Grant(since, delay_s))

    def revoke_role(self, call: Call, role: int, account: str) -> None:
        """The role's admin takes it back."""
        self._check_admin(call, role)
        self.grants.pop((role, account), None)

    def _check_admin(self, call: Call, role: int) -> None:
        brand_id = role // 256
        admin = role_of(brand_id, Kind.OWNER) if brand_id else MOA_ADMIN
        if not self.holds(admin, call.by, call.at):
            raise AccessManagerUnauthorizedAccount(call.by, admin)


@dataclass(slots=True)
class Announcements:
    """The calls announced to one contract: from when each may be made."""

    contract: str
    roles: Roles
    journal: Journal
    ready_at: dict[str, int] = field(default_factory=dict)
    # Since when the one who announced had the role: with another grant the announcement is dead.
    since: dict[str, int] = field(default_factory=dict)

    def announce(self, call: Call, role: int, data: bytes) -> str:
        """The caller says which call it will make by a role that it holds with a delay."""
        if not self.roles.holds(role, call.by, call.at):
            raise RoleMissing(call.by, role)
        call_hash = hash_of(["address", "uint64", "bytes"], call.by, role, data)
        self.ready_at[call_hash] = call.at + self.roles.delay_s(role, call.by)
        self.since[call_hash] = self.roles.since(role, call.by)
        self.journal.say(self.contract, "CallAnnounced", call.by, call_hash, self.ready_at[call_hash])
        return call_hash

    def retract(self, call: Call, caller: str, role: int, data: bytes) -> str:
        """The caller itself, the role's guardian or its admin takes an announced call back."""
        vetoes = self.roles.vetoes(role)
        if call.by != caller and not any(self.roles.holds(each, call.by, call.at) for each in vetoes):
            raise RoleMissing(call.by, vetoes[0])
        call_hash = hash_of(["address", "uint64", "bytes"], caller, role, data)
        if not self.ready_at.get(call_hash):
            raise CallNotAnnounced(call_hash)

        del self.ready_at[call_hash]
        self.since.pop(call_hash, None)
        self.journal.say(self.contract, "CallRetracted", call.by, call_hash)
        return call_hash

    def check(self, call: Call, role: int, *, undelayed: bool = False) -> Callable[[], None]:
        """Refuses a caller without the role, or whose delayed call is not due; the answer uses the announcement up."""
        if not self.roles.holds(role, call.by, call.at):
            raise RoleMissing(call.by, role)
        if undelayed or self.roles.delay_s(role, call.by) == 0:
            return lambda: None
        call_hash = hash_of(["address", "uint64", "bytes"], call.by, role, call.data)
        ready_at, held_since = self.ready_at.get(call_hash, 0), self.roles.since(role, call.by)
        if ready_at == 0 or self.since.get(call_hash, held_since) != held_since:
            raise CallNotAnnounced(call_hash)
        if call.at < ready_at:
            raise CallNotReady(call_hash, ready_at)
        if call.at >= ready_at + ANNOUNCEMENT_LIFE_S:
            raise CallExpired(call_hash, ready_at + ANNOUNCEMENT_LIFE_S)
        return lambda: self.ready_at.__delitem__(call_hash)


@dataclass(slots=True)
class Nonces:
    """The authorisations that members have used or cancelled at one contract."""

    contract: str
    journal: Journal
    used: set[tuple[str, int]] = field(default_factory=set)

    def check(self, call: Call, member: str, nonce: int, deadline: int, signature: Signature) -> None:
        """Refuses what is late, used, or not signed by the member; the caller that is the member signs by calling."""
        if call.at > deadline:
            raise AuthorisationExpired(deadline, call.at)
        if (member, nonce) in self.used:
            raise AuthorisationUsed(member, nonce)
        if call.by != member and signature != member:
            raise SignatureInvalid(member)

    def spend(self, member: str, nonce: int) -> None:
        """The authorisation has served."""
        self.used.add((member, nonce))

    def cancel_authorisation(self, call: Call, nonce: int) -> None:
        """The member withdraws a nonce of its own."""
        if (call.by, nonce) in self.used:
            raise AuthorisationUsed(call.by, nonce)
        self.spend(call.by, nonce)
        self.journal.say(self.contract, "AuthorisationCancelled", call.by, nonce)
