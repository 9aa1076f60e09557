"""Passkeys by WebAuthn: discoverable, so that nobody is asked who they are, and with the user verified each time.

A key that was registered without verifying its user never comes in: what is a second factor elsewhere is no way in
here. Nobody here commits.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from typing import Any, Final

import orjson
from sqlmodel import Session, col, select, update
from webauthn import (
    generate_authentication_options,
    generate_registration_options,
    options_to_json,
    verify_authentication_response,
    verify_registration_response,
)
from webauthn.helpers import base64url_to_bytes, bytes_to_base64url
from webauthn.helpers.exceptions import WebAuthnException
from webauthn.helpers.structs import (
    AuthenticatorSelectionCriteria,
    PublicKeyCredentialDescriptor,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)

from api import audit_log
from api.audit_log.names import member as acts_name
from api.kit.clock import now_ms, rfc3339, rfc3339_or_none
from api.kit.settings import Settings
from api.members import devices
from api.members.living import refuse_erased
from api.members.models import Device, Member
from api.sign_in import challenges
from api.sign_in.challenges import Purpose
from api.sign_in.errors import CodeWrong, PasskeyRefused, PasskeyTaken, PasskeyUnknown
from api.sign_in.models import Challenge, Passkey
from api.sign_in.schemas import PasskeyList, PasskeyOptions, PasskeyPublic
from api.vault.sealing import Vault

CHALLENGE_BYTES: Final = 32
PASSKEYS_MAX: Final = 20
LABEL: Final = "passkey/label"
NAME: Final = "Moa"


def ask_new(
    session: Session, vault: Vault, settings: Settings, *, member_id: str, member_ids: tuple[str, ...]
) -> PasskeyOptions:
    """What a browser is to be asked so that it makes a passkey for this very member of the person."""
    challenge = secrets.token_bytes(CHALLENGE_BYTES)
    known = [
        PublicKeyCredentialDescriptor(id=base64url_to_bytes(one.credential_id)) for one in _of(session, member_ids)
    ]
    options = generate_registration_options(
        rp_id=settings.passkey_domain,
        rp_name=NAME,
        # No name of a person: an authenticator shows it, and a stolen one would tell it.
        user_name=NAME,
        user_id=bytes.fromhex(vault.lookup("passkey-user", member_id)),
        challenge=challenge,
        authenticator_selection=AuthenticatorSelectionCriteria(
            resident_key=ResidentKeyRequirement.REQUIRED,
            require_resident_key=True,
            user_verification=UserVerificationRequirement.REQUIRED,
        ),
        exclude_credentials=known,
    )
    return _asked(session, vault, settings, challenge, options, purpose="add", member_id=member_id)


def ask(session: Session, vault: Vault, settings: Settings) -> PasskeyOptions:
    """What a browser is to be asked so that somebody signs in; the same for everybody."""
    challenge = secrets.token_bytes(CHALLENGE_BYTES)
    options = generate_authentication_options(
        rp_id=settings.passkey_domain, challenge=challenge, user_verification=UserVerificationRequirement.REQUIRED
    )
    return _asked(session, vault, settings, challenge, options, purpose="sign_in")


def add(
    session: Session,
    vault: Vault,
    settings: Settings,
    *,
    member_id: str,
    member_ids: tuple[str, ...],
    device_id: str | None,
    challenge_id: str,
    credential: dict[str, Any],
    label: str | None,
    actor: str,
) -> Passkey:
    """A passkey that the browser made, this very member's from now on.

    It is a second factor if it is the first that the member ever had, or is added by a device that came in with one:
    who has somebody's mailbox adds one, and it lets in, but makes nobody stronger.
    """
    challenge = _answered(credential)
    used = challenges.use(
        session, vault, challenge_id=challenge_id, purpose="add", means="passkey", secret=challenge.hex(),
        member_ids=member_ids,
    )  # fmt: skip
    if used is None:
        raise CodeWrong("This was not asked for, was answered before, or is too late.")
    try:
        made = verify_registration_response(
            credential=credential,
            expected_challenge=challenge,
            expected_rp_id=settings.passkey_domain,
            expected_origin=list(settings.origins),
            require_user_verification=True,
        )
    except (WebAuthnException, ValueError, KeyError, TypeError):
        raise PasskeyRefused("This passkey is not for us, or did not verify its user.") from None
    credential_id = bytes_to_base64url(made.credential_id)
    if session.exec(select(Passkey.id).where(Passkey.credential_id == credential_id)).first() is not None:
        raise PasskeyTaken("This passkey is known already.")
    if len(_of(session, member_ids)) >= PASSKEYS_MAX:
        raise PasskeyTaken(f"A member has at most {PASSKEYS_MAX} passkeys.")
    refuse_erased(session, member_id)
    # Of two at once one is first. Without the key: whoever else adds something of the member's has that shared.
    member = session.get_one(Member, member_id, with_for_update={"key_share": True}, populate_existing=True)
    device = None if device_id is None else session.get_one(Device, device_id)
    strong = member.strong_since_ms is None or (device is not None and device.strong)
    member.strong_since_ms = member.strong_since_ms or now_ms()
    session.add(member)
    found = Passkey(
        member_id=member_id,
        credential_id=credential_id,
        public_key=made.credential_public_key,
        sign_count=made.sign_count,
        strong=strong,
        label=None if label is None else vault.seal(member_id, LABEL, label),
        made_at_ms=now_ms(),
    )
    session.add(found)
    session.flush()
    audit_log.record(session.connection(), "passkey.added", actor=actor, subject=acts_name(member_id))
    return found


def who(
    session: Session, vault: Vault, settings: Settings, *, challenge_id: str, credential: dict[str, Any]
) -> Passkey:
    """The passkey that answered; PasskeyRefused for whatever else."""
    challenge = _answered(credential)
    used = challenges.use(
        session, vault, challenge_id=challenge_id, purpose="sign_in", means="passkey", secret=challenge.hex()
    )
    id_ = credential.get("id")
    found = session.exec(
        select(Passkey).where(Passkey.credential_id == (id_ if isinstance(id_, str) else "")).with_for_update()
    ).one_or_none()
    if used is None or found is None:
        raise PasskeyRefused("This passkey does not open anything.")
    try:
        shown = verify_authentication_response(
            credential=credential,
            expected_challenge=challenge,
            expected_rp_id=settings.passkey_domain,
            expected_origin=list(settings.origins),
            credential_public_key=bytes(found.public_key),
            credential_current_sign_count=found.sign_count,
            require_user_verification=True,
        )
    except (WebAuthnException, ValueError, KeyError, TypeError):
        raise PasskeyRefused("This passkey does not open anything.") from None
    found.sign_count, found.last_at_ms = shown.new_sign_count, now_ms()
    session.add(found)
    session.flush()
    return found


def forget(session: Session, *, member_ids: Sequence[str], actor: str) -> int:
    """Takes every passkey away from a person who lost them, so that the next one is a second factor again; how many."""
    found = session.exec(select(Passkey).where(col(Passkey.member_id).in_(member_ids)).order_by(col(Passkey.id))).all()
    for one in found:
        session.delete(one)
        audit_log.record(session.connection(), "passkey.removed", actor=actor, subject=acts_name(one.member_id))
    session.exec(update(Member).where(col(Member.id).in_(member_ids)).values(strong_since_ms=None))
    devices.end_all(session, member_ids=member_ids, why="operator", actor=actor)
    session.flush()
    return len(found)


def listed(session: Session, vault: Vault, *, member_ids: tuple[str, ...]) -> PasskeyList:
    return PasskeyList(passkeys=[told(vault, one) for one in _of(session, member_ids)])


def told(vault: Vault, one: Passkey) -> PasskeyPublic:
    return PasskeyPublic(
        id=str(one.id),
        label=None if one.label is None else vault.open(one.member_id, LABEL, one.label),
        made_at=rfc3339(one.made_at_ms),
        last_at=rfc3339_or_none(one.last_at_ms),
    )


def remove(session: Session, *, member_ids: tuple[str, ...], passkey_id: int, actor: str) -> None:
    """Takes a passkey away; PasskeyUnknown unless it is the member's."""
    found = session.get(Passkey, passkey_id)
    if found is None or found.member_id not in member_ids:
        raise PasskeyUnknown("You have no such passkey.", passkey=str(passkey_id))
    session.delete(found)
    session.flush()
    audit_log.record(session.connection(), "passkey.removed", actor=actor, subject=acts_name(found.member_id))


