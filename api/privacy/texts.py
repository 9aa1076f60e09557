"""What people agree to, in the words that they see. A change of words is a new version; old ones stay to be read."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Final, Literal

Purpose = Literal["marketing", "personalisation", "matching", "partner_sharing", "research"]
Channel = Literal["email", "sms", "push", "inbox", "post", "any"]


@dataclass(frozen=True, slots=True)
class ConsentText:
    """One version of what a purpose says, in English and Korean."""

    purpose: Purpose
    version: int
    en: str
    ko: str

    @property
    def sha256(self) -> str:
        """Of both texts, so that nobody can say later that it read otherwise."""
        return hashlib.sha256(f"{self.purpose}\n{self.version}\n{self.en}\n{self.ko}".encode()).hexdigest()


TEXTS: Final[tuple[ConsentText, ...]] = (
    ConsentText(
        "marketing", 1,
        "Brands whose member I am may send me offers by this channel. I can end this at any time.",
        "제가 가입한 브랜드가 이 채널로 혜택 소식을 보내는 데 동의합니다. 언제든지 철회할 수 있습니다.",
    ),
    ConsentText(
        "personalisation", 1,
        "What I buy and look at may decide what is shown to me. Without this I see what everybody sees.",
        "구매와 조회 기록으로 저에게 맞는 내용을 보여 주는 데 동의합니다. 동의가 없으면 모두 같은 내용을 봅니다.",
    ),
    ConsentText(
        "matching", 1,
        "It may be guessed from devices, times and places that two visits were mine. No guess is made without this.",
        "기기, 시간, 장소로 두 방문이 같은 사람의 것인지 추정하는 데 동의합니다. 동의 없이는 추정하지 않습니다.",
    ),
    ConsentText(
        "partner_sharing", 1,
        "A brand that I name may see named things that another brand knows of me.",
        "제가 지정한 브랜드가 다른 브랜드의 제 정보 중 지정한 항목을 보는 데 동의합니다.",
    ),
    ConsentText(
        "research", 1,
        "What I do may be counted in studies, without my name.",
        "제 이용 기록을 이름 없이 통계와 연구에 쓰는 데 동의합니다.",
    ),
)  # fmt: skip
BY_VERSION: Final = {(text.purpose, text.version): text for text in TEXTS}
