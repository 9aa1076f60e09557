"""Bundles made: a member's, a brand's, an operation's, as of a block, each proven before it is handed out.

Everything comes from the node and the deployment; names and texts that no proof covers go into labels.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from chain.base.scalars import Address
from chain.contracts import lots, memos
from chain.contracts.deployment import Deployment
from chain.contracts.snapshots import Snapshot
from chain.evidence import claims, document, events, programme
from chain.evidence.claims import Claim, Known
from chain.evidence.comparing import address_of, bits, raw, slot
from chain.evidence.errors import EvidenceMissing, EvidenceTooLarge, Refused
from chain.evidence.gather import HEADERS_MAX, Gatherer, HeaderCache
from chain.evidence.shapes import EVIDENCE
from chain.evidence.witness_store import WitnessStore, bloom_mask, logs
from chain.evidence.witness_store import header as read_header
from chain.node.rpc import Rpc
from chain.storage.documents import Documents

BRANDS_MAX: Final = 60
RULES_MAX: Final = 64
FOUND_BLOCKS_PER_ASKING: Final = 2_000


@dataclass(frozen=True, slots=True)
class Place:
    """Where an event is: block, and the hash of its transaction."""

    block: int
    tx_hash: str


@dataclass(frozen=True, slots=True)
class Memo:
    """A memo to prove: all its fields, the names of those to show, and what each item of its transaction committed."""

    fields: Sequence[memos.Field]
    show: Sequence[str]
    items: Sequence[tuple[int, bytes | None]]


class Maker:
    """Makes bundles from one node. `signer` gives (public key, sign) or is None."""

    def __init__(
        self,
        rpc: Rpc,
        deployment: Deployment,
        *,
        headers: HeaderCache | None = None,
        signer: tuple[bytes, document.Sign] | None = None,
    ):
        self._rpc = rpc
        self._deployment = deployment
        self._headers = headers
        self._signer = signer

    def head(self) -> int:
        """The newest block of the node."""
        return int(self._rpc.call("eth_blockNumber"), 16)

    def member(
        self,
        account: str,
        *,
        block: int | None = None,
        from_block: int | None = None,
        anchor: int | None = None,
        brands: Sequence[int] | None = None,
        labels: Mapping[str, str] | None = None,
    ) -> bytes:
        """Balances with lots at `block`, and every event that names the account from `from_block` to it."""
        account = account.lower()
        at, last = self._range(block, anchor)
        # All there is or, on a chain too long for one bundle, as far back as fits: the claim says from where.
        first = max(self._deployment.start_block, last - HEADERS_MAX + 1) if from_block is None else from_block
        draft = self._draft(min(first, at), last, at)
        draft.tokens([brand for brand in draft.brands() if brands is None or brand in brands])
        for token in draft.token_of.values():
            draft.want(token, *_lot_slots(account))
        draft.read()
        for brand_id, token in draft.token_of.items():
            draft.token_claim(brand_id)
            draft.claims.append(draft.lots_claim("balance", token, slot(0, raw(account)), account=account))
        found = draft.history(account, first)
        told = [events.values(one) | {"contract": one["address"]} for one in found if one["event"] == "Awarded"]
        draft.rule_claims({(int(one["brandId"]), int(one["ruleId"])) for one in told})
        draft.claims.append(
            {
                "type": "history",
                "account": account,
                "contracts": sorted(draft.followed()),
                "events": found,
                "from_block": str(first),
            }
        )
        return self._sealed(draft, labels)

    def brand(
        self,
        brand_id: int,
        *,
        block: int | None = None,
        anchor: int | None = None,
        labels: Mapping[str, str] | None = None,
    ) -> bytes:
        """Supply by lots, held points, rules in force, collateral, debts and obligations at `block`."""
        at, last = self._range(block, anchor)
        draft = self._draft(at, last, at)
        everyone = draft.brands()
        if brand_id not in everyone:
            raise EvidenceMissing(f"There is no brand {brand_id} at block {at}.")
        draft.tokens([brand_id])
        house, desk = draft.address("ClearingHouse"), draft.address("RedemptionDesk")
        token = draft.token_of[brand_id]
        draft.want(token, 1, 2, 3, 4, *_lot_slots(desk))
        draft.want(draft.address("RewardRules"), slot(0, brand_id))
        pairs = [pair for other in everyone if other != brand_id for pair in ((brand_id, other), (other, brand_id))]
        draft.want(house, slot(1, brand_id), slot(2, brand_id), *(slot(3, *pair) for pair in pairs))
        draft.read()
        draft.token_claim(brand_id)
        draft.claims.append(draft.lots_claim("supply", token, 1))
        draft.claims.append(draft.lots_claim("balance", token, slot(0, raw(desk)), account=desk))
        count = draft.word("RewardRules", slot(0, brand_id))
        draft.rule_claims({(brand_id, rule_id) for rule_id in range(1, min(count, RULES_MAX) + 1)})
        draft.books_claims(brand_id, pairs)
        return self._sealed(draft, labels)

    def operation(
        self,
        place: Place,
        *,
        award: tuple[int, int] | None = None,
        memo: Memo | None = None,
        block: int | None = None,
        anchor: int | None = None,
        labels: Mapping[str, str] | None = None,
    ) -> bytes:
        """What the transaction of an operation did.

        award: (brand id, operation id) of an award: only its own event, that it counted, its rule, and its memo.
        """
        at, last = self._range(block, anchor)
        draft = self._draft(min(place.block, at), last, at)
        if place.block > at:
            raise EvidenceMissing(f"Block {place.block} is after block {at}.")
        draft.tokens(draft.brands() if award is None else [award[0]])
        rules = draft.address("RewardRules")
        if award is not None:
            draft.want(rules, slot(2, award[0], award[1] >> 8))
        draft.read()
        for brand_id in draft.token_of:
            draft.token_claim(brand_id)
        index, found = draft.events_at(place, award)
        if award is not None:
            draft.rule_claims(
                {(award[0], int(events.values(one)["ruleId"])) for one in found if one["event"] == "Awarded"}
            )
            counted = draft.word("RewardRules", slot(2, award[0], award[1] >> 8)) >> (award[1] & 0xFF) & 1
            ids = {"brand_id": str(award[0]), "operation_id": str(award[1])}
            draft.claims.append({"type": "operation", "contract": rules, "counted": "yes" if counted else "no", **ids})
        draft.claims += [{"type": "event", "event": one} for one in found]
        if award is not None and memo is not None:
            draft.memo_claim(place.block, index, award, memo)
        return self._sealed(draft, labels)

    def badge(
        self,
        brand_id: int,
        definition_id: int,
        member: str,
        *,
        place: Place | None = None,
        block: int | None = None,
        anchor: int | None = None,
    ) -> bytes:
        """Whether a member has a badge at `block`, and what the transaction at `place` did with it."""
        at, last = self._range(block, anchor)
        draft = self._draft(at if place is None else min(place.block, at), last, at)
        badges = draft.address("Badges")
        token = brand_id << 192 | definition_id << 160 | int(member, 16)
        definition, owner, term = slot(7, brand_id, definition_id), slot(2, token), slot(10, token)
        draft.modules()
        draft.want(badges, definition, definition + 1, owner, term)
        draft.read()
        packed, held = draft.word("Badges", definition + 1), draft.word("Badges", owner) != 0
        given_at, until = bits(draft.word("Badges", term), 0, 40), bits(draft.word("Badges", term), 40, 40)
        live = held and (until == 0 or draft.gathered.header(at).time < until)
        draft.claims.append(
            {
                "type": "badge",
                "brand_id": str(brand_id),
                "contract": badges,
                "definition_id": str(definition_id),
                "given_at": str(given_at),
                "held": "yes" if held else "no",
                "kind": programme.KINDS[min(bits(packed, 0, 8), 2)],
                "level": str(bits(packed, 16, 8)),
                "live": "yes" if live else "no",
                "member": member.lower(),
                "metadata_hash": f"0x{draft.word('Badges', definition):064x}",
                "valid_until": "never" if held and until == 0 else str(until),
            }
        )
        if place is not None:
            draft.events_of(place, {badges: ("BadgeGiven", "BadgeWithdrawn", "BadgeRefused")})
        return self._sealed(draft, None)

    def vote(
        self,
        proposal_id: int,
        brand_id: int,
        *,
        leaves: Sequence[int] = (),
        member: str | None = None,
        places: Sequence[Place] = (),
        block: int | None = None,
        anchor: int | None = None,
    ) -> bytes:
        """A house's tally, the list that was adopted, and with its leaves a member's vote; places: transactions that
        posted it, or cast votes."""
        at, last = self._range(block, anchor)
        draft = self._draft(min([at, *(each.block for each in places)]), last, at)
        governor, lists = draft.address("ProgrammeGovernor"), draft.address("Snapshots")
        house, adopted = slot(6, proposal_id, brand_id), slot(2, proposal_id, brand_id)
        draft.gathered.state({lists: [adopted]})
        poster = address_of(draft.word("Snapshots", adopted))
        ids = {"brand_id": str(brand_id), "poster": poster, "proposal_id": str(proposal_id)}
        key = programme.key_of(ids)
        first, chunk, position, found = slot(0, key), 0, 0, Snapshot(leaves)
        if member is not None:
            try:
                chunk, position = found.place_of(member)
            except KeyError:
                raise EvidenceMissing(f"{member} is not in the list.") from None
            draft.want(lists, slot(1, key, chunk))
            draft.want(governor, slot(7, proposal_id, brand_id, chunk))
        draft.modules()
        draft.want(governor, house)
        draft.want(lists, adopted, first, first + 1)
        draft.read()
        said = draft.word("ProgrammeGovernor", house)
        points = {name: str(bits(said, bit, 64)) for bit, name in programme.SAID}
        total = str(bits(draft.word("Snapshots", adopted), 160, 56))
        draft.claims.append({"type": "tally", "contract": governor, "snapshots": lists, "total": total} | ids | points)
        posted, more = draft.word("Snapshots", first), draft.word("Snapshots", first + 1)
        numbers = {
            "accounts": bits(more, 32, 48),
            "chunks": bits(more, 0, 32),
            "completed_at": bits(posted, 216, 40),
            "total": bits(posted, 160, 56),
        }
        out = "yes" if bits(more, 80, 8) else "no"
        told = {name: str(value) for name, value in numbers.items()}
        draft.claims.append({"type": "list", "contract": lists, "contradicted": out} | ids | told)
        if member is not None:
            counted = draft.word("ProgrammeGovernor", slot(7, proposal_id, brand_id, chunk)) >> position & 1
            draft.claims.append(
                {
                    "type": "vote",
                    "chunk": str(chunk),
                    "contract": governor,
                    "counted": "yes" if counted else "no",
                    "member": member.lower(),
                    "path": ["0x" + one.hex() for one in found.siblings(chunk, position)],
                    "points": str(found.leaf_at(chunk, position) & (1 << programme.POINTS_AT) - 1),
                    "position": str(position),
                    "snapshots": lists,
                }
                | ids
            )
        for place in places:
            draft.events_of(place, {governor: ("VoteCast", "VoiceCast"), lists: ("SnapshotPosted", "SnapshotAdopted")})
        return self._sealed(draft, None)

    def find_award(self, brand_id: int, operation_id: int, *, last: int | None = None) -> Place:
        """The transaction in which an award counted or, failing that, was last refused, asked of the node."""
        until = self.head() if last is None else last
        topics = [
            ["0x" + events.TOPICS[name].hex() for name in ("Awarded", "AwardRefused")],
            f"0x{brand_id:064x}",
            f"0x{operation_id:064x}",
        ]
        wanted = {"address": self._deployment.address("RewardRules"), "topics": topics}
        refused = None
        for first in range(self._deployment.start_block, until + 1, FOUND_BLOCKS_PER_ASKING):
            end = min(until, first + FOUND_BLOCKS_PER_ASKING - 1)
            for log in self._rpc.call("eth_getLogs", {**wanted, "fromBlock": hex(first), "toBlock": hex(end)}):
                place = Place(int(log["blockNumber"], 16), log["transactionHash"])
                if log["topics"][0] == topics[0][0]:
                    return place
                refused = place
        if refused is None:
            raise EvidenceMissing(f"Operation {operation_id} of brand {brand_id} is not on the chain up to {until}.")
        return refused

    def _range(self, block: int | None, anchor: int | None) -> tuple[int, int]:
        head = self.head() if block is None else block
        return head, head if anchor is None else max(anchor, head)

    def _draft(self, first: int, last: int, block: int) -> "Draft":
        return Draft(Gatherer(self._rpc, first, last, block=block, known=self._headers), self._deployment)

    def _sealed(self, draft: "Draft", labels: Mapping[str, str] | None) -> bytes:
        """The bundle with the nodes that its claims need and no others; every claim is checked on the way."""
        gathered = draft.gathered
        headers = {header.number: read_header(header.raw) for header in gathered.headers}
        store = WitnessStore(headers, [node for _, node in sorted(gathered.nodes.items())], gathered.block)
        known = Known(store)
        try:
            for place, claim in enumerate(draft.claims):
                known.check(place, claim)
            known.finish()
        except Refused as error:
            # The node contradicts itself, or the chain does not carry what was asked for (a memo's root).
            what = draft.claims[error.claim]["type"] if error.claim is not None else "bundle"
            raise EvidenceMissing(f"The {what} cannot be proven. {error}") from error
        body = {
            "block": str(gathered.block),
            "chain_id": str(self._deployment.chain_id),
            "claims": draft.claims,
            "headers": ["0x" + header.raw.hex() for header in gathered.headers],
            "labels": [{"name": name, "value": value} for name, value in sorted((labels or {}).items())],
            "nodes": ["0x" + node.hex() for node in store.used()],
        }
        key, sign = self._signer or (None, None)
        data = document.canonical(document.seal(EVIDENCE, body, key=key, sign=sign))
        if len(data) > document.BYTES_MAX:
            raise EvidenceTooLarge("bytes", len(data), document.BYTES_MAX)
        return data


class Draft:
    """A bundle in the making: what was gathered, and the claims so far."""

    def __init__(self, gathered: Gatherer, deployment: Deployment):
        self.gathered = gathered
        self.claims: list[dict[str, Any]] = []
        self.token_of: dict[int, Address] = {}
        self._deployment = deployment
        self._wanted: dict[str, set[int]] = {}
        self._named: set[str] = set()
        self._read: set[tuple[str, int]] = set()

    def address(self, name: str) -> str:
        """A contract's address, named by a claim from here on."""
        self._named.add(name)
        found = self._deployment.address(name)
        self._wanted.setdefault(found, set())
        return found

    def want(self, address: str, *slots: int) -> None:
        """Slots to be read next."""
        self._wanted.setdefault(address, set()).update(slots)

    def word(self, name: str, place: int) -> int:
        """A word that was read."""
        return self.gathered.words[self._deployment.address(name), place]

    def brands(self) -> list[int]:
        """The ids of all brands at the block."""
        registry = self.address("PartnerRegistry")
        self.gathered.state({registry: [0]})
        return list(range(1, min(self.gathered.words[registry, 0], BRANDS_MAX) + 1))

    def modules(self) -> None:
        """The registry alone, with what it leads to."""
        self.want(self.address("PartnerRegistry"), 2, 3, 4, 5, 6)

    def events_of(self, place: Place, names: Mapping[str, Sequence[str]]) -> None:
        """Claims of what a transaction left, by contract and names."""
        receipts = self.gathered.receipts([place.block])[place.block]
        hashes = self.gathered.hashes(place.block)
        if place.tx_hash not in hashes:
            raise EvidenceMissing(f"Block {place.block} has no transaction {place.tx_hash}.")
        index = hashes.index(place.tx_hash)
        wanted = {(raw(address), events.TOPICS[name]) for address, of in names.items() for name in of}
        for log in logs(receipts[index]):
            if log.topics and (log.address, log.topics[0]) in wanted:
                self.claims.append({"type": "event", "event": claims.told(place.block, index, log)})

    def tokens(self, brands: Sequence[int]) -> None:
        """The brands whose tokens are claimed."""
        registry = self.address("PartnerRegistry")
        self.want(registry, 2, 3, 4, 5, 6)
        for name in ("RewardRules", "RedemptionDesk", "PartnerExchange"):
            self.address(name)
        self.gathered.state({registry: [slot(7, brand_id) for brand_id in brands]})
        for brand_id in brands:
            token = Address(f"0x{self.gathered.words[registry, slot(7, brand_id)] & 2**160 - 1:040x}")
            self.token_of[brand_id] = token
            self.want(token, 6)

    def followed(self) -> list[str]:
        """The contracts whose events are told."""
        return [self.address(name) for name in claims.FOLLOWED[1:]] + list(self.token_of.values())

    def read(self) -> None:
        """Reads what is wanted, and claims the contracts and the registry's modules."""
        self.gathered.state(dict(self._wanted))
        names = {self._deployment.address(name): name for name in sorted(self._named)}
        names |= dict.fromkeys(self.token_of.values(), "LoyaltyToken")
        for address, name in names.items():
            code_hash = self.gathered.code_hashes[address]
            self.claims.append({"type": "contract", "address": address, "code_hash": code_hash, "name": name})
        registry = self._deployment.address("PartnerRegistry")
        fields = ("token_implementation", "reward_rules", "redemption_desk", "partner_exchange", "clearing_house")
        values = {
            name: f"0x{self.gathered.words[registry, place] & 2**160 - 1:040x}" for place, name in enumerate(fields, 2)
        }
        self.claims.append({"type": "modules", "registry": registry, **values})

    def token_claim(self, brand_id: int) -> None:
        """A token with its terms."""
        token = self.token_of[brand_id]
        terms = self.gathered.words[token, 6]
        places = {
            "epoch_seconds": (48, 32),
            "grace_seconds": (88, 32),
            "lifetime_epochs": (80, 8),
            "origin": (0, 48),
        }
        values = {name: str(terms >> bit & (1 << bits) - 1) for name, (bit, bits) in places.items()}
        registry = self._deployment.address("PartnerRegistry")
        self.claims.append({"type": "token", "brand_id": str(brand_id), "registry": registry, "token": token, **values})

    def lots_claim(self, kind: str, token: str, first: int, **values: str) -> dict[str, Any]:
        """Live lots of four words."""
        terms = self.gathered.words[token, 6]
        clock = lots.Clock(terms & 2**48 - 1, terms >> 48 & 2**32 - 1, terms >> 80 & 0xFF)
        text = lots.pack([self.gathered.words[token, (first + place) % 2**256] for place in range(lots.WORDS)])
        live = lots.expiring(text, clock, self.gathered.header(self.gathered.block).time)
        told = [
            {"expires_at": "never" if until is None else str(until), "points": str(points)} for points, until in live
        ]
        return {"type": kind, "lots": told, "points": str(sum(points for points, _ in live)), "token": token, **values}

    def rule_claims(self, rules: set[tuple[int, int]]) -> None:
        """The rules in force, with their texts where the deployment tells them."""
        address = self.address("RewardRules")
        codes = {pair: slot(1, *pair) for pair in sorted(rules)}
        if not codes:
            return
        self.gathered.state({address: [(first + at) % 2**256 for first in codes.values() for at in (0, 1, 3, 4, 5, 7)]})
        now = self.gathered.header(self.gathered.block).time
        for (brand_id, rule_id), first in codes.items():
            words = {at: self.word("RewardRules", (first + at) % 2**256) for at in (0, 1, 3, 4, 5, 7)}
            due = words[1] >> 216 and now >= words[1] >> 216
            self.claims.append(_rule(address, brand_id, rule_id, words, 4 if due else 0, self._deployment.documents))

    def books_claims(self, brand_id: int, pairs: Sequence[tuple[int, int]]) -> None:
        """Collateral and debts of a brand."""
        house = self.address("ClearingHouse")
        books = self.word("ClearingHouse", slot(1, brand_id))
        self.claims.append(
            {
                "type": "books",
                "brand_id": str(brand_id),
                "collateral": str(books & 2**120 - 1),
                "contract": house,
                "due": str(self.word("ClearingHouse", slot(2, brand_id))),
                "in_default": "yes" if books >> 240 else "no",
                "owed": str(books >> 120 & 2**120 - 1),
            }
        )
        for debtor, creditor in pairs:
            amount = str(self.word("ClearingHouse", slot(3, debtor, creditor)))
            ids = {"creditor_id": str(creditor), "debtor_id": str(debtor)}
            self.claims.append({"type": "obligation", "amount": amount, "contract": house, **ids})

    def history(self, account: str, first: int) -> list[dict[str, Any]]:
        """Every event of the followed contracts that names the account."""
        followed = {raw(address) for address in self.followed()}
        topic = raw(account).rjust(32, b"\0")
        mask, masks = bloom_mask(topic), [bloom_mask(address) for address in followed]
        blocks = []
        for number in range(first, self.gathered.block + 1):
            bloom = int.from_bytes(self.gathered.header(number).bloom)
            if bloom & mask == mask and any(bloom & one == one for one in masks):
                blocks.append(number)
        receipts = self.gathered.receipts(blocks)
        return [
            claims.told(number, index, log)
            for number in blocks
            for index, receipt in enumerate(receipts[number])
            for log in logs(receipt, raw(account))
            if log.address in followed and topic in log.topics[1:]
        ]

    def events_at(self, place: Place, award: tuple[int, int] | None) -> tuple[int, list[dict[str, Any]]]:
        """Index of a transaction in its block, and the events it left; of an award's only its own."""
        receipts = self.gathered.receipts([place.block])[place.block]
        hashes = self.gathered.hashes(place.block)
        if place.tx_hash not in hashes:
            raise EvidenceMissing(f"Block {place.block} has no transaction {place.tx_hash}.")
        index = hashes.index(place.tx_hash)
        followed = {raw(address) for address in self.followed()}
        wanted = None if award is None else tuple(number.to_bytes(32) for number in award)
        names = (events.TOPICS["Awarded"], events.TOPICS["AwardRefused"])
        found = [
            claims.told(place.block, index, log)
            for log in logs(receipts[index])
            if log.address in followed
            and (wanted is None or (log.topics[:1] and log.topics[0] in names and log.topics[1:3] == wanted))
        ]
        if not found:
            raise EvidenceMissing("The transaction left no event of what is asked for.")
        return index, found

    def memo_claim(self, block: int, index: int, award: tuple[int, int], memo: Memo) -> None:
        """The memo of an award: only the fields to show."""
        self.gathered.transactions(block)
        ids = [operation_id for operation_id, _ in memo.items]
        if award[1] not in ids:
            raise EvidenceMissing("The transaction carries no such operation.")
        item = ids.index(award[1])
        self.claims.append(
            {
                "type": "memo",
                "block": str(block),
                "brand_id": str(award[0]),
                "contract": self.address("RewardRules"),
                "fields": memos.shown(memo.fields, memo.show),
                "index": str(index),
                "item": str(item),
                "memo_root": "0x" + memos.memo_root(memo.fields).hex(),
                "operation_id": str(award[1]),
                "path": ["0x" + one.hex() for one in memos.path(memos.leaves_of(memo.items), item)],
            }
        )


