"""`moa opening commit` and `claim`: a brand's old points put on the chain, and their lines handed to the relayer."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Engine

from chain.base.errors import ArgumentInvalid
from chain.base.scalars import RegistryId
from chain.contracts.deployment import Deployment
from chain.contracts.opening_file import OpeningFile
from chain.node.rpc import Rpc
from chain.outbox import calls, operations
from chain.outbox.operations import NewOperation
from chain.storage.database import writing
from scripts.cli.owner_calls import made

CONTRACT: Final = "OpeningBalances"
# A commitment writes a root, a schedule and a few words: 208,000 gas.
COMMIT_GAS: Final = 600_000
CLAIMS_AT_ONCE: Final = 100


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
    terms = {
        "root": file.root,
        "lots": list(file.packed_schedule),
        "lines": len(file.lines),
        "start": start or int(time.time()),
        "end": end,
        "fileHash": file.file_hash,
    }
    done = made(rpc, deployment, CONTRACT, "commit", (brand, terms, comparing), owner=owner, key=key, gas=COMMIT_GAS)
    opening = next((str(log.args["openingId"]) for log in done.logs), str(done.expected))
    return {"brand": str(brand), "opening": opening, "transaction": done.transaction, "root": file.root}


def claim(engine: Engine, rpc: Rpc, deployment: Deployment, file: OpeningFile, *, brand: int, opening: int) -> int:
    """Hands every line of an opening's file to the relayer, each once however often this is said; how many claims."""
    data = "0x" + deployment.codec.calldata(CONTRACT, "openingOf", brand, opening).hex()
    asked = {"to": deployment.address(CONTRACT), "data": data}
    found = deployment.codec.result(CONTRACT, "openingOf", rpc.call("eth_call", asked, "latest"))
    if found["root"] != file.root:
        raise ArgumentInvalid(f"The opening's root is {found['root']}; this file's is {file.root}.")
    found_claims = list(claims(file, brand=RegistryId(brand), opening=opening, version=int(found["version"])))
    for first in range(0, len(found_claims), CLAIMS_AT_ONCE):
        with writing(engine) as connection:
            operations.enqueue_many(connection, found_claims[first : first + CLAIMS_AT_ONCE])
    return len(found_claims)


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
