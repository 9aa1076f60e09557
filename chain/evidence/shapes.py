"""The shape of each format: FORMAT.md sections 2 and 3. Every value is text, a list or an object; nothing else.

A shape is a pattern for text, a list [shape, least, most] or an object {field: shape} with exactly these fields.
"""

import re
from typing import Any, Final

EVIDENCE: Final = "moa.evidence/1"
RECEIPT: Final = "moa.receipt/1"
FRAUD: Final = "moa.fraud/1"

HASH: Final = re.compile(r"0x[0-9a-f]{64}")
ADDRESS: Final = re.compile(r"0x[0-9a-f]{40}")
SIGNATURE: Final = re.compile(r"0x[0-9a-f]{128}")
BYTES: Final = re.compile(r"0x[0-9a-f]*")
NUMBER: Final = re.compile(r"0|[1-9][0-9]{0,77}")
WORD: Final = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,63}")
TEXT: Final = re.compile(r"[^\x00-\x09\x0b-\x1f]*")
EXPIRY: Final = re.compile(r"never|0|[1-9][0-9]{0,77}")
YES: Final = re.compile(r"yes|no")
BADGE_KIND: Final = re.compile(r"tier|mission|achievement")
KIND: Final = re.compile(r"rate|fixed|correction")
ROUNDING: Final = re.compile(r"down|nearest|up")
FINALITY: Final = re.compile(r"latest|safe|final")

MANY: Final = 1_000_000
NAMED: Final = {"name": TEXT, "value": TEXT}
LOTS: Final = [{"expires_at": EXPIRY, "points": NUMBER}, 0, 16]
PATH: Final = [HASH, 0, 16]
EVENT: Final = {
    "address": ADDRESS,
    "block": NUMBER,
    "event": WORD,
    "fields": [NAMED, 0, 16],
    "index": NUMBER,
    "log": NUMBER,
}
FIELD: Final = {"index": NUMBER, "name": TEXT, "path": PATH, "salt": HASH, "value": TEXT}

CLAIMS: Final[dict[str, dict[str, Any]]] = {
    "contract": {"address": ADDRESS, "code_hash": HASH, "name": WORD},
    "modules": {
        "clearing_house": ADDRESS,
        "partner_exchange": ADDRESS,
        "redemption_desk": ADDRESS,
        "registry": ADDRESS,
        "reward_rules": ADDRESS,
        "token_implementation": ADDRESS,
    },
    "token": {
        "brand_id": NUMBER,
        "epoch_seconds": NUMBER,
        "grace_seconds": NUMBER,
        "lifetime_epochs": NUMBER,
        "origin": NUMBER,
        "registry": ADDRESS,
        "token": ADDRESS,
    },
    "balance": {"account": ADDRESS, "lots": LOTS, "points": NUMBER, "token": ADDRESS},
    "supply": {"lots": LOTS, "points": NUMBER, "token": ADDRESS},
    "rule": {
        "brand_id": NUMBER,
        "budget": NUMBER,
        "cap_per_award": NUMBER,
        "cap_per_member_day": NUMBER,
        "contract": ADDRESS,
        "denominator": NUMBER,
        "end": NUMBER,
        "kind": KIND,
        "notice_seconds": NUMBER,
        "numerator": NUMBER,
        "rounding": ROUNDING,
        "rule_id": NUMBER,
        "start": NUMBER,
        "text": TEXT,
        "text_hash": HASH,
        "version": NUMBER,
    },
    "operation": {"brand_id": NUMBER, "contract": ADDRESS, "counted": YES, "operation_id": NUMBER},
    "books": {
        "brand_id": NUMBER,
        "collateral": NUMBER,
        "contract": ADDRESS,
        "due": NUMBER,
        "in_default": YES,
        "owed": NUMBER,
    },
    "obligation": {"amount": NUMBER, "contract": ADDRESS, "creditor_id": NUMBER, "debtor_id": NUMBER},
    "event": {"event": EVENT},
    "history": {
        "account": ADDRESS,
        "contracts": [ADDRESS, 1, 64],
        "events": [EVENT, 0, MANY],
        "from_block": NUMBER,
    },
    "memo": {
        "block": NUMBER,
        "brand_id": NUMBER,
        "contract": ADDRESS,
        "fields": [FIELD, 0, 64],
        "index": NUMBER,
        "item": NUMBER,
        "memo_root": HASH,
        "operation_id": NUMBER,
        "path": PATH,
    },
    "badge": {
        "brand_id": NUMBER,
        "contract": ADDRESS,
        "definition_id": NUMBER,
        "given_at": NUMBER,
        "held": YES,
        "kind": BADGE_KIND,
        "level": NUMBER,
        "live": YES,
        "member": ADDRESS,
        "metadata_hash": HASH,
        "valid_until": EXPIRY,
    },
    "list": {
        "accounts": NUMBER,
        "brand_id": NUMBER,
        "chunks": NUMBER,
        "completed_at": NUMBER,
        "contract": ADDRESS,
        "contradicted": YES,
        "poster": ADDRESS,
        "proposal_id": NUMBER,
        "total": NUMBER,
    },
    "tally": {
        "brand_id": NUMBER,
        "contract": ADDRESS,
        "points_abstaining": NUMBER,
        "points_against": NUMBER,
        "points_for": NUMBER,
        "poster": ADDRESS,
        "proposal_id": NUMBER,
        "snapshots": ADDRESS,
        "total": NUMBER,
    },
    "vote": {
        "brand_id": NUMBER,
        "chunk": NUMBER,
        "contract": ADDRESS,
        "counted": YES,
        "member": ADDRESS,
        "path": [HASH, 8, 8],
        "points": NUMBER,
        "position": NUMBER,
        "poster": ADDRESS,
        "proposal_id": NUMBER,
        "snapshots": ADDRESS,
    },
}
CLAIM_SHAPES: Final = {name: {**fields, "type": re.compile(name)} for name, fields in CLAIMS.items()}

