"""What a token's own contract says: whether there is one, of which standard, and what it thinks each address holds."""

from collections.abc import Sequence
from typing import Any, Final

from eth_abi import abi

from chain.base.errors import AnswerInconsistent, Reverted, RpcError
from chain.base.hashing import keccak_text
from chain.node import blocks
from chain.node.rpc import Rpc

BALANCE_OF: Final = "0x" + keccak_text("balanceOf(address)")[:4].hex()
TOTAL_SUPPLY: Final = "0x" + keccak_text("totalSupply()")[:4].hex()
# supportsInterface(0x80ac58cd): ERC-165's question for ERC-721.
IS_ERC721: Final = "0x" + (keccak_text("supportsInterface(bytes4)")[:4] + bytes.fromhex("80ac58cd") + bytes(28)).hex()
ONE_WORD: Final = 66


class Token:
    """Asks the contract at `address`, always at a block that is named."""

    def __init__(self, rpc: Rpc, address: str):
        self._rpc = rpc
        self._address = address

    def warnings(self, from_block: int, head_number: int) -> list[str]:
        """What whoever follows it from `from_block` on should know, in sentences."""
        head = hex(head_number)
        calls: list[tuple[str, list[Any]]] = [("eth_getCode", [self._address, head]), self._call(IS_ERC721, head)]
        if 0 < from_block <= head_number + 1:
            calls.append(("eth_getCode", [self._address, hex(from_block - 1)]))
        code, erc721, *before = self._rpc.try_batch(calls)
        found = []
        if code == "0x":
            found.append(f"At block {head_number} there is no contract at {self._address}: no rows will come of it.")
        if isinstance(erc721, str) and len(erc721) == ONE_WORD and erc721.endswith("1"):
            found.append(f"{self._address} says it is an ERC-721: only ERC-20's Transfer is counted, so nothing of it.")
        if before and isinstance(before[0], RpcError):
            found.append(
                f"The node keeps no state of block {from_block - 1}, so whether the token is older than --from-block "
                "is unknown. If it is, balances are sums since then, not what accounts hold."
            )
        elif before and before[0] != "0x":
            found.append(
                f"The token is older than block {from_block}: balances are sums since then, not what accounts hold, "
                "and may be below zero."
            )
        return found

    def balances(self, addresses: Sequence[str], block_number: int) -> list[int | None]:
        """What each address holds after a block, by balanceOf; None where the contract does not say.

        Raises RpcError where the node cannot tell: it keeps no state of that block, or has no such method.
        """
        tag = hex(block_number)
        answers = self._rpc.try_batch(
            [self._call(BALANCE_OF + abi.encode(["address"], [address]).hex(), tag) for address in addresses]
        )
        return [self._number(answer) for answer in answers]

    def total_supply(self, block_number: int) -> int | None:
        """After a block; None where the contract does not say."""
        (answer,) = self._rpc.try_batch([self._call(TOTAL_SUPPLY, hex(block_number))])
        return self._number(answer)

    def _call(self, data: str, tag: str) -> tuple[str, list[Any]]:
        return "eth_call", [{"to": self._address, "data": data}, tag]

    def _number(self, answer: Any) -> int | None:
        if isinstance(answer, Reverted) or answer == "0x":
            return None
        if isinstance(answer, RpcError):
            raise answer
        with blocks.believable("an answer of the token"):
            if len(answer) < ONE_WORD:
                raise AnswerInconsistent("The token answered with less than one word.")
            return int(answer[:ONE_WORD], 16)
