"""Which queued operations go next: awards together, the others one by one, never past an earlier one of their key."""

from collections.abc import Iterable, Sequence, Set
from dataclasses import dataclass, field
from itertools import chain, zip_longest
from typing import Any, Final
from zlib import crc32

from chain.base.scalars import RegistryId
from chain.outbox.operations import AWARD, VOTE

# What only a brand's till may do: its keys are apart from those that award (SPEC 6.15).
OF_TILLS: Final = frozenset({"capture", "release", "refund", "return", "unwind"})

# So many votes leave in one call at most (chain.outbox.calls: twelve million gas hold them, and as many again).
VOTES_MAX: Final = 100


@dataclass(slots=True)
class Waiting:
    """A queued operation. `payload` is as the driver gives it: text or a document."""

    id: int
    kind: str
    brand: RegistryId
    ordering_key: str
    created_at_ms: int
    operation_id: str | None = None
    payload: Any = None
    bulk: int = 0
    # Something of its ordering key that it must not overtake is queued before it.
    held: bool = False


@dataclass(slots=True)
class Choice:
    """What may be sent now. Batches hold awards of one brand each, oldest first; singles are of
    different ordering keys. votes: of one proposal and brand in each, in any order."""

    batches: list[list[Waiting]] = field(default_factory=list)
    singles: list[Waiting] = field(default_factory=list)
    votes: list[list[Waiting]] = field(default_factory=list)


def choose(
    queue: Iterable[Waiting],
    *,
    busy_awards: frozenset[str],
    busy_singles: frozenset[str],
    items_max: int,
    delay_ms: int,
    singles_max: int,
    at_ms: int,
    only_full: bool = False,
    resting: Set[int] = frozenset(),
) -> Choice:
    """Picks from the queue (in each ordering key oldest first; the brands in turns).

    busy_awards: ordering keys with an award under way at the same signer; busy_singles: those with anything else.
    An award may follow an award of the same signer: nonces keep their order. Anything else is simulated first, so it
    waits until its ordering key is clear, and whatever comes after it with that key waits for it. A batch that is not
    full waits until its oldest is delay_ms old; with only_full it waits on, to grow while the node is busy anyhow.
    resting: operations that wait for a moment by themselves; they hold their ordering key, and take no
    place of another's.
    """
    blocked = set(busy_singles)
    awarded = set(busy_awards)
    open_batches: dict[int, list[Waiting]] = {}
    open_votes: dict[str, list[Waiting]] = {}
    choice = Choice()
    for item in queue:
        if item.ordering_key in blocked:
            continue
        if item.held:
            blocked.add(item.ordering_key)
        elif item.kind == AWARD:
            awarded.add(item.ordering_key)
            batch = open_batches.setdefault(item.brand, [])
            batch.append(item)
            if len(batch) == items_max:
                choice.batches.append(open_batches.pop(item.brand))
        elif item.kind == VOTE:
            if item.id not in resting:
                gathered = open_votes.setdefault(_lane(item), [])
                gathered.append(item)
                if len(gathered) == VOTES_MAX:
                    choice.votes.append(open_votes.pop(_lane(item)))
            blocked.add(item.ordering_key)
        else:
            if item.ordering_key not in awarded and len(choice.singles) < singles_max and item.id not in resting:
                choice.singles.append(item)
            blocked.add(item.ordering_key)
    if not only_full:
        choice.batches += [batch for batch in open_batches.values() if _due(batch, at_ms - delay_ms)]
    choice.votes += [gathered for gathered in open_votes.values() if _due(gathered, at_ms - delay_ms)]
    choice.batches = _in_turns(choice.batches)
    return choice


def _in_turns(batches: Sequence[list[Waiting]]) -> list[list[Waiting]]:
    """The first of each brand, then the second of each, in the order in which the brands came."""
    by_brand: dict[int, list[list[Waiting]]] = {}
    for batch in batches:
        by_brand.setdefault(batch[0].brand, []).append(batch)
    turns = chain.from_iterable(zip_longest(*by_brand.values()))
    return [batch for batch in turns if batch is not None]


def signer_of(ordering_key: str, signers: Sequence[str]) -> str:
    """The signer through which everything of an ordering key goes: nonces keep its order."""
    return signers[crc32(ordering_key.encode()) % len(signers)]


def shared_out(waiting: Iterable[Waiting], signers: Sequence[str], tills: Set[str]) -> dict[str, list[Waiting]]:
    """What each signer may look at: the tills' acts by tills, the rest by the others.

    Where the next of an ordering key goes through another signer it waits, and all behind it, until nothing of the key
    is before it any more; so too where no key of its kind is able.
    """
    issuing = [signer for signer in signers if signer not in tills]
    acting = [signer for signer in signers if signer in tills] if tills else issuing
    shared: dict[str, list[Waiting]] = {signer: [] for signer in signers}
    through: dict[str, str | None] = {}
    for item in waiting:
        pool = acting if item.kind in OF_TILLS else issuing
        signer = signer_of(_lane(item), pool) if pool else None
        through[item.ordering_key] = found = signer if through.get(item.ordering_key, signer) == signer else None
        if found is not None:
            shared[found].append(item)
    return shared


def _lane(item: Waiting) -> str:
    """What goes through one signer: an ordering key; of votes, all of a brand and a proposal."""
    return item.ordering_key.rpartition("/")[0] if item.kind == VOTE else item.ordering_key


def _due(batch: Sequence[Waiting], created_before_ms: int) -> bool:
    return batch[0].created_at_ms <= created_before_ms