SIGNED: Final = [{"key": HASH, "signature": SIGNATURE}, 0, 1]
RECEIPT_BODY: Final = {
    "block_hash": HASH,
    "block_number": NUMBER,
    "chain_id": NUMBER,
    "content": [NAMED, 1, 256],
    "finality": FINALITY,
    "subject": TEXT,
    "version": NUMBER,
}


def _envelope(name: str, body: Any) -> dict[str, Any]:
    return {"body": body, "digest": HASH, "format": re.compile(re.escape(name)), "signed": SIGNED}


ENVELOPES: Final[dict[str, Any]] = {
    EVIDENCE: _envelope(
        EVIDENCE,
        {
            "block": NUMBER,
            "chain_id": NUMBER,
            "claims": [CLAIM_SHAPES, 1, 10_000],
            "headers": [BYTES, 1, MANY],
            "labels": [NAMED, 0, 1_000],
            "nodes": [BYTES, 0, MANY],
        },
    ),
    RECEIPT: _envelope(RECEIPT, RECEIPT_BODY),
    FRAUD: _envelope(FRAUD, {"receipts": [_envelope(RECEIPT, RECEIPT_BODY), 2, 2]}),
}


def fault(value: Any, shape: Any, where: str = "document") -> str | None:
    """Where the value is not of the shape, or None."""
    if isinstance(shape, re.Pattern):
        good = isinstance(value, str) and shape.fullmatch(value) is not None
        # Whole bytes: a pattern that counted pairs would take ten times as long over a megabyte.
        good = good and not (shape is BYTES and len(value) % 2)
        return None if good else f"{where} is not {shape.pattern}"
    if isinstance(shape, list):
        inner, least, most = shape
        if not isinstance(value, list) or not least <= len(value) <= most:
            return f"{where} is not a list of {least} to {most}"
        found = (fault(one, inner, f"{where}[{index}]") for index, one in enumerate(value))
        return next((one for one in found if one), None)
    if not isinstance(value, dict):
        return f"{where} is not an object"
    if shape is CLAIM_SHAPES:
        kind = value.get("type")
        if not isinstance(kind, str) or kind not in CLAIM_SHAPES:
            return f"{where} is a claim of no known type"
        shape = CLAIM_SHAPES[kind]
    if set(value) != set(shape):
        return f"{where} has other fields than {', '.join(sorted(shape))}"
    found = (fault(value[name], shape[name], f"{where}.{name}") for name in shape)
    return next((one for one in found if one), None)
