"""The contracts' events, replayed by the Python model: whoever broke a rule is named (SPEC 12).

    replay = Replay(facts)
    for block in blocks:
        replay.block(block.number, block.time, logs, sent)
    replay.differences

Each transaction's events are cut into acts; each act's call is made again on the model, and every value of every
event is compared with what the model says. After a difference the books are set to what the chain states, so that one
lie is one difference.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import groupby
from typing import Final

from chain.base.difference import Difference
from chain.contracts.codec import Codec, EventLog
from chain.model.call import Call
from chain.model.clock import DAY_S
from chain.model.errors import Refused
from chain.model.policy import Policy
from chain.replay import rulebook
from chain.replay.acts import AWARDS, MOVES, ZERO, Act, Reader
from chain.replay.authority import SOMEBODY
from chain.replay.awards import SELECTORS, Awards
from chain.replay.books import Books
from chain.replay.compare import Mismatch, expected_of, grace_was_spent, mismatches
from chain.replay.decoding.facts import GOVERNOR, TOKEN, Facts, Sent
from chain.replay.decoding.inputs import Inputs, items_of
from chain.replay.decoding.plain import shown
from chain.replay.decoding.shapes import Event, Shapes
from chain.replay.findings import Findings, Subject, described, main_subjects, subjects
from chain.replay.reexecution.adopt_terms import GAP_MAX
from chain.replay.reexecution.call_context import CallContext
from chain.replay.reexecution.handlers import CALLS, FORCES, FUNCTIONS, OF_ROLES, OF_VOTES, WITHOUT_MEANING
from chain.replay.reexecution.preconditions import OF_LOST, assume_preconditions
from chain.replay.state import Place, dump, load
from chain.replay.tokens import Words
from chain.replay.votes import StatedGovernor

NOTHING_SENT: Final[Mapping[str, Sent]] = {}
MOA_ROLES: Final = 255
OF_ITSELF: Final = frozenset({"CallAnnounced", "AuthorisationCancelled"})
# What a model fed with the impossible may run into; the act is then a difference like a refused one.
IMPOSSIBLE: Final = (AssertionError, KeyError, ValueError, IndexError, ArithmeticError, TypeError)


@dataclass(frozen=True, slots=True)
class Block:
    """One block's events of Moa's contracts, in their order. time: unix seconds; before: that of the block before."""

    number: int
    time: int
    logs: list[EventLog]
    sent: Mapping[str, Sent]
    before: int | None = None


class Replay:
    """Books that follow the chain's events, and every difference from what the rules make of them."""

    def __init__(self, facts: Facts):
        codec = Codec.load()
        self.facts = facts
        self.books = Books.of(facts)
        self.findings = Findings()
        self.counts: Counter[str] = Counter()
        self.third_parties: dict[str, str] = {}
        self.number = -1
        self.time = 0
        self._labels = facts.labels()
        self._reader = Reader(facts.desk)
        self._shapes = Shapes(codec.abis)
        self._inputs = Inputs(codec.abis)
        self._awards = Awards(self.books, self.findings, codec)

    # --- what was found, and where the books stand

    @property
    def differences(self) -> list[Difference]:
        """In the order of the chain; at most 10,000 are kept."""
        return self.findings.kept

    @property
    def found(self) -> int:
        """How many differences there were."""
        return self.findings.found

    def lots(self, token: str) -> dict[str, Words]:
        """The stored words of every account of a token, by its address; one that was emptied has four 0."""
        return self.books.token(self._brand_of(token)).words

    def supply(self, token: str) -> Words:
        """The stored words of a token's supply."""
        return self.books.token(self._brand_of(token)).supply_words

    def _brand_of(self, token: str) -> int:
        return int(self._labels[token].removeprefix(TOKEN))

    # --- to go on later

    def state(self) -> bytes:
        """Everything that the next block needs, as JSON."""
        found = self.findings
        place = Place(
            number=self.number,
            time=self.time,
            counts=dict(self.counts),
            third_parties=self.third_parties,
            found=found.found,
            lost=dict(+found.lost),
            told=found.told,
        )
        return dump(self.books, self.findings, place)

    @classmethod
    def restore(cls, facts: Facts, state: bytes) -> "Replay":
        """The replay that had this state. Raises StateInvalid."""
        found = cls(facts)
        place = load(found.books, found.findings, state)
        found.number, found.time = place.number, place.time
        found.counts.update(place.counts)
        found.third_parties.update(place.third_parties)
        found._labels |= {token.address: token.name for token in found.books.tokens.values()}
        return found

    # --- the chain

    def block(
        self,
        number: int,
        time: int,
        logs: Sequence[EventLog],
        sent: Mapping[str, Sent] = NOTHING_SENT,
        before: int | None = None,
    ) -> None:
        """The next block that holds events of ours; sent: its transactions by hash, where they are known.

        before: second of the block before it, in which those who vote are weighed; not told, this block's own.
        """
        if time // DAY_S != self.time // DAY_S:
            self.books.forget_days(time)
        self.number, self.time = number, time
        self.books.stated_roles.now = time
        if isinstance(self.books.governor, StatedGovernor):
            self.books.governor.weigh(logs, time if before is None else before)
        for tx_hash, group in groupby(logs, key=lambda log: log.tx_hash):
            for act in self._reader.acts([log for log in group if self._known(log)]):
                self._act(act, sent.get(tx_hash))
        self.counts["blocks"] += 1

    def _known(self, log: EventLog) -> bool:
        """Whether the log is of a contract of ours. A token that nobody invited is told once and not followed."""
        if log.name == "BrandInvited":
            self._labels.setdefault(log.args["token"], f"{TOKEN} {log.args['brandId']}")
        if log.address in self._labels:
            # Where votes are not counted, the governor's announcements and cancelled nonces decide on nothing.
            aside = self.books.governor is None and self._labels[log.address] == GOVERNOR
            return not (aside and log.name in OF_ITSELF)
        if self.findings.first(log.address):
            look = "No BrandInvited names this address."
            self.findings.add(log, f"event {log.name} of an unknown contract", shown(log.args), None, "6.4", look)
        return False

    def _act(self, act: Act, sent: Sent | None) -> None:
        self.counts["acts"] += 1
        for log in act.logs:
            self.counts[log.name] += 1
        # The transaction speaks of the act only when it called the act's contract itself.
        direct = sent if sent is not None and sent.to == act.named.address else None
        if act.kind == "Awarded":
            self._award(act, direct)
            return
        events = [self._shapes.event(log, self._labels[log.address]) for log in act.logs]
        named = next((event for event in events if event.log is act.named), events[0])
        context = CallContext(act.kind, events, named, self.time, self.facts, third_party=self._strange)
        if direct is not None:
            context.sent = direct
            context.asked = self._inputs.asked(named.contract, direct)
        self._play(context)

    def _award(self, act: Act, sent: Sent | None) -> None:
        call = Call(sent.by, self.time, sent.data) if sent else Call(SOMEBODY, self.time)
        run = [log for log in act.logs if log.name in AWARDS]
        asked = items_of(sent, SELECTORS) if sent else None
        if sent and asked is None:
            look = "The transaction called something else."
            self.findings.add(run[0], "call behind an award", "0x" + sent.data[:4].hex(), "award", "2.7", look)
        self._awards.replay(act.logs, call, asked)

    def _play(self, context: CallContext) -> None:
        """Makes the act's call, compares, and follows the chain where it went another way."""
        if context.kind in WITHOUT_MEANING or (self.books.governor is None and context.kind in OF_VOTES):
            return
        call = CALLS.get(context.kind)
        for brand_id in self.books.tokens:
            self.books.token(brand_id).before.clear()
        wrong = self._called_otherwise(context)
        ran, refusal, follows = False, "", False
        if call is not None:
            try:
                call(self.books, context)
                ran = True
            except Refused as refused:
                refusal = str(refused)
                rule = rulebook.of_refusal(context.kind, refused.name)
                wrong.append(self._refused(context, refusal, rule))
                with suppress(*IMPOSSIBLE):
                    assume_preconditions(self.books, refused, self.time, context)
                follows = refused.name in OF_LOST and self.findings.follows(self._token_of(context))
            except IMPOSSIBLE as error:
                refusal = f"{type(error).__name__}: {error}"
                wrong.append(self._refused(context, refusal, rulebook.OF_ACT.get(context.kind, "1-6")))
        facts = expected_of(self.books.facts(), self._shapes)
        if ran:
            wrong += mismatches(facts, context.events, context.named.name, self._shapes)
        elif not refusal:
            # A movement of points tells best what happened.
            stray = next((event for event in context.events if event.name in MOVES), context.events[0])
            wrong.append(self._without_cause(stray))
            self.findings.lost[stray.contract] += stray.name in MOVES
        if not follows and not self._beyond(context, wrong):
            self._judge(context, wrong, refused=bool(refusal))
        if wrong:
            self._force(context, wrong, ran)
        self._notice(context)

    def _beyond(self, context: CallContext, wrong: list[Mismatch]) -> bool:
        """Whether the act rests on a brand or an agreement of which no event has told enough, which was said before."""
        values = context.named.values
        brand_ids = {values[name] for name in ("brandId", "fromBrandId", "toBrandId", "byBrandId") if name in values}
        if "roleId" in values and values["roleId"] > MOA_ROLES:
            brand_ids.add(values["roleId"] // 256)
        if context.kind != "BrandInvited" and wrong:
            for brand_id in brand_ids - set(self.books.tokens):
                if not self.findings.first(f"brand {brand_id}"):
                    return True
        number = values.get("agreementId")
        if number is None:
            return False
        agreement = f"agreement {number}"
        beyond = agreement in self.findings.told
        agreements = self.books.agreements.agreements
        unknown = not 0 < number <= len(agreements)
        if wrong and (unknown or any("VersionChanged" in str(each.right) for each in wrong)) and not beyond:
            self.findings.first(agreement)
        return beyond

    def _token_of(self, context: CallContext) -> str:
        """The token of the brand that the act is about, as the journal calls it."""
        brand_id = context.named.values.get("brandId")
        if brand_id is None and "agreementId" in context.named.values:
            agreements = self.books.agreements.agreements
            number = context["agreementId"]
            brand_id = agreements[number - 1].from_brand_id if 0 < number <= len(agreements) else 0
        return f"{TOKEN} {brand_id}"

    def _refused(self, context: CallContext, refusal: str, rule: str) -> Mismatch:
        what = f"{rulebook.name(context.kind)} that the rules refuse"
        return Mismatch(context.named, None, what, shown(context.named.values), refusal, rule)

    def _without_cause(self, event: Event) -> Mismatch:
        rule = rulebook.OF_ACT["RoleAdminChanged"] if event.name in OF_ROLES else rulebook.of_value(event.name, "")
        return Mismatch(event, None, f"event {event.name} without a cause", shown(event.values), None, rule)

    def _called_otherwise(self, context: CallContext) -> list[Mismatch]:
        """The transaction called a function that does not leave these events."""
        functions = FUNCTIONS.get(context.kind)
        if context.sent is None or functions is None:
            return []
        if context.asked is not None and context.asked.function in functions:
            return []
        said = context.asked.function if context.asked else "0x" + context.sent.data[:4].hex()
        context.asked = None
        what = f"call behind {rulebook.name(context.kind)}"
        return [Mismatch(context.named, None, what, said, functions[0], rulebook.OF_ACT[context.kind])]

    def _judge(self, context: CallContext, wrong: list[Mismatch], *, refused: bool) -> None:
        """One difference for one act; none when only what was in doubt comes right again."""
        about: set[Subject] = set()
        for event in context.events:
            about |= subjects(event)
        doubts = self.findings.doubts & about
        self.findings.doubts -= about
        if not wrong or doubts & main_subjects(context.named):
            return
        # An account whose lots are in doubt: whatever they now turn out to be follows from that.
        accounts = any(each[0] == "lots" and each[2] != self.facts.desk for each in doubts)
        reason = str(wrong[0].right)
        if accounts and (not refused or "ERC20InsufficientBalance" in reason):
            return
        if "AssertionError" in reason and any(each[0] == "lots" for each in doubts):
            return
        # A refund of which nothing certain was told may have given grace: the next one of these points gives none.
        if not refused and any(each[0] == "grace" for each in doubts) and grace_was_spent(wrong):
            return
        if not refused and doubts and all(each.event and doubts & subjects(each.event) for each in wrong):
            return
        first = wrong[0]
        also = sorted({each.what for each in wrong[1:]} - {first.what})
        look = described(first.event or context.named) + (f" Also: {', '.join(also)}." if also else "")
        log = (first.event or context.named).log
        self.findings.add(log, first.what, first.said, first.right, first.rule, look)
        self.findings.doubts |= self._in_doubt(context, about, refused=refused)

    def _in_doubt(self, context: CallContext, about: set[Subject], *, refused: bool) -> set[Subject]:
        """A refused refund says how much was refunded before: the next one tells whether that was the lie."""
        if not refused:
            tokens = {each[1] for each in about if each[0] == "lots"}
            graced = {("grace", *each[1:]) for each in about if each[0] == "lots"}
            return about | graced | {("limits", int(token.removeprefix(TOKEN))) for token in tokens}
        if context.kind not in ("HoldRefunded", "Returned"):
            return set()
        return main_subjects(context.named) | {each for each in about if each[0] == "grace"}

    def _force(self, context: CallContext, wrong: list[Mismatch], ran: bool) -> None:
        """The chain's word for it: for what is not as the model says, or for all when the model refused."""
        differing = {id(each.event): each for each in wrong}
        for event in context.events:
            if ran and id(event) not in differing:
                continue
            # What speaks of brands, rules or accounts that cannot be leaves the books as they are.
            with suppress(*IMPOSSIBLE):
                if ran and event.name == "LotsChanged":
                    self._retract(event, differing[id(event)])
                self._state(context, event, ran)
                if event.name == "Transfer" and event.values["from"] == ZERO and context.first("LotNamed"):
                    self.books.token(int(event.contract.removeprefix(TOKEN))).receive(
                        event.values["to"], event.values["value"], self.time
                    )

    def _retract(self, event: Event, wrong: Mismatch) -> None:
        """What the model did to other words of the account than those that the chain changed."""
        if wrong.expected is not None:
            token = self.books.token(int(event.contract.removeprefix(TOKEN)))
            token.retract(event.values["account"], wrong.expected[2]["words"], event.values["words"])

    def _state(self, context: CallContext, event: Event, ran: bool) -> None:
        self._mark_gaps(event, ran)
        force = FORCES.get(event.name)
        if force is not None and not (event.name == "PolicyChanged" and context.kind == "BrandInvited"):
            force(self.books, event, self.time, ran)
        if event.name == "BrandInvited":
            self._force_token(event)

    def _mark_gaps(self, event: Event, ran: bool) -> None:
        """Rules and agreements before this one of which no event has told."""
        values = event.values
        if event.name == "RulePublished":
            known = len(self.books.rules.rules.get(values["brandId"], [])) - ran
            for number in range(known + 1, min(values["ruleId"], known + GAP_MAX)):
                self.findings.first(f"rule {values['brandId']} {number}")
        if event.name == "AgreementProposed":
            known = len(self.books.agreements.agreements) - ran
            for number in range(known + 1, min(values["agreementId"], known + GAP_MAX)):
                self.findings.first(f"agreement {number}")

    def _force_token(self, event: Event) -> None:
        brand_id, address = event.values["brandId"], event.values["token"]
        if brand_id not in self.books.tokens:
            self.books.add_token(brand_id, address, self.facts.terms(address), Policy.CLOSED)

    def _notice(self, context: CallContext) -> None:
        for what, said, right, rule in self.books.noticed:
            self.findings.add(context.named.log, what, shown(said), shown(right), rule, described(context.named))
        self.books.noticed.clear()

    def _strange(self, account: str) -> None:
        """Remembers an account that did not sign by its own key: it must be a contract, which events cannot tell."""
        self.third_parties.setdefault(account, f"block {self.number}")


def replay(blocks: Iterable[Block], facts: Facts) -> Replay:
    """The replay of all blocks."""
    found = Replay(facts)
    for block in blocks:
        found.block(block.number, block.time, block.logs, block.sent, block.before)
    return found
