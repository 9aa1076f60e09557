"""What the gateway is told at its start; read once, handed down, never changed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from chain.outbox.fair_queue import BACKLOG_MAX, BULK, PERSON


@dataclass(frozen=True, slots=True)
class Settings:
    """database_url: sqlite:///file or postgresql://…; deployments: folder of `<chain_id>.json`."""

    database_url: str
    rpc_url: str
    chain_id: int
    deployments: Path
    keystore_path: Path
    keystore_password: str
    # One key for each person, apart from the database and its backups; None: subject-keys.db beside the keystore.
    subject_keys: Path | None = None
    wallet_dist: Path = Path("wallet/dist")
    host: str = "127.0.0.1"
    port: int = 8000
    # Prometheus, on an address of its own; 0: only by the operator's key at /metrics.
    metrics_host: str = "127.0.0.1"
    metrics_port: int = 0
    access_log: bool = True

    # Nothing that happened before this counts; it catches a clock or a unit that is wrong.
    programme_start: datetime = datetime(1990, 1, 1, tzinfo=UTC)
    session_lifetime: timedelta = timedelta(days=1)
    # Of who signs in: the token that opens routes, the device that may ask for the next one, a code or challenge.
    access_lifetime: timedelta = timedelta(minutes=10)
    device_lifetime: timedelta = timedelta(days=90)
    challenge_lifetime: timedelta = timedelta(minutes=10)
    # Where the screens are served from: what a passkey and a signed sign-in message are bound to.
    origins: tuple[str, ...] = ("http://localhost:8000",)
    passkey_domain: str = "localhost"
    # The demo's: codes that were sent may be read by the operator's key.
    outbox_shown: bool = False
    hold_lifetime: timedelta = timedelta(minutes=15)
    exchange_lifetime: timedelta = timedelta(minutes=15)
    quote_lifetime: timedelta = timedelta(seconds=60)

    # Bounds. Each protects one process from one caller.
    body_bytes_max: int = 64 * 1024
    line_bytes_max: int = 16 * 1024
    lines_max: int = 100_000
    chunk_lines: int = 500
    # Operations of one brand that may wait in the queue: single requests, and lines of NDJSON bodies.
    backlog_max: int = BACKLOG_MAX[PERSON]
    backlog_lines_max: int = BACKLOG_MAX[BULK]
    waiters_max: int = 256
    streams_max: int = 1_000
    streams_per_member_max: int = 8
    stream_poll: timedelta = timedelta(milliseconds=50)
    heartbeat: timedelta = timedelta(seconds=5)
    # Past this without a new look at the chain, the mirror counts as behind.
    mirror_silence_max: timedelta = timedelta(seconds=30)
    rpc_timeout: timedelta = timedelta(seconds=5)
    # The books ask the node for every balance there is.
    books_timeout: timedelta = timedelta(seconds=120)
    shutdown_grace: timedelta = timedelta(seconds=3)

    # Bounds of one connection (api/connections.py): what may come before an answer, and how slowly. header_timeout: to
    # the end of the headers; body_timeout: for a body that is read whole; lines_timeout: for one that is read by lines;
    # body_idle_timeout: between two of its bytes; write_timeout: a caller that does not read.
    url_bytes_max: int = 8 * 1024
    header_bytes_max: int = 32 * 1024
    headers_max: int = 100
    header_timeout: timedelta = timedelta(seconds=10)
    body_timeout: timedelta = timedelta(seconds=30)
    body_idle_timeout: timedelta = timedelta(seconds=30)
    lines_timeout: timedelta = timedelta(hours=1)
    write_timeout: timedelta = timedelta(seconds=60)
    keep_alive: timedelta = timedelta(seconds=30)
    connections_max: int = 4_096
    connections_per_address_max: int = 256
    # Addresses that speak for many: a proxy's connections are not one caller's.
    proxies: tuple[str, ...] = ("127.0.0.1", "::1")

    # The log of the gateway's own acts. origin: its name, else told by the chain; key: its number, counted up when the
    # key is changed; witnesses: the vkeys whose cosignatures are taken.
    log_origin: str | None = None
    log_key: int = 0
    log_witnesses: tuple[str, ...] = ()
    refusal_window: timedelta = timedelta(seconds=60)
    checkpoint_every: timedelta = timedelta(seconds=1)
