"""Both sides set up alike: the contracts deployed, the same brands, rules, agreements, collateral and roles."""

from dataclasses import dataclass, replace

from chain.model.access import Kind, role_of
from chain.model.agreements import AgreementTerms
from chain.model.ledger import Ledger, Parties
from chain.model.policy import Policy
from chain.model.proposals import GovernorTerms, Names, Voting
from chain.model.registry import Invitation
from chain.model.rules import Rounding, RuleKind, RuleTerms, Shortfall
from chain.node.rpc import Rpc
from tests.differential.cast import Cast
from tests.differential.chain_side import COVER_BPS, SETTLEMENT_EACH, ChainSide
from tests.differential.compare import compare_all, compare_step
from tests.differential.steps import TOKEN, Outcome, Step, apply

HOUR = 3_600
DAY = 86_400
FUNDS_WEI = 10**21
FAR = 2**40 - 1
ZERO32 = "0x" + "00" * 32
# Challenge, preparation, voting, delay; threshold and quorum in hundredths of a percent.
VOTES = (HOUR, 3 * HOUR, 5 * HOUR, 2 * HOUR, 500, 3_000)
DECIDED = (
    ("RewardRules", "announceChange", Names.BRAND),
    ("RewardRules", "award", Names.BRAND),
    ("RewardRules", "awardBatch", Names.BRAND),
    ("PartnerExchange", "proposeChange", Names.AGREEMENT),
    ("PartnerExchange", "acceptChange", Names.AGREEMENT),
    ("ProgrammeGovernor", "setProgrammeText", Names.TEXT),
)
TIMELOCK = "TimelockController"


BRANDS = (
    Invitation("Café", "CAFE", DAY, 15, 3 * DAY, Policy.OPEN, "", "", ZERO32),
    Invitation("Mart", "MART", 30 * DAY, 3, 0, Policy.ALLOW_LIST, "", "", ZERO32),
    Invitation("Gold", "GOLD", DAY, 0, 0, Policy.CLOSED, "", "", ZERO32),
    Invitation("Hour", "HOUR", HOUR, 1, 15 * HOUR, Policy.OPEN, "", "", ZERO32),
)


def rule(
    numerator: int,
    denominator: int = 1,
    *,
    kind: RuleKind = RuleKind.RATE,
    rounding: Rounding = Rounding.DOWN,
    per_award: int = 0,
    per_day: int = 0,
    budget: int = 2**56 - 1,
    start: int = 0,
    end: int = FAR,
    notice_s: int = HOUR,
    window_s: int = 0,
    shortfall: Shortfall = Shortfall.FORGIVE,
    day_start: int = 0,
    second_above: int = 0,
) -> RuleTerms:
    """A rule's terms with the usual bounds."""
    return RuleTerms(
        activity="0x" + b"purchase".ljust(32, b"\0").hex(),
        kind=kind,
        rounding=rounding,
        numerator=numerator,
        denominator=denominator,
        cap_per_award=per_award,
        cap_per_member_day=per_day,
        budget=budget,
        start=start,
        end=end,
        notice_s=notice_s,
        text_hash="0x" + "ab" * 32,
        return_window_s=window_s,
        shortfall=shortfall,
        day_start=day_start,
        second_above=second_above,
    )


def agreement(
    numerator: int,
    denominator: int,
    fee_bps: int,
    *,
    exposure_cap: int,
    daily_cap: int = 10**7,
    minimum_in: int = 1,
    unwind_s: int = 30 * DAY,
) -> AgreementTerms:
    """An agreement's terms."""
    return AgreementTerms(
        numerator=numerator,
        denominator=denominator,
        fee_bps=fee_bps,
        daily_cap=daily_cap,
        exposure_cap=exposure_cap,
        value_numerator=7,
        value_denominator=3,
        notice_s=2 * HOUR,
        minimum_in=minimum_in,
        unwind_s=unwind_s,
    )


@dataclass(frozen=True)
class Made:
    """A step that was made: at its block's time, with its calldata and what the contracts did."""

    step: Step
    data: bytes
    outcome: Outcome


