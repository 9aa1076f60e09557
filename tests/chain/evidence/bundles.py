"""A small story on a chain, and documents of it; and ways to alter a document."""

from __future__ import annotations

import json
import random
import subprocess
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from chain.contracts import memos
from chain.evidence import document, receipts
from chain.evidence.bundle import Maker, Memo, Place
from chain.evidence.verify import verify

ROOT = Path(__file__).resolve().parents[3]
RUNNER = ROOT / "wallet" / "src" / "verify" / "run.ts"


@dataclass
class Bundles:
    """Sealed documents by name, and what seals others as the gateway would."""

    documents: dict[str, bytes]
    maker: Maker
    keys: Any
    memo: list[memos.Field]
    members: dict[str, str]
    registry: str
    story: dict[str, Any]

    def sealed(self, document_: dict[str, Any]) -> bytes:
        """The document sealed and signed again, whatever was altered in its body."""
        key, sign = receipts.signer(self.keys)
        return document.canonical(document.seal(document_["format"], document_["body"], key=key, sign=sign))

    def altered(self, name: str, change: Callable[[dict[str, Any]], None]) -> bytes:
        """A document whose body was changed by a liar who holds the gateway's key."""
        found: dict[str, Any] = orjson.loads(self.documents[name])
        change(found["body"])
        return self.sealed(found)


def told(world: Any) -> Bundles:
    """Awards with and without memos, a hold, an exchange, and bundles of all of it."""
    memo = memos.salted(
        {"receipt": "No. 4711", "item.1": "1 tea, jasmine", "item.2": "한옥 다실", "till": "the third till"}
    )
    with_memo = world.award("ada", 5000)
    with_memo.payload["memo_root"] = "0x" + memos.memo_root(memo).hex()
    world.enqueue(*(world.award(f"m{index}", 1000 + index) for index in range(5)), with_memo)
    world.drain()
    world.enqueue(world.award("ada", 700, brand="hanok"))
    hold, _ = world.hold("ada", 1000)
    world.enqueue(hold, world.exchange("ada", 500))
    world.drain()
    maker = Maker(world.rpc, world.deployment, signer=receipts.signer(world.keystore))
    ada, row = world.member("ada"), world.rows("SELECT * FROM operation WHERE key = :key", key=with_memo.key)[0]
    items = [
        (int(one.operation_id), memos.memo_root(memo) if one.id == row.id else None)
        for one in world.rows(
            "SELECT id, operation_id FROM operation WHERE transaction_id = :id ORDER BY id",
            id=row.transaction_id,
        )
    ]
    award, place = (1, int(row.operation_id)), Place(row.block_number, row.tx_hash)
    exchange = world.rows("SELECT tx_hash, block_number FROM operation WHERE kind = 'exchange'")[0]
    documents = {
        "member": maker.member(ada, labels={"name": "Ada"}),
        "stranger": maker.member(world.member("nobody")),
        "brand": maker.brand(1),
        "award": maker.operation(place, award=award),
        "memo": maker.operation(place, award=award, memo=Memo(memo, ["item.2"], items)),
        "exchange": maker.operation(Place(exchange.block_number, exchange.tx_hash)),
        "anchored": maker.brand(2, block=maker.head() - 2, anchor=maker.head()),
        "receipt": receipts.of_member(
            world.keystore,
            ada,
            [("0x" + "aa" * 20, "0" * 256)],
            chain_id=1337,
            block=(7, "0x" + "07" * 32),
            finality="safe",
        ),
    }
    members = {name: world.member(name) for name in ("ada", "m0", "nobody")}
    registry = world.deployment.address("PartnerRegistry").lower()
    story = {
        "ada": ada,
        "nobody": world.member("nobody"),
        "award": award,
        "award_at": [place.block, place.tx_hash],
        "exchange_at": [exchange.block_number, exchange.tx_hash],
        "memo": [[field.name, field.value, field.salt.hex()] for field in memo],
        "items": [[number, root and root.hex()] for number, root in items],
    }
    return Bundles(documents, maker, world.keystore, memo, members, registry, story)


def anchor(data: bytes) -> str:
    """The hash of a bundle's last block."""
    found = verify(data).anchor
    assert found is not None
    return found[1]


def paths(value: Any, at: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Where every text of a value is."""
    if isinstance(value, str):
        yield at
    elif isinstance(value, list):
        for index, one in enumerate(value):
            yield from paths(one, (*at, index))
    else:
        for name, one in value.items():
            yield from paths(one, (*at, name))


def tampered(bundles: Bundles, name: str, count: int, choice: random.Random) -> Iterator[bytes]:
    """Bodies with one thing changed, sealed and signed again, so that the deeper checks must find it."""
    whole = orjson.loads(bundles.documents[name])
    places = list(paths(whole["body"]))
    weighty = [place for place in places if place[0] == "claims"] or places
    for turn in range(count):
        found = json.loads(json.dumps(whole))
        place = choice.choice(weighty if turn % 2 else places)
        holder = found["body"]
        for step in place[:-1]:
            holder = holder[step]
        before = holder[place[-1]]
        kind = turn % 7
        if kind == 0 and isinstance(holder, list) and len(holder) > 1:
            del holder[place[-1]]
        elif kind == 1 and isinstance(holder, list):
            holder.append(before)
        elif kind == 2 and isinstance(holder, list):
            holder.reverse()
        elif kind == 3 and len(found["body"].get("claims", [])) > 1:
            found["body"]["claims"].pop(choice.randrange(len(found["body"]["claims"])))
        else:
            holder[place[-1]] = _changed(before, choice)
        yield bundles.sealed(found)


def _changed(text: str, choice: random.Random) -> str:
    if text.startswith("0x") and len(text) > 2:
        at = choice.randrange(2, len(text))
        return text[:at] + format(int(text[at], 16) ^ (1 << choice.randrange(4)), "x") + text[at + 1 :]
    if text.isdecimal():
        return str(max(0, int(text) + choice.choice((-1, 1, 256, 2**60))))
    return text[::-1] + choice.choice(("", "x", "é"))


def second_verifier(folder: Path) -> Path:
    """The second verifier, bundled for node."""
    bundled = folder / "verify.mjs"
    esbuild = ROOT / "node_modules" / ".bin" / "esbuild"
    words = ("--bundle", "--platform=node", "--format=esm", f"--outfile={bundled}", "--log-level=error")
    subprocess.run([esbuild, RUNNER, *words], check=True, timeout=60, cwd=ROOT)
    return bundled


def verdicts_in_typescript(
    folder: Path, asked: Sequence[tuple[bytes, dict[str, str]]]
) -> list[tuple[str, str | None, int | None]]:
    """Verdict, error and claim of each document with its options by the second verifier, run under node."""
    lines = []
    for number, (data, options) in enumerate(asked):
        path = folder / f"{number}.json"
        path.write_bytes(data)
        lines.append(json.dumps({"path": str(path), **options}))
    done = subprocess.run(
        ["node", second_verifier(folder), "--lines"],
        input="\n".join(lines),
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
        cwd=ROOT,
    )
    assert done.stderr == ""
    found = [json.loads(line) for line in done.stdout.splitlines()]
    return [(one["verdict"], one["error"], one.get("claim")) for one in found]
