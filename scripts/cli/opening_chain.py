"""`moa opening commit` and `claim`: a brand's old points put on the chain, and their lines handed to the relayer."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from eth_account import Account
from eth_account.signers.local import LocalAccount
from eth_utils.address import to_checksum_address
from sqlalchemy import Engine

from chain.base.errors import ArgumentInvalid, ChainError
from chain.base.scalars import RegistryId, TxHash
from chain.contracts.deployment import Deployment
from chain.contracts.opening_file import OpeningFile
from chain.node.blocks import mined
from chain.node.rpc import Rpc
from chain.outbox import calls, operations
from chain.outbox.operations import NewOperation
from chain.storage.database import writing

CONTRACT: Final = "OpeningBalances"
# A commitment writes a root, a schedule and a few words: 208,000 gas.
COMMIT_GAS: Final = 600_000
CLAIMS_AT_ONCE: Final = 100


class CommitFailed(ChainError):
    """The chain was asked first and agreed, and the transaction failed all the same."""

    def __init__(self, tx_hash: str):
        super().__init__(f"The transaction {tx_hash} was mined and failed: look at it, and commit again.")


def connected(rpc_url: str, deployments: Path, chain_id: int) -> tuple[Rpc, Deployment]:
    """The node and the deployment on it, whose contracts' refusals are named."""
    deployment = Deployment.load(deployments, chain_id)
    return Rpc(rpc_url, decode_revert=deployment.codec.revert), deployment


def commit(
    rpc: Rpc,
    deployment: Deployment,
    file: OpeningFile,
    *,
    brand: int,
    owner: str,
    key: str,
    start: int,
    end: int,
    comparing: bool,
) -> dict[str, Any]:
    """Commits a file as the brand's owner: by a private key, or, where key is empty, by an account of the node's.

    Raises Reverted with the contract's own refusal before anything is sent.
    """
    signer: LocalAccount | None = Account.from_key(key) if key else None
    sender = signer.address.lower() if signer is not None else owner
    if not sender:
        raise ArgumentInvalid("Who commits? Give the owner's key in MOA_OWNER_KEY, or name the node's account.")
    terms = {
        "root": file.root,
        "lots": list(file.packed_schedule),
        "lines": len(file.lines),
        "start": start or int(time.time()),
        "end": end,
        "fileHash": file.file_hash,
    }
    data = "0x" + deployment.codec.calldata(CONTRACT, "commit", brand, terms, comparing).hex()
    asked = {"from": sender, "to": deployment.address(CONTRACT), "data": data, "gas": hex(COMMIT_GAS)}
    expected = deployment.codec.result(CONTRACT, "commit", rpc.call("eth_call", asked, "latest"))
    receipt = mined(rpc, _send(rpc, asked, signer, deployment.chain_id))
    if receipt["status"] != "0x1":
        raise CommitFailed(receipt["transactionHash"])
    logs = [deployment.codec.log(log, CONTRACT) for log in receipt["logs"]]
    opening = next((str(log.args["openingId"]) for log in logs if log is not None), str(expected))
    return {"brand": str(brand), "opening": opening, "transaction": receipt["transactionHash"], "root": file.root}


def claim(engine: Engine, rpc: Rpc, deployment: Deployment, file: OpeningFile, *, brand: int, opening: int) -> int:
    """Hands every line of an opening's file to the relayer, each once however often this is said; how many claims."""
    data = "0x" + deployment.codec.calldata(CONTRACT, "openingOf", brand, opening).hex()
    asked = {"to": deployment.address(CONTRACT), "data": data}
    found = deployment.codec.result(CONTRACT, "openingOf", rpc.call("eth_call", asked, "latest"))
    if found["root"] != file.root:
        raise ArgumentInvalid(f"The opening's root is {found['root']}; this file's is {file.root}.")
    made = list(claims(file, brand=RegistryId(brand), opening=opening, version=int(found["version"])))
    for first in range(0, len(made), CLAIMS_AT_ONCE):
        with writing(engine) as connection:
            operations.enqueue_many(connection, made[first : first + CLAIMS_AT_ONCE])
    return len(made)


def claims(file: OpeningFile, *, brand: RegistryId, opening: int, version: int) -> Iterator[NewOperation]:
    """The claims of all lines, a hundred each."""
    for first in range(0, len(file.lines), calls.PROGRAMME_BATCH_MAX):
        lines = file.lines[first : first + calls.PROGRAMME_BATCH_MAX]
        proof, flags = file.multiproof([line.index for line in lines])
        yield calls.claim(
            key=f"opening/{brand}/{opening}/{version}/{first}",
            brand=brand,
            opening_id=opening,
            lines=[
                {"index": line.index, "member": line.member, "lots": [str(word) for word in line.lots]}
                for line in lines
            ],
            proof=proof,
            flags=flags,
        )


def _send(rpc: Rpc, asked: dict[str, str], signer: LocalAccount | None, chain_id: int) -> TxHash:
    if signer is None:
        return TxHash(rpc.call("eth_sendTransaction", asked))
    fields: dict[str, Any] = {
        "nonce": int(rpc.call("eth_getTransactionCount", signer.address, "pending"), 16),
        "to": to_checksum_address(asked["to"]),
        "data": asked["data"],
        "gas": COMMIT_GAS,
        "gasPrice": int(rpc.call("eth_gasPrice"), 16),
        "chainId": chain_id,
        "value": 0,
    }
    return TxHash(rpc.call("eth_sendRawTransaction", "0x" + signer.sign_transaction(fields).raw_transaction.hex()))
