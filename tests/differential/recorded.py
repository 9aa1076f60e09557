"""
Walks of the differential as a file: every step with what the contracts did, to try the model without a node.

`python -m tests.differential.recorded` walks anew on Anvil and writes it; that is due when the contracts or the words
of a step change, and the test beside it says so.
"""

import dataclasses
import gzip
import importlib
import json
import random
import tempfile
from collections.abc import Mapping
from contextlib import closing
from enum import Enum
from pathlib import Path
from typing import Any

from chain.devnet.supervisor import Anvil
from chain.model.ledger import Parties
from chain.node.rpc import Rpc
from tests.differential.programme import ProgrammeWalk
from tests.differential.run import run
from tests.differential.steps import Proven
from tests.differential.voting import VotesWalk
from tests.differential.world import Made, TwoSides

FILE = Path(__file__).with_name("recorded.json.gz")
SEED = 7
STEPS = 1_000
PROGRAMME_STEPS = 250
VOTES_STEPS = 250
ROOMS = ("chain.model.", "chain.contracts.", "tests.differential.")


def kept(value: Any) -> Any:
    """A value of a step as JSON: structs by the name of their class. The proof of a leaf is only whether it holds."""
    if isinstance(value, Proven):
        value = Proven(None, value.honest)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = {each.name: kept(getattr(value, each.name)) for each in dataclasses.fields(value)}
        return {"class": f"{type(value).__module__}:{type(value).__qualname__}", "fields": fields}
    if isinstance(value, Enum):
        return {"enum": f"{type(value).__module__}:{type(value).__qualname__}", "name": value.name}
    if isinstance(value, Mapping):
        return {"pairs": [[kept(key), kept(each)] for key, each in value.items()]}
    if isinstance(value, tuple):
        return {"tuple": [kept(each) for each in value]}
    if isinstance(value, list):
        return [kept(each) for each in value]
    if isinstance(value, bytes):
        return {"bytes": value.hex()}
    assert value is None or isinstance(value, str | bool | int), f"{value!r} cannot be kept"
    return value


def found(told: Any) -> Any:
    """The value that was kept."""
    if isinstance(told, list):
        return [found(each) for each in told]
    if not isinstance(told, dict):
        return told
    if "class" in told:
        return named(told["class"])(**{name: found(each) for name, each in told["fields"].items()})
    if "enum" in told:
        return named(told["enum"])[told["name"]]
    if "pairs" in told:
        return {found(key): found(each) for key, each in told["pairs"]}
    return bytes.fromhex(told["bytes"]) if "bytes" in told else tuple(found(each) for each in told["tuple"])


def named(name: str) -> Any:
    """A class of the model or of the walk, and no other."""
    module, kind = name.split(":")
    assert module.startswith(ROOMS), name
    return getattr(importlib.import_module(module), kind)


def recorded() -> dict[str, tuple[Parties, list[Made]]]:
    """Each walk: who runs the contracts, and every step that was made."""
    told = json.loads(gzip.decompress(FILE.read_bytes()))
    return {name: (found(parties), [found(each) for each in steps]) for name, (parties, steps) in told.items()}


def ledger(rpc: Rpc, chain_id: int) -> TwoSides:
    """The story and a walk over points, holds, exchanges, clearing and authority."""
    return run(rpc, chain_id, seed=SEED, steps=STEPS, anvil=True)


def programme(rpc: Rpc, chain_id: int) -> TwoSides:
    """Opening balances and badges."""
    world = TwoSides(rpc, chain_id, anvil=True)
    walk = ProgrammeWalk(world, random.Random(SEED))
    for _ in range(PROGRAMME_STEPS):
        world.do(walk.next(world.at))
    return world


def votes(rpc: Rpc, chain_id: int) -> TwoSides:
    """Proposals, lists, votes, and an outcome that is carried through."""
    world = TwoSides(rpc, chain_id, anvil=True)
    walk = VotesWalk(world, random.Random(SEED))
    walk.prologue()
    for _ in range(VOTES_STEPS):
        world.do(walk.next(world.at))
    walk.carry_through(2, twice=True)
    walk.carry_through(2, twice=False)
    return world


def main() -> None:
    """Walks and writes."""
    told: dict[str, Any] = {}
    for name, walk in (("ledger", ledger), ("programme", programme), ("votes", votes)):
        with tempfile.TemporaryDirectory() as folder, Anvil(Path(folder)) as node, closing(Rpc(node.url)) as rpc:
            world = walk(rpc, node.chain_id)
            told[name] = [kept(world.parties), [kept(each) for each in world.record]]
    FILE.write_bytes(gzip.compress(json.dumps(told, separators=(",", ":")).encode(), 9, mtime=0))
    print(f"{FILE.name}: {FILE.stat().st_size} bytes; {', '.join(f'{k} {len(v[1])} steps' for k, v in told.items())}")


if __name__ == "__main__":
    main()
