"""Acts of the clearing house."""

from tests.differential.acts.exchange import ExchangeActs
from tests.differential.chooser import Made


class ClearingActs(ExchangeActs):
    """Collateral, netting, settlement, default."""

    def deposit(self) -> Made:
        brand_id = 77 if self.bad(0.02) else self.brand()
        amount = int(self.some([0, 2**96])) if self.bad(0.08) else self.rng.choice((1, 1_000, 50_000, 400_000))
        by = self.world.cast[str(self.some(["stranger", f"owner{self.brand()}"]))]
        return "ClearingHouse", "deposit", (brand_id, amount), by

    def withdraw(self) -> Made:
        brand_id = self.brand()
        account = self.world.ledger.clearing.account_of(brand_id)
        free = account.collateral - account.owed
        amount = int(self.some([free, free + 1, 0, 1, self.rng.randint(0, max(1, free // 4))]))
        values = brand_id, max(0, amount), self.treasury(brand_id)
        return "ClearingHouse", "withdraw", values, self.staff("treasurer", brand_id)

    def treasury(self, brand_id: int) -> str:
        """Where the brand's collateral returns to; at times where it does not."""
        if self.bad(0.05):
            return self.world.cast["stranger"]
        return self.world.ledger.registry.brand_of(brand_id).treasury_at(self.at)

    def net(self) -> Made:
        clearing, brands = self.world.ledger.clearing, list(self.world.ledger.tokens)
        chosen = sorted(self.rng.sample(brands, self.rng.randint(2, len(brands))))
        if self.bad(0.1):
            chosen = self.some([chosen[:1], chosen[::-1], [chosen[0], *chosen], [*chosen, 88]])
        period = clearing.next_period + (int(self.some([-1, 1])) if self.bad(0.08) else 0)
        return "ClearingHouse", "net", (period, chosen), self.moa("operator")

    def settle(self) -> Made:
        clearing = self.world.ledger.clearing
        waiting = list(clearing.statements)
        if not waiting:
            return self.net()
        period = int(self.some(waiting))
        statement = clearing.statements[period]
        positions = list(statement.positions)
        if self.bad(0.1):
            positions[0] += 1
        if self.bad(0.05):
            period += 1
        return "ClearingHouse", "settle", (period, list(statement.brand_ids), positions), self.payer()

    def default(self) -> Made:
        clearing, brand_id = self.world.ledger.clearing, self.brand()
        if self.bad(0.05):
            brand_id = 66
        creditors = [each for each in self.world.ledger.tokens if clearing.obligation_of(brand_id, each)]
        if not creditors or self.bad(0.1):
            creditors = [each for each in self.world.ledger.tokens if each != brand_id][: self.rng.randint(0, 3)]
        if self.bad(0.3):
            creditors = creditors[: self.rng.randint(0, len(creditors))]
        failed = [key for key, account in clearing.accounts.items() if account.in_default and account.owed]
        if failed and not self.bad(0.3):
            brand_id = int(self.some(failed))
            creditors = [each for each in self.world.ledger.tokens if clearing.obligation_of(brand_id, each)]
            return "ClearingHouse", "payClaims", (brand_id, creditors), self.moa("operator")
        return "ClearingHouse", "declareDefault", (brand_id, creditors), self.moa("operator")

    def cure(self) -> Made:
        clearing = self.world.ledger.clearing
        failed = [key for key, account in clearing.accounts.items() if account.in_default]
        brand_id = int(self.some(failed)) if failed and not self.bad(0.1) else self.brand()
        return "ClearingHouse", "cureDefault", (brand_id,), self.moa("operator")
