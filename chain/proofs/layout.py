"""Where each contract keeps what proofs read: slots and fields, from the compiler's own storage layout.

`layout.json` is written by scripts/generate/layout.py and compared in `make check`. A slot is an int below 2^256; a
mapping's key lies at keccak256(key ‖ slot), an array's items from its slot on. Words that contracts pack by hand
(terms of a token, a rule and an agreement) are cut by the tables at the end.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

import orjson

from chain.base.hashing import keccak
from chain.proofs.errors import LayoutMissing

FILE: Final = Path(__file__).with_name("layout.json")
WORDS_OF_LOTS: Final = 4
Key = int | str | bytes


@dataclass(frozen=True, slots=True)
class Place:
    """A value within a word: `slot`, its lowest bit, its width in bits."""

    slot: int
    bit: int
    bits: int

    def of(self, word: int) -> int:
        """The value in the word of this slot."""
        return word >> self.bit & (1 << self.bits) - 1


@cache
def contracts() -> Mapping[str, Any]:
    """The layouts by contract, as exported."""
    found: dict[str, Any] = orjson.loads(FILE.read_bytes())
    return found


def place(contract: str, variable: str, *path: Key) -> Place:
    """Where a variable is; `path` names keys of mappings, indices of arrays and members of structs in their order.

    Keys: int, an address or bytes32 as 0x hex, or bytes. Raises LayoutMissing.
    """
    try:
        found = contracts()[contract][variable]
        slot, offset, kind = found["slot"], found["offset"], found["type"]
        for step in path:
            if "key" in kind:
                slot, offset, kind = _keyed(slot, step, kind["key"]), 0, kind["value"]
            elif "members" in kind:
                member = kind["members"][step]
                slot, offset, kind = slot + member["slot"], member["offset"], member["type"]
            else:
                assert isinstance(step, int), "an array's item is named by its index"
                assert kind["base_bytes"] == 32, "arrays here are of whole words"
                slot, offset, kind = slot + step, 0, kind["base"]
    except KeyError:
        raise LayoutMissing(contract, ".".join(map(str, (variable, *path)))) from None
    return Place(slot, 8 * offset, 8 * kind.get("bytes", 32))


def _keyed(slot: int, key: Key, kind: str) -> int:
    if isinstance(key, str):
        key = bytes.fromhex(key.removeprefix("0x"))
    word = key.to_bytes(32) if isinstance(key, int) else key.rjust(32, b"\0")
    assert kind != "bytes32" or isinstance(key, int) or len(key) == 32, "bytes32 would be filled on the other side"
    return int.from_bytes(keccak(word + slot.to_bytes(32)))


def lots(account: str) -> tuple[int, int, int, int]:
    """The slots of an account's four words of lots (LoyaltyToken)."""
    first = place("LoyaltyToken", "_lots", account, 0).slot
    return first, first + 1, first + 2, first + 3


def supply() -> tuple[int, int, int, int]:
    """The slots of the supply's four words (LoyaltyToken)."""
    first = place("LoyaltyToken", "_supply", 0).slot
    return first, first + 1, first + 2, first + 3


def terms() -> int:
    """The slot of a token's packed terms; see TOKEN_TERMS."""
    return place("LoyaltyToken", "_packedTerms").slot


def role(role_id: int, account: str) -> Place:
    """Since when an account has a role (unix seconds; 0: never), in the AccessManager."""
    return place("AccessManager", "_roles", role_id, "members", account, "since")


def rule(brand_id: int, rule_id: int) -> tuple[int, int]:
    """The slots of a rule's rate and life (RewardRules); see RULE_RATE and RULE_LIFE."""
    code = place("RewardRules", "_rules", brand_id, rule_id, "code", "rate").slot
    return code, place("RewardRules", "_rules", brand_id, rule_id, "code", "life").slot


