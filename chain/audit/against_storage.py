"""Proven storage at the pinned block beside what the events make of it: lots, supply, holds, debts, rules, roles.

Storage is what the contracts themselves act on. Where events and storage differ, a contract changed something without
saying so, or said something that it did not do.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from chain.audit.expected import Expected
from chain.audit.storage import Storage
from chain.base.difference import STATE, Difference, Where
from chain.contracts import lots
from chain.mirror.rows.row_cache import Row
from chain.model.openings import Opening
from chain.proofs import layout, state
from chain.proofs.layout import Place

RULE: Final = "12.6"
ALL_BRANDS: Final = "0"
# The desk's enum IRedemptionDesk.State, by our states of a hold.
HOLD_STATES: Final[Mapping[str, int]] = {"held": 1, "captured": 2, "released": 3, "timed_out": 3, "paid": 2}
WORD: Final = 1 << 256
STANDINGS: Final[Mapping[str, int]] = {"": 0, "invited": 1, "active": 2, "suspended": 3}


@dataclass(frozen=True, slots=True)
class Fact:
    """One value that must lie in storage. at: where in the contract; key: of what."""

    what: str
    at: Place
    right: int
    key: tuple[Any, ...]


Found = Callable[[Difference], None]
Walked = Callable[[int], None]


def whole(slot: int) -> Place:
    """A place that is a word."""
    return Place(slot, 0, 256)


def facts_of_token(expected: Expected, token: str, supply: Sequence[int]) -> list[Fact]:
    """The four words of every account that ever had points, and those of the supply as the replay has them."""
    facts = [
        Fact("words of the supply", whole(slot), word, (index,))
        for index, (slot, word) in enumerate(zip(layout.supply(), supply, strict=True))
    ]
    for account, row in expected.holders(token):
        words = lots.unpack(row["lots"])
        for index, slot in enumerate(layout.lots(account)):
            facts.append(Fact("lots", whole(slot), words[index], (account, index)))
    for row in expected.ledger.rows["debt"].values():
        if row["token"] == token:
            at = whole(layout.place("LoyaltyToken", "debtOf", row["account"]).slot)
            facts.append(Fact("debt of a member", at, int(row["points"]), (row["account"],)))
    return facts


def facts_of_rules(expected: Expected) -> list[Fact]:
    """What is spent of each rule's budget, every operation id that counted, every root, and what came back in parts."""
    facts = [
        Fact("operations counted", whole(layout.place("RewardRules", "_operations", brand_id, index).slot), bits,
             (brand_id, index))
        for (brand_id, index), bits in expected.operations.items()
    ]  # fmt: skip
    facts += [
        Fact("awards committed", Place(layout.place("RewardRules", "rootOf", brand_id, root).slot, 255, 1), 1,
             (brand_id, root))
        for brand_id, root in sorted(expected.roots)
    ]  # fmt: skip
    facts += [
        Fact("what came back of an award", whole(layout.place("RewardRules", "returnedOf", *award).slot), base, award)
        for award, base in sorted(expected.returned.items())
    ]
    bit, bits = layout.RULE_LIFE["spent"]
    for row in _newest(expected.ledger.rows["rule"].values(), ("brand_id", "rule_id")):
        brand_id, rule_id = int(row["brand_id"]), int(row["rule_id"])
        slot = layout.rule(brand_id, rule_id)[1]
        facts.append(
            Fact(
                "budget spent", Place(slot, bit, bits), expected.spent.get((brand_id, rule_id), 0), (brand_id, rule_id)
            )
        )
    return facts


def facts_of_openings(openings: Mapping[int, Sequence[Opening]]) -> list[Fact]:
    """Every opening's book, what its schedule has left, and which of its lines were claimed."""
    facts = []
    for brand_id, of_brand in openings.items():
        for number, opening in enumerate(of_brand, 1):
            key = brand_id, number
            book = {
                "root": int(opening.terms.root, 16),
                "lines": opening.terms.lines,
                "claimed": len(opening.claimed),
                "start": opening.terms.start,
                "end": opening.end,
                "version": opening.version,
                "comparing": int(opening.comparing),
            }
            facts += [
                Fact(f"{name} of an opening", layout.opening(*key, name), right, key) for name, right in book.items()
            ]
            facts += [
                Fact("left of an opening", whole(slot), word, (*key, place))
                for place, (slot, word) in enumerate(zip(layout.opening_left(*key), opening.remaining, strict=True))
            ]
            words: dict[int, int] = {}
            for line in opening.claimed:
                words[line >> 8] = words.get(line >> 8, 0) | 1 << (line & 0xFF)
            facts += [
                Fact("lines claimed", whole(layout.opening_lines(*key, index)), bits, (*key, index))
                for index, bits in words.items()
            ]
    return facts


def facts_of_desk(expected: Expected) -> list[Fact]:
    """Every hold's record, and what each member has on hold with each brand."""
    facts, sums = [], dict[tuple[int, str], int]()
    for row in expected.ledger.rows["hold"].values():
        hold_id, holder = row["hold_id"], (int(row["brand_id"]), row["account"])
        sums[holder] = sums.get(holder, 0) + (int(row["points"]) if row["state"] == "held" else 0)
        right = {
            "points": int(row["points"]),
            "state": HOLD_STATES[row["state"]],
            "captured": int(row["captured"]),
            "refunded": int(row["refunded"]),
        }
        # A payment at a partner never waited: its row has no second until which it held.
        if row["state"] != "paid":
            right["holdUntil"] = int(row["hold_until"])
        facts += [
            Fact(f"{name} of a hold", layout.hold(hold_id, name), value, (hold_id,)) for name, value in right.items()
        ]
    facts += [Fact("points on hold", whole(layout.held(*holder)), points, holder) for holder, points in sums.items()]
    return facts


