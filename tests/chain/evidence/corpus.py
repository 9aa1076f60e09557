"""The corpus of the format: documents, options, and what every verifier must say of them, decided by FORMAT.md.

python -m tests.chain.evidence.corpus        writes chain/evidence/samples/corpus.json anew
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import orjson
import rlp
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from chain.contracts import memos
from chain.evidence import document, events
from chain.evidence.claims import SELECTORS
from chain.evidence.comparing import slot
from tests.chain.evidence import forged
from tests.chain.evidence.forged import (
    ADA,
    BASE,
    BEN,
    FAKE,
    FAKE_TOKEN,
    LOTS_CHANGED,
    REGISTRY,
    RULES,
    STRANGER,
    TOKEN,
    TRANSFER,
    WITH_TOKEN,
    Chain,
    Claim,
    awarded,
    log,
    lots,
    padded,
    raw,
    told,
    word,
)

FILE: Final = Path(__file__).resolve().parents[3] / "chain" / "evidence" / "samples" / "corpus.json"
OURS: Final = {"registry": REGISTRY}
TOO_LARGE: Final = str(2**256)
MILLIONS: Final = 1_000_000_000
L: Final = 2**252 + 27742317777372353535851937790883648493

Case = dict[str, Any]


def case(
    name: str,
    data: bytes,
    verdict: str = "proven",
    error: str | None = None,
    claim: int | None = None,
    options: Mapping[str, str] = OURS,
) -> Case:
    """A document as the text of its bytes, and what is to be said of it."""
    return {
        "name": name,
        "options": dict(options),
        "verdict": verdict,
        "error": error,
        "claim": claim,
        "document": data.decode(),
    }


def refused(name: str, data: bytes, error: str, claim: int | None = None, options: Mapping[str, str] = OURS) -> Case:
    return case(name, data, "refused", error, claim, options)


def cases() -> list[Case]:
    """All of them, in the order of the format's sections."""
    made = [*_documents(), *_signatures(), *_registries(), *_names(), *_balances(), *_rules(), *_operations()]
    return [*made, *_histories(), *_numbers(), *_memos(), *_receipts(), *_badges(), *_votes()]


def _documents() -> Iterator[Case]:
    whole = Chain().balance().sealed([*WITH_TOKEN, lots("balance")])
    text = whole.decode()
    yield case("a balance of 0 is proven", whole)
    yield refused("a byte order mark", b"\xef\xbb\xbf" + whole, "Malformed")
    yield refused("a space at the end", whole + b" ", "NotCanonical")
    twice = text.replace('"block":"7"', '"block":7,"block":"7"', 1)
    yield refused("a key twice, the last of its shape", twice.encode(), "NotCanonical")
    twice = text.replace('"block":"7"', '"block":"7","block":7', 1)
    yield refused("a key twice, the last of no shape", twice.encode(), "Malformed")
    twice = text.replace('"block":"7"', '"block":"7","block":"7"', 1)
    yield refused("a key twice, both alike", twice.encode(), "NotCanonical")
    for name, labels, error in (
        ("labels that ascend", ("a", "b", "é", "\U0001f600"), None),
        ("a label twice", ("a", "a"), "NotCanonical"),
        ("labels that do not ascend", ("b", "a"), "NotCanonical"),
        # UTF-16 would have them the other way round.
        ("labels by their bytes", ("\ufffd", "\U0001f600"), None),
        ("labels by their UTF-16", ("\U0001f600", "\ufffd"), "NotCanonical"),
    ):
        named = [{"name": one, "value": "x"} for one in labels]
        data = Chain().sealed([*WITH_TOKEN, lots("balance")], labels=named)
        yield case(name, data) if error is None else refused(name, data, error)


def _signatures() -> Iterator[Case]:
    claims = [*WITH_TOKEN, lots("balance")]
    key = {"key": "0x" + forged.PUBLIC.hex()}
    yield case("a signature of the key that is asked for", Chain().sealed(claims, sign=True), options=OURS | key)
    yield refused("no signature where a key is asked for", Chain().sealed(claims), "KeyMismatch", options=OURS | key)
    body = orjson.loads(Chain().sealed(claims))["body"]

    def signed(key: bytes, r: bytes, s: int) -> bytes:
        sealed = document.seal("moa.evidence/1", body, key=key, sign=lambda _: r + s.to_bytes(32, "little"))
        return document.canonical(sealed)

    neutral = (1).to_bytes(32, "little")
    minus_one = (document.FIELD - 1).to_bytes(32, "little")
    base = (4 * pow(5, -1, document.FIELD) % document.FIELD).to_bytes(32, "little")
    yield refused("a key of small order", signed(neutral, base, 1), "SignatureInvalid")
    yield refused("R of small order, and the equation holds", signed(*_small_r(body, neutral)), "SignatureInvalid")
    yield refused("R of order two", signed(*_small_r(body, minus_one)), "SignatureInvalid")
    public, r, s = _small_r(body, base)
    yield refused("S of the group's order or more", signed(public, r, s + L), "SignatureInvalid")


