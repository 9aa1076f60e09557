"""Turns the events of a block into entries of accounts and into the rows that change with them.

Pure but for the ledger it is given: equal events and rows give equal results. Each business event makes its own
entries and claims the ERC-20 Transfers that carried it; what no event claims is a plain transfer. Balances take no
arithmetic: a LotsChanged event shows the words that lie in storage after the change; only what a batch of awards mints
is added to the lot that the batch names once.

Points end without an event. The first block whose time reaches a lot's end begins with an entry for each account that
had any left, before the block's own logs: without transaction, and with a log index below 0, which counts back from
the newest epoch that ended (-1).
"""

from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any, Final

from chain.base.scalars import Address
from chain.contracts import lots
from chain.contracts.codec import EventLog
from chain.contracts.named_lots import NamedLots
from chain.mirror.rows.lot_ends import LotEnds, Place
from chain.mirror.rows.row_cache import Row, RowCache

ZERO: Final = Address("0x" + "00" * 20)
ALL_BRANDS: Final = "0"
EXPIRY: Final = "expire"
# Where a chain's time goes back, what had ended lives again.
EXPIRY_UNDONE: Final = "expire_undone"
TIMELY_KINDS: Final = (EXPIRY, EXPIRY_UNDONE)
# Entries that one block's time made are handed on when there are so many.
ENTRIES_HELD_MAX: Final = 4_000


