"""Events as claims tell them: a name, and fields as text. The table is the whole of FORMAT.md section 6.

A line is the event's signature and the names of its parameters; `*` marks those in topics. What is not one plain word
(a list, a struct, bytes) comes last and is told as the rest of the data, undecoded. A word with braces holds several
values, told one by one: their names and bits, from the lowest bit up. An event that had another shape once has a line
for each; the last one is that of contracts deployed now.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from chain.base.hashing import keccak_text

TABLE: Final = """
Transfer(address,address,uint256) *from *to value
Approval(address,address,uint256) *owner *spender value
LotsChanged(address,uint256[]) *account words
Left(address,address,uint256) *member *wallet points
AllowListChanged(address,bool) *account allowed
AllowListEnding(address,uint256) *account until
AuthorisationCancelled(address,uint256) *member *nonce
Awarded(uint256,uint256,address,uint256,uint256,uint256,uint256) *brandId *operationId *member ruleId version baseAmount points
Awarded(uint256,uint256,address,uint256) *brandId *operationId *member award{baseAmount:96,points:48,ruleId:32,version:24}
Returned(uint256,uint256,address,uint256,uint256) *brandId *operationId *member returnId amounts{baseAmount:96,standing:48,taken:48,missing:48,owes:1}
DebtChanged(address,uint256) *member debt
AwardRefused(uint256,uint256,address,uint256,bytes) *brandId *operationId *member ruleId reason
HoldPlaced(bytes32,uint256,address,uint256,bytes32,uint256,uint256,uint256[4]) *holdId *brandId *member points rewardId holdUntil nonce lots
HoldCaptured(bytes32,uint256,address,uint256,uint256,uint256,uint256) *holdId *brandId *member captured returned renewed lapsed
HoldReleased(bytes32,uint256,address,bool,uint256,uint256,uint256) *holdId *brandId *member timedOut returned renewed lapsed
HoldRefunded(bytes32,uint256,address,uint256,uint256,uint256,uint256,uint256) *holdId *brandId *member points refundedTotal returned renewed lapsed
HoldPaid(bytes32,uint256,address,uint256,bytes32,uint256[4]) *holdId *brandId *member points rewardId lots
Exchanged(bytes32,uint256,address,uint256,(address,uint256,uint256,uint256,uint256,uint256,uint256,uint256[4])) *exchangeId *agreementId *member nonce exchange
PaidAtPartner(bytes32,bytes32,uint256,bytes32) *exchangeId *holdId price rewardId
Unwound(bytes32,uint256,address,uint256,uint256,uint256,uint256) *exchangeId *agreementId *member pointsBurnt returned renewed lapsed
BadgeGiven(uint256,uint256,address,uint256,uint256,bool) *brandId *operationId *member definitionId validUntil renewed
BadgeRefused(uint256,uint256,address,uint256,bytes) *brandId *operationId *member definitionId reason
BadgeWithdrawn(uint256,uint256,address,uint256) *brandId *operationId *member definitionId
ProposalMade(uint256,address,uint256,(address,bytes)[],(bytes32,bytes32,bytes32,uint256,uint256,uint256,uint256,uint256,uint256,uint256,uint256,uint8)) *proposalId *proposer *brandId proposed
ProposalQueued(uint256,uint256) *proposalId readyAt
ProposalExecuted(uint256) *proposalId
ProposalVetoed(uint256,uint256) *proposalId brandId
SnapshotPosted(uint256,uint256,address,uint256,bytes32[],uint256,bool) *proposalId *brandId *poster firstChunk posted
SnapshotContradicted(uint256,uint256,address,address,uint256,uint256) *proposalId *brandId *poster account stated proven
SnapshotAdopted(uint256,uint256,address,uint256) *proposalId *brandId *poster total
VoteCast(uint256,uint256,address,uint256,uint256,uint256) *proposalId *brandId *member place choice points
VoiceCast(uint256,uint256,uint256) *proposalId *brandId choice
"""  # noqa: E501
UNKNOWN: Final = "Unknown"


@dataclass(frozen=True, slots=True)
class Shape:
    """An event: how many parameters are in topics, and (name, type) of all of them in order."""

    name: str
    indexed: int
    parameters: tuple[tuple[str, str], ...]

    @property
    def words(self) -> int:
        """Plain words of data, and whether more may follow: a last parameter that is told undecoded."""
        return sum(kind in PLAIN for _, kind in self.parameters[self.indexed :])


PLAIN: Final = ("uint256", "bool", "address", "bytes32")


def _shape(line: str) -> tuple[bytes, Shape]:
    signature, *names = line.split()
    name, types = signature[:-1].split("(", 1)
    kinds = types.split(",")[: len(names)]
    indexed = sum(one.startswith("*") for one in names)
    parameters = tuple((one.lstrip("*"), kind) for one, kind in zip(names, kinds, strict=True))
    return keccak_text(signature), Shape(name, indexed, parameters)


def _parts(name: str) -> list[tuple[str, int]]:
    """The values of a word with braces, and their bits."""
    pairs = [one.split(":") for one in name[name.index("{") + 1 : -1].split(",")]
    return [(part, int(count)) for part, count in pairs]


SHAPES: Final = dict(map(_shape, TABLE.strip().splitlines()))
TOPICS: Final = {shape.name: topic for topic, shape in SHAPES.items()}
AWARDED: Final = tuple(topic for topic, shape in SHAPES.items() if shape.name == "Awarded")


def told(topics: Sequence[bytes], data: bytes) -> tuple[str, list[dict[str, str]]]:
    """Name and fields of a log. Raises ValueError when it is not what its first topic says."""
    shape = SHAPES.get(topics[0]) if topics else None
    if shape is None:
        return UNKNOWN, [_field("topics", b"".join(topics)), _field("data", data)]
    plain, tailed = shape.words, shape.words < len(shape.parameters) - shape.indexed
    if len(topics) != 1 + shape.indexed or len(data) < 32 * plain or (not tailed and len(data) != 32 * plain):
        raise ValueError(f"{shape.name} has other topics or data")
    words = [*topics[1:], *(data[at : at + 32] for at in range(0, 32 * plain, 32)), data[32 * plain :]]
    fields = []
    for (name, kind), word in zip(shape.parameters, words, strict=False):
        if "{" in name:
            fields += _apart(shape.name, _parts(name), int.from_bytes(word))
        elif kind in ("uint256", "bool"):
            fields.append({"name": name, "value": str(int.from_bytes(word))})
        else:
            fields.append(_field(name, word[12:] if kind == "address" else word))
    return shape.name, fields


def _apart(event: str, parts: Sequence[tuple[str, int]], whole: int) -> list[dict[str, str]]:
    fields = []
    for name, bits in parts:
        fields.append({"name": name, "value": str(whole & (1 << bits) - 1)})
        whole >>= bits
    if whole:
        raise ValueError(f"{event} holds more than its word has room for")
    return fields


def values(event: dict[str, Any]) -> dict[str, str]:
    """The fields of a told event by name."""
    return {one["name"]: one["value"] for one in event["fields"]}


def words_of(tail: str) -> list[int]:
    """The words of LotsChanged: behind the offset and the count."""
    return [int(tail[at : at + 64], 16) for at in range(2 + 128, len(tail), 64)]


def _field(name: str, data: bytes) -> dict[str, str]:
    return {"name": name, "value": "0x" + data.hex()}
