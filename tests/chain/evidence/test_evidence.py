"""Bundles from both nodes: what they prove, and every way to be lied to that we could think of."""

from __future__ import annotations

import json
import random
import tracemalloc
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import orjson
import pytest
from sqlmodel import SQLModel

import chain.tables  # noqa: F401 - makes the tables known
from chain.contracts import memos
from chain.contracts.deployment import Contract, Deployment
from chain.evidence import document, receipts
from chain.evidence.bundle import Maker, Memo, Place
from chain.evidence.claims import CLONE
from chain.evidence.comparing import slot
from chain.evidence.errors import EvidenceError
from chain.evidence.verify import verify
from chain.node.rpc import Rpc
from chain.storage.database import engine as make_engine
from chain.storage.database import writing
from scripts.cli.evidence import check
from tests.chain.conftest import OnChain
from tests.chain.evidence.bundles import Bundles, anchor, tampered, told, verdicts_in_typescript

pytestmark = pytest.mark.slow
SEED = 20261122
TAMPERED = {"member": 220, "brand": 90, "memo": 120, "exchange": 60, "receipt": 30, "stranger": 40, "anchored": 40}


@pytest.fixture(scope="module", params=["ganache", "anvil"])
def bundles(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bundles]:
    """Made once for each node; the chain goes back afterwards."""
    chain, folder = request.getfixturevalue(request.param), tmp_path_factory.mktemp("bundles")
    if not chain.node.alive():
        chain.node.start()
    engine, rpc = make_engine(f"sqlite:///{folder / 'moa.db'}"), Rpc(chain.node.url, timeout_s=30.0)
    with writing(engine) as connection:
        SQLModel.metadata.create_all(connection)
    snapshot = rpc.call("evm_snapshot")
    deployment = Deployment.load(chain.deployments, chain.node.chain_id)
    world = OnChain(chain.node, deployment, chain.keystore, engine, rpc, folder, chain.keystore_path, chain.deployments)
    yield told(world)
    rpc.call("evm_revert", snapshot)
    world.close()
    engine.dispose()


def error(data: bytes, pin: str | None = None, key: str | None = None) -> str | None:
    return verify(data, pin=pin, key=key).error


def init_code(runtime: bytes, words: dict[int, int]) -> str:
    """What deploys this code with these words in its storage."""
    stores = b"".join(
        b"\x7f" + value.to_bytes(32) + b"\x7f" + place.to_bytes(32) + b"\x55" for place, value in words.items()
    )
    size = len(runtime).to_bytes(2)
    head = len(stores) + 15
    copied = b"\x61" + size + b"\x61" + head.to_bytes(2) + b"\x60\x00\x39\x61" + size + b"\x60\x00\xf3"
    return "0x" + (stores + copied + runtime).hex()


def deployed(rpc: Rpc, data: str, until: Callable[..., None]) -> str:
    sender = rpc.call("eth_accounts")[0]
    tx_hash = rpc.call("eth_sendTransaction", {"from": sender, "data": data, "gas": hex(5_000_000)})
    # Ganache answers a little before the block is there.
    until(lambda: rpc.call("eth_getTransactionReceipt", tx_hash) is not None)
    receipt = rpc.call("eth_getTransactionReceipt", tx_hash)
    assert receipt["status"] == "0x1"
    return str(receipt["contractAddress"]).lower()


