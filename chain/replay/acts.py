"""Which events of a transaction belong to one call, told by the event that names the call.

A call's movements of points and its bookings come before the event that names it, but for awards, claims of old points
and payments at a partner, where they come after. A transfer between two accounts, neither of them 0 or the desk, is a
call of its own, or leaving when `Left` follows.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from chain.contracts.codec import EventLog

ZERO: Final = "0x" + "00" * 20

# Events that never name a call: they wait for the one that does.
WAITING: Final = frozenset(
    {"Transfer", "LotsChanged", "ObligationBooked", "ObligationReduced", "PositionSettled", "ClaimPaid"}
    | {"PaidAtPartner", "HoldPaid", "LotNamed", "DebtChanged", "AwardsCommitted"}
)
# Events that close a call whose other events came before them.
CLOSING: Final = frozenset(
    {"HoldPlaced", "HoldCaptured", "HoldReleased", "HoldRefunded", "Exchanged", "Unwound", "PeriodSettled"}
    | {"BrandDefaulted", "ClaimsPaid", "Returned"}
)
AWARDS: Final = frozenset({"Awarded", "AwardRefused"})
# Lines of an opening: all of a call come first, then their mints.
CLAIMED: Final = "OpeningClaimed"
# Badges of a call.
GIVEN: Final = frozenset({"BadgeGiven", "BadgeRefused"})
MOVES: Final = frozenset({"Transfer", "LotsChanged"})
# What follows the awards of a call: its root, the lot of all, the mints, and what debtors pay of them.
OF_AWARDS: Final = MOVES | {"AwardsCommitted", "LotNamed", "DebtChanged"}
OF_INVITATION: Final = frozenset(
    {"BrandInvited", "PolicyChanged", "RoleGranted", "RoleAdminChanged", "RoleGuardianChanged", "RoleGrantDelayChanged"}
)
# What these belong to, should the event that names it be missing.
UNNAMED: Final = {"PositionSettled": "PeriodSettled", "ClaimPaid": "BrandDefaulted"}
# An invitation's token says one thing, the AccessManager twelve; one more, should something be there twice.
INVITATION_EVENTS_MAX: Final = 13


@dataclass(slots=True)
class Act:
    """One call's events. kind: the event that names it; "Moved": a transfer; "Stray": events that nothing names."""

    kind: str
    logs: list[EventLog] = field(default_factory=list)

    @property
    def named(self) -> EventLog:
        """The event that names the call, or the first of those that nothing names."""
        return next((log for log in self.logs if log.name == self.kind), self.logs[0])


class Reader:
    """Cuts one transaction's logs into acts."""

    def __init__(self, desk: str):
        self._ends = (ZERO, desk)

    def acts(self, logs: Sequence[EventLog]) -> list[Act]:
        """The acts in the order of the chain."""
        found: list[Act] = []
        waiting: list[EventLog] = []
        at = 0
        while at < len(logs):
            log = logs[at]
            if log.name == "Transfer" and self._plain(log):
                act, at = _moved(logs, at)
                found.append(act)
            elif log.name in WAITING:
                waiting.append(log)
                at += 1
            elif log.name in CLOSING:
                act, at = _closed(waiting, logs, at)
                found.append(act)
                waiting = []
            elif log.name == "Left" and waiting and all(each.name == "LotsChanged" for each in waiting):
                found.append(Act("Left", [*waiting, log]))
                waiting, at = [], at + 1
            else:
                _flush(found, waiting)
                waiting = []
                act, at = _opened(logs, at)
                found.append(act)
        _flush(found, waiting)
        return found

    def _plain(self, log: EventLog) -> bool:
        return log.args["from"] not in self._ends and log.args["to"] not in self._ends


def _flush(found: list[Act], waiting: list[EventLog]) -> None:
    """Nothing named these events."""
    if waiting:
        names = {log.name for log in waiting}
        kind = next((kind for name, kind in UNNAMED.items() if name in names), "Stray")
        found.append(Act(kind, waiting))


def _moved(logs: Sequence[EventLog], at: int) -> tuple[Act, int]:
    """A transfer with its lots; leaving, when the next event says so."""
    transfer = logs[at]
    sides = [transfer.args["from"], transfer.args["to"]]
    end = at + 1
    while end < len(logs) and logs[end].name == "LotsChanged" and logs[end].address == transfer.address:
        if logs[end].args["account"] not in sides:
            break
        sides.remove(logs[end].args["account"])
        end += 1
    if end < len(logs) and logs[end].name == "Left" and logs[end].address == transfer.address:
        return Act("Left", list(logs[at : end + 1])), end + 1
    return Act("Moved", list(logs[at:end])), end


