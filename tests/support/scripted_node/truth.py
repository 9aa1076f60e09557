"""What any ERC-20 indexer must hold of a scripted chain: every Transfer, and the balances that follow. A plain fold."""

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from tests.support.scripted_node.blocks import ZERO_ADDRESS, Log
from tests.support.scripted_node.chain import Chain
from tests.support.scripted_node.hashing import topic_of

TRANSFER: Final = topic_of("Transfer(address,address,uint256)")


class Transfer(NamedTuple):
    """One row, in the order and the form of the table `erc20_transfers`: the amount is decimal text."""

    block_number: int
    block_hash: str
    tx_hash: str
    log_index: int
    sender: str
    recipient: str
    amount: str


@dataclass(slots=True)
class Truth:
    """Of some tokens as of one block. Balances without zeros and without the zero address; supply is minted - burnt."""

    block_number: int
    block_hash: str
    transfers: list[Transfer] = field(default_factory=list)
    tokens: dict[str, dict[str, int]] = field(default_factory=dict)
    supplies: dict[str, int] = field(default_factory=dict)

    def balances(self, token: str) -> dict[str, int]:
        """What each account holds of a token."""
        return self.tokens.get(token, {})

    def balance_rows(self, token: str) -> dict[str, str]:
        """As the table `erc20_balances` shows them: decimal text by address."""
        return {account: str(amount) for account, amount in self.balances(token).items()}


def truth(chain: Chain, *tokens: str, at: int | None = None) -> Truth:
    """The truth of these tokens (of all, when none is named) as of block `at`, or of the head."""
    with chain.lock:
        last = chain.head.number if at is None else at
        block = chain.blocks[last]
        found = Truth(last, block.hash)
        sums: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
        for token, transfer in _transfers(chain, frozenset(tokens), last):
            found.transfers.append(transfer)
            amount = int(transfer.amount)
            sums[token][transfer.sender] -= amount
            sums[token][transfer.recipient] += amount
    for token, accounts in sums.items():
        found.supplies[token] = -accounts.pop(ZERO_ADDRESS, 0)
        found.tokens[token] = {account: amount for account, amount in sorted(accounts.items()) if amount}
    return found


def _transfers(chain: Chain, tokens: Collection[str], last: int) -> Iterator[tuple[str, Transfer]]:
    for block in chain.blocks[: last + 1]:
        for found in block.logs:
            log = found.log
            if is_transfer(log) and (not tokens or log.address in tokens):
                sender, recipient = ("0x" + topic[26:] for topic in log.topics[1:])
                amount = str(int(log.data, 16))
                yield (
                    log.address,
                    Transfer(block.number, block.hash, found.tx_hash, found.log_index, sender, recipient, amount),
                )


def is_transfer(log: Log) -> bool:
    """An ERC-20 Transfer; an ERC-721 one has a fourth topic and no data."""
    return len(log.topics) == 3 and log.topics[0] == TRANSFER and len(log.data) == 66


def difference(expected: Mapping[str, str], found: Mapping[str, str]) -> dict[str, tuple[str | None, str | None]]:
    """Where two tables of balances differ: {address: (expected, found)}."""
    return {
        account: (expected.get(account), found.get(account))
        for account in sorted(expected.keys() | found.keys())
        if expected.get(account) != found.get(account)
    }
