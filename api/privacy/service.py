"""Privacy as it is told. Nobody here commits."""

from __future__ import annotations

from collections.abc import Sequence

from sqlmodel import Session

from api.kit.clock import now_ms, rfc3339, rfc3339_or_none
from api.kit.container import State
from api.kit.database import Snapshot
from api.members import service as members
from api.members.errors import MemberUnknown
from api.privacy import consents
from api.privacy.catalogue import labelled
from api.privacy.consents import Verdict
from api.privacy.models import ConsentWord, Preference
from api.privacy.schemas import (
    ConsentList,
    ConsentPublic,
    ConsentTextPublic,
    ConsentTexts,
    DataPage,
    FieldKept,
    Preferences,
    PreferencesPublic,
)
from api.privacy.texts import TEXTS, Channel, Purpose

_IDS = (
    "SELECT o.id FROM member m JOIN member o ON o.id = COALESCE(m.survivor_id, m.id)"
    " OR o.survivor_id = COALESCE(m.survivor_id, m.id) WHERE m.id = ? ORDER BY o.created_at_ms, o.id LIMIT 64"
)


def told_words(session: Session, *, member_ids: Sequence[str]) -> ConsentList:
    return ConsentList(words=[told_word(one) for one in consents.words(session, member_ids=member_ids)])


def told_word(word: ConsentWord) -> ConsentPublic:
    return ConsentPublic(
        purpose=word.purpose,
        channel=word.channel,
        granted=word.granted,
        source=word.source,
        text_version=word.text_version,
        text_sha256=word.text_sha256,
        said_at=rfc3339(word.said_at_ms),
        at=rfc3339(word.at_ms),
    )


def texts() -> ConsentTexts:
    """Every version of every text."""
    return ConsentTexts(
        texts=[
            ConsentTextPublic(purpose=one.purpose, version=one.version, en=one.en, ko=one.ko, sha256=one.sha256)
            for one in TEXTS
        ]
    )


def data_page() -> DataPage:
    """What is kept of people and why, from the labels themselves."""
    return DataPage(
        fields=[
            FieldKept(
                dataset=one.table.name,
                field=one.column,
                what=one.label.what,
                why=one.label.why,
                ground=one.label.ground,
                kept=one.label.kept,
                retention_s=one.label.retention_s,
                sealed=one.label.sealed,
            )
            for one in labelled()
        ]
    )


def may(state: State, *, brand_id: int, member_id: str, purpose: Purpose, channel: Channel) -> Verdict:
    """Whether the brand may do this for a member whom it knows, now."""

    def read(snapshot: Snapshot) -> Verdict:
        known = members.member_of(snapshot, brand=brand_id, member_id=member_id)
        ids = [one for (one,) in snapshot.rows(_IDS, known.id)]
        if not ids:
            raise MemberUnknown("This brand knows no such member.", member=member_id)
        return consents.may(
            snapshot, brand_id=brand_id, member_ids=ids, purpose=purpose, channel=channel, at_ms=now_ms()
        )

    return state.database.reads(read)


def preferred(session: Session, *, member_ids: Sequence[str], wanted: Preferences) -> PreferencesPublic:
    """Sets the person's preferences, whichever of its members had others before."""
    made = [
        consents.prefer(
            session,
            member_id=member_id,
            quiet_from=_minute(wanted.quiet_from),
            quiet_to=_minute(wanted.quiet_to),
            zone=wanted.zone,
            paused_until_ms=None if wanted.paused_until is None else int(wanted.paused_until.timestamp() * 1000),
        )
        for member_id in member_ids
    ]
    return told_preferences(made[0])


def preferences_of(session: Session, *, member_ids: Sequence[str]) -> PreferencesPublic:
    """The preferences of who stands for the person, or of the first of its members that has any."""
    found = (session.get(Preference, member_id) for member_id in member_ids)
    return told_preferences(next((one for one in found if one is not None), None))


def told_preferences(found: Preference | None) -> PreferencesPublic:
    if found is None:
        return PreferencesPublic(quiet_from=None, quiet_to=None, zone="UTC", paused_until=None)
    return PreferencesPublic(
        quiet_from=_clock(found.quiet_from),
        quiet_to=_clock(found.quiet_to),
        zone=found.zone,
        paused_until=rfc3339_or_none(found.paused_until_ms),
    )


def _minute(clock: str | None) -> int | None:
    return None if clock is None else int(clock[:2]) * 60 + int(clock[3:])


def _clock(minute: int | None) -> str | None:
    return None if minute is None else f"{minute // 60:02d}:{minute % 60:02d}"
