"""How many blocks to ask for at once: as many as the provider takes, as fast as it likes, as much as we can hold.

Providers refuse wide log queries in too many words to know them all, and some of them by silence: whatever goes
wrong with a range halves the next one. Where the refusal names a range or a limit, that is taken instead. Answers
that come widen the range again, up to just below the last refusal, and beyond it only now and then: a limit may have
been the density of those blocks only. Sources: shared/field/chain.md 1.1, 1.2, 1.4 (Ponder, rindexer, Safe).
"""

import re
from typing import Final

from chain.base.errors import AnswerTooLarge, ChainError, NodeTimeout, RpcError

SLOW_S: Final = 5.0
QUICK_S: Final = 1.0
LOGS_AIM: Final = 20_000
# Answers at the ceiling before it is tried whether the ceiling has gone: a limit that was named in words stays for
# long, silence may have been an outage.
PROBE_AFTER: Final = 32
PROBE_AFTER_SILENCE: Final = 8

_SUGGESTED: Final = re.compile(r"\[\s*(0x[0-9a-f]+|\d+)\s*,\s*(0x[0-9a-f]+|\d+)\s*\]", re.IGNORECASE)
_LIMIT: Final = re.compile(
    r"(?:max(?:imum)?(?: allowed)?(?: block)?(?: range)?|limited to(?: a)?|at most|up to a|is set to|distance"
    r"|requested blocks is)[ :]*(?:is )?(\d{1,9})(k?)\b(?! results)",
    re.IGNORECASE,
)


class AdaptiveRange:
    """The width of the next range of blocks, in blocks. Pure: time and answers are told."""

    def __init__(self, widest: int, *, first: int | None = None, logs_aim: int = LOGS_AIM):
        assert widest >= 1, "a range holds a block"
        self.widest = widest
        self.width = min(widest, first or widest)
        self._logs_aim = logs_aim
        self._ceiling = widest
        self._at_ceiling = 0
        self._silent = False
        # The widest range that was taken since a narrower one was refused.
        self._good = 0

    def answered(self, blocks: int, seconds: float, logs: int) -> None:
        """A range of so many blocks came, after that time, with so many logs."""
        if blocks < self.width and logs < self._logs_aim and seconds < SLOW_S:
            # Shorter than allowed, because the head is near: it says nothing about the full width.
            return
        if logs > self._logs_aim:
            self.width = max(1, blocks * self._logs_aim // logs)
            return
        if seconds >= SLOW_S:
            self.width = max(1, blocks // 2)
            return
        self._good = max(self._good, blocks)
        if seconds > QUICK_S or 2 * logs > self._logs_aim:
            return
        self._at_ceiling = self._at_ceiling + 1 if self.width >= self._ceiling else 0
        if self._at_ceiling >= (PROBE_AFTER_SILENCE if self._silent else PROBE_AFTER):
            self._at_ceiling = 0
            wider = 2 * self._ceiling if self._silent else self._ceiling + max(1, self._ceiling // 4)
            self._ceiling = min(self.widest, wider)
        self.width = min(self.widest, self._ceiling, self.width * 2)

    def refused(self, blocks: int, error: ChainError) -> None:
        """A range of so many blocks was refused, in these words, or did not come at all."""
        self._at_ceiling = 0
        if blocks <= 1:
            self.width = 1
            return
        taken = suggestion(error) if isinstance(error, RpcError) else None
        if taken is not None and taken < blocks:
            self.width = self._ceiling = taken
            return
        self._silent = not isinstance(error, RpcError)
        if not self._silent or isinstance(error, NodeTimeout | AnswerTooLarge):
            # Half way between what was taken and what was refused.
            self._good = self._good if self._good < blocks else 0
            self._ceiling = max(1, (self._good + blocks) // 2)
        self.width = max(1, blocks // 2)


def suggestion(error: RpcError) -> int | None:
    """The number of blocks that the provider's words offer; None when they offer none."""
    text = f"{error.message} {error.data if isinstance(error.data, str) else ''}"
    named = _SUGGESTED.search(text)
    if named:
        first, last = (int(part, 0) for part in named.groups())
        return last - first + 1 if last >= first else None
    limit = _LIMIT.search(text)
    if limit is None:
        return None
    return int(limit[1]) * (1000 if limit[2] else 1) or None
