"""Brands and their standing, and the switches that stop issuing (SPEC 6)."""

from dataclasses import dataclass, field, replace
from enum import IntEnum
from typing import Final

from chain.model.access import MOA_GUARDIAN, MOA_OPERATOR, Announcements, Kind, Roles, role_of
from chain.model.call import NOBODY, Call, Journal
from chain.model.errors import (
    AddressMissing,
    AlreadySealed,
    BrandNotIssuing,
    BrandStatusWrong,
    BrandUnknown,
    NoTreasuryPending,
    TermsInvalid,
    TreasuryPending,
    TreasuryUnfit,
)
from chain.model.policy import Policy

REGISTRY: Final = "PartnerRegistry"
NAME_BYTES_MAX: Final = 64
SYMBOL_BYTES_MAX: Final = 11
EPOCH_S_MIN: Final = 3_600
EPOCH_S_MAX: Final = 366 * 86_400
LIFETIME_EPOCHS_MAX: Final = 15
TREASURY_NOTICE_S: Final = 7 * 86_400


class Status(IntEnum):
    """A brand's standing."""

    UNKNOWN = 0
    INVITED = 1
    ACTIVE = 2
    SUSPENDED = 3


@dataclass(frozen=True, slots=True)
class Brand:
    """A brand as the registry knows it."""

    token: str
    status: Status
    brand_switch: bool
    moa_switch: bool
    treasury: str
    metadata_hash: str
    # Since when suspension or a switch of its own has stopped it; 0: neither does.
    stopped_at: int = 0
    # A treasury that was announced, and from when on it is in force.
    next_treasury: tuple[str, int] | None = None

    def treasury_at(self, at: int) -> str:
        """Where collateral returns to at second `at`."""
        if self.next_treasury is not None and at >= self.next_treasury[1]:
            return self.next_treasury[0]
        return self.treasury

    def stopped(self, at: int) -> "Brand":
        """The same brand, with since when it has been stopped."""
        stopped = self.status == Status.SUSPENDED or self.brand_switch or self.moa_switch
        return replace(self, stopped_at=(self.stopped_at or at) if stopped else 0)


@dataclass(frozen=True, slots=True)
class Invitation:
    """What an invitation fixes: the token's terms, who owns the brand, where its collateral returns to."""

    name: str
    symbol: str
    epoch_s: int
    lifetime_epochs: int
    grace_s: int
    policy: Policy
    owner: str
    treasury: str
    metadata_hash: str

    def check(self, clearing: str) -> None:
        """Refuses what is missing or outside the published bounds, the first field by name."""
        if self.owner == NOBODY:
            raise AddressMissing("owner")
        check_treasury(self.treasury, clearing)
        grace_s_max = LIFETIME_EPOCHS_MAX * self.epoch_s if self.lifetime_epochs else 0
        bounds = {
            "name": 1 <= len(self.name.encode()) <= NAME_BYTES_MAX,
            "symbol": 1 <= len(self.symbol.encode()) <= SYMBOL_BYTES_MAX,
            "epochSeconds": EPOCH_S_MIN <= self.epoch_s <= EPOCH_S_MAX,
            "lifetimeEpochs": self.lifetime_epochs <= LIFETIME_EPOCHS_MAX,
            "graceSeconds": self.grace_s <= grace_s_max,
        }
        for field_name, kept in bounds.items():
            if not kept:
                raise TermsInvalid(field_name)


def check_treasury(treasury: str, clearing: str) -> None:
    """Refuses a treasury that is nobody, or the clearing house itself."""
    if treasury == NOBODY:
        raise AddressMissing("treasury")
    if treasury == clearing:
        raise TreasuryUnfit(treasury)


