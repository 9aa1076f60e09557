"""Bundles of a chain that never was: state, receipts and headers made by hand, by the reference libraries' tries.

What no real contract would store, and no real node would serve, can be put into these.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import rlp
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from trie import HexaryTrie

from chain.base.hashing import keccak, keccak_text
from chain.contracts import snapshots
from chain.evidence import document
from chain.evidence.claims import Known
from chain.evidence.comparing import slot
from chain.evidence.errors import Refused
from chain.evidence.programme import made_by
from chain.evidence.witness_store import WitnessStore, linked
from chain.model import chunks

Claim = dict[str, Any]
KEY: Final = Ed25519PrivateKey.from_private_bytes(b"\x05" * 32)
PUBLIC: Final = KEY.public_key().public_bytes_raw()
ADA, BEN, STRANGER = (f"0x{number:040x}" for number in (0xADA, 0xBE4, 0x57A))
REGISTRY, IMPLEMENTATION, RULES, DESK, EXCHANGE, HOUSE, TOKEN = (f"0x{number:040x}" for number in range(0x101, 0x108))
# Another registry on the same chain, with the true implementation and a clone of its own.
FAKE, FAKE_TOKEN = f"0x{0x666:040x}", f"0x{0x667:040x}"
# Contracts to which no registry leads, and the lists that the governor made.
BADGES, GOVERNOR = f"0x{0xBAD:040x}", f"0x{0x60F:040x}"
SNAPSHOTS: Final = made_by(GOVERNOR)
NAMES: Final = {
    BADGES: "Badges",
    GOVERNOR: "ProgrammeGovernor",
    SNAPSHOTS: "Snapshots",
    REGISTRY: "PartnerRegistry",
    RULES: "RewardRules",
    DESK: "RedemptionDesk",
    EXCHANGE: "PartnerExchange",
    HOUSE: "ClearingHouse",
    TOKEN: "LoyaltyToken",
    FAKE: "PartnerRegistry",
    FAKE_TOKEN: "LoyaltyToken",
}
EPOCH_S: Final = 1_000
LIFETIME: Final = 3
# The fourth epoch of a calendar that began at 0: lots of the epochs 5 to 20 live.
NOW: Final = 4_500
AWARDED: Final = keccak_text("Awarded(uint256,uint256,address,uint256,uint256,uint256,uint256)")
REFUSED: Final = keccak_text("AwardRefused(uint256,uint256,address,uint256,bytes)")
TRANSFER: Final = keccak_text("Transfer(address,address,uint256)")
LOTS_CHANGED: Final = keccak_text("LotsChanged(address,uint256[])")


def raw(text: str) -> bytes:
    return bytes.fromhex(text[2:])


def word(group: int, **points: int) -> int:
    """A word of lots: p0 to p4 are the points of its five epochs."""
    return group << 240 | sum(value << 48 * int(name[1:]) for name, value in points.items())


def log(address: str, topics: Sequence[bytes], data: bytes = b"") -> list[Any]:
    return [raw(address), list(topics), data]


def padded(value: int | str) -> bytes:
    return value.to_bytes(32) if isinstance(value, int) else raw(value).rjust(32, b"\0")


def awarded(operation: int, points: int, *, base: int = 100, member: str = ADA, version: int = 1) -> list[Any]:
    """The event of an award under rule 1 of brand 1."""
    data = b"".join(map(padded, (1, version, base, points)))
    return log(RULES, [AWARDED, padded(1), padded(operation), padded(member)], data)


def told(operation: int, points: int, *, base: int = 100, position: int = 0, block: int = 7, version: int = 1) -> Claim:
    """The same as a claim tells it."""
    values = {"brandId": 1, "operationId": operation, "member": ADA, "ruleId": 1, "version": version}
    fields = values | {"baseAmount": base, "points": points}
    return {
        "address": RULES,
        "block": str(block),
        "event": "Awarded",
        "fields": [{"name": name, "value": str(value)} for name, value in fields.items()],
        "index": "0",
        "log": str(position),
    }


@dataclass
class Chain:
    """Storage by contract, and for each block its receipts (lists of logs, or bytes as they shall lie there)."""

    storage: dict[str, dict[int, int]] = field(default_factory=dict)
    blocks: list[list[Any]] = field(default_factory=lambda: [[]])
    first: int = 7
    transactions: list[bytes] = field(default_factory=list)

    def __post_init__(self) -> None:
        modules = (IMPLEMENTATION, RULES, DESK, EXCHANGE, HOUSE)
        terms = EPOCH_S << 48 | LIFETIME << 80 | 1 << 128
        for registry, token in ((REGISTRY, TOKEN), (FAKE, FAKE_TOKEN)):
            self.storage.setdefault(registry, {}).update(enumerate((int(one, 16) for one in modules), 2))
            self.storage[registry][slot(7, 1)] = int(token, 16)
            self.storage.setdefault(token, {})[6] = terms
        for name in (RULES, DESK, EXCHANGE, HOUSE):
            self.storage.setdefault(name, {})

    def put(self, address: str, place: int, *words: int) -> Chain:
        """Words from this place on; 0 is left out, as nodes do."""
        for at, value in enumerate(words):
            if value:
                self.storage[address][(place + at) % 2**256] = value
        return self

    def balance(self, *words: int, account: str = ADA, token: str = TOKEN) -> Chain:
        return self.put(token, slot(0, raw(account)), *words)

    def rule(self, *, numerator: int = 2, kind: int = 0, rounding: int = 0, version: int = 1, cap: int = 0) -> Chain:
        """Rule 1 of brand 1: so many points for each unit."""
        rate = numerator | 1 << 48 | cap << 96 | kind << 224 | rounding << 232
        return self.put(RULES, slot(1, 1, 1), rate, version << 192, 0, int.from_bytes(keccak(b"text")))

    def programme(self) -> Chain:
        """With badges, a governor and its lists: a chain without them has other roots."""
        for name in (BADGES, GOVERNOR, SNAPSHOTS):
            self.storage.setdefault(name, {})
        return self

    def defined(self, *, kind: int = 0, level: int = 3, limit: int = 9) -> Chain:
        """Definition 1 of brand 1."""
        packed = kind | level << 16 | limit << 32
        return self.programme().put(BADGES, slot(7, 1, 1), int.from_bytes(keccak(b"badge")), packed)

    def given(self, at: int, until: int, *, owner: str = ADA) -> Chain:
        """A badge of definition 1 of brand 1 to Ada."""
        token = 1 << 192 | 1 << 160 | int(ADA, 16)
        return self.put(BADGES, slot(2, token), int(owner, 16)).put(BADGES, slot(10, token), at | until << 40)

    def listed(self, leaves: Sequence[int], *, completed: int = 100, contradicted: bool = False) -> Chain:
        """Ben's list for brand 1 in proposal 1, which is adopted."""
        total = sum(one & 2**96 - 1 for one in leaves)
        first = slot(0, list_key())
        self.programme().put(SNAPSHOTS, first, total << 160 | completed << 216,
                             1 | len(leaves) << 32 | contradicted << 80)  # fmt: skip
        self.put(SNAPSHOTS, slot(1, list_key(), 0), int.from_bytes(chunks.roots(leaves)[0]))
        return self.put(SNAPSHOTS, slot(2, 1, 1), int(BEN, 16) | total << 160)

    def voted(self, *positions: int, said: tuple[int, int, int] = (0, 0, 0)) -> Chain:
        """What brand 1's members said to proposal 1: for, against, abstaining; and whose votes counted."""
        house = said[0] | said[1] << 64 | said[2] << 128
        self.put(GOVERNOR, slot(6, 1, 1), house)
        return self.put(GOVERNOR, slot(7, 1, 1, 0), sum(1 << one for one in positions))

    def counted(self, *operations: int) -> Chain:
        return self.put(RULES, slot(2, 1, 0), sum(1 << one for one in operations))

    def sealed(self, claims: Sequence[Claim], *, block: int | None = None, sign: bool = False, **body: Any) -> bytes:
        """The bundle of these claims with the nodes that they need, as far as they hold."""
        nodes: dict[bytes, bytes] = {}
        state = self._state(nodes)
        headers, parent = [], bytes(32)
        for number, receipts in enumerate(self.blocks, self.first):
            raws = [one if isinstance(one, bytes) else rlp.encode([b"\1", b"", bytes(256), one]) for one in receipts]
            bloom = _bloom(receipts)
            roots = state, _listed(self.transactions, nodes), _listed(raws, nodes)
            headers.append(_header(parent, number, roots, bloom))
            parent = keccak(headers[-1])
        at = self.first + len(self.blocks) - 1 if block is None else block
        found = {
            "block": str(at),
            "chain_id": "1",
            "claims": list(claims),
            "headers": ["0x" + one.hex() for one in headers],
            "labels": [],
            "nodes": ["0x" + one.hex() for one in _used(headers, nodes, at, claims)],
        } | body
        signer = (PUBLIC, KEY.sign) if sign else (None, None)
        return document.canonical(document.seal("moa.evidence/1", found, key=signer[0], sign=signer[1]))

    def _state(self, nodes: dict[bytes, bytes]) -> bytes:
        accounts = HexaryTrie({})
        for address, words in self.storage.items():
            storage = HexaryTrie({})
            for place, value in words.items():
                storage[keccak(place.to_bytes(32))] = rlp.encode(value)
            nodes.update(storage.db)
            accounts[keccak(raw(address))] = rlp.encode([0, 0, storage.root_hash, code_hash(address)])
        nodes.update(accounts.db)
        return bytes(accounts.root_hash)


