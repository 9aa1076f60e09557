"""Every kind of act there is, and the fields that each may have. A closed list: nothing else is ever recorded."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

# What a tally adds to whatever it counts.
COUNTED: Final = frozenset({"count", "first_at", "last_at"})


@dataclass(frozen=True, slots=True)
class Kind:
    """What an act is, and the fields of its detail."""

    sentence: str
    fields: frozenset[str] = frozenset()


def _kind(sentence: str, *fields: str) -> Kind:
    return Kind(sentence, frozenset(fields))


KINDS: Final[dict[str, Kind]] = {
    "gateway.started": _kind(
        "A gateway began to serve.", "version", "chain_id", "database", "deployment", "log_key", "witnesses", "window_s"
    ),
    "worker.started": _kind("A worker began to relay and to mirror.", "version", "chain_id", "database"),
    "brand.made": _kind("A brand of the registry was taken in.", "brand", "brand_id", "token"),
    "brand.named": _kind("A brand was given other names.", "brand", "brand_id"),
    "brand.ceiling": _kind("A brand set the ceiling of one purchase, or took it away.", "amount"),
    "key.made": _kind("A key was made.", "role", "brand", "digest"),
    "key.revoked": _kind("A key was ended, at once or from a moment on.", "role", "brand", "ends_at"),
    "session.made": _kind("A member's session was made.", "lifetime_s", "digest"),
    "session.ended": _kind("A member's session was ended before its time."),
    "consent.said": _kind(
        "A member agreed to something, or ended it.", "purpose", "channel", "granted", "text_version"
    ),
    "personal.exported": _kind("A member fetched everything that is kept of it."),
    "member.erased": _kind("A member was forgotten."),
    "role.given": _kind("An address was given a role.", "brand", "role", "digest"),
    "role.taken": _kind("A role was taken back.", "brand", "role"),
    "role.taken_up": _kind("Somebody took up a role.", "brand", "role"),
    "correction.asked": _kind("A brand wants to give a member points by hand.", "brand", "correction", "second"),
    "correction.approved": _kind("Points by hand were signed for by a second one.", "brand", "correction"),
    "correction.refused": _kind("Points by hand were refused by a second one.", "brand", "correction"),
    "correction.withdrawn": _kind("Whoever wanted points given by hand took it back.", "brand", "correction"),
    "badges.given": _kind("A brand gives badges.", "brand", "definition", "operation"),
    "badge.withdrawn": _kind("A brand takes a badge back.", "brand", "definition", "operation"),
    "signin.done": _kind("A person signed in.", "means"),
    "device.ended": _kind("A device was signed out.", "why"),
    "refresh.reused": _kind("A token that was used came again: its device was signed out."),
    "passkey.added": _kind("A member added a passkey."),
    "passkey.removed": _kind("A member removed a passkey."),
    "members.merged": _kind("Two members were made one person.", "merge", "part", "reason"),
    "merge.undone": _kind("A merge was undone.", "merge"),
    "identifier.proven": _kind("A person proved an identifier.", "kind"),
    "identifier.removed": _kind("A member took an identifier away.", "kind"),
    "points.gathered": _kind("A member moved points from one of its addresses to another.", "brand"),
    "claim.made": _kind("A guest's receipt was made.", "brand"),
    "salt.forgotten": _kind("A member's salt was destroyed: the hashes of the member mean nothing any more."),
    "memo.erased": _kind("A memo's words and salts were deleted."),
    "rule.proposed": _kind("The operator states that a rule was proposed by hand.", "brand", "tx_hash", "document"),
    "adjustment.made": _kind("The operator states a manual adjustment.", "brand", "tx_hash", "document"),
    "export.made": _kind("An export was made.", "what", "brand", "block_number", "rows", "digest"),
    "export.sealed": _kind("SHA-256 of an export's manifest.", "what", "brand", "block_number", "rows", "digest"),
    "personal.seen": _kind("Someone looked at what belongs to a member.", "method", "route", *COUNTED),
    "audit.seen": _kind("An auditor looked.", "method", "route", *COUNTED),
    "request.refused": _kind("A known caller was refused.", "method", "route", "error", *COUNTED),
    "lines.refused": _kind("Lines of a body were refused.", "route", "error", *COUNTED),
    "signin.failed": _kind("Someone without a good key was refused.", "error", "kind", *COUNTED),
}
