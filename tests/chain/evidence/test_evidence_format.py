"""The format's tables, samples and limits, without a node."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest

from chain.contracts import memos
from chain.evidence import document, events
from chain.evidence.document import FIELD, SMALL_ORDER
from chain.evidence.errors import NAMES
from chain.evidence.shapes import CLAIM_SHAPES, ENVELOPES
from chain.evidence.verify import verify

ROOT = Path(__file__).resolve().parents[3]
TABLES = json.loads((ROOT / "wallet" / "src" / "verify" / "format.json").read_text())
FORMAT = (ROOT / "chain" / "evidence" / "FORMAT.md").read_text()
SAMPLES = ROOT / "chain" / "evidence" / "samples"


def plain(shape: Any) -> Any:
    """A shape of ours with its patterns as text."""
    if isinstance(shape, re.Pattern):
        return shape.pattern.replace("\\x00-\\x09\\x0b-\\x1f", "\\u0000-\\u0009\\u000b-\\u001f\\ud800-\\udfff")
    if isinstance(shape, list):
        return [plain(shape[0]), *shape[1:]]
    return "any claim" if shape is CLAIM_SHAPES else {name: plain(one) for name, one in shape.items()}


def spelt(shape: Any) -> Any:
    """The same of the tables for the other verifier."""
    if isinstance(shape, list):
        return [spelt(shape[0]), *shape[1:]]
    if isinstance(shape, dict):
        return {name: spelt(one) for name, one in shape.items()}
    if shape == "claim":
        return "any claim"
    if shape in TABLES["patterns"]:
        return TABLES["patterns"][shape]
    return spelt(TABLES.get(shape) or TABLES["documents"][shape])


def test_both_verifiers_have_the_same_shapes() -> None:
    """SPEC 13.7"""
    assert {name: spelt(shape) for name, shape in TABLES["claims"].items()} == {
        name: plain(shape) for name, shape in CLAIM_SHAPES.items()
    }
    assert {name: spelt(shape) for name, shape in TABLES["documents"].items()} == {
        name: plain(shape) for name, shape in ENVELOPES.items()
    }


def test_both_verifiers_and_the_page_have_the_same_events() -> None:
    """SPEC 13.7"""
    assert TABLES["events"] == events.TABLE.strip().splitlines()
    for line in TABLES["events"]:
        signature, names = line.split(" ", 1)
        assert f"| `{signature}` | {names} |" in FORMAT


def test_every_event_that_can_name_a_member_is_in_the_table() -> None:
    """SPEC 13.5"""
    from chain.contracts.codec import Codec, signature

    abis = Codec.load().abis
    ours = {line.split(" ", 1)[0] for line in TABLES["events"]}
    for contract in ("LoyaltyToken", "RewardRules", "RedemptionDesk", "PartnerExchange"):
        for item in abis[contract]:
            indexed = item.get("type") == "event" and any(
                part["indexed"] and part["type"] == "address" for part in item["inputs"]
            )
            if indexed and item["name"] != "CallAnnounced":
                assert signature(item) in ours


def test_every_error_is_on_the_page() -> None:
    """SPEC 13.3"""
    assert len(NAMES) == 20
    for name in NAMES:
        assert f"`{name}`" in FORMAT


@pytest.mark.parametrize(
    ("name", "verdict"), [("brand", "proven"), ("memo", "proven"), ("receipt", "signed"), ("fraud", "fraud")]
)
def test_the_samples_hold(name: str, verdict: str) -> None:
    """SPEC 13.3"""
    data = (SAMPLES / f"{name}.json").read_bytes()

    assert verify(data).verdict == verdict
    assert verify(data[:-1]).error == "Malformed"
    body = orjson.loads(data)
    assert verify(orjson.dumps(body, option=orjson.OPT_INDENT_2)).error in ("NotCanonical", "Malformed")


@pytest.mark.parametrize("count", range(1, 18))
def test_paths_lead_to_the_root_and_from_no_other_leaf(count: int) -> None:
    """SPEC 13.9"""
    leaves = [bytes((index + 1,)) * 32 for index in range(count)]
    root = memos.root(leaves)

    for index, leaf in enumerate(leaves):
        path = memos.path(leaves, index)
        assert memos.climb(leaf, index, path) == root
        assert memos.climb(leaf, index ^ 1, path) != root or count == 1
        assert memos.climb(bytes(32), index, path) != root


def test_no_memo_leaves_no_suffix() -> None:
    """SPEC 13.9"""
    assert memos.suffix([(1, None), (2, None)]) == b""
    assert len(memos.suffix([(1, None), (2, b"\1" * 32)])) == memos.SUFFIX_BYTES


def test_equal_words_have_other_salts_and_other_roots() -> None:
    """SPEC 13.9"""
    one, other = memos.salted({"item": "tea"}), memos.salted({"item": "tea"})

    assert memos.memo_root(one) != memos.memo_root(other)


def test_verifying_needs_no_part_of_moa_that_runs() -> None:
    """SPEC 13.1"""
    import subprocess
    import sys

    program = (
        "import sys; from chain.evidence.verify import verify;"
        f"assert verify(open({str(SAMPLES / 'memo.json')!r}, 'rb').read()).verdict == 'proven';"
        "print(sorted(set(sys.modules) & {'sqlalchemy', 'sqlmodel', 'httpx', 'chain.node.rpc', 'chain.storage.database', 'api',"
        " 'socket', 'web3', 'fastapi'}))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, cwd=ROOT, timeout=30, check=True
    )

    assert done.stdout.strip() == "[]"


def resealed(name: str, change: Callable[[dict[str, Any]], None]) -> bytes:
    """A sample whose body a liar changed and sealed again, unsigned."""
    found = orjson.loads((SAMPLES / f"{name}.json").read_bytes())
    change(found["body"])
    return document.canonical(document.seal(found["format"], found["body"]))


@pytest.mark.parametrize(
    ("name", "kind"), [("brand", "rule"), ("brand", "books"), ("brand", "obligation"), ("memo", "event")]
)
def test_a_contract_that_the_registry_does_not_lead_to_proves_nothing(name: str, kind: str) -> None:
    """SPEC 13.4"""

    def named_only(body: dict[str, Any]) -> None:
        body["claims"] = [one for one in body["claims"] if one["type"] in ("contract", kind)]

    assert verify(resealed(name, named_only)).error == "ContractUnknown"


def test_a_bundle_is_of_one_registry() -> None:
    """SPEC 13.4"""

    def another(body: dict[str, Any]) -> None:
        at = next(index for index, one in enumerate(body["claims"]) if one["type"] == "modules")
        other = next(one for one in body["claims"] if one.get("name") == "ClearingHouse")
        body["claims"].insert(at + 1, {**other, "name": "PartnerRegistry"})
        body["claims"].insert(at + 2, {**body["claims"][at], "registry": other["address"]})

    found = verify(resealed("brand", another))

    assert (found.error, "one registry" in str(found.detail)) == ("ClaimFalse", True)


# y of the points of small order, the second of the two ways to write 1, and 1 with the sign of x.
@pytest.mark.parametrize("y", [0, 1, FIELD - 1, *SMALL_ORDER, FIELD + 1, 1 | 1 << 255])
def test_a_key_under_which_anyone_can_sign_signs_nothing(y: int) -> None:
    """SPEC 13.6"""
    body = orjson.loads((SAMPLES / "receipt.json").read_bytes())["body"]
    # S = 1 and R = B hold for every message where the key is the neutral point.
    base = (4 * pow(5, -1, FIELD) % FIELD).to_bytes(32, "little")
    found = document.seal("moa.receipt/1", body, key=y.to_bytes(32, "little"), sign=lambda _: base + b"\1" + bytes(31))

    assert verify(document.canonical(found)).error == "SignatureInvalid"


def test_what_a_document_says_is_shown_as_text_and_never_obeyed(capsys: pytest.CaptureFixture[str]) -> None:
    """SPEC 13.1"""
    from rich.console import Console

    from chain.evidence.verify import Proven, Verdict
    from scripts.cli.evidence import show

    evil = "[/bold]x\nProven against the block you pinned\x1b[2J\u202e\x9b31m"

    show(Verdict("signed", claims=(Proven("receipt", evil, "the signature of 0x00"),), signed_by="0x00"), Console())
    show(Verdict("refused", error="ClaimFalse", detail=evil), Console())

    shown = capsys.readouterr().out
    assert "[/bold]x\\nProven" in shown
    assert not set(shown) & set("\x1b\x9b\u202e")
    assert not any(line.startswith("Proven") for line in shown.splitlines())


def test_a_verdict_tells_what_the_reader_is_to_compare() -> None:
    """SPEC 13.1"""
    data = (SAMPLES / "brand.json").read_bytes()
    claims = orjson.loads(data)["body"]["claims"]

    told = " ".join(one.subject for one in verify(data).claims)

    for one in claims:
        for name in ("address", "code_hash", "registry", "contract"):
            assert one.get(name, "") in told
