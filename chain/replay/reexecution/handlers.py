"""By the event that names an act: the call to make on the model, the functions that leave it, and how to force it."""

from collections.abc import Callable
from typing import Final

from chain.replay.books import Books
from chain.replay.decoding.shapes import Event
from chain.replay.reexecution import adopt_points as fp
from chain.replay.reexecution import adopt_terms as ft
from chain.replay.reexecution import openings
from chain.replay.reexecution import reexecute_points as points
from chain.replay.reexecution import reexecute_terms as terms
from chain.replay.reexecution.call_context import CallContext

Call = Callable[[Books, CallContext], None]
Force = Callable[[Books, Event, int, bool], None]

CALLS: Final[dict[str, Call]] = {
    "Moved": points.moved,
    "Left": points.left,
    "Approval": points.approved,
    "PolicyChanged": points.policy_changed,
    "AllowListChanged": points.allow_list_changed,
    "AuthorisationCancelled": points.cancelled,
    "HoldPlaced": points.hold_placed,
    "HoldCaptured": points.hold_captured,
    "HoldReleased": points.hold_released,
    "HoldRefunded": points.hold_refunded,
    "Exchanged": points.exchanged,
    "Unwound": points.unwound,
    "RulePublished": terms.rule_published,
    "RuleChangeAnnounced": terms.rule_change_announced,
    "RuleChangeWithdrawn": terms.rule_change_withdrawn,
    "OpeningCommitted": openings.committed,
    "ComparingEnded": openings.comparing_ended,
    "OpeningProlonged": openings.prolonged,
    "OpeningClaimed": openings.claimed,
    "AgreementProposed": terms.agreement_proposed,
    "AgreementAccepted": terms.agreement_accepted,
    "ChangeProposed": terms.change_proposed,
    "ChangeAccepted": terms.change_accepted,
    "ChangeWithdrawn": terms.change_withdrawn,
    "AgreementEnding": terms.agreement_ending,
    "CollateralDeposited": terms.collateral_deposited,
    "CollateralWithdrawn": terms.collateral_withdrawn,
    "PeriodNetted": terms.period_netted,
    "PeriodSettled": terms.period_settled,
    "BrandDefaulted": terms.brand_defaulted,
    "DefaultCured": terms.default_cured,
    "ModulesSealed": terms.modules_sealed,
    "BrandInvited": terms.brand_invited,
    "BrandActivated": terms.brand_activated,
    "BrandSuspended": terms.brand_suspended,
    "TreasuryChanged": terms.treasury_changed,
    "MetadataChanged": terms.metadata_changed,
    "BrandSwitched": terms.brand_switched,
    "AllSwitched": terms.all_switched,
    "CallAnnounced": terms.call_announced,
    "RoleGranted": terms.role_granted,
    "RoleRevoked": terms.role_revoked,
}

# The functions of the contract that may leave the act.
FUNCTIONS: Final[dict[str, tuple[str, ...]]] = {
    "Awarded": ("award", "awardBatch"),
    "AwardRefused": ("awardBatch",),
    "Moved": ("transfer", "transferFrom", "transferWithAuthorisation"),
    "Left": ("leave",),
    "Approval": ("approve", "permit"),
    "PolicyChanged": ("setPolicy",),
    "AllowListChanged": ("setAllowed",),
    "AuthorisationCancelled": ("cancelAuthorisation",),
    "HoldPlaced": ("hold",),
    "HoldCaptured": ("capture",),
    "HoldReleased": ("release",),
    "HoldRefunded": ("refund",),
    "Exchanged": ("exchange", "payAtPartner"),
    "Unwound": ("unwind",),
    "RulePublished": ("publish",),
    "RuleChangeAnnounced": ("announceChange",),
    "RuleChangeWithdrawn": ("withdrawChange",),
    "OpeningCommitted": ("commit", "replace"),
    "ComparingEnded": ("endComparing",),
    "OpeningProlonged": ("prolong",),
    "OpeningClaimed": ("claim", "claimBatch"),
    "AgreementProposed": ("propose",),
    "AgreementAccepted": ("accept",),
    "ChangeProposed": ("proposeChange",),
    "ChangeAccepted": ("acceptChange",),
    "ChangeWithdrawn": ("withdrawChange",),
    "AgreementEnding": ("end",),
    "CollateralDeposited": ("deposit",),
    "CollateralWithdrawn": ("withdraw",),
    "PeriodNetted": ("net",),
    "PeriodSettled": ("settle",),
    "BrandDefaulted": ("declareDefault",),
    "DefaultCured": ("cureDefault",),
    "ModulesSealed": ("seal",),
    "BrandInvited": ("invite",),
    "BrandActivated": ("activate",),
    "BrandSuspended": ("suspend",),
    "TreasuryChanged": ("setTreasury",),
    "MetadataChanged": ("setMetadata",),
    "BrandSwitched": ("stop", "resume", "stopByMoa", "resumeByMoa"),
    "AllSwitched": ("stopAll", "resumeAll"),
    "CallAnnounced": ("announce",),
    "RoleGranted": ("grantRole", "execute", "multicall"),
    "RoleRevoked": ("revokeRole", "renounceRole", "execute", "multicall"),
}

