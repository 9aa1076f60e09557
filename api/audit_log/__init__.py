"""The gateway's own acts, in a log that cannot be cut: recorded, tallied, put in order, signed.

`record` writes an act inside the caller's own transaction. What rolls back (a refusal) or only reads (a look) goes
through `tallies`, durable before it is answered. `sequencer` alone gives acts their places in the tree.
"""

from api.audit_log.recording import record, record_now

__all__ = ["record", "record_now"]
