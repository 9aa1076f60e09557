"""Why a contract refuses: one class for each custom error, its values as fields in the contract's order.

One name from Solidity to JSON: the class carries the name of the Solidity error, `values()` its values.
Addresses and hashes are lower-case 0x text, everything else an integer.
"""

from dataclasses import dataclass, fields
from typing import Any


class Refused(Exception):
    """A rule says no, and nothing has changed."""

    @property
    def name(self) -> str:
        """The Solidity error's name."""
        return type(self).__name__

    def values(self) -> tuple[Any, ...]:
        """The error's values in the contract's order."""
        return tuple(getattr(self, field.name) for field in fields(self))  # type: ignore[arg-type]

    def __str__(self) -> str:
        return f"{self.name}{self.values()}"


# --- ERC-20, as OpenZeppelin names it (ERC-6093)


@dataclass(eq=False)
class ERC20InsufficientBalance(Refused):
    """`sender` has fewer live points than needed."""

    sender: str
    balance: int
    needed: int


@dataclass(eq=False)
class ERC20InvalidSender(Refused):
    """Points cannot come from there."""

    sender: str


@dataclass(eq=False)
class ERC20InvalidReceiver(Refused):
    """Points cannot go there."""

    receiver: str


@dataclass(eq=False)
class ERC20InsufficientAllowance(Refused):
    """The holder allowed the spender less than needed."""

    spender: str
    allowance: int
    needed: int


@dataclass(eq=False)
class ERC20InvalidSpender(Refused):
    """Nobody can be allowed there."""

    spender: str


# --- OpenZeppelin's AccessManager


@dataclass(eq=False)
class AccessManagerUnauthorizedAccount(Refused):
    """Only the role's admin may grant or revoke it."""

    account: str
    role: int


# --- IAuthorised


@dataclass(eq=False)
class AuthorisationExpired(Refused):
    """The last valid second has passed: valid while `block.timestamp <= deadline`."""

    deadline: int
    timestamp: int


@dataclass(eq=False)
class AuthorisationUsed(Refused):
    """This member has used or cancelled this nonce here."""

    member: str
    nonce: int


@dataclass(eq=False)
class SignatureInvalid(Refused):
    """The signature is not the member's for exactly these values."""

    member: str


# --- IBrandAccess


@dataclass(eq=False)
class RoleMissing(Refused):
    """The caller does not hold `role`."""

    caller: str
    role: int


@dataclass(eq=False)
class CallNotAnnounced(Refused):
    """The caller's role has an execution delay, and this call was not announced."""

    call_hash: str


@dataclass(eq=False)
class CallNotReady(Refused):
    """The announced call may be made from `readyAt` on."""

    call_hash: str
    ready_at: int


@dataclass(eq=False)
class CallExpired(Refused):
    """The announced call was to be made before `expiredAt`."""

    call_hash: str
    expired_at: int


# --- ILoyaltyToken


@dataclass(eq=False)
class TransferNotAllowed(Refused):
    """The policy in force does not let `from` send to `to`."""

    sender: str
    receiver: str
    policy: int


@dataclass(eq=False)
class LotOverflow(Refused):
    """A lot holds at most 2^48 - 1 points; `room` is what still fits."""

    expiry_epoch: int
    points: int
    room: int


@dataclass(eq=False)
class EpochOutOfRange(Refused):
    """The token's clock has run out: expiry epochs end at 327,679."""

    expiry_epoch: int


@dataclass(eq=False)
class ModuleOnly(Refused):
    """Only Moa's own contracts may call this."""

    caller: str


@dataclass(eq=False)
class TermsInvalid(Refused):
    """These terms are outside the published bounds; the name of the field."""

    field: str


@dataclass(eq=False)
class ERC2612ExpiredSignature(Refused):
    """ERC-2612: `block.timestamp` is past the permit's deadline."""

    deadline: int


@dataclass(eq=False)
class BrandUnknown(Refused):
    """Brand unknown."""

    brand_id: int


@dataclass(eq=False)
class BrandStatusWrong(Refused):
    """The brand is not in the state that this needs."""

    brand_id: int
    status: int