def _small_r(body: Any, r: bytes) -> tuple[bytes, bytes, int]:
    """Key, R and the S that the key's owner computes for it: S = k a, so that S B = R + k A for the neutral R."""
    from hashlib import sha512

    seed = b"\x06" * 32
    key = Ed25519PrivateKey.from_private_bytes(seed)
    public = key.public_key().public_bytes_raw()
    secret = bytearray(sha512(seed).digest()[:32])
    secret[0] &= 248
    secret[31] = secret[31] & 127 | 64
    message = document.message("moa.evidence/1", document.digest("moa.evidence/1", body))
    challenge = int.from_bytes(sha512(r + public + message).digest(), "little") % L
    return public, r, challenge * int.from_bytes(secret, "little") % L


def _registries() -> Iterator[Case]:
    honest = Chain().balance(0, word(1, p0=5)).sealed([*WITH_TOKEN, lots("balance", (5, 5))])
    yield case("a balance under the registry that is asked for", honest)
    yield case("the same, and nobody says whose registry it is", honest, "consistent", options={})
    yield refused("another registry is asked for", honest, "RegistryMismatch", options={"registry": FAKE})
    faked = Chain().balance(0, word(1, p0=MILLIONS), token=FAKE_TOKEN)
    claims = [*forged.contracts(FAKE, FAKE_TOKEN), forged.modules(FAKE), forged.token(FAKE_TOKEN, FAKE)]
    rich = faked.sealed([*claims, lots("balance", (5, MILLIONS), address=FAKE_TOKEN)])
    yield refused("ten million points of a stranger's registry", rich, "RegistryMismatch")
    yield case("the same, and nobody says whose registry it is: not proven", rich, "consistent", options={})
    both = [*forged.contracts(REGISTRY, FAKE), forged.modules(), forged.modules(FAKE)]
    yield refused("two registries", Chain().sealed(both), "RegistryMismatch")
    yield refused("two registries, and none is asked for", Chain().sealed(both), "ClaimFalse", 3, {})
    alone = Chain().sealed(forged.contracts(REGISTRY, RULES))
    yield refused("no registry", alone, "RegistryMismatch")
    yield refused("names without a registry", alone, "ContractUnknown", 0, {})


def _names() -> Iterator[Case]:
    def named(address: str, name: str, *before: Claim, after: tuple[Claim, ...] = ()) -> bytes:
        [claim] = forged.contracts(address)
        return Chain().sealed([*(before or BASE), {**claim, "name": name}, *after])

    yield refused("a name that nothing leads to", named(FAKE, "Treasury"), "ContractUnknown", 3)
    yield refused("a name that every object has", named(FAKE, "constructor"), "ContractUnknown", 3)
    yield refused("a module under another's name", named(forged.DESK, "ClearingHouse"), "ContractUnknown", 3)
    yield refused("a token that is not claimed", named(TOKEN, "LoyaltyToken"), "ContractUnknown", 3)
    yield refused("a stranger's token as ours", named(FAKE_TOKEN, "LoyaltyToken"), "ContractUnknown", 3)
    yield refused("a second PartnerRegistry", named(FAKE, "PartnerRegistry"), "ContractUnknown", 3)
    yield refused("an address named twice, alike", named(RULES, "RewardRules"), "ClaimFalse", 3)
    yield refused("an address named twice, otherwise", named(RULES, "ClearingHouse"), "ClaimFalse", 3)
    yield case("a name before the registry that leads to it", named(RULES, "RewardRules", *forged.contracts(REGISTRY), after=(forged.modules(),)))  # noqa: E501  # fmt: skip


