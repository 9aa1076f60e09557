"""Which rule of SPECIFICATION.md speaks of what: by act and error, by event and value."""

from typing import Final

# The rule that lists a call's refusals, by the event that names the act.
OF_ACT: Final = {
    "Awarded": "2.8",
    "AwardRefused": "2.14",
    "Moved": "1.13",
    "Left": "1.18",
    "Approval": "1.15",
    "PolicyChanged": "1.22",
    "PolicyAnnounced": "1.22",
    "AllowListChanged": "1.22",
    "AllowListEnding": "1.22",
    "AuthorisationCancelled": "1.20",
    "CallAnnounced": "6.9",
    "CallRetracted": "6.13",
    "Returned": "2.20",
    "ContractURIUpdated": "1.26",
    "LotNamed": "2.16",
    "AwardsCommitted": "2.16",
    "DebtChanged": "1.24",
    "RulePublished": "2.2",
    "RuleChangeAnnounced": "2.3",
    "RuleChangeWithdrawn": "2.5",
    "HoldPlaced": "3.2",
    "HoldCaptured": "3.5",
    "HoldReleased": "3.7",
    "HoldRefunded": "3.8",
    "RefundWindowAnnounced": "3.17",
    "HoldPaid": "4.12",
    "PaidAtPartner": "4.12",
    "Exchanged": "4.9",
    "Unwound": "4.13",
    "OpeningCommitted": "16.2",
    "ComparingEnded": "16.5",
    "OpeningProlonged": "16.6",
    "OpeningClaimed": "16.7",
    "DefinitionPublished": "17.2",
    "BadgeGiven": "17.4",
    "BadgeRefused": "17.4",
    "BadgeWithdrawn": "17.8",
    "AgreementProposed": "4.2",
    "AgreementAccepted": "4.3",
    "ChangeProposed": "4.4",
    "ChangeAccepted": "4.5",
    "ChangeWithdrawn": "4.6",
    "AgreementEnding": "4.7",
    "CollateralDeposited": "5.3",
    "CollateralWithdrawn": "5.4",
    "PeriodNetted": "5.9",
    "PeriodSettled": "5.11",
    "BrandDefaulted": "5.12",
    "ClaimsPaid": "5.12",
    "DefaultCured": "5.14",
    "ModulesSealed": "6.3",
    "BrandInvited": "6.4",
    "BrandActivated": "6.5",
    "BrandSuspended": "6.5",
    "TreasuryAnnounced": "6.6",
    "TreasuryWithdrawn": "6.6",
    "MetadataChanged": "6.6",
    "BrandSwitched": "6.7",
    "AllSwitched": "6.7",
    "RoleGranted": "6.8",
    "RoleRevoked": "6.8",
    "RoleAdminChanged": "6.8",
    "RoleGuardianChanged": "6.8",
    "RoleGrantDelayChanged": "6.10",
}

# Sharper, where a rule of its own speaks of the error.
OF_ERROR: Final = {
    ("Awarded", "OperationUsed"): "2.15",
    ("Awarded", "MemberCapExceeded"): "2.11",
    ("Awarded", "BudgetExceeded"): "2.12",
    ("Awarded", "SupplyExceeded"): "2.12",
    ("Awarded", "SecondSignatureMissing"): "2.30",
    ("Returned", "OperationUsed"): "2.15",
    ("Returned", "AwardUnknown"): "2.21",
    ("Returned", "ReturnTooLate"): "2.22",
    ("Returned", "ReturnExceedsAward"): "2.23",
    ("Returned", "BaseAmountMissing"): "2.23",
    ("Awarded", "RoleMissing"): "2.7",
    ("Awarded", "BrandNotIssuing"): "2.7",
    ("Awarded", "BrandUnknown"): "2.7",
    ("Awarded", "BatchSizeWrong"): "2.7",
    ("Awarded", "EpochOutOfRange"): "1.10",
    ("OpeningCommitted", "OpeningSettled"): "16.4",
    ("OpeningCommitted", "OpeningBegun"): "16.4",
    ("OpeningClaimed", "OpeningProofInvalid"): "16.8",
    ("OpeningClaimed", "LineUnknown"): "16.8",
    ("OpeningClaimed", "MemberInvalid"): "16.8",
    ("OpeningClaimed", "LineClaimed"): "16.9",
    ("OpeningClaimed", "LineLotsInvalid"): "16.10",
    ("OpeningClaimed", "OpeningExceeded"): "16.10",
    ("OpeningClaimed", "BatchSizeWrong"): "16.11",
    ("BadgeGiven", "RoleMissing"): "17.3",
    ("BadgeGiven", "BrandNotIssuing"): "17.3",
    ("BadgeGiven", "DefinitionUnknown"): "17.3",
    ("BadgeGiven", "OperationUsed"): "17.5",
    ("BadgeGiven", "MemberInvalid"): "17.5",
    ("BadgeGiven", "BadgeHeld"): "17.6",
    ("BadgeGiven", "BadgesExhausted"): "17.6",
    ("Moved", "TransferNotAllowed"): "1.15",
    ("Moved", "AuthorisationExpired"): "1.17",
    ("Moved", "AuthorisationUsed"): "1.17",
    ("Moved", "SignatureInvalid"): "1.17",
    ("Moved", "ERC20InsufficientAllowance"): "1.14",
    ("Approval", "ERC2612ExpiredSignature"): "1.21",
    ("Approval", "SignatureInvalid"): "1.21",
    ("Exchanged", "DailyCapExceeded"): "4.10",
    ("Exchanged", "ExposureExceeded"): "5.5",
    ("Exchanged", "CollateralExceeded"): "5.5",
    ("Exchanged", "AmountTooLarge"): "5.5",
    ("Exchanged", "BrandInDefault"): "5.5",
    ("Exchanged", "PointsMissing"): "4.12",
    ("Unwound", "BrandInDefault"): "5.8",
    ("Unwound", "CollateralExceeded"): "5.8",
    ("Unwound", "UnwindOver"): "4.16",
    ("HoldRefunded", "RefundOver"): "3.16",
    ("HoldRefunded", "BrandNotIssuing"): "3.18",
    ("HoldCaptured", "CaptureStopped"): "3.18",
}
ANYWHERE: Final = {
    "LotOverflow": "1.9",
    "CallNotAnnounced": "6.9",
    "CallNotReady": "6.9",
    "CallExpired": "6.9",
    "AccessManagerUnauthorizedAccount": "6.8",
}

