"""Awards replayed item by item: points by the rule in force, caps, budget, room, the mint and the lots (SPEC 2)."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final

from chain.base.hashing import keccak_text
from chain.contracts.codec import Codec, EventLog
from chain.model.call import Call
from chain.model.clock import day_of
from chain.model.errors import Refused
from chain.model.lots import LOT_POINTS_MAX
from chain.model.rules import BASE_AMOUNT_MAX, BATCH_ITEMS_MAX, Item, Rounding, RuleKind, RuleTerms
from chain.replay import rulebook
from chain.replay.acts import AWARDS, ZERO
from chain.replay.authority import SOMEBODY
from chain.replay.books import Books
from chain.replay.decoding.facts import TOKEN
from chain.replay.decoding.plain import plain, shown
from chain.replay.evidence import Minted, assigned, in_order, parted
from chain.replay.findings import Findings
from chain.replay.reexecution.preconditions import assume_preconditions
from chain.replay.tokens import StatedToken

ITEM: Final = "(uint256,uint256,address,uint256)"
SELECTORS: Final = (
    keccak_text(f"award(uint256,{ITEM})")[:4],
    keccak_text(f"awardBatch(uint256,{ITEM}[])")[:4],
    keccak_text(f"correct(uint256,{ITEM},address,uint256,bytes)")[:4],
)
# Refusals that follow from a rule's terms.
OF_TERMS: Final = frozenset({"RuleUnknown", "RuleNotInForce", "AwardTooLarge", "MemberCapExceeded", "BudgetExceeded"})
# Refusals by what is left of a limit: budget, day or room.
LIMITS: Final = frozenset({"MemberCapExceeded", "BudgetExceeded", "SupplyExceeded"})
# What the reason of a refusal tells first: the points that the rule gives.
NAMES_ITS_POINTS: Final = LIMITS | {"AwardTooLarge", "SecondSignatureMissing"}
LOTS: Final = "lots of an account"
PAID: Final = "debt paid by an award"
NAMED: Final = "lot of the awards of a call"
# A change of a rule that the chain does not follow waits until the chain does.
NEVER: Final = 2**64


class Awards:
    """Replays the awards of one call."""

    def __init__(self, books: Books, findings: Findings, codec: Codec):
        self.books, self.findings, self.codec = books, findings, codec
        # An award of this call is missing: what the others had left cannot be known.
        self._partial = False
        self._before = 0
        # Two have signed the call, or nobody knows.
        self._signed = False
        # Parts of a payment in this call that were excused: by payer and event.
        self._excused: set[tuple[str, str]] = set()

    def replay(self, logs: Sequence[EventLog], call: Call, asked: list[Item] | None) -> None:
        """The events of one `award` or `awardBatch`; asked: its items by the calldata."""
        run = [log for log in logs if log.name in AWARDS]
        self._before = self.findings.found
        rest = logs[len(run) :]
        roots = [log for log in rest if log.name == "AwardsCommitted"]
        names = [log for log in rest if log.name == "LotNamed"]
        moves, payments = parted([log for log in rest if log.name not in ("AwardsCommitted", "LotNamed")])
        brand_id = int(run[0].args["brandId"])
        if brand_id not in self.books.tokens:
            if self.findings.first(f"brand {brand_id}"):
                self._tell(run[0], "an award that the rules refuse", "done", f"BrandUnknown({brand_id})", "2.7")
            return
        self._begin(run, call, brand_id)
        token = self.books.token(brand_id)
        if asked is not None and len(asked) != len(run):
            self._tell(run[0], "awards of a call", len(run), len(asked), "2.14")
            asked = None
        paid = [log for log in run if log.name == "Awarded" and log.args["points"] != "0"]
        left: list[EventLog] = []
        if in_order(paid, moves):
            minted = [Minted([move]) for move in moves]
        else:
            minted, left = assigned(paid, moves)
            self._check_order(paid, moves, minted, left)
        for each in minted:
            each.paid = [log for move in each.transfers for log in payments.pop(move.log_index, [])]
        left = sorted([*left, *(log for logs in payments.values() for log in logs)], key=lambda log: log.log_index)
        self._partial = bool(left)
        self._excused = set()
        self._signed = call.by == SOMEBODY or call.data[:4] == SELECTORS[2]
        mints = sum(log.name == "Transfer" and log.args["from"] == ZERO for log in moves)
        self._named(names, token, {len(paid), mints}, run[0], call.at)
        following = iter(minted)
        for place, log in enumerate(run):
            wanted = asked[place] if asked is not None else None
            if log.name == "AwardRefused":
                self._refused(log, brand_id, wanted, call.at)
                continue
            found = next(following) if log.args["points"] != "0" else Minted()
            left = self._strays_before(found, left, token, call.at)
            self._item(log, token, wanted, found, call.at)
        self._strays(left, token, call.at)
        self._committed(roots, brand_id, run, call.at)

    def _named(self, names: Sequence[EventLog], token: StatedToken, mints: set[int], first: EventLog, at: int) -> None:
        """The lot of all must be the present one, told once. Another one is not followed: the accounts' next words tell
        what became of their points.

        mints: how many there are by the awards, and by the transfers: what of them is missing is told elsewhere.
        """
        said = [(int(log.args["expiryEpoch"]), int(log.args["transfers"])) for log in names]
        rights = [[(token.clock.expiry_of_mint(at), each)] if each else [] for each in sorted(mints)]
        if said in rights:
            return
        right = rights[-1]
        what = "event LotNamed without a cause" if not right else "missing event LotNamed" if not said else NAMED
        self._tell(names[0] if names else first, what, shown(said), shown(right), "2.16")

    def _committed(self, roots: Sequence[EventLog], brand_id: int, run: Sequence[EventLog], at: int) -> None:
        """The root is that of the awards which may come back, in their order."""
        counted = [log for log in run if log.name == "Awarded"]
        items = [Item(int(log.args["operationId"]), int(log.args["ruleId"]), log.args["member"], 0) for log in counted]
        self.books.stated_rules.commit(brand_id, items, at)
        facts = [fact.values[1:] for fact in self.books.facts() if fact.name == "AwardsCommitted"]
        said = [(log.args["root"], int(log.args["leaves"])) for log in roots]
        # What is wrong with an award is wrong with its root.
        if said == facts or self.findings.found > self._before or ("limits", brand_id) in self.findings.doubts:
            return
        what = "root of the awards of a call" if said and facts else "event AwardsCommitted without a cause"
        self._tell(roots[0] if roots else run[0], what if said else "missing event AwardsCommitted",
                   shown(said), shown(facts), "2.16")  # fmt: skip

    def _begin(self, run: Sequence[EventLog], call: Call, brand_id: int) -> None:
        try:
            self.books.stated_rules.begin(call, brand_id)
        except Refused as refusal:
            what = "an award that the rules refuse"
            self._tell(run[0], what, "done", str(refusal), rulebook.of_refusal("Awarded", refusal.name))
            assume_preconditions(self.books, refusal, call.at)
        # Without points nothing tells where one batch ends and the next begins.
        if sum(log.args.get("points", "0") != "0" for log in run) > BATCH_ITEMS_MAX:
            self._tell(run[0], "items of a batch", len(run), BATCH_ITEMS_MAX, "2.7")
        self.books.facts()

    # --- one award

    def _item(self, log: EventLog, token: StatedToken, asked: Item | None, minted: Minted, at: int) -> None:
        args, brand_id = log.args, token.brand_id
        points, version = int(args["points"]), int(args["version"])
        item = Item(int(args["operationId"]), int(args["ruleId"]), args["member"], int(args["baseAmount"]))
        wrong: list[tuple[str, Any, Any, str]] = []
        if asked is not None and asked != item:
            wrong.append(("item of an award", plain(item), plain(asked), "2.13"))
        refused = follows = False
        try:
            right, right_version = self.books.stated_rules.decide(brand_id, item, at, signed=self._signed)
        except Refused as refusal:
            right, right_version, refused = points, version, True
            follows = refusal.name in LIMITS and self.findings.doubtful({("limits", brand_id)})
            if not follows and not (refusal.name in OF_TERMS and self._unknown(brand_id, item.rule_id)):
                rule = rulebook.of_refusal("Awarded", refusal.name)
                wrong.append(("an award that the rules refuse", points, str(refusal), rule))
            if refusal.name == "RuleUnknown":
                self._forget(brand_id, item.rule_id)
        if self._unknown(brand_id, item.rule_id):
            right, right_version = points, version
        if version != right_version:
            wrong += self._version(item, brand_id, version, right_version, at)
        elif points != right:
            wrong.append(("points of an award", points, right, "2.9"))
        # When the rule agrees with what is said, a transfer of something else is the lie; else the transfer tells best.
        agreed = points == right and not refused
        mint = points if agreed or not minted.transfers else int(minted.transfers[0].args["value"])
        if refused and not minted.transfers and not minted.lots:
            mint = 0
        if refused and item.rule_id > len(self.books.rules.rules.get(brand_id, [])):
            self._force_lots(minted, token, at)
        else:
            self._mint(item, token, mint, version, minted, at, wrong, known=follows)
        self._judge(log, token, item.member, wrong, lots_told=bool(minted.lots or minted.paid))
        if wrong:
            self.findings.doubts.add(("award", brand_id, item.operation_id))

    def _mint(
        self,
        item: Item,
        token: StatedToken,
        points: int,
        version: int,
        minted: Minted,
        at: int,
        wrong: list[tuple[str, Any, Any, str]],
        *,
        known: bool,
    ) -> None:
        """Counts the award as the chain did, and compares the mint and the lots."""
        try:
            self.books.stated_rules.count(token.brand_id, item, points, version, at)
        except Refused as refusal:
            if not known and ("lots", token.name, item.member) not in self.findings.doubts:
                rule = rulebook.of_refusal("Awarded", refusal.name)
                wrong.append(("an award that the rules refuse", points, str(refusal), rule))
            self._force_lots(minted, token, at)
            self.books.facts()
            return
        facts = self.books.facts()
        if not points:
            if minted.transfers or minted.lots or minted.paid:
                wrong.append(("event Transfer without a cause", f"{len(minted.transfers)} events", "none", "2.13"))
                self._force_lots(minted, token, at)
            return
        if len(minted.transfers) != 1:
            wrong.append(_number("Transfer", len(minted.transfers), points))
        elif minted.transfers[0].args["value"] != str(points):
            wrong.append(("value of a transfer", int(minted.transfers[0].args["value"]), points, "1.11"))
        elif minted.transfers[0].args["from"] != ZERO:
            wrong.append(("from of a transfer", minted.transfers[0].args["from"], ZERO, "1.11"))
        if minted.lots:
            wrong.append(("event LotsChanged without a cause", f"{len(minted.lots)} events", "none", "1.11"))
            self._force_lots(minted, token, at)
        right = [_told(fact.name, fact.values) for fact in facts if fact.name != "Awarded"][1:]
        said = [_told(log.name, tuple(log.args.values())) for log in minted.paid]
        debt = ("debt", token.name, item.member)
        known_debt = debt in self.findings.doubts
        if said:
            self.findings.doubts.discard(debt)
        if said != right:
            if not known_debt:
                wrong.append((PAID, shown(said), shown(right), "1.25"))
                self.findings.doubts.add(debt)
            self._follow_debt(item.member, token, minted, at)

    def _follow_debt(self, member: str, token: StatedToken, minted: Minted, at: int) -> None:
        """The chain's word for what a debtor paid and holds."""
        token.debts.pop(member, None)
        for log in minted.paid:
            if log.name == "DebtChanged" and log.args["debt"] != "0":
                token.debts[member] = int(log.args["debt"])
            if log.name == "LotsChanged":
                token.accept(member, [int(word) for word in log.args["words"]], at)

    def _version(self, item: Item, brand_id: int, version: int, right: int, at: int) -> list[tuple[str, Any, Any, str]]:
        """Follows the version that the chain cites."""
        rule = self.books.rules.rule(brand_id, item.rule_id)
        known = self.findings.doubtful({("rule", brand_id, item.rule_id)})
        if version != rule.version and (rule.change is None or rule.change.version != version):
            self._forget(brand_id, item.rule_id)
        if rule.change is not None and rule.change.version == version:
            rule.change = replace(rule.change, in_force_at=at)
        elif rule.change is not None and rule.version == version:
            rule.change = replace(rule.change, in_force_at=NEVER)
        if not known or (rule.change is not None and rule.change.in_force_at == NEVER):
            self.findings.doubts.add(("rule", brand_id, item.rule_id))
        return [] if known else [("version of an award", version, right, "2.4")]

    def _unknown(self, brand_id: int, rule_id: int) -> bool:
        """Whether the rule's terms are not known any more: it was told, and its awards cannot be judged."""
        return f"rule {brand_id} {rule_id}" in self.findings.told

    def _forget(self, brand_id: int, rule_id: int) -> None:
        """The chain follows terms that no event has told."""
        self.findings.first(f"rule {brand_id} {rule_id}")

    # --- one refusal

    def _refused(self, log: EventLog, brand_id: int, asked: Item | None, at: int) -> None:
        """The item must be refused for the reason that is given; its base amount follows from the reason."""
        args = log.args
        name, values = self.codec.revert(bytes.fromhex(args["reason"][2:]))
        said = name, tuple(_integer(value) for value in values.values())
        operation, rule_id, member = int(args["operationId"]), int(args["ruleId"]), args["member"]
        if self._unknown(brand_id, rule_id):
            return
        item = asked or Item(operation, rule_id, member, self._base_of(brand_id, rule_id, said, at))
        try:
            points, _ = self.books.stated_rules.decide(brand_id, item, at)
        except Refused as refusal:
            if plain(refusal) == said:
                return
            limit = refusal.name == said[0] and refusal.name in LIMITS
            if limit:
                self._adopt(brand_id, item, said, at)
            if not (limit and (self._partial or self.findings.doubtful({("limits", brand_id)}))):
                self._tell(log, "reason of a refused award", shown(said), str(refusal), "2.14")
            return
        self._tell(log, "an award refused that the rules grant", shown(said), f"{points} points", "2.14")

    def _adopt(self, brand_id: int, item: Item, said: tuple[str, tuple[Any, ...]], at: int) -> None:
        """What the chain says is left of a limit is left."""
        name, (_, remaining) = said
        rule, token = self.books.rules.rule(brand_id, item.rule_id), self.books.token(brand_id)
        terms, _ = rule.in_force(at)
        if name == "BudgetExceeded":
            rule.spent = max(0, terms.budget - remaining)
        elif name == "MemberCapExceeded":
            rule.by_day[item.member, day_of(at, terms.day_start)] = max(0, terms.cap_per_member_day - remaining)
        else:
            expiry = token.clock.expiry_of_mint(at)
            token.supply = {**token.supply_by_expiry(at), expiry: max(0, LOT_POINTS_MAX - remaining)}

    def _base_of(self, brand_id: int, rule_id: int, said: tuple[str, tuple[Any, ...]], at: int) -> int:
        """A base amount for which the rule gives the points that the reason names; 0 where none matters or fits."""
        name, values = said
        if name == "BaseAmountTooLarge" and values:
            return int(values[0])
        if name not in NAMES_ITS_POINTS or not values:
            return 0
        try:
            return base_amount(self.books.stated_rules.terms_of(brand_id, rule_id, at), values[0])
        except Refused:
            return 0

    # --- what does not fit

    def _strays_before(self, found: Minted, left: list[EventLog], token: StatedToken, at: int) -> list[EventLog]:
        """Deals with the movements of nobody that came before an award's own; those that are left."""
        own = [log.log_index for log in (*found.transfers, *found.lots)]
        early = [log for log in left if own and log.log_index < min(own)]
        self._strays(early, token, at)
        return [log for log in left if log not in early]

    def _strays(self, left: Sequence[EventLog], token: StatedToken, at: int) -> None:
        """Movements that no award of the call made."""
        # What a debtor pays, and was told not to be as the rules say, is told with its award.
        strange = [log for log in left if not self._excused_payment(log, token)]
        if strange:
            self._tell(strange[0], f"event {strange[0].name} without a cause", shown(strange[0].args), None, "1.11")
            self.findings.lost[token.name] += 1
        for log in left:
            if log.name == "LotsChanged":
                token.accept(log.args["account"], [int(word) for word in log.args["words"]], at)
            if log.name == "DebtChanged":
                token.debts[log.args["member"]] = int(log.args["debt"])
            if log.name == "Transfer" and log.args["from"] == ZERO:
                token.receive(log.args["to"], int(log.args["value"]), at)

    def _excused_payment(self, log: EventLog, token: StatedToken) -> bool:
        """Whether it belongs to the one payment that a debtor may have made whose debt is in doubt: a burn, the debt,
        the lots, each once in a call."""
        payer = _payer(log)
        part = payer, log.name
        burnt = log.name != "Transfer" or log.args["to"] == ZERO
        if not burnt or part in self._excused or ("debt", token.name, payer) not in self.findings.doubts:
            return False
        self._excused.add(part)
        return True

    def _check_order(
        self, paid: Sequence[EventLog], moves: Sequence[EventLog], minted: Sequence[Minted], left: list[EventLog]
    ) -> None:
        complete = all(len(each.transfers) == 1 and not each.lots for each in minted)
        if complete and not left and paid:
            said, right = [_account(log) for log in moves], [log.args["member"] for log in paid]
            self._tell(moves[0], "order of the events of a batch", said, right, "2.16")

    def _force_lots(self, minted: Minted, token: StatedToken, at: int) -> None:
        for log in minted.lots:
            token.accept(log.args["account"], [int(word) for word in log.args["words"]], at)

    def _judge(
        self, log: EventLog, token: StatedToken, member: str, wrong: list[tuple[str, Any, Any, str]], *, lots_told: bool
    ) -> None:
        """One difference for one award, unless its lots only come right again."""
        subject = ("lots", f"{TOKEN} {token.brand_id}", member)
        # Lots stay in doubt until an event tells them.
        known = self.findings.doubtful({subject}) if lots_told else subject in self.findings.doubts
        if not wrong:
            return
        if known and all(what == LOTS for what, *_ in wrong):
            return
        what, said, right, rule = wrong[0]
        also = "" if len(wrong) == 1 else " Also: " + ", ".join(each[0] for each in wrong[1:]) + "."
        self._tell(log, what, said, right, rule, also)
        self.findings.doubts |= {subject, ("limits", token.brand_id)}

    def _tell(self, log: EventLog, what: str, said: Any, right: Any, rule: str, also: str = "") -> None:
        args = log.args
        named = [f"{name} {args[name]}" for name in ("brandId", "ruleId", "operationId", "member") if name in args]
        look = (
            f"{log.name} of {', '.join(named)}, beside the rule's terms in RulePublished and RuleChangeAnnounced.{also}"
        )
        self.findings.add(log, what, shown(said), shown(right), rule, look)