def test_ten_million_points_of_a_strangers_registry_are_not_proven(
    bundles: Bundles, tmp_path: Path, until: Callable[..., None]
) -> None:
    """SPEC 13.11: a registry of one's own on the very chain, a clone of the true implementation, and the true pin."""
    maker, rpc, deployment = bundles.maker, bundles.maker._rpc, bundles.maker._deployment
    honest = orjson.loads(bundles.documents["member"])["body"]
    implementation = claim(honest, "modules")["token_implementation"]
    terms = {name: int(claim(honest, "token")[name]) for name in ("origin", "epoch_seconds", "lifetime_epochs")}
    liar, points = "0x" + "1a" * 20, 1_000_000_000
    expiry = 3
    word = expiry // 5 << 240 | points << 48 * (expiry % 5)
    packed = terms["origin"] | terms["epoch_seconds"] << 48 | terms["lifetime_epochs"] << 80 | 1 << 128
    clone = bytes.fromhex(CLONE[0] + implementation[2:] + CLONE[1])
    balance = slot(0, bytes.fromhex(liar[2:])) + expiry // 5 % 4
    token = deployed(rpc, init_code(clone, {6: packed, balance: word}), until)
    modules = [
        claim(honest, "modules")[name]
        for name in ("token_implementation", "reward_rules", "redemption_desk", "partner_exchange", "clearing_house")
    ]
    words = {place: int(address, 16) for place, address in enumerate(modules, 2)}
    registry = deployed(rpc, init_code(b"\x00", {0: 1, slot(7, 1): int(token, 16), **words}), until)
    contracts = {**deployment.contracts, "PartnerRegistry": Contract("PartnerRegistry", registry, "0x" + "00" * 32)}

    data = Maker(rpc, replace(deployment, contracts=contracts)).member(liar)

    pin = rpc.call("eth_getBlockByNumber", hex(maker.head()), False)["hash"]
    found = claim(orjson.loads(data)["body"], "balance")
    assert (found["token"], found["points"]) == (token, str(points))
    asked = [
        (data, {"pin": pin}, ("consistent", None, None)),
        (data, {"pin": pin, "registry": bundles.registry}, ("refused", "RegistryMismatch", None)),
        (bundles.documents["member"], {"registry": bundles.registry}, ("proven", None, None)),
    ]
    for one, options, said in asked:
        verdict = verify(one, **options)
        assert (verdict.verdict, verdict.error, verdict.claim) == said
    assert verdicts_in_typescript(tmp_path, [(one, options) for one, options, _ in asked]) == [
        said for *_, said in asked
    ]
    (tmp_path / "fake.json").write_bytes(data)
    for registry_, code in ((None, 5), (bundles.registry, 1)):
        assert check([tmp_path / "fake.json"], pin=pin, key=None, registry=registry_, as_json=True) == code


def receipt(
    bundles: Bundles, words: str, block: int = 7, hash_: str = "07", finality: str = "latest", who: str = "11"
) -> dict:
    """A receipt that the gateway's key signed."""
    lots, at = [("0x" + "aa" * 20, words)], (block, "0x" + hash_ * 32)
    found = receipts.of_member(bundles.keys, "0x" + who * 20, lots, chain_id=1, block=at, finality=finality)
    return orjson.loads(found)


def frauds(bundles: Bundles) -> Iterator[bytes]:
    """Pairs of receipts, honest and not."""
    made = [
        receipt(bundles, "00" * 128),
        receipt(bundles, "01" * 128),
        receipt(bundles, "00" * 128, finality="final"),
        receipt(bundles, "01" * 128, hash_="08", finality="final"),
        receipt(bundles, "01" * 128, who="22"),
    ]
    made.append({**made[0], "digest": "0x" + "00" * 32})
    made.append({**made[0], "signed": []})
    for first in made:
        for second in made:
            yield receipts.fraud(first, second)


def claim(body: dict, kind: str) -> dict:
    return next(one for one in body["claims"] if one["type"] == kind)


def test_a_block_that_is_not_trusted_is_refused(bundles: Bundles) -> None:
    """SPEC 13.2"""
    data = bundles.documents["member"]

    assert error(data, pin="0x" + "ab" * 32) == "PinMismatch"
    assert error(data, pin=anchor(data)) is None
    assert verify(data, pin=anchor(data)).pinned
    assert not verify(data).pinned


def test_every_flipped_byte_is_caught(bundles: Bundles) -> None:
    """SPEC 13.3"""
    data, choice = bundles.documents["receipt"], random.Random(SEED)
    for at in range(len(data)):
        for bit in range(8):
            flipped = data[:at] + bytes((data[at] ^ 1 << bit,)) + data[at + 1 :]
            assert error(flipped) is not None, (at, bit)
    data = bundles.documents["brand"]
    for at in range(len(data)):
        flipped = data[:at] + bytes((data[at] ^ 1 << choice.randrange(8),)) + data[at + 1 :]
        assert error(flipped) is not None, at


