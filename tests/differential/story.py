"""What every walk begins with: the edges that chance meets too seldom, each exactly, one second before and at it."""

from typing import Any

from chain.model.access import Kind, role_of
from chain.model.clock import EXPIRY_EPOCH_MAX
from chain.model.desk import HoldRequest
from chain.model.exchange import Quote
from chain.model.ids import nonce_id
from chain.model.rules import Item
from tests.differential.steps import TOKEN, Signed, Step
from tests.differential.world import HOUR, ZERO32, TwoSides, agreement, rule

BRAND = 4
NONCES = 2**200
OPERATIONS = 2**100


class Story:
    """Tells steps to the world and says what must come of them."""

    def __init__(self, world: TwoSides):
        self.world, self.cast = world, world.cast
        self.member, self.other = world.cast.members[0], world.cast.members[1]
        self.till, self.issuer = world.cast[f"till{BRAND}"], world.cast[f"issuer{BRAND}"]
        self.nonce, self.operation = NONCES, OPERATIONS

    def tell(self) -> None:
        """The whole of it."""
        self.expiry_and_grace()
        self.grace_once()
        self.refusals()
        self.returns()
        self.debts()
        self.changes()
        self.standing()
        self.second_thoughts()
        self.payment_and_default()
        self.ring()
        self.refunds_end()

    def step(self, error: str, contract: str, function: str, values: tuple[Any, ...], by: str, at: int = 0) -> None:
        """One step, which must end so."""
        found = self.world.do(Step(contract, function, values, by, at or self.world.at + 1))
        assert found == error, f"{contract}.{function}{values}: {found or 'done'} instead of {error or 'done'}"

    def award(self, error: str, base: int, *, rule: int = 1, by: str = "", at: int = 0) -> None:
        self.operation += 1
        item = Item(self.operation, rule, self.member, base)
        self.step(error, "RewardRules", "award", (BRAND, item), by or self.issuer, at)

    def send(self, error: str, points: int, at: int = 0, *, late: int = 0, again: bool = False) -> None:
        self.nonce += not again
        deadline = (at or self.world.at + 1) - late
        values = self.member, self.other, points, self.nonce, deadline, Signed(self.member)
        self.step(error, f"{TOKEN} {BRAND}", "transferWithAuthorisation", values, self.cast["stranger"], at)

    def hold(self, points: int, until: int) -> str:
        self.nonce += 1
        request = HoldRequest(self.member, BRAND, points, ZERO32, until, self.nonce, until)
        self.step("", "RedemptionDesk", "hold", (request, Signed(self.member)), self.cast["stranger"])
        return nonce_id(self.member, self.nonce)

    def expiry_and_grace(self) -> None:
        """SPEC 1.5, 1.8, 3.4, 3.5, 3.6, 3.7, 3.13, 3.14: no hold renews, a till's grace ends to the second."""
        clock = self.world.ledger.tokens[BRAND].clock
        begin = clock.origin + (clock.epoch(self.world.at) + 1) * clock.epoch_s
        self.award("", 1_000, at=begin)
        self.award("", 500, at=begin + clock.epoch_s)
        gone_at = begin + (1 + clock.lifetime_epochs) * clock.epoch_s
        first, second = self.hold(200, gone_at), self.hold(300, gone_at)
        self.send("", 100, gone_at - 1)
        self.send("ERC20InsufficientBalance", 800, gone_at)
        self.send("", 50)
        self.step("", "RedemptionDesk", "release", (second,), self.cast["stranger"], gone_at + clock.epoch_s)
        self.step("HoldOver", "RedemptionDesk", "capture", (first, 1), self.till)
        # Both lots have ended, and what was released came back with their own end.
        self.send("ERC20InsufficientBalance", 1)
        self.award("", 1_000)
        ends_at = clock.expires_at(clock.expiry_of_mint(self.world.at))
        kept = self.hold(20, gone_at + 2 * HOUR)
        self.step("HoldRunning", "RedemptionDesk", "release", (kept,), self.cast["stranger"], gone_at + 2 * HOUR)
        self.step("HoldOver", "RedemptionDesk", "capture", (kept, 1), self.till, gone_at + 2 * HOUR + 1)
        self.step("", "RedemptionDesk", "release", (kept,), self.cast["stranger"])
        late = ends_at + clock.grace_s
        fourth, fifth = self.hold(50, late + HOUR), self.hold(50, late + HOUR)
        third = self.hold(100, gone_at + 9 * HOUR)
        self.step("RoleMissing", "RedemptionDesk", "capture", (third, 60), self.issuer)
        self.step("", "RedemptionDesk", "capture", (third, 60), self.till, gone_at + 9 * HOUR)
        self.step("", "RedemptionDesk", "refund", (third, 40, 0), self.till)
        self.step("RefundOutOfDate", "RedemptionDesk", "refund", (third, 40, 0), self.till)
        self.step("RefundExceedsCapture", "RedemptionDesk", "refund", (third, 21, 40), self.till)
        self.step("", "RedemptionDesk", "capture", (fourth, 10), self.till, late - 1)
        self.step("CaptureTooLate", "RedemptionDesk", "capture", (fifth, 1), self.till, late)
        self.step("", "RedemptionDesk", "refund", (fourth, 4, 0), self.till)
        self.step("", "RedemptionDesk", "release", (fifth,), self.till)
        self.award("", 20)

    def grace_once(self) -> None:
        """SPEC 3.14: points that had their grace, were spent and given back again once it was over, have none."""
        clock, keeper = self.world.ledger.tokens[BRAND].clock, self.world.cast.members[4]
        self.operation += 1
        self.step("", "RewardRules", "award", (BRAND, Item(self.operation, 1, keeper, 100)), self.issuer)
        points, expiry = self.world.ledger.tokens[BRAND].balance_of(keeper, self.world.at), 0
        for _ in range(2):
            expiry = expiry + clock.grace_epochs if expiry else clock.expiry_of_mint(self.world.at)
            ends_at = clock.expires_at(expiry)
            self.nonce += 1
            request = HoldRequest(keeper, BRAND, points, ZERO32, self.world.at + HOUR, self.nonce, 2**40)
            self.step("", "RedemptionDesk", "hold", (request, Signed(keeper)), self.cast["stranger"])
            hold_id = nonce_id(keeper, self.nonce)
            self.step("", "RedemptionDesk", "capture", (hold_id, points), self.till)
            self.step("", "RedemptionDesk", "refund", (hold_id, points, 0), self.till, ends_at)
        assert self.world.ledger.tokens[BRAND].balance_of(keeper, self.world.at) == 0

    def refusals(self) -> None:
        """SPEC 1.19, 2.7, 2.11, 2.15"""
        self.award("RoleMissing", 1, by=self.cast["stranger"])
        item = Item(self.operation, 1, self.member, 9)
        self.step("RoleMissing", "RewardRules", "awardBatch", (BRAND, [item]), self.cast["till4"])
        for contract, function, values, error in (
            (f"{TOKEN} {BRAND}", "mint", (self.member, 5), "ModuleOnly"),
            (f"{TOKEN} {BRAND}", "burn", (self.member, 5), "ModuleOnly"),
            ("RedemptionDesk", "pay", (ZERO32, BRAND, self.member, 1, ZERO32), "ExchangeOnly"),
            ("ClearingHouse", "book", (BRAND, 1, 5, 5, ZERO32), "ExchangeContractOnly"),
        ):
            self.step(error, contract, function, values, self.cast[f"owner{BRAND}"])
        for items in ([], [item] * 251):
            self.step("BatchSizeWrong", "RewardRules", "awardBatch", (BRAND, items), self.issuer)
        role = role_of(BRAND, Kind.ISSUER), self.member, 0
        self.step("AccessManagerUnauthorizedAccount", "Authority", "grantRole", role, self.issuer)
        self.exchange("OutTooLarge", 2**48 - 1, 1, agreement_id=1)
        for base in (3, 4, 7):
            self.award("", base, rule=5)
        self.award("", 1)
        self.operation -= 1
        self.award("OperationUsed", 1)
        for _ in range(4):
            self.award("", 0, rule=3)
        self.award("MemberCapExceeded", 0, rule=3)
        self.send("AuthorisationExpired", 1, late=1)
        self.send("", 1, late=0)
        self.send("AuthorisationUsed", 1, again=True)
        self.nonce += 1
        self.step("", "RedemptionDesk", "cancelAuthorisation", (self.nonce,), self.member)
        request = HoldRequest(self.member, BRAND, 1, ZERO32, 2**40, self.nonce, 2**40)
        self.step("AuthorisationUsed", "RedemptionDesk", "hold", (request, Signed(self.member)), self.member)

    def returns(self) -> None:
        """SPEC 1.24, 1.25, 2.20 to 2.28: goods come back of points that were spent; debts are paid, or forgiven."""
        buyer, friend = self.world.cast.members[3], self.world.cast.members[4]
        token = self.world.ledger.tokens[BRAND]

        def bought(base: int, rule: int) -> int:
            self.operation += 1
            item = Item(self.operation, rule, buyer, base)
            self.step("", "RewardRules", "award", (BRAND, item), self.issuer)
            return self.operation

        def back(error: str, operation: int, base: int, by: str = "", at: int = 0) -> None:
            self.operation += 1
            values = BRAND, self.operation, base, operation
            self.step(error, "RewardRules", "takeReturn", values, by or self.till, at)

        def spend() -> None:
            values = friend, token.balance_of(buyer, self.world.at)
            self.step("", f"{TOKEN} {BRAND}", "transfer", values, buyer)

        self.step("", f"{TOKEN} {BRAND}", "approve", (friend, 1), buyer)
        first = bought(1_000, 1)
        back("RoleMissing", first, 1_000, self.issuer)
        back("AwardUnknown", first + 10**6, 1)
        back("ReturnExceedsAward", first, 1_001)
        back("BaseAmountMissing", first, 0)
        back("", first, 400)
        spend()
        back("", first, 300)
        back("", first, 300)
        back("ReturnExceedsAward", first, 1)
        second = bought(333, 1)
        third = bought(1_000, 1)
        back("", second, 333)
        spend()
        back("", third, 999)
        for _ in range(3):
            bought(700, 1)
        for number in (2, 3):
            forgiven = bought(9_000, number)
            spend()
            back("", forgiven, 9_000)
        late = bought(50, 1)
        until = self.world.at + token.clock.least_life_s
        back("", late, 20, at=until)
        back("ReturnTooLate", late, 20, at=until + 1)

    def debts(self) -> None:
        """SPEC 4.8, 4.10, 5.5, 5.10, 5.11"""
        self.award("", 30_000)
        self.exchange("ExposureExceeded", 22_000, 1)
        self.operation += 1
        item = Item(self.operation, 1, self.member, 300_000)
        self.step("", "RewardRules", "award", (1, item), self.cast["issuer1"])
        self.exchange("CollateralExceeded", 300_000, 1, agreement_id=6)
        item = Item(self.operation, 1, self.member, 300_000)
        self.step("", "RewardRules", "award", (3, item), self.cast["issuer3"])
        self.exchange("", 20_000, 1, agreement_id=4)
        self.exchange("DailyCapExceeded", 1, 1, agreement_id=4)
        self.nonce += 1
        quote = Quote(self.member, 5, 1, 1_999, 1_998, self.nonce, self.world.at + HOUR)
        self.step("", "PartnerExchange", "exchange", (quote, Signed(self.member)), self.cast["stranger"])
        owed = self.world.ledger.clearing.obligation_of(4, 1)
        self.step("", "ClearingHouse", "net", (1, [1, 4]), self.cast["operator"])
        self.step("StatementUnknown", "ClearingHouse", "settle", (1, [1, 4], [-owed, owed]), self.member)
        self.step("", "ClearingHouse", "settle", (1, [1, 4], [owed, -owed]), self.member)
        self.step("StatementUnknown", "ClearingHouse", "settle", (1, [1, 4], [owed, -owed]), self.member)

    def changes(self) -> None:
        """SPEC 2.4, 4.5, 4.7: the old terms count a second before, the new ones at the second."""
        owners = self.cast["owner4"], self.cast["owner1"]
        self.step("", "RewardRules", "announceChange", (BRAND, 1, rule(5, notice_s=2 * HOUR)), owners[0])
        self.step("ChangePending", "RewardRules", "announceChange", (BRAND, 1, rule(6)), owners[0])
        terms = agreement(2, 1, 0, exposure_cap=10**6)
        self.step("", "PartnerExchange", "proposeChange", (5, 4, terms), owners[0])
        self.step("ExchangeChangePending", "PartnerExchange", "proposeChange", (5, 1, terms), owners[1])
        self.step("PairTaken", "PartnerExchange", "propose", (4, 4, 1, terms), owners[0])
        self.step("", "PartnerExchange", "acceptChange", (5, terms.hash()), owners[1])
        self.step("NoExchangeChangePending", "PartnerExchange", "withdrawChange", (5, 4), owners[0])
        change = self.world.ledger.rules.rule(BRAND, 1).change
        swap = self.world.ledger.agreements.agreement(5).change
        assert change is not None
        assert swap is not None
        self.award("", 10, at=change.in_force_at - 1)
        self.award("", 10, at=change.in_force_at)
        self.exchange("", 3, 1, at=swap.in_force_at - 1)
        self.exchange("VersionChanged", 3, 1, at=swap.in_force_at)
        self.exchange("", 3, 2)
        self.step("", "PartnerExchange", "end", (5, 1), owners[1])
        ends_at = self.world.ledger.agreements.agreement(5).ends_at
        self.award("", 10, at=ends_at - 2)
        self.exchange("", 3, 2, at=ends_at - 1)
        self.exchange("AgreementStateWrong", 3, 2, at=ends_at)

    def exchange(self, error: str, points: int, version: int, *, at: int = 0, agreement_id: int = 5) -> str:
        """Of so many points, whatever comes out; its id."""
        self.nonce += 1
        quote = Quote(self.member, agreement_id, version, points, 1, self.nonce, 2**40)
        self.step(error, "PartnerExchange", "exchange", (quote, Signed(self.member)), self.cast["stranger"], at)
        return nonce_id(self.member, self.nonce)

    def standing(self) -> None:
        """SPEC 6.1, 6.2: a stopped brand awards and exchanges nothing, and traps nobody."""
        guardian, owner = self.cast[f"guardian{BRAND}"], self.cast[f"owner{BRAND}"]
        self.award("", 100)
        self.step("", "PartnerRegistry", "stop", (BRAND,), guardian)
        self.award("BrandNotIssuing", 100)
        kept = self.hold(10, self.world.at + HOUR)
        self.step("", "RedemptionDesk", "capture", (kept, 4), self.till)
        self.nonce += 1
        values = self.member, self.other, self.nonce, 2**40, Signed(self.member), Signed(self.other)
        self.step("", f"{TOKEN} {BRAND}", "leave", values, self.cast["stranger"])
        self.step("", "PartnerRegistry", "stopAll", (), self.cast["guardian"])
        item = Item(self.operation, 1, self.member, 9)
        self.step("BrandNotIssuing", "RewardRules", "award", (1, item), self.cast["issuer1"])
        self.step("", "PartnerRegistry", "resumeAll", (), self.cast["operator"])
        self.step("RoleMissing", "PartnerRegistry", "resume", (BRAND,), guardian)
        self.step("", "PartnerRegistry", "resume", (BRAND,), owner)

    def second_thoughts(self) -> None:
        """SPEC 6.6, 6.13, 1.22: a treasury and a call that were announced are taken back; a policy is said again."""
        owner, guardian, slow = (self.cast[f"{each}{BRAND}"] for each in ("owner", "guardian", "slow"))
        self.step("", "PartnerRegistry", "announceTreasury", (BRAND, self.cast["stranger"]), owner)
        self.step("RoleMissing", "PartnerRegistry", "withdrawTreasury", (BRAND,), self.till)
        self.step("", "PartnerRegistry", "withdrawTreasury", (BRAND,), guardian)
        self.step("NoTreasuryPending", "PartnerRegistry", "withdrawTreasury", (BRAND,), owner)
        role = role_of(BRAND, Kind.TREASURER)
        data = self.world.chain.calldata(Step("ClearingHouse", "withdraw", (BRAND, 1, owner), slow))
        self.step("", "ClearingHouse", "announce", (role, data), slow)
        self.step("RoleMissing", "ClearingHouse", "retract", (slow, role, data), self.till)
        self.step("", "ClearingHouse", "retract", (slow, role, data), owner)
        self.step("CallNotAnnounced", "ClearingHouse", "retract", (slow, role, data), owner)
        policy = self.world.ledger.tokens[BRAND].policy_at(self.world.at)
        self.step("", f"{TOKEN} {BRAND}", "setPolicy", (policy,), owner)

    def payment_and_default(self) -> None:
        """SPEC 4.12, 4.13, 5.8, 5.12, 5.13"""
        item = Item(OPERATIONS, 1, self.member, 40_001)
        self.step("", "RewardRules", "award", (1, item), self.cast["issuer1"])
        undone = self.exchange("", 999, 1, agreement_id=1)
        made = self.world.ledger.exchanges.records[undone]
        assert made is not None
        record = made.exchange
        self.nonce += 1
        quote = Quote(self.member, 1, 1, 2_000, 2_900, self.nonce, 2**40)
        self.step("", "PartnerExchange", "payAtPartner", (quote, ZERO32, Signed(self.member)), self.member)
        paid = nonce_id(self.member, self.nonce)
        hold_id = self.world.ledger.exchanges.payment_id(paid)
        self.step("", "RedemptionDesk", "refund", (hold_id, 900, 0), self.cast["till2"])
        till = self.cast["till2"]
        self.nonce += 1
        values = undone, record, self.nonce, 2**40, Signed(self.member)
        self.step("", "PartnerExchange", "unwind", values, till)
        self.step("ExchangeNotOpen", "PartnerExchange", "unwind", values, till)
        self.exchange("", 7_001, 1, agreement_id=1)
        self.exchange("", 7_001, 1, agreement_id=3)
        free = self.world.ledger.clearing.account_of(1)
        most, home = free.collateral - free.owed, self.cast["owner1"]
        self.step("TreasuryOther", "ClearingHouse", "withdraw", (1, 1, self.member), self.cast["treasurer1"])
        self.step("CollateralExceeded", "ClearingHouse", "withdraw", (1, most + 1, home), self.cast["treasurer1"])
        self.step("", "ClearingHouse", "withdraw", (1, most, home), self.cast["treasurer1"])
        self.step("", "ClearingHouse", "declareDefault", (1, [3]), self.cast["operator"])
        self.step("", "ClearingHouse", "payClaims", (1, [2, 4]), self.cast["operator"])
        self.step("AmountMissing", "ClearingHouse", "payClaims", (1, [2, 4]), self.cast["operator"])
        self.exchange("BrandInDefault", 10, 1, agreement_id=1)
        self.step("", "ClearingHouse", "cureDefault", (1,), self.cast["operator"])
        self.step("", "ClearingHouse", "deposit", (1, 500_000), self.cast["owner1"])

    def ring(self) -> None:
        """SPEC 1.8, 3.6, 3.10: the oldest lots, also where the four words begin again."""
        clock = self.world.ledger.tokens[1].clock
        day = clock.epoch(self.world.at) + 1
        while (day + 1 + clock.lifetime_epochs) % 20 != 18:
            day += 1
        member, till = self.world.cast.members[3], self.cast["till1"]
        for number in range(4):
            self.operation += 1
            item = Item(self.operation, 1, member, 1_000)
            at = clock.origin + (day + number) * clock.epoch_s
            self.step("", "RewardRules", "award", (1, item), self.cast["issuer1"], at)
        for captured in (3_100, 5_200):
            self.nonce += 1
            request = HoldRequest(member, 1, 5_500, ZERO32, self.world.at + HOUR, self.nonce, 2**40)
            self.step("", "RedemptionDesk", "hold", (request, Signed(member)), self.cast["stranger"])
            hold_id = nonce_id(member, self.nonce)
            self.step("", "RedemptionDesk", "capture", (hold_id, captured), till)
            self.step("", "RedemptionDesk", "refund", (hold_id, 2_000, 0), till)
            self.step("", "RedemptionDesk", "refund", (hold_id, captured - 2_000, 2_000), till)

    def refunds_end(self) -> None:
        """SPEC 3.16, 3.17: a capture carries the window in force, to its second; one before keeps its own."""
        owner = self.cast[f"owner{BRAND}"]
        self.award("", 100)
        before = self.hold(10, self.world.at + HOUR)
        self.step("", "RedemptionDesk", "announceRefundWindow", (BRAND, HOUR), owner)
        in_force = self.world.at + 604_800
        self.step("", "RedemptionDesk", "capture", (before, 10), self.till)
        self.award("", 100, at=in_force)
        kept = self.hold(10, self.world.at + HOUR)
        self.step("", "RedemptionDesk", "capture", (kept, 10), self.till)
        until = self.world.at + HOUR
        self.step("", "RedemptionDesk", "refund", (kept, 4, 0), self.till, until)
        self.step("RefundOver", "RedemptionDesk", "refund", (kept, 4, 4), self.till, until + 1)
        self.step("", "RedemptionDesk", "refund", (before, 10, 0), self.till)

    def end_of_time(self) -> None:
        """SPEC 1.10, 2.7: the last epoch of a clock mints, the next one only moves."""
        clock = self.world.ledger.tokens[BRAND].clock
        last = clock.expires_at(EXPIRY_EPOCH_MAX - clock.lifetime_epochs) - 1
        self.award("", 1_000, at=last)
        self.award("EpochOutOfRange", 1, at=last + 1)
        self.send("", 10)
        kept = self.hold(50, self.world.at + HOUR)
        self.step("", "RedemptionDesk", "capture", (kept, 20), self.till)
        self.step("", "RedemptionDesk", "refund", (kept, 5, 0), self.till)
        late = clock.expires_at(EXPIRY_EPOCH_MAX)
        self.step("EpochOutOfRange", "RedemptionDesk", "refund", (kept, 5, 5), self.till, late)
        self.send("ERC20InsufficientBalance", 1)

    def full_lots(self) -> None:
        """SPEC 1.9, 2.12, 3.2: lots filled to the last point, and a hold over two of them."""
        clock, issuer, till = self.world.ledger.tokens[1].clock, self.cast["issuer1"], self.cast["till1"]
        for day in (1, 2):
            self.operation += 2
            at = clock.origin + (clock.epoch(self.world.at) + day) * clock.epoch_s
            full, more = Item(self.operation, 4, self.member, 3), Item(self.operation + 1, 1, self.other, 1)
            self.step("", "RewardRules", "award", (1, full), issuer, at)
            self.step("SupplyExceeded", "RewardRules", "award", (1, more), issuer)
            self.step("", "RewardRules", "awardBatch", (1, [more, full]), issuer)
        self.nonce += 1
        request = HoldRequest(self.member, 1, 2**48 + 99, ZERO32, self.world.at + HOUR, self.nonce, 2**40)
        self.step("", "RedemptionDesk", "hold", (request, Signed(self.member)), self.cast["stranger"])
        hold_id = nonce_id(self.member, self.nonce)
        self.step("", "RedemptionDesk", "capture", (hold_id, 2**48 + 1), till)
        self.step("", "RedemptionDesk", "refund", (hold_id, 2**48, 0), till)
        self.step("RefundExceedsCapture", "RedemptionDesk", "refund", (hold_id, 2, 2**48), till)
