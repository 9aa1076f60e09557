"""What brands owe each other, the collateral behind it, netting, settlement and default (SPEC 5)."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Final

from chain.model.access import MOA_OPERATOR, Announcements, Kind, Roles, role_of
from chain.model.call import Call, Journal
from chain.model.errors import (
    AmountMissing,
    AmountTooLarge,
    BrandInDefault,
    BrandListUnsorted,
    BrandListWrong,
    BrandNotInDefault,
    CollateralExceeded,
    ExposureExceeded,
    PeriodWrong,
    SettlementPending,
    StatementUnknown,
    TreasuryOther,
    WithdrawalFrozen,
)
from chain.model.registry import Registry

CLEARING: Final = "ClearingHouse"
BRANDS_MAX: Final = 64
CREDITORS_MAX: Final = 64
AMOUNT_MAX: Final = 2**96 - 1


@dataclass(slots=True)
class Account:
    """A brand's collateral, all that it owes, and the netted part of that, in settlement units."""

    collateral: int = 0
    owed: int = 0
    due: int = 0
    in_default: bool = False


@dataclass(frozen=True, slots=True)
class Statement:
    """A netted period that waits for settlement."""

    brand_ids: tuple[int, ...]
    positions: tuple[int, ...]


@dataclass(slots=True)
class Clearing:
    """Accounts by brand, obligations by (debtor, creditor), statements by period."""

    registry: Registry
    roles: Roles
    journal: Journal
    accounts: dict[int, Account] = field(default_factory=dict)
    obligations: dict[tuple[int, int], int] = field(default_factory=dict)
    statements: dict[int, Statement] = field(default_factory=dict)
    next_period: int = 1
    announcements: Announcements = field(init=False)

    def __post_init__(self) -> None:
        self.announcements = Announcements(CLEARING, self.roles, self.journal)

    # --- reading

    def account_of(self, brand_id: int) -> Account:
        """The brand's account; an untouched one is empty."""
        return self.accounts.setdefault(brand_id, Account())

    def obligation_of(self, debtor_id: int, creditor_id: int) -> int:
        """What the debtor owes the creditor, not yet netted."""
        return self.obligations.get((debtor_id, creditor_id), 0)

    @property
    def collateral_total(self) -> int:
        """Collateral of all brands together."""
        return sum(account.collateral for account in self.accounts.values())

    def positions_of(self, brand_ids: Sequence[int]) -> tuple[list[int], int]:
        """What each would receive (or pay, negative) if all obligations among them were netted, and their sum gross."""
        positions = [
            sum(self.obligation_of(other, brand) - self.obligation_of(brand, other) for other in brand_ids)
            for brand in brand_ids
        ]
        gross = sum(self.obligation_of(one, other) for one in brand_ids for other in brand_ids)
        return positions, gross

    # --- collateral

    def deposit(self, call: Call, brand_id: int, amount: int) -> None:
        """The caller's settlement tokens become a brand's collateral."""
        self.registry.brand_of(brand_id)
        if amount == 0:
            raise AmountMissing()
        if amount > AMOUNT_MAX:
            raise AmountTooLarge(amount, AMOUNT_MAX)

        account = self.account_of(brand_id)
        account.collateral += amount
        self.journal.say(CLEARING, "CollateralDeposited", brand_id, call.by, amount, account.collateral)

    def withdraw(self, call: Call, brand_id: int, amount: int, to: str) -> None:
        """Collateral that covers nothing goes to the brand's treasury, which the caller names."""
        brand = self.registry.brand_of(brand_id)
        use = self.announcements.check(call, role_of(brand_id, Kind.TREASURER))
        if self.registry.is_frozen(brand_id):
            raise WithdrawalFrozen(brand_id)
        if to != brand.treasury_at(call.at):
            raise TreasuryOther(to, brand.treasury_at(call.at))
        account = self.account_of(brand_id)
        if amount == 0:
            raise AmountMissing()
        if account.in_default:
            raise BrandInDefault(brand_id)
        if account.collateral < account.owed + amount:
            raise CollateralExceeded(brand_id, account.owed + amount, account.collateral)

        use()
        account.collateral -= amount
        self.journal.say(CLEARING, "CollateralWithdrawn", brand_id, to, amount, account.collateral)

    # --- the exchange

    def check_book(self, debtor_id: int, creditor_id: int, amount: int, exposure_cap: int) -> None:
        """Refuses a debt by default, exposure or collateral, in this order."""
        for brand_id in (debtor_id, creditor_id):
            if self.account_of(brand_id).in_default:
                raise BrandInDefault(brand_id)
        if amount > AMOUNT_MAX:
            raise AmountTooLarge(amount, AMOUNT_MAX)
        more = amount - min(amount, self.obligation_of(creditor_id, debtor_id))
        # What is netted and waits for settlement counts as owed to each creditor.
        exposure = self.obligation_of(debtor_id, creditor_id) + more + self.account_of(debtor_id).due
        if more and exposure > exposure_cap:
            raise ExposureExceeded(debtor_id, creditor_id, exposure, exposure_cap)
        self._check_cover(debtor_id, more)

    def book(self, debtor_id: int, creditor_id: int, amount: int, exposure_cap: int, exchange_id: str) -> None:
        """The debtor owes the creditor more, less what is set off."""
        self.check_book(debtor_id, creditor_id, amount, exposure_cap)
        self._add(debtor_id, creditor_id, amount, exchange_id)

    def check_unbook(self, debtor_id: int, creditor_id: int, amount: int) -> None:
        """Refuses a reduction whose remainder the creditor could not owe the other way."""
        for brand_id in (debtor_id, creditor_id):
            if self.account_of(brand_id).in_default:
                raise BrandInDefault(brand_id)
        if amount > AMOUNT_MAX:
            raise AmountTooLarge(amount, AMOUNT_MAX)
        self._check_cover(creditor_id, amount - min(amount, self.obligation_of(debtor_id, creditor_id)))

    def unbook(self, debtor_id: int, creditor_id: int, amount: int, exchange_id: str) -> None:
        """A booked debt is taken back: the creditor owes it the other way, and it is set off."""
        self.check_unbook(debtor_id, creditor_id, amount)
        self._add(creditor_id, debtor_id, amount, exchange_id)

    def _check_cover(self, debtor_id: int, more: int) -> None:
        account = self.account_of(debtor_id)
        if more and account.owed + more > account.collateral:
            raise CollateralExceeded(debtor_id, account.owed + more, account.collateral)

    def _add(self, debtor_id: int, creditor_id: int, amount: int, exchange_id: str) -> None:
        """Two brands owe each other one net amount: what the creditor owes the debtor is set off first."""
        set_off = min(amount, self.obligation_of(creditor_id, debtor_id))
        if set_off:
            outstanding = self.obligation_of(creditor_id, debtor_id) - set_off
            self.obligations[creditor_id, debtor_id] = outstanding
            self.account_of(creditor_id).owed -= set_off
            self.journal.say(CLEARING, "ObligationReduced", creditor_id, debtor_id, exchange_id, set_off, outstanding)
        if amount > set_off:
            outstanding = self.obligation_of(debtor_id, creditor_id) + amount - set_off
            self.obligations[debtor_id, creditor_id] = outstanding
            self.account_of(debtor_id).owed += amount - set_off
            self.journal.say(
                CLEARING, "ObligationBooked", debtor_id, creditor_id, exchange_id, amount - set_off, outstanding
            )

    # --- netting

    def net(self, call: Call, period: int, brand_ids: Sequence[int]) -> list[int]:
        """All obligations among the brands become one position each."""
        use = self.announcements.check(call, MOA_OPERATOR)
        if period != self.next_period:
            raise PeriodWrong(period, self.next_period)
        self._check_list(brand_ids, 2, BRANDS_MAX)
        positions, gross = self.positions_of(brand_ids)
        assert sum(positions) == 0

        use()
        for brand_id, position in zip(brand_ids, positions, strict=True):
            account = self.account_of(brand_id)
            account.owed -= sum(self.obligation_of(brand_id, other) for other in brand_ids)
            account.owed += max(0, -position)
            account.due += max(0, -position)
        for one in brand_ids:
            for other in brand_ids:
                self.obligations.pop((one, other), None)
        self.statements[period] = Statement(tuple(brand_ids), tuple(positions))
        self.next_period += 1
        self.journal.say(CLEARING, "PeriodNetted", period, tuple(brand_ids), tuple(positions), gross)
        return positions

    def settle(self, call: Call, period: int, brand_ids: Sequence[int], positions: Sequence[int]) -> None:
        """A netted period is paid from collateral, once."""
        if self.statements.get(period) != Statement(tuple(brand_ids), tuple(positions)):
            raise StatementUnknown(period)

        del self.statements[period]
        for brand_id, position in zip(brand_ids, positions, strict=True):
            account = self.account_of(brand_id)
            account.collateral += position
            account.owed -= max(0, -position)
            account.due -= max(0, -position)
            if position:
                self.journal.say(CLEARING, "PositionSettled", period, brand_id, position, account.collateral)
        self.journal.say(CLEARING, "PeriodSettled", period, sum(max(0, position) for position in positions))

    # --- default

    def declare_default(self, call: Call, brand_id: int, creditor_ids: Sequence[int]) -> None:
        """Exchange with the brand stops, and the claims of these creditors are paid whole from its collateral."""
        self.registry.brand_of(brand_id)
        use = self.announcements.check(call, MOA_OPERATOR)
        account = self.account_of(brand_id)
        if account.in_default:
            raise BrandInDefault(brand_id)
        if account.due:
            raise SettlementPending(brand_id, account.due)
        self._check_list(creditor_ids, 0, CREDITORS_MAX)

        use()
        account.in_default = True
        claims = account.owed
        paid = self._pay_claims(brand_id, creditor_ids)
        self.journal.say(CLEARING, "BrandDefaulted", brand_id, claims, paid)

    def pay_claims(self, call: Call, brand_id: int, creditor_ids: Sequence[int]) -> None:
        """A further step of a default."""
        use = self.announcements.check(call, MOA_OPERATOR)
        account = self.account_of(brand_id)
        if not account.in_default:
            raise BrandNotInDefault(brand_id)
        self._check_list(creditor_ids, 0, CREDITORS_MAX)
        if not any(self.obligation_of(brand_id, each) for each in creditor_ids):
            raise AmountMissing()

        use()
        paid = self._pay_claims(brand_id, creditor_ids)
        self.journal.say(CLEARING, "ClaimsPaid", brand_id, paid, account.owed)

    def _pay_claims(self, brand_id: int, creditor_ids: Sequence[int]) -> int:
        account = self.account_of(brand_id)
        paid = 0
        for creditor_id in creditor_ids:
            claim = self.obligation_of(brand_id, creditor_id)
            if claim:
                paid += claim
                creditor = self.account_of(creditor_id)
                creditor.collateral += claim
                self.obligations[brand_id, creditor_id] = 0
                self.journal.say(CLEARING, "ClaimPaid", brand_id, creditor_id, claim, claim, creditor.collateral)
        account.collateral -= paid
        account.owed -= paid
        return paid

    def cure_default(self, call: Call, brand_id: int) -> None:
        """The brand may exchange again."""
        use = self.announcements.check(call, MOA_OPERATOR)
        if not self.account_of(brand_id).in_default:
            raise BrandNotInDefault(brand_id)

        use()
        self.account_of(brand_id).in_default = False
        self.journal.say(CLEARING, "DefaultCured", brand_id)

    def _check_list(self, brand_ids: Sequence[int], least: int, most: int) -> None:
        if not least <= len(brand_ids) <= most:
            raise BrandListWrong(len(brand_ids), most)
        for previous, following in pairwise(brand_ids):
            if previous >= following:
                raise BrandListUnsorted(previous, following)
