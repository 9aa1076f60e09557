"""What time will do, shown on a copy of the chain: a hold times out, a period is netted and settled, goods come back
too late, lots expire.

The demo's own chain is left alone, so that its clock stays true and it may be run again. Everything told here is read
from the copy's contracts and events, nothing from the gateway; only an award's own words, which a return must bring,
are the mirror's, and the contract holds them against its root.
"""

from __future__ import annotations

import shutil
import tempfile
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chain.base.errors import Reverted
from chain.base.scalars import RegistryId
from chain.contracts import authorisation
from chain.contracts.codec import EventLog
from chain.devnet.supervisor import Ganache
from chain.mirror.queries.award_proofs import award_proof
from chain.node.blocks import mined
from chain.node.rpc import Rpc
from chain.storage.database import engine, reading
from chain.storage.keystore import LocalKeystore
from chain.storage.looks import looking
from scripts.console.printed import points
from scripts.stack.local_stack import LocalStack

DAY_S = 86_400
HOLD_POINTS = 100
GAS = 3_000_000
RANGE_BLOCKS = 500
MINED_TIMEOUT_S = 20.0
OPERATOR, OWNER, STRANGER = 0, 1, 9  # the node's own accounts; OWNER of cdnow, and its till
# Of no operation of the demo.
RETURN_ID = 2**200


@dataclass(frozen=True)
class Step:
    """One thing that was shown: what, how it went, and whether it is as the rules say."""

    what: str
    outcome: str
    right: bool


@dataclass
class Copy:
    """A node on the copied state, and what is needed to act on it."""

    stack: LocalStack
    rpc: Rpc
    accounts: list[str]

    def call(self, contract: str, function: str, *values: Any, at: str | None = None) -> Any:
        """A view of the copy, at its newest block."""
        deployment = self.stack.deployment
        data = "0x" + deployment.codec.calldata(contract, function, *values).hex()
        answer = self.rpc.call("eth_call", {"to": at or deployment.address(contract), "data": data}, "latest")
        return deployment.codec.result(contract, function, answer)

    def send(self, account: int, contract: str, function: str, *values: Any) -> list[EventLog]:
        """A transaction of one of the node's accounts; its decoded logs. Raises AssertionError when it reverts."""
        deployment = self.stack.deployment
        call = {
            "from": self.accounts[account],
            "to": deployment.address(contract),
            "data": "0x" + deployment.codec.calldata(contract, function, *values).hex(),
            "gas": hex(GAS),
        }
        receipt = mined(self.rpc, self.rpc.call("eth_sendTransaction", call), timeout_s=MINED_TIMEOUT_S)
        assert receipt["status"] == "0x1", f"{contract}.{function} reverted on the copy"
        found = (deployment.codec.log(raw, contract) for raw in receipt["logs"])
        return [log for log in found if log is not None]

    def now(self) -> int:
        """Time of the newest block."""
        return int(self.rpc.call("eth_getBlockByNumber", "latest", False)["timestamp"], 16)

    def travel(self, to: int) -> None:
        """Mines a block at this second; later blocks follow from there."""
        self.rpc.call("evm_setTime", hex(to * 1000))
        self.rpc.call("evm_mine", hex(to))
        assert self.now() == to, "the copy's clock did not move as told"

    def logs(self, contract: str) -> list[EventLog]:
        """Every event of a contract since the deployment."""
        deployment = self.stack.deployment
        head = int(self.rpc.call("eth_blockNumber"), 16)
        found: list[EventLog] = []
        for first in range(deployment.start_block, head + 1, RANGE_BLOCKS):
            last = min(head, first + RANGE_BLOCKS - 1)
            wanted = {"address": deployment.address(contract), "fromBlock": hex(first), "toBlock": hex(last)}
            decoded = (deployment.codec.log(raw, contract) for raw in self.rpc.call("eth_getLogs", wanted))
            found += [log for log in decoded if log is not None]
        return found


@contextmanager
def copied(stack: LocalStack) -> Iterator[Copy]:
    """A second node on a copy of the demo's chain; gone at the end."""
    with tempfile.TemporaryDirectory(prefix="moa-copy-") as folder:
        state = Path(folder) / "chain"
        shutil.copytree(stack.plan.state / "chain", state)
        with Ganache(state, chain_id=stack.deployment.chain_id) as node:
            rpc = Rpc(node.url, timeout_s=60.0, decode_revert=stack.deployment.codec.revert)
            try:
                yield Copy(stack, rpc, list(rpc.call("eth_accounts")))
            finally:
                rpc.close()


