"""Each claim held against what its bundle proves: FORMAT.md section 5, a function for each type.

Every function raises Refused, and returns by what its claim is proven.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, Final

from chain.base.hashing import keccak
from chain.contracts import memos
from chain.contracts.lots import POINTS_MASK, SLOT_BITS, SLOT_MASK, SLOTS, TAG_SHIFT, WINDOW_EPOCHS, WORDS
from chain.evidence import events, programme, rlp
from chain.evidence.comparing import address_of, number, raw, same, slot
from chain.evidence.errors import Refused
from chain.evidence.witness_store import WitnessedHeader, WitnessedLog, WitnessStore, bloom_mask, logs, proofs, status

Claim = Mapping[str, Any]
CLONE: Final = ("363d3d373d3d3d363d73", "5af43d82803e903d91602b57fd5bf3")


@dataclass(frozen=True, slots=True)
class Token:
    """The clock of a token whose claim holds."""

    brand_id: int
    origin: int
    epoch_s: int
    lifetime_epochs: int


@dataclass(slots=True)
class Known:
    """What the claims so far have established. `words`: (token, account) → the four words in storage."""

    store: WitnessStore
    contracts: dict[str, str] = field(default_factory=dict)
    registry: str | None = None
    modules: dict[str, str] = field(default_factory=dict)
    implementations: dict[str, str] = field(default_factory=dict)
    tokens: dict[str, Token] = field(default_factory=dict)
    words: dict[tuple[str, str], list[int]] = field(default_factory=dict)
    rules: dict[tuple[str, str, str, str], Claim] = field(default_factory=dict)
    # What is held against the whole bundle once every claim has been checked, each with the place of its claim.
    place: int = 0
    named_at: dict[str, int] = field(default_factory=dict)
    awards: list[tuple[int, Claim]] = field(default_factory=list)
    told_awards: list[tuple[int, Claim]] = field(default_factory=list)
    operations: dict[tuple[str, str, str], tuple[int, str]] = field(default_factory=dict)

    def check(self, place: int, claim: Claim) -> str:
        """Holds the claim at this place of the bundle; by what it is proven. Raises Refused with the place."""
        self.place = place
        try:
            return CHECKS[claim["type"]](self, claim)
        except Refused as error:
            raise Refused(error.name, error.detail, place) from None

    def finish(self) -> None:
        """What only the whole bundle tells: each award's rule, what belongs together, and every contract's name."""
        for place, said in self.awards:
            _check_award(self, place, said)
        _check_operations(self)
        for address, place in self.named_at.items():
            name = self.contracts[address]
            leads = self.registry == address if name == "PartnerRegistry" else self._leads(address)
            if not leads:
                raise Refused("ContractUnknown", f"the registry does not lead to {address} as {name}", place)

    def named(self, address: str, *names: str) -> bytes:
        """The address of a contract that an earlier claim named so."""
        if self.contracts.get(address) not in names:
            raise Refused("ContractUnknown", f"no claim says that {address} is {' or '.join(names)}")
        return raw(address)

    def contract(self, address: str, *names: str) -> bytes:
        """The same of a contract that the registry leads to: a name alone is only the maker's word."""
        found = self.named(address, *names)
        if not self._leads(address):
            raise Refused("ContractUnknown", f"the registry does not lead to {address}")
        return found

    def _leads(self, address: str) -> bool:
        """Whether the registry leads to what has this name at this address."""
        name = self.contracts[address]
        if name in NAMED:
            # One of each: the reader says which, and without a word of the reader nothing is proven of it.
            return [one for one, other in self.contracts.items() if other == name] == [address]
        if name == "Snapshots":
            return any(self.contracts[one] == "ProgrammeGovernor" and programme.made_by(one) == address
                       for one in self.contracts)  # fmt: skip
        return self.modules.get(name) == address or (name == "LoyaltyToken" and address in self.tokens)

    def word(self, address: str, slot: int) -> int:
        """A word of storage."""
        return self.store.storage(raw(address), slot)


def contract(known: Known, claim: Claim) -> str:
    if claim["address"] in known.contracts:
        raise Refused("ClaimFalse", f"{claim['address']} is named twice")
    same("code_hash", claim["code_hash"], "0x" + known.store.account(raw(claim["address"])).code_hash.hex())
    known.contracts[claim["address"]] = claim["name"]
    known.named_at[claim["address"]] = known.place
    return "an account proof"


