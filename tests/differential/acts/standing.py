"""Acts about brands themselves: standing, switches, invitations, rules, roles."""

from dataclasses import replace
from typing import Any

from chain.model.access import role_of
from chain.model.rules import Rounding, RuleKind
from tests.differential.acts.clearing import ClearingActs
from tests.differential.chooser import NOBODY, Made
from tests.differential.steps import Step
from tests.differential.world import BRANDS, DAY, HOUR, rule


class StandingActs(ClearingActs):
    """Standing, rules and roles."""

    def standing(self) -> Made:
        """Throws a switch, or says something new about a brand."""
        brand_id = 55 if self.bad(0.03) else self.brand()
        known = min(brand_id, len(self.world.ledger.tokens))
        values: tuple[Any, ...]
        name, values, by = self.some(
            [
                ("stop", (brand_id,), self.staff("guardian", known)),
                ("stopByMoa", (brand_id,), self.moa("guardian")),
                ("stopAll", (), self.moa("guardian")),
                ("suspend", (brand_id,), self.moa("operator")),
                ("activate", (brand_id,), self.moa("operator")),
                ("announceTreasury", (brand_id, self.some_treasury()), self.staff("owner", known)),
                ("withdrawTreasury", (brand_id,), self.staff(str(self.some(["owner", "guardian"])), known)),
                ("setMetadata", (brand_id, "0x" + "3c" * 32), self.staff("owner", known)),
            ]
        )
        return "PartnerRegistry", name, values, by

    def some_treasury(self) -> str:
        """Somewhere; at times nobody, or the clearing house."""
        house = self.world.chain.addresses["ClearingHouse"]
        return str(self.some([self.world.cast["stranger"], self.world.cast["admin"], NOBODY, house]))

    def refund_window(self) -> Made:
        """A brand's refund window, at times too long."""
        brand_id = self.brand()
        refund_s = int(self.some([0, HOUR, 9 * DAY, 366 * DAY, 366 * DAY + 1]))
        return "RedemptionDesk", "announceRefundWindow", (brand_id, refund_s), self.staff("owner", brand_id)

    def invite(self) -> Made:
        """Another brand, that nobody activates; mostly with something out of bounds."""
        cast = self.world.cast
        invitation = replace(self.some(list(BRANDS)), owner=cast["stranger"], treasury=cast["admin"])
        if self.bad(0.9):
            wrong: dict[str, Any] = self.some(
                [
                    {"name": ""},
                    {"name": "é" * 33},
                    {"symbol": ""},
                    {"symbol": "S" * 12},
                    {"epoch_s": HOUR - 1},
                    {"epoch_s": 366 * DAY + 1},
                    {"lifetime_epochs": 16},
                    {"grace_s": 15 * invitation.epoch_s + 1},
                    {"grace_s": 1, "lifetime_epochs": 0},
                    {"owner": NOBODY},
                    {"treasury": NOBODY, "name": ""},
                    {"treasury": self.world.chain.addresses["ClearingHouse"]},
                ]
            )
            invitation = replace(invitation, **wrong)
        return "PartnerRegistry", "invite", (invitation,), self.moa("operator")

    def resume(self) -> Made:
        """Puts right what keeps a brand from issuing."""
        registry = self.world.ledger.registry
        if registry.all_stopped:
            return "PartnerRegistry", "resumeAll", (), self.moa("operator")
        stuck = [key for key in registry.brands if not registry.is_issuing(key)]
        if not stuck:
            return self.standing()
        brand_id = int(self.some(stuck))
        brand = registry.brands[brand_id]
        if brand.brand_switch:
            return "PartnerRegistry", "resume", (brand_id,), self.staff("owner", brand_id)
        if brand.moa_switch:
            return "PartnerRegistry", "resumeByMoa", (brand_id,), self.moa("operator")
        return "PartnerRegistry", "activate", (brand_id,), self.moa("operator")

    def rules(self) -> Made:
        """Publishes, announces or withdraws."""
        brand_id = self.brand()
        by = self.staff("owner", brand_id)
        count = len(self.world.ledger.rules.rules[brand_id])
        rule_id = self.rng.randint(1, count) if not self.bad(0.05) else int(self.some([0, count + 1]))
        act = self.some(["publish", "announceChange", "announceChange", "withdrawChange"])
        if act == "withdrawChange":
            return "RewardRules", act, (brand_id, rule_id), by
        kind = self.some([RuleKind.RATE, RuleKind.RATE, RuleKind.FIXED])
        terms = rule(
            self.rng.choice((1, 7, 150, 2**48 - 1) if kind == RuleKind.RATE else (1, 500)),
            self.rng.choice((1, 3, 100, 2**48 - 1)) if kind == RuleKind.RATE else 1,
            kind=kind,
            rounding=self.some(list(Rounding)),
            per_award=self.rng.choice((0, 0, 1, 4_000)),
            per_day=self.rng.choice((0, 0, 700, 10_000)),
            budget=self.rng.choice((0, 900, 10**6, 2**56 - 1)),
            start=self.rng.choice((0, self.at, self.at + HOUR)),
            end=self.at + self.rng.choice((2 * HOUR, DAY, 900 * DAY)),
            notice_s=self.rng.choice((HOUR, DAY)),
        )
        if self.bad(0.1):
            wrong: dict[str, int] = self.some(
                [
                    {"numerator": 0},
                    {"denominator": 2**48},
                    {"denominator": 0},
                    {"cap_per_award": 2**48},
                    {"cap_per_member_day": 2**48},
                    {"budget": 2**56},
                    {"end": terms.start},
                    {"notice_s": 31_536_001},
                    {"notice_s": 0},
                ]
            )
            terms = replace(terms, **wrong)
        return ("RewardRules", act, (brand_id, terms) if act == "publish" else (brand_id, rule_id, terms), by)

    def grant(self) -> Made:
        """Gives or takes a role that the walk does not need."""
        brand_id = self.brand()
        role = role_of(brand_id, self.rng.randint(2, 5))
        by = self.staff("owner", brand_id)
        extra = self.world.cast["walletOwner"]
        if self.world.ledger.roles.holds(role, extra, self.at):
            return "Authority", "revokeRole", (role, extra), by
        return "Authority", "grantRole", (role, extra, 0), by

    def by_grant(self) -> Made:
        """Uses such a role."""
        made: Made = self.some([self.award, self.capture, self.refund, self.withdraw])()
        return (*made[:3], self.world.cast["walletOwner"])

    def announce(self) -> Made:
        """Announces a withdrawal by a treasurer whose role has a delay."""
        brand_id = self.brand()
        slow = self.world.cast[f"slow{brand_id}"]
        values = brand_id, self.rng.randint(1, 50), self.treasury(brand_id)
        made: Made = ("ClearingHouse", "withdraw", values, slow)
        data = self.world.chain.calldata(Step(*made))
        role = role_of(brand_id, 4)
        if self.bad(0.05):
            role = role_of(brand_id, 1)
        self.announced.append(made)
        return "ClearingHouse", "announce", (role, data), slow

    def announced_call(self) -> Made:
        """Makes an announced call: early, in time, late, twice."""
        return self.some(self.announced[-3:]) if self.announced else self.announce()

    def retract(self) -> Made:
        """Takes an announced call back: by its caller, the guardian, the owner, or nobody who may."""
        if not self.announced:
            return self.announce()
        made: Made = self.some(self.announced[-3:])
        brand_id, slow = int(made[2][0]), made[3]
        data = self.world.chain.calldata(Step(*made))
        by = str(self.some([slow, self.staff("guardian", brand_id), self.staff("owner", brand_id)]))
        return "ClearingHouse", "retract", (slow, role_of(brand_id, 4), data), by

    def regrant(self) -> Made:
        """The slow treasurer's role is taken, and later given again."""
        brand_id = self.brand()
        role, slow = role_of(brand_id, 4), self.world.cast[f"slow{brand_id}"]
        by = self.staff("owner", brand_id)
        if self.world.ledger.roles.holds(role, slow, self.at) and self.bad(0.3):
            return "Authority", "revokeRole", (role, slow), by
        return "Authority", "grantRole", (role, slow, HOUR), by
