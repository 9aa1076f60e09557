"""The gateway as a shop, a member and the operator see it: HTTP, nothing else."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from types import TracebackType
from typing import Any, Self

import httpx

# Of one answer: a machine so busy that it takes a minute must not end a replay. Who waits for results is bounded by
# what happens (chain.base.patience).
TIMEOUT_S = 600.0
WAIT_S = 20


class Refused(Exception):
    """The gateway answered with a problem document (RFC 9457)."""

    def __init__(self, response: httpx.Response):
        try:
            self.problem: dict[str, Any] = response.json()
        except ValueError:
            self.problem = {"error": "NoProblemDocument", "detail": response.text[:500]}
        self.status = response.status_code
        self.error = str(self.problem.get("error"))
        super().__init__(f"{response.request.method} {response.request.url.path}: {self.status} {self.error}: "
                         f"{self.problem.get('detail', '')}")  # fmt: skip


class Gateway:
    """One caller: a key, and verbs. Every write carries an Idempotency-Key, so each call may be repeated."""

    def __init__(self, url: str, key: str | None = None):
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        self._http = httpx.Client(base_url=url, headers=headers, timeout=TIMEOUT_S)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._http.close()

    def get(self, path: str, **query: str) -> Any:
        """The JSON answer. Raises Refused."""
        return _answer(self._http.get(path, params=query))

    def find(self, path: str) -> Any:
        """The JSON answer, or None where there is no such thing. Raises Refused for any other refusal."""
        response = self._http.get(path)
        return None if response.status_code == httpx.codes.NOT_FOUND else _answer(response)

    def post(self, path: str, body: object, *, key: str, wait_s: int = 0) -> Any:
        """The JSON answer of a write, waited for up to `wait_s` until it is mirrored. Raises Refused."""
        headers = {"Idempotency-Key": key}
        if wait_s:
            headers["Prefer"] = f"wait={wait_s}"
        return _answer(self._http.post(path, json=body, headers=headers))

    def post_lines(self, path: str, lines: Iterable[object], *, key: str) -> list[dict[str, Any]]:
        """The answer to each line of an NDJSON stream, in order. Raises Refused when the stream as a whole is."""
        body = b"".join(json.dumps(line).encode() + b"\n" for line in lines)
        headers = {"Idempotency-Key": key, "Content-Type": "application/x-ndjson"}
        response = self._http.post(path, content=body, headers=headers)
        if response.status_code >= 400:
            raise Refused(response)
        return [json.loads(line) for line in response.text.splitlines() if line.strip()]


def _answer(response: httpx.Response) -> Any:
    if response.status_code >= 400:
        raise Refused(response)
    return response.json()


def refused(lines: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The lines that did not count."""
    return [line for line in lines if line["status"] == "refused"]
