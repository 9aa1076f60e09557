"""The format's tables, samples and limits, without a node."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest

from chain.base.hashing import keccak
from chain.contracts import memos
from chain.evidence import document, events
from chain.evidence.document import FIELD, SMALL_ORDER
from chain.evidence.errors import NAMES
from chain.evidence.shapes import CLAIM_SHAPES, ENVELOPES
from chain.evidence.verify import verify
from tests.chain.evidence import corpus
from tests.chain.evidence.bundles import second_verifier

ROOT = Path(__file__).resolve().parents[3]
TABLES = json.loads((ROOT / "wallet" / "src" / "verify" / "format.json").read_text())
FORMAT = (ROOT / "chain" / "evidence" / "FORMAT.md").read_text()
SAMPLES = ROOT / "chain" / "evidence" / "samples"
# Of the chain that the samples were made of.
REGISTRY = "0x5bc03088007298729588322e3fc44d1c91f8b38d"


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
            if indexed and item["name"] not in ("CallAnnounced", "CallRetracted"):
                assert signature(item) in ours


def test_every_error_is_on_the_page() -> None:
    """SPEC 13.3"""
    assert len(NAMES) == 21
    for name in NAMES:
        assert f"`{name}`" in FORMAT


@pytest.mark.parametrize(
    ("name", "verdict"), [("brand", "proven"), ("memo", "proven"), ("receipt", "signed"), ("fraud", "fraud")]
)
def test_the_samples_hold(name: str, verdict: str) -> None:
    """SPEC 13.3"""
    data = (SAMPLES / f"{name}.json").read_bytes()

    assert verify(data, registry=REGISTRY).verdict == verdict
    assert verify(data[:-1]).error == "Malformed"
    body = orjson.loads(data)
    assert verify(orjson.dumps(body, option=orjson.OPT_INDENT_2)).error == "NotCanonical"


@pytest.mark.parametrize("name", ["brand", "memo"])
def test_a_bundle_without_a_registry_that_is_named_is_consistent_and_no_more(name: str) -> None:
    """SPEC 13.11"""
    data = (SAMPLES / f"{name}.json").read_bytes()

    assert (verify(data).verdict, verify(data).registry) == ("consistent", REGISTRY)
    assert verify(data, registry="0x" + "66" * 20).error == "RegistryMismatch"


def test_the_corpus_is_the_one_that_is_written() -> None:
    """SPEC 13.7"""
    assert corpus.FILE.read_bytes() == corpus.told_in_json(corpus.cases())


CORPUS = json.loads(corpus.FILE.read_text())


@pytest.mark.parametrize("case", CORPUS, ids=[one["name"] for one in CORPUS])
def test_the_corpus_is_judged_as_the_format_decides(case: dict[str, Any]) -> None:
    """SPEC 13.7, 13.13; wallet/src/verify/verify.test.ts asks the second verifier the same."""
    found = verify(case["document"].encode(), **case["options"])

    said = (found.verdict, found.error, found.claim)
    assert said == (case["verdict"], case["error"], case["claim"]), found.detail


def test_the_second_verifier_ends_as_the_first_does(tmp_path: Path) -> None:
    """SPEC 13.12"""
    program = second_verifier(tmp_path)
    brand, receipt, fraud = (str(SAMPLES / f"{name}.json") for name in ("brand", "receipt", "fraud"))
    (tmp_path / "changed.json").write_bytes((SAMPLES / "brand.json").read_bytes()[:-1])
    changed, there = str(tmp_path / "changed.json"), ("--registry", REGISTRY.upper().replace("0X", "0x"))
    block = verify((SAMPLES / "brand.json").read_bytes()).anchor
    assert block is not None
    for words, code in (
        ((brand, *there), 0),
        ((brand, *there, "--pin", block[1]), 0),
        ((receipt,), 0),
        ((brand,), 5),
        ((brand, *there, "--pin", "0x" + "ab" * 32), 1),
        ((brand, "--registry", "0x" + "66" * 20), 1),
        ((receipt, "--key", "0x" + "66" * 32), 1),
        ((changed,), 1),
        ((fraud,), 3),
        ((receipt, changed), 1),
        ((changed, receipt), 1),
        ((), 2),
        (("--lines",), 2),
        (("--pin",), 2),
        (("--nothing", brand), 2),
        ((str(tmp_path / "none.json"),), 2),
    ):
        done = subprocess.run(
            ["node", program, *words], input="", capture_output=True, text=True, timeout=30, check=False
        )
        assert done.returncode == code, (words, done.stdout, done.stderr)
        assert bool(done.stderr) == (code == 2), words


def moa_verify(capsys: pytest.CaptureFixture[str], *paths: Path, **options: Any) -> tuple[int, str]:
    from scripts.cli.evidence import check

    code = check(list(paths), **{"pin": None, "key": None, "as_json": False, **options})
    return code, " ".join(capsys.readouterr().out.split())


def test_the_command_tells_what_it_proves_and_of_whose_registry(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """SPEC 13.11, 13.12"""
    brand = SAMPLES / "brand.json"
    claims = orjson.loads(brand.read_bytes())["body"]["claims"]
    supply = next(one for one in claims if one["type"] == "supply")
    contracts = {"PartnerRegistry": {"address": REGISTRY, "bytecode_hash": "0x" + "00" * 32}}
    whole = {"chain_id": 7, "start_block": 0, "genesis_hash": "0x" + "00" * 32, "contracts": contracts, "brands": {}}
    (tmp_path / "7.json").write_text(json.dumps(whole))

    code, shown = moa_verify(capsys, brand)
    assert (code, "Consistent" in shown, f"follows from {REGISTRY}" in shown) == (5, True, True)
    assert "Proven" not in shown
    code, shown = moa_verify(capsys, brand, registry=REGISTRY.upper().replace("0X", "0x"))
    assert (code, "Proven" in shown, "Consistent" in shown) == (0, True, False)
    assert int(supply["points"]) > 0
    assert f"points {supply['points']}" in shown
    for one in supply["lots"]:
        assert f"lot {one['points']} until {one['expires_at']}" in shown
    assert moa_verify(capsys, brand, deployments=tmp_path, chain_id=7)[0] == 0
    assert moa_verify(capsys, brand, deployments=tmp_path, chain_id=8)[0] == 2
    assert moa_verify(capsys, brand, registry="0x12")[0] == 2
    assert moa_verify(capsys, brand, registry="0x" + "66" * 20)[0] == 1
    code, shown = moa_verify(capsys, brand, registry=REGISTRY, as_json=True)
    [told] = [one for one in json.loads(shown)["claims"] if one["type"] == "supply"]
    assert {"name": "points", "value": supply["points"]} in told["says"]


@pytest.mark.parametrize("count", range(1, 18))
def test_paths_lead_to_the_root_and_from_no_other_leaf(count: int) -> None:
    """SPEC 13.9"""
    leaves = [bytes((index + 1,)) * 32 for index in range(count)]
    root = memos.root(leaves)

    for index, leaf in enumerate(leaves):
        path = memos.path(leaves, index)
        assert memos.climb(leaf, index, path) == root
        assert memos.climb(bytes(32), index, path) != root
        for other in set(range(1 << len(path))) - {index}:
            assert memos.climb(leaf, other, path) != root


def test_a_root_is_what_the_format_says() -> None:
    """SPEC 13.9: three leaves, filled with 32 zero bytes to four; a single leaf is its own root."""
    one, two, three = (bytes((number,)) * 32 for number in (1, 2, 3))
    left, right = keccak(b"\1" + one + two), keccak(b"\1" + three + bytes(32))

    assert memos.root([one]) == one
    assert memos.root([one, two, three]) == keccak(b"\1" + left + right)
    assert memos.path([one, two, three], 2) == [bytes(32), left]
    assert memos.Field("a", "b", bytes(32)).leaf() == keccak(bytes(33) + keccak(b"a") + keccak(b"b"))
    assert memos.item_leaf(7, one) == keccak(b"\2" + (7).to_bytes(32) + one)
    assert memos.suffix([(6, None), (7, one)]) == keccak(b"\1" + bytes(32) + memos.item_leaf(7, one)) + keccak(
        b"moa.memo/1"
    )


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
    import sys

    program = (
        "import sys; from chain.evidence.verify import verify;"
        f"assert verify(open({str(SAMPLES / 'memo.json')!r}, 'rb').read()).verdict == 'consistent';"
        "print(sorted(set(sys.modules) & {'sqlalchemy', 'sqlmodel', 'httpx', 'chain.node.rpc',"
        " 'chain.storage.database', 'api', 'socket', 'web3', 'fastapi'}))"
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
        other["name"] = "PartnerRegistry"
        body["claims"].insert(at + 1, {**body["claims"][at], "registry": other["address"]})

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

    wanted = {one[name] for one in claims for name in ("address", "code_hash", "registry", "contract") if name in one}
    assert len(wanted) > 10
    assert all(value in told for value in wanted)
