"""The signature of an export: a note of C2SP's signed-note, by the log's key, over the manifest's digest.

    moa-export/3
    block <chain id> <number> <hash>
    sha256 <hex of manifest.json>

The manifest has the digests of all files, so one signature covers every byte. No checkpoint of a log is such a text:
its second line is a size.
"""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from chain.reports.errors import Problem
from chain.tlog.errors import TlogError
from chain.tlog.notes import NOTE_BYTES_MAX, NoteSigner, Verifier, open_note, sign

NOTE: Final = "manifest.note"


def digest(manifest: bytes) -> str:
    """What an act of the log says of an export."""
    return hashlib.sha256(manifest).hexdigest()


def text(raw: bytes, manifest: dict[str, Any]) -> str:
    """What is signed of a manifest's bytes."""
    block = manifest["block"]
    chain_id = manifest["chain"].get("chain_id", 0)
    return f"{manifest['format']}\nblock {chain_id} {block['number']} {block['hash']}\nsha256 {digest(raw)}\n"


def seal(raw: bytes, manifest: dict[str, Any], signers: Sequence[NoteSigner]) -> bytes:
    """The signed note of a manifest."""
    return sign(text(raw, manifest), *signers).encode()


def check(folder: Path, raw: bytes, manifest: dict[str, Any], log: Verifier) -> list[Problem]:
    """Why the log's key did not sign this manifest; nothing when it did."""
    path = folder / NOTE
    if not path.is_file() or path.stat().st_size > NOTE_BYTES_MAX:
        return [Problem(NOTE, "signature", "missing", f"signed by {log.name}")]
    try:
        said = open_note(path.read_bytes().decode(), [log]).text
    except (TlogError, UnicodeDecodeError) as fault:
        return [Problem(NOTE, "signature", f"{type(fault).__name__}: {fault}", f"signed by {log.name}")]
    right = text(raw, manifest)
    return [] if said == right else [Problem(NOTE, "what is signed", said, right)]
