"""Time made short: what a worker waits for in seconds, it waits for in hundredths here."""

from importlib import import_module
from typing import Final

from chain.node import outage_limiter

# (module, name, seconds). A name that is not there any more is an error: the simulation would become slow in silence.
PAUSES: Final = (
    ("chain.worker.run", "LEADER_POLL_S", 0.03),
    ("chain.worker.run", "NODE_POLL_S", 0.02),
    ("chain.worker.run", "STOP_POLL_S", 0.01),
    ("chain.worker.run", "SEND_TIMEOUT_S", 0.4),
    ("chain.worker.run", "READ_TIMEOUT_S", 0.4),
    ("chain.relayer.loop", "BACKOFF_S_MAX", 0.05),
    ("chain.mirror.loop", "BACKOFF_S_MAX", 0.05),
    ("chain.relayer.receipts", "THIRD_PARTY_AFTER_S", 0.25),
    ("chain.relayer.scheduler", "SIMULATION_PAUSE_S", 0.02),
    ("chain.relayer.node_state", "HEAD_AGE_S_MAX", 0.1),
    ("chain.node.rpc", "RETRY_DELAY_S", 0.01),
    ("chain.node.outage_limiter", "RETRY_AFTER_MAX_S", 0.03),
    ("chain.node.outage_limiter", "TURN_WAIT_MAX_S", 0.05),
    ("chain.node.head_subscription", "RECONNECT_S", 0.03),
    ("chain.node.head_subscription", "RECONNECT_MAX_S", 0.1),
)


# Requests a second in an outage: as many more as the outages are shorter.
OUTAGE_REQUESTS_PER_S: Final = 200.0


def hurry() -> None:
    """Shortens every pause of this process."""
    for module, name, seconds in PAUSES:
        owner = import_module(module)
        if not hasattr(owner, name):
            raise AttributeError(f"{module} has no {name} any more: tests/simulation/processes/tempo.py must follow")
        setattr(owner, name, seconds)
    outage_limiter.OUTAGE_REQUESTS_PER_S = OUTAGE_REQUESTS_PER_S  # type: ignore[misc]