def _of(session: Session, member_ids: tuple[str, ...]) -> list[Passkey]:
    return list(
        session.exec(
            select(Passkey).where(col(Passkey.member_id).in_(member_ids)).order_by(col(Passkey.id)).limit(
                2 * PASSKEYS_MAX
            )
        )
    )  # fmt: skip


def _answered(credential: dict[str, Any]) -> bytes:
    """The challenge that the browser says it answered; anything is only compared with what was asked."""
    try:
        data = orjson.loads(base64url_to_bytes(credential["response"]["clientDataJSON"]))
        return base64url_to_bytes(data["challenge"])
    except (KeyError, TypeError, ValueError):
        raise PasskeyRefused("This is no answer of a passkey.") from None


def _asked(
    session: Session,
    vault: Vault,
    settings: Settings,
    challenge: bytes,
    options: Any,
    *,
    purpose: Purpose,
    member_id: str | None = None,
) -> PasskeyOptions:
    made: Challenge = challenges.make(
        session,
        vault,
        purpose=purpose,
        means="passkey",
        secret=challenge.hex(),
        lifetime_s=int(settings.challenge_lifetime.total_seconds()),
        member_id=member_id,
    )
    return PasskeyOptions(
        challenge=made.id, public_key=orjson.loads(options_to_json(options)), expires_at=rfc3339(made.expires_at_ms)
    )
