"""Devices that signed in: a family of tokens each, one the successor of the other. Nobody here commits.

    signed in ──> refresh ──> refresh ──> …
        └ ended: by the member, by time, by the operator, or because a used token came again

The token that opens routes lives for minutes and is a row like every session, so that ending a device ends it at once.
A refresh token is used once. Who comes with a used one is a thief, or was robbed: nobody can tell, so the whole family
ends. Only the same attempt, whose answer was lost, is answered again: by the same successor, while that is unused.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

from sqlalchemy import delete
from sqlmodel import Session, col, select, update

from api import audit_log
from api.audit_log.names import member as acts_name
from api.auth.errors import KeyInvalid, SessionExpired
from api.auth.tokens import ID_BYTES, SECRET_BYTES, Token, new_token, successor
from api.kit.clock import now_ms, rfc3339, rfc3339_or_none
from api.members.errors import DeviceUnknown
from api.members.living import refuse_erased
from api.members.models import Device, MemberSession, RefreshToken
from api.members.schemas import DeviceList, DevicePublic
from api.vault.sealing import Vault
from chain.storage.keystore import Keystore

DEVICES_MAX: Final = 50
USED_KEPT_MS: Final = 7 * 24 * 3600 * 1000
LABEL: Final = "device/label"
REFRESH_REF: Final = "sign-in/refresh"
Means = Literal["email", "phone", "passkey", "wallet"]


@dataclass(frozen=True, slots=True)
class Tokens:
    """What a device is given: shown once, never kept."""

    device: Device
    access: Token
    access_expires_at_ms: int
    refresh: Token


def begin(
    session: Session,
    vault: Vault,
    *,
    member_id: str,
    means: Means,
    label: str | None,
    access_s: int,
    device_s: int,
    strong: bool = False,
) -> Tokens:
    """A new device of the member, MemberUnknown once it is erased; beyond DEVICES_MAX the one that was longest not seen
    is signed out."""
    refuse_erased(session, member_id)
    at_ms = now_ms()
    device = Device(
        id=new_token("r").id,
        member_id=member_id,
        label=None if label is None else vault.seal(member_id, LABEL, label),
        means=means,
        strong=strong,
        made_at_ms=at_ms,
        last_at_ms=at_ms,
        expires_at_ms=at_ms + device_s * 1000,
    )
    session.add(device)
    session.flush()
    actor = acts_name(member_id)
    audit_log.record(session.connection(), "signin.done", actor=actor, subject=actor, means=means)
    for old in _alive(session, [member_id])[DEVICES_MAX:]:
        _end(session, old, why="too_many", actor=actor)
    refresh = new_token("r")
    _keep(session, device, refresh)
    access, ends_ms = _access(session, device, access_s)
    return Tokens(device, access, ends_ms, refresh)


def refresh(session: Session, keystore: Keystore, *, token: Token, attempt: str, access_s: int) -> Tokens | Device:
    """The next tokens of the device; or the device that was just ended, because a used token came again.

    KeyInvalid for a token that is none of ours, SessionExpired once the device has ended. The end of a family is to be
    committed before it is told.
    """
    kept = session.get(RefreshToken, token.id, with_for_update=True, populate_existing=True)
    if token.kind != "r" or kept is None or not token.opens(kept.secret_hash):
        raise KeyInvalid("This token is unknown.")
    device = session.get_one(Device, kept.device_id, with_for_update=True, populate_existing=True)
    at_ms = now_ms()
    if device.ended_at_ms is not None or device.expires_at_ms <= at_ms:
        raise SessionExpired("This device is signed out; sign in again.")
    next_ = successor(token, derived=_derived(keystore, token, attempt))
    if kept.used_at_ms is None:
        kept.used_at_ms = at_ms
        session.add(kept)
        _forget_used(session, device, before_ms=at_ms - USED_KEPT_MS)
        _keep(session, device, next_)
    else:
        made = session.get(RefreshToken, next_.id)
        # Only the attempt that used this token leads to the successor that there is.
        if made is None or made.used_at_ms is not None:
            audit_log.record(
                session.connection(), "refresh.reused", actor="nobody", subject=acts_name(device.member_id)
            )
            _end(session, device, why="reused", actor="gateway")
            return device
    device.last_at_ms = at_ms
    session.add(device)
    access, ends_ms = _access(session, device, access_s)
    return Tokens(device, access, ends_ms, next_)


def end(session: Session, *, device_id: str, why: str, actor: str, member_ids: Sequence[str] | None = None) -> Device:
    """Signs a device out, at once; a second time changes nothing. DeviceUnknown unless it is one of these members'."""
    found = session.get(Device, device_id, with_for_update=True, populate_existing=True)
    if found is None or (member_ids is not None and found.member_id not in member_ids):
        raise DeviceUnknown("You have no such device.", device=device_id)
    if found.ended_at_ms is None:
        _end(session, found, why=why, actor=actor)
    return found


