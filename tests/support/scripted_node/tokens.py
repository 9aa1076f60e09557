"""Logs of plain tokens, and traffic between accounts that no token would refuse."""

import random
from collections.abc import Sequence
from typing import Any, Final

from eth_abi import abi

from tests.support.scripted_node.blocks import ZERO_ADDRESS, Block, Log
from tests.support.scripted_node.chain import Chain, Change, Content
from tests.support.scripted_node.hashing import keccak, topic_of
from tests.support.scripted_node.truth import TRANSFER, truth

WORD_MAX: Final = (1 << 256) - 1
MINT_SHARE: Final = 0.3
BURN_SHARE: Final = 0.05
MINT_MAX: Final = 10**24
REPLACEMENTS: Final = ("others", "none", "moved")


def address_of(name: str) -> str:
    """An address that a name stands for: `address_of("token")`."""
    return "0x" + keccak(name.encode())[12:].hex()


def word(value: int) -> str:
    """A number as one word of data, without 0x."""
    return f"{value:064x}"


def address_topic(address: str) -> str:
    """An address as a topic."""
    return "0x" + "00" * 12 + address[2:]


def transfer(token: str, sender: str, recipient: str, amount: int) -> Log:
    """An ERC-20 Transfer."""
    return Log(token, (TRANSFER, address_topic(sender), address_topic(recipient)), "0x" + word(amount))


def mint(token: str, recipient: str, amount: int) -> Log:
    """A Transfer out of nothing."""
    return transfer(token, ZERO_ADDRESS, recipient, amount)


def burn(token: str, sender: str, amount: int) -> Log:
    """A Transfer into nothing."""
    return transfer(token, sender, ZERO_ADDRESS, amount)


def event(address: str, signature: str, indexed: Sequence[Any] = (), plain: Sequence[Any] = ()) -> Log:
    """Any event of flat types: event(a, "Said(address,uint256)", [who], [5]). The first ones are the indexed ones."""
    types = [kind for kind in signature[signature.index("(") + 1 : -1].split(",") if kind]
    split = len(indexed)
    topics = ["0x" + abi.encode([kind], [value]).hex() for kind, value in zip(types[:split], indexed, strict=True)]
    return Log(address, (topic_of(signature), *topics), "0x" + abi.encode(types[split:], list(plain)).hex())


class Traffic:
    """Mints, transfers and burns of one token; an account never gives what it has not. Seeded."""

    def __init__(self, chain: Chain, token: str, *, seed: int | None = None, accounts: int = 50):
        self.chain = chain
        self.token = token
        self.random = random.Random(chain.seed if seed is None else seed)
        self.accounts = [address_of(f"{token} account {index}") for index in range(accounts)]
        self._known: tuple[str, dict[str, int]] = ("", {})

    def mine(self, blocks: int, transfers: int, *, per_transaction: int = 1) -> list[Block]:
        """That many blocks with that many transfers each."""
        mined = []
        for _ in range(blocks):
            balances = self._balances()
            content = self._content(balances, transfers)
            mined += self.chain.mine(content, per_transaction=per_transaction)
            self._known = (self.chain.head.hash, balances)
        return mined

    def reorg(
        self, depth: int, replacement: str = "others", *, blocks: int | None = None, transfers: int = 3
    ) -> Change:
        """Takes `depth` blocks back and puts others, none, or the same transactions moved to the last block instead.

        The new branch has `blocks` blocks, by default one more than the old one.
        """
        count = depth + 1 if blocks is None else blocks
        if replacement == "moved":
            return self.chain.reorg_moving(depth, blocks=count)
        if replacement == "none":
            return self.chain.reorg(depth, *([()] * count))
        assert replacement == "others", f"a replacement is one of {REPLACEMENTS}"
        balances = dict(truth(self.chain, self.token, at=self.chain.head.number - depth).balances(self.token))
        change = self.chain.reorg(depth, *[self._content(balances, transfers) for _ in range(count)])
        self._known = (self.chain.head.hash, balances)
        return change

    def _balances(self) -> dict[str, int]:
        head, balances = self._known
        if head != self.chain.head.hash:
            balances = dict(truth(self.chain, self.token).balances(self.token))
        return balances

    def _content(self, balances: dict[str, int], count: int) -> Content:
        """What one block holds; `balances` follows."""
        return [self._log(balances) for _ in range(count)]

    def _log(self, balances: dict[str, int]) -> Log:
        giver, taker = self.random.choice(self.accounts), self.random.choice(self.accounts)
        has, dice = balances.get(giver, 0), self.random.random()
        if not has or dice < MINT_SHARE:
            amount = self.random.randrange(MINT_MAX)
            balances[taker] = balances.get(taker, 0) + amount
            return mint(self.token, taker, amount)
        amount = has if self.random.random() < BURN_SHARE else self.random.randrange(has + 1)
        balances[giver] = has - amount
        if dice < MINT_SHARE + BURN_SHARE:
            return burn(self.token, giver, amount)
        balances[taker] = balances.get(taker, 0) + amount
        return transfer(self.token, giver, taker, amount)