def test_bytes_added_and_taken_are_caught(bundles: Bundles) -> None:
    """SPEC 13.3"""
    data, choice = bundles.documents["brand"], random.Random(SEED)
    for _ in range(300):
        at = choice.randrange(len(data))
        assert error(data[:at] + data[at + 1 :]) is not None
        assert error(data[:at] + b" " + data[at:]) is not None
        assert error(data[:at]) is not None
    assert error(data + b"\n") == "NotCanonical"
    assert error(b"") == "Malformed"


def test_the_same_document_in_other_bytes_is_refused(bundles: Bundles) -> None:
    """SPEC 13.3"""
    found = json.loads(bundles.documents["brand"])

    for other in (
        json.dumps(found, indent=1),
        json.dumps(found),
        json.dumps(dict(reversed(found.items())), separators=(",", ":")),
        bundles.documents["brand"].decode().replace('"block":', '"block":"1","block":', 1),
        bundles.documents["brand"].decode().replace('"format"', '"\\u0066ormat"', 1),
    ):
        assert error(other.encode()) == "NotCanonical"


@pytest.mark.parametrize(
    "change",
    [
        lambda body: body.update(extra="1"),
        lambda body: body.pop("labels"),
        lambda body: body.update(block=49),
        lambda body: body.update(block="049"),
        lambda body: body.update(block="-1"),
        lambda body: body.update(block="1e3"),
        lambda body: body.update(block=None),
        lambda body: body.update(block="9" * 79),
        lambda body: body.update(claims=[]),
        lambda body: body.update(headers=[]),
        lambda body: body.update(headers={"0": body["headers"][0]}),
        lambda body: body["headers"].__setitem__(0, body["headers"][0].upper()),
        lambda body: body["headers"].__setitem__(0, body["headers"][0][:-1]),
        lambda body: body["nodes"].__setitem__(0, body["nodes"][0][2:]),
        lambda body: body["claims"][0].update(type="miracle"),
        lambda body: body["claims"][0].update(type=["contract"]),
        lambda body: body["claims"][0].update(address="0x12"),
        lambda body: body["claims"].append("contract"),
        lambda body: body["labels"].append({"name": "a", "value": "\x07"}),
    ],
)
def test_what_is_not_of_the_shape_is_refused(bundles: Bundles, change: object) -> None:
    """SPEC 13.3"""
    assert error(bundles.altered("brand", change)) == "Malformed"  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "data",
    [
        b"[" * 1_000_000,
        b'{"a":' * 500_000,
        b'"\xff\xfe"',
        b"\xef\xbb\xbf{}",
        b"null",
        b"[]",
        b'{"format":"moa.evidence/2"}',
        b'{"format":{"a":1}}',
        b'{"format":"__proto__"}',
        b"1" * 100_000,
        b'{"format":"moa.receipt/1","body":NaN}',
    ],
)
def test_what_is_no_document_is_malformed(data: bytes) -> None:
    """SPEC 13.3"""
    assert error(data) == "Malformed"


def test_a_hundred_megabytes_are_refused_in_little_memory(tmp_path: Path) -> None:
    """SPEC 13.3"""
    from scripts.cli.evidence import read

    path = tmp_path / "huge.json"
    with path.open("wb") as file:
        file.truncate(100 * 2**20)
    tracemalloc.start()
    data = read(path)
    verdict = verify(data)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert verdict.error == "TooLarge"
    assert peak < 3 * document.BYTES_MAX


