"""Every table of the chain room; importing this makes them known to SQLModel.metadata."""

import chain.mirror.models
import chain.outbox.models
import chain.telemetry.models  # noqa: F401
