"""What each personal field is for, how long it is kept, and by which right. A label lies on the column itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, Literal

PERSONAL: Final = "personal"
Ground = Literal["contract", "consent", "legal_obligation", "legitimate_interest"]
DAY_S: Final = 86_400


@dataclass(frozen=True, slots=True)
class Label:
    """A personal field in words that a person understands.

    what: what it is. why: what it is kept for. ground: the legal ground of GDPR 6 (1) and PIPA 15. kept: until when, in
    words; retention_s and since: the same for the purge, where time alone ends it (`since` names a column of unix
    milliseconds). sealed: it is encrypted under the member's own key.
    """

    what: str
    why: str
    ground: Ground
    kept: str
    sealed: bool = False
    retention_s: int | None = None
    since: str | None = None

    def __post_init__(self) -> None:
        assert (self.retention_s is None) == (self.since is None), "time runs from somewhere"


def personal(label: Label) -> dict[str, Any]:
    """What a column says of itself: Field(..., sa_column_kwargs=personal(LABEL))."""
    return {"info": {PERSONAL: label}}
