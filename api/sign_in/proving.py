"""What a signed-in member proves besides: a further address or wallet; and that another member is the same person.

Nobody here commits.
"""

from __future__ import annotations

from typing import Any

from sqlmodel import Session, col, select

from api.audit_log.names import member as acts_name
from api.auth.callers import MemberCaller
from api.identity import merges, people
from api.identity.links import Named
from api.identity.models import Merge
from api.identity.schemas import MergePreview
from api.kit.clock import now_ms
from api.members.models import Member
from api.sign_in.errors import ProofMissing
from api.sign_in.models import Challenge
from api.sign_in.schemas import ProofTaken
from api.vault.sealing import Vault

CONFIRM_MS = 10 * 60 * 1000


def take(session: Session, vault: Vault, *, caller: MemberCaller, challenge: Challenge, given: Named) -> ProofTaken:
    """Gives the member what was proved; where it is another member's, tells what one person of both would be."""
    own = session.get_one(Member, caller.own_id, populate_existing=True)
    before = people.who_proved(session, lookup=given.lookup)
    other = people.add_proven(session, vault=vault, member=own, given=given, actor=caller.actor)
    if other is None:
        return ProofTaken(outcome="added" if before is None else "yours", challenge=challenge.id)
    preview = MergePreview.model_validate(merges.preview(session, vault, one=own.id, other=other.id))
    return ProofTaken(outcome="merge", challenge=challenge.id, preview=preview)


def confirm(session: Session, vault: Vault, *, caller: MemberCaller, challenge_id: str) -> Merge:
    """Makes one person of the member and of whose identifier was just proved; ProofMissing unless it was."""
    challenge = session.exec(
        select(Challenge)
        .where(
            Challenge.id == challenge_id, Challenge.purpose == "add", col(Challenge.member_id).in_(caller.member_ids)
        )
        .with_for_update()
    ).one_or_none()
    if challenge is None or challenge.used_at_ms is None or challenge.used_at_ms < now_ms() - CONFIRM_MS:
        raise ProofMissing("Prove first that you are both: with a code to the other's address.", challenge=challenge_id)
    other = people.who_proved(session, lookup=challenge.lookup) if challenge.lookup else None
    if other is None:
        raise ProofMissing("Nobody else has what you proved.", challenge=challenge_id)
    why: dict[str, Any] = {"kinds": [challenge.means]}
    made, _ = merges.merge(
        session,
        vault,
        one=caller.member_id,
        other=other.id,
        reason="proven",
        why=why,
        actor=acts_name(caller.member_id),
    )
    if made is None:
        raise ProofMissing("You are one already.", challenge=challenge_id)
    # A proof makes one merge: who undoes it is not merged again by the same code.
    session.delete(challenge)
    session.flush()
    return made