def modules(known: Known, claim: Claim) -> str:
    registry = claim["registry"]
    known.named(registry, "PartnerRegistry")
    same("a bundle's one registry", registry, known.registry or registry)
    names = ("token_implementation", "reward_rules", "redemption_desk", "partner_exchange", "clearing_house")
    for position, name in enumerate(names, 2):
        same(name, claim[name], address_of(known.word(registry, position)))
    known.registry = registry
    known.implementations[registry] = claim["token_implementation"]
    known.modules = {name: claim[part] for name, part in MODULES.items()}
    return "storage proofs of the registry"


def token(known: Known, claim: Claim) -> str:
    address, registry = claim["token"], claim["registry"]
    known.named(address, "LoyaltyToken")
    known.named(registry, "PartnerRegistry")
    implementation = known.implementations.get(registry)
    if implementation is None:
        raise Refused("ContractUnknown", f"no claim names the modules of {registry}")
    brand_id = number(claim["brand_id"])
    same("token", address, address_of(known.word(registry, slot(7, brand_id))))
    code = keccak(bytes.fromhex(CLONE[0]) + raw(implementation) + bytes.fromhex(CLONE[1]))
    same("the token's code", "0x" + known.store.account(raw(address)).code_hash.hex(), "0x" + code.hex())
    terms = known.word(address, 6)
    for name, bit, bits in (
        ("origin", 0, 48),
        ("epoch_seconds", 48, 32),
        ("lifetime_epochs", 80, 8),
        ("grace_seconds", 88, 32),
        ("brand_id", 128, 32),
    ):
        same(name, number(claim[name]), terms >> bit & (1 << bits) - 1)
    epoch_s = int(claim["epoch_seconds"])
    if epoch_s == 0:
        raise Refused("ClaimFalse", "epoch_seconds is 0")
    known.tokens[address] = Token(brand_id, int(claim["origin"]), epoch_s, int(claim["lifetime_epochs"]))
    return "storage proofs of registry and token, and the clone's code"


def balance(known: Known, claim: Claim) -> str:
    first = slot(0, raw(claim["account"]))
    words = _lots(known, claim, first)
    known.words[claim["token"], claim["account"]] = words
    return "storage proofs of four words" if any(words) else "proofs that four words are not in storage"


def supply(known: Known, claim: Claim) -> str:
    _lots(known, claim, 1)
    return "storage proofs of four words"


def _lots(known: Known, claim: Claim, first: int) -> list[int]:
    """Four words of a token, which must hold exactly the live lots that are claimed."""
    address = claim["token"]
    terms = known.tokens.get(address)
    if terms is None:
        raise Refused("ContractUnknown", f"no claim proves the terms of token {address}")
    words = [known.word(address, (first + place) % 2**256) for place in range(WORDS)]
    expires = terms.lifetime_epochs != 0
    epoch = max(0, known.store.block.time - terms.origin) // terms.epoch_s if expires else 0
    live = []
    for index, word in enumerate(words):
        tag = word >> TAG_SHIFT
        if word & POINTS_MASK and tag % WORDS != index:
            raise Refused("ClaimFalse", f"word {index} carries group {tag}, which no LoyaltyToken keeps there")
        if (epoch + 1) // SLOTS <= tag <= (epoch + WINDOW_EPOCHS) // SLOTS:
            for place in range(SLOTS):
                points = word >> SLOT_BITS * place & SLOT_MASK
                if points and SLOTS * tag + place > epoch:
                    live.append((SLOTS * tag + place, points))
    proven = [
        {"expires_at": str(terms.origin + expiry * terms.epoch_s) if expires else "never", "points": str(points)}
        for expiry, points in sorted(live)
    ]
    same("lots", claim["lots"], proven)
    same("points", claim["points"], str(sum(points for _, points in live)))
    return words


