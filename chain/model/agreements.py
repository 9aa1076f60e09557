"""Agreements between two brands: proposed, accepted, changed with both consents, ended with notice (SPEC 4)."""

from collections.abc import Callable
from dataclasses import astuple, dataclass, field
from enum import IntEnum
from typing import Final

from chain.model.access import Announcements, Kind, Roles, role_of
from chain.model.call import Call, Journal
from chain.model.errors import (
    AgreementStateWrong,
    AgreementTermsInvalid,
    AgreementUnknown,
    BrandsEqual,
    ExchangeChangePending,
    NoExchangeChangePending,
    NotAParty,
    PairTaken,
)
from chain.model.ids import hash_of
from chain.model.lots import LOT_POINTS_MAX
from chain.model.registry import Registry

EXCHANGE: Final = "PartnerExchange"
FEE_BPS_MAX: Final = 5_000
EXPOSURE_CAP_MAX: Final = 2**96 - 1
VALUE_MAX: Final = 2**64 - 1
NOTICE_S_MIN: Final = 3_600
NOTICE_S_MAX: Final = 365 * 86_400
BPS: Final = 10_000


class AgreementState(IntEnum):
    """Proposed waits for the other brand, agreed is in force, ended is for ever."""

    NONE = 0
    PROPOSED = 1
    AGREED = 2
    ENDED = 3


@dataclass(frozen=True, slots=True)
class Given:
    """What an exchange gives: points out, the fee in points, the obligation in settlement units."""

    out: int
    fee: int
    obligation: int


