"""Who holds which role, by what the AccessManager said (SPEC 6.8 to 6.10)."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from chain.model.access import Grant, Kind, Roles

# A caller whom the events do not name: somebody who holds the role asked for.
SOMEBODY: Final = "somebody"
KINDS: Final = tuple(Kind)
ROLES_OF_MOA: Final = 3


@dataclass(frozen=True, slots=True)
class StatedGrant(Grant):
    """A role held; a lower delay waits until `delay_from`, and until then `delay_before_s` holds."""

    delay_from: int = 0
    delay_before_s: int = 0


@dataclass(slots=True)
class StatedRoles(Roles):
    """The model's roles, with the grants of the chain. `now`: second of the block that is replayed."""

    holders: dict[int, dict[str, StatedGrant]] = field(default_factory=dict)
    now: int = 0

    def holds(self, role: int, account: str, at: int) -> bool:
        """As the model; SOMEBODY holds what anyone holds."""
        held = self.holders.get(role, {})
        if account != SOMEBODY:
            return account in held and at >= held[account].since
        return any(at >= grant.since for grant in held.values())

    def delay_s(self, role: int, account: str) -> int:
        """As the model. Of SOMEBODY no announcement can be asked: it names the caller."""
        if account == SOMEBODY:
            return 0
        grant = self.holders[role][account]
        return grant.delay_s if self.now >= grant.delay_from else grant.delay_before_s

    def since(self, role: int, account: str) -> int:
        """As the model, of the chain's grant."""
        return self.holders[role][account].since

    def state(self, role: int, account: str, grant: StatedGrant) -> None:
        """The chain says so."""
        self.holders.setdefault(role, {})[account] = grant

    def take(self, role: int, account: str) -> None:
        """The chain says that it is over."""
        self.holders.get(role, {}).pop(account, None)

    def delays_of(self, account: str, at: int) -> set[int]:
        """The delays of all roles that the account holds."""
        return {self.delay_s(role, account) for role, held in self.holders.items() if account in held
                and at >= held[account].since}  # fmt: skip

    def rows(self) -> Iterator[tuple[int, str, StatedGrant]]:
        """Every role, account and grant."""
        for role, held in sorted(self.holders.items()):
            for account, grant in sorted(held.items()):
                yield role, account, grant