def rule(known: Known, claim: Claim) -> str:
    address = claim["contract"]
    known.contract(address, "RewardRules")
    brand_id, rule_id = number(claim["brand_id"]), number(claim["rule_id"])
    first = slot(1, brand_id, rule_id)

    def word(place: int) -> int:
        return known.word(address, (first + place) % 2**256)

    change_at = word(1) >> 216
    # An announced change is in force from its second on, and is written in place only by the next award.
    code = 4 if change_at and known.store.block.time >= change_at else 0
    rate, life = word(code), word(code + 1)
    for name, whole, bit, bits in (
        ("numerator", rate, 0, 48),
        ("denominator", rate, 48, 48),
        ("cap_per_award", rate, 96, 48),
        ("cap_per_member_day", rate, 144, 48),
        ("notice_seconds", rate, 192, 32),
        ("budget", life, 0, 56),
        ("start", life, 112, 40),
        ("end", life, 152, 40),
        ("version", life, 192, 24),
    ):
        same(name, number(claim[name]), whole >> bit & (1 << bits) - 1)
    same("kind", ("rate", "fixed", "correction").index(claim["kind"]), rate >> 224 & 0xFF)
    same("rounding", ("down", "nearest", "up").index(claim["rounding"]), rate >> 232 & 0xFF)
    if claim["version"] == "0" or claim["denominator"] == "0":
        raise Refused("ClaimFalse", "there is no such rule")
    same("text_hash", int(claim["text_hash"], 16), word(code + 3))
    if claim["text"]:
        same("text", "0x" + keccak(claim["text"].encode()).hex(), claim["text_hash"])
    known.rules[address, claim["brand_id"], claim["rule_id"], claim["version"]] = claim
    return "storage proofs of the rule in force" + ("" if claim["text"] else "; its text is not shown")


def operation(known: Known, claim: Claim) -> str:
    known.contract(claim["contract"], "RewardRules")
    brand_id, operation_id = number(claim["brand_id"]), number(claim["operation_id"])
    word = known.word(claim["contract"], slot(2, brand_id, operation_id >> 8))
    same("counted", claim["counted"], "yes" if word >> (operation_id & 0xFF) & 1 else "no")
    ids = (claim["contract"], claim["brand_id"], claim["operation_id"])
    known.operations[ids] = (known.place, claim["counted"])
    return "a storage proof of its bit"


def books(known: Known, claim: Claim) -> str:
    address = claim["contract"]
    known.contract(address, "ClearingHouse")
    brand_id = number(claim["brand_id"])
    word = known.word(address, slot(1, brand_id))
    same("collateral", number(claim["collateral"]), word & 2**120 - 1)
    same("owed", number(claim["owed"]), word >> 120 & 2**120 - 1)
    same("in_default", claim["in_default"], "yes" if word >> 240 else "no")
    same("due", number(claim["due"]), known.word(address, slot(2, brand_id)))
    return "storage proofs of the clearing house"


def obligation(known: Known, claim: Claim) -> str:
    address = claim["contract"]
    known.contract(address, "ClearingHouse")
    place = slot(3, number(claim["debtor_id"]), number(claim["creditor_id"]))
    same("amount", number(claim["amount"]), known.word(address, place))
    return "a storage proof of the clearing house"


def event(known: Known, claim: Claim) -> str:
    said = claim["event"]
    known.contract(said["address"], *FOLLOWED, *NAMED, "Snapshots")
    block, index, log = (number(said[name]) for name in ("block", "index", "log"))
    receipt = known.store.receipt(block, index)
    if receipt is None:
        raise Refused("ClaimFalse", f"block {block} has no transaction {index}")
    with proofs():
        found = [one for one in logs(receipt) if one.position == log]
        if not found:
            raise Refused("ClaimFalse", f"the receipt has no log {log}")
        proven = told(block, index, found[0])
    same("event", said, proven)
    known.awards.append((known.place, said))
    known.told_awards.append((known.place, said))
    return "a receipt proof"


def history(known: Known, claim: Claim) -> str:
    account, addresses = claim["account"], claim["contracts"]
    followed = {known.contract(address, *FOLLOWED) for address in addresses}
    same("contracts", addresses, sorted(set(addresses)))
    first, last = number(claim["from_block"]), known.store.block.number
    if first > last:
        raise Refused("ClaimFalse", f"block {first} is after block {last}")
    topic = raw(account).rjust(32, b"\0")
    topic_mask, masks = bloom_mask(topic), [bloom_mask(address) for address in followed]
    proven = []
    for block in range(first, last + 1):
        if _may_name(known.store.header(block), topic_mask, masks):
            for index, receipt in known.store.receipts(block):
                with proofs():
                    for log in logs(receipt, raw(account)):
                        if log.address in followed and topic in log.topics[1:]:
                            proven.append(told(block, index, log))
    same("the number of events", len(claim["events"]), len(proven))
    for position, (said, found) in enumerate(zip(claim["events"], proven, strict=True)):
        same(f"event {position}", said, found)
        known.awards.append((known.place, said))
    _check_words(known, account, proven)
    return f"the blooms of blocks {first} to {last} and every receipt of those that may name the account"


