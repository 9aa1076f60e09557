"""What a member needs to vote: the proposal as the governor tells it, and which list of balances was adopted."""

from dataclasses import dataclass
from typing import Any, Final

from chain.base.scalars import Address, BlockHash, RegistryId
from chain.contracts.deployment import Deployment
from chain.node.rpc import Rpc

GOVERNOR: Final = "ProgrammeGovernor"
SNAPSHOTS: Final = "Snapshots"
NOBODY: Final = "0x" + "00" * 20
# By their numbers in the contract.
CHOICES: Final = ("against", "for", "abstain")
OPEN: Final = 1


@dataclass(frozen=True, slots=True)
class Ground:
    """Of a brand in a proposal: the block whose balances count, until when is voted, whether
    it is open still, and the adopted list: who posted it (None: none is adopted), and its sum."""

    block_number: int
    block_hash: BlockHash
    voted_until: int
    open: bool
    poster: Address | None
    total: int


def ground(rpc: Rpc, deployment: Deployment, *, proposal: int, brand: RegistryId) -> Ground:
    """Raises Reverted with ProposalUnknown or BrandNotAsked."""
    # A proposal that does not ask this brand is refused by name, which tallies would not do.
    _ask(rpc, deployment, GOVERNOR, "groundOf", proposal, brand)
    shown = _ask(rpc, deployment, GOVERNOR, "proposalOf", proposal)
    poster, total = _ask(rpc, deployment, SNAPSHOTS, "adoptedOf", proposal, brand)
    return Ground(
        block_number=int(shown["blockNumber"]),
        block_hash=BlockHash(shown["blockHash"]),
        voted_until=int(shown["votedUntil"]),
        open=int(shown["state"]) == OPEN,
        poster=None if poster == NOBODY else Address(poster),
        total=int(total),
    )


def chunk_root(
    rpc: Rpc, deployment: Deployment, *, proposal: int, brand: RegistryId, poster: Address, chunk: int
) -> bytes:
    """The root of a chunk of somebody's list; zeros where there is none."""
    found: str = _ask(rpc, deployment, SNAPSHOTS, "chunkOf", proposal, brand, poster, chunk)
    return bytes.fromhex(found[2:])


def has_voted(rpc: Rpc, deployment: Deployment, *, proposal: int, brand: RegistryId, place: tuple[int, int]) -> bool:
    """Whether the vote at (chunk, position) of the adopted list has counted."""
    return bool(_ask(rpc, deployment, GOVERNOR, "hasVoted", proposal, brand, *place))


def _ask(rpc: Rpc, deployment: Deployment, contract: str, function: str, *values: object) -> Any:
    data = "0x" + deployment.codec.calldata(contract, function, *values).hex()
    answer = rpc.call("eth_call", {"to": deployment.address(contract), "data": data}, "latest")
    return deployment.codec.result(contract, function, answer)
