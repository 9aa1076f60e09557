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