@dataclass(eq=False)
class BrandNotIssuing(Refused):
    """The brand may not issue now: its status, its switches, or the switch for all."""

    brand_id: int
    status: int
    brand_stopped: int
    all_stopped: int


@dataclass(eq=False)
class AlreadySealed(Refused):
    """Already sealed."""


@dataclass(eq=False)
class AddressMissing(Refused):
    """An address that must be given is zero; the name of the field."""

    field: str


@dataclass(eq=False)
class TreasuryUnfit(Refused):
    """Collateral cannot return to the clearing house itself."""

    treasury: str


@dataclass(eq=False)
class TreasuryPending(Refused):
    """Another treasury was announced."""

    treasury: str
    in_force_at: int


@dataclass(eq=False)
class NoTreasuryPending(Refused):
    """No announced treasury waits."""

    brand_id: int


# --- IRewardRules


@dataclass(eq=False)
class OperationUsed(Refused):
    """This operation id has counted already for this brand."""

    brand_id: int
    operation_id: int


@dataclass(eq=False)
class MemberInvalid(Refused):
    """Points cannot go there: nobody, or one of Moa's own contracts."""

    member: str


@dataclass(eq=False)
class RuleUnknown(Refused):
    """Rule unknown."""

    brand_id: int
    rule_id: int


@dataclass(eq=False)
class RuleNotInForce(Refused):
    """The rule counts from `start` until before `end`."""

    start: int
    end: int
    timestamp: int


@dataclass(eq=False)
class BaseAmountTooLarge(Refused):
    """Base amount too large."""

    base_amount: int
    maximum: int


@dataclass(eq=False)
class AwardTooLarge(Refused):
    """The rule computed more than a lot can hold."""

    points: int
    maximum: int


@dataclass(eq=False)
class SecondSignatureMissing(Refused):
    """A correction of so many points needs the second signature."""

    points: int
    limit: int


@dataclass(eq=False)
class MemberCapExceeded(Refused):
    """Member cap exceeded."""

    points: int
    remaining: int


@dataclass(eq=False)
class BudgetExceeded(Refused):
    """Budget exceeded."""

    points: int
    remaining: int


@dataclass(eq=False)
class SupplyExceeded(Refused):
    """The brand's lot of this epoch is full."""

    points: int
    remaining: int


@dataclass(eq=False)
class AwardUnknown(Refused):
    """No award of this brand is committed with these values."""

    brand_id: int
    operation_id: int


@dataclass(eq=False)
class ReturnTooLate(Refused):
    """A return of this award could come until then, that second included."""

    until: int
    timestamp: int


@dataclass(eq=False)
class ReturnExceedsAward(Refused):
    """Of the award's base amount so much can still come back."""

    base_amount: int
    left: int


@dataclass(eq=False)
class BaseAmountMissing(Refused):
    """A return of nothing, of an award for something."""


@dataclass(eq=False)
class BatchSizeWrong(Refused):
    """A batch has 1 .. `maximum` items."""

    items: int
    maximum: int


@dataclass(eq=False)
class RuleTermsInvalid(Refused):
    """These terms are outside the published bounds; the name of the field."""

    field: str


@dataclass(eq=False)
class ChangePending(Refused):
    """A change waits already; withdraw it first."""

    version: int
    in_force_at: int


@dataclass(eq=False)
class NoChangePending(Refused):
    """No change pending."""

    brand_id: int
    rule_id: int


# --- IRedemptionDesk


@dataclass(eq=False)
class HoldUnknown(Refused):
    """Hold unknown."""

    hold_id: str


@dataclass(eq=False)
class HoldStateWrong(Refused):
    """Hold state wrong."""

    hold_id: str
    state: int


@dataclass(eq=False)
class PointsMissing(Refused):
    """Points must be more than 0."""


@dataclass(eq=False)
class HoldUntilWrong(Refused):
    """`holdUntil` must lie after now and at most MAXIMUM_HOLD ahead."""

    hold_until: int
    earliest: int
    latest: int


@dataclass(eq=False)
class HoldOver(Refused):
    """The hold's last second has passed: it can only be released."""

    hold_id: str
    hold_until: int


