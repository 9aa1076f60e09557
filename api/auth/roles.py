"""What a person may do for a brand, by role. Deny by default: what stands nowhere is the owner's alone. Pure.

A role is had by who proved an address that the brand, or the programme, gave it to. What moves money out of the usual
way needs a second factor: a passkey, which is something held and a person verified.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal

Role = Literal["owner", "marketer", "till", "support", "treasurer", "viewer", "operator", "auditor"]
BRAND_ROLES: Final[tuple[Role, ...]] = ("owner", "marketer", "till", "support", "treasurer", "viewer")
PROGRAMME_ROLES: Final[tuple[Role, ...]] = ("operator", "auditor")

_SEES_MEMBERS: Final = frozenset({"findMember", "getMember", "getMemberView", "listMemberEntries", "getMemberBalances"})
_SEES_OPERATIONS: Final = frozenset(
    {
        "operationCounts",
        "refusedOperations",
        "getOperation",
        "getOperationEvidence",
        "getOperationReceipt",
        "getHold",
        "findHold",
    }
)
_SEES_BOOKS: Final = frozenset({"getSupply", "getObligations", "getLiability", "getRollForward"})
_SEES_CORRECTIONS: Final = frozenset({"listCorrections", "getCorrection"})
MAY: Final[Mapping[Role, frozenset[str]]] = {
    "owner": frozenset(),  # everything, see `may`
    "till": frozenset({
        "findMember", "getMember", "getMemberView", "enrolMember", "resolveMember", "makeGuest", "countPurchase",
        "quoteAward", "placeHold", "captureHold", "releaseHold", "getHold", "findHold", "getOperation",
    }),
    "support": _SEES_MEMBERS | _SEES_OPERATIONS | {"mayI", "getMemo", "eraseMemo", "releaseHold", "refundHold"}
    | _SEES_CORRECTIONS | {"askCorrection", "withdrawCorrection"},
    "marketer": frozenset({"giveBadges", "withdrawBadge", "quoteAward", "mayI", "reportConsent", "getSupply"}),
    "treasurer": _SEES_BOOKS | _SEES_OPERATIONS | _SEES_CORRECTIONS
    | {"getExport", "refundHold", "approveCorrection", "refuseCorrection"},
    "viewer": _SEES_BOOKS | {"operationCounts"},
    "operator": frozenset(),  # everything of the operator
    "auditor": frozenset(),  # everything of an auditor
}  # fmt: skip
# Money goes back, who has it changes, or codes and keys are handed out: with a second factor only, whatever the role.
MONEY: Final = frozenset({
    "refundHold", "askCorrection", "approveCorrection", "getExport", "mergeMembers", "undoMerge", "createOperatorKey",
    "rotateOperatorKey", "revokeOperatorKey", "createKey", "revokeKey", "rotateOwnKey", "revokeOwnKey",
    "createAuditorKey", "createSession", "giveRole", "giveOwner",
    "giveProgrammeRole", "forgetPasskeys", "showOutbox",
})  # fmt: skip
EVERYTHING: Final = frozenset({"owner", "operator", "auditor"})


def may(role: Role, operation: str) -> bool:
    """Whether the role does this operation at all."""
    return role in EVERYTHING or operation in MAY[role]


def needs_second_factor(operation: str) -> bool:
    return operation in MONEY
