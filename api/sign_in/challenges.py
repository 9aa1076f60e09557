"""Challenges: made, tried a bounded number of times, used once. Nobody here commits.

A try is counted in a transaction of its own, before anything is compared: a wrong answer that rolls everything else
back has been counted all the same. Whatever is wrong, the work done and the answer given are the same.
"""

from __future__ import annotations

import hmac
import secrets
from typing import Final, Literal

from sqlalchemy import delete
from sqlmodel import Session, col, update

from api.kit.clock import now_ms
from api.sign_in.models import Challenge
from api.vault.sealing import Vault

TRIES_MAX: Final = 5
KEPT_MS: Final = 24 * 3600 * 1000
Purpose = Literal["sign_in", "add"]
# Compared with where there is no challenge, so that there being none takes as long.
_NONE: Final = "0" * 64


def make(
    session: Session,
    vault: Vault,
    *,
    purpose: Purpose,
    means: str,
    secret: str,
    lifetime_s: int,
    lookup: str = "",
    member_id: str | None = None,
) -> Challenge:
    """A challenge that this secret answers."""
    at_ms = now_ms()
    id_ = f"chl_{secrets.token_hex(16)}"
    made = Challenge(
        id=id_,
        purpose=purpose,
        means=means,
        lookup=lookup,
        secret_hash=_hash(vault, id_, secret),
        member_id=member_id,
        tries_left=TRIES_MAX,
        made_at_ms=at_ms,
        expires_at_ms=at_ms + lifetime_s * 1000,
    )
    session.add(made)
    session.flush()
    return made


def spend_try(session: Session, challenge_id: str) -> None:
    """Counts one try; to be committed before the answer is looked at."""
    session.exec(
        update(Challenge)
        .where(col(Challenge.id) == challenge_id, col(Challenge.tries_left) >= 0)
        .values(tries_left=col(Challenge.tries_left) - 1)
    )


def use(
    session: Session, vault: Vault, *, challenge_id: str, purpose: Purpose, means: str, secret: str, lookup: str = "",
    member_ids: tuple[str, ...] = (),
) -> Challenge | None:  # fmt: skip
    """The challenge, used up, if this answers it; None otherwise, for whatever reason.

    member_ids: of the caller, for what a signed-in member proves; empty where nobody is signed in.
    """
    found = session.get(Challenge, challenge_id, with_for_update=True, populate_existing=True)
    right = hmac.compare_digest(_hash(vault, challenge_id, secret), _NONE if found is None else found.secret_hash)
    same = hmac.compare_digest(lookup, "" if found is None else found.lookup)
    if found is None or not right or not same:
        return None
    at_ms = now_ms()
    fits = found.purpose == purpose and found.means == means
    mine = found.member_id is None if purpose == "sign_in" else found.member_id in member_ids
    open_ = found.used_at_ms is None and found.expires_at_ms > at_ms and found.tries_left >= 0
    if not (fits and mine and open_):
        return None
    found.used_at_ms = at_ms
    session.add(found)
    session.flush()
    return found


def forget(session: Session) -> None:
    """Drops challenges of more than a day ago."""
    session.execute(delete(Challenge).where(col(Challenge.made_at_ms) < now_ms() - KEPT_MS))


def _hash(vault: Vault, challenge_id: str, secret: str) -> str:
    return vault.lookup("challenge", f"{challenge_id}/{secret}")
