"""What is owed to time: the release of every hold that is still open when its deadline has passed.

Anyone may release such a hold (SPEC 3.7), so that somebody must. One operation a hold, whoever asks for it: its key is
the hold's own. Looked for by an index of open holds by deadline, page by page, so many under way at once that what
people wait for is not held up.
"""

import logging
import math
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import orjson
from sqlalchemy import Connection, Engine, bindparam, text

from chain.base.clock import now_ms
from chain.base.errors import OperationKeyReused
from chain.base.scalars import RegistryId
from chain.mirror.queries import holds
from chain.mirror.queries.checkpoint import checkpoint
from chain.mirror.queries.holds import Due
from chain.outbox import calls, operations
from chain.outbox.operations import FAILED
from chain.storage.database import reading, writing
from chain.storage.looks import looking

log = logging.getLogger(__name__)

LOOK_S: Final = 1.0
PAGE_ROWS: Final = 200
UNDER_WAY_MAX: Final = 32
# A block's second may lie a little behind the clock of whoever sends into it; what is sent too early would be the
# till's release, not time's.
MARGIN_S: Final = 5
# What failed while the hold stayed open (a node whose clock is behind, a lot without room) is asked for once more.
AGAIN_MS: Final = 30_000
OPEN: Final = frozenset({"queued", "assigned", "sent", "mined"})

# The states are spelt as in the partial index operation_open_ordering_key.
_STEPS: Final = text(
    "SELECT CAST(payload AS TEXT) FROM operation WHERE ordering_key IN :ordering_keys"
    " AND state IN ('queued', 'assigned', 'sent', 'mined') AND kind IN ('capture', 'release', 'timeout')"
).bindparams(bindparam("ordering_keys", expanding=True))


class Deadlines:
    """Asks for releases; a part of the relayer's loop. `clock` tells unix seconds."""

    def __init__(self, engine: Engine, clock: Callable[[], float] = time.time):
        self._engine = engine
        self._clock = clock
        self._next = 0.0
        # Releases asked for and not decided, and the last hold that was looked at: pages go round.
        self._under_way: set[int] = set()
        self._after = (-1, "")

    def look(self) -> bool:
        """Once a second at most: asks for what is due and has nobody under way. True when anything was asked for."""
        now = time.monotonic()
        if now < self._next:
            return False
        self._next = now + LOOK_S
        with reading(self._engine) as connection:
            due = self._due(connection)
            asked = self._wanted(connection, due) if due else []
        return bool(asked) and self._ask(asked)

    def next_due_s(self, connection: Connection) -> float:
        """Seconds until the first open hold is past its deadline by our own clock; infinity when none is open."""
        found = holds.first_deadline(looking(connection))
        return math.inf if found is None else found + MARGIN_S - self._clock()

    def _due(self, connection: Connection) -> list[Due]:
        """The next page of holds past their deadline; none while the mirror is behind or enough is under way."""
        look = looking(connection)
        at = checkpoint(look)
        if at is None or not at.live:
            return []
        found = operations.get_many(connection, sorted(self._under_way))
        self._under_way = {id for id, operation in found.items() if not operation.finished}
        if len(self._under_way) >= UNDER_WAY_MAX:
            return []
        # Beyond a block's second every later block is beyond it too; of our own clock we are less sure.
        due = max(at.block_time, int(self._clock()) - MARGIN_S)
        page = holds.due(look, before=due, after=self._after, limit=PAGE_ROWS)
        self._after = (page[-1].hold_until, page[-1].hold_id) if len(page) == PAGE_ROWS else (-1, "")
        return page

    def _wanted(self, connection: Connection, page: Sequence[Due]) -> list[Due]:
        """Those of a page that nobody is about to end, as many as may be under way."""
        self._under_way |= {due.operation for due in page if due.operation is not None and due.state in OPEN}
        before = now_ms() - AGAIN_MS
        free = [
            due for due in page if due.operation is None or (due.state == FAILED and (due.updated_at_ms or 0) <= before)
        ]
        if not free:
            return []
        steps = _holds_of_steps(connection, sorted({due.account for due in free}))
        # For those without room the pages come round again.
        return [due for due in free if due.hold_id not in steps][: max(0, UNDER_WAY_MAX - len(self._under_way))]

    def _ask(self, due: Sequence[Due]) -> bool:
        """One transaction: those that are still open get their operation, or it is asked for once more."""
        with writing(self._engine) as connection:
            # A hold that the mirror is writing now is looked at again in a second.
            several_writers = connection.dialect.name == "postgresql"
            still = holds.still_open(looking(connection), [one.hold_id for one in due], lock=several_writers)
            ids = []
            for one in due:
                if one.hold_id in still:
                    try:
                        ids.append(owe(connection, self._release(one)))
                    except OperationKeyReused as error:
                        log.warning("hold %s is released under another name: %s", one.hold_id, error)
        self._under_way |= set(ids)
        if ids:
            log.info("%d holds past their deadline are released", len(ids))
        return bool(ids)

    def _release(self, due: Due) -> operations.NewOperation:
        return calls.timeout(brand=RegistryId(int(due.brand_id)), member=due.account, hold_id=due.hold_id)


def owe(connection: Connection, release: operations.NewOperation) -> int:
    """The one operation of a hold's release after its deadline: asked for, or once more if it failed. Its id.

    For whoever asks (the worker, a till): a hold is released once, and the second to ask gets the first one's.
    """
    found = operations.get_by_key(connection, release.key)
    if found is None:
        return operations.enqueue(connection, release)
    if found.state == FAILED:
        operations.again(connection, found.id)
    return found.id


def _holds_of_steps(connection: Connection, ordering_keys: Sequence[str]) -> set[str]:
    """Holds that a capture or a release of somebody is on its way to."""
    found: set[str] = set()
    for payload in connection.execute(_STEPS, {"ordering_keys": ordering_keys}).scalars():
        document: Mapping[str, Any] = orjson.loads(payload)
        found.add(str(document.get("hold_id")))
    return found