def _lot_slots(account: str) -> list[int]:
    first = slot(0, raw(account))
    return [(first + place) % 2**256 for place in range(lots.WORDS)]


def _rule(
    address: str, brand_id: int, rule_id: int, words: Mapping[int, int], code: int, documents: Documents
) -> dict[str, Any]:
    rate, life, text_hash = words[code], words[code + 1], f"0x{words[code + 3]:064x}"
    return {
        "type": "rule",
        "brand_id": str(brand_id),
        "budget": str(life & 2**56 - 1),
        "cap_per_award": str(rate >> 96 & 2**48 - 1),
        "cap_per_member_day": str(rate >> 144 & 2**48 - 1),
        "contract": address,
        "denominator": str(rate >> 48 & 2**48 - 1),
        "end": str(life >> 152 & 2**40 - 1),
        "kind": ("rate", "fixed", "correction")[rate >> 224 & 0xFF],
        "notice_seconds": str(rate >> 192 & 2**32 - 1),
        "numerator": str(rate & 2**48 - 1),
        "rounding": ("down", "nearest", "up")[rate >> 232 & 0xFF],
        "rule_id": str(rule_id),
        "start": str(life >> 112 & 2**40 - 1),
        "text": documents.text(text_hash) or "",
        "text_hash": text_hash,
        "version": str(life >> 192 & 2**24 - 1),
    }


__all__ = ["Claim", "Maker", "Memo", "Place"]
