"""A log's side of C2SP's tlog-witness: the newest checkpoint sent to a witness, and its lines put under it."""

from __future__ import annotations

from typing import Final

import httpx

from chain.tlog.checkpoints import unverified
from chain.tlog.errors import NoteMalformed
from chain.tlog.notes import Note
from chain.tlog.submissions import SIZE_MEDIA_TYPE, told
from scripts.cli.log.errors import SourceFailed
from scripts.cli.log.sources import Source

ANSWER_BYTES_MAX: Final = 65_536
# The witness tells the size that it saw last once; that it tells another one again means that others submit too.
ATTEMPTS: Final = 3


def submitted(source: Source, prefix: str, client: httpx.Client) -> str:
    """The newest checkpoint with the witness's lines. Raises SourceFailed with what the witness said."""
    note, old = source.checkpoint(), 0
    size = unverified(note).size
    for _ in range(ATTEMPTS):
        proof = source.consistency(old, size)[1] if 0 < old < size else []
        answer = _sent(client, prefix, told(old, proof, note))
        if answer.status_code == 200:
            return _under(note, answer.text)
        seen = _size(answer)
        if seen is None or seen == old or seen > size:
            raise SourceFailed(f"The witness refused: status {answer.status_code}: {answer.text[:300].strip()}")
        old = seen
    raise SourceFailed(f"The witness saw another size each of {ATTEMPTS} times.")


def _sent(client: httpx.Client, prefix: str, body: str) -> httpx.Response:
    try:
        answer = client.post(f"{prefix.rstrip('/')}/add-checkpoint", content=body.encode())
    except httpx.HTTPError as fault:
        raise SourceFailed(f"The witness does not answer: {fault}") from fault
    if len(answer.content) > ANSWER_BYTES_MAX:
        raise SourceFailed("The witness's answer is too large.")
    return answer


def _size(answer: httpx.Response) -> int | None:
    """The size that a witness saw last, where it tells one."""
    if answer.status_code != 409 or answer.headers.get("content-type") != SIZE_MEDIA_TYPE:
        return None
    told = answer.text.removesuffix("\n")
    return int(told) if told.isascii() and told.isdecimal() and len(told) < 20 else None


def _under(note: str, lines: str) -> str:
    """The note with lines of a witness under it; whose they are is for the reader to verify."""
    try:
        return Note.parse(note + lines).told()
    except NoteMalformed as fault:
        raise SourceFailed(f"The witness answered with no signature lines: {fault}") from None


__all__ = ["submitted"]