def end_all(session: Session, *, member_ids: Sequence[str], why: str, actor: str) -> list[Device]:
    """Signs every device of these members out; those that it ended."""
    ended = _alive(session, member_ids)
    for one in ended:
        _end(session, one, why=why, actor=actor)
    return ended


def listed(session: Session, vault: Vault, *, member_ids: Sequence[str], current: str | None) -> DeviceList:
    """The devices of these members, the one seen last first; those signed out as long as they are kept."""
    rows = session.exec(
        select(Device)
        .where(col(Device.member_id).in_(member_ids))
        .order_by(col(Device.last_at_ms).desc(), col(Device.id))
        .limit(2 * DEVICES_MAX)
    )
    return DeviceList(devices=[told(vault, one, current=current) for one in rows])


def told(vault: Vault, device: Device, *, current: str | None) -> DevicePublic:
    label = None if device.label is None else vault.open(device.member_id, LABEL, device.label)
    return DevicePublic(
        id=device.id,
        label=label,
        means=device.means,
        made_at=rfc3339(device.made_at_ms),
        last_at=rfc3339(device.last_at_ms),
        expires_at=rfc3339(device.expires_at_ms),
        ended_at=rfc3339_or_none(device.ended_at_ms),
        ended_why=device.ended_why,
        current=device.id == current,
    )


def _alive(session: Session, member_ids: Sequence[str]) -> list[Device]:
    return list(
        session.exec(
            select(Device)
            .where(col(Device.member_id).in_(member_ids), col(Device.ended_at_ms).is_(None))
            .order_by(col(Device.last_at_ms).desc(), col(Device.id))
            .with_for_update()
        )
    )


def _end(session: Session, device: Device, *, why: str, actor: str) -> None:
    at_ms = now_ms()
    device.ended_at_ms, device.ended_why = at_ms, why
    device.expires_at_ms = min(device.expires_at_ms, at_ms)
    session.add(device)
    session.flush()
    session.exec(
        update(MemberSession)
        .where(col(MemberSession.device_id) == device.id, col(MemberSession.expires_at_ms) > at_ms)
        .values(expires_at_ms=at_ms, ended_at_ms=at_ms)
    )
    audit_log.record(session.connection(), "device.ended", actor=actor, subject=acts_name(device.member_id), why=why)


def _keep(session: Session, device: Device, token: Token) -> None:
    session.add(RefreshToken(id=token.id, device_id=device.id, secret_hash=token.secret_hash, made_at_ms=now_ms()))
    session.flush()


def _forget_used(session: Session, device: Device, *, before_ms: int) -> None:
    """A device that lives for months keeps the tokens of its last days; an older one that comes again opens nothing."""
    session.exec(
        delete(RefreshToken).where(col(RefreshToken.device_id) == device.id, col(RefreshToken.used_at_ms) < before_ms)
    )


def _access(session: Session, device: Device, access_s: int) -> tuple[Token, int]:
    """A session of minutes; those of the device that are over go, so that a device has a handful of rows."""
    at_ms = now_ms()
    session.exec(
        delete(MemberSession).where(col(MemberSession.device_id) == device.id, col(MemberSession.expires_at_ms) < at_ms)
    )
    token, ends_ms = new_token("m"), min(at_ms + access_s * 1000, device.expires_at_ms)
    session.add(
        MemberSession(
            id=token.id,
            member_id=device.member_id,
            secret_hash=token.secret_hash,
            created_at_ms=at_ms,
            expires_at_ms=ends_ms,
            device_id=device.id,
        )
    )
    session.flush()
    return token, ends_ms


def _derived(keystore: Keystore, token: Token, attempt: str) -> bytes:
    made = [keystore.mac(REFRESH_REF, f"{part}\0{token.text}\0{attempt}".encode()) for part in ("secret", "id")]
    return made[1][:ID_BYTES] + made[0][:SECRET_BYTES]