@dataclass(eq=False)
class HoldRunning(Refused):
    """Only the till may release before the deadline has passed."""

    hold_id: str
    hold_until: int


@dataclass(eq=False)
class CaptureExceedsHold(Refused):
    """Capture exceeds hold."""

    points: int
    held: int


@dataclass(eq=False)
class CaptureTooLate(Refused):
    """Only `in_time` points of the hold lie in lots whose end and grace have not passed."""

    hold_id: str
    points: int
    in_time: int


@dataclass(eq=False)
class CaptureStopped(Refused):
    """The brand was stopped, and its till might capture until `stopped_at` only."""

    hold_id: str
    stopped_at: int


@dataclass(eq=False)
class RefundOver(Refused):
    """The capture's refund window has passed."""

    hold_id: str
    refund_until: int


@dataclass(eq=False)
class RefundWindowWrong(Refused):
    """No refund window is that long."""

    refund_s: int
    maximum: int


@dataclass(eq=False)
class RefundExceedsCapture(Refused):
    """Refund exceeds capture."""

    points: int
    refundable: int


@dataclass(eq=False)
class RefundOutOfDate(Refused):
    """The refund was made against an older state: so a repeated refund does nothing."""

    refunded_before: int
    refunded: int


@dataclass(eq=False)
class ExchangeOnly(Refused):
    """Exchange only."""

    caller: str


# --- IPartnerExchange


@dataclass(eq=False)
class AgreementUnknown(Refused):
    """Agreement unknown."""

    agreement_id: int


@dataclass(eq=False)
class AgreementStateWrong(Refused):
    """Agreement state wrong."""

    agreement_id: int
    state: int


@dataclass(eq=False)
class AgreementTermsInvalid(Refused):
    """Agreement terms invalid."""

    field: str


@dataclass(eq=False)
class BrandsEqual(Refused):
    """A brand cannot agree with itself."""

    brand_id: int


@dataclass(eq=False)
class PairTaken(Refused):
    """The directed pair has an agreement that is proposed or in force."""

    agreement_id: int


@dataclass(eq=False)
class NotAParty(Refused):
    """Not aparty."""

    agreement_id: int
    brand_id: int


@dataclass(eq=False)
class ExchangeChangePending(Refused):
    """Exchange change pending."""

    agreement_id: int
    version: int


@dataclass(eq=False)
class NoExchangeChangePending(Refused):
    """No exchange change pending."""

    agreement_id: int


@dataclass(eq=False)
class VersionChanged(Refused):
    """The quote was made with another version than the one in force."""

    version: int
    in_force: int


@dataclass(eq=False)
class PointsInInvalid(Refused):
    """Points in invalid."""

    points_in: int
    maximum: int


@dataclass(eq=False)
class PointsInTooFew(Refused):
    """The agreement has a minimum for an exchange."""

    points_in: int
    minimum: int


@dataclass(eq=False)
class UnwindOver(Refused):
    """The exchange could be unwound until then."""

    exchange_id: str
    unwind_until: int


@dataclass(eq=False)
class OutBelowMinimum(Refused):
    """The exchange would give less than the member accepts (or nothing)."""

    out: int
    minimum: int


@dataclass(eq=False)
class OutTooLarge(Refused):
    """The exchange would give more than a lot can hold."""

    out: int
    maximum: int


@dataclass(eq=False)
class DailyCapExceeded(Refused):
    """Daily cap exceeded."""

    points_in: int
    remaining: int


@dataclass(eq=False)
class ExchangeUnknown(Refused):
    """Exchange unknown."""

    exchange_id: str


@dataclass(eq=False)
class ExchangeNotOpen(Refused):
    """The data given is not the exchange with this id, or it was unwound or cancelled."""

    exchange_id: str


# --- IClearingHouse


@dataclass(eq=False)
class ExchangeContractOnly(Refused):
    """Exchange contract only."""

    caller: str


@dataclass(eq=False)
class AmountMissing(Refused):
    """Amount missing."""


@dataclass(eq=False)
class ExposureExceeded(Refused):
    """The obligation in this direction would exceed the agreement's exposure cap."""

    debtor_id: int
    creditor_id: int
    outstanding: int
    exposure_cap: int


