"""What a node's refusal to take a transaction means: that it will never take it, or perhaps later.

Sources: core/txpool/errors.go and core/error.go of geth, crates/anvil/src/eth/error.rs of Anvil,
TransactionInvalidReason of Besu, Ganache 7.9.2 itself.
"""

from typing import Final

from chain.base.errors import RpcError

# The block holds less gas than the transaction asks for: smaller batches may pass.
GAS_TEXTS: Final = (
    "exceeds block gas limit",
    "exceeds the block gas limit",
    "exceeds_block_gas_limit",
    "block gas limit exceeded",
    "gas limit exceeded",
    "gaslimitexceeded",
    "gas limit too high",
    "gas limit is too high",
    "intrinsic gas too high",
    "exceeds allowance",
)
# Nothing that waiting could help.
NEVER_TEXTS: Final = (
    "intrinsic gas too low",
    "oversized data",
    "transaction size",
    "data too large",
    "transaction type not supported",
    "max initcode size exceeded",
)


def needs_less_gas(error: RpcError) -> bool:
    """Whether the transaction asks for more gas than a block holds."""
    text = error.message.lower()
    return any(words in text for words in GAS_TEXTS)


def is_final(error: RpcError) -> bool:
    """Whether the node will never take this transaction, however long one waits."""
    text = error.message.lower()
    return needs_less_gas(error) or any(words in text for words in NEVER_TEXTS)