@dataclass(slots=True)
class Context:
    """Addresses the fold must tell apart, and the terms of tokens that are new in this range."""

    desk: Address
    # token address by brand id (decimal text), and the reverse
    tokens: dict[str, Address]
    token_rows: Mapping[Address, Row]
    brands: dict[Address, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.brands = {token: brand_id for brand_id, token in self.tokens.items()}

    def add(self, brand_id: str, token: Address) -> None:
        """A token to follow from here on."""
        self.tokens[brand_id] = token
        self.brands[token] = brand_id


def event_row(log: EventLog) -> Row:
    """The row of `ledger_event` that a log gives."""
    return {
        "block_number": log.block_number,
        "log_index": log.log_index,
        "block_hash": log.block_hash,
        "tx_hash": log.tx_hash,
        "tx_index": log.tx_index,
        "address": log.address,
        "contract": log.contract,
        "name": log.name,
        "args": log.args,
    }


class Projector:
    """Folds logs, in the order of the chain, into a ledger; collects entries."""

    def __init__(
        self,
        ledger: RowCache,
        context: Context,
        lot_ends: LotEnds,
        hand_on: Callable[[list[Row]], None] | None = None,
    ):
        """hand_on: takes entries before there are too many of one block; what is left stands in `entries`."""
        self.ledger = ledger
        self.context = context
        self.lot_ends = lot_ends
        self.entries: list[Row] = []
        self._hand_on = hand_on
        self._clocks: dict[str, lots.Clock] = {}
        # The second at which a token's expiry epoch ends, None for never.
        self._ends: dict[tuple[str, int], int | None] = {}
        self._time = 0
        # What came to and went from each token's expiry epochs within the block.
        self._moved: dict[tuple[str, int], int] = {}
        # What the last LotsChanged brought and took: token, account, points by expiry epoch.
        self._gained: tuple[Address, Address, dict[int, int]] = (ZERO, ZERO, {})
        self._transfers: dict[tuple[Address, Address, Address], deque[EventLog]] = {}
        self._named = NamedLots()

    def block(self, logs: Iterable[EventLog], block_time: int) -> None:
        """All logs of one block."""
        self._time = block_time
        for _, group in groupby(logs, key=lambda log: log.tx_index):
            self._transaction(list(group))
        self._put_supply_lots()

    def pass_time(self, before: int, *, number: int, block_hash: str, time: int) -> None:
        """From one block's second to the next block's: whatever ended in between. Comes before the block's logs."""
        for page in self.lot_ends.passed(before, time):
            for place, words in page:
                row = self.ledger.known("balance", place.token, place.account)
                held = row["lots"] if row is not None else words or lots.EMPTY
                clock = self._clock(place.token)
                expiry = (place.expires_at - clock.origin) // clock.epoch_s
                points = lots.points_of(held, expiry)
                if points:
                    ended = time > before
                    self.entries.append(
                        {
                            "token": place.token,
                            "account": place.account,
                            "kind": EXPIRY if ended else EXPIRY_UNDONE,
                            "points": str(-points if ended else points),
                            "held": "0",
                            "tx_hash": None,
                            "block_number": number,
                            "block_hash": block_hash,
                            "block_time": time,
                            "log_index": -1 - abs(clock.epoch(time) + (0 if ended else 1) - expiry),
                            "contract": place.token,
                            "brand_id": self.context.brands.get(place.token),
                            "operation_id": None,
                            "detail": {"expiry_epoch": str(expiry), "expires_at": str(place.expires_at)},
                        }
                    )
            if self._hand_on is not None and len(self.entries) >= ENTRIES_HELD_MAX:
                self._hand_on(self.entries)
                self.entries = []

    def _clock(self, token: Address) -> lots.Clock:
        if token not in self._clocks:
            row = self.ledger.get("brand_token", token)
            assert row is not None, "a token is known from its invitation on"
            self._clocks[token] = lots.Clock(row["origin"], row["epoch_s"], row["lifetime_epochs"])
        return self._clocks[token]

    def _transaction(self, logs: list[EventLog]) -> None:
        self._transfers = defaultdict(deque)
        self._named = NamedLots()
        for log in logs:
            if log.name == "Transfer":
                self._transfers[log.address, log.args["from"], log.args["to"]].append(log)
        for log in logs:
            handle = _HANDLERS.get(log.name)
            if handle is not None:
                handle(self, log, log.args)
        left = sorted((log for queue in self._transfers.values() for log in queue), key=lambda log: log.log_index)
        for log in left:
            self._plain_transfer(log)

    # Points

    def _transfer(self, log: EventLog, args: Mapping[str, Any]) -> None:
        giver, taker = args["from"], args["to"]
        if giver != ZERO and taker != ZERO:
            return
        supply = self.ledger.get("supply", log.address) or {"token": log.address, "minted": "0", "burnt": "0"}
        side = "minted" if giver == ZERO else "burnt"
        self.ledger.put("supply", {**supply, side: str(int(supply[side]) + int(args["value"]))})
        expiry = self._named.follow(log.address, log.name, args)
        if expiry is not None:
            epoch = self._clock(log.address).epoch(self._time)
            self._put_lots(log, taker, lambda had: lots.added(had, expiry, int(args["value"]), epoch))

    def _lot_named(self, log: EventLog, args: Mapping[str, Any]) -> None:
        self._named.follow(log.address, log.name, args)

    def _lots_changed(self, log: EventLog, args: Mapping[str, Any]) -> None:
        self._put_lots(log, args["account"], lambda had: lots.changed(had, args["words"]))

    def _put_lots(self, log: EventLog, account: Address, change: Callable[[str], str]) -> None:
        before = self.ledger.get("balance", log.address, account)
        had = before["lots"] if before else lots.EMPTY
        words = change(had)
        points = int(before["points"]) if before else 0
        for expiry, moved in lots.difference(had, words).items():
            points += moved
            if moved > 0 and (before is None or not lots.points_of(had, expiry)):
                self._began(log, account, expiry)
            self._moved[log.address, expiry] = self._moved.get((log.address, expiry), 0) + moved
        self._gained = log.address, account, lots.difference(had, words)
        self.ledger.put(
            "balance",
            {
                "token": log.address,
                "account": account,
                "lots": words,
                "points": str(points),
                "block_number": log.block_number,
                "log_index": log.log_index,
            },
        )

    def _began(self, log: EventLog, account: Address, expiry: int) -> None:
        """Points of a lot that the account had none of; what lies with the desk ends unseen."""
        lot = log.address, expiry
        if lot not in self._ends:
            self._ends[lot] = self._clock(log.address).expires_at(expiry)
        expires_at = self._ends[lot]
        if expires_at is not None and account != self.context.desk:
            self.lot_ends.began(Place(expires_at, log.address, account), log.block_number)

    def _put_supply_lots(self) -> None:
        """The sums over all accounts move with the accounts; a transfer within a token moves none."""
        for (token, expiry), points in sorted(self._moved.items()):
            if points:
                before = self.ledger.get("supply_lots", token, expiry)
                lies = int(before["points"]) if before else 0
                self.ledger.put("supply_lots", {"token": token, "expiry_epoch": expiry, "points": str(lies + points)})
        self._moved = {}

    def _plain_transfer(self, log: EventLog) -> None:
        giver, taker, value = log.args["from"], log.args["to"], int(log.args["value"])
        if giver == ZERO:
            self._entry(log, log.address, taker, "mint", value)
        elif taker == ZERO:
            self._entry(log, log.address, giver, "burn", -value)
        elif giver == taker:
            self._entry(log, log.address, giver, "transfer_self", 0)
        else:
            self._entry(log, log.address, giver, "transfer_out", -value, detail={"to": taker})
            self._entry(log, log.address, taker, "transfer_in", value, detail={"from": giver})

    def _left(self, log: EventLog, args: Mapping[str, Any]) -> None:
        points = int(args["points"])
        self._claim(log.address, args["member"], args["wallet"])
        self._entry(log, log.address, args["member"], "leave_out", -points, detail={"to": args["wallet"]})
        self._entry(log, log.address, args["wallet"], "leave_in", points, detail={"from": args["member"]})

    # Awards

    def _awarded(self, log: EventLog, args: Mapping[str, Any]) -> None:
        token, points = self.context.tokens[args["brandId"]], int(args["points"])
        if points:
            self._claim(token, ZERO, args["member"])
        detail = {"rule": args["ruleId"], "version": args["version"], "base_amount": args["baseAmount"]}
        self._entry(log, token, args["member"], "award", points, operation_id=args["operationId"], detail=detail)

    def _returned(self, log: EventLog, args: Mapping[str, Any]) -> None:
        """Goods came back: what was burnt, and of what was missing what is owed or forgiven."""
        token, taken, missing = self.context.tokens[args["brandId"]], int(args["taken"]), args["missing"]
        if taken:
            self._claim(token, args["member"], ZERO)
        owes = args["owes"] == "1"
        detail = {
            "award": args["operationId"],
            "base_amount": args["baseAmount"],
            "standing": args["standing"],
            "owed": missing if owes else "0",
            "forgiven": "0" if owes else missing,
            "lots": self._burnt_lots(token, args["member"]) if taken else {},
        }
        self._entry(log, token, args["member"], "return", -taken, operation_id=args["returnId"], detail=detail)

    def _debt_changed(self, log: EventLog, args: Mapping[str, Any]) -> None:
        """A debt after a return or an award; what it fell by was burnt of the award just minted."""
        account, debt = args["member"], int(args["debt"])
        before = self.ledger.get("debt", log.address, account)
        owed = int(before["points"]) if before else 0
        place = {"block_number": log.block_number, "log_index": log.log_index}
        self.ledger.put("debt", {"token": log.address, "account": account, "points": str(debt), **place})
        if debt < owed:
            self._claim(log.address, account, ZERO)
            # Of the lot that this block's awards mint into; its own LotsChanged follows.
            clock = self._clock(log.address)
            lot = {str(clock.epoch(self._time) + 1 + clock.lifetime_epochs): str(owed - debt)}
            self._entry(log, log.address, account, "debt_paid", debt - owed, detail={"debt": str(debt), "lots": lot})

    def _burnt_lots(self, token: Address, member: Address) -> dict[str, str]:
        """What the last change of a member's lots took from each that still lived, by expiry epoch."""
        if self._gained[:2] != (token, member):
            return {}
        epoch, clock = self._clock(token).epoch(self._time), self._clock(token)
        return {
            str(expiry): str(-points)
            for expiry, points in sorted(self._gained[2].items())
            if points < 0 and (expiry > epoch or not clock.lifetime_epochs)
        }

    def _rule(self, log: EventLog, args: Mapping[str, Any]) -> None:
        self.ledger.put(
            "rule",
            {
                "brand_id": args["brandId"],
                "rule_id": args["ruleId"],
                "version": int(args["version"]),
                "in_force_at": int(args.get("inForceAt", self._time)),
                "withdrawn": False,
                "terms": args["terms"],
            },
        )

    def _rule_withdrawn(self, log: EventLog, args: Mapping[str, Any]) -> None:
        rule = self.ledger.get("rule", args["brandId"], args["ruleId"], int(args["version"]))
        if rule is not None:
            self.ledger.put("rule", {**rule, "withdrawn": True})

    # Opening balances

    def _opening_claimed(self, log: EventLog, args: Mapping[str, Any]) -> None:
        token, points = self.context.tokens[args["brandId"]], int(args["points"])
        if points:
            self._claim(token, ZERO, args["member"])
        epoch = self._clock(token).epoch(self._time)
        old = sorted(part for word in args["lots"] for part in lots.of_word(int(word)))
        detail = {
            "opening_id": args["openingId"],
            "line": args["index"],
            # What lived when it was claimed, by expiry epoch; the rest had ended.
            "lots": {str(expiry): str(amount) for expiry, amount in old if expiry > epoch},
            "lapsed": str(sum(amount for expiry, amount in old if expiry <= epoch)),
        }
        self._entry(log, token, args["member"], "opening", points, detail=detail)

    # Redemption

    def _hold_placed(self, log: EventLog, args: Mapping[str, Any]) -> None:
        token, points = self.context.tokens[args["brandId"]], int(args["points"])
        self._claim(token, args["member"], self.context.desk)
        self._put_hold(log, args, token, state="held", captured="0", burnt="0", hold_until=int(args["holdUntil"]))
        detail = {
            name: args[key]
            for name, key in (("hold_id", "holdId"), ("reward_id", "rewardId"), ("hold_until", "holdUntil"))
        }
        self._entry(log, token, args["member"], "hold", -points, held=points, detail=detail)

    def _hold_paid(self, log: EventLog, args: Mapping[str, Any]) -> None:
        token = self.context.tokens[args["brandId"]]
        self._claim(token, args["member"], ZERO)
        paid = args["points"]
        self._put_hold(log, args, token, state="paid", captured=paid, burnt=paid, hold_until=0)
        detail = {"hold_id": args["holdId"], "reward_id": args["rewardId"]}
        self._entry(log, token, args["member"], "pay", -int(args["points"]), detail=detail)

    def _put_hold(self, log: EventLog, args: Mapping[str, Any], token: Address, **values: Any) -> None:
        self.ledger.put(
            "hold",
            {
                "hold_id": args["holdId"],
                "brand_id": args["brandId"],
                "token": token,
                "account": args["member"],
                "points": args["points"],
                "refunded": "0",
                "lots": lots.pack([int(word) for word in args["lots"]]),
                "reward_id": args["rewardId"],
                "placed_tx_hash": log.tx_hash,
                "placed_at": self._time,
                "block_number": log.block_number,
                "log_index": log.log_index,
                **values,
            },
        )

    def _hold_captured(self, log: EventLog, args: Mapping[str, Any]) -> None:
        burnt = self._burnt_before(log, args["brandId"])
        hold = self.ledger.get("hold", args["holdId"])
        assert hold is not None, "only what was held is captured"
        row = self.ledger.get("brand_token", hold["token"])
        assert row is not None, "a token is known from its invitation on"
        # The oldest of the lots whose end and grace have not passed (SPEC 3.6).
        late = self._clock(hold["token"]).epoch(self._time - row["grace_s"])
        in_time = {expiry: points for expiry, points in lots.lots_of(hold["lots"]).items() if expiry > late}
        taken = lots.packed(lots.oldest(in_time, int(args["captured"])))
        values = {"state": "captured", "captured": args["captured"], "burnt": burnt, "lots": taken}
        self._end_hold(log, args, "capture", values)

    def _burnt_before(self, log: EventLog, brand_id: str) -> str:
        """Live points that the capture burnt; a capture of what has expired burns nothing and has no Transfer."""
        queue = self._transfers.get((self.context.tokens[brand_id], self.context.desk, ZERO))
        # Each capture's Transfer stands before its own event, so another capture's of the transaction is not taken.
        value: str = queue.popleft().args["value"] if queue and queue[0].log_index < log.log_index else "0"
        return value

    def _hold_released(self, log: EventLog, args: Mapping[str, Any]) -> None:
        timed_out = args["timedOut"]
        state = "timed_out" if timed_out else "released"
        self._end_hold(log, args, "timeout" if timed_out else "release", {"state": state, "lots": lots.EMPTY})

    def _end_hold(self, log: EventLog, args: Mapping[str, Any], kind: str, values: Row) -> None:
        hold = self.ledger.get("hold", args["holdId"])
        assert hold is not None, "a hold ends only after it was placed"
        token, member, desk = hold["token"], args["member"], self.context.desk
        for giver, taker in ((desk, member), (ZERO, member)):
            self._claim(token, giver, taker)
        changed = {**hold, **values, "block_number": log.block_number, "log_index": log.log_index}
        self.ledger.put("hold", changed)
        back = int(args["returned"]) + int(args["renewed"])
        detail = {
            "hold_id": args["holdId"],
            "returned": args["returned"],
            "renewed": args["renewed"],
            "lapsed": args["lapsed"],
        }
        if "captured" in args:
            detail["captured"] = args["captured"]
        self._entry(log, token, member, kind, back, held=-int(hold["points"]), detail=detail)

    def _hold_refunded(self, log: EventLog, args: Mapping[str, Any]) -> None:
        hold = self.ledger.get("hold", args["holdId"])
        assert hold is not None, "only what was captured is refunded"
        self._claim(hold["token"], ZERO, args["member"])
        place = {"block_number": log.block_number, "log_index": log.log_index}
        had = lots.lots_of(hold["lots"])
        kept = lots.oldest(had, sum(had.values()) - int(args["points"]))
        self.ledger.put("hold", {**hold, **place, "refunded": args["refundedTotal"], "lots": lots.packed(kept)})
        detail: Row = {"hold_id": args["holdId"], **{name: args[name] for name in ("returned", "renewed", "lapsed")}}
        detail["renewed_of_burnt"] = str(_renewed_of_burnt(hold, args))
        detail["renewed_lots"] = self._renewed_lots(hold, had, kept) if int(args["renewed"]) else {}
        self._entry(
            log, hold["token"], args["member"], "refund", int(args["returned"]) + int(args["renewed"]), detail=detail
        )

    def _renewed_lots(self, hold: Row, had: Mapping[int, int], kept: Mapping[int, int]) -> dict[str, str]:
        """What came into each lot by grace: what the member's lots gained, less what came back with its own expiry."""
        token, account, gained = self._gained
        if (token, account) != (hold["token"], hold["account"]):
            return {}
        epoch = self._clock(token).epoch(self._time)
        returned = {expiry: had[expiry] - kept.get(expiry, 0) for expiry in had if expiry > epoch}
        renewed = {expiry: points - returned.get(expiry, 0) for expiry, points in gained.items() if points > 0}
        return {str(expiry): str(points) for expiry, points in sorted(renewed.items()) if points > 0}

    # Exchange

    def _exchanged(self, log: EventLog, args: Mapping[str, Any]) -> None:
        given, received = self._pair(args["agreementId"])
        record, member = args["exchange"], args["member"]
        self._claim(given, member, ZERO)
        self._claim(received, ZERO, member)
        detail = {
            "exchange_id": args["exchangeId"],
            "agreement_id": args["agreementId"],
            "version": record["version"],
            "points_in": record["pointsIn"],
            "points_out": record["pointsOut"],
            "fee": record["fee"],
            "obligation": record["obligation"],
            "from_token": given,
            "to_token": received,
        }
        self._entry(log, given, member, "exchange_out", -int(record["pointsIn"]), detail=detail)
        self._entry(log, received, member, "exchange_in", int(record["pointsOut"]), detail=detail)

    def _unwound(self, log: EventLog, args: Mapping[str, Any]) -> None:
        given, received = self._pair(args["agreementId"])
        member, back = args["member"], int(args["returned"]) + int(args["renewed"])
        self._claim(received, member, ZERO)
        self._claim(given, ZERO, member)
        detail = {"exchange_id": args["exchangeId"], **{name: args[name] for name in ("returned", "renewed", "lapsed")}}
        self._entry(log, received, member, "unwind_out", -int(args["pointsBurnt"]), detail=detail)
        self._entry(log, given, member, "unwind_in", back, detail=detail)

    def _pair(self, agreement_id: str) -> tuple[Address, Address]:
        agreement = self.ledger.get("agreement", agreement_id)
        assert agreement is not None, "an exchange happens only under an agreement"
        return self.context.tokens[agreement["from_brand_id"]], self.context.tokens[agreement["to_brand_id"]]

    def _agreement_proposed(self, log: EventLog, args: Mapping[str, Any]) -> None:
        self.ledger.put(
            "agreement",
            {
                "agreement_id": args["agreementId"],
                "from_brand_id": args["fromBrandId"],
                "to_brand_id": args["toBrandId"],
                "state": "proposed",
                "proposed_by": args["byBrandId"],
                "ends_at": None,
                "versions": [_version("1", args, None)],
            },
        )

    def _agreement_accepted(self, log: EventLog, args: Mapping[str, Any]) -> None:
        self._change_version(args, {"in_force_at": self._time}, state="agreed")

    def _change_proposed(self, log: EventLog, args: Mapping[str, Any]) -> None:
        agreement = self.ledger.get("agreement", args["agreementId"])
        assert agreement is not None, "a change is proposed only to an agreement"
        versions = [*agreement["versions"], _version(args["version"], args, None)]
        self.ledger.put("agreement", {**agreement, "versions": versions})

    def _change_accepted(self, log: EventLog, args: Mapping[str, Any]) -> None:
        self._change_version(args, {"in_force_at": int(args["inForceAt"])})

    def _change_withdrawn(self, log: EventLog, args: Mapping[str, Any]) -> None:
        self._change_version(args, {"withdrawn": True})

    def _change_version(self, args: Mapping[str, Any], values: Row, **fields: Any) -> None:
        agreement = self.ledger.get("agreement", args["agreementId"])
        assert agreement is not None, "only a proposed agreement changes"
        wanted = int(args["version"])
        versions = [{**one, **values} if one["version"] == wanted else one for one in agreement["versions"]]
        self.ledger.put("agreement", {**agreement, **fields, "versions": versions})

    def _agreement_ending(self, log: EventLog, args: Mapping[str, Any]) -> None:
        agreement = self.ledger.get("agreement", args["agreementId"])
        assert agreement is not None, "only an agreement ends"
        self.ledger.put("agreement", {**agreement, "state": "ending", "ends_at": int(args["endsAt"])})

    # Clearing

    def _obligation(self, log: EventLog, args: Mapping[str, Any]) -> None:
        self._put_obligation(log, args["debtorId"], args["creditorId"], args["outstanding"])

    def _put_obligation(self, log: EventLog, debtor_id: str, creditor_id: str, outstanding: str) -> None:
        place = {"block_number": log.block_number, "log_index": log.log_index}
        pair = {"debtor_id": debtor_id, "creditor_id": creditor_id}
        self.ledger.put("obligation", {**pair, "outstanding": outstanding, **place})

    def _netted(self, log: EventLog, args: Mapping[str, Any]) -> None:
        for debtor_id in args["brandIds"]:
            for creditor_id in args["brandIds"]:
                if self.ledger.get("obligation", debtor_id, creditor_id) is not None:
                    self._put_obligation(log, debtor_id, creditor_id, "0")

    def _collateral(self, log: EventLog, args: Mapping[str, Any]) -> None:
        self._put_collateral(args["brandId"], collateral=args["collateral"])

    def _claim_paid(self, log: EventLog, args: Mapping[str, Any]) -> None:
        # What is not paid of the claim stays owed.
        self._put_obligation(log, args["brandId"], args["creditorId"], str(int(args["claim"]) - int(args["paid"])))
        self._put_collateral(args["creditorId"], collateral=args["collateral"])
        before = self.ledger.get("collateral", args["brandId"])
        rest = int(before["collateral"]) - int(args["paid"]) if before else 0
        self._put_collateral(args["brandId"], collateral=str(rest))

    def _defaulted(self, log: EventLog, args: Mapping[str, Any]) -> None:
        self._put_collateral(args["brandId"], in_default=True)

    def _cured(self, log: EventLog, args: Mapping[str, Any]) -> None:
        self._put_collateral(args["brandId"], in_default=False)

    def _put_collateral(self, brand_id: str, **values: Any) -> None:
        before = self.ledger.get("collateral", brand_id)
        row = before or {"brand_id": brand_id, "collateral": "0", "in_default": False}
        self.ledger.put("collateral", {**row, **values})

    # Brands

    def _invited(self, log: EventLog, args: Mapping[str, Any]) -> None:
        self.context.add(args["brandId"], args["token"])
        self.ledger.put("brand_token", dict(self.context.token_rows[args["token"]]))
        self._put_standing(
            args["brandId"], status="invited", treasury=args["treasury"], metadata_hash=args["metadataHash"]
        )

    def _standing(self, log: EventLog, args: Mapping[str, Any]) -> None:
        self._put_standing(args["brandId"], status="active" if log.name == "BrandActivated" else "suspended")

    def _switched(self, log: EventLog, args: Mapping[str, Any]) -> None:
        self._put_standing(args["brandId"], **{"moa_switch" if args["byMoa"] else "brand_switch": args["stopped"]})

    def _all_switched(self, log: EventLog, args: Mapping[str, Any]) -> None:
        self._put_standing(ALL_BRANDS, moa_switch=args["stopped"])

    def _treasury_announced(self, log: EventLog, args: Mapping[str, Any]) -> None:
        before = self.ledger.get("brand_standing", args["brandId"])
        assert before is not None, "a treasury is announced only of a brand"
        due = 0 < before["treasury_at"] <= self._time
        self._put_standing(
            args["brandId"],
            treasury=before["next_treasury"] if due else before["treasury"],
            next_treasury=args["treasury"],
            treasury_at=int(args["inForceAt"]),
        )

    def _treasury_withdrawn(self, log: EventLog, args: Mapping[str, Any]) -> None:
        self._put_standing(args["brandId"], treasury_at=0)

    def _metadata(self, log: EventLog, args: Mapping[str, Any]) -> None:
        self._put_standing(args["brandId"], metadata_hash=args["metadataHash"])

    def _put_standing(self, brand_id: str, **values: Any) -> None:
        before = self.ledger.get("brand_standing", brand_id)
        row = before or {
            "brand_id": brand_id,
            "status": "",
            "brand_switch": False,
            "moa_switch": False,
            "stopped_at": 0,
            "treasury": ZERO,
            "next_treasury": ZERO,
            "treasury_at": 0,
            "metadata_hash": "",
        }
        row = {**row, **values}
        stopped = row["status"] == "suspended" or row["brand_switch"] or row["moa_switch"]
        self.ledger.put("brand_standing", {**row, "stopped_at": (row["stopped_at"] or self._time) if stopped else 0})

    # Shared

    def _claim(self, token: Address, giver: Address, taker: Address) -> None:
        queue = self._transfers.get((token, giver, taker))
        if queue:
            queue.popleft()

    def _entry(
        self,
        log: EventLog,
        token: Address,
        account: Address,
        kind: str,
        points: int,
        *,
        held: int = 0,
        operation_id: str | None = None,
        detail: Row | None = None,
    ) -> None:
        if account == self.context.desk:
            return
        self.entries.append(
            {
                "token": token,
                "account": account,
                "kind": kind,
                "points": str(points),
                "held": str(held),
                "tx_hash": log.tx_hash,
                "block_number": log.block_number,
                "block_hash": log.block_hash,
                "block_time": self._time,
                "log_index": log.log_index,
                "contract": log.address,
                "brand_id": self.context.brands.get(token),
                "operation_id": operation_id,
                "detail": detail or {},
            }
        )


def _renewed_of_burnt(hold: Row, args: Mapping[str, Any]) -> int:
    """How many of a refund's renewed points the capture had burnt; the others had expired before it.

    Counted from the newest captured point on, which is the order of refunds (SPEC 3.10): the burnt ones come first,
    and of each refund those that still live.
    """
    if not int(args["renewed"]):
        return 0
    begins = int(hold["refunded"]) + int(args["returned"])
    return max(0, min(int(hold["burnt"]), int(args["refundedTotal"])) - begins)


def _version(version: str, args: Mapping[str, Any], in_force_at: int | None) -> Row:
    return {
        "version": int(version),
        "terms": args["terms"],
        "proposed_by": args["byBrandId"],
        "in_force_at": in_force_at,
        "withdrawn": False,
    }


_HANDLERS: Final[dict[str, Callable[[Projector, EventLog, Mapping[str, Any]], None]]] = {
    "Transfer": Projector._transfer,
    "LotsChanged": Projector._lots_changed,
    "LotNamed": Projector._lot_named,
    "Left": Projector._left,
    "Awarded": Projector._awarded,
    "OpeningClaimed": Projector._opening_claimed,
    "Returned": Projector._returned,
    "DebtChanged": Projector._debt_changed,
    "RulePublished": Projector._rule,
    "RuleChangeAnnounced": Projector._rule,
    "RuleChangeWithdrawn": Projector._rule_withdrawn,
    "HoldPlaced": Projector._hold_placed,
    "HoldPaid": Projector._hold_paid,
    "HoldCaptured": Projector._hold_captured,
    "HoldReleased": Projector._hold_released,
    "HoldRefunded": Projector._hold_refunded,
    "Exchanged": Projector._exchanged,
    "Unwound": Projector._unwound,
    "AgreementProposed": Projector._agreement_proposed,
    "AgreementAccepted": Projector._agreement_accepted,
    "ChangeProposed": Projector._change_proposed,
    "ChangeAccepted": Projector._change_accepted,
    "ChangeWithdrawn": Projector._change_withdrawn,
    "AgreementEnding": Projector._agreement_ending,
    "ObligationBooked": Projector._obligation,
    "ObligationReduced": Projector._obligation,
    "PeriodNetted": Projector._netted,
    "CollateralDeposited": Projector._collateral,
    "CollateralWithdrawn": Projector._collateral,
    "PositionSettled": Projector._collateral,
    "ClaimPaid": Projector._claim_paid,
    "BrandDefaulted": Projector._defaulted,
    "DefaultCured": Projector._cured,
    "BrandInvited": Projector._invited,
    "BrandActivated": Projector._standing,
    "BrandSuspended": Projector._standing,
    "BrandSwitched": Projector._switched,
    "AllSwitched": Projector._all_switched,
    "TreasuryAnnounced": Projector._treasury_announced,
    "TreasuryWithdrawn": Projector._treasury_withdrawn,
    "MetadataChanged": Projector._metadata,
}
