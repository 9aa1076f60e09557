"""Who may use transfer and transferFrom (SPEC 1.15)."""

from enum import IntEnum


class Policy(IntEnum):
    """Closed: nobody. Allow-list: anyone, to receivers on the brand's list. Open: anyone."""

    CLOSED = 0
    ALLOW_LIST = 1
    OPEN = 2