@dataclass(frozen=True, slots=True)
class AgreementTerms:
    """What two brands agree on."""

    numerator: int
    denominator: int
    fee_bps: int
    daily_cap: int
    exposure_cap: int
    value_numerator: int
    value_denominator: int
    notice_s: int

    def check(self) -> None:
        """Refuses terms outside the published bounds, the first field by name."""
        bounds = {
            "numerator": 1 <= self.numerator <= LOT_POINTS_MAX,
            "denominator": 1 <= self.denominator <= LOT_POINTS_MAX,
            "feeBps": self.fee_bps <= FEE_BPS_MAX,
            "dailyCap": self.daily_cap <= LOT_POINTS_MAX,
            "exposureCap": self.exposure_cap <= EXPOSURE_CAP_MAX,
            "valueNumerator": 1 <= self.value_numerator <= VALUE_MAX,
            "valueDenominator": 1 <= self.value_denominator <= VALUE_MAX,
            "noticeSeconds": NOTICE_S_MIN <= self.notice_s <= NOTICE_S_MAX,
        }
        for name, kept in bounds.items():
            if not kept:
                raise AgreementTermsInvalid(name)

    def give(self, points_in: int) -> Given:
        """Gross rounded down, fee rounded up, obligation for the gross rounded up."""
        gross = points_in * self.numerator // self.denominator
        fee = -(-gross * self.fee_bps // BPS)
        return Given(gross - fee, fee, -(-gross * self.value_numerator // self.value_denominator))

    def hash(self) -> str:
        """What the other brand consents to."""
        return hash_of(["uint256"] * 8, *astuple(self))


@dataclass(frozen=True, slots=True)
class AgreementChange:
    """New terms: only proposed while in_force_at is 0, accepted from then on."""

    version: int
    by_brand_id: int
    terms: AgreementTerms
    in_force_at: int


@dataclass(slots=True)
class Agreement:
    """A directed agreement; ends_at 0: no notice was given."""

    from_brand_id: int
    to_brand_id: int
    by_brand_id: int
    state: AgreementState
    version: int
    last_version: int
    terms: AgreementTerms
    change: AgreementChange | None = None
    ends_at: int = 0
    used_by_day: dict[int, int] = field(default_factory=dict)

    def state_at(self, at: int) -> AgreementState:
        """The state at second `at`."""
        return AgreementState.ENDED if self.ends_at and at >= self.ends_at else self.state

    def in_force(self, at: int) -> tuple[AgreementTerms, int]:
        """Terms and version at second `at`."""
        if self.change is not None and 0 < self.change.in_force_at <= at:
            return self.change.terms, self.change.version
        return self.terms, self.version

    def pending(self, at: int) -> AgreementChange | None:
        """The change that still waits at second `at`, for consent or for its time."""
        waits = self.change is not None and not 0 < self.change.in_force_at <= at
        return self.change if waits else None

    def settle(self, at: int) -> None:
        """Makes a change whose time has come the agreement's terms."""
        self.terms, self.version = self.in_force(at)
        self.change = self.pending(at)


@dataclass(slots=True)
class Agreements:
    """All agreements, ids from 1."""

    registry: Registry
    roles: Roles
    journal: Journal
    agreements: list[Agreement] = field(default_factory=list)
    announcements: Announcements = field(init=False)

    def __post_init__(self) -> None:
        self.announcements = Announcements(EXCHANGE, self.roles, self.journal)

    def agreement(self, agreement_id: int) -> Agreement:
        """The agreement, or AgreementUnknown."""
        if not 1 <= agreement_id <= len(self.agreements):
            raise AgreementUnknown(agreement_id)
        return self.agreements[agreement_id - 1]

    def propose(self, call: Call, by_brand_id: int, from_brand_id: int, to_brand_id: int, terms: AgreementTerms) -> int:
        """One of two brands proposes exchange from one into the other; the agreement's id."""
        self.registry.brand_of(from_brand_id)
        self.registry.brand_of(to_brand_id)
        if from_brand_id == to_brand_id:
            raise BrandsEqual(from_brand_id)
        if by_brand_id not in (from_brand_id, to_brand_id):
            raise NotAParty(0, by_brand_id)
        use = self.announcements.check(call, role_of(by_brand_id, Kind.OWNER))
        terms.check()
        for number, other in enumerate(self.agreements, 1):
            same = (other.from_brand_id, other.to_brand_id) == (from_brand_id, to_brand_id)
            if same and other.state_at(call.at) != AgreementState.ENDED:
                raise PairTaken(number)

        use()
        self.agreements.append(Agreement(from_brand_id, to_brand_id, by_brand_id, AgreementState.PROPOSED, 1, 1, terms))
        agreement_id = len(self.agreements)
        self._say("AgreementProposed", agreement_id, from_brand_id, to_brand_id, by_brand_id, astuple(terms))
        return agreement_id

    def accept(self, call: Call, agreement_id: int, terms_hash: str) -> None:
        """The other brand accepts: in force at once, version 1."""
        agreement = self.agreement(agreement_id)
        self._check_state(call, agreement_id, AgreementState.PROPOSED)
        use = self.announcements.check(call, self._other(agreement, agreement.by_brand_id))
        if terms_hash != agreement.terms.hash():
            raise AgreementTermsInvalid("termsHash")

        use()
        agreement.state = AgreementState.AGREED
        self._say("AgreementAccepted", agreement_id, 1)

    def propose_change(self, call: Call, agreement_id: int, by_brand_id: int, terms: AgreementTerms) -> int:
        """New terms for an agreement in force; their version."""
        agreement = self.agreement(agreement_id)
        self._check_state(call, agreement_id, AgreementState.AGREED)
        use = self._check_party(call, agreement_id, by_brand_id)
        waiting = agreement.pending(call.at)
        if waiting is not None:
            raise ExchangeChangePending(agreement_id, waiting.version)
        terms.check()

        use()
        agreement.settle(call.at)
        agreement.last_version += 1
        agreement.change = AgreementChange(agreement.last_version, by_brand_id, terms, 0)
        self._say("ChangeProposed", agreement_id, agreement.last_version, by_brand_id, astuple(terms))
        return agreement.last_version

    def accept_change(self, call: Call, agreement_id: int, terms_hash: str) -> int:
        """The other brand consents; the new terms wait the notice of the version in force."""
        agreement = self.agreement(agreement_id)
        self._check_state(call, agreement_id, AgreementState.AGREED)
        change = agreement.pending(call.at)
        if change is None or change.in_force_at:
            raise NoExchangeChangePending(agreement_id)
        use = self.announcements.check(call, self._other(agreement, change.by_brand_id))
        if terms_hash != change.terms.hash():
            raise AgreementTermsInvalid("termsHash")

        use()
        in_force_at = call.at + agreement.terms.notice_s
        agreement.change = AgreementChange(change.version, change.by_brand_id, change.terms, in_force_at)
        self._say("ChangeAccepted", agreement_id, change.version, in_force_at)
        return in_force_at

    def withdraw_change(self, call: Call, agreement_id: int, by_brand_id: int) -> None:
        """Either brand takes a change back that is not accepted."""
        agreement = self.agreement(agreement_id)
        use = self._check_party(call, agreement_id, by_brand_id)
        change = agreement.pending(call.at)
        ended = agreement.state_at(call.at) == AgreementState.ENDED
        if ended or change is None or change.in_force_at:
            raise NoExchangeChangePending(agreement_id)

        use()
        agreement.change = None
        self._say("ChangeWithdrawn", agreement_id, change.version)

    def end(self, call: Call, agreement_id: int, by_brand_id: int) -> int:
        """A proposal ends at once, an agreement after its notice; the first second of its end."""
        agreement = self.agreement(agreement_id)
        use = self._check_party(call, agreement_id, by_brand_id)
        state = agreement.state_at(call.at)
        if state == AgreementState.ENDED or agreement.ends_at:
            # One whose end is announced counts as ended here, as the contract says it.
            raise AgreementStateWrong(agreement_id, AgreementState.ENDED)

        use()
        terms, _ = agreement.in_force(call.at)
        notice_s = terms.notice_s if state == AgreementState.AGREED else 0
        agreement.ends_at = call.at + notice_s
        self._say("AgreementEnding", agreement_id, by_brand_id, agreement.ends_at)
        return agreement.ends_at

    def _say(self, name: str, *values: object) -> None:
        self.journal.say(EXCHANGE, name, *values)

    def _other(self, agreement: Agreement, brand_id: int) -> int:
        pair = agreement.from_brand_id + agreement.to_brand_id
        return role_of(pair - brand_id, Kind.OWNER)

    def _check_party(self, call: Call, agreement_id: int, brand_id: int) -> Callable[[], None]:
        agreement = self.agreement(agreement_id)
        if brand_id not in (agreement.from_brand_id, agreement.to_brand_id):
            raise NotAParty(agreement_id, brand_id)
        return self.announcements.check(call, role_of(brand_id, Kind.OWNER))

    def _check_state(self, call: Call, agreement_id: int, state: AgreementState) -> None:
        found = self.agreement(agreement_id).state_at(call.at)
        if found != state:
            raise AgreementStateWrong(agreement_id, found)
