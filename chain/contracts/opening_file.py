"""The file of an opening (`moa-opening/1`, contracts/OPENINGS.md): its lines, their root, the schedule they make up."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import orjson

from chain.base.errors import ArgumentInvalid
from chain.base.hashing import keccak
from chain.model import lots as packing
from chain.model import merkle
from chain.model.openings import LINES_MAX, Line

# A line of sixteen lots of the longest numbers has some 600 bytes.
LINE_BYTES_MAX: Final = 1_024
LOTS_MAX: Final = 16
EPOCH: Final = re.compile(r"[1-9][0-9]{0,5}")
POINTS: Final = re.compile(r"[1-9][0-9]{0,14}")
MEMBER: Final = re.compile(r"0x[0-9a-f]{40}")


@dataclass(frozen=True)
class OpeningFile:
    """The lines of a file, in its order, and what is committed of them."""

    lines: Sequence[Line]
    file_hash: str

    @cached_property
    def places(self) -> list[bytes]:
        """The tree; place 0 is the root."""
        return merkle.tree([line.leaf() for line in self.lines])

    @property
    def root(self) -> str:
        """What the brand commits."""
        return "0x" + self.places[0].hex()

    @cached_property
    def schedule(self) -> dict[int, int]:
        """Points by expiry epoch, over all lines."""
        total: dict[int, int] = {}
        for line in self.lines:
            for epoch, points in packing.unpacked(line.lots).items():
                total[epoch] = total.get(epoch, 0) + points
        return dict(sorted(total.items()))

    @cached_property
    def packed_schedule(self) -> tuple[int, ...]:
        """The schedule as the contract takes it."""
        return packing.packed(self.schedule)

    def proof(self, index: int) -> list[str]:
        """The siblings of a line up to the root."""
        return ["0x" + sibling.hex() for sibling in merkle.proof(self.places, index)]

    def multiproof(self, indexes: Sequence[int]) -> tuple[list[str], list[bool]]:
        """Siblings and flags of several lines, ascending and without repetition."""
        siblings, flags = merkle.multiproof(self.places, indexes)
        return ["0x" + sibling.hex() for sibling in siblings], flags


def read(content: bytes) -> OpeningFile:
    """The file that these bytes are. Raises ArgumentInvalid with the line that is none."""
    if not content.endswith(b"\n"):
        raise ArgumentInvalid("An opening's file ends with a line feed, and has a line at least.")
    texts = content[:-1].split(b"\n")
    if len(texts) > LINES_MAX:
        raise ArgumentInvalid(f"An opening's file has at most {LINES_MAX} lines, not {len(texts)}.")
    lines = [_line(index, text) for index, text in enumerate(texts)]
    found = OpeningFile(lines, "0x" + keccak(content).hex())
    try:
        assert found.packed_schedule
    except AssertionError as error:
        raise ArgumentInvalid("The lots of an opening lie within sixteen epochs.") from error
    return found


def write(balances: Iterable[tuple[str, Mapping[int, int]]]) -> bytes:
    """The bytes of a file of members (lower-case 0x) and their points by expiry epoch, in this order."""
    return b"".join(
        orjson.dumps(
            {"index": index, "member": member, "lots": {str(epoch): str(lots[epoch]) for epoch in sorted(lots)}}
        )
        + b"\n"
        for index, (member, lots) in enumerate(balances)
    )


def _line(index: int, text: bytes) -> Line:
    try:
        if len(text) > LINE_BYTES_MAX:
            raise ValueError(f"{len(text)} bytes")
        found = orjson.loads(text)
        if list(found) != ["index", "member", "lots"] or found["index"] != index:
            raise ValueError("index, member and lots, in this order, and indexes from 0 up")
        if not MEMBER.fullmatch(found["member"]):
            raise ValueError("the member is 0x and 40 hex digits in lower case")
        lots = _lots(found["lots"])
        # One way to write a line: else one file could be read as two.
        if text + b"\n" != write([(found["member"], lots)]).replace(b'"index":0', b'"index":%d' % index, 1):
            raise ValueError("no spaces, epochs ascending")
        return Line(index, found["member"], packing.packed(lots))
    except (ValueError, TypeError, AttributeError, AssertionError) as error:
        raise ArgumentInvalid(f"Line {index} of the opening's file is none: {error}.") from error


def _lots(found: Mapping[str, str]) -> dict[int, int]:
    if not 1 <= len(found) <= LOTS_MAX:
        raise ValueError(f"1 to {LOTS_MAX} lots")
    for epoch, points in found.items():
        if not EPOCH.fullmatch(epoch) or not POINTS.fullmatch(points) or int(points) > packing.LOT_POINTS_MAX:
            raise ValueError("lots are base units by expiry epoch, whole numbers in text")
    return {int(epoch): int(points) for epoch, points in found.items()}