def _balances() -> Iterator[Case]:
    def of(*words: int) -> Chain:
        return Chain().balance(*words)

    found = [*WITH_TOKEN, lots("balance", (5, 1), (9, 2), (20, 3))]
    whole = (word(4, p0=3), word(1, p0=1, p4=2))
    yield case("lots of several words, ascending", of(*whole).sealed(found))
    yield refused("lots in another order", of(*whole).sealed([*WITH_TOKEN, lots("balance", (9, 2), (5, 1), (20, 3))]), "ClaimFalse", 4)  # noqa: E501  # fmt: skip
    beyond = of(word(8, p0=3), word(1, p0=1)).sealed([*WITH_TOKEN, lots("balance", (5, 1))])
    yield case("a lot beyond the window is not live", beyond)
    expired = word(0, p0=9)
    yield case("an expired lot in its place", of(expired, word(1, p0=1)).sealed([*WITH_TOKEN, lots("balance", (5, 1))]))
    # Two words of group 1: which lot of epoch 5 comes first would be anyone's guess.
    for first, second in (((5, 1), (5, 2)), ((5, 2), (5, 1))):
        twice = of(0, word(1, p0=1), word(1, p0=2)).sealed([*WITH_TOKEN, lots("balance", first, second)])
        yield refused(f"two words of one group, {first[1]} first", twice, "ClaimFalse", 4)
    moved = of(0, 0, word(1, p0=7)).sealed([*WITH_TOKEN, lots("balance", (5, 7))])
    yield refused("a live word in another's place", moved, "ClaimFalse", 4)
    moved = of(0, expired, 0).sealed([*WITH_TOKEN, lots("balance")])
    yield refused("an expired word in another's place", moved, "ClaimFalse", 4)
    yield case("a tag without points may stand anywhere", of(0, 0, word(1)).sealed([*WITH_TOKEN, lots("balance")]))
    supply = Chain().put(TOKEN, 1, 0, 0, word(1, p0=7)).sealed([*WITH_TOKEN, lots("supply", (5, 7))])
    yield refused("a supply's word in another's place", supply, "ClaimFalse", 4)


def _rules() -> Iterator[Case]:
    chain = Chain(blocks=[[[awarded(5, 150)]]]).rule()
    event = forged.event(told(5, 150))
    yield refused("an award beside the rule, after it", chain.sealed([*BASE, forged.rule(), event]), "RuleBroken", 4)
    yield refused("an award beside the rule, before it", chain.sealed([*BASE, event, forged.rule()]), "RuleBroken", 3)
    chain = Chain(blocks=[[[awarded(5, 200)]]]).rule()
    event = forged.event(told(5, 200))
    yield case("an award by the rule, before it", chain.sealed([*BASE, event, forged.rule()]))
    chain = Chain(blocks=[[[awarded(5, 150, version=2)]]]).rule()
    event = forged.event(told(5, 150, version=2))
    yield case("an award by another version than the one shown", chain.sealed([*BASE, event, forged.rule()]))
    chain = Chain(blocks=[[[awarded(5, 150)]]]).rule()
    event = forged.event(told(5, 150))
    false = [*BASE, event, {**forged.rule(), "budget": "9"}]
    yield refused("a claim that is false comes before a rule that is broken", chain.sealed(false), "ClaimFalse", 4)
    for kind, rounding, right in ((2, 0, "kind"), (0, 3, "rounding"), (255, 0, "kind")):
        data = Chain().rule(kind=kind, rounding=rounding).sealed([*BASE, forged.rule()])
        yield refused(f"a {right} of {max(kind, rounding)} is no claim's", data, "ClaimFalse", 3)
    fixed = Chain(blocks=[[[awarded(5, 2)]]]).rule(kind=1, rounding=2)
    claims = [*BASE, forged.rule(kind="fixed", rounding="up"), forged.event(told(5, 2))]
    yield case("kind and rounding of the rate's word", fixed.sealed(claims))
    capped = Chain(blocks=[[[awarded(5, 60)]]]).rule(cap=60)
    yield case("an award cut to its cap", capped.sealed([*BASE, forged.rule(cap=60), forged.event(told(5, 60))]))
    # A change that is announced and in force lies four words on; the words of the old one prove nothing.
    due = Chain().rule().put(RULES, slot(1, 1, 1) + 1, 1 << 192 | forged.NOW << 216)
    due.put(RULES, slot(1, 1, 1) + 4, 3 | 1 << 48, 2 << 192, 0, int.from_bytes(forged.keccak(b"text")))
    yield case("a change in its first second", due.sealed([*BASE, {**forged.rule(numerator=3), "version": "2"}]))
    yield refused("the rule before the change, in its first second", due.sealed([*BASE, forged.rule()]), "ClaimFalse", 3)  # noqa: E501  # fmt: skip


