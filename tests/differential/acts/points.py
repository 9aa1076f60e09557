"""Acts on points: awards, transfers, permits, leaving."""

from chain.model.clock import FOREVER
from chain.model.policy import Policy
from chain.model.rules import Item
from tests.differential.chooser import NOBODY, REWARD, Chooser, Made
from tests.differential.steps import TOKEN, Signed
from tests.differential.world import HOUR


class PointActs(Chooser):
    """Awards and movements."""

    def item(self, brand_id: int, *, batch: bool = False) -> Item:
        """One award; in a batch more of them are bad."""
        share = 0.06 if batch else 0.04
        operation = self.next_operation
        self.next_operation += self.rng.choice((1, 1, 1, 2, 300))
        if self.bad(share) and operation:
            operation = self.rng.randint(0, operation)
        rules = len(self.world.ledger.rules.rules.get(brand_id, []))
        rule_id = int(self.some([0, rules + 1, 2**250]) if self.bad(share / 2) else self.rng.randint(1, rules))
        if rule_id > 2 and self.rng.random() < 0.6:
            rule_id = 1
        member = self.member()
        if self.bad(share / 2):
            member = self.world.chain.addresses[str(self.some([f"{TOKEN} {brand_id}", "RedemptionDesk"]))]
            member = str(self.some([NOBODY, member]))
        base = int(self.some([0, 1, 2, 3, *[self.rng.randint(1, 9_000)] * 6]))
        if rule_id == 4 or self.bad(share):
            base = int(self.some([2**96 - 1, 2**96, 3, 3, 3, 4, self.rng.randint(0, 9), 2**255, 2**30]))
        return Item(operation, rule_id, member, base)

    def award(self) -> Made:
        brand_id = self.brand()
        return "RewardRules", "award", (brand_id, self.item(brand_id)), self.staff("issuer", brand_id)

    def award_batch(self) -> Made:
        brand_id = self.brand()
        size = 0 if self.bad(0.02) else self.rng.randint(1, 12)
        items = [self.item(brand_id, batch=True) for _ in range(size)]
        if items and self.bad():
            items.append(self.some(items))
        return "RewardRules", "awardBatch", (brand_id, items), self.staff("issuer", brand_id)

    def take_return(self) -> Made:
        """Goods of a recent award come back; sometimes too much, twice, late, or of an award that was none."""
        awards = self.world.ledger.rules.awards
        recent = list(awards)[-30:]
        brand_id, operation = self.some(recent) if recent and not self.bad(0.04) else (self.brand(), 2**200)
        award = awards.get((brand_id, operation))
        left = award.left if award else 5
        base = int(self.some([left, left // 2, 1, self.rng.randint(0, left + 1)]))
        return_id = self.next_operation
        self.next_operation += 1
        if self.bad(0.04):
            return_id = self.rng.randint(0, return_id)
        values = brand_id, return_id, base, operation
        return "RewardRules", "takeReturn", values, self.staff("till", brand_id)

    def correct(self) -> Made:
        brand_id = self.brand()
        item = self.item(brand_id)
        rules = len(self.world.ledger.rules.rules.get(brand_id, []))
        signer = self.world.cast[f"owner{brand_id}"] if not self.bad(0.1) else self.payer()
        by = self.staff("issuer", brand_id)
        item = Item(item.operation_id, rules, item.member, self.rng.randint(0, 700))
        signed = Signed(signer, honest=not self.bad(0.05))
        return "RewardRules", "correct", (brand_id, item, signer, self.deadline(), signed), by

    def transfer(self) -> Made:
        brand_id = self.moving_brand()
        holder = self.owner_of_points(brand_id)
        while holder == self.world.cast.wallet:
            holder = self.member()
        values = self.receiver(brand_id), self.points(brand_id, holder)
        return f"{TOKEN} {brand_id}", "transfer", values, holder

    def approve(self) -> Made:
        brand_id = self.brand()
        spender = NOBODY if self.bad(0.05) else self.payer()
        points = int(self.some([0, FOREVER, self.rng.randint(1, 5_000)]))
        return f"{TOKEN} {brand_id}", "approve", (spender, points), self.payer()

    def transfer_from(self) -> Made:
        brand_id = self.moving_brand()
        known = [pair for pair, left in self.world.ledger.tokens[brand_id].allowances.items() if left]
        holder, spender = self.some(known) if known and not self.bad() else (self.member(), self.payer())
        points = self.points(brand_id, holder)
        allowance = self.world.ledger.tokens[brand_id].allowances.get((holder, spender), 0)
        if 0 < allowance < points and not self.bad():
            points = allowance
        values = holder, self.receiver(brand_id), points
        return f"{TOKEN} {brand_id}", "transferFrom", values, spender

    def permit(self) -> Made:
        brand_id, owner = self.brand(), self.payer()
        signer = self.payer() if self.bad(0.1) else owner
        values = owner, self.payer(), self.rng.randint(0, 5_000), self.deadline(), Signed(signer)
        return f"{TOKEN} {brand_id}", "permit", values, self.world.cast["stranger"]

    def transfer_signed(self) -> Made:
        brand_id = self.moving_brand()
        holder = self.owner_of_points(brand_id)
        values = (
            holder,
            self.receiver(brand_id),
            self.points(brand_id, holder),
            self.nonce(),
            self.deadline(),
            self.signed(holder),
        )
        return f"{TOKEN} {brand_id}", "transferWithAuthorisation", values, self.caller(holder)

    def leave(self) -> Made:
        brand_id = self.brand()
        holder, wallet = self.owner_of_points(brand_id), self.member()
        values = (
            holder,
            wallet,
            self.nonce(),
            self.deadline(),
            self.signed(holder),
            self.signed(wallet),
        )
        return f"{TOKEN} {brand_id}", "leave", values, self.caller(holder)

    def set_policy(self) -> Made:
        brand_id = self.brand()
        policy = self.some([Policy.OPEN, Policy.OPEN, Policy.ALLOW_LIST, Policy.CLOSED])
        return f"{TOKEN} {brand_id}", "setPolicy", (policy,), self.staff("owner", brand_id)

    def set_allowed(self) -> Made:
        brand_id = self.brand()
        values = self.receiver(brand_id), not self.bad(0.25)
        return f"{TOKEN} {brand_id}", "setAllowed", values, self.staff("owner", brand_id)

    def intrude(self) -> Made:
        """A person calls what only Moa's contracts may."""
        brand_id, member, lots = self.brand(), self.member(), (0, 0, 0, 0)
        token, by = f"{TOKEN} {brand_id}", self.staff("owner", brand_id)
        own: Made = self.some(
            [
                (token, "mint", (member, 5), by),
                (token, "mintBatch", ([],), by),
                (token, "mintLots", ([],), by),
                (token, "takeBack", (member, 1, 5, True), by),
                (token, "burn", (member, 1), by),
                (token, "setAside", (member, 1), by),
                (token, "burnAside", (lots,), by),
                (token, "giveBack", (member, lots), by),
                (token, "restore", (member, lots, True), by),
                (token, "burnLatest", (member, 7, 3), by),
                (token, "initialise", (("N", "N", 9, HOUR, 1, 0, 0),), by),
                ("RedemptionDesk", "pay", ("0x" + "12" * 32, brand_id, member, 1, REWARD), by),
                ("ClearingHouse", "book", (brand_id, 1, 5, 5, REWARD), by),
                ("ClearingHouse", "unbook", (brand_id, 1, 5, REWARD), by),
                ("PartnerRegistry", "seal", ((member,) * 5,), self.moa("operator")),
            ]
        )
        return own

    def cancel(self) -> Made:
        contract = self.some([f"{TOKEN} {self.brand()}", "RedemptionDesk", "PartnerExchange"])
        return contract, "cancelAuthorisation", (self.nonce(),), self.payer()
