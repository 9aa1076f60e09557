"""The published layout: the compiler's, and the tables of contracts/README.md."""

import re
from pathlib import Path

import pytest

from chain.base.hashing import keccak
from chain.proofs import layout
from chain.proofs.errors import LayoutMissing
from scripts.generate import layout as export_layout

ROOT = Path(__file__).resolve().parent.parent.parent
ACCOUNT = "0x" + "ab" * 20


def test_the_layout_is_what_the_compiler_says_now(tmp_path: Path) -> None:
    """SPEC 12.7"""
    if not (ROOT / "node_modules" / "solc").exists():
        pytest.fail("the compiler is missing: run scripts/setup.sh node")

    assert export_layout.export(tmp_path / "layout.json").read_text() == layout.FILE.read_text()


def test_the_tokens_slots_are_those_the_readme_publishes() -> None:
    """SPEC 12.7"""
    published = (ROOT / "contracts" / "README.md").read_text()
    names = {
        "lots": "_lots", "supply": "_supply", "allowances": "_allowances", "packed terms": "_packedTerms",
        "permit nonces": "_permitNonces", "authorisation nonces": "_usedNonces", "allow-list": "_allowed",
        "name": "_name", "symbol": "_symbol",
    }  # fmt: skip
    for words, variable in names.items():
        slot = re.search(rf"^\| (\d+)(?:-\d+)? \|[^|]*\b{re.escape(words)}", published, re.MULTILINE)
        assert slot, words
        assert layout.contracts()["LoyaltyToken"][variable]["slot"] == int(slot[1]), words


def test_a_mapping_lies_at_the_hash_of_key_and_slot() -> None:
    """SPEC 12.7"""
    key = bytes.fromhex(ACCOUNT[2:]).rjust(32, b"\0")
    first = int.from_bytes(keccak(key + bytes(32)))

    assert layout.lots(ACCOUNT) == (first, first + 1, first + 2, first + 3)
    inner = keccak((1).to_bytes(32) + (layout.contracts()["ClearingHouse"]["_net"]["slot"]).to_bytes(32))
    assert layout.obligation(1, 2) == int.from_bytes(keccak((2).to_bytes(32) + inner)) == layout.obligation(2, 1)


def test_fields_packed_by_hand_are_those_of_the_sources() -> None:
    """SPEC 12.7"""
    for source, packing, names in (
        ("LoyaltyToken.sol", layout.TOKEN_TERMS, {"EPOCH_SECONDS_AT": "epochSeconds", "LIFETIME_AT": "lifetimeEpochs",
         "GRACE_AT": "graceSeconds", "POLICY_AT": "policy", "BRAND_AT": "brandId",
         "NEXT_POLICY_AT": "nextPolicy", "NEXT_POLICY_SINCE_AT": "nextPolicySince"}),
        ("libraries/RuleCode.sol", layout.RULE_RATE, {"DENOMINATOR_AT": "denominator", "CAP_AT": "capPerAward",
         "DAY_CAP_AT": "capPerMemberDay", "NOTICE_AT": "noticeSeconds", "KIND_AT": "kind",
         "ROUNDING_AT": "rounding"}),
        ("libraries/RuleCode.sol", layout.RULE_LIFE, {"SPENT_AT": "spent", "START_AT": "start", "END_AT": "end",
         "VERSION_AT": "version", "CHANGE_AT": "changeAt"}),
        ("libraries/RuleCode.sol", layout.RULE_MORE, {"SHORTFALL_AT": "shortfall", "LOCK_AT": "lockSeconds",
         "DAY_START_AT": "dayStart", "SECOND_ABOVE_AT": "secondAbove"}),
        ("libraries/AgreementCode.sol", layout.AGREEMENT_RATE, {"FEE_AT": "feeBps", "DAILY_CAP_AT": "dailyCap",
         "FROM_AT": "fromBrandId", "VERSION_AT": "version", "MINIMUM_AT": "minimumIn"}),
    ):  # fmt: skip
        text = (ROOT / "contracts" / source).read_text()
        for constant, field in names.items():
            found = re.search(rf"constant {constant} = (\d+);", text)
            assert found, constant
            assert packing[field][0] == int(found[1]), constant


def test_fields_of_a_word_are_cut_where_they_lie() -> None:
    """SPEC 12.7"""
    word = sum(number << bit for number, (bit, _) in enumerate(layout.RULE_LIFE.values(), 1))

    assert layout.unpack(word, layout.RULE_LIFE) == {name: number for number, name in enumerate(layout.RULE_LIFE, 1)}
    points = layout.hold("0x" + "11" * 32, "points")
    assert points.of(7 << points.bit) == 7


@pytest.mark.parametrize(
    "path", [("NoContract", "x"), ("ClearingHouse", "_nothing"), ("RedemptionDesk", "_records", 1, "x")]
)
def test_a_place_that_is_not_there_is_named(path: tuple[str, ...]) -> None:
    """SPEC 12.7"""
    with pytest.raises(LayoutMissing):
        layout.place(*path)