class TwoSides:
    """The contracts and the model, step by step the same; `record`: every step, its calldata, what the chain did."""

    def __init__(self, rpc: Rpc, chain_id: int, *, anvil: bool):
        self.cast = Cast.of(len(BRANDS))
        self.chain = ChainSide(rpc, chain_id, self.cast, anvil=anvil)
        self.record: list[Made] = []
        self._fund()
        self.parties = self._deploy()
        self.ledger = self.chain.ledger = Ledger(self.parties)
        for number, brand in enumerate(BRANDS, 1):
            owner = self.cast[f"owner{number}"]
            invitation = replace(brand, owner=owner, treasury=owner)
            self._must("PartnerRegistry", "invite", (invitation,), "operator")
        self._prologue()
        self.prologue_steps = len(self.record)
        compare_all(self, self.at)

    @property
    def at(self) -> int:
        """The newest block's time."""
        return self.chain.now()

    def do(self, step: Step) -> str:
        """Makes a step on both sides and compares; the error's name, or nothing."""
        return self.redo(step, self.chain.calldata(step))

    def redo(self, step: Step, data: bytes) -> str:
        """The same with calldata made before."""
        found, at = self.chain.make(step, data)
        said = dict(found.facts.get("PartnerRegistry", []))
        done = replace(step, at=at, token=said["BrandInvited"][1] if "BrandInvited" in said else "")
        if step.function.startswith("proposeAs"):
            done = replace(done, ground=self.chain.ground())
        if done.token:
            self.chain.name(f"{TOKEN} {said['BrandInvited'][0]}", done.token)
        self.record.append(Made(done, data, found))
        expected = apply(self.ledger, done, data)
        compare_step(self, done, expected, found)
        return found.error[0] if found.error else ""

    # --- setting up

    def _fund(self) -> None:
        bank = self.chain.rpc.call("eth_accounts")[0]
        for address in self.cast.keys:
            transfer = {"from": bank, "to": address, "value": hex(FUNDS_WEI), "gas": "0x5208", "gasPrice": hex(10**10)}
            self.chain.receipt(self.chain.rpc.call("eth_sendTransaction", transfer))

    def _deploy(self) -> Parties:
        chain, cast = self.chain, self.cast
        authority = chain.deploy("Authority", cast["admin"])
        registry = chain.deploy("PartnerRegistry", authority)
        settlement = chain.deploy("SettlementToken")
        desk = chain.deploy("RedemptionDesk", authority, registry)
        rules = chain.deploy("RewardRules", authority, registry, desk)
        clearing = chain.deploy("ClearingHouse", authority, registry, settlement, COVER_BPS, cast["admin"])
        exchange = chain.deploy("PartnerExchange", authority, registry, desk, clearing)
        openings = chain.deploy("OpeningBalances", authority, registry, desk)
        code = chain.deploy("LoyaltyToken", authority, registry, rules, desk, exchange, openings, label=f"{TOKEN} 0")
        badges = chain.deploy("Badges", authority, registry)
        chain.deploy("ProgrammeGovernor", authority, registry, rules, exchange, VOTES)
        chain.name(TIMELOCK, chain.read("ProgrammeGovernor", "timelock"))
        chain.name("Snapshots", chain.read("ProgrammeGovernor", "snapshots"))
        self.cast.add_wallet(chain.deploy("SmartWallet", cast["walletOwner"]))
        self._set_up("admin", "Authority", "setRoleGuardian", 1, 2)
        for role, holder in ((0, registry), (1, cast["operator"]), (2, cast["guardian"])):
            self._set_up("admin", "Authority", "grantRole", role, holder, 0)
        self._set_up("operator", "PartnerRegistry", "seal", (code, rules, desk, exchange, clearing))
        for name in ("stranger", *(f"owner{number}" for number in range(1, len(BRANDS) + 1))):
            self._set_up(name, "SettlementToken", "mint", cast[name], SETTLEMENT_EACH)
            self._set_up(name, "SettlementToken", "approve", clearing, 2**256 - 1)
        return Parties(
            desk=desk,
            exchange=exchange,
            clearing=clearing,
            admin=cast["admin"],
            operator=cast["operator"],
            guardian=cast["guardian"],
            badges=badges,
            voting=Voting(
                chain.addresses[TIMELOCK],
                GovernorTerms(*VOTES),
                {
                    (chain.addresses[name], chain.codec.selector(name, function)): names
                    for name, function, names in DECIDED
                },
            ),
        )

    def _set_up(self, by: str, contract: str, function: str, *values: object) -> None:
        data = self.chain.codec.calldata(contract, function, *values)
        receipt = self.chain.send(self.cast[by], self.chain.addresses[contract], data)
        assert receipt["status"] == "0x1", (contract, function, self.chain.reason(receipt["transactionHash"]))

    def _prologue(self) -> None:
        for number in range(1, len(BRANDS) + 1):
            self._begin(number)
        agreements = {
            (1, 2): agreement(3, 2, 100, exposure_cap=2_000_000),
            (2, 1): agreement(2, 3, 250, exposure_cap=2_000_000),
            (1, 3): agreement(1, 7, 0, exposure_cap=10**6, minimum_in=7),
            (3, 1): agreement(7, 1, 5_000, exposure_cap=10**6, daily_cap=20_000),
            (4, 1): agreement(1, 1, 1, exposure_cap=50_000, unwind_s=9 * HOUR),
            (1, 4): agreement(999, 1_000, 33, exposure_cap=10**9),
        }
        for number, ((giving, taking), terms) in enumerate(agreements.items(), 1):
            self._must("PartnerExchange", "propose", (giving, giving, taking, terms), f"owner{giving}")
            self._must("PartnerExchange", "accept", (number, terms.hash()), f"owner{taking}")

    def _begin(self, number: int) -> None:
        owner = f"owner{number}"
        for kind in (Kind.ISSUER, Kind.TILL, Kind.TREASURER, Kind.GUARDIAN):
            holder = self.cast[f"{kind.name.lower()}{number}"]
            self._must("Authority", "grantRole", (role_of(number, kind), holder, 0), owner)
        slow = role_of(number, Kind.TREASURER), self.cast[f"slow{number}"], HOUR
        self._must("Authority", "grantRole", slow, owner)
        self._must("PartnerRegistry", "activate", (number,), "operator")
        self._must("ClearingHouse", "deposit", (number, 500_000 * number), owner)
        window_s = min(5 * DAY, self.ledger.tokens[number].clock.least_life_s)
        for terms in (
            rule(3, 2, rounding=Rounding.NEAREST, window_s=window_s, shortfall=Shortfall.DEBT),
            rule(1, 100, rounding=Rounding.UP, per_award=5_000, per_day=9_000, window_s=window_s, day_start=54_000),
            rule(250, kind=RuleKind.FIXED, budget=20_000, per_day=1_000, window_s=window_s // 2),
            rule(2**48 - 1, 3, end=self.at + 40 * DAY),
            rule(2, 7),
            rule(1, kind=RuleKind.CORRECTION, per_award=600, per_day=1_200, second_above=200, window_s=window_s),
        ):
            self._must("RewardRules", "publish", (number, terms), owner)

    def _must(self, contract: str, function: str, values: tuple[object, ...], by: str) -> None:
        error = self.do(Step(contract, function, values, self.cast[by]))
        assert not error, f"{contract}.{function}{values} was refused: {error}"
