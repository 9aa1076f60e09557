"""Who calls a gateway with one key: in this process (a TestClient is an httpx.Client) or over a socket."""

from __future__ import annotations

import itertools
import secrets
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import httpx
import orjson

TIMEOUT_S = 60
WAITED = "wait=20"


@dataclass
class Caller:
    """Someone who calls with one key. `write` gives each call an idempotency key of its own.

    prefer: the Prefer header of every write, unless it names its own.
    """

    client: httpx.Client
    key: str
    name: str = ""
    prefer: str = ""
    _numbers: Iterator[int] = field(default_factory=itertools.count)

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.key}"} if self.key else {}

    def get(self, path: str, **parameters: Any) -> Any:
        return self.client.get(path, headers=self.headers, params=parameters or None)

    def write(
        self, path: str, body: Any = None, *, key: str | None = None, method: str = "POST", **headers: str
    ) -> Any:
        key = key or f"{self.name}-{next(self._numbers)}"
        content = body if isinstance(body, bytes) else b"" if body is None else orjson.dumps(body)
        preferred = {"Prefer": self.prefer} if self.prefer else {}
        sent = {"Content-Type": "application/json", **self.headers, "Idempotency-Key": key, **preferred, **headers}
        return self.client.request(method, path, content=content, headers=sent)


def live(url: str, key: str) -> Caller:
    """A caller of a gateway that runs, who waits for what is written. Its keys are new in every run: the gateway's
    state outlives one."""
    client = httpx.Client(base_url=url, headers={"Authorization": f"Bearer {key}"}, timeout=TIMEOUT_S)
    return Caller(client, key, secrets.token_hex(8), WAITED)
