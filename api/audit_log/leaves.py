"""The bytes of an act in the log: JSON with sorted keys, without spaces, in UTF-8. Texts and whole numbers only.

    {"act":"key.made","actor":"operator/0f…","at":"2026-11-22T02:00:00.000Z","detail":{"brand":"cdnow","role":"brand"},
     "salt":"<32 hex digits>","subject":"key/5f0c2a9b7d31","version":1}

The salt is random, so that a hash of the tree, which anyone may see, tells nothing of the act to who guesses it.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping
from typing import Final

import orjson

from api.audit_log.kinds import KINDS
from api.kit.clock import rfc3339

VERSION: Final = 1
SALT_BYTES: Final = 16
# An entry must fit a bundle of C2SP's tiles.
LEAF_BYTES_MAX: Final = 4_096
_member = re.compile(r"mem_[0-9a-f]{32}", re.ASCII)

Value = str | int


def leaf(act: str, *, at_ms: int, actor: str, subject: str | None, detail: Mapping[str, Value]) -> str:
    """The act's bytes, as text. Nobody's id is in them: members are named by a salted hash before this."""
    kind = KINDS[act]
    assert detail.keys() <= kind.fields, f"{act} has no field {set(detail) - kind.fields}"
    told = orjson.dumps(
        {
            "act": act,
            "actor": actor,
            "at": rfc3339(at_ms),
            "detail": dict(detail),
            "salt": secrets.token_hex(SALT_BYTES),
            "subject": subject or "",
            "version": VERSION,
        },
        option=orjson.OPT_SORT_KEYS,
    )
    assert len(told) <= LEAF_BYTES_MAX, "an act is short"
    text = told.decode()
    assert not _member.search(text), "a member is in the log by a salted hash only"
    return text
