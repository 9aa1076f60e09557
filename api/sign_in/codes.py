"""One-time codes by e-mail and telephone. Nobody here commits.

Whether anybody is a member is not looked at when a code is asked for: the same is done, and told, for everybody. It is
found out only by who has the code, that is by the person whose address it is.
"""

from __future__ import annotations

import secrets
from typing import Final

from sqlmodel import Session

from api.identity import tries
from api.identity.links import Named, named
from api.sign_in import challenges
from api.sign_in.challenges import Purpose
from api.sign_in.errors import CodesTooMany
from api.sign_in.models import Challenge
from api.sign_in.schemas import CODE_DIGITS, Proved
from api.sign_in.sender import Sender
from api.vault.sealing import Vault

HOUR_S: Final = 3_600
DAY_S: Final = 24 * HOUR_S
HOURLY_MAX: Final = 5
DAILY_MAX: Final = 10
# One address of the net may ask for several people: a household, a shop.
PLACE_HOURLY_MAX: Final = 60
TEXT: Final = "{code} is your code for Moa. It opens for {minutes} minutes. Nobody of ours ever asks you for it."


def given(vault: Vault, wanted: Proved) -> Named:
    return named(vault, kind=wanted.kind, value=wanted.value, country=wanted.country)


def refuse_many(session: Session, vault: Vault, *, to: Named, place: str | None) -> bool:
    """Counts one code that is asked for; whether it is one too many. place: the caller's own address, if known.

    To be committed by itself: what is refused counts too.
    """
    within = [
        tries.within(session, vault, what="code", who=to.lookup, window_s=HOUR_S, limit=HOURLY_MAX),
        tries.within(session, vault, what="code", who=to.lookup, window_s=DAY_S, limit=DAILY_MAX),
    ]
    if place is not None:
        within.append(tries.within(session, vault, what="place", who=place, window_s=HOUR_S, limit=PLACE_HOURLY_MAX))
    return not all(within)


def too_many() -> CodesTooMany:
    return CodesTooMany(f"At most {HOURLY_MAX} codes an hour and {DAILY_MAX} a day go to one address.")


def send(
    session: Session,
    vault: Vault,
    sender: Sender,
    *,
    to: Named,
    purpose: Purpose,
    lifetime_s: int,
    member_id: str | None = None,
) -> Challenge:
    """Makes a challenge and sends its code."""
    code = f"{secrets.randbelow(10**CODE_DIGITS):0{CODE_DIGITS}d}"
    made = challenges.make(
        session,
        vault,
        purpose=purpose,
        means=to.kind,
        secret=code,
        lifetime_s=lifetime_s,
        lookup=to.lookup,
        member_id=member_id,
    )
    sender.send(session, channel=to.kind, to=to.value, text=TEXT.format(code=code, minutes=lifetime_s // 60))
    return made