def operation(brand_id: int, operation_id: int) -> Place:
    """The bit that an operation's id has been counted (RewardRules)."""
    word = place("RewardRules", "_operations", brand_id, operation_id >> 8)
    return Place(word.slot, operation_id & 0xFF, 1)


def hold(hold_id: str, field: str) -> Place:
    """A field of a hold's record (RedemptionDesk): member, points, state, captured, refunded, holdUntil, brandId."""
    return place("RedemptionDesk", "_records", hold_id, field)


def held(brand_id: int, account: str) -> int:
    """The slot of the points an account has on hold (RedemptionDesk)."""
    return place("RedemptionDesk", "heldOf", brand_id, account).slot


def opening(brand_id: int, opening_id: int, field: str) -> Place:
    """A field of an opening's book (OpeningBalances): root, lines, claimed, start, end, version, comparing."""
    return place("OpeningBalances", "_books", brand_id, opening_id, field)


def opening_left(brand_id: int, opening_id: int) -> tuple[int, ...]:
    """The slots of the four words of what an opening's schedule has left (OpeningBalances)."""
    return tuple(place("OpeningBalances", "_remaining", brand_id, opening_id, word).slot for word in range(4))


def opening_lines(brand_id: int, opening_id: int, index: int) -> int:
    """The slot of the bits of 256 lines, which have been claimed (OpeningBalances)."""
    return place("OpeningBalances", "_claimed", brand_id, opening_id, index).slot


def obligation(one_id: int, other_id: int) -> int:
    """The slot of what the one of two brands with the smaller id owes the other; less than 0: the other way
    (ClearingHouse)."""
    return place("ClearingHouse", "_net", min(one_id, other_id), max(one_id, other_id)).slot


def books(brand_id: int, field: str) -> Place:
    """A field of a brand's books (ClearingHouse): collateral, owed, inDefault."""
    return place("ClearingHouse", "_books", brand_id, field)


def brand(brand_id: int, field: str) -> Place:
    """A field of a brand's record (PartnerRegistry): token, status, brandSwitch, moaSwitch, stoppedAt, treasury,
    metadataHash, nextTreasury, treasuryAt."""
    return place("PartnerRegistry", "_brands", brand_id, field)


# Field: (lowest bit, bits), of words packed by hand. LoyaltyToken.sol, RuleCode.sol, AgreementCode.sol.
Packing = Mapping[str, tuple[int, int]]
TOKEN_TERMS: Final[Packing] = {
    "origin": (0, 48),
    "epochSeconds": (48, 32),
    "lifetimeEpochs": (80, 8),
    "graceSeconds": (88, 32),
    "policy": (120, 8),
    "brandId": (128, 32),
    "nextPolicy": (160, 8),
    "nextPolicySince": (168, 40),
}
RULE_RATE: Final[Packing] = {
    "numerator": (0, 48),
    "denominator": (48, 48),
    "capPerAward": (96, 48),
    "capPerMemberDay": (144, 48),
    "noticeSeconds": (192, 32),
    "kind": (224, 8),
    "rounding": (232, 8),
}
RULE_LIFE: Final[Packing] = {
    "budget": (0, 56),
    "spent": (56, 56),
    "start": (112, 40),
    "end": (152, 40),
    "version": (192, 24),
    "changeAt": (216, 40),
}
RULE_MORE: Final[Packing] = {
    "returnWindow": (0, 32),
    "shortfall": (32, 8),
    "lockSeconds": (40, 32),
    "dayStart": (72, 24),
    "secondAbove": (96, 48),
}
AGREEMENT_RATE: Final[Packing] = {
    "numerator": (0, 48),
    "denominator": (48, 48),
    "feeBps": (96, 16),
    "dailyCap": (112, 48),
    "fromBrandId": (160, 32),
    "version": (192, 24),
    "minimumIn": (216, 40),
}


def unpack(word: int, packing: Packing) -> dict[str, int]:
    """The fields of a word packed by hand."""
    return {name: word >> bit & (1 << bits) - 1 for name, (bit, bits) in packing.items()}