@dataclass(eq=False)
class CollateralExceeded(Refused):
    """The brand's collateral would not cover `required`."""

    brand_id: int
    required: int
    collateral: int


@dataclass(eq=False)
class BrandInDefault(Refused):
    """Brand in default."""

    brand_id: int


@dataclass(eq=False)
class BrandNotInDefault(Refused):
    """Brand not in default."""

    brand_id: int


@dataclass(eq=False)
class AmountTooLarge(Refused):
    """Amount too large."""

    amount: int
    maximum: int


@dataclass(eq=False)
class WithdrawalFrozen(Refused):
    """A switch is thrown: collateral stays where it is."""

    brand_id: int


@dataclass(eq=False)
class TreasuryOther(Refused):
    """Collateral returns to the brand's treasury and nowhere else."""

    to: str
    treasury: str


@dataclass(eq=False)
class PeriodWrong(Refused):
    """Periods are netted one after the other; `expected` is the next."""

    period: int
    expected: int


@dataclass(eq=False)
class BrandListWrong(Refused):
    """2 .. `maximum` brands, ascending and without repetition."""

    brands: int
    maximum: int


@dataclass(eq=False)
class BrandListUnsorted(Refused):
    """Brand list unsorted."""

    previous: int
    next: int


@dataclass(eq=False)
class StatementUnknown(Refused):
    """These are not the brands and positions of that period, or it is settled."""

    period: int


@dataclass(eq=False)
class SettlementPending(Refused):
    """A netted debt of the brand waits for settlement first."""

    brand_id: int
    due: int


# --- IOpeningBalances


@dataclass(eq=False)
class OpeningUnknown(Refused):
    """Opening unknown."""

    brand_id: int
    opening_id: int


@dataclass(eq=False)
class OpeningTermsInvalid(Refused):
    """These terms are outside the published bounds; the name of the field."""

    field: str


@dataclass(eq=False)
class OpeningNotOpen(Refused):
    """Lines are claimed from `start` until before `end`."""

    start: int
    end: int
    timestamp: int


@dataclass(eq=False)
class OpeningOver(Refused):
    """What was not claimed before `end` is void."""

    end: int
    timestamp: int


@dataclass(eq=False)
class OpeningSettled(Refused):
    """The brand has said that it no longer compares."""

    brand_id: int
    opening_id: int


@dataclass(eq=False)
class OpeningBegun(Refused):
    """Lines of this root were claimed: it stands."""

    brand_id: int
    opening_id: int
    claimed: int


@dataclass(eq=False)
class OpeningProofInvalid(Refused):
    """The lines are not those of the root."""

    root: str


@dataclass(eq=False)
class LineUnknown(Refused):
    """Indexes run from 0 to `lines` - 1."""

    index: int
    lines: int


@dataclass(eq=False)
class LineClaimed(Refused):
    """The line was claimed before."""

    brand_id: int
    opening_id: int
    index: int


@dataclass(eq=False)
class LineLotsInvalid(Refused):
    """Word `place` of the line holds lots that the schedule does not."""

    index: int
    place: int


@dataclass(eq=False)
class OpeningExceeded(Refused):
    """The schedule has `remaining` points left of this expiry epoch."""

    expiry_epoch: int
    points: int
    remaining: int


# --- IBadges


@dataclass(eq=False)
class DefinitionUnknown(Refused):
    """Definition unknown."""

    brand_id: int
    definition_id: int


@dataclass(eq=False)
class DefinitionInvalid(Refused):
    """This definition is outside the published bounds; the name of the field."""

    field: str


@dataclass(eq=False)
class DefinitionsExhausted(Refused):
    """A brand has at most `maximum` definitions."""

    maximum: int


@dataclass(eq=False)
class GivingOver(Refused):
    """The definition's time for giving is over."""

    end: int
    timestamp: int


@dataclass(eq=False)
class BadgeHeld(Refused):
    """The member has it, for ever."""

    brand_id: int
    definition_id: int
    member: str


@dataclass(eq=False)
class BadgesExhausted(Refused):
    """All that may ever be given have been."""

    brand_id: int
    definition_id: int
    limit: int