FORCES: Final[dict[str, Force]] = {
    "LotsChanged": fp.lots_changed,
    "HoldPlaced": fp.hold_placed,
    "HoldPaid": fp.hold_paid,
    "HoldCaptured": fp.hold_captured,
    "HoldReleased": fp.hold_released,
    "HoldRefunded": fp.hold_refunded,
    "Exchanged": fp.exchanged,
    "PaidAtPartner": fp.exchange_closed,
    "Unwound": fp.exchange_closed,
    "ObligationBooked": fp.obligation,
    "ObligationReduced": fp.obligation,
    "CollateralDeposited": fp.collateral,
    "CollateralWithdrawn": fp.collateral,
    "PositionSettled": fp.position_settled,
    "ClaimPaid": fp.claim_paid,
    "PeriodNetted": fp.period_netted,
    "PeriodSettled": fp.period_settled,
    "BrandDefaulted": fp.brand_defaulted,
    "DefaultCured": fp.default_cured,
    "PolicyChanged": ft.policy_changed,
    "AllowListChanged": ft.allow_list_changed,
    "Approval": ft.approved,
    "CallAnnounced": ft.call_announced,
    "RulePublished": ft.rule_published,
    "RuleChangeAnnounced": ft.rule_change_announced,
    "RuleChangeWithdrawn": ft.rule_change_withdrawn,
    "OpeningCommitted": openings.state_committed,
    "ComparingEnded": openings.state_comparing_ended,
    "OpeningProlonged": openings.state_prolonged,
    "OpeningClaimed": openings.state_claimed,
    "AgreementProposed": ft.agreement_proposed,
    "AgreementAccepted": ft.agreement_accepted,
    "ChangeProposed": ft.change_proposed,
    "ChangeAccepted": ft.change_accepted,
    "ChangeWithdrawn": ft.change_withdrawn,
    "AgreementEnding": ft.agreement_ending,
    "BrandInvited": ft.brand_invited,
    "BrandActivated": ft.brand_activated,
    "BrandSuspended": ft.brand_suspended,
    "TreasuryChanged": ft.treasury_changed,
    "MetadataChanged": ft.metadata_changed,
    "BrandSwitched": ft.brand_switched,
    "AllSwitched": ft.all_switched,
    "RoleGranted": ft.role_granted,
    "RoleRevoked": ft.role_revoked,
}

# The AccessManager says these of its other powers, which Moa's contracts never ask for.
WITHOUT_MEANING: Final = frozenset(
    {
        "RoleLabel",
        "OperationScheduled",
        "OperationExecuted",
        "OperationCanceled",
        "TargetAdminDelayUpdated",
        "TargetClosed",
        "TargetFunctionRoleUpdated",
    }
)
# These change who may act: for a brand only its invitation says them (SPEC 6.8, 6.10).
OF_ROLES: Final = frozenset({"RoleAdminChanged", "RoleGuardianChanged", "RoleGrantDelayChanged"})