def _operations() -> Iterator[Case]:
    def two(*counted: int) -> Chain:
        return Chain(blocks=[[[awarded(5, 150), awarded(6, 999)]]]).counted(*counted)

    own, other = forged.event(told(5, 150)), forged.event(told(6, 999, position=1))
    yes = forged.operation(5, "yes")
    yield case("an operation and its event", two(5).sealed([*BASE, yes, own]))
    yield case("an event and then its operation", two(5).sealed([*BASE, own, yes]))
    yield case("an operation without its event", two(5).sealed([*BASE, yes]))
    yield case("two operations and both events", two(5, 6).sealed([*BASE, yes, forged.operation(6, "yes"), other, own]))
    yield refused("an operation beside another's event", two(5).sealed([*BASE, yes, other]), "ClaimFalse", 4)
    yield refused("another's event, told before", two(5).sealed([*BASE, other, own, yes]), "ClaimFalse", 3)
    yield case("an event of no operation that is claimed", two(5).sealed([*BASE, other]))
    denied = two().sealed([*BASE, own, forged.operation(5, "no")])
    yield refused("what was awarded is said not to count", denied, "ClaimFalse", 4)
    later = Chain(blocks=[[], [[awarded(5, 150)]]])
    claims = [*BASE, forged.operation(5, "no"), forged.event(told(5, 150, block=8))]
    yield case("it does not count yet at the bundle's block", later.sealed(claims, block=7))
    reason = [*(padded(1), padded(64), padded(0))]
    refusal = log(RULES, [forged.REFUSED, padded(1), padded(5), padded(ADA)], b"".join(reason))
    fields = [("brandId", "1"), ("operationId", "5"), ("member", ADA), ("ruleId", "1"), ("reason", "0x" + (padded(64) + padded(0)).hex())]  # noqa: E501  # fmt: skip
    said = told(5, 0) | {"event": "AwardRefused", "fields": [{"name": name, "value": value} for name, value in fields]}
    chain = Chain(blocks=[[[refusal]]])
    yield case("what was refused does not count", chain.sealed([*BASE, forged.operation(5, "no"), forged.event(said)]))
    beside = chain.sealed([*BASE, forged.operation(4, "no"), forged.event(said)])
    yield refused("an operation beside another's refusal", beside, "ClaimFalse", 4)


def _histories() -> Iterator[Case]:
    def of(*receipts: Any, events: tuple[Claim, ...] = (), contracts: tuple[str, ...] = (RULES,)) -> bytes:
        return Chain(blocks=[list(receipts)]).sealed([*BASE, forged.history(*events, contracts=contracts)])

    right = told(5, 150)
    yield case("one event of the account", of([awarded(5, 150)], events=(right,)))
    yield refused("an event left out", of([awarded(5, 150)]), "ClaimFalse", 3)
    yield refused("an event too many", of([awarded(5, 150)], events=(right, right)), "ClaimFalse", 3)
    yield refused("an event changed", of([awarded(5, 150)], events=(told(5, 151),)), "ClaimFalse", 3)
    data_only = log(RULES, [TRANSFER, padded(BEN), padded(STRANGER)], padded(ADA))
    yield case("a log that holds the account in its data only is no event", of([data_only]))
    first_topic = log(RULES, [padded(ADA)])
    yield case("nor is one that holds it in its first topic", of([first_topic]))
    strange = log(STRANGER, [TRANSFER, padded(ADA), padded(BEN)], padded(1))
    yield case("nor is one of another contract", of([strange]))
    wrong = log(RULES, [forged.AWARDED, padded(ADA)])
    yield refused("a log of ours with other topics than its name has", of([wrong]), "ProofInvalid", 3)
    unknown = log(RULES, [padded(1), padded(ADA)], b"\x07")
    fields = [{"name": "topics", "value": "0x" + (padded(1) + padded(ADA)).hex()}, {"name": "data", "value": "0x07"}]
    yield case("a log of ours that nobody knows", of([unknown], events=(right | {"event": "Unknown", "fields": fields},)))  # noqa: E501  # fmt: skip

    def receipt(*logs_: Any) -> bytes:
        return bytes(rlp.encode([b"\1", b"", bytes(256), list(logs_)]))

    short = [raw(STRANGER), [padded(ADA)[1:]], b""]
    yield refused("a malformed log of a stranger that holds the account", of(receipt(short)), "ProofInvalid", 3)
    yield case("a malformed log of a stranger without the account", of(receipt([raw(STRANGER), [b"\1"], b""])))
    mixed = of(receipt(awarded(5, 150), [raw(STRANGER), [b"\1"], b""]), events=(right,))
    yield case("a malformed log of a stranger beside an event", mixed)
    status = bytes(rlp.encode([b"\1", raw(ADA), bytes(256), [[b"\1"]]]))
    yield case("a receipt that holds the account outside its logs", of(status))
    yield refused("a receipt that is none and holds the account", of(bytes(rlp.encode([raw(ADA)]))), "ProofInvalid", 3)
    yield case("a receipt that is none, without the account", of(bytes(rlp.encode([raw(BEN)]))))
    words = b"".join(map(padded, (32, 2, word(1, p0=5), word(1))))
    changed = log(TOKEN, [LOTS_CHANGED, padded(ADA)], words)
    fields = [{"name": "account", "value": ADA}, {"name": "words", "value": "0x" + words.hex()}]
    event = right | {"address": TOKEN, "event": "LotsChanged", "fields": fields}
    past = forged.history(event, contracts=(TOKEN,))
    emptied = Chain(blocks=[[[changed]]])
    yield case("the last word of LotsChanged lies in storage", emptied.sealed([*WITH_TOKEN, lots("balance"), past]))
    kept = Chain(blocks=[[[changed]]]).balance(0, word(1, p0=5))
    claims = [*WITH_TOKEN, lots("balance", (5, 5)), past]
    yield refused("a word before the last one lies in storage", kept.sealed(claims), "ClaimFalse", 5)
    claims = [*WITH_TOKEN, past, lots("balance", (5, 5))]
    yield case("a balance after the history is not held against it", kept.sealed(claims))
    broken = Chain(blocks=[[[awarded(5, 150)]]]).rule()
    yield refused("a history's award beside a rule after it", broken.sealed([*BASE, forged.history(right), forged.rule()]), "RuleBroken", 3)  # noqa: E501  # fmt: skip
    yield refused("the number of events before the rule", broken.sealed([*BASE, forged.rule(), forged.history()]), "ClaimFalse", 4)  # noqa: E501  # fmt: skip


