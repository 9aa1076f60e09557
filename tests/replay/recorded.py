"""
The walked chain of seed 7 as a file, so that the replay is tried in seconds and without a node.

`python -m tests.replay.recorded` walks it anew on Anvil and writes the file; it is due when an event or a contract
changes, and `test_the_recorded_chain_is_of_todays_events` says so.
"""

import gzip
import tempfile
from contextlib import closing
from dataclasses import asdict, astuple, dataclass, fields, replace
from pathlib import Path

import orjson

from chain.contracts.codec import EventLog
from chain.devnet.supervisor import Anvil
from chain.model.proposals import GovernorTerms
from chain.node.rpc import Rpc
from chain.replay import Block, Facts, Sent, TokenTerms
from tests.replay.chain_of import blocks_of, facts_of
from tests.replay.mutants import staged

FILE = Path(__file__).with_name("recorded.json.gz")
SEED = 7
STEPS = 120


@dataclass
class Recorded:
    """Blocks and facts as the replay takes them."""

    blocks: list[Block]
    facts: Facts

    @property
    def events_only(self) -> list[Block]:
        """The blocks without their transactions."""
        return [replace(block, sent={}) for block in self.blocks]


def recorded() -> Recorded:
    """What the file holds."""
    told = orjson.loads(gzip.decompress(FILE.read_bytes()))
    terms = {token: TokenTerms(**each) for token, each in told["terms"].items()}
    blocks = [
        Block(
            number=block["number"],
            time=block["time"],
            logs=[EventLog(**log) for log in block["logs"]],
            before=block["before"],
            sent={each: Sent(one["by"], one["to"], bytes.fromhex(one["data"])) for each, one in block["sent"].items()},
        )
        for block in told["blocks"]
    ]
    facts = {**told["facts"], "votes": GovernorTerms(*told["facts"]["votes"]), "terms": terms.__getitem__}
    return Recorded(blocks, Facts(**facts))


def record(blocks: list[Block], facts: Facts, tokens: list[str]) -> bytes:
    """The file's bytes; the same for the same chain."""
    plain = {each.name: getattr(facts, each.name) for each in fields(facts) if each.name != "terms"}
    assert facts.votes is not None
    told = {
        "facts": {**plain, "votes": astuple(facts.votes)},
        "terms": {token: asdict(facts.terms(token)) for token in tokens},
        "blocks": [
            {
                "number": block.number,
                "time": block.time,
                "before": block.before,
                "logs": [asdict(log) for log in block.logs],
                "sent": {
                    each: {"by": one.by, "to": one.to, "data": one.data.hex()} for each, one in block.sent.items()
                },
            }
            for block in blocks
        ],
    }
    return gzip.compress(orjson.dumps(told), 9, mtime=0)


def main() -> None:
    """Walks and writes."""
    with (
        tempfile.TemporaryDirectory() as folder,
        Anvil(Path(folder)) as node,
        closing(Rpc(node.url)) as rpc,
    ):
        world = staged(rpc, node.chain_id, seed=SEED, steps=STEPS).world
        tokens = [world.chain.addresses[token.name] for token in world.ledger.tokens.values()]
        FILE.write_bytes(record(blocks_of(rpc, world.chain, calldata=True), facts_of(world.chain), tokens))
    print(f"{FILE.name}: {FILE.stat().st_size} bytes, {len(recorded().blocks)} blocks")


if __name__ == "__main__":
    main()
