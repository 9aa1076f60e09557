"""How many blocks to ask for at once: as many as the provider takes, as fast as it likes, as much as we can hold.

Providers refuse wide log queries in too many words to know them all, and some of them by silence: whatever goes
wrong with a range halves the next one. Where the refusal names a range or a limit, that is taken instead. Answers
double the range again, up to just below the last refusal. What lies beyond is tried now and then, because a limit
may have been the density of those blocks only: an answer as wide as what was refused shows that the limit has gone,
and the range doubles with every answer again; a refusal doubles the number of answers until the next try. So a limit
that stays costs few refusals, and one that went is noticed in no more answers than it had lasted, or PROBE_AFTER_MAX.
Sources: shared/field/chain.md 1.1, 1.2, 1.4 (Ponder, rindexer, Safe).
"""

import re
from typing import Final

from chain.base.errors import AnswerTooLarge, ChainError, NodeUnavailable, RpcError

SLOW_S: Final = 5.0
QUICK_S: Final = 1.0
LOGS_AIM: Final = 20_000
# Answers at the ceiling before something wider is tried: at first, and after many tries that were refused. To try
# where the provider is silent costs a whole timeout each time.
PROBE_AFTER: Final = 4
PROBE_AFTER_MAX: Final = 64
PROBE_AFTER_SILENCE_MAX: Final = 1024

_SUGGESTED: Final = re.compile(r"\[\s*(0x[0-9a-f]+|\d+)\s*,\s*(0x[0-9a-f]+|\d+)\s*\]", re.IGNORECASE)
_LIMIT: Final = re.compile(
    r"(?:max(?:imum)?(?: allowed)?(?: block)?(?: range)?|limited to(?: a)?|at most|up to a|is set to|distance"
    r"|requested blocks is|greater than|range exceeds|smaller than size|\(\d+ >)[ :]*(?:is )?(\d{1,9})(k?)\b"
    r"(?! (?:results|bytes|logs))",
    re.IGNORECASE,
)


class AdaptiveRange:
    """The width of the next range of blocks, in blocks. Pure: time and answers are told."""

    def __init__(self, widest: int, *, first: int | None = None, logs_aim: int = LOGS_AIM):
        assert widest >= 1, "a range holds a block"
        self.widest = widest
        self.width = min(widest, first or widest)
        self._logs_aim = logs_aim
        self._good = 0
        self._no_limit()

    def _no_limit(self) -> None:
        """Nothing is known to be refused."""
        self._ceiling = self.widest
        # The narrowest width that was refused since one as wide was taken.
        self._refused = self.widest + 1
        self._probing = False
        self._at_ceiling, self._probe_after = 0, PROBE_AFTER

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
        if blocks >= self._refused:
            self._no_limit()
        # The widest range that was taken since a narrower one was refused.
        self._good = max(self._good, blocks)
        if seconds > QUICK_S or 2 * logs > self._logs_aim:
            return
        self._at_ceiling = self._at_ceiling + 1 if self.width >= self._ceiling < self.widest else 0
        if self._at_ceiling >= self._probe_after:
            self._at_ceiling, self._probing = 0, True
            self._ceiling = min(self.widest, 2 * self._ceiling)
        self.width = min(self.widest, self._ceiling, self.width * 2)

    def refused(self, blocks: int, error: ChainError) -> None:
        """A range of so many blocks was refused, in these words, or did not come at all."""
        if blocks > self.width:
            # Asked for before the range was narrowed: it says nothing new.
            return
        self._at_ceiling = 0
        if blocks <= 1:
            self.width = 1
            return
        self._later(error)
        taken = suggestion(error) if isinstance(error, RpcError) else None
        if taken is not None and taken < blocks:
            self.width = self._ceiling = taken
            self._refused = taken + 1
            return
        if isinstance(error, RpcError | NodeUnavailable):
            # Half way between what was taken and what was refused.
            self._good = self._good if self._good < blocks else 0
            self._refused = max(self._good + 1, min(self._refused, blocks))
            self._ceiling = max(1, (self._good + self._refused) // 2)
        self.width = max(1, blocks // 2)

    def _later(self, error: ChainError) -> None:
        """The next try of something wider, when this was one, comes after twice as many answers."""
        if self._probing:
            told = isinstance(error, RpcError | AnswerTooLarge)
            at_most = PROBE_AFTER_MAX if told else PROBE_AFTER_SILENCE_MAX
            self._probe_after = min(at_most, 2 * self._probe_after)
            self._probing = False


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