# What an event's values follow from. A value that is not listed follows the event's own rule.
OF_VALUE: Final = {
    ("Awarded", "points"): "2.9",
    ("Awarded", "version"): "2.4",
    ("AwardRefused", "reason"): "2.14",
    ("Returned", ""): "2.24",
    ("Returned", "missing"): "2.25",
    ("Returned", "owes"): "2.26",
    ("DebtChanged", ""): "1.24",
    ("Transfer", ""): "1.11",
    ("LotsChanged", ""): "1.8",
    ("Left", "points"): "1.18",
    ("HoldPlaced", "holdId"): "3.1",
    ("HoldPlaced", "lots"): "3.3",
    ("HoldCaptured", ""): "3.6",
    ("HoldReleased", ""): "3.13",
    ("HoldReleased", "timedOut"): "3.7",
    ("HoldRefunded", ""): "3.10",
    ("HoldRefunded", "refundedTotal"): "3.9",
    ("HoldPaid", ""): "4.12",
    ("OpeningClaimed", ""): "16.12",
    ("BadgeGiven", ""): "17.6",
    ("BadgeGiven", "validUntil"): "17.9",
    ("Exchanged", ""): "4.8",
    ("Exchanged", "exchangeId"): "4.15",
    ("Unwound", ""): "4.14",
    ("ObligationBooked", ""): "5.5",
    ("ObligationReduced", ""): "5.8",
    ("PeriodNetted", ""): "5.9",
    ("PositionSettled", ""): "5.11",
    ("PeriodSettled", ""): "5.11",
    ("ClaimPaid", ""): "5.13",
    ("BrandDefaulted", ""): "5.12",
    ("ClaimsPaid", ""): "5.12",
    ("RuleChangeAnnounced", ""): "2.3",
    ("RoleGranted", "since"): "6.10",
}

# What people call the events.
NAMES: Final = {
    "Awarded": "an award",
    "AwardRefused": "a refused award",
    "Moved": "a transfer",
    "Transfer": "a transfer",
    "LotsChanged": "a change of lots",
    "Left": "leaving",
    "HoldPlaced": "a hold",
    "HoldCaptured": "a capture",
    "HoldReleased": "a release",
    "HoldRefunded": "a refund",
    "HoldPaid": "a payment at a partner",
    "PaidAtPartner": "a payment at a partner",
    "OpeningCommitted": "an opening",
    "OpeningProlonged": "an opening's later end",
    "OpeningClaimed": "a claimed line",
    "DefinitionPublished": "a badge's definition",
    "BadgeGiven": "a badge",
    "BadgeRefused": "a refused badge",
    "BadgeWithdrawn": "a badge taken back",
    "Exchanged": "an exchange",
    "Unwound": "an unwinding",
    "ObligationBooked": "an obligation",
    "ObligationReduced": "a reduced obligation",
    "PeriodNetted": "a statement",
    "PeriodSettled": "a settlement",
    "PositionSettled": "a settled position",
    "BrandDefaulted": "a default",
    "ClaimPaid": "a claim paid",
    "ClaimsPaid": "a step of a default",
    "CollateralDeposited": "a deposit",
    "CollateralWithdrawn": "a withdrawal",
    "Returned": "a return",
    "DebtChanged": "a debt",
    "LotNamed": "a lot of awards",
    "AwardsCommitted": "a root of awards",
    "RulePublished": "a rule",
    "RuleChangeAnnounced": "a rule's change",
    "RoleGranted": "a role given",
    "RoleRevoked": "a role taken",
}


def of_refusal(act: str, error: str) -> str:
    """The rule by which the model refuses an act."""
    return OF_ERROR.get((act, error)) or ANYWHERE.get(error) or OF_ACT.get(act, "1-6")


def of_value(event: str, value: str) -> str:
    """The rule that an event's value follows."""
    return OF_VALUE.get((event, value)) or OF_VALUE.get((event, "")) or OF_ACT.get(event, "1.11")


def name(event: str) -> str:
    """An event in words."""
    return NAMES.get(event, event)


def value(event: str, parameter: str) -> str:
    """An event's value in words: points of an award."""
    if (event, parameter) == ("LotsChanged", "words"):
        return "lots of an account"
    return f"{words(parameter)} of {name(event)}"


def words(value: str) -> str:
    """A parameter's name in words: refundedTotal, refunded total."""
    return "".join(" " + letter.lower() if letter.isupper() else letter for letter in value)