def _numbers() -> Iterator[Case]:
    chain = Chain(blocks=[[[awarded(5, 150)]]])
    claims = [*WITH_TOKEN, lots("balance")]
    yield refused("the bundle's block beyond 2^256", Chain().sealed(claims, block=2**256), "HeaderMissing")
    yield refused("the bundle's block beyond the headers", Chain().sealed(claims, block=8), "HeaderMissing")
    far = forged.event(told(5, 150) | {"block": TOO_LARGE})
    yield refused("an event's block beyond 2^256", chain.sealed([*BASE, far]), "ClaimFalse", 3)
    far = forged.event(told(5, 150) | {"block": str(2**256 - 1)})
    yield refused("an event's block below 2^256, without a header", chain.sealed([*BASE, far]), "HeaderMissing", 3)
    far = forged.event(told(5, 150) | {"log": TOO_LARGE})
    yield refused("a log's place beyond 2^256", chain.sealed([*BASE, far]), "ClaimFalse", 3)
    late = forged.history(from_block=TOO_LARGE)
    yield refused("a history from beyond 2^256", chain.sealed([*BASE, late]), "ClaimFalse", 3)
    late = forged.history(from_block="8")
    yield refused("a history from after the block", chain.sealed([*BASE, late]), "ClaimFalse", 3)
    early = forged.history(told(5, 150), from_block="6")
    yield refused("a history from before the headers", chain.sealed([*BASE, early]), "HeaderMissing", 3)
    wide = {**forged.token(), "brand_id": TOO_LARGE}
    yield refused("a brand beyond 2^256", Chain().sealed([*WITH_TOKEN[:3], wide]), "ClaimFalse", 3)
    outside = {**forged.rule(), "budget": TOO_LARGE}
    yield refused("a value beyond 2^256", Chain().rule().sealed([*BASE, outside]), "ClaimFalse", 3)