def facts_of_house(expected: Expected) -> list[Fact]:
    """What each two brands owe each other, every brand's collateral and default."""
    net: dict[tuple[int, int], int] = {}
    for row in expected.ledger.rows["obligation"].values():
        debtor, creditor, outstanding = (int(row[name]) for name in ("debtor_id", "creditor_id", "outstanding"))
        pair = min(debtor, creditor), max(debtor, creditor)
        net[pair] = net.get(pair, 0) + (outstanding if debtor < creditor else -outstanding)
    facts = [
        Fact("obligation", whole(layout.obligation(*pair)), owes % WORD, pair) for pair, owes in sorted(net.items())
    ]
    for row in expected.ledger.rows["collateral"].values():
        brand_id = int(row["brand_id"])
        facts.append(Fact("collateral", layout.books(brand_id, "collateral"), int(row["collateral"]), (brand_id,)))
        facts.append(Fact("default", layout.books(brand_id, "inDefault"), int(row["in_default"]), (brand_id,)))
    return facts


def facts_of_registry(expected: Expected) -> list[Fact]:
    """Every brand's standing."""
    facts = []
    for row in expected.ledger.rows["brand_standing"].values():
        if row["brand_id"] == ALL_BRANDS:
            at = layout.place("PartnerRegistry", "_allStoppedAt")
            facts.append(Fact("all stopped", at, int(row["stopped_at"]), ("all brands",)))
            continue
        brand_id = int(row["brand_id"])
        # The contract keeps one that was announced and taken back; only when it counts is it told.
        waits = {"nextTreasury": int(row["next_treasury"], 16)} if row["treasury_at"] else {}
        right = waits | {
            "status": STANDINGS[row["status"]],
            "brandSwitch": int(row["brand_switch"]),
            "moaSwitch": int(row["moa_switch"]),
            "stoppedAt": int(row["stopped_at"]),
            "treasury": int(row["treasury"], 16),
            "treasuryAt": int(row["treasury_at"]),
            "metadataHash": int(row["metadata_hash"], 16),
        }
        facts += [
            Fact(f"{name} of a brand", layout.brand(brand_id, name), value, (brand_id,))
            for name, value in right.items()
        ]
    return facts


def facts_of_roles(expected: Expected) -> list[Fact]:
    """Every role that was ever granted, and since when; 0 when it was taken."""
    return [
        Fact("role since", layout.role(role_id, account), since, (role_id, account))
        for (role_id, account), since in expected.roles.items()
    ]


def check(storage: Storage, contract: str, address: str, facts: list[Fact], found: Found, walked: Walked) -> int:
    """Proves and compares every fact of one contract; how many differ is heard by `found`."""
    words = storage.words(address, list(dict.fromkeys(fact.at.slot for fact in facts)), walked)
    for fact in facts:
        said = fact.at.of(words[fact.at.slot])
        if said != fact.right:
            found(_differs(storage, contract, address, fact, said))
    return len(facts)


def check_supply(storage: Storage, expected: Expected, token: str, clock: lots.Clock, at: int, found: Found) -> int:
    """The supply's live lots are the sums of all accounts' live lots, bucket by bucket. at: time of the block."""
    epoch = clock.epoch(at)
    sums: dict[int, int] = {}
    for _, row in expected.holders(token):
        for expiry, points in lots.live(row["lots"], epoch):
            sums[expiry] = sums.get(expiry, 0) + points
    slots = layout.supply()
    words = storage.words(token, slots)
    live = dict(lots.live(lots.pack([words[slot] for slot in slots]), epoch))
    for expiry in sorted(sums.keys() | live.keys()):
        said, right = live.get(expiry, 0), sums.get(expiry, 0)
        if said != right:
            slot = slots[expiry // lots.SLOTS % lots.WORDS]
            fact = Fact("supply of a lot", whole(slot), right, (expiry,))
            found(_differs(storage, "LoyaltyToken", token, fact, said))
    return len(sums)


def check_has_code(storage: Storage, account: str, since: str, found: Found) -> None:
    """An account that did not sign by its own key is a contract that can say so itself (ERC-1271)."""
    if storage.account(account).code_hash == state.EMPTY_CODE:
        found(
            Difference(
                kind=STATE,
                where=Where(block=storage.block, address=account, contract="account"),
                what="signature",
                said="no key of this account signed, and it has no code",
                right="signed by its key, or by its code",
                rule=RULE,
                look=f"Its act in {since}: recover the signer from the transaction's calldata.",
            )
        )


def _differs(storage: Storage, contract: str, address: str, fact: Fact, said: int) -> Difference:
    return Difference(
        kind=STATE,
        where=Where(block=storage.block, contract=contract, address=address, key=fact.key),
        what=fact.what,
        said=str(said),
        right=str(fact.right),
        rule=RULE,
        look=f"eth_getProof of {address} at this block, slot {fact.at.slot:#x}, bit {fact.at.bit} (+{fact.at.bits}).",
    )


def _newest(rows: Iterable[Row], key: tuple[str, ...]) -> list[Row]:
    """The first row of each key."""
    return list({tuple(row[name] for name in key): row for row in rows}.values())
