"""A scripted brand whose points end: awards and transfers of lots, blocks whose times jump, and what is true of each
block, told without the code under test.

Lots are packed as SPEC 1.4 to 1.8 and the token's README say; an expired lot stays in its word
until another takes it or an award is minted into the word.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from copy import deepcopy
from itertools import pairwise
from typing import Any, Final

from tests.support.scripted_node.blocks import Block, Log
from tests.support.scripted_node.brands import BRAND_ID, Brand
from tests.support.scripted_node.chain import Change, Content
from tests.support.scripted_node.node import ScriptedNode
from tests.support.scripted_node.tokens import mint, transfer

EPOCH_S: Final = 3_600
# {account: {word's place: (tag, {slot: points})}}
Words = dict[str, dict[int, tuple[int, dict[int, int]]]]
SLOTS, RING, SLOT_BITS, TAG_SHIFT = 5, 4, 48, 240


class ExpiringBrand(Brand):
    """A brand of points that live for `lifetime` whole epochs of an hour."""

    def __init__(self, node: ScriptedNode, *, lifetime: int = 1, seed: int | None = None, members: int = 6):
        self.lifetime = lifetime
        super().__init__(node, seed=seed, members=members)
        self.origin = node.chain.blocks[0].timestamp
        self.desk = self.addresses["RedemptionDesk"]
        self._after: dict[str, Words] = {node.chain.head.hash: {}}
        self._holds = 0

    @property
    def terms(self) -> tuple[Any, ...]:
        return ("Scripted points", "SCR", BRAND_ID, EPOCH_S, self.lifetime, 0, 0)

    # What is true

    def clock(self, at: int) -> int:
        return max(0, at - self.origin) // EPOCH_S

    def expires_at(self, expiry: int) -> int:
        return self.origin + expiry * EPOCH_S

    def lots(self, account: str, block: Block) -> dict[int, int]:
        """Points by expiry epoch that lie in the account's words after the block, expired or not."""
        words = self._after[block.hash].get(account, {})
        return {SLOTS * tag + slot: points for tag, slots in words.values() for slot, points in slots.items() if points}

    def live(self, account: str, block: Block) -> int:
        """What balanceOf answers in the block."""
        now = self.clock(block.timestamp)
        return sum(points for expiry, points in self.lots(account, block).items() if expiry > now)

    def ended(self) -> Iterator[tuple[int, int, str, int, int]]:
        """(block number, expiry epoch, account, points, sign) of each end, or life again, on the present chain."""
        for parent, block in pairwise(self.chain.blocks[1:]):
            for account in self.accounts:
                for expiry, points in sorted(self.lots(account, parent).items()):
                    was, now = (at.timestamp < self.expires_at(expiry) for at in (parent, block))
                    if was != now:
                        yield block.number, expiry, account, points, -1 if was else 1

    # What happens

    def pass_to(self, at: int, *, count: int = 2) -> Block:
        """A block of that second, with so many awards and transfers."""
        words = deepcopy(self._after[self.chain.head.hash])
        content = [self.chain.transaction(self._lots_act(words, at)) for _ in range(count)]
        (block,) = self.chain.mine(content, time=at)
        self._after[block.hash] = words
        return block

    def give(self, at: int, members: Mapping[str, int]) -> Block:
        """A block of that second with one award to each of these members."""
        words = deepcopy(self._after[self.chain.head.hash])
        awards = [self._awarded_lots(words, at, member, points) for member, points in members.items()]
        content = [self.chain.transaction(award) for award in awards]
        (block,) = self.chain.mine(content, time=at)
        self._after[block.hash] = words
        return block

    def wander(self, steps: int) -> None:
        """Blocks whose times go on by seconds, to the very second of an end, or past several ends at once."""
        for _ in range(steps):
            now = self.chain.head.timestamp
            edge = self.expires_at(self.clock(now) + 1)
            at = self.random.choice((now + 2, now + 2, now + 600, edge - 1, edge, edge + 1, edge + 3 * EPOCH_S))
            self.pass_to(max(at, now + 1), count=self.random.choice((0, 0, 1, 3)))

    def take_back(self, depth: int) -> Change:
        """The head goes back; what follows is mined upon it."""
        return self.chain.rewind(depth)

    def hold(self, at: int, member: str, points: int, until: int) -> str:
        """A block with a hold of these points. The hold's id."""
        self._holds += 1
        hold_id = "0x" + f"{self._holds:064x}"
        words = deepcopy(self._after[self.chain.head.hash])
        logs = list(self._moved(words, at, member, self.desk, points))
        logs.append(
            self._event(
                "RedemptionDesk", "HoldPlaced", holdId=bytes.fromhex(hold_id[2:]), brandId=BRAND_ID, member=member,
                points=points, rewardId=bytes(32), holdUntil=until, nonce=self._holds, lots=[0, 0, 0, 0],
            )
        )  # fmt: skip
        (block,) = self.chain.mine([self.chain.transaction(logs)], time=at)
        self._after[block.hash] = words
        return hold_id

    def end_hold(self, at: int, member: str, hold_id: str, points: int, *, timed_out: bool) -> Block:
        """A block in which somebody releases the hold, whose lots still live."""
        words = deepcopy(self._after[self.chain.head.hash])
        logs = list(self._moved(words, at, self.desk, member, points))
        logs.append(
            self._event(
                "RedemptionDesk", "HoldReleased", holdId=bytes.fromhex(hold_id[2:]), brandId=BRAND_ID, member=member,
                timedOut=timed_out, returned=points, renewed=0, lapsed=0,
            )
        )  # fmt: skip
        (block,) = self.chain.mine([self.chain.transaction(logs)], time=at)
        self._after[block.hash] = words
        return block

    def _content(self, balances: dict[str, int], count: int) -> Content:
        raise NotImplementedError("a brand whose points end mines by pass_to, wander and give")

    def _lots_act(self, words: Words, at: int) -> list[Log]:
        giver, taker = self.random.sample(self.accounts, 2)
        now = self.clock(at)
        has = sum(
            points
            for tag, slots in words.get(giver, {}).values()
            for slot, points in slots.items()
            if SLOTS * tag + slot > now
        )
        if not has or self.random.random() < 0.5:
            return self._awarded_lots(words, at, taker, self.random.randint(1, 5_000))
        return list(self._moved(words, at, giver, taker, self.random.choice((has, self.random.randint(1, has)))))

    def _awarded_lots(self, words: Words, at: int, member: str, points: int) -> list[Log]:
        self._operation_id += 1
        expiry = self.clock(at) + 1 + self.lifetime
        # A mint into a named lot leaves what has expired of its word behind.
        tag, slots = words.get(member, {}).get(expiry // SLOTS % RING, (None, {}))
        for slot in [each for each in slots if tag == expiry // SLOTS and SLOTS * tag + each <= self.clock(at)]:
            del slots[slot]
        self._put(words, member, {expiry: points})
        return [
            self._awarded(self._operation_id, member, points),
            self._named(expiry, 1),
            mint(self.token, member, points),
        ]

    def _moved(self, words: Words, at: int, giver: str, taker: str, points: int) -> Iterator[Log]:
        now, left, taken = self.clock(at), points, dict[int, int]()
        lots = sorted(
            (SLOTS * tag + slot, has)
            for tag, slots in words.get(giver, {}).values()
            for slot, has in slots.items()
            if has and SLOTS * tag + slot > now
        )
        for expiry, has in lots:
            if left:
                taken[expiry] = min(has, left)
                left -= taken[expiry]
        assert not left, "nobody gives what does not live"
        yield transfer(self.token, giver, taker, points)
        yield self._lots_changed(giver, self._put(words, giver, {expiry: -moved for expiry, moved in taken.items()}))
        yield self._lots_changed(taker, self._put(words, taker, taken))

    def _put(self, words: Words, account: str, changes: Mapping[int, int]) -> list[int]:
        """Adds to lots; the words as the event shows them."""
        mine = words.setdefault(account, {})
        touched = set()
        for expiry, points in changes.items():
            tag, slot = divmod(expiry, SLOTS)
            place = tag % RING
            if place not in mine or mine[place][0] != tag:
                mine[place] = (tag, {})
            slots = mine[place][1]
            slots[slot] = slots.get(slot, 0) + points
            assert slots[slot] >= 0, "a lot is not negative"
            touched.add(place)
        return [
            (mine[place][0] << TAG_SHIFT) + sum(points << (SLOT_BITS * slot) for slot, points in mine[place][1].items())
            for place in sorted(touched)
        ]

    def _lots_changed(self, account: str, shown: list[int]) -> Log:
        return self._event("LoyaltyToken", "LotsChanged", self.token, account=account, words=shown)