def _memos() -> Iterator[Case]:
    fields = [memos.Field(name, "tea", bytes([number]) * 32) for number, name in enumerate("abc", 1)]
    root = memos.memo_root(fields)
    item = b"".join(map(padded, (5, 1, ADA, 100)))
    data = SELECTORS[0] + padded(1) + item + memos.suffix([(5, root)])
    transaction = bytes(rlp.encode([0, 0, 0, raw(RULES), 0, data, 27, 1, 1]))
    chain = Chain(blocks=[[[awarded(5, 150)]]], transactions=[transaction])
    claim = {
        "type": "memo",
        "block": "7",
        "brand_id": "1",
        "contract": RULES,
        "index": "0",
        "item": "0",
        "memo_root": "0x" + root.hex(),
        "operation_id": "5",
        "path": [],
    }
    one, two, three = memos.shown(fields, "abc")

    def of(*shown: Claim) -> bytes:
        return chain.sealed([*BASE, {**claim, "fields": list(shown)}])

    yield case("a memo of which nothing is shown", of())
    yield case("two fields of a memo", of(one, three))
    yield case("all fields of a memo", of(one, two, three))
    yield refused("a field shown twice", of(one, one), "ClaimFalse", 3)
    yield refused("fields in another order", of(three, one), "ClaimFalse", 3)
    yield refused("a field's index beyond its tree", of({**one, "index": "4"}), "ClaimFalse", 3)
    yield refused("a field's index beyond 2^256", of({**one, "index": TOO_LARGE}), "ClaimFalse", 3)
    yield refused("a field under another name", of({**one, "name": "d"}), "ClaimFalse", 3)
    # The same leaf in two places of a tree that was made so: its name would stand twice.
    double = [memos.Field("a", "tea", b"\1" * 32), memos.Field("a", "milk", b"\2" * 32)]
    root = memos.memo_root(double)
    claim["memo_root"] = "0x" + root.hex()
    data = SELECTORS[0] + padded(1) + item + memos.suffix([(5, root)])
    chain.transactions = [bytes(rlp.encode([0, 0, 0, raw(RULES), 0, data, 27, 1, 1]))]
    first, second = memos.shown(double, "a")
    yield refused("two fields of one name", of(first, second), "ClaimFalse", 3)
    yield case("one of two fields of one name is its maker's choice", of(second))


def _receipts() -> Iterator[Case]:
    def receipt(*content: tuple[str, str], signed: bool = True) -> dict[str, Any]:
        body = {
            "block_hash": "0x" + "07" * 32,
            "block_number": "7",
            "chain_id": "1",
            "content": [{"name": name, "value": value} for name, value in content],
            "finality": "safe",
            "subject": f"member:{ADA}",
            "version": "7",
        }
        signer = (forged.PUBLIC, forged.KEY.sign) if signed else (None, None)
        return document.seal("moa.receipt/1", body, key=signer[0], sign=signer[1])

    def fraud(*receipts: dict[str, Any]) -> bytes:
        return document.canonical(document.seal("moa.fraud/1", {"receipts": list(receipts)}))

    one, other = receipt(("a", "1"), ("b", "2")), receipt(("a", "1"), ("b", "3"))
    yield case("a receipt, whatever registry is asked for", document.canonical(one), "signed")
    yield refused("a receipt without a signature", document.canonical(receipt(("a", "1"), signed=False)), "SignatureMissing")  # noqa: E501  # fmt: skip
    twice = receipt(("a", "1"), ("a", "2"))
    yield refused("a receipt that says one thing twice", document.canonical(twice), "NotCanonical")
    turned = receipt(("b", "2"), ("a", "1"))
    yield refused("a receipt in another order", document.canonical(turned), "NotCanonical")
    yield case("two contents of one block", fraud(one, other), "fraud")
    yield refused("two receipts alike", fraud(one, one), "NotConflicting")
    yield refused("one receipt in two orders is no fraud", fraud(one, turned), "NotCanonical")


