"""Acts at the redemption desk."""

from chain.model import lots as lot
from chain.model.desk import HoldRequest, HoldState
from tests.differential.acts.points import PointActs
from tests.differential.chooser import REWARD, Made
from tests.differential.world import DAY, HOUR


class DeskActs(PointActs):
    """Holds and how they end."""

    def hold(self) -> Made:
        brand_id = 99 if self.bad(0.01) else self.brand()
        known = min(brand_id, len(self.world.ledger.tokens))
        member = self.owner_of_points(known)
        until = self.at + int(
            self.some([1, 30, 600, HOUR, 5 * HOUR, DAY, 3 * DAY, 20 * DAY])
            if not self.bad(0.06)
            else self.some([0, -1, 90 * DAY, 90 * DAY + 1, 2**40])
        )
        request = HoldRequest(
            member, brand_id, self.points(known, member), REWARD, until, self.nonce(), self.deadline()
        )
        return "RedemptionDesk", "hold", (request, self.signed(member)), self.caller(member)

    def held(self, *states: HoldState) -> str:
        """The id of a hold in one of these states; at times of another, or of none."""
        holds = self.world.ledger.desk.holds
        if not holds or self.bad(0.02):
            return "0x" + "77" * 32
        if self.edge_holds and HoldState.HELD in states:
            return str(self.some(self.edge_holds))
        fitting = [
            key
            for key, hold in holds.items()
            if hold.state in states
            and (hold.state != HoldState.HELD or hold.hold_until >= self.at or self.bad(0.1))
            and (hold.state != HoldState.CAPTURED or hold.captured > hold.refunded or self.bad(0.02))
        ]
        # Exactly at an epoch's edge: what has just expired comes back with grace, at the narrowest rounding.
        expired = [
            key
            for key in fitting
            if holds[key].brand_id in self.edge_brands
            and lot.gone(holds[key].lots, self.world.ledger.tokens[holds[key].brand_id].clock.epoch(self.at))
        ]
        fitting = expired or fitting
        return str(self.some(fitting if fitting and not self.bad(0.06) else list(holds)))

    def hold_brand(self, hold_id: str) -> int:
        """The brand of a hold, or some brand."""
        hold = self.world.ledger.desk.holds.get(hold_id)
        return hold.brand_id if hold and hold.brand_id else self.brand()

    def capture(self) -> Made:
        hold_id = self.held(HoldState.HELD)
        hold = self.world.ledger.desk.holds.get(hold_id)
        most = hold.points if hold else 5
        points = int(
            self.some([most, most, 1, self.rng.randint(1, max(1, most))])
            if not self.bad(0.08)
            else self.some([0, most + 1, 2**255])
        )
        return "RedemptionDesk", "capture", (hold_id, points), self.staff("till", self.hold_brand(hold_id))

    def release(self) -> Made:
        holds = self.world.ledger.desk.holds
        over = [key for key, hold in holds.items() if hold.state == HoldState.HELD and hold.hold_until < self.at]
        if over and self.bad(0.7):
            return "RedemptionDesk", "release", (self.some(over),), self.payer()
        hold_id = self.held(HoldState.HELD)
        return "RedemptionDesk", "release", (hold_id,), self.staff("till", self.hold_brand(hold_id))

    def refund(self) -> Made:
        hold_id = self.held(HoldState.CAPTURED)
        hold = self.world.ledger.desk.holds.get(hold_id)
        left = hold.captured - hold.refunded if hold else 5
        before = hold.refunded if hold else 0
        points = int(
            self.some([left, 1, max(1, left // 2), self.rng.randint(1, max(1, left))])
            if not self.bad(0.1)
            else self.some([0, left + 1, hold.captured if hold else 1])
        )
        if self.bad(0.05):
            before = int(self.some([0, before + 1]))
        values = hold_id, points, before
        return "RedemptionDesk", "refund", values, self.staff("till", self.hold_brand(hold_id))
