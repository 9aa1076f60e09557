"""A member's live badges, as the contract itself tells them in one block."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from chain.base.errors import AnswerInconsistent
from chain.base.scalars import Address, BlockHash, RegistryId
from chain.contracts.deployment import Deployment
from chain.node.rpc import Rpc

CONTRACT: Final = "Badges"
CALLS_AT_ONCE: Final = 100
KINDS: Final = ("tier", "mission", "achievement")
# By their roles' kinds (SPEC 6.8).
GIVERS: Final = {1: "owner", 2: "issuer", 3: "till"}
# A badge without a validity ends at uint256's last second.
NEVER: Final = 2**256 - 1


@dataclass(frozen=True, slots=True)
class LiveBadge:
    """A badge; valid_until: the first second in which it is no longer valid, None: it stays."""

    brand: RegistryId
    token_id: int
    definition: int
    kind: str
    level: int
    given_at: int
    valid_until: int | None
    metadata_hash: str


@dataclass(frozen=True, slots=True)
class Definition:
    """What a brand published of a kind of badge, and how many were given under it. giver: owner, issuer or till."""

    number: int
    kind: str
    giver: str
    level: int
    withdrawable: bool
    limit: int
    given: int
    end: int
    valid_s: int
    metadata_hash: str


@dataclass(frozen=True, slots=True)
class Defined:
    """Definitions of a brand, in a block; more: whether others follow."""

    block_number: int
    block_hash: BlockHash
    time: int
    definitions: tuple[Definition, ...]
    more: bool


@dataclass(frozen=True, slots=True)
class Held:
    """All live badges of a member at some brands, in a block."""

    block_number: int
    block_hash: BlockHash
    badges: tuple[LiveBadge, ...]


def held(rpc: Rpc, deployment: Deployment, *, brands: Sequence[RegistryId], member: Address) -> Held:
    """The member's live badges at these brands now, brand by brand; none where the deployment has no badges."""
    newest = rpc.call("eth_getBlockByNumber", "latest", False)
    number = str(newest["number"])
    found: list[LiveBadge] = []
    asked = brands if CONTRACT in deployment.contracts else ()
    for first in range(0, len(asked), CALLS_AT_ONCE):
        some = asked[first : first + CALLS_AT_ONCE]
        for brand, answer in zip(
            some, rpc.batch([_call(deployment, each, member, number) for each in some]), strict=True
        ):
            found += _badges(deployment, brand, answer)
    return Held(int(number, 16), BlockHash(newest["hash"]), tuple(found))


def defined(rpc: Rpc, deployment: Deployment, *, brand: RegistryId, after: int, limit: int) -> Defined:
    """A brand's definitions with numbers above `after`, at most `limit`, as they stand in the newest block."""
    newest = rpc.call("eth_getBlockByNumber", "latest", False)
    block, time = str(newest["number"]), int(str(newest["timestamp"]), 16)
    if CONTRACT not in deployment.contracts:
        return Defined(int(block, 16), BlockHash(newest["hash"]), time, (), more=False)
    where = deployment.address(CONTRACT)

    def asked(function: str, *values: object) -> tuple[str, list[object]]:
        data = "0x" + deployment.codec.calldata(CONTRACT, function, *values).hex()
        return "eth_call", [{"to": where, "data": data}, block]

    method, values = asked("definitionCount", brand)
    count = int(deployment.codec.result(CONTRACT, "definitionCount", rpc.call(method, *values)))
    wanted = range(after + 1, min(count, after + limit) + 1)
    found: list[Definition] = []
    for first in range(0, len(wanted), CALLS_AT_ONCE):
        some = wanted[first : first + CALLS_AT_ONCE]
        answers = rpc.batch([asked("definitionOf", brand, number) for number in some])
        found += [_definition(deployment, number, answer) for number, answer in zip(some, answers, strict=True)]
    more = count > after + limit
    return Defined(int(block, 16), BlockHash(newest["hash"]), time, tuple(found), more)


def definition(rpc: Rpc, deployment: Deployment, *, brand: RegistryId, number: int) -> tuple[int, Definition]:
    """The newest block's second, and a definition in it. Raises Reverted with DefinitionUnknown."""
    newest = rpc.call("eth_getBlockByNumber", "latest", False)
    data = "0x" + deployment.codec.calldata(CONTRACT, "definitionOf", brand, number).hex()
    asked = {"to": deployment.address(CONTRACT), "data": data}
    answer = rpc.call("eth_call", asked, str(newest["number"]))
    return int(str(newest["timestamp"]), 16), _definition(deployment, number, answer)


def _definition(deployment: Deployment, number: int, answer: str) -> Definition:
    told, given = deployment.codec.result(CONTRACT, "definitionOf", answer)
    try:
        return Definition(
            number=number,
            kind=KINDS[int(told["kind"])],
            giver=GIVERS[int(told["giver"])],
            level=int(told["level"]),
            withdrawable=bool(told["withdrawable"]),
            limit=int(told["limit"]),
            given=int(given),
            end=int(told["end"]),
            valid_s=int(told["validSeconds"]),
            metadata_hash=told["metadataHash"],
        )
    except (IndexError, KeyError) as error:
        raise AnswerInconsistent(f"The node tells a definition that there cannot be: {told}") from error


def _call(deployment: Deployment, brand: RegistryId, member: Address, block: str) -> tuple[str, list[object]]:
    data = deployment.codec.calldata(CONTRACT, "liveBadgesOf", brand, member)
    return "eth_call", [{"to": deployment.address(CONTRACT), "data": "0x" + data.hex()}, block]


def _badges(deployment: Deployment, brand: RegistryId, answer: str) -> list[LiveBadge]:
    told = deployment.codec.result(CONTRACT, "liveBadgesOf", answer)
    try:
        return [
            LiveBadge(
                brand=brand,
                token_id=int(one["tokenId"]),
                definition=int(one["definitionId"]),
                kind=KINDS[int(one["kind"])],
                level=int(one["level"]),
                given_at=int(one["givenAt"]),
                valid_until=None if int(one["validUntil"]) == NEVER else int(one["validUntil"]),
                metadata_hash=one["metadataHash"],
            )
            for one in told
        ]
    except IndexError as error:
        raise AnswerInconsistent(f"The node tells a badge of a kind that there is not: {told}") from error