def code_hash(address: str) -> bytes:
    if NAMES.get(address) == "LoyaltyToken":
        return keccak(raw("0x363d3d373d3d3d363d73") + raw(IMPLEMENTATION) + raw("0x5af43d82803e903d91602b57fd5bf3"))
    return keccak(raw(address))


def contracts(*addresses: str) -> list[Claim]:
    return [
        {"type": "contract", "address": one, "code_hash": "0x" + code_hash(one).hex(), "name": NAMES[one]}
        for one in addresses
    ]


def modules(registry: str = REGISTRY) -> Claim:
    return {
        "type": "modules",
        "registry": registry,
        "token_implementation": IMPLEMENTATION,
        "reward_rules": RULES,
        "redemption_desk": DESK,
        "partner_exchange": EXCHANGE,
        "clearing_house": HOUSE,
    }


def token(address: str = TOKEN, registry: str = REGISTRY) -> Claim:
    return {
        "type": "token",
        "token": address,
        "registry": registry,
        "brand_id": "1",
        "origin": "0",
        "epoch_seconds": str(EPOCH_S),
        "lifetime_epochs": str(LIFETIME),
        "grace_seconds": "0",
    }


def lots(kind: str, *found: tuple[int, int], address: str = TOKEN, account: str = ADA) -> Claim:
    """A claim of balance or supply; found: (epoch, points)."""
    return {
        "type": kind,
        "token": address,
        "lots": [{"expires_at": str(epoch * EPOCH_S), "points": str(points)} for epoch, points in found],
        "points": str(sum(points for _, points in found)),
    } | ({"account": account} if kind == "balance" else {})


