"""Why an audit could not be finished, or stopped at a difference that leaves nothing to stand on.

AuditError
├─ PinMissing        the node does not know the pinned block
├─ PinUnusable       the pin is no block of this deployment, or a checkpoint names none
├─ MirrorMissing     the mirror has not reached the pinned block, or follows another chain
├─ KindUnknown       a kind of transaction that only some chains have
├─ RecordInvalid     the file of a finished audit is broken, or of another chain
└─ Stopped           an answer of the node is not what the pin commits, asked twice: its difference is the last one
"""

from chain.base.difference import Difference


class AuditError(Exception):
    """The message is a sentence that says what to do."""


class PinMissing(AuditError):
    """Nothing can be checked against a block that the node does not have."""


class PinUnusable(AuditError):
    """A pin that pins nothing of ours."""


class MirrorMissing(AuditError):
    """There are no rows of the pinned block to compare."""


class KindUnknown(AuditError):
    """A block that this program cannot check, and accuses nobody of."""


class RecordInvalid(AuditError):
    """A finished audit that cannot be continued."""


class Stopped(AuditError):
    """What the node shows is not what the pin commits; nothing that rests on it can be judged."""

    def __init__(self, difference: Difference):
        super().__init__(str(difference))
        self.difference = difference