def base_amount(terms: RuleTerms, points: int) -> int:
    """The smallest base amount whose points, uncapped, are at least these; at most what the contracts take."""
    if terms.kind == RuleKind.FIXED:
        return 0
    if terms.kind == RuleKind.CORRECTION:
        return min(points, BASE_AMOUNT_MAX)
    if terms.rounding == Rounding.DOWN:
        base = -(-points * terms.denominator // terms.numerator)
    elif terms.rounding == Rounding.UP:
        base = (points - 1) * terms.denominator // terms.numerator + 1
    else:
        base = -(-(2 * points - 1) * terms.denominator // (2 * terms.numerator))
    return min(max(0, base), BASE_AMOUNT_MAX)


def _payer(log: EventLog) -> str:
    """Whose debt the event may be about."""
    if log.name == "Transfer":
        return str(log.args["from"])
    return str(log.args["member" if log.name == "DebtChanged" else "account"])


def _account(log: EventLog) -> str:
    found: str = log.args["to"] if log.name == "Transfer" else log.args["account"]
    return found


def _number(name: str, said: int, right: Any) -> tuple[str, Any, Any, str]:
    if said == 0:
        return f"missing event {name}", None, right, "1.11"
    return f"event {name} without a cause", f"{said} events", "1 event", "1.11"


def _told(name: str, values: tuple[Any, ...]) -> tuple[Any, ...]:
    """An event of the chain or of the model, as both say it."""
    return name, *(tuple(map(int, each)) if isinstance(each, list | tuple) else _integer(each) for each in values)


def _integer(value: Any) -> Any:
    """A value of the codec as an integer where it is one."""
    if isinstance(value, str) and value.isdigit():
        return int(value)
    return value