def test_a_liar_with_the_gateways_key_is_found_out(bundles: Bundles) -> None:
    """SPEC 13.4"""
    one_more = lambda values: values.update(points=str(int(values["points"]) + 1))  # noqa: E731

    def other_account(body: dict) -> None:
        claim(body, "balance")["account"] = bundles.members["m0"]

    def event_left_out(body: dict) -> None:
        claim(body, "history")["events"].pop()

    def event_forged(body: dict) -> None:
        said = next(one for one in claim(body, "history")["events"] if one["event"] == "Awarded")
        next(one for one in said["fields"] if one["name"] == "points")["value"] = "999999"

    def later_start(body: dict) -> None:
        claim(body, "history")["from_block"] = body["block"]

    for change, kind, name in (
        (lambda body: one_more(claim(body, "balance")), "balance", "ClaimFalse"),
        (lambda body: claim(body, "balance")["lots"].clear(), "balance", "ClaimFalse"),
        # The other account's words are not among the nodes.
        (other_account, "balance", "NodeMissing"),
        (event_left_out, "history", "ClaimFalse"),
        (event_forged, "history", "ClaimFalse"),
        (lambda body: claim(body, "history")["events"].reverse(), "history", "ClaimFalse"),
        (lambda body: claim(body, "contract").update(code_hash="0x" + "00" * 32), "contract", "ClaimFalse"),
        (lambda body: claim(body, "modules").update(clearing_house="0x" + "11" * 20), "modules", "ClaimFalse"),
        # The registry's word of brand 2 is there, and is another token.
        (lambda body: claim(body, "token").update(brand_id="2"), "token", "ClaimFalse"),
        (lambda body: claim(body, "rule").update(numerator="4"), "rule", "ClaimFalse"),
        (lambda body: claim(body, "rule").update(text="2 points for each dollar."), "rule", "ClaimFalse"),
        # The bundle's block is the last; the events of the blocks before are claimed, and none are proven any more.
        (later_start, "history", "ClaimFalse"),
    ):
        data = bundles.altered("member", change)
        place = [one["type"] for one in orjson.loads(data)["body"]["claims"]].index(kind)
        verdict = verify(data)
        assert (verdict.error, verdict.claim) == (name, place), (kind, verdict)


def test_headers_nodes_and_contracts_must_all_be_there_and_in_order(bundles: Bundles) -> None:
    """SPEC 13.4"""

    def header_rewritten(body: dict) -> None:
        body["headers"][3] = body["headers"][3].replace(body["headers"][3][300:310], "0000000000")

    def claim_without_contract(body: dict) -> None:
        body["claims"] = [one for one in body["claims"] if one.get("name") != "LoyaltyToken"]

    for change, name in (
        (lambda body: body["headers"].pop(3), "HeaderBroken"),
        (header_rewritten, "HeaderBroken"),
        (lambda body: body["headers"].reverse(), "HeaderBroken"),
        (lambda body: body["headers"].__setitem__(0, "0x"), "HeaderInvalid"),
        (lambda body: body["headers"].__setitem__(-1, "0xc0"), "HeaderInvalid"),
        (lambda body: body.update(block="0"), "HeaderMissing"),
        (lambda body: body.update(block="4000"), "HeaderMissing"),
        (lambda body: body["nodes"].reverse(), "NodesUnsorted"),
        (lambda body: body["nodes"].append(body["nodes"][-1]), "NodesUnsorted"),
        (lambda body: body["nodes"].pop(5), "NodeMissing"),
        (lambda body: body["claims"].pop(), "NodeUnused"),
        (claim_without_contract, "ContractUnknown"),
    ):
        assert error(bundles.altered("member", change)) == name


def test_more_histories_than_a_reader_should_walk_are_refused(bundles: Bundles) -> None:
    """SPEC 13.3"""

    def many(body: dict) -> None:
        body["claims"] += [claim(body, "history")] * 16

    assert error(bundles.altered("member", many)) == "TooLarge"


def test_a_claim_without_a_proof_is_refused(bundles: Bundles) -> None:
    """SPEC 13.4"""
    assert error(bundles.altered("brand", lambda body: body["nodes"].clear())) == "NodeMissing"


def test_an_account_that_holds_nothing_is_proven_to_hold_nothing(bundles: Bundles) -> None:
    """SPEC 13.5"""
    data = bundles.documents["stranger"]
    body = orjson.loads(data)["body"]

    assert verify(data, registry=bundles.registry).verdict == "proven"
    assert [one["points"] for one in body["claims"] if one["type"] == "balance"] == ["0", "0"]
    assert claim(body, "history")["events"] == []
    ours = orjson.loads(bundles.documents["member"])["body"]
    lie = {**claim(ours, "balance"), "account": bundles.members["nobody"]}
    changed = bundles.altered("stranger", lambda body: claim(body, "balance").update(lie))
    assert error(changed) == "ClaimFalse"


