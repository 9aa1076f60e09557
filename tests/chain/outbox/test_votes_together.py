"""Votes leave together: whose they are decides, and each is told its own outcome (SPEC 26.16)."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from api import migrate
from chain.base.errors import OperationInvalid
from chain.contracts.codec import EventLog
from chain.outbox import calls, operations
from chain.outbox.batching import VOTES_MAX, Waiting, choose, shared_out
from chain.outbox.outcomes import outcomes
from chain.storage.database import engine as make_engine
from chain.storage.database import writing

SEED = random.randrange(2**32)
SIGNERS = ("0x" + "0a" * 20, "0x" + "0b" * 20)


def vote(id: int, *, proposal: int = 1, brand: int = 1, at_ms: int = 0) -> Waiting:
    ballot = {"chunk": str(id // 256), "position": str(id % 256)}
    made = calls.votes(key=str(id), brand=brand, proposal_id=proposal, ballots=[ballot])
    return Waiting(id, made.kind, made.brand, made.ordering_key, at_ms, None, made.payload)


def chosen(queue: list[Waiting], **more: object) -> list[list[int]]:
    asked = {"busy_awards": frozenset(), "busy_singles": frozenset(), "items_max": 200, "delay_ms": 50}
    found = choose(queue, **{**asked, "singles_max": 1, "at_ms": 100, **more})  # type: ignore[arg-type]
    assert found.batches == found.singles == []
    return [[item.id for item in one] for one in found.votes]


def test_votes_of_a_brand_and_proposal_leave_together_at_most_a_hundred() -> None:
    """SPEC 26.16: every one once, none with another's proposal, whatever the order of the queue."""
    randomly = random.Random(SEED)
    queue = [vote(id, proposal=randomly.randint(1, 3), brand=randomly.randint(1, 2)) for id in range(700)]
    where = {item.id: (item.brand, item.payload["proposal_id"]) for item in queue}

    found = chosen(queue)

    assert sorted(id for one in found for id in one) == list(range(700)), f"seed {SEED}"
    assert all(len({where[id] for id in one}) == 1 and len(one) <= VOTES_MAX for one in found), f"seed {SEED}"
    assert sum(len(one) < VOTES_MAX for one in found) <= 6
    by_signer = shared_out(queue, SIGNERS, frozenset())
    for one in found:
        assert sum(bool({item.id for item in items} & set(one)) for items in by_signer.values()) == 1


def test_a_young_vote_waits_for_company_and_a_busy_voter_and_a_resting_vote_wait_for_themselves() -> None:
    """SPEC 26.16"""
    assert chosen([vote(1, at_ms=90), vote(2, at_ms=95)]) == []
    assert chosen([vote(1, at_ms=40), vote(2, at_ms=95)]) == [[1, 2]]
    assert chosen([vote(1), vote(2)], busy_singles=frozenset({vote(1).ordering_key})) == [[2]]
    assert chosen([vote(1), vote(2)], resting=frozenset({2})) == [[1]]
    assert chosen([vote(1), vote(1)]) == [[1]], "one voter's place is one vote"


def test_votes_of_two_proposals_are_no_one_call() -> None:
    """SPEC 26.16"""
    one, other = vote(1).payload, vote(2, proposal=2).payload
    assert len(calls.gathered([one, vote(2).payload])["ballots"]) == 2
    with pytest.raises(OperationInvalid):
        calls.gathered([one, other])


def test_each_vote_is_told_its_own_outcome_and_a_strangers_says_nothing(tmp_path: Path) -> None:
    """SPEC 26.16"""
    url = f"sqlite:///{tmp_path}/moa.db"
    migrate.run(url)
    engine = make_engine(url)
    members = [f"0x{number:040x}" for number in range(1, 5)]

    def cast(member: str, choice: str, index: int, tx: str = "0xaa") -> EventLog:
        args = {"proposalId": "1", "brandId": "1", "member": member, "place": str(index), "choice": choice}
        return EventLog(5, "0x05", tx, 0, index, "0x" + "0c" * 20, "ProgrammeGovernor", "VoteCast", args)  # type: ignore[arg-type]

    with writing(engine) as connection:
        ids = operations.enqueue_many(
            connection,
            [
                calls.votes(
                    key=calls.vote_key(1, 1, member),
                    brand=1,  # type: ignore[arg-type]
                    proposal_id=1,
                    ballots=[{"chunk": "0", "position": str(place)}],
                )
                for place, member in enumerate(members)
            ],
        )
        connection.exec_driver_sql(
            "INSERT INTO chain_transaction_hash (tx_hash, transaction_id, raw, created_at_ms)"
            " VALUES ('0xaa', 1, '', 1), ('0xdd', 9, '', 1)"
        )
        # The first three went together; of the third somebody else had brought the vote. The fourth is not sent.
        connection.exec_driver_sql("UPDATE operation SET state = 'sent', transaction_id = 1 WHERE id <= ?", (ids[2],))
        logs = [cast(members[0], "1", 1), cast(members[1], "0", 2), cast(members[3], "2", 1, tx="0xbb")]
        for state in (operations.MINED, operations.CONFIRMED, operations.CONFIRMED):
            # Something else that is told of all of its transaction stands before them.
            first = operations.Outcome("0xdd", 5, "0x05", 0, result={"event": "HoldReleased"})
            told = [first, *outcomes(logs, None)]  # type: ignore[arg-type]
            operations.record_outcomes(connection, told, state)
            found = operations.get_many(connection, ids)
            assert [found[id].state for id in ids] == [state] * 3 + ["queued"]
            assert [(found[id].result or {}).get("choice") for id in ids] == ["1", "0", None, None]
            assert (found[ids[2]].result or {})["proposalId"] == "1"
    engine.dispose()