def _badges() -> Iterator[Case]:
    """Given, renewed until a second, withdrawn, live: section 5. Badges is for the reader to name."""
    ours = dict(OURS) | {"badges": forged.BADGES}
    live = forged.badge(given_at=9, valid_until=str(forged.NOW + 1))
    over = forged.badge("yes", "no", given_at=9, valid_until=str(forged.NOW))
    none = forged.badge("no", "no")

    def of(chain: Chain, *claims: Claim) -> bytes:
        return chain.sealed([*forged.WITH_BADGES, *claims])

    def lasting() -> Chain:
        return Chain().defined().given(9, forged.NOW + 1)

    yield case("a live badge", of(lasting(), live), options=ours)
    yield case("a live badge, and nobody says whose Badges it is", of(lasting(), live), "consistent")
    other = dict(OURS) | {"badges": FAKE}
    yield refused("another Badges is asked for", of(lasting(), live), "RegistryMismatch", options=other)
    yield case("a badge for ever", of(Chain().defined().given(9, 0), forged.badge(given_at=9, valid_until="never")), options=ours)  # noqa: E501  # fmt: skip
    ended = Chain().defined().given(9, forged.NOW)
    yield case("a badge in the second in which it ends", of(ended, over), options=ours)
    yield refused("a badge that has ended is said to live", of(ended, {**over, "live": "yes"}), "ClaimFalse", 3, ours)
    yield case("a badge that was withdrawn, or never given", of(Chain().defined(), none), options=ours)
    yield refused("a badge that nobody gave", of(Chain().defined(), live), "ClaimFalse", 3, ours)
    yield refused("a badge said to be withdrawn that is not", of(lasting(), none), "ClaimFalse", 3, ours)
    for name, value in (
        ("given_at", "8"),
        ("valid_until", "never"),
        ("level", "4"),
        ("kind", "mission"),
        ("metadata_hash", "0x" + "00" * 32),
        ("live", "no"),
        ("brand_id", str(2**64 + 1)),
        ("definition_id", str(2**32 + 1)),
        ("level", TOO_LARGE),
    ):
        yield refused(f"a badge of {name} {value[:24]}", of(lasting(), {**live, name: value}), "ClaimFalse", 3, ours)
    yield refused("another member's badge", of(lasting(), {**live, "member": BEN}), "ClaimFalse", 3, ours)
    yield refused("a definition that is not there", of(Chain().programme(), none), "ClaimFalse", 3, ours)
    stranger = forged.contracts(FAKE)[0] | {"name": "Badges"}
    two = Chain().defined().sealed([*forged.WITH_BADGES, stranger])
    yield refused("two Badges", two, "ContractUnknown", 1)
    as_rules = Chain().defined().sealed([*BASE, {**none, "contract": RULES}])
    yield refused("a badge of a contract with another name", as_rules, "ContractUnknown", 3)
    data = padded(1) + padded(0) + padded(0)
    given = log(forged.BADGES, [_topic("BadgeGiven"), padded(1), padded(5), padded(ADA)], data)
    names = ("brandId", "operationId", "member", "definitionId", "validUntil", "renewed")
    said = _said(forged.BADGES, "BadgeGiven", zip(names, ("1", "5", ADA, "1", "0", "0"), strict=True))
    chain = Chain(blocks=[[[given]]]).defined()
    yield case("a badge was given", of(chain, forged.event(said)), options=ours)
    lie = {**said, "fields": [*said["fields"][:-1], {"name": "renewed", "value": "1"}]}
    yield refused("a badge was given, told otherwise", of(chain, forged.event(lie)), "ClaimFalse", 3, ours)
    gone = log(forged.BADGES, [_topic("BadgeWithdrawn"), padded(1), padded(6), padded(ADA)], padded(1))
    names = ("brandId", "operationId", "member", "definitionId")
    said = _said(forged.BADGES, "BadgeWithdrawn", zip(names, ("1", "6", ADA, "1"), strict=True))
    chain = Chain(blocks=[[[gone]]]).defined()
    yield case("a badge was taken back", of(chain, forged.event(said), none), options=ours)
    yield refused("a badge was taken back and is claimed", of(chain, forged.event(said), live), "ClaimFalse", 4, ours)


