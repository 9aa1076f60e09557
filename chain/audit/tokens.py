"""Which contracts there are, from proven storage: the deployment's code, the registry's brands, each token's terms."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from chain.audit.errors import PinUnusable
from chain.audit.storage import Storage
from chain.base.difference import STATE, Difference, Where
from chain.base.hashing import keccak
from chain.base.scalars import Address
from chain.contracts import lots
from chain.contracts.deployment import Deployment
from chain.mirror.rows.row_cache import Row
from chain.proofs import hexes, layout

BRANDS_MAX: Final = 100_000
FOLLOWED: Final = (
    "PartnerRegistry",
    "RewardRules",
    "RedemptionDesk",
    "PartnerExchange",
    "ClearingHouse",
    "AccessManager",
)
# Followed where the deployment has it.
LATER: Final = ("OpeningBalances", "Badges", "ProgrammeGovernor", "Snapshots")
CLONED: Final = "LoyaltyToken"
DECIMALS: Final = 2
# ERC-1167: the code of a clone, around the address of what it clones.
CLONE: Final = (bytes.fromhex("363d3d373d3d3d363d73"), bytes.fromhex("5af43d82803e903d91602b57fd5bf3"))


@dataclass(slots=True)
class Contracts:
    """names: contract by address, tokens included. rows: the row of `brand_token` of each token, but for its block."""

    names: dict[str, str] = field(default_factory=dict)
    rows: dict[Address, Row] = field(default_factory=dict)
    clocks: dict[str, lots.Clock] = field(default_factory=dict)
    differences: list[Difference] = field(default_factory=list)

    @property
    def addresses(self) -> list[bytes]:
        """Every address whose events are ours."""
        return [bytes.fromhex(address[2:]) for address in self.names]

    def address(self, contract: str) -> Address:
        """Where one of the followed contracts is."""
        return next(Address(address) for address, name in self.names.items() if name == contract)


def prove(storage: Storage, deployment: Deployment) -> Contracts:
    """The contracts as they are at the pinned block. Raises PinUnusable when they are not there at all."""
    found = Contracts()
    for name in (*FOLLOWED, *(each for each in LATER if each in deployment.contracts)):
        address = deployment.address(name)
        _check_code(storage, found, name, address, bytes.fromhex(deployment.contracts[name].bytecode_hash[2:]))
        found.names[address] = name
    cloned = deployment.address(CLONED)
    _check_code(storage, found, CLONED, cloned, bytes.fromhex(deployment.contracts[CLONED].bytecode_hash[2:]))
    clone = keccak(CLONE[0] + bytes.fromhex(cloned[2:]) + CLONE[1])
    for brand_id, token in _brands(storage, deployment.address("PartnerRegistry")):
        _check_code(storage, found, CLONED, token, clone)
        found.names[token] = CLONED
        _read_terms(storage, found, brand_id, token)
    return found


def _brands(storage: Storage, registry: str) -> Iterator[tuple[int, Address]]:
    slot = layout.place("PartnerRegistry", "brandCount").slot
    count = storage.words(registry, [slot])[slot]
    if count > BRANDS_MAX:
        raise PinUnusable(f"The registry counts {count} brands, more than {BRANDS_MAX}: this is not our registry.")
    places = {brand_id: layout.brand(brand_id, "token") for brand_id in range(1, count + 1)}
    words = storage.words(registry, [place.slot for place in places.values()])
    for brand_id, place in places.items():
        yield brand_id, Address(hexes.shown(place.of(words[place.slot]).to_bytes(20)))


def _read_terms(storage: Storage, found: Contracts, brand_id: int, token: Address) -> None:
    slot = layout.terms()
    terms = layout.unpack(storage.words(token, [slot])[slot], layout.TOKEN_TERMS)
    found.clocks[token] = lots.Clock(
        origin=terms["origin"], epoch_s=terms["epochSeconds"], lifetime_epochs=terms["lifetimeEpochs"]
    )
    found.rows[token] = {
        "token": token,
        "brand_id": str(brand_id),
        "name": storage.text(token, layout.place(CLONED, "_name").slot),
        "symbol": storage.text(token, layout.place(CLONED, "_symbol").slot),
        "decimals": DECIMALS,
        "origin": terms["origin"],
        "epoch_s": terms["epochSeconds"],
        "lifetime_epochs": terms["lifetimeEpochs"],
        "grace_s": terms["graceSeconds"],
        "since_block": 0,
    }


def _check_code(storage: Storage, found: Contracts, name: str, address: str, right: bytes) -> None:
    said = storage.account(address).code_hash
    if said == keccak(b""):
        raise PinUnusable(
            f"There is no {name} at {address} in the pinned block. Pin a block after the deployment, or give the "
            "deployment of this chain."
        )
    if said != right:
        found.differences.append(
            Difference(
                kind=STATE,
                where=Where(block=storage.block, contract=name, address=address),
                what="code",
                said=hexes.shown(said),
                right=hexes.shown(right),
                rule="12.6",
                look=f"eth_getCode of {address}: it is not the code of the deployment's record.",
            )
        )
