"""The last step of every way in: the person's member, what was done before the sign-in, the device's tokens.

Nobody here commits.
"""

from __future__ import annotations

from sqlmodel import Session

from api.audit_log.names import member as acts_name
from api.identity import groups, people, tries
from api.identity.links import Named, named
from api.identity.people import Stitched
from api.kit.clock import rfc3339
from api.kit.container import State
from api.members import devices
from api.members import service as members
from api.members.devices import Means, Tokens
from api.members.models import Member
from api.sign_in.schemas import Entering, TokensMade
from api.vault.sealing import Vault

HOUR_S = 3_600
# Ways in that one address of the net may try in an hour.
ENTRIES_HOURLY_MAX = 300


def refuse_many(session: Session, vault: Vault, *, place: str | None) -> bool:
    """Counts one try to come in; whether it is one too many. To be committed by itself."""
    return place is not None and not tries.within(
        session, vault, what="enter", who=place, window_s=HOUR_S, limit=ENTRIES_HOURLY_MAX
    )


def by_proof(session: Session, state: State, vault: Vault, *, given: Named, means: Means, how: Entering) -> TokensMade:
    """Lets in whoever has just proved an identifier; at the first time a member is made."""
    person = people.sign_in_as(session, vault=vault, keystore=state.keystore, given=given, actor="gateway")
    return enter(session, state, vault, member=person, means=means, how=how)


def enter(
    session: Session, state: State, vault: Vault, *, member: Member, means: Means, how: Entering, strong: bool = False
) -> TokensMade:
    """Gives this very member's device its tokens. strong: it came in with a second factor."""
    stitched: Stitched | None = None
    if how.visitor is not None:
        scope = ""
        if how.visitor.brand is not None:
            scope = str(members.brand(session, slug=how.visitor.brand).registry_id)
        before = named(vault, kind=how.visitor.kind, value=how.visitor.value)
        stitched = people.stitch(session, vault, person=member, given=before, scope=scope, actor=acts_name(member.id))
    settings = state.settings
    made = devices.begin(
        session,
        vault,
        member_id=member.id,
        means=means,
        label=how.label,
        access_s=int(settings.access_lifetime.total_seconds()),
        device_s=int(settings.device_lifetime.total_seconds()),
        strong=strong,
    )
    return told(made, member_id=groups.root_of(session, member.id).id, visitor=stitched)


def told(made: Tokens, *, member_id: str, visitor: Stitched | None = None) -> TokensMade:
    return TokensMade(
        token=made.access.text,
        expires_at=rfc3339(made.access_expires_at_ms),
        refresh=made.refresh.text,
        device=made.device.id,
        member=member_id,
        visitor=visitor,
    )