def _closed(waiting: list[EventLog], logs: Sequence[EventLog], at: int) -> tuple[Act, int]:
    """What waited, and the event that names it; a payment goes on with the burn at the partner."""
    end = at + 1
    if logs[at].name == "Exchanged":
        paid = end
        while paid < len(logs) and logs[paid].name == "PaidAtPartner":
            paid += 1
        moves = _moves_end(logs, paid)
        if moves < len(logs) and logs[moves].name == "HoldPaid":
            end = moves + 1
        elif paid > end:
            end = moves
        while end < len(logs) and logs[end].name == "HoldPaid":
            end += 1
    return Act(logs[at].name, [*waiting, *logs[at:end]]), end


def _moves_end(logs: Sequence[EventLog], at: int) -> int:
    """The first place from `at` on that is no movement of points."""
    while at < len(logs) and logs[at].name in MOVES:
        at += 1
    return at


def _opened(logs: Sequence[EventLog], at: int) -> tuple[Act, int]:
    """An event that stands alone or before what belongs to it."""
    first = logs[at]
    end = at + 1
    if first.name in AWARDS or first.name == CLAIMED:
        kind, names = (CLAIMED, {CLAIMED}) if first.name == CLAIMED else ("Awarded", AWARDS)
        run = first.args["brandId"], first.args.get("openingId")
        while (
            end < len(logs)
            and logs[end].name in names
            and (logs[end].args["brandId"], logs[end].args.get("openingId")) == run
        ):
            end += 1
        awarded = end
        while end < len(logs) and logs[end].name in OF_AWARDS:
            end += 1
        if end < len(logs) and logs[end].name in CLOSING:
            # The last of these movements may be that call's: each award is one mint, and what its debtor pays.
            end = _minted_end(logs, awarded, end, sum(log.args.get("points", "0") != "0" for log in logs[at:awarded]))
        return Act(kind, list(logs[at:end])), end
    if first.name in GIVEN:
        run = first.args["brandId"], first.args["definitionId"]
        while (
            end < len(logs)
            and logs[end].name in GIVEN
            and (logs[end].args["brandId"], logs[end].args["definitionId"]) == run
        ):
            end += 1
        kind = "BadgeGiven" if any(log.name == "BadgeGiven" for log in logs[at:end]) else first.name
        return Act(kind, list(logs[at:end])), end
    if first.name == "BrandInvited":
        while (
            end < len(logs) and end - at <= INVITATION_EVENTS_MAX + 1 and logs[end].name in OF_INVITATION | {first.name}
        ):
            end += 1
    return Act(first.name, list(logs[at:end])), end


def _minted_end(logs: Sequence[EventLog], at: int, end: int, mints: int) -> int:
    """The end of the first so many mints, each with what its debtor pays."""
    while at < end:
        log = logs[at]
        if log.name == "Transfer" and log.args["from"] == ZERO:
            if mints == 0:
                break
            mints -= 1
        elif pays(logs, at):
            at += 2
        elif at and _of_mint(logs[at - 1], log):
            pass
        elif log.name in MOVES or log.name == "DebtChanged":
            break
        at += 1
    return at


def _of_mint(mint: EventLog, log: EventLog) -> bool:
    """Whether these are the lots of a mint that was not named before: old points."""
    minted = mint.name == "Transfer" and mint.args["from"] == ZERO and mint.address == log.address
    return minted and log.name == "LotsChanged" and log.args["account"] == mint.args["to"]


def pays(logs: Sequence[EventLog], at: int) -> bool:
    """Whether a debtor's payment begins here: a burn, the debt, the lots (SPEC 1.25)."""
    if at + 2 >= len(logs) or logs[at].name != "Transfer" or logs[at].args["to"] != ZERO:
        return False
    account, debt, lots = logs[at].args["from"], logs[at + 1], logs[at + 2]
    return (
        debt.name == "DebtChanged"
        and debt.args["member"] == account
        and lots.name == "LotsChanged"
        and lots.args["account"] == account
    )
