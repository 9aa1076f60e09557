"""What the demo leaves for a stranger: one member's bundle, which `moa verify` accepts with nothing but its bytes."""

from __future__ import annotations

import time
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import httpx

from chain.evidence.verify import Verdict, verify
from chain.node.rpc import Rpc
from scripts.demo.replay import ReplayError
from scripts.stack.gateway import Gateway
from scripts.stack.local_stack import LocalStack

TIMEOUT_S = 60.0


@dataclass(frozen=True)
class Left:
    """A bundle on disk, the block to pin, and what the verifier says of it."""

    path: Path
    pin: str
    verdict: Verdict

    @property
    def right(self) -> bool:
        return self.verdict.verdict == "proven"


def leave(system: LocalStack, identifier: str) -> Left:
    """Asks the gateway as the member would, keeps the bytes, and checks them against the node's own block hash."""
    with Gateway(system.url, system.brand_keys["cdnow"]) as shop:
        member = shop.get("/v1/members", identifier=identifier)
    with Gateway(system.url, system.operator_key) as operator:
        session = operator.post(f"/v1/members/{member['id']}/sessions", {}, key=f"evidence-{time.time_ns()}")
    with closing(Rpc(system.rpc_url)) as rpc:
        head = rpc.call("eth_getBlockByNumber", "latest", False)
    answer = httpx.get(
        f"{system.url}/v1/me/evidence",
        params={"block": int(head["number"], 16)},
        headers={"Authorization": f"Bearer {session['token']}"},
        timeout=TIMEOUT_S,
    )
    if answer.status_code != httpx.codes.OK:
        raise ReplayError(f"The gateway gave no evidence: {answer.text[:500]}")
    path = system.plan.state / "evidence" / f"{identifier}.json"
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(answer.content)
    registry = system.deployment.address("PartnerRegistry").lower()
    return Left(path, str(head["hash"]), verify(answer.content, pin=str(head["hash"]), registry=registry))