def show(stack: LocalStack, member_id: str) -> list[Step]:
    """Everything in turn. member_id: a member with free points of cdnow."""
    with copied(stack) as copy:
        steps = [_hold_times_out(copy, member_id), *_netting(copy)]
        back, until = _newest_award(copy)
        return [*steps, _window(copy, back, until), *_expiry(copy), _too_late(copy, back)]


def _hold_times_out(copy: Copy, member_id: str) -> Step:
    """SPEC 3: after a hold's last second anyone may release it, and the same lots come back."""
    stack = copy.stack
    keystore = LocalKeystore.open(
        stack.plan.state / "keystore.json", (stack.plan.state / "keystore.password").read_text()
    )
    ref = f"member/{member_id}"
    member, brand = keystore.address_of(ref).lower(), stack.brands["cdnow"]
    until = copy.now() + DAY_S
    nonce = authorisation.fresh_nonce()
    request: dict[str, Any] = {
        "member": member,
        "brandId": brand.id,
        "points": HOLD_POINTS,
        "rewardId": "0x" + "00" * 32,
        "holdUntil": until,
        "nonce": nonce,
        "deadline": until,
    }
    desk = stack.deployment.address("RedemptionDesk")
    domain = authorisation.Domains(copy.rpc, stack.deployment.codec).of("RedemptionDesk", desk)
    signature = "0x" + keystore.sign(ref, authorisation.digest(domain, "Hold", request)).hex()

    lots = copy.call("LoyaltyToken", "lotsOf", member, at=brand.token)
    copy.send(STRANGER, "RedemptionDesk", "hold", request, signature)
    held = copy.call("RedemptionDesk", "heldOf", brand.id, member)
    copy.travel(until + 1)
    hold_id = authorisation.record_id(member, nonce)
    released = [log for log in copy.send(STRANGER, "RedemptionDesk", "release", hold_id) if log.name == "HoldReleased"]
    back = copy.call("LoyaltyToken", "lotsOf", member, at=brand.token) == lots
    right = int(held) == HOLD_POINTS and len(released) == 1 and bool(released[0].args["timedOut"]) and back
    return Step("a hold is left alone for a day", "a stranger released it; the same lots came back", right)


def _netting(copy: Copy) -> Iterator[Step]:
    """SPEC 5: a statement rebuilt from events alone, beside what the contract netted and paid."""
    slugs = {brand.id: slug for slug, brand in copy.stack.brands.items()}
    ids = sorted(slugs)
    period = int(copy.call("ClearingHouse", "nextPeriod"))
    rebuilt = statement(copy.logs("ClearingHouse"), ids)
    before = {brand: copy.call("ClearingHouse", "accountOf", brand)["collateral"] for brand in ids}

    netted = next(log for log in copy.send(OPERATOR, "ClearingHouse", "net", period, ids) if log.name == "PeriodNetted")
    positions = [int(position) for position in netted.args["positions"]]
    yield Step(
        "the month is netted",
        " · ".join(f"{slugs[brand]} {_money(p)}" for brand, p in rebuilt.items()) + " (rebuilt from events alone)",
        positions == list(rebuilt.values()) and sum(positions) == 0 and any(positions),
    )
    copy.send(STRANGER, "ClearingHouse", "settle", period, ids, positions)
    after = {brand: copy.call("ClearingHouse", "accountOf", brand)["collateral"] for brand in ids}
    paid = [int(after[brand]) - int(before[brand]) for brand in ids]
    yield Step("the month is settled", "each position moved from collateral to collateral", paid == positions)


