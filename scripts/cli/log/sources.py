"""A log to be checked: at a gateway over HTTP, or in a database. Both give bytes only; nothing they say is trusted."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, Protocol

import httpx

from api.audit_log import reading
from api.kit.database import Database, Snapshot
from chain.tlog.hashes import HASH_BYTES
from chain.tlog.notes import decode
from chain.tlog.tree import consistency, inclusion, root
from scripts.cli.log.errors import SourceFailed

TIMEOUT_S: Final = 20.0
PAGE: Final = 500
ANSWER_BYTES_MAX: Final = 16_000_000


class Source(Protocol):
    """Where a log is read."""

    def checkpoint(self) -> str:
        """The newest signed checkpoint, with cosignatures."""

    def entries(self, start: int, end: int) -> list[str]:
        """The entries from `start` on, to before `end` or less; at least one, unless there is none."""

    def inclusion(self, index: int, size: int) -> tuple[bytes, list[bytes]]:
        """The entry's hash, and the proof that it is in the tree of `size`."""

    def consistency(self, old: int, size: int) -> tuple[bytes, list[bytes]]:
        """What the source says is the root of the first `old` entries, and the proof."""


class HttpLog:
    """A gateway's log. key: an auditor's; needed for entries only."""

    def __init__(self, url: str, key: str | None = None) -> None:
        headers = {} if key is None else {"Authorization": f"Bearer {key}"}
        self._client = httpx.Client(base_url=url, headers=headers, timeout=TIMEOUT_S, trust_env=False)

    def checkpoint(self) -> str:
        return self._get("/v1/log/checkpoint").text

    def entries(self, start: int, end: int) -> list[str]:
        told = self._json("/v1/log/entries", start=start, limit=max(1, min(PAGE, end - start)))
        found = told.get("entries")
        if not isinstance(found, list):
            raise SourceFailed("The gateway's answer has no entries.")
        for at, entry in enumerate(found):
            there = isinstance(entry, dict) and isinstance(entry.get("leaf"), str)
            if not there or entry.get("index") != start + at:
                raise SourceFailed(f"The gateway told entry {start + at} in no order.")
        return [entry["leaf"] for entry in found]

    def inclusion(self, index: int, size: int) -> tuple[bytes, list[bytes]]:
        told = self._json("/v1/log/proof/inclusion", index=index, size=size)
        return _hash(told.get("leaf_hash")), _hashes(told.get("proof"))

    def consistency(self, old: int, size: int) -> tuple[bytes, list[bytes]]:
        told = self._json("/v1/log/proof/consistency", old=old, size=size)
        return _hash(told.get("old_root")), _hashes(told.get("proof"))

    def cosign(self, note: str) -> None:
        """Gives the gateway a cosigned checkpoint."""
        try:
            answer = self._client.post("/v1/log/cosignatures", json={"note": note})
        except httpx.HTTPError as fault:
            raise SourceFailed(f"The gateway does not answer: {fault}") from fault
        if answer.status_code != 200:
            raise SourceFailed(f"The gateway did not take the cosignature: {_why(answer)}")

    def _json(self, path: str, **parameters: int) -> dict[str, Any]:
        told = self._get(path, **parameters).json()
        if not isinstance(told, dict):
            raise SourceFailed("The gateway's answer is not an object.")
        return told

    def _get(self, path: str, **parameters: int) -> httpx.Response:
        try:
            answer = self._client.get(path, params=parameters)
        except httpx.HTTPError as fault:
            raise SourceFailed(f"The gateway does not answer: {fault}") from fault
        if answer.status_code != 200:
            raise SourceFailed(f"The gateway refused {path}: {_why(answer)}")
        if len(answer.content) > ANSWER_BYTES_MAX:
            raise SourceFailed(f"The gateway's answer to {path} is too large.")
        return answer


class DatabaseLog:
    """The log as it lies in the database, past the gateway."""

    def __init__(self, url: str) -> None:
        self._database = Database(url)

    def checkpoint(self) -> str:
        def find(read: Snapshot) -> str:
            found = reading.newest(read)
            if found is None:
                raise SourceFailed("The log has signed nothing yet.")
            return found.note

        return self._database.reads(find)

    def entries(self, start: int, end: int) -> list[str]:
        found = self._database.reads(lambda read: reading.entries(read, start=start, end=min(end, start + PAGE)))
        for at, (seq, _) in enumerate(found):
            if seq != start + at:
                raise SourceFailed(f"Entry {start + at} is missing.")
        return [leaf for _, leaf in found]

    def inclusion(self, index: int, size: int) -> tuple[bytes, list[bytes]]:
        def find(read: Snapshot) -> tuple[bytes, list[bytes]]:
            tree = reading.tiles(read, size)
            return tree.node(0, index), inclusion(tree.node, index, size)

        return self._database.reads(find)

    def close(self) -> None:
        self._database.close()

    def consistency(self, old: int, size: int) -> tuple[bytes, list[bytes]]:
        def find(read: Snapshot) -> tuple[bytes, list[bytes]]:
            tree = reading.tiles(read, size)
            return root(tree.node, old), consistency(tree.node, old, size)

        return self._database.reads(find)


def _hash(told: Any) -> bytes:
    found = decode(told) if isinstance(told, str) else b""
    if len(found) != HASH_BYTES:
        raise SourceFailed("The gateway's answer has no hash where one must be.")
    return found


def _hashes(told: Any) -> list[bytes]:
    if not isinstance(told, Sequence) or isinstance(told, str):
        raise SourceFailed("The gateway's answer has no proof.")
    return [_hash(one) for one in told]


def _why(answer: httpx.Response) -> str:
    try:
        return str(answer.json()["detail"])
    except (ValueError, KeyError, TypeError):
        return f"status {answer.status_code}"
