"""How Python itself is set for a process that folds millions of small rows in two threads.

Measured with `moa bench --only relay` on Anvil, two cores: 2,643 awards a second without, 3,084 with the collector's
threshold alone, 3,202-3,565 with both.
"""

import gc
import sys
from typing import Final

# Rows are short-lived dicts without cycles: the collector would look at them again and again for nothing.
GC_THRESHOLD: Final = 100_000
# A thread that comes back from the database waits this long for the other to let go, row by row; Python's own is ten
# times that.
SWITCH_INTERVAL_S: Final = 0.0005


def for_rows() -> None:
    """Once, at the start of the program."""
    for_chunks()
    sys.setswitchinterval(SWITCH_INTERVAL_S)


def for_chunks() -> None:
    """The collector's part alone: a gateway that takes chunks of 500 lines looks over half a million objects that never
    go away for each few of them otherwise."""
    gc.freeze()
    gc.set_threshold(GC_THRESHOLD)