def rule(*, numerator: int = 2, kind: str = "rate", rounding: str = "down", cap: int = 0) -> Claim:
    zeros = dict.fromkeys(("budget", "cap_per_member_day", "start", "end", "notice_seconds"), "0")
    ones = dict.fromkeys(("brand_id", "rule_id", "version", "denominator"), "1")
    text = {"text": "text", "text_hash": "0x" + keccak(b"text").hex(), "kind": kind, "rounding": rounding}
    return {"type": "rule", "contract": RULES, "numerator": str(numerator), "cap_per_award": str(cap)} | zeros | ones | text  # noqa: E501  # fmt: skip


def operation(number: int, counted: str) -> Claim:
    return {"type": "operation", "contract": RULES, "brand_id": "1", "operation_id": str(number), "counted": counted}


def badge(held: str = "yes", live: str = "yes", *, given_at: int = 0, valid_until: str = "0", level: int = 3) -> Claim:
    """Of definition 1 of brand 1 and Ada."""
    return {
        "type": "badge",
        "brand_id": "1",
        "contract": BADGES,
        "definition_id": "1",
        "given_at": str(given_at),
        "held": held,
        "kind": "tier",
        "level": str(level),
        "live": live,
        "member": ADA,
        "metadata_hash": "0x" + keccak(b"badge").hex(),
        "valid_until": valid_until,
    }