def test_a_members_bundle_tells_every_event_that_named_the_member(bundles: Bundles) -> None:
    """SPEC 13.5"""
    body = orjson.loads(bundles.documents["member"])["body"]
    named = [one["event"] for one in claim(body, "history")["events"]]

    assert named.count("Awarded") == 2
    for event in ("HoldPlaced", "Exchanged", "Transfer", "LotsChanged"):
        assert event in named
    assert claim(body, "history")["from_block"] == "1"
    assert claim(body, "rule")["text"].startswith("1.5 points for each dollar")


def test_another_signature_or_none_is_told_apart(bundles: Bundles) -> None:
    """SPEC 13.6"""
    found = orjson.loads(bundles.documents["brand"])
    key = found["signed"][0]["key"]

    assert error(bundles.documents["brand"], key=key) is None
    assert error(bundles.documents["brand"], key="0x" + "00" * 32) == "KeyMismatch"
    unsigned = document.canonical(found | {"signed": []})
    assert verify(unsigned).signed_by is None
    assert error(unsigned, key=key) == "KeyMismatch"
    for signed in ([{"key": key, "signature": "0x" + "00" * 64}], [{**found["signed"][0], "key": "0x" + "01" * 32}]):
        assert error(document.canonical(found | {"signed": signed})) == "SignatureInvalid"
    other = orjson.loads(bundles.documents["receipt"])
    assert error(document.canonical(other | {"signed": found["signed"]})) == "SignatureInvalid"
    assert error(document.canonical(other | {"signed": []})) == "SignatureMissing"


def test_one_field_of_a_memo_is_proven_and_the_others_stay_hidden(bundles: Bundles) -> None:
    """SPEC 13.9"""
    data = bundles.documents["memo"]
    [field] = claim(orjson.loads(data)["body"], "memo")["fields"]

    assert verify(data, registry=bundles.registry).verdict == "proven"
    assert (field["name"], field["value"]) == ("item.2", "한옥 다실")
    for hidden in bundles.memo:
        assert (hidden.value.encode() in data) == (hidden.name == "item.2")
        assert (hidden.salt.hex().encode() in data) == (hidden.name == "item.2")


def test_a_memo_cannot_be_changed_afterwards(bundles: Bundles) -> None:
    """SPEC 13.9"""
    for change, name in (
        (lambda memo: memo["fields"][0].update(value="2 teas"), "ClaimFalse"),
        (lambda memo: memo["fields"][0].update(name="item.3"), "ClaimFalse"),
        (lambda memo: memo["fields"][0].update(salt="0x" + "00" * 32), "ClaimFalse"),
        (lambda memo: memo["fields"][0].update(index="0"), "ClaimFalse"),
        (lambda memo: memo["fields"][0].update(index="5"), "ClaimFalse"),
        (lambda memo: memo["fields"][0]["path"].pop(), "ClaimFalse"),
        (lambda memo: memo.update(memo_root="0x" + "00" * 32), "ClaimFalse"),
        (lambda memo: memo.update(operation_id="1"), "ClaimFalse"),
        (lambda memo: memo.update(item="0"), "ClaimFalse"),
        (lambda memo: memo.update(item="1000"), "ProofInvalid"),
        (lambda memo: memo.update(brand_id="2"), "ClaimFalse"),
    ):
        data = bundles.altered("memo", lambda body, change=change: change(claim(body, "memo")))
        assert error(data) == name


def test_an_operation_without_a_memo_proves_none(bundles: Bundles) -> None:
    """SPEC 13.9"""
    body = orjson.loads(bundles.documents["memo"])["body"]
    said, memo = claim(body, "event")["event"], claim(body, "memo")
    block = bundles.maker._rpc.call("eth_getBlockByNumber", hex(int(said["block"])), False)
    place = Place(int(said["block"]), block["transactions"][int(said["index"])])
    made_up = memos.salted({"receipt": "another"})
    items = [(int(memo["operation_id"]), memos.memo_root(made_up))]

    with pytest.raises(EvidenceError):
        bundles.maker.operation(place, award=(1, int(memo["operation_id"])), memo=Memo(made_up, ["receipt"], items))


