"""A finished audit as a file, so that the next one goes on from its block.

The file binds the block's hash to the rows and the replay's state at it, and carries its own SHA-256. It says nothing
to anyone but who wrote it: keep it where you keep the pin.
"""

import hashlib
import os
import zlib
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Final

import orjson

from chain.audit.errors import RecordInvalid
from chain.audit.expected import Expected
from chain.mirror.rows.lot_ends import Place
from chain.mirror.rows.row_cache import KEYS, Row

MAGIC: Final = b"moa-audit/3 "
FILE_BYTES_MAX: Final = 2 << 30


@dataclass(frozen=True, slots=True)
class Record:
    """What the next audit needs: where this one ended, the rows at that block, the replay's state."""

    chain_id: int
    genesis_hash: str
    number: int
    hash: str
    rows: dict[str, list[Row]]
    roles: list[list[Any]]
    operations: list[list[Any]]
    spent: list[list[Any]]
    # Every award with its rule and base amount, what came back of awards in parts, and every root.
    awards: list[list[Any]]
    returned: list[list[Any]]
    roots: list[list[Any]]
    # Each lot that an account ever had points of (its end, token, account) and in which block it began.
    lot_ends: list[list[Any]]
    # The second of the block.
    time: int
    replay: str

    def write(self, path: Path) -> str:
        """Writes the file whole or not at all; its SHA-256."""
        packed = zlib.compress(orjson.dumps(asdict(self)), 6)
        digest = hashlib.sha256(packed).hexdigest()
        path.parent.mkdir(parents=True, exist_ok=True)
        aside = path.with_name(f".{path.name}.{os.getpid()}")
        aside.write_bytes(MAGIC + digest.encode() + b"\n" + packed)
        aside.replace(path)
        return digest

    @classmethod
    def read(cls, path: Path) -> "Record":
        """Raises RecordInvalid unless it is a whole file that `write` wrote."""
        try:
            if path.stat().st_size > FILE_BYTES_MAX:
                raise RecordInvalid(f"{path} is larger than a finished audit is.")
            head, _, packed = path.read_bytes().partition(b"\n")
        except OSError as error:
            raise RecordInvalid(f"{path} cannot be read: {error.strerror}.") from error
        if (
            not head.startswith(MAGIC)
            or head[len(MAGIC) :].decode("ascii", "replace") != hashlib.sha256(packed).hexdigest()
        ):
            raise RecordInvalid(
                f"{path} is no finished audit, or was changed: its SHA-256 is another. Audit from the start."
            )
        try:
            unpacking = zlib.decompressobj()
            text = unpacking.decompress(packed, FILE_BYTES_MAX)
            found = cls(**orjson.loads(text))
        except (zlib.error, orjson.JSONDecodeError, TypeError) as error:
            raise RecordInvalid(f"{path} is of another version of this program. Audit from the start.") from error
        if not all(isinstance(getattr(found, name), kind) for name, kind in _PLAIN.items()) or found.number < 0:
            raise RecordInvalid(f"{path} is no finished audit. Audit from the start.")
        return found


# Fields whose type says all about their form.
_PLAIN: Final = {one.name: one.type for one in fields(Record) if isinstance(one.type, type)}


def of(expected: Expected, *, chain_id: int, genesis_hash: str, number: int, hash_: str, replay: bytes) -> Record:
    """The record of an audit that ended at this block."""
    return Record(
        chain_id=chain_id,
        genesis_hash=genesis_hash,
        number=number,
        hash=hash_,
        rows={str(name): list(rows.values()) for name, rows in expected.ledger.rows.items()},
        roles=[[*key, since] for key, since in expected.roles.items()],
        # Words of 256 bits do not fit JSON's numbers everywhere, and neither do the ids of operations.
        operations=[[brand_id, str(index), str(bits)] for (brand_id, index), bits in expected.operations.items()],
        spent=[[*key, str(points)] for key, points in expected.spent.items()],
        awards=[[brand_id, str(each), *map(str, award)] for (brand_id, each), award in expected.awards.items()],
        returned=[[brand_id, str(each), str(base)] for (brand_id, each), base in expected.returned.items()],
        roots=[list(root) for root in sorted(expected.roots)],
        lot_ends=[[*place, block] for place, block in expected.lot_ends.blocks.items()],
        time=expected.time or 0,
        replay=replay.decode(),
    )


def restore(record: Record, expected: Expected) -> None:
    """Puts the record's rows into a new Expected, as if it had folded everything up to the record's block."""
    for name, rows in record.rows.items():
        expected.ledger.rows[name] = {tuple(row[part] for part in KEYS[name]): row for row in rows}
    for row in record.rows["brand_token"]:
        expected.projector.context.add(row["brand_id"], row["token"])
    expected.roles = {(int(role_id), account): since for role_id, account, since in record.roles}
    expected.operations = {(brand_id, int(index)): int(bits) for brand_id, index, bits in record.operations}
    for expires_at, token, account, block in record.lot_ends:
        expected.lot_ends.began(Place(expires_at, token, account), block)
    expected.time = record.time
    expected.spent = {(brand_id, rule_id): int(points) for brand_id, rule_id, points in record.spent}
    expected.awards = {(brand_id, int(each)): (int(rule), int(base)) for brand_id, each, rule, base in record.awards}
    expected.returned = {(brand_id, int(each)): int(base) for brand_id, each, base in record.returned}
    expected.roots = {(brand_id, root) for brand_id, root in record.roots}