def _may_name(header: WitnessedHeader, topic_mask: int, masks: list[int]) -> bool:
    return header.bloom & topic_mask == topic_mask and any(header.bloom & mask == mask for mask in masks)


def told(block: int, index: int, log: WitnessedLog) -> dict[str, Any]:
    """A log as claims tell it. Raises ValueError when it is not what its first topic says."""
    name, fields = events.told(log.topics, log.data)
    return {
        "address": "0x" + log.address.hex(),
        "block": str(block),
        "event": name,
        "fields": fields,
        "index": str(index),
        "log": str(log.position),
    }


def _check_award(known: Known, place: int, said: Claim) -> None:
    """An award under a rule that the bundle proves, wherever in it, has exactly the rule's points (SPEC 2.9, 2.10)."""
    if said["event"] != "Awarded":
        return
    values = events.values(dict(said))
    terms = known.rules.get((said["address"], values["brandId"], values["ruleId"], values["version"]))
    if terms is None:
        return
    numerator, denominator, cap = (int(terms[name]) for name in ("numerator", "denominator", "cap_per_award"))
    product = int(values["baseAmount"]) * numerator
    if terms["kind"] == "fixed":
        points = numerator
    elif terms["rounding"] == "nearest":
        points = (2 * product + denominator) // (2 * denominator)
    else:
        points = (product + (denominator - 1 if terms["rounding"] == "up" else 0)) // denominator
    if cap:
        points = min(points, cap)
    if points != int(values["points"]):
        raise Refused(
            "RuleBroken", f"operation {values['operationId']}: the rule gives {points}, not {values['points']}", place
        )


def _check_operations(known: Known) -> None:
    """Where operations are claimed, no award of another operation is told beside them, and none is said not to count
    that was awarded up to the bundle's block."""
    for place, said in known.told_awards if known.operations else ():
        if said["event"] not in ("Awarded", "AwardRefused"):
            continue
        values = events.values(dict(said))
        found = known.operations.get((said["address"], values["brandId"], values["operationId"]))
        if found is None:
            raise Refused("ClaimFalse", f"operation {values['operationId']} is not one that the bundle claims", place)
        if said["event"] == "Awarded" and found[1] == "no" and int(said["block"]) <= known.store.block.number:
            raise Refused("ClaimFalse", f"operation {values['operationId']} was awarded", found[0])


def _check_words(known: Known, account: str, proven: list[dict[str, Any]]) -> None:
    """What the last LotsChanged of each word says is what lies in storage, for every balance claimed before; but
    after a mint, which may have added to a word without it."""
    last: dict[tuple[str, int], int] = {}
    for one in proven:
        values = events.values(one)
        if one["event"] == "Transfer" and int(values["from"], 16) == 0 and values["to"] == account:
            last = {place: word for place, word in last.items() if place[0] != one["address"]}
        if one["event"] == "LotsChanged" and values["account"] == account:
            for word in events.words_of(values["words"]):
                kept = word if word & (1 << TAG_SHIFT) - 1 else 0
                last[one["address"], (word >> TAG_SHIFT) % WORDS] = kept
    for (address, place), word in last.items():
        words = known.words.get((address, account))
        if words is not None:
            same(f"word {place} of {address}", words[place], word)


def memo(known: Known, claim: Claim) -> str:
    contract_ = known.contract(claim["contract"], "RewardRules")
    block, index, item, brand_id, operation_id = (
        number(claim[name]) for name in ("block", "index", "item", "brand_id", "operation_id")
    )
    transaction, receipt = known.store.transaction(block, index), known.store.receipt(block, index)
    if transaction is None or receipt is None:
        raise Refused("ClaimFalse", f"block {block} has no transaction {index}")
    with proofs():
        to, data = _call(transaction)
        same("the transaction's receiver", "0x" + to.hex(), "0x" + contract_.hex())
        same("brand and operation", (brand_id, operation_id), _item(data, item))
        ids = brand_id.to_bytes(32), operation_id.to_bytes(32)
        awarded = [(topic, *ids) for topic in events.AWARDED]
        counted = [one for one in logs(receipt) if one.address == contract_ and one.topics[:3] in awarded]
        same("the award's event is in the receipt", True, bool(counted) and status(receipt) == b"\1")
    root, marker = data[-memos.SUFFIX_BYTES : -32], data[-32:]
    same("the memo's marker", "0x" + marker.hex(), "0x" + memos.MARKER.hex())
    memo_root = raw(claim["memo_root"])
    _climb("the transaction's memo root", memos.item_leaf(operation_id, memo_root), item, claim["path"], root)
    for what, order in (
        ("index", [number(one["index"]) for one in claim["fields"]]),
        ("name", [one["name"].encode() for one in claim["fields"]]),
    ):
        if any(before >= after for before, after in pairwise(order)):
            raise Refused("ClaimFalse", f"the memo's fields do not ascend by {what}")
    for one in claim["fields"]:
        leaf = memos.Field(one["name"], one["value"], raw(one["salt"])).leaf()
        _climb(f"field {one['name']}", leaf, number(one["index"]), one["path"], memo_root)
    return "the transaction, its receipt and Merkle paths to its memo root"