@dataclass(slots=True)
class Registry:
    """All brands by id from 1, and the switch for all. clearing: the clearing house's address."""

    clearing: str
    roles: Roles
    journal: Journal
    brands: dict[int, Brand] = field(default_factory=dict)
    all_stopped_at: int = 0
    announcements: Announcements = field(init=False)

    def __post_init__(self) -> None:
        self.announcements = Announcements(REGISTRY, self.roles, self.journal)

    def seal(self, call: Call, modules: tuple[str, ...]) -> None:
        """Moa's contracts are named once, before any ledger begins."""
        self.announcements.check(call, MOA_OPERATOR)
        raise AlreadySealed

    def invite(self, call: Call, invitation: Invitation, token: str) -> int:
        """A new brand with its token, whose address the chain chose; its id."""
        use = self.announcements.check(call, MOA_OPERATOR)
        invitation.check(self.clearing)

        use()
        brand_id = len(self.brands) + 1
        self.brands[brand_id] = Brand(
            token, Status.INVITED, False, False, invitation.treasury, invitation.metadata_hash
        )
        self.roles.give(role_of(brand_id, Kind.OWNER), invitation.owner)
        self.roles.invited_at[brand_id] = call.at
        self.journal.say(
            REGISTRY,
            "BrandInvited",
            brand_id,
            token,
            invitation.owner,
            invitation.treasury,
            invitation.metadata_hash,
        )
        return brand_id

    def brand_of(self, brand_id: int) -> Brand:
        """The brand, or BrandUnknown."""
        if brand_id not in self.brands:
            raise BrandUnknown(brand_id)
        return self.brands[brand_id]

    @property
    def all_stopped(self) -> bool:
        """Whether the switch for all is thrown."""
        return self.all_stopped_at != 0

    def stopped_since(self, brand_id: int) -> int:
        """Since when the brand may not issue: the first of suspension and the switches that still hold; 0: it may."""
        since = [at for at in (self.brand_of(brand_id).stopped_at, self.all_stopped_at) if at]
        return min(since, default=0)

    def is_frozen(self, brand_id: int) -> bool:
        """Whether a switch holds the brand's collateral back."""
        brand = self.brand_of(brand_id)
        return brand.brand_switch or brand.moa_switch or self.all_stopped

    def is_issuing(self, brand_id: int) -> bool:
        """Whether awards and exchanges of this brand may go through."""
        brand = self.brands.get(brand_id)
        return brand is not None and self._issues(brand)

    def check_issuing(self, brand_id: int) -> None:
        """Refuses for a brand that is unknown or may not issue now."""
        brand = self.brand_of(brand_id)
        if not self._issues(brand):
            stopped = brand.brand_switch or brand.moa_switch
            raise BrandNotIssuing(brand_id, brand.status, stopped, self.all_stopped)

    def _issues(self, brand: Brand) -> bool:
        return brand.status == Status.ACTIVE and not (brand.brand_switch or brand.moa_switch or self.all_stopped)

    def activate(self, call: Call, brand_id: int) -> None:
        """Moa's operator lets an invited or suspended brand issue."""
        self._move(call, brand_id, {Status.INVITED, Status.SUSPENDED}, Status.ACTIVE, "BrandActivated")

    def suspend(self, call: Call, brand_id: int) -> None:
        """Moa's operator stops an active brand from issuing."""
        self._move(call, brand_id, {Status.ACTIVE}, Status.SUSPENDED, "BrandSuspended")

    def _move(self, call: Call, brand_id: int, before: set[Status], after: Status, said: str) -> None:
        use = self.announcements.check(call, MOA_OPERATOR)
        brand = self.brand_of(brand_id)
        if brand.status not in before:
            raise BrandStatusWrong(brand_id, brand.status)

        use()
        self.brands[brand_id] = replace(brand, status=after).stopped(call.at)
        self.journal.say(REGISTRY, said, brand_id)

    def announce_treasury(self, call: Call, brand_id: int, treasury: str) -> int:
        """The owner names where the brand's collateral returns to from a week on; the first second of it."""
        brand = self.brand_of(brand_id)
        use = self.announcements.check(call, role_of(brand_id, Kind.OWNER))
        check_treasury(treasury, self.clearing)
        if brand.next_treasury is not None and brand.next_treasury[1] > call.at:
            raise TreasuryPending(*brand.next_treasury)

        use()
        in_force_at = call.at + TREASURY_NOTICE_S
        self.brands[brand_id] = replace(
            brand, treasury=brand.treasury_at(call.at), next_treasury=(treasury, in_force_at)
        )
        self.journal.say(REGISTRY, "TreasuryAnnounced", brand_id, treasury, in_force_at)
        return in_force_at

    def withdraw_treasury(self, call: Call, brand_id: int) -> None:
        """The guardian or the owner takes an announced treasury back, at once."""
        brand = self.brand_of(brand_id)
        owner = role_of(brand_id, Kind.OWNER)
        if not self.roles.holds(role_of(brand_id, Kind.GUARDIAN), call.by, call.at):
            self.announcements.check(call, owner, undelayed=True)
        if brand.next_treasury is None or brand.next_treasury[1] <= call.at:
            raise NoTreasuryPending(brand_id)

        self.brands[brand_id] = replace(brand, next_treasury=None)
        self.journal.say(REGISTRY, "TreasuryWithdrawn", brand_id, brand.next_treasury[0])

    def set_metadata(self, call: Call, brand_id: int, metadata_hash: str) -> None:
        """The owner names the hash of the brand's public page."""
        brand = self.brand_of(brand_id)
        use = self.announcements.check(call, role_of(brand_id, Kind.OWNER))

        use()
        self.brands[brand_id] = replace(brand, metadata_hash=metadata_hash)
        self.journal.say(REGISTRY, "MetadataChanged", brand_id, metadata_hash)

    def stop(self, call: Call, brand_id: int) -> None:
        """The brand's guardian throws the brand's own switch."""
        self._switch(call, role_of(brand_id, Kind.GUARDIAN), brand_id, False, True)

    def resume(self, call: Call, brand_id: int) -> None:
        """The brand's owner puts it back."""
        self._switch(call, role_of(brand_id, Kind.OWNER), brand_id, False, False)

    def stop_by_moa(self, call: Call, brand_id: int) -> None:
        """Moa's guardian throws Moa's switch for one brand."""
        self._switch(call, MOA_GUARDIAN, brand_id, True, True)

    def resume_by_moa(self, call: Call, brand_id: int) -> None:
        """The operator puts it back."""
        self._switch(call, MOA_OPERATOR, brand_id, True, False)

    def _switch(self, call: Call, role: int, brand_id: int, by_moa: bool, stopped: bool) -> None:
        brand = self.brand_of(brand_id)
        use = self.announcements.check(call, role, undelayed=stopped)

        use()
        changed = replace(brand, moa_switch=stopped) if by_moa else replace(brand, brand_switch=stopped)
        self.brands[brand_id] = changed.stopped(call.at)
        self.journal.say(REGISTRY, "BrandSwitched", brand_id, by_moa, stopped)

    def stop_all(self, call: Call) -> None:
        """Moa's guardian stops all brands."""
        self._switch_all(call, MOA_GUARDIAN, True)

    def resume_all(self, call: Call) -> None:
        """The operator puts that back."""
        self._switch_all(call, MOA_OPERATOR, False)

    def _switch_all(self, call: Call, role: int, stopped: bool) -> None:
        use = self.announcements.check(call, role, undelayed=stopped)

        use()
        self.all_stopped_at = (self.all_stopped_at or call.at) if stopped else 0
        self.journal.say(REGISTRY, "AllSwitched", stopped)
