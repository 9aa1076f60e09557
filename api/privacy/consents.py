"""Consent: what may be done, asked at every use. Nobody here commits.

Deny by default. Of a person who is several members the strictest word counts, so that no merge ever widens what
somebody agreed to: each member's last word on a purpose and channel, one refusal refuses, and one grant is needed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from sqlmodel import Session, col, select

from api import audit_log
from api.audit_log.names import member as acts_name
from api.kit.clock import now_ms
from api.kit.database import Snapshot
from api.members.living import refuse_erased
from api.privacy.errors import ConsentTextUnknown, QuietHoursMalformed
from api.privacy.models import ConsentWord, Preference
from api.privacy.texts import BY_VERSION, Channel, Purpose

ANY: Final = "any"
WORDS_MAX: Final = 10_000
DAY_MINUTES: Final = 24 * 60
Why = Literal["granted", "no_consent", "withdrawn", "paused", "quiet_hours"]
_LAST = (
    "SELECT member_id, channel, granted FROM consent_word WHERE member_id = ? AND purpose = ? AND channel IN (?, 'any')"
    " ORDER BY id"
)
_PREFERENCE = "SELECT quiet_from, quiet_to, zone, paused_until_ms FROM preference WHERE member_id = ?"


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether something may be done now, and why."""

    allowed: bool
    why: Why


def may(
    read: Snapshot,
    *,
    member_ids: Sequence[str],
    purpose: Purpose,
    channel: Channel,
    at_ms: int,
    disturbing: bool = True,
) -> Verdict:
    """Whether this purpose may use this channel for the person, now. disturbing: it reaches the person at once."""
    words: dict[tuple[str, str], bool] = {}
    for member_id in member_ids:
        for who, where, granted in read.rows(_LAST, member_id, purpose, channel):
            words[who, where] = bool(granted)
    if not all(words.values()):
        return Verdict(False, "withdrawn")
    if not words:
        return Verdict(False, "no_consent")
    if disturbing:
        for member_id in member_ids:
            row = read.row(_PREFERENCE, member_id)
            if row is None:
                continue
            if row[3] is not None and row[3] > at_ms:
                return Verdict(False, "paused")
            if is_quiet(row[0], row[1], row[2], at_ms):
                return Verdict(False, "quiet_hours")
    return Verdict(True, "granted")


def say(
    session: Session,
    *,
    member_id: str,
    purpose: Purpose,
    channel: Channel,
    granted: bool,
    text_version: int,
    source: str,
    actor: str,
) -> ConsentWord:
    """Writes a word down. It counts from the next read on."""
    text = BY_VERSION.get((purpose, text_version))
    if text is None:
        raise ConsentTextUnknown(f"{purpose} has no text of version {text_version}.", purpose=purpose)
    refuse_erased(session, member_id)
    word = ConsentWord(
        member_id=member_id,
        purpose=purpose,
        channel=channel,
        granted=granted,
        source=source,
        text_version=text_version,
        text_sha256=text.sha256,
        at_ms=now_ms(),
    )
    session.add(word)
    session.flush()
    audit_log.record(
        session.connection(),
        "consent.said",
        actor=actor,
        subject=acts_name(member_id),
        purpose=purpose,
        channel=channel,
        granted=int(granted),
        text_version=text_version,
    )
    return word


def words(session: Session, *, member_ids: Sequence[str]) -> list[ConsentWord]:
    """Every word, the oldest first."""
    return list(
        session.exec(
            select(ConsentWord)
            .where(col(ConsentWord.member_id).in_(member_ids))
            .order_by(col(ConsentWord.id))
            .limit(WORDS_MAX)
        )
    )


def prefer(
    session: Session,
    *,
    member_id: str,
    quiet_from: int | None,
    quiet_to: int | None,
    zone: str,
    paused_until_ms: int | None,
) -> Preference:
    """Writes down how the member wants to be left alone."""
    if (quiet_from is None) != (quiet_to is None) or (quiet_from is not None and quiet_from == quiet_to):
        raise QuietHoursMalformed("Quiet hours have a beginning and another end.")
    try:
        ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise QuietHoursMalformed("There is no such time zone; one is Asia/Seoul.", zone=zone) from None
    refuse_erased(session, member_id)
    found = session.get(Preference, member_id) or Preference(member_id=member_id)
    found.quiet_from, found.quiet_to, found.zone, found.paused_until_ms = quiet_from, quiet_to, zone, paused_until_ms
    session.add(found)
    session.flush()
    return found


def is_quiet(quiet_from: int | None, quiet_to: int | None, zone: str, at_ms: int) -> bool:
    """Whether this moment lies in the quiet hours: from the first minute on, before the last, over midnight too."""
    if quiet_from is None or quiet_to is None:
        return False
    there = datetime.fromtimestamp(at_ms / 1000, UTC).astimezone(ZoneInfo(zone))
    minute = there.hour * 60 + there.minute
    if quiet_from < quiet_to:
        return quiet_from <= minute < quiet_to
    return minute >= quiet_from or minute < quiet_to
