"""What is asked for, made into operations: amounts signed by the members, ids known before anything is mined."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass, field, replace
from typing import Any, Final

from sqlalchemy import Engine, select

from chain.base.hashing import keccak
from chain.contracts import authorisation
from chain.contracts.authorisation import Domains
from chain.mirror.queries import award_proofs
from chain.outbox import calls, locked, operations
from chain.outbox.operations import NewOperation
from chain.relayer.scheduler import OF_CHAIN
from chain.storage.database import reading, writing
from chain.storage.looks import looking
from tests.differential.steps import Signed
from tests.simulation.schedule import Ask, Asked
from tests.simulation.stage import Stage

DAY: Final = 86_400
RECORD_S_MAX: Final = 0.15
RECORD_POLL_S: Final = 0.01
REWARD: Final = "0x" + "5e" * 32
TILL_ACTS: Final = ("capture", "release", "timeout", "refund", "return", "unwind")


@dataclass
class Asker:
    """The gateway's part of an episode: writes operations, remembers what it wrote."""

    stage: Stage
    engine: Engine
    seed: int
    domains: Domains
    # By index of what was asked: the row, and the id of the hold or exchange it makes.
    ids: list[int | None] = field(default_factory=list)
    records: list[str] = field(default_factory=list)
    nonces: dict[str, int] = field(default_factory=dict)
    refunded: dict[str, int] = field(default_factory=dict)
    signatures: dict[bytes, Signed] = field(default_factory=dict)
    skipped: int = 0
    # What came back before the award's second, by what became of it.
    given_back: Counter[str] = field(default_factory=Counter)

    def ask(self, ask: Ask) -> list[int]:
        """Writes all of it in one SQL transaction; the rows' ids."""
        if ask.left_out:
            self.ids += [None] * len(ask.asked)
            self.records += [""] * len(ask.asked)
            return []
        now = int(self.stage.head()["timestamp"], 16)
        made = [self._operation(asked, now) for asked in ask.asked]
        with writing(self.engine) as connection:
            written = iter(operations.enqueue_many(connection, [one for one in made if one is not None]))
        ids = [None if one is None else next(written) for one in made]
        self.ids += ids
        self.skipped += sum(one is None and asked.kind == "unwind" for one, asked in zip(ids, ask.asked, strict=True))
        for at in ask.third_party:
            if ids[at] is not None:
                self._submit_as_stranger(ids[at], ask.asked[at])
        return [one for one in ids if one is not None]

    def _submit_as_stranger(self, id: int, asked: Asked) -> None:
        """Someone else does on the chain what was just asked for."""
        cast, deployment = self.stage.world.cast, self.stage.deployment
        with reading(self.engine) as connection:
            row = operations.get(connection, id)
        assert row is not None
        if row.kind == operations.AWARD:
            item = (int(row.operation_id or 0), row.payload["rule"], row.payload["member"], row.payload["base_amount"])
            data = deployment.codec.calldata("RewardRules", "awardBatch", asked.brand, [item])
            self.stage.send(cast[f"issuer{asked.brand}"], deployment.address("RewardRules"), data)
            return
        payload = row.payload
        if row.kind == operations.RETURN:
            proof = self._proof(row.brand, row.payload["award"])
            if proof is None:
                return
            payload = calls.with_proof(payload, return_id=row.operation_id or "0", **proof._asdict())
        made = calls.single(deployment, row.kind, row.ordering_key, payload, token=self.stage.token(row.brand))
        assert made is not None, "every brand of the walk has a token"
        target, data = made
        by = cast[f"till{asked.brand}"] if row.kind in TILL_ACTS else cast["stranger"]
        self.stage.send(by, target, data)

    # Making operations

    def _operation(self, asked: Asked, now: int) -> NewOperation | None:
        index = len(self.records)
        self.records.append("")
        if asked.subject >= 0 and not self.records[asked.subject]:
            return None
        key = f"{self.seed} {index}"
        member = self.stage.world.cast.members[asked.member]
        made: NewOperation | None = getattr(self, f"_{asked.kind}")(asked, key, member, now, index)
        return made

    def _award(self, asked: Asked, key: str, member: str, now: int, index: int) -> NewOperation:
        self.records[index] = key
        made = calls.award(key=key, brand=asked.brand, member=member, rule=asked.rule, base_amount=asked.points)
        return replace(made, due_at_ms=1000 * (now + asked.seconds)) if asked.seconds else made

    def _return(self, asked: Asked, key: str, member: str, now: int, index: int) -> NewOperation | None:
        """As the gateway does it: off an award that is locked still, else by the contract."""
        id = self.ids[asked.subject] if asked.subject < len(self.ids) else None
        if id is None:
            return None
        with writing(self.engine) as connection:
            award = operations.get(connection, id)
            assert award is not None
            given = locked.give_back(connection, id, asked.points) if award.brand == asked.brand else None
        if given is not None:
            self.given_back["whole" if given.cancelled else "part" if given.kept < given.left else "refused"] += 1
            return None
        return calls.goods_return(
            key=key, brand=asked.brand, member=member, award=award.operation_id or "0", base_amount=asked.points
        )

    def _proof(self, brand: int, award: str) -> award_proofs.AwardProof | None:
        """What a return brings of its award, once the mirror has it."""
        with reading(self.engine) as connection:
            given = operations.get_counted(connection, brand, award)
            if given is None or given.block_number is None or given.state not in OF_CHAIN:
                return None
            place = given.block_number, given.log_index or 0, given.block_hash or ""
            look = looking(connection)
            if not award_proofs.is_there(look, brand=brand, award=award, place=place):
                return None
            return award_proofs.award_proof(look, brand=brand, award=award, place=place, tx_hash=given.tx_hash or "")

    def _hold(self, asked: Asked, key: str, member: str, now: int, index: int) -> NewOperation:
        values = {
            "member": member,
            "brandId": asked.brand,
            "points": asked.points,
            "rewardId": REWARD,
            "holdUntil": now + asked.seconds,
            "nonce": self._nonce(asked, member, index),
            "deadline": self._deadline(asked, now),
        }
        self.records[index] = authorisation.record_id(member, values["nonce"])
        return calls.hold(
            key=key,
            brand=asked.brand,
            member=member,
            points=asked.points,
            reward_id=REWARD,
            hold_until=values["holdUntil"],
            nonce=values["nonce"],
            deadline=values["deadline"],
            signature=self._sign("RedemptionDesk", "Hold", values, asked),
        )

    def _capture(self, asked: Asked, key: str, member: str, now: int, index: int) -> NewOperation:
        self.records[index] = self.records[asked.subject]
        hold_id = self.records[asked.subject]
        return calls.capture(key=key, brand=asked.brand, member=member, hold_id=hold_id, points=asked.points)

    def _release(self, asked: Asked, key: str, member: str, now: int, index: int) -> NewOperation:
        hold_id = self.records[asked.subject]
        timeout = asked.kind == "timeout"
        return calls.release(key=key, brand=asked.brand, member=member, hold_id=hold_id, timeout=timeout)

    _timeout = _release

    def _refund(self, asked: Asked, key: str, member: str, now: int, index: int) -> NewOperation:
        hold_id = self.records[asked.subject]
        before = self.refunded.get(hold_id, 0)
        self.refunded[hold_id] = before + asked.points
        return calls.refund(
            key=key,
            brand=asked.brand,
            member=member,
            hold_id=hold_id,
            points=asked.points,
            refunded_before=before,
        )

    def _exchange(self, asked: Asked, key: str, member: str, now: int, index: int) -> NewOperation:
        quote = self._quote(asked, member, now, index)
        self.records[index] = authorisation.record_id(member, quote["nonce"])
        return calls.exchange(
            key=key,
            brand=asked.brand,
            member=member,
            agreement_id=quote["agreementId"],
            version=quote["version"],
            points_in=quote["pointsIn"],
            minimum_out=1,
            nonce=quote["nonce"],
            deadline=quote["deadline"],
            signature=self._sign("PartnerExchange", "Exchange", {**quote, "minimumOut": 1}, asked),
        )

    def _pay(self, asked: Asked, key: str, member: str, now: int, index: int) -> NewOperation:
        quote = self._quote(asked, member, now, index)
        values = {**quote, "price": 1, "rewardId": REWARD}
        return calls.pay(
            key=key,
            brand=asked.brand,
            member=member,
            agreement_id=quote["agreementId"],
            version=quote["version"],
            points_in=quote["pointsIn"],
            price=1,
            reward_id=REWARD,
            nonce=quote["nonce"],
            deadline=quote["deadline"],
            signature=self._sign("PartnerExchange", "PayAtPartner", values, asked),
        )

    def _unwind(self, asked: Asked, key: str, member: str, now: int, index: int) -> NewOperation | None:
        record = self._record(self.ids[asked.subject] if asked.subject < len(self.ids) else None)
        if record is None:
            return None
        exchange_id = self.records[asked.subject]
        values = {
            "member": record["member"],
            "exchangeId": exchange_id,
            "nonce": self._nonce(asked, member, index),
            "deadline": self._deadline(asked, now),
        }
        return calls.unwind(
            key=key,
            brand=asked.brand,
            member=member,
            exchange_id=exchange_id,
            record=record,
            nonce=values["nonce"],
            deadline=values["deadline"],
            signature=self._sign("PartnerExchange", "Unwind", values, asked),
        )

    def _transfer(self, asked: Asked, key: str, member: str, now: int, index: int) -> NewOperation:
        to = self.stage.world.cast.members[asked.other]
        values = {
            "from": member,
            "to": to,
            "points": asked.points,
            "nonce": self._nonce(asked, member, index),
            "deadline": self._deadline(asked, now),
        }
        return calls.transfer(
            key=key,
            brand=asked.brand,
            member=member,
            to=to,
            points=asked.points,
            nonce=values["nonce"],
            deadline=values["deadline"],
            signature=self._sign("LoyaltyToken", "TransferAuthorisation", values, asked),
        )

    def _leave(self, asked: Asked, key: str, member: str, now: int, index: int) -> NewOperation:
        wallet = self.stage.world.cast.members[asked.other]
        values = {
            "member": member,
            "wallet": wallet,
            "nonce": self._nonce(asked, member, index),
            "deadline": self._deadline(asked, now),
        }
        return calls.leave(
            key=key,
            brand=asked.brand,
            member=member,
            wallet=wallet,
            nonce=values["nonce"],
            deadline=values["deadline"],
            member_signature=self._sign("LoyaltyToken", "Leave", values, asked),
            wallet_signature=self._sign("LoyaltyToken", "Leave", values, asked, by=wallet),
        )

    # What they share

    def _quote(self, asked: Asked, member: str, now: int, index: int) -> dict[str, Any]:
        return {
            "member": member,
            "agreementId": asked.other,
            "version": 1,
            "pointsIn": asked.points,
            "nonce": self._nonce(asked, member, index),
            "deadline": self._deadline(asked, now),
        }

    def _record(self, id: int | None) -> dict[str, Any] | None:
        """An exchange as the relayer or the mirror saw it happen, if they do within a moment."""
        until = time.monotonic() + RECORD_S_MAX
        query = select(operations.table.c.result).where(operations.table.c.id == id)
        while id is not None:
            with reading(self.engine) as connection:
                result: dict[str, Any] = connection.execute(query).scalar_one() or {}
            if "exchange" in result or time.monotonic() > until:
                return result.get("exchange")
            time.sleep(RECORD_POLL_S)
        return None

    def _nonce(self, asked: Asked, member: str, index: int) -> int:
        fresh = int.from_bytes(keccak(f"{self.seed} nonce {index}".encode()))
        nonce = self.nonces.get(member, fresh) if asked.wrong == "again" else fresh
        self.nonces[member] = nonce
        return nonce

    def _deadline(self, asked: Asked, now: int) -> int:
        return now - 5 if asked.wrong == "deadline" else now + 10 * DAY

    def _sign(self, contract: str, kind: str, values: dict[str, Any], asked: Asked, *, by: str = "") -> str:
        """By the member, or by someone else where the signature shall be wrong."""
        stage = self.stage
        cast = stage.world.cast
        address = stage.token(asked.brand) if contract == "LoyaltyToken" else stage.deployment.address(contract)
        signer = by or values.get("member") or values["from"]
        if asked.wrong == "signature":
            signer = cast["stranger"]
        digest = authorisation.digest(self.domains.of(contract, address), kind, values)
        signature = bytes(cast.keys[signer].unsafe_sign_hash(digest).signature)
        self.signatures[signature] = Signed(signer)
        return "0x" + signature.hex()
