"""Consent: what may be done, asked at every use. Nobody here commits.

Deny by default. Of a person who is several members the strictest word counts, so that no merge ever widens what
somebody agreed to: each member's last word on a purpose and channel, one refusal refuses, and one grant is needed.

What a brand reports may be late, repeated or untrue: it counts for that brand alone, by the time at which it was said,
and never lifts what the member has ended.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, Literal, NamedTuple
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from sqlmodel import Session, col, select

from api import audit_log
from api.audit_log.names import member as acts_name
from api.kit.clock import now_ms
from api.kit.database import Snapshot
from api.members.living import refuse_erased
from api.privacy.errors import ConsentNotYetSaid, ConsentTextUnknown, QuietHoursMalformed
from api.privacy.models import ConsentWord, Preference
from api.privacy.texts import BY_VERSION, Channel, Purpose

ANY: Final = "any"
MEMBER: Final = "member"
# So far a reporter's clock may be ahead of ours.
AHEAD_MS: Final = 5 * 60 * 1000
WORDS_MAX: Final = 10_000
DAY_MINUTES: Final = 24 * 60
Why = Literal["granted", "no_consent", "withdrawn", "paused", "quiet_hours"]
_LAST = (
    "SELECT channel, source, granted, said_at_ms FROM consent_word WHERE member_id = ? AND purpose = ?"
    " AND channel IN (?, 'any') AND source IN ('member', ?) ORDER BY said_at_ms, id"
)
_PREFERENCE = "SELECT quiet_from, quiet_to, zone, paused_until_ms FROM preference WHERE member_id = ?"


class Said(NamedTuple):
    """The last word of one source, and when it was said."""

    granted: bool
    said_at_ms: int


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether something may be done now, and why."""

    allowed: bool
    why: Why


def may(
    read: Snapshot,
    *,
    brand_id: int,
    member_ids: Sequence[str],
    purpose: Purpose,
    channel: Channel,
    at_ms: int,
    disturbing: bool = True,
) -> Verdict:
    """Whether the brand may use this channel for this purpose and person, now. disturbing: it reaches the person at
    once."""
    words: dict[tuple[str, str], bool] = {}
    for member_id in member_ids:
        last: dict[str, dict[str, Said]] = {}
        for where, source, granted, said_at_ms in read.rows(_LAST, member_id, purpose, channel, of_brand(brand_id)):
            last.setdefault(where, {})[source] = Said(bool(granted), said_at_ms)
        for where, by_source in last.items():
            words[member_id, where] = stands(by_source.get(MEMBER), by_source.get(of_brand(brand_id)))
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


def of_brand(brand_id: int) -> str:
    """What a brand's reports name as their source."""
    return f"brand/{brand_id}"


def stands(own: Said | None, reported: Said | None) -> bool:
    """What a member's own last word and a brand's last report of one come to. Pure.

    The member's refusal stands until the member lifts it; a reported refusal until the member agrees later.
    """
    if own is None or reported is None:
        found = own or reported
        return found is not None and found.granted
    return own.granted and (reported.granted or own.said_at_ms > reported.said_at_ms)


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
    said_at_ms: int | None = None,
) -> ConsentWord:
    """Writes a word down. It counts from the next read on. said_at_ms: where it was said before it is told here."""
    at_ms = now_ms()
    if said_at_ms is not None and said_at_ms > at_ms + AHEAD_MS:
        raise ConsentNotYetSaid("A word is reported after it was said.")
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
        said_at_ms=at_ms if said_at_ms is None else min(said_at_ms, at_ms),
        at_ms=at_ms,
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