def test_two_contents_for_one_block_are_fraud_and_a_reorg_is_none(bundles: Bundles) -> None:
    """SPEC 13.10"""

    def verdict(*pair: dict) -> tuple[str, str | None]:
        found = verify(receipts.fraud(*pair))
        return found.verdict, found.error

    honest = receipt(bundles, "00" * 128)
    assert verdict(honest, receipt(bundles, "01" * 128)) == ("fraud", None)
    assert verdict(honest, honest) == ("refused", "NotConflicting")
    # The same block is seen as final later; the chain went back; another block; another member.
    assert verdict(honest, receipt(bundles, "00" * 128, finality="final")) == ("refused", "NotConflicting")
    assert verdict(honest, receipt(bundles, "01" * 128, hash_="08")) == ("refused", "NotConflicting")
    assert verdict(honest, receipt(bundles, "01" * 128, block=8, hash_="08")) == ("refused", "NotConflicting")
    assert verdict(honest, receipt(bundles, "01" * 128, who="22")) == ("refused", "NotConflicting")
    final = receipt(bundles, "00" * 128, finality="final")
    assert verdict(final, receipt(bundles, "01" * 128, hash_="08", finality="final")) == ("finality_broken", None)
    forged = {**honest, "signed": [{**honest["signed"][0], "signature": "0x" + "00" * 64}]}
    assert verdict(final, forged) == ("refused", "SignatureInvalid")


def test_a_bundle_of_another_chain_does_not_stand_on_ours(bundles: Bundles) -> None:
    """SPEC 13.4"""

    def claims_of_ours_on_other_headers(body: dict) -> None:
        other = orjson.loads(bundles.documents["anchored"])["body"]
        body["headers"], body["block"] = other["headers"], other["block"]

    assert error(bundles.altered("brand", claims_of_ours_on_other_headers)) == "NodeMissing"


def test_both_verifiers_agree_on_good_and_on_tampered_documents(bundles: Bundles, tmp_path: Path) -> None:
    """SPEC 13.7"""
    print(f"seed {SEED}")
    choice = random.Random(SEED)
    ours_only = {"registry": bundles.registry}
    asked: list[tuple[bytes, dict[str, str]]] = [(data, {}) for data in bundles.documents.values()]
    asked += [(data, {"pin": "0x" + "ab" * 32}) for data in bundles.documents.values()]
    asked += [(data, {"registry": "0x" + "ab" * 20}) for data in bundles.documents.values()]
    asked += [
        (data, ours_only | {"pin": anchor(data)}) for name, data in bundles.documents.items() if name != "receipt"
    ]
    for name, count in TAMPERED.items():
        asked += [(data, ours_only) for data in tampered(bundles, name, count, choice)]
        data = bundles.documents[name]
        for _ in range(20):
            at, bit = choice.randrange(len(data)), choice.randrange(8)
            asked.append((data[:at] + bytes((data[at] ^ 1 << bit,)) + data[at + 1 :], {}))
    asked += [(data, {}) for data in (b"[" * 100_000, b"null", b"\xef\xbb\xbf{}", b'{"format":"__proto__"}', b"")]
    asked += [(b'{"format":"moa.receipt/1","body":{"a":"\\ud800"}}', {})]
    asked += [(data, {}) for data in frauds(bundles)]
    asked.append((bundles.altered("stranger", lambda body: body.update(claims=body["claims"] * 17)), {}))

    found = [verify(data, **options) for data, options in asked]
    ours = [(one.verdict, one.error, one.claim) for one in found]
    theirs = verdicts_in_typescript(tmp_path, asked)

    different = [
        (index, one, other) for index, (one, other) in enumerate(zip(ours, theirs, strict=True)) if one != other
    ]
    assert different == []
    told = {name for _, name, _ in ours}
    assert told >= {"PinMismatch", "RegistryMismatch", "Malformed", "NotCanonical", "DigestWrong", "SignatureMissing"}
    assert told >= {"ClaimFalse", "NodeMissing", "NodeUnused", "NodesUnsorted", "NotConflicting", "TooLarge"}
    print(f"{len(asked)} documents, {sum(one[1] is not None for one in ours)} refused")
