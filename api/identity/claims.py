"""Guests' receipts: a purchase of nobody that somebody may say was theirs, once, with the code that was printed.

The guest is a member of whom nothing is known; the points lie at the guest's own address from the first moment on, and
whoever claims the receipt is that member too. Nobody here commits.
"""

from __future__ import annotations

import secrets
import uuid
from typing import Final

from sqlmodel import Session, select

from api import audit_log
from api.audit_log.names import member as acts_name
from api.identity import groups, merges
from api.identity.errors import ClaimExpired, ClaimTaken, ClaimUnknown
from api.identity.models import Claim
from api.identity.resolving import UNNAMED, new_member
from api.kit.clock import now_ms
from api.kit.database import lock
from api.members import service as members
from api.members.models import Enrolment, Member
from api.vault.sealing import Vault
from chain.storage.keystore import Keystore

CLAIM_S: Final = 30 * 24 * 3600
# Crockford's digits: nothing in them is read as something else. 60 bits.
DIGITS: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
CODE_CHARS: Final = 12
_READ_AS: Final = str.maketrans({"O": "0", "I": "1", "L": "1", "-": None, " ": None})


def read_code(text: str) -> str:
    """The code as it was made, however it was typed."""
    return text.upper().translate(_READ_AS)


def printed(code: str) -> str:
    """The code in groups of four."""
    return "-".join(code[at : at + 4] for at in range(0, CODE_CHARS, 4))


def make_guest(
    session: Session, *, vault: Vault, keystore: Keystore, brand_id: int, actor: str
) -> tuple[Claim, Member, str]:
    """A guest of the brand, to report a purchase of; and the code for the receipt, which is shown this once."""
    lock(session, f"brand:{brand_id}")
    brand = members.brand_of(session, brand_id)
    guest, at_ms = new_member(session, keystore=keystore), now_ms()
    session.add(
        Enrolment(brand=brand.slug, identifier=f"{UNNAMED}{secrets.token_hex(8)}", member_id=guest.id,
                  created_at_ms=at_ms)
    )  # fmt: skip
    code = "".join(secrets.choice(DIGITS) for _ in range(CODE_CHARS))
    made = Claim(
        id=f"clm_{uuid.uuid4().hex}",
        brand=brand.slug,
        member_id=guest.id,
        code_hash=vault.lookup("claim", code),
        made_at_ms=at_ms,
        expires_at_ms=at_ms + CLAIM_S * 1000,
    )
    session.add(made)
    session.flush()
    audit_log.record(session.connection(), "claim.made", actor=actor, subject=acts_name(guest.id), brand=brand.slug)
    return made, guest, code


def claim(session: Session, *, vault: Vault, member_id: str, code: str, actor: str) -> Claim:
    """Makes the guest of this receipt the member; once, and the same again for whoever did it."""
    lock(session, merges.LOCK)
    found = session.exec(
        select(Claim)
        .where(Claim.code_hash == vault.lookup("claim", read_code(code)))
        .execution_options(populate_existing=True)
    ).one_or_none()
    if found is None:
        raise ClaimUnknown("No receipt has this code.")
    root = groups.root_of(session, member_id)
    if found.claimed_by is not None:
        if found.claimed_by in {one.id for one in groups.group_of(session, root)}:
            return found
        raise ClaimTaken("This receipt was claimed already.")
    if now_ms() > found.expires_at_ms:
        raise ClaimExpired("A receipt can be claimed for 30 days.")
    made, _ = merges.merge(
        session,
        vault,
        one=member_id,
        other=found.member_id,
        reason="claimed",
        why={"brand": found.brand, "kinds": ["receipt"]},
        actor=actor,
        keep=True,
    )
    found.claimed_at_ms, found.claimed_by = now_ms(), member_id
    found.merge_id = None if made is None else made.id
    session.add(found)
    session.flush()
    return found