def _money(units: int) -> str:
    """Settlement units (18 decimals) to the hundredth, towards zero, with its sign."""
    return ("+" if units >= 0 else "-") + points(abs(units) // 10**16)


def statement(events: list[EventLog], brands: list[RegistryId]) -> dict[RegistryId, int]:
    """Net position of each brand since the last netting, in settlement units; positive: receives. From events alone."""
    owed: dict[tuple[RegistryId, RegistryId], int] = defaultdict(int)
    for event in events:
        match event.name:
            case "ObligationBooked":
                owed[_pair(event)] += int(event.args["amount"])
            case "ObligationReduced":
                owed[_pair(event)] -= int(event.args["amount"])
            case "PeriodNetted":
                among = {int(brand) for brand in event.args["brandIds"]}
                for pair in [pair for pair in owed if set(pair) <= among]:
                    del owed[pair]
            case _:
                pass
    positions = dict.fromkeys(brands, 0)
    for (debtor, creditor), amount in owed.items():
        positions[debtor] -= amount
        positions[creditor] += amount
    return positions


def _pair(event: EventLog) -> tuple[RegistryId, RegistryId]:
    return RegistryId(int(event.args["debtorId"])), RegistryId(int(event.args["creditorId"]))


def _newest_award(copy: Copy) -> tuple[str, int]:
    """A return of all goods of cdnow's newest award of which none came back, and the last second at which it may."""
    stack, brand = copy.stack, copy.stack.brands["cdnow"]
    events = [log for log in copy.logs("RewardRules") if log.args.get("brandId") == str(brand.id)]
    returned = {log.args["operationId"] for log in events if log.name == "Returned"}
    award = [log for log in events if log.name == "Awarded" and log.args["points"] != "0"][-1]
    assert award.args["operationId"] not in returned, "the newest award is nobody's return"
    tables = engine(stack.database_url)
    try:
        with reading(tables) as connection:
            found = award_proof(
                looking(connection),
                brand=brand.id,
                award=award.args["operationId"],
                place=(award.block_number, award.log_index, award.block_hash),
                tx_hash=award.tx_hash,
            )
    finally:
        tables.dispose()
    assert found is not None, "cdnow's rule takes returns"
    values = (brand.id, RETURN_ID, award.args["baseAmount"], list(found.words), found.proof)
    data = stack.deployment.codec.calldata("RewardRules", "takeReturn", *values)
    awarded_at, window = found.words[1] >> 24 & 2**40 - 1, found.words[2] >> 200 & 2**32 - 1
    return "0x" + data.hex(), awarded_at + window


def _refusal(copy: Copy, data: str) -> str:
    """Why the copy refuses a return that the brand's own till asks for now; "" when it takes it."""
    to = copy.stack.deployment.address("RewardRules")
    try:
        copy.rpc.call("eth_call", {"from": copy.accounts[OWNER], "to": to, "data": data, "gas": hex(GAS)}, "latest")
    except Reverted as reverted:
        return reverted.error
    return ""


def _window(copy: Copy, back: str, until: int) -> Step:
    """SPEC 2.22: goods come back until the last second of the window, and not a second later."""
    copy.travel(until)
    in_time = _refusal(copy, back)
    copy.travel(until + 1)
    late = _refusal(copy, back)
    return Step(
        "goods of an award come back for 30 days",
        f"{in_time or 'taken'} at the last second, {late or 'taken'} a second later",
        (in_time, late) == ("", "ReturnTooLate"),
    )


def _too_late(copy: Copy, back: str) -> Step:
    """SPEC 2.18: what has expired is not owed."""
    late = _refusal(copy, back)
    return Step(
        "goods come back after their points expired", f"{late or 'taken'}: nobody owes what expired", late != ""
    )


def _expiry(copy: Copy) -> Iterator[Step]:
    """SPEC 1: points are all there one second before their lot expires, and gone at the second, with no keeper."""
    tokens = {slug: brand.token for slug, brand in copy.stack.brands.items()}
    lots = [
        (int(lot["expiresAt"]), slug, int(lot["points"]))
        for slug, token in tokens.items()
        for lot in copy.call("LoyaltyToken", "supplyByExpiry", at=token)
    ]
    for expires_at, slug, expiring in sorted(lots):
        days = (expires_at - copy.now()) // DAY_S
        copy.travel(expires_at - 1)
        before = int(copy.call("LoyaltyToken", "totalSupply", at=tokens[slug]))
        copy.travel(expires_at)
        after = int(copy.call("LoyaltyToken", "totalSupply", at=tokens[slug]))
        yield Step(
            f"{days} days later, a lot of {slug} expires",
            f"supply {points(before)} one second before, {points(after)} at the second",
            before - after == expiring,
        )
