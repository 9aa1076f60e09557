"""Codes, passkeys, wallets, tokens and devices as they are on the wire."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

from pydantic import Field

from api.identity.kinds import VALUE_CHARS_MAX
from api.identity.schemas import MergePreview
from api.kit.addresses import Address
from api.kit.schemas import EXAMPLE_ADDRESS, EXAMPLE_MEMBER, EXAMPLE_TIME, RequestModel, ResponseModel, Slug
from api.kit.texts import patterned
from api.members.schemas import Country

EXAMPLE_CHALLENGE: Final = "chl_0190a3f27c1e4b0c9a5d2e6f8b7c4d10"
CODE_DIGITS: Final = 8
LABEL_CHARS_MAX: Final = 64
MESSAGE_CHARS_MAX: Final = 2_048
ChallengeId = Annotated[
    str, patterned(r"^chl_[0-9a-f]{32}$", "a challenge's id is chl_ and 32 hex digits in lower case")
]
OneTimeCode = Annotated[str, patterned(r"^[0-9]{8}$", "a code is 8 digits")]
RefreshText = Annotated[str, patterned(r"^moa_r_[0-9a-f]{12}_[A-Za-z0-9_-]{43}$", "a refresh token begins with moa_r_")]
Attempt = Annotated[
    str, patterned(r"^[!-~]{16,64}$", "an attempt is 16 to 64 visible ASCII characters, another one each time")
]
Hex = Annotated[str, patterned(r"^0x([0-9a-fA-F]{2})+$", "bytes are 0x and hex digits", max_length=MESSAGE_CHARS_MAX)]
EXAMPLE_REFRESH: Final = "moa_r_5f0c2a9b7d31_" + "A" * 43
EXAMPLE_CREDENTIAL: Final = {"id": "…", "rawId": "…", "type": "public-key", "response": {}}


class Proved(RequestModel):
    """An address of a person, to which a code can be sent."""

    kind: Literal["email", "phone"] = Field(examples=["email"])
    value: str = Field(min_length=1, max_length=VALUE_CHARS_MAX, examples=["ada@example.com"])
    country: Country | None = Field(
        default=None, description="For a telephone number that is written as at home.", examples=[None]
    )


class CodeWanted(RequestModel):
    identifier: Proved


class ChallengeMade(ResponseModel):
    """The same for everybody, member or not."""

    challenge: str = Field(examples=[EXAMPLE_CHALLENGE])
    expires_at: str = Field(examples=[EXAMPLE_TIME])


class Visitor(RequestModel):
    """What the browser or device was called before the sign-in. brand: by whose site; without it, by ours."""

    kind: Literal["cookie", "device"] = Field(examples=["cookie"])
    value: str = Field(min_length=16, max_length=VALUE_CHARS_MAX, examples=["c-7f0e2a9b7d315f0c2a9b"])
    brand: Slug | None = Field(default=None, examples=["cdnow"])


class Entering(RequestModel):
    """What every way of signing in may say besides."""

    label: str | None = Field(
        default=None, min_length=1, max_length=LABEL_CHARS_MAX, description="What the device is called.",
        examples=["Ada's telephone"],
    )  # fmt: skip
    visitor: Visitor | None = Field(default=None, examples=[None])


class CodeEntered(Entering):
    challenge: ChallengeId = Field(examples=[EXAMPLE_CHALLENGE])
    identifier: Proved
    code: OneTimeCode = Field(examples=["48151623"])


class TokensMade(ResponseModel):
    """What a device signs its requests with: `token` for minutes, `refresh` for the next ones, once."""

    token: str = Field(examples=["moa_m_5f0c2a9b7d31_…"])
    expires_at: str = Field(examples=[EXAMPLE_TIME])
    refresh: str = Field(examples=["moa_r_5f0c2a9b7d31_…"])
    device: str = Field(examples=["5f0c2a9b7d31"])
    member: str = Field(examples=[EXAMPLE_MEMBER])
    visitor: Literal["nothing", "stitched", "apart"] | None = Field(
        default=None,
        description="What became of what was done before: it is the member's now, or stays apart.",
        examples=[None],
    )


class RefreshWanted(RequestModel):
    """attempt: one each time, the same when an answer was lost and is asked for again."""

    refresh: RefreshText = Field(examples=[EXAMPLE_REFRESH])
    attempt: Attempt = Field(examples=["5d1c7c1e-9a58-4a2f-8a55-1f4f2a7d9c10"])


class PasskeyOptions(ResponseModel):
    """What navigator.credentials is to be asked: `publicKey`, in WebAuthn's own JSON."""

    challenge: str = Field(examples=[EXAMPLE_CHALLENGE])
    public_key: dict[str, Any] = Field(examples=[{"rpId": "localhost", "userVerification": "required"}])
    expires_at: str = Field(examples=[EXAMPLE_TIME])


