"""The log of acts as it is on the wire. Hashes are standard base64, as in C2SP's notes."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from api.kit.schemas import EXAMPLE_TIME, RequestModel, ResponseModel, Slug
from api.kit.texts import patterned

EXAMPLE_ORIGIN = "moa/1337/3f1c0d2e4b5a6978"
EXAMPLE_ROOT = "CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I="
EXAMPLE_VKEY = f"{EXAMPLE_ORIGIN}+0a1b2c3d+AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyA="
EXAMPLE_NOTE = f"{EXAMPLE_ORIGIN}\n42\n{EXAMPLE_ROOT}\n\n— {EXAMPLE_ORIGIN} Az3grlgtzPICa5OS8npVmf1M…\n"
NOTE_LENGTH_MAX = 16_384

TxHash = Annotated[str, patterned(r"^0x[0-9a-f]{64}$", "a hash on the chain is 0x and 64 hex digits in lower case")]
Sha256 = Annotated[str, patterned(r"^[0-9a-f]{64}$", "a SHA-256 is 64 hex digits in lower case")]


class LogFacts(ResponseModel):
    """What a reader pins: the log's name and keys. Fetch it once, keep it, and compare."""

    origin: str = Field(examples=[EXAMPLE_ORIGIN])
    keys: list[str] = Field(description="vkeys, the one in use first.", examples=[[EXAMPLE_VKEY]])
    witnesses: list[str] = Field(description="vkeys of the witnesses whose lines are shown.", examples=[[]])
    size: int = Field(description="Entries in the newest signed tree.", examples=[42])
    root: str = Field(examples=[EXAMPLE_ROOT])
    signed_at: str = Field(examples=[EXAMPLE_TIME])


class LogEntryPublic(ResponseModel):
    index: int = Field(examples=[7])
    leaf: str = Field(
        description="The entry's bytes, as text: the hash is over exactly these.",
        examples=['{"act":"key.made","actor":"command/bootstrap","at":"2026-11-22T02:00:00.000Z","detail":{},…}'],
    )


class LogEntryPage(ResponseModel):
    entries: list[LogEntryPublic]
    next_start: int | None = Field(examples=[200])
    size: int = Field(description="Entries in the newest signed tree.", examples=[420])


class InclusionProof(ResponseModel):
    """That an entry is in the tree of `size`: RFC 6962, 2.1.1."""

    index: int = Field(examples=[7])
    size: int = Field(examples=[42])
    leaf_hash: str = Field(examples=[EXAMPLE_ROOT])
    proof: list[str] = Field(examples=[[EXAMPLE_ROOT]])
    root: str = Field(examples=[EXAMPLE_ROOT])
    checkpoint: str | None = Field(
        description="The newest checkpoint, when the proof is to it.", examples=[EXAMPLE_NOTE]
    )


class ConsistencyProof(ResponseModel):
    """That the tree of `size` began with the tree of `old`: RFC 6962, 2.1.2."""

    old: int = Field(examples=[7])
    size: int = Field(examples=[42])
    proof: list[str] = Field(examples=[[EXAMPLE_ROOT]])
    old_root: str = Field(description="The root of the first `old` entries, as they are now.", examples=[EXAMPLE_ROOT])
    root: str = Field(examples=[EXAMPLE_ROOT])


class CosignatureGiven(RequestModel):
    """A checkpoint of this log with a witness's line under it. The line is its own authority: no key is needed."""

    note: str = Field(max_length=NOTE_LENGTH_MAX, examples=[EXAMPLE_NOTE])


class CosignatureTaken(ResponseModel):
    witnesses: list[str] = Field(description="Whose lines were on the note.", examples=[["witness.example/w1"]])
    size: int = Field(examples=[42])


class StatementGiven(RequestModel):
    """Something that the operator did by hand, past the gateway, and states for the record."""

    act: Literal["rule.proposed", "adjustment.made"] = Field(examples=["adjustment.made"])
    brand: Slug = Field(examples=["cdnow"])
    tx_hash: TxHash | None = Field(default=None, description="What it did on the chain.", examples=["0x" + "5a" * 32])
    document: Sha256 | None = Field(
        default=None,
        description="SHA-256 of the paper that says why; the paper itself is kept elsewhere.",
        examples=["5a" * 32],
    )


class StatementTaken(ResponseModel):
    act: str = Field(examples=["adjustment.made"])
    stated_at: str = Field(examples=[EXAMPLE_TIME])