def _votes() -> Iterator[Case]:
    """A list posted and adopted, votes cast and counted, a house's tally."""
    ours = dict(OURS) | {"governor": forged.GOVERNOR}
    leaves = [int(ADA, 16) << 96 | 30, int(BEN, 16) << 96 | 12]
    tally, counted = forged.tally((30, 0, 12), 42), forged.vote(leaves, 0, "yes")

    def voted() -> Chain:
        return Chain().listed(leaves).voted(0, said=(30, 0, 12))

    def of(*claims: Claim, chain: Chain | None = None) -> bytes:
        return (chain or voted()).sealed([*forged.WITH_VOTES, *claims])

    yield case("a list, a tally and a vote", of(forged.posted(leaves), tally, counted), options=ours)
    yield case("the same, and nobody says whose governor it is", of(tally, counted), "consistent")
    other = dict(OURS) | {"governor": FAKE}
    yield refused("another governor is asked for", of(tally), "RegistryMismatch", options=other)
    yield case("a vote that has not counted", of(forged.vote(leaves, 1, "no")), options=ours)
    yield refused("a vote that has not counted is said to", of(forged.vote(leaves, 1, "yes")), "ClaimFalse", 4, ours)
    yield refused("a vote that counted is said not to", of({**counted, "counted": "no"}), "ClaimFalse", 4, ours)
    for name, value in (
        ("points", "31"),
        ("points", "0"),
        ("points", str(2**96)),
        ("member", STRANGER),
        ("position", "1"),
        ("position", "256"),
        ("chunk", "1"),
        ("chunk", TOO_LARGE),
        ("poster", ADA),
        ("path", list(reversed(counted["path"]))),
    ):
        yield refused(f"a vote of {name} {str(value)[:24]}", of({**counted, name: value}), "ClaimFalse", 4, ours)
    for name in ("points_for", "points_against", "points_abstaining", "total"):
        more = {**tally, name: str(int(tally[name]) + 1)}
        yield refused(f"a tally of other {name}", of(more), "ClaimFalse", 4, ours)
    yield refused("a tally by another's list", of({**tally, "poster": ADA}), "ClaimFalse", 4, ours)
    yield refused("a tally's total beyond 2^256", of({**tally, "total": TOO_LARGE}), "ClaimFalse", 4, ours)
    none = forged.tally((0, 0, 0), 0) | {"poster": "0x" + "00" * 20}
    yield case("no list is adopted", of(none, chain=Chain().programme()), options=ours)
    out = Chain().listed(leaves, contradicted=True)
    yield case("a list that was contradicted", of(forged.posted(leaves, contradicted="yes"), chain=out), options=ours)
    yield refused("it is said to stand", of(forged.posted(leaves), chain=out), "ClaimFalse", 4, ours)
    for name in ("accounts", "chunks", "completed_at", "total"):
        more = {**forged.posted(leaves), name: str(int(forged.posted(leaves)[name]) + 1)}
        yield refused(f"a list of other {name}", of(more), "ClaimFalse", 4, ours)
    yield refused("lists that the governor did not make", of({**tally, "snapshots": forged.GOVERNOR}), "ContractUnknown", 4, ours)  # noqa: E501  # fmt: skip
    stranger = forged.contracts(FAKE)[0] | {"name": "Snapshots"}
    yield refused("Snapshots of nobody", of(stranger), "ContractUnknown", 4, ours)
    alone = voted().sealed([*forged.contracts(REGISTRY, forged.SNAPSHOTS), forged.modules(), forged.posted(leaves)])
    yield refused("Snapshots without its governor", alone, "ContractUnknown", 3, ours)
    topics = [_topic("VoteCast"), padded(1), padded(1), padded(ADA)]
    cast = log(forged.GOVERNOR, topics, padded(0) + padded(1) + padded(30))
    names = ("proposalId", "brandId", "member", "place", "choice", "points")
    said = _said(forged.GOVERNOR, "VoteCast", zip(names, ("1", "1", ADA, "0", "1", "30"), strict=True))
    chain = Chain(blocks=[[[cast]]]).listed(leaves).voted(0, said=(30, 0, 0))
    yield case("a vote was cast and has counted", of(forged.event(said), counted, chain=chain), options=ours)
    lie = {**said, "fields": [*said["fields"][:-1], {"name": "points", "value": "31"}]}
    yield refused("a vote was cast, told otherwise", of(forged.event(lie), chain=chain), "ClaimFalse", 4, ours)
    roots = padded(0) + padded(128) + padded(42) + padded(1) + padded(1) + bytes(32)
    topics = [_topic("SnapshotPosted"), padded(1), padded(1), padded(BEN)]
    posted = log(forged.SNAPSHOTS, topics, roots)
    names = ("proposalId", "brandId", "poster", "firstChunk", "posted")
    values = ("1", "1", BEN, "0", "0x" + roots[32:].hex())
    said = _said(forged.SNAPSHOTS, "SnapshotPosted", zip(names, values, strict=True))
    chain = Chain(blocks=[[[posted]]]).programme()
    yield case("a list was posted", of(forged.event(said), chain=chain), options=ours)


def _topic(name: str) -> bytes:
    return events.TOPICS[name]


def _said(address: str, name: str, fields: Iterable[tuple[str, str]]) -> Claim:
    told_ = [{"name": one, "value": value} for one, value in fields]
    return {"address": address, "block": "7", "event": name, "fields": told_, "index": "0", "log": "0"}


def told_in_json(found: list[Case]) -> bytes:
    """The corpus as it is kept: a case a line."""
    return b"[\n" + b",\n".join(map(orjson.dumps, found)) + b"\n]\n"


if __name__ == "__main__":
    FILE.write_bytes(told_in_json(cases()))