class PasskeyEntered(Entering):
    """credential: the PublicKeyCredential as its toJSON() gives it."""

    challenge: ChallengeId = Field(examples=[EXAMPLE_CHALLENGE])
    credential: dict[str, Any] = Field(examples=[EXAMPLE_CREDENTIAL])


class PasskeyAdded(RequestModel):
    """credential: the PublicKeyCredential as its toJSON() gives it."""

    challenge: ChallengeId = Field(examples=[EXAMPLE_CHALLENGE])
    credential: dict[str, Any] = Field(examples=[EXAMPLE_CREDENTIAL])
    label: str | None = Field(default=None, min_length=1, max_length=LABEL_CHARS_MAX, examples=["Ada's telephone"])


class PasskeyPublic(ResponseModel):
    id: str = Field(examples=["17"])
    label: str | None = Field(examples=["Ada's telephone"])
    made_at: str = Field(examples=[EXAMPLE_TIME])
    last_at: str | None = Field(examples=[None])


class PasskeyList(ResponseModel):
    passkeys: list[PasskeyPublic]


class WalletWanted(RequestModel):
    address: Address = Field(examples=[EXAMPLE_ADDRESS])


class WalletMessage(ResponseModel):
    """The ERC-4361 message to be signed, word for word, by ERC-191 (`personal_sign`)."""

    challenge: str = Field(examples=[EXAMPLE_CHALLENGE])
    message: str = Field(examples=["localhost:8000 wants you to sign in with your Ethereum account:\n0x…"])
    expires_at: str = Field(examples=[EXAMPLE_TIME])


class WalletEntered(Entering):
    challenge: ChallengeId = Field(examples=[EXAMPLE_CHALLENGE])
    message: str = Field(min_length=1, max_length=MESSAGE_CHARS_MAX, examples=["localhost:8000 wants you to sign in…"])
    signature: Hex = Field(examples=["0x" + "5a" * 65])


class WalletProved(RequestModel):
    challenge: ChallengeId = Field(examples=[EXAMPLE_CHALLENGE])
    message: str = Field(min_length=1, max_length=MESSAGE_CHARS_MAX, examples=["localhost:8000 wants you to sign in…"])
    signature: Hex = Field(examples=["0x" + "5a" * 65])


class CodeProved(RequestModel):
    challenge: ChallengeId = Field(examples=[EXAMPLE_CHALLENGE])
    identifier: Proved
    code: OneTimeCode = Field(examples=["48151623"])


class ProofTaken(ResponseModel):
    """added: it is the member's now. yours: it was already. merge: it is another member's, whom the same person proved
    to be; `POST /v1/me/merges` with the challenge makes both one.
    """

    outcome: Literal["added", "yours", "merge"] = Field(examples=["added"])
    challenge: str = Field(examples=[EXAMPLE_CHALLENGE])
    preview: MergePreview | None = Field(default=None, examples=[None])


class MergeConfirmed(RequestModel):
    challenge: ChallengeId = Field(examples=[EXAMPLE_CHALLENGE])


class OutboxShown(ResponseModel):
    id: str = Field(examples=["17"])
    channel: str = Field(examples=["email"])
    to: str = Field(examples=["ada@example.com"])
    text: str = Field(examples=["48151623 is your code for Moa."])
    made_at: str = Field(examples=[EXAMPLE_TIME])


class OutboxList(ResponseModel):
    messages: list[OutboxShown]