def _climb(what: str, leaf: bytes, index: int, path: list[str], root: bytes) -> None:
    if index >> len(path):
        raise Refused("ClaimFalse", f"{what}: there is no leaf {index} at this depth")
    same(what, "0x" + memos.climb(leaf, index, [raw(one) for one in path]).hex(), "0x" + root.hex())


def _call(transaction: bytes) -> tuple[bytes, bytes]:
    """Receiver and data of a signed transaction of type 0, 1 or 2."""
    kind = transaction[0] if transaction[:1] in (b"\1", b"\2") else 0
    parts = rlp.listed(transaction[1:] if kind else transaction)
    at = (3, 4, 5)[kind]
    if len(parts) < at + 3:
        raise ValueError("a transaction has more parts")
    return rlp.string(parts[at]), rlp.string(parts[at + 2])


def _item(data: bytes, item: int) -> tuple[int, int]:
    """Brand and operation id of an item of a call of award or awardBatch that has a suffix."""
    arguments, selector = data[4:], data[:4]
    words = [int.from_bytes(arguments[at : at + 32]) for at in (0, 32, 64)]
    if selector == SELECTORS[0]:
        count, at = 1, 32
    elif selector == SELECTORS[1] and words[1] == 64:
        count, at = words[2], 96 + 128 * item
    else:
        raise ValueError("this is no call of award or awardBatch")
    # The suffix must follow the arguments at once: else a root could be hidden among them.
    end = 160 if selector == SELECTORS[0] else 96 + 128 * count
    if item >= count or len(arguments) != end + memos.SUFFIX_BYTES:
        raise ValueError("there is no such item, or no suffix")
    return words[0], int.from_bytes(arguments[at : at + 32])


def carried(transaction: bytes) -> tuple[int, list[int], bytes]:
    """Brand id, operation ids in their order, and memo root of a signed transaction of awards that carries memos.

    Raises ValueError for any other.
    """
    _, data = _call(transaction)
    if data[-32:] != memos.MARKER:
        raise ValueError("the transaction carries no memos")
    brand_id, first = _item(data, 0)
    count = 1 if data[:4] == SELECTORS[0] else int.from_bytes(data[4 + 64 : 4 + 96])
    ids = [first, *(_item(data, item)[1] for item in range(1, count))]
    return brand_id, ids, data[-memos.SUFFIX_BYTES : -32]


ITEM: Final = "(uint256,uint256,address,uint256)"
SELECTORS: Final = tuple(
    keccak(name.encode())[:4] for name in (f"award(uint256,{ITEM})", f"awardBatch(uint256,{ITEM}[])")
)
MODULES: Final[Mapping[str, str]] = {
    "RewardRules": "reward_rules",
    "RedemptionDesk": "redemption_desk",
    "PartnerExchange": "partner_exchange",
    "ClearingHouse": "clearing_house",
}
FOLLOWED: Final = ("LoyaltyToken", "RewardRules", "RedemptionDesk", "PartnerExchange")
# Contracts to which no storage of the registry leads: the reader names them.
NAMED: Final = ("Badges", "ProgrammeGovernor")
CHECKS: Final[dict[str, Callable[[Known, Claim], str]]] = {
    "contract": contract,
    "modules": modules,
    "token": token,
    "balance": balance,
    "supply": supply,
    "rule": rule,
    "operation": operation,
    "books": books,
    "obligation": obligation,
    "event": event,
    "history": history,
    "memo": memo,
    "badge": programme.badge,
    "list": programme.list_,
    "tally": programme.tally,
    "vote": programme.vote,
}
