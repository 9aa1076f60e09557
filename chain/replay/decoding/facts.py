"""What the replay must be told: where Moa's contracts are, a token's calendar, and who sent a transaction."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from chain.model.proposals import GovernorTerms

TOKEN: Final = "LoyaltyToken"  # noqa: S105
GOVERNOR: Final = "ProgrammeGovernor"


@dataclass(frozen=True, slots=True)
class TokenTerms:
    """What no event says of a token: seconds of its epochs, grace and origin; its name, by which members sign."""

    epoch_s: int
    lifetime_epochs: int
    grace_s: int
    origin: int
    name: str = ""


@dataclass(frozen=True, slots=True)
class Facts:
    """The deployment. Addresses are lower-case 0x text; `terms` answers for the address of a token."""

    registry: str
    rules: str
    desk: str
    exchange: str
    house: str
    authority: str
    implementation: str
    chain_id: int
    terms: Callable[[str], TokenTerms]
    # A deployment from before opening balances, badges and votes has none.
    openings: str = ""
    badges: str = ""
    governor: str = ""
    snapshots: str = ""
    # Without these, votes are told and not counted again.
    timelock: str = ""
    votes: GovernorTerms | None = None

    def labels(self) -> dict[str, str]:
        """The contracts' names by address, as the model's journal calls them."""
        found = {
            self.registry: "PartnerRegistry",
            self.rules: "RewardRules",
            self.desk: "RedemptionDesk",
            self.exchange: "PartnerExchange",
            self.house: "ClearingHouse",
            self.authority: "Authority",
        }
        later = {
            self.openings: "OpeningBalances",
            self.badges: "Badges",
            self.governor: GOVERNOR,
            self.snapshots: "Snapshots",
        }
        return found | {address: name for address, name in later.items() if address}


@dataclass(frozen=True, slots=True)
class Sent:
    """The transaction behind the events: who signed it, whom it called and with what."""

    by: str
    to: str | None
    data: bytes
