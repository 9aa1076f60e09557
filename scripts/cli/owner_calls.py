"""Calls that only a brand's owner may make: signed by a private key here, or by an account that the node has."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from eth_account import Account
from eth_account.signers.local import LocalAccount
from eth_utils.address import to_checksum_address

from chain.base.errors import ArgumentInvalid, ChainError
from chain.base.scalars import TxHash
from chain.contracts.codec import EventLog
from chain.contracts.deployment import Deployment
from chain.node.blocks import mined
from chain.node.rpc import Rpc


class CallFailed(ChainError):
    """The chain was asked first and agreed, and the transaction failed all the same."""

    def __init__(self, tx_hash: str):
        super().__init__(f"The transaction {tx_hash} was mined and failed: look at it, and ask again.")


@dataclass(frozen=True, slots=True)
class Made:
    """What a call did: what it was expected to give, its transaction, and the events of its contract."""

    expected: Any
    transaction: str
    logs: tuple[EventLog, ...]


def made(
    rpc: Rpc,
    deployment: Deployment,
    contract: str,
    function: str,
    values: Sequence[Any],
    *,
    owner: str,
    key: str,
    gas: int,
) -> Made:
    """Makes the call as the owner: by a private key, or, where key is empty, by an account of the node's.

    Raises Reverted with the contract's own refusal before anything is sent, CallFailed after it.
    """
    signer: LocalAccount | None = Account.from_key(key) if key else None
    sender = signer.address.lower() if signer is not None else owner
    if not sender:
        raise ArgumentInvalid("Who calls? Give the owner's key in MOA_OWNER_KEY, or name the node's account.")
    data = "0x" + deployment.codec.calldata(contract, function, *values).hex()
    asked = {"from": sender, "to": deployment.address(contract), "data": data, "gas": hex(gas)}
    expected = deployment.codec.result(contract, function, rpc.call("eth_call", asked, "latest"))
    receipt = mined(rpc, _send(rpc, asked, signer, deployment.chain_id, gas))
    if receipt["status"] != "0x1":
        raise CallFailed(receipt["transactionHash"])
    logs = (deployment.codec.log(log, contract) for log in receipt["logs"])
    return Made(expected, receipt["transactionHash"], tuple(log for log in logs if log is not None))


def _send(rpc: Rpc, asked: dict[str, str], signer: LocalAccount | None, chain_id: int, gas: int) -> TxHash:
    if signer is None:
        return TxHash(rpc.call("eth_sendTransaction", asked))
    fields: dict[str, Any] = {
        "nonce": int(rpc.call("eth_getTransactionCount", signer.address, "pending"), 16),
        "to": to_checksum_address(asked["to"]),
        "data": asked["data"],
        "gas": gas,
        "gasPrice": int(rpc.call("eth_gasPrice"), 16),
        "chainId": chain_id,
        "value": 0,
    }
    return TxHash(rpc.call("eth_sendRawTransaction", "0x" + signer.sign_transaction(fields).raw_transaction.hex()))
