"""One walked chain for all tests of the replay: the story, every kind of act, and the stage for broken contracts."""

import os
import random
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, replace

import pytest

from chain.devnet.supervisor import Anvil
from chain.node.rpc import Rpc
from chain.replay import Block, Facts
from tests.replay.chain_of import blocks_of, facts_of
from tests.replay.mutants import Stage, staged
from tests.replay.recorded import Recorded, recorded

# The chain on which lies are told is the same each time; MOA_SEED walks another.
SEED = int(os.environ.get("MOA_SEED") or 7)
RANDOM_SEED = int(os.environ.get("MOA_SEED") or random.SystemRandom().randrange(2**32))
STEPS = int(os.environ.get("MOA_REPLAY_STEPS", "120"))


@dataclass
class Walked:
    """A chain with its blocks, what its storage said at the end, and the stage."""

    blocks: list[Block]
    facts: Facts
    supplies: dict[str, tuple[int, ...]]
    lots: dict[tuple[str, str], tuple[int, ...]]
    stage: Stage

    @property
    def events_only(self) -> list[Block]:
        """The blocks without their transactions."""
        return [replace(block, sent={}) for block in self.blocks]


@pytest.fixture(scope="session")
def chain() -> Recorded:
    """The recorded chain: what needs no node."""
    return recorded()


@pytest.fixture(scope="session")
def walked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Walked]:
    """The story and a walk on Anvil."""
    print(f"MOA_SEED={SEED} MOA_REPLAY_STEPS={STEPS}")
    with Anvil(tmp_path_factory.mktemp("anvil")) as node, closing(Rpc(node.url)) as rpc:
        stage = staged(rpc, node.chain_id, seed=SEED, steps=STEPS)
        world = stage.world
        tokens = {world.chain.addresses[token.name]: token for token in world.ledger.tokens.values()}
        supplies = {at: tuple(world.chain.read(token.name, "packedSupply")) for at, token in tokens.items()}
        pairs = [(at, token.name, account) for at, token in tokens.items() for account in sorted(token.accounts)]
        words = world.chain.read_many([(name, "packedLotsOf", (account,)) for _, name, account in pairs])
        yield Walked(
            blocks=blocks_of(rpc, world.chain, calldata=True),
            facts=facts_of(world.chain),
            supplies=supplies,
            lots={(at, account): tuple(each) for (at, _, account), each in zip(pairs, words, strict=True)},
            stage=stage,
        )
