"""
What a node answered while bundles were made, as a file: the maker is tried on it in seconds and without a node.

`MOA_RECORD=1 … pytest tests/chain/evidence/test_recorded.py -m slow` records it anew; that is due when what a bundle
asks for or a contract changes, and the quick test beside it says so.
"""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import orjson

from chain.base.hashing import keccak
from chain.contracts import memos
from chain.contracts.codec import Codec
from chain.contracts.deployment import Contract, Deployment
from chain.evidence.bundle import Maker, Memo, Place
from chain.storage.documents import Documents
from tests.support.answers import Answers, question

FILE = Path(__file__).with_name("recorded.json.gz")


class Taped:
    """A node whose answers are written down."""

    def __init__(self, rpc: Any):
        self._rpc = rpc
        self.told: dict[str, Any] = {}

    def call(self, method: str, *params: Any) -> Any:
        """Asks the node."""
        answer = self._rpc.call(method, *params)
        return self.told.setdefault(question(method, params), answer)

    def batch(self, asked: list[tuple[str, list[Any]]]) -> list[Any]:
        """Asks the node."""
        answers = self._rpc.batch(asked)
        for (method, params), answer in zip(asked, answers, strict=True):
            self.told[question(method, params)] = answer
        return list(answers)


def made(maker: Maker, story: dict[str, Any]) -> dict[str, bytes]:
    """The bundles of the story, by name."""
    award, exchange = (Place(*story[name]) for name in ("award_at", "exchange_at"))
    fields = [memos.Field(name, value, bytes.fromhex(salt)) for name, value, salt in story["memo"]]
    items = [(number, bytes.fromhex(root) if root else None) for number, root in story["items"]]
    return {
        "member": maker.member(story["ada"], labels={"name": "Ada"}),
        "stranger": maker.member(story["nobody"]),
        "brand": maker.brand(1),
        "award": maker.operation(award, award=tuple(story["award"])),
        "memo": maker.operation(award, award=tuple(story["award"]), memo=Memo(fields, ["item.2"], items)),
        "exchange": maker.operation(exchange),
        "found": maker.operation(maker.find_award(*story["award"]), award=tuple(story["award"])),
        "anchored": maker.brand(2, block=maker.head() - 2, anchor=maker.head()),
    }


def write(rpc: Any, deployment: Deployment, story: dict[str, Any]) -> None:
    """Makes them all on a node, and keeps what it answered."""
    taped = Taped(rpc)
    documents = made(Maker(taped, deployment), story)  # type: ignore[arg-type]
    told = {
        "story": story,
        "answers": taped.told,
        "documents": {name: orjson.loads(data)["body"] for name, data in documents.items()},
        "chain_id": deployment.chain_id,
        "start_block": deployment.start_block,
        "genesis_hash": deployment.genesis_hash,
        "texts": [text for data in documents.values() for text in texts(data)],
        "contracts": {name: [one.name, one.address, one.bytecode_hash] for name, one in deployment.contracts.items()},
    }
    FILE.write_bytes(gzip.compress(orjson.dumps(told), 9, mtime=0))


def texts(data: bytes) -> list[str]:
    """The texts of rules that a bundle shows; no node knows them."""
    return [claim["text"] for claim in orjson.loads(data)["body"]["claims"] if claim["type"] == "rule"]


def tape(folder: Path) -> tuple[Answers, Deployment, dict[str, Any], dict[str, Any]]:
    """The node, the deployment with its texts in this folder, the story, and the bodies that were made of it."""
    told = orjson.loads(gzip.decompress(FILE.read_bytes()))
    for text in set(told["texts"]):
        (folder / ("0x" + keccak(text.encode()).hex())).write_text(text)
    deployment = Deployment(
        chain_id=told["chain_id"],
        start_block=told["start_block"],
        genesis_hash=told["genesis_hash"],
        contracts={name: Contract(*each) for name, each in told["contracts"].items()},
        codec=Codec.load(),
        documents=Documents(folder),
    )
    return Answers(told["answers"]), deployment, told["story"], told["documents"]
