"""A token's calendar (SPEC 1): epochs since its creation, and the second at which a lot is gone."""

from dataclasses import dataclass
from typing import Final

from chain.model.errors import EpochOutOfRange

FOREVER: Final = 2**256 - 1
EXPIRY_EPOCH_MAX: Final = 5 * 65_536 - 1
DAY_S: Final = 86_400


@dataclass(frozen=True, slots=True)
class Clock:
    """Seconds of origin, epoch and grace; lifetime_epochs 0: the clock stands still and nothing expires."""

    origin: int
    epoch_s: int
    lifetime_epochs: int
    grace_s: int

    @property
    def stands(self) -> bool:
        """Whether points never expire."""
        return self.lifetime_epochs == 0

    def epoch(self, at: int) -> int:
        """The epoch of second `at`."""
        return 0 if self.stands else (at - self.origin) // self.epoch_s

    def expiry_of_mint(self, at: int) -> int:
        """The expiry epoch that points minted at `at` receive."""
        return self.epoch(at) + 1 + self.lifetime_epochs

    @property
    def grace_epochs(self) -> int:
        """Whole epochs of grace: a lot that has its grace lives on in the last lot that ends within it."""
        return self.grace_s // self.epoch_s

    def too_late(self, at: int) -> int:
        """The last expiry epoch whose end and grace have passed at `at`."""
        if self.stands:
            return 0
        return max(0, (at - self.origin - self.grace_s) // self.epoch_s)

    @property
    def least_life_s(self) -> int:
        """How long any point surely lives."""
        return FOREVER if self.stands else self.lifetime_epochs * self.epoch_s

    # --- ERC-7818's words for the same: an epoch names the points that end with those minted in it

    @property
    def epoch_length(self) -> int:
        """Seconds of an epoch; that of points without end does not end."""
        return FOREVER if self.stands else self.epoch_s

    @property
    def validity(self) -> int:
        """In how many epochs points are valid, that of their minting included."""
        return 1 + self.lifetime_epochs

    def is_expired(self, epoch: int, at: int) -> bool:
        """Whether points minted in `epoch` are gone at `at`."""
        return epoch + self.validity <= self.epoch(at)

    def check(self, expiry_epoch: int) -> None:
        """Refuses an expiry epoch at which the token's clock has run out."""
        if expiry_epoch > EXPIRY_EPOCH_MAX:
            raise EpochOutOfRange(expiry_epoch)

    def expires_at(self, expiry_epoch: int) -> int:
        """The first second at which lots of this expiry are gone."""
        return FOREVER if self.stands else self.origin + expiry_epoch * self.epoch_s


def day_of(at: int, start: int = 0) -> int:
    """The day of second `at`, where days begin at second `start` of UTC."""
    return (at - start) // DAY_S
