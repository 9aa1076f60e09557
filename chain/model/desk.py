"""Holds: set aside, capture, release, refund (SPEC 3)."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Final

from chain.model import lots as lot
from chain.model.access import Announcements, Kind, Roles, Signature, role_of
from chain.model.call import Call, Journal
from chain.model.errors import (
    AuthorisationExpired,
    AuthorisationUsed,
    CaptureExceedsHold,
    CaptureStopped,
    CaptureTooLate,
    HoldOver,
    HoldRunning,
    HoldStateWrong,
    HoldUnknown,
    HoldUntilWrong,
    PointsMissing,
    RefundExceedsCapture,
    RefundOutOfDate,
    RefundOver,
    RefundWindowWrong,
    SignatureInvalid,
)
from chain.model.ids import nonce_id
from chain.model.lots import Lots
from chain.model.registry import Registry
from chain.model.token import Back, Token

DESK: Final = "RedemptionDesk"
HOLD_S_MAX: Final = 90 * 86_400
REFUND_WINDOW_S: Final = 90 * 86_400
REFUND_WINDOW_S_MAX: Final = 366 * 86_400
REFUND_WINDOW_NOTICE_S: Final = 7 * 86_400
CAPTURE_AFTER_STOP_S: Final = 86_400


class HoldState(IntEnum):
    """Held → captured or released; cancelled: the nonce was voided before it was used."""

    NONE = 0
    HELD = 1
    CAPTURED = 2
    RELEASED = 3
    CANCELLED = 4


@dataclass(frozen=True, slots=True)
class HoldRequest:
    """What a member authorises."""

    member: str
    brand_id: int
    points: int
    reward_id: str
    hold_until: int
    nonce: int
    deadline: int


@dataclass(slots=True)
class Hold:
    """A hold as the desk remembers it; lots: set aside while held, captured and not refunded afterwards."""

    member: str
    brand_id: int
    state: HoldState
    points: int
    captured: int
    refunded: int
    hold_until: int
    lots: Lots
    refund_until: int = 0


@dataclass(frozen=True, slots=True)
class RefundWindow:
    """How long captures may be refunded: `seconds`, and `following` from second `following_at` on."""

    seconds: int
    following: int
    following_at: int

    def at(self, at: int) -> int:
        """The window of a capture at second `at`."""
        return self.following if at >= self.following_at else self.seconds


@dataclass(slots=True)
class Desk:
    """All holds by id, and the brands' refund windows."""

    registry: Registry
    tokens: dict[int, Token]
    roles: Roles
    journal: Journal
    holds: dict[str, Hold] = field(default_factory=dict)
    windows: dict[int, RefundWindow] = field(default_factory=dict)
    announcements: Announcements = field(init=False)

    def __post_init__(self) -> None:
        self.announcements = Announcements(DESK, self.roles, self.journal)

    # --- reading

    def hold_of(self, hold_id: str) -> Hold:
        """The hold, or HoldUnknown."""
        if hold_id not in self.holds:
            raise HoldUnknown(hold_id)
        return self.holds[hold_id]

    def held_of(self, brand_id: int, member: str) -> int:
        """What the member's open holds set aside, expired or not."""
        return sum(
            hold.points
            for hold in self.holds.values()
            if hold.state == HoldState.HELD and (hold.brand_id, hold.member) == (brand_id, member)
        )

    def refund_window_of(self, brand_id: int, at: int) -> int:
        """The refund window that a capture of the brand carries at second `at`, in seconds."""
        window = self.windows.get(brand_id)
        return window.at(at) if window else REFUND_WINDOW_S

    # --- the brand's owner

    def announce_refund_window(self, call: Call, brand_id: int, refund_s: int) -> int:
        """The window of captures from a week on; the first second of it."""
        self.registry.brand_of(brand_id)
        use = self.announcements.check(call, role_of(brand_id, Kind.OWNER))
        if refund_s > REFUND_WINDOW_S_MAX:
            raise RefundWindowWrong(refund_s, REFUND_WINDOW_S_MAX)

        use()
        in_force_at = call.at + REFUND_WINDOW_NOTICE_S
        self.windows[brand_id] = RefundWindow(self.refund_window_of(brand_id, call.at), refund_s, in_force_at)
        self.journal.say(DESK, "RefundWindowAnnounced", brand_id, refund_s, in_force_at)
        return in_force_at

    # --- the member

    def hold(self, call: Call, request: HoldRequest, signature: Signature) -> str:
        """Sets the member's oldest points aside; the hold's id."""
        hold_id = nonce_id(request.member, request.nonce)
        if call.at > request.deadline:
            raise AuthorisationExpired(request.deadline, call.at)
        if hold_id in self.holds:
            raise AuthorisationUsed(request.member, request.nonce)
        if call.by != request.member and signature != request.member:
            raise SignatureInvalid(request.member)
        self.registry.brand_of(request.brand_id)
        if request.points == 0:
            raise PointsMissing()
        if not call.at < request.hold_until <= call.at + HOLD_S_MAX:
            raise HoldUntilWrong(request.hold_until, call.at + 1, call.at + HOLD_S_MAX)
        token = self.tokens[request.brand_id]
        token.check_balance(request.member, request.points, call.at)

        taken = token.set_aside(request.member, request.points, call.at)
        self.holds[hold_id] = Hold(
            member=request.member,
            brand_id=request.brand_id,
            state=HoldState.HELD,
            points=request.points,
            captured=0,
            refunded=0,
            hold_until=request.hold_until,
            lots=taken,
        )
        self.journal.say(
            DESK,
            "HoldPlaced",
            hold_id,
            request.brand_id,
            request.member,
            request.points,
            request.reward_id,
            request.hold_until,
            request.nonce,
            lot.packed(taken),
        )
        return hold_id

    def cancel_authorisation(self, call: Call, nonce: int) -> None:
        """The member voids a nonce of its own that no hold has used."""
        hold_id = nonce_id(call.by, nonce)
        if hold_id in self.holds:
            raise AuthorisationUsed(call.by, nonce)
        self.holds[hold_id] = Hold(call.by, 0, HoldState.CANCELLED, 0, 0, 0, 0, {})
        self.journal.say(DESK, "AuthorisationCancelled", call.by, nonce)

    # --- the till

    def capture(self, call: Call, hold_id: str, points: int) -> Back:
        """Burns the hold's oldest points as they were set aside and gives the rest back."""
        hold = self.hold_of(hold_id)
        use = self.announcements.check(call, role_of(hold.brand_id, Kind.TILL))
        since = self.registry.stopped_since(hold.brand_id)
        if since and call.at >= since + CAPTURE_AFTER_STOP_S:
            raise CaptureStopped(hold_id, since + CAPTURE_AFTER_STOP_S)
        self._check_state(hold_id, hold, HoldState.HELD)
        if call.at > hold.hold_until:
            raise HoldOver(hold_id, hold.hold_until)
        if points == 0:
            raise PointsMissing()
        if points > hold.points:
            raise CaptureExceedsHold(points, hold.points)
        token = self.tokens[hold.brand_id]
        in_time = lot.live(hold.lots, token.clock.too_late(call.at))
        if points > lot.total(in_time):
            raise CaptureTooLate(hold_id, points, lot.total(in_time))
        captured = lot.oldest(in_time, points)
        rest = lot.minus(hold.lots, captured)

        use()
        hold.state, hold.captured, hold.lots = HoldState.CAPTURED, points, captured
        hold.refund_until = call.at + self.refund_window_of(hold.brand_id, call.at)
        token.burn_aside(captured, call.at)
        back = self._give_back(token, hold.member, rest, call.at)
        self.journal.say(
            DESK,
            "HoldCaptured",
            hold_id,
            hold.brand_id,
            hold.member,
            points,
            back.returned,
            back.renewed,
            back.lapsed,
        )
        return back

    def release(self, call: Call, hold_id: str) -> Back:
        """Gives the whole hold back: the till at any time, anyone after the hold's last second."""
        hold = self.hold_of(hold_id)
        timed_out = call.at > hold.hold_until
        till = role_of(hold.brand_id, Kind.TILL)
        if not timed_out and not self.roles.holds(till, call.by, call.at):
            raise HoldRunning(hold_id, hold.hold_until)
        self._check_state(hold_id, hold, HoldState.HELD)
        use = None if timed_out else self.announcements.check(call, till)
        token = self.tokens[hold.brand_id]

        if use is not None:
            use()
        lots, hold.state, hold.lots = hold.lots, HoldState.RELEASED, {}
        back = self._give_back(token, hold.member, lots, call.at)
        self.journal.say(
            DESK,
            "HoldReleased",
            hold_id,
            hold.brand_id,
            hold.member,
            timed_out,
            back.returned,
            back.renewed,
            back.lapsed,
        )
        return back

    def refund(self, call: Call, hold_id: str, points: int, refunded_before: int) -> Back:
        """Gives captured points back, the newest captured lots first."""
        hold = self.hold_of(hold_id)
        use = self.announcements.check(call, role_of(hold.brand_id, Kind.TILL))
        self.registry.check_issuing(hold.brand_id)
        self._check_state(hold_id, hold, HoldState.CAPTURED)
        if call.at > hold.refund_until:
            raise RefundOver(hold_id, hold.refund_until)
        if points == 0:
            raise PointsMissing()
        if refunded_before != hold.refunded:
            raise RefundOutOfDate(refunded_before, hold.refunded)
        if points > hold.captured - hold.refunded:
            raise RefundExceedsCapture(points, hold.captured - hold.refunded)
        token = self.tokens[hold.brand_id]
        back_lots = lot.newest(hold.lots, points)
        token.check_back(hold.member, back_lots, call.at, graced=True)

        use()
        hold.lots = lot.minus(hold.lots, back_lots)
        hold.refunded += points
        back = token.restore(hold.member, back_lots, call.at, graced=True)
        self.journal.say(
            DESK,
            "HoldRefunded",
            hold_id,
            hold.brand_id,
            hold.member,
            points,
            hold.refunded,
            back.returned,
            back.renewed,
            back.lapsed,
        )
        return back

    # --- the exchange

    def pay(self, call: Call, hold_id: str, brand_id: int, member: str, points: int, reward_id: str) -> None:
        """Redeems at once at the receiving brand of an exchange: captured in the same second."""
        taken = self.tokens[brand_id].burn(member, points, call.at)
        self.holds[hold_id] = Hold(
            member=member,
            brand_id=brand_id,
            state=HoldState.CAPTURED,
            points=points,
            captured=points,
            refunded=0,
            hold_until=call.at,
            lots=taken,
            refund_until=call.at + self.refund_window_of(brand_id, call.at),
        )
        self.journal.say(DESK, "HoldPaid", hold_id, brand_id, member, points, reward_id, lot.packed(taken))

    def _give_back(self, token: Token, member: str, lots: Mapping[int, int], at: int) -> Back:
        return token.give_back(member, lots, at) if lots else Back(0, 0, 0)

    def _check_state(self, hold_id: str, hold: Hold, state: HoldState) -> None:
        if hold.state != state:
            raise HoldStateWrong(hold_id, hold.state)