@dataclass(eq=False)
class BadgeUnknown(Refused):
    """The member does not have it."""

    brand_id: int
    definition_id: int
    member: str


@dataclass(eq=False)
class BadgeNotWithdrawable(Refused):
    """The definition says that it stays."""

    brand_id: int
    definition_id: int


@dataclass(eq=False)
class BadgeLocked(Refused):
    """A badge is the member's own: it is neither transferred nor lent."""


# --- votes


@dataclass(eq=False)
class ProposalUnknown(Refused):
    """No proposal has this id."""

    proposal_id: int


@dataclass(eq=False)
class ProposalStateWrong(Refused):
    """The proposal is not in the state that this needs."""

    proposal_id: int
    state: int


@dataclass(eq=False)
class ActionsWrong(Refused):
    """A proposal has 1 .. `maximum` actions."""

    actions: int
    maximum: int


@dataclass(eq=False)
class ActionNotAllowed(Refused):
    """No vote decides on this."""

    target: str
    selector: str


@dataclass(eq=False)
class ElectorateMixed(Refused):
    """The actions name more than two brands, or brands and the programme's text."""


@dataclass(eq=False)
class ElectorateTooLarge(Refused):
    """There are more brands than one proposal can ask."""

    brands: int
    maximum: int


@dataclass(eq=False)
class ActionsUnknown(Refused):
    """These are not the proposal's actions."""

    actions_hash: str


@dataclass(eq=False)
class BrandNotAsked(Refused):
    """The brand is not asked in this proposal."""

    proposal_id: int
    brand_id: int


@dataclass(eq=False)
class BelowThreshold(Refused):
    """To propose needs `threshold` points of the brand."""

    points: int
    threshold: int


@dataclass(eq=False)
class VotingClosed(Refused):
    """Members vote from the adoption of a list until `until`."""

    proposal_id: int
    brand_id: int
    until: int
    timestamp: int


@dataclass(eq=False)
class VotingRunning(Refused):
    """The voting is not over."""

    until: int
    timestamp: int


@dataclass(eq=False)
class ChoiceInvalid(Refused):
    """0 against, 1 for, 2 abstaining."""

    choice: int


@dataclass(eq=False)
class VoiceUsed(Refused):
    """This brand has voted."""

    proposal_id: int
    brand_id: int


@dataclass(eq=False)
class VoteUsed(Refused):
    """This member's vote has counted."""

    proposal_id: int
    brand_id: int
    member: str


@dataclass(eq=False)
class TimelockOnly(Refused):
    """Only a vote does this."""

    caller: str


@dataclass(eq=False)
class TimelockUnexpectedOperationState(Refused):
    """OpenZeppelin's timelock: the delay has not passed."""

    operation_id: str
    expected_states: str


@dataclass(eq=False)
class SnapshotClosed(Refused):
    """This poster's list is complete, or was contradicted."""

    proposal_id: int
    brand_id: int
    poster: str


@dataclass(eq=False)
class SnapshotIncomplete(Refused):
    """There is no such list, or not all of it."""

    proposal_id: int
    brand_id: int
    poster: str


@dataclass(eq=False)
class SnapshotsClosed(Refused):
    """Another list was adopted, or the preparation is over."""

    proposal_id: int
    brand_id: int


@dataclass(eq=False)
class SnapshotTrue(Refused):
    """What was to be contradicted is true."""

    account: str
    points: int


@dataclass(eq=False)
class LeavesWrong(Refused):
    """A call brings 1 .. `maximum` leaves, in whole chunks but for a list's last."""

    leaves: int
    maximum: int


@dataclass(eq=False)
class LeafInvalid(Refused):
    """Accounts ascend, each once, and each has points."""

    leaf: int
    previous: int


@dataclass(eq=False)
class LeafUnknown(Refused):
    """The leaf is not at this place of the list."""

    chunk: int
    position: int


@dataclass(eq=False)
class ChallengeRunning(Refused):
    """The challenge lasts until `until`."""

    until: int
    timestamp: int


@dataclass(eq=False)
class HeaderInvalid(Refused):
    """The header is not the block's."""

    block_hash: str