OF_LIST: Final = {"brand_id": "1", "poster": BEN, "proposal_id": "1"}


def list_key() -> bytes:
    return keccak((1).to_bytes(32) + (1).to_bytes(32) + raw(BEN).rjust(32, b"\0"))


def posted(leaves: Sequence[int], *, completed: int = 100, contradicted: str = "no") -> Claim:
    total = sum(one & 2**96 - 1 for one in leaves)
    numbers = {"accounts": len(leaves), "chunks": 1, "completed_at": completed, "total": total}
    told = {name: str(value) for name, value in numbers.items()}
    return {"type": "list", "contract": SNAPSHOTS, "contradicted": contradicted} | OF_LIST | told


def tally(said: tuple[int, int, int], total: int) -> Claim:
    names = ("points_for", "points_against", "points_abstaining")
    told = {name: str(value) for name, value in zip(names, said, strict=True)}
    return {"type": "tally", "contract": GOVERNOR, "snapshots": SNAPSHOTS, "total": str(total)} | OF_LIST | told


def vote(leaves: Sequence[int], position: int, counted: str) -> Claim:
    found, leaf = snapshots.Snapshot(leaves), leaves[position]
    return {
        "type": "vote",
        "chunk": "0",
        "contract": GOVERNOR,
        "counted": counted,
        "member": chunks.account_of(leaf),
        "path": ["0x" + one.hex() for one in found.siblings(0, position)],
        "points": str(chunks.points_of(leaf)),
        "position": str(position),
        "snapshots": SNAPSHOTS,
    } | OF_LIST


def event(said: Claim) -> Claim:
    return {"type": "event", "event": said}


def history(*events: Claim, contracts: Sequence[str] = (RULES,), from_block: str = "7") -> Claim:
    found = {"account": ADA, "contracts": sorted(contracts), "events": list(events), "from_block": from_block}
    return {"type": "history"} | found


BASE: Final = [*contracts(REGISTRY, RULES), modules()]
WITH_BADGES: Final = [*contracts(REGISTRY, BADGES), modules()]
WITH_VOTES: Final = [*contracts(REGISTRY, GOVERNOR, SNAPSHOTS), modules()]
WITH_TOKEN: Final = [*contracts(REGISTRY, TOKEN), modules(), token()]


def _used(headers: Sequence[bytes], nodes: dict[bytes, bytes], block: int, claims: Sequence[Claim]) -> list[bytes]:
    """The nodes that the claims need, up to the first that does not hold."""
    found = linked(headers)
    ground = WitnessStore(found, [nodes[one] for one in sorted(nodes)], block if block in found else max(found))
    known = Known(ground)
    try:
        for place, claim in enumerate(claims):
            known.check(place, claim)
    except Refused:
        pass
    return ground.used()


def _listed(values: Sequence[bytes], nodes: dict[bytes, bytes]) -> bytes:
    made = HexaryTrie({})
    for index, value in enumerate(values):
        made[rlp.encode(index)] = value
    nodes.update(made.db)
    return bytes(made.root_hash)


def _bloom(receipts: Sequence[Any]) -> bytes:
    """That of all logs; of receipts that are written as bytes every bit is set."""
    if any(isinstance(one, bytes) for one in receipts):
        return b"\xff" * 256
    bits = 0
    for address, topics, _ in (one for logs_ in receipts for one in logs_):
        for value in (address, *topics):
            digest = keccak(value)
            for at in (0, 2, 4):
                bits |= 1 << (int.from_bytes(digest[at : at + 2]) % 2048)
    return bits.to_bytes(256)


def _header(parent: bytes, number: int, roots: tuple[bytes, bytes, bytes], bloom: bytes) -> bytes:
    state, transactions, receipts = roots
    return bytes(
        rlp.encode([
            parent, bytes(32), bytes(20), state, transactions, receipts, bloom, 0, number, 0, 0, NOW, b"", bytes(32),
            bytes(8),
        ])
    )  # fmt: skip
