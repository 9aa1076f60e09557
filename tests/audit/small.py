"""A small world with something of everything: awards, holds, refunds, exchanges, netting, a rule change, roles."""

import time
from pathlib import Path
from typing import Any

from sqlmodel import SQLModel

import chain.tables  # noqa: F401 - makes the tables known
from chain.contracts import authorisation
from chain.contracts.deployment import Deployment
from chain.node.blocks import mined
from chain.node.rpc import Rpc
from chain.outbox import calls
from chain.storage.database import engine as make_engine
from chain.storage.database import writing
from tests.chain.conftest import CDNOW, Chain, OnChain

GAS = 3_000_000
LONGEST_LIFE_S = 500 * 86_400


class Small:
    """A deployed chain with a story on it, and the mirror of it in one SQLite file."""

    def __init__(self, chain: Chain, folder: Path):
        self.chain = chain
        self.deployment = Deployment.load(chain.deployments, chain.node.chain_id)
        self.url = f"sqlite:///{folder / 'template.db'}"
        engine = make_engine(self.url)
        with writing(engine) as connection:
            SQLModel.metadata.create_all(connection)
        rpc = Rpc(chain.node.url, timeout_s=30.0, decode_revert=self.deployment.codec.revert)
        self.world = OnChain(
            chain.node, self.deployment, chain.keystore, engine, rpc, folder, chain.keystore_path, chain.deployments
        )
        self.accounts = rpc.call("eth_accounts")
        self.holds: dict[str, str] = {}
        self._tell()
        self.world.mirror.catch_up()
        self.pin = rpc.call("eth_getBlockByNumber", "latest", False)["hash"]
        engine.dispose()

    def _tell(self) -> None:
        world = self.world
        world.drain()
        world.enqueue(
            world.award("ada", 100_000), world.award("bob", 5_000), world.award("eve", 77),
            world.award("ada", 900, brand="hanok"),
        )  # fmt: skip
        world.drain()
        self._redemptions()
        self._owe("gus")
        world.enqueue(world.exchange("ada", 500), world.exchange("bob", 40))
        world.drain()
        self._send(0, "ClearingHouse", "net", 1, [1, 2])
        world.enqueue(world.exchange("ada", 300), self._leave("eve"))
        world.drain()
        self._announce_change()
        world.enqueue(world.award("bob", 1), world.award("fay", 4_000))
        world.drain()
        self._let_points_end()

    def _let_points_end(self) -> None:
        """A block, empty of events, in which everything ends that was awarded so far; what eve holds too."""
        self.world.rpc.call("evm_increaseTime", LONGEST_LIFE_S)
        for _ in range(2):
            self.world.rpc.call("evm_mine")

    def _redemptions(self) -> None:
        world = self.world
        for member, points in (("ada", 300), ("bob", 60), ("eve", 5)):
            asked, self.holds[member] = world.hold(member, points)
            world.enqueue(asked)
        world.drain()
        ada, bob = world.member("ada"), world.member("bob")
        world.enqueue(
            calls.capture(key="capture ada", brand=CDNOW, member=ada, hold_id=self.holds["ada"], points=200),
            calls.release(key="release bob", brand=CDNOW, member=bob, hold_id=self.holds["bob"]),
        )
        world.drain()
        world.enqueue(
            calls.refund(
                key="refund ada", brand=CDNOW, member=ada, hold_id=self.holds["ada"], points=50, refunded_before=0
            )
        )
        world.drain()

    def _owe(self, member: str) -> None:
        """Goods come back whose points lie at the till already."""
        world = self.world
        (award,) = world.enqueue(world.award(member, 1_000))
        world.drain()
        asked, self.holds[member] = world.hold(member, 1_200)
        world.enqueue(asked)
        world.drain()
        given = world.operation(award)
        assert given.operation_id is not None
        world.enqueue(
            calls.goods_return(
                key=f"return {member}",
                brand=CDNOW,
                member=world.member(member),
                award=given.operation_id,
                base_amount=1_000,
            )
        )
        world.drain()

    def _leave(self, member: str) -> Any:
        world, wallet = self.world, "wallet"
        token, nonce = world.brands["cdnow"].token, authorisation.fresh_nonce()
        values = {
            "member": world.member(member),
            "wallet": world.member(wallet),
            "nonce": nonce,
            "deadline": int(time.time()) + 1800,
        }
        domain = authorisation.Domains(world.rpc, self.deployment.codec).of("LoyaltyToken", token)
        digest = authorisation.digest(domain, "Leave", values)
        signed = {who: "0x" + world.keystore.sign(f"member/{who}", digest).hex() for who in (member, wallet)}
        return calls.leave(
            key="leave", brand=CDNOW, member=values["member"], wallet=values["wallet"], nonce=nonce,
            deadline=values["deadline"], member_signature=signed[member], wallet_signature=signed[wallet],
        )  # fmt: skip

    def _announce_change(self) -> None:
        rule = next(row for row in self.world.rows("SELECT brand_id, rule_id, terms FROM rule WHERE brand_id = '1'"))
        import orjson

        terms = orjson.loads(rule.terms)
        terms["numerator"] = str(int(terms["numerator"]) + 1)
        self._send(1, "RewardRules", "announceChange", 1, int(rule.rule_id), terms)

    def _send(self, account: int, contract: str, function: str, *values: Any) -> None:
        data = self.deployment.codec.calldata(contract, function, *values)
        call = {
            "from": self.accounts[account],
            "to": self.deployment.address(contract),
            "data": "0x" + data.hex(),
            "gas": hex(GAS),
        }
        tx_hash = self.world.rpc.call("eth_sendTransaction", call)
        receipt = mined(self.world.rpc, tx_hash)
        assert receipt["status"] == "0x1", f"{contract}.{function} reverted"
