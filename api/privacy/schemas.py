"""Consent, preferences, looks and the data page as they are on the wire."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from api.kit.moments import Moment
from api.kit.schemas import EXAMPLE_TIME, RequestModel, ResponseModel
from api.kit.texts import patterned
from api.privacy.texts import Channel, Purpose

Clock = Annotated[str, patterned(r"^([01][0-9]|2[0-3]):[0-5][0-9]$", "a time of the day is 00:00 to 23:59")]
Zone = Annotated[str, patterned(r"^[A-Za-z0-9_+/-]{1,64}$", "a time zone is such as Asia/Seoul")]


class ConsentSaid(RequestModel):
    """One word: agreed, or ended. text_version: of the text that was seen."""

    purpose: Purpose = Field(examples=["marketing"])
    channel: Channel = Field(examples=["email"])
    granted: bool = Field(strict=True, examples=[True])
    text_version: int = Field(strict=True, ge=1, le=10_000, examples=[1])


class ConsentReported(ConsentSaid):
    """A member's word as a brand reports it. said_at: when the member said it; now, where it is left out."""

    said_at: Moment | None = Field(default=None, examples=[EXAMPLE_TIME])


class ConsentPublic(ResponseModel):
    purpose: str = Field(examples=["marketing"])
    channel: str = Field(examples=["email"])
    granted: bool = Field(examples=[True])
    source: str = Field(examples=["member"])
    text_version: int = Field(examples=[1])
    text_sha256: str = Field(examples=["9f" * 32])
    said_at: str = Field(examples=[EXAMPLE_TIME])
    at: str = Field(examples=[EXAMPLE_TIME])


class ConsentList(ResponseModel):
    """Every word that was ever said, the oldest first; of a purpose and channel the last of each source counts."""

    words: list[ConsentPublic]


class ConsentTextPublic(ResponseModel):
    purpose: str = Field(examples=["marketing"])
    version: int = Field(examples=[1])
    en: str = Field(examples=["Brands whose member I am may send me offers by this channel."])
    ko: str = Field(examples=["제가 가입한 브랜드가 이 채널로 혜택 소식을 보내는 데 동의합니다."])
    sha256: str = Field(examples=["9f" * 32])


class ConsentTexts(ResponseModel):
    texts: list[ConsentTextPublic]


class MayPublic(ResponseModel):
    """Whether it may be done now. Ask each time: a word counts from the next question on."""

    allowed: bool = Field(examples=[False])
    why: str = Field(examples=["no_consent"])


class Preferences(RequestModel):
    """Quiet hours in a time zone, and until when there is a pause. What is not given is not wanted."""

    quiet_from: Clock | None = Field(default=None, examples=["22:00"])
    quiet_to: Clock | None = Field(default=None, examples=["08:00"])
    zone: Zone = Field(default="UTC", examples=["Asia/Seoul"])
    paused_until: Moment | None = Field(default=None, examples=[None])


class PreferencesPublic(ResponseModel):
    quiet_from: str | None = Field(examples=["22:00"])
    quiet_to: str | None = Field(examples=["08:00"])
    zone: str = Field(examples=["Asia/Seoul"])
    paused_until: str | None = Field(examples=[None])


class Access(ResponseModel):
    """Somebody looked, or did something. entry: its place in the log of acts, by which it can be proved."""

    act: str = Field(examples=["personal.seen"])
    actor: str = Field(examples=["brand/cdnow/5f0c2a9b7d31"])
    route: str | None = Field(examples=["/v1/members/{member_id}/view"])
    count: int = Field(examples=[1])
    first_at: str = Field(examples=[EXAMPLE_TIME])
    last_at: str = Field(examples=[EXAMPLE_TIME])
    entry: str | None = Field(examples=["311"])


class AccessList(ResponseModel):
    accesses: list[Access]


class FieldKept(ResponseModel):
    """A personal field: what it is, why it is kept, by which right, until when."""

    dataset: str = Field(examples=["identifier_link"])
    field: str = Field(examples=["sealed"])
    what: str = Field(examples=["Your e-mail address."])
    why: str = Field(examples=["So that you can sign in."])
    ground: str = Field(examples=["contract"])
    kept: str = Field(examples=["As long as you are a member."])
    retention_s: int | None = Field(examples=[None])
    sealed: bool = Field(description="Encrypted under the member's own key.", examples=[True])


class DataPage(ResponseModel):
    """What is kept of people, made of the labels on the columns themselves."""

    fields: list[FieldKept]


class ErasureWanted(RequestModel):
    """confirm: the words `erase everything`."""

    confirm: str = Field(min_length=1, max_length=40, examples=["erase everything"])


class ErasureMade(ResponseModel):
    """A certificate, signed with the key `privacy/0` over everything above `signature`, as JSON with sorted keys.

    Only `nonce`, told this once and not kept, ties it to a member: subjects are SHA-256 of nonce and member's id.
    """

    format: str = Field(examples=["moa-erasure/1"])
    id: str = Field(examples=["ers_0190a3f27c1e4b0c9a5d2e6f8b7c4d10"])
    erased_at: str = Field(examples=[EXAMPLE_TIME])
    subjects: list[str] = Field(examples=[["9f" * 32]])
    removed: dict[str, int] = Field(examples=[{"identifier_link": 2}])
    public_key: str = Field(examples=["5a" * 32])
    signature: str = Field(examples=["5a" * 64])
    nonce: str | None = Field(description="In the first answer only.", examples=["5a" * 16])
