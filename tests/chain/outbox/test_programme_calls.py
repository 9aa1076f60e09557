"""Claims, badges and votes as operations: each becomes one call that the contract's ABI reads back as it was asked."""

from typing import Any

import pytest
from eth_abi import abi

from chain.base.errors import OperationInvalid
from chain.contracts.codec import Codec, canonical
from chain.contracts.deployment import Contract, Deployment
from chain.contracts.opening_file import read, write
from chain.contracts.snapshots import Snapshot
from chain.outbox import calls
from chain.outbox.operations import NewOperation

ANN, BOB = "0x" + "a1" * 20, "0x" + "b2" * 20
NAMES = ("OpeningBalances", "Badges", "ProgrammeGovernor")
AT = {name: f"0x{number:040x}" for number, name in enumerate(NAMES, 0xC0)}


@pytest.fixture(scope="module")
def deployment() -> Deployment:
    contracts = {name: Contract(name, address, "0x" + "00" * 32) for name, address in AT.items()}
    return Deployment(1, 0, "0x" + "00" * 32, contracts, Codec.load(), documents=None)  # type: ignore[arg-type]


def called(deployment: Deployment, operation: NewOperation, contract: str, function: str) -> tuple[Any, ...]:
    """What the contract would read of the operation's call."""
    made = calls.single(deployment, operation.kind, operation.ordering_key, operation.payload, token=None)
    assert made is not None
    address, data = made
    assert address == AT[contract]
    item = next(each for each in deployment.codec.abis[contract] if each.get("name") == function)
    assert data[:4] == deployment.codec.calldata(contract, function, *_zeros(item))[:4]
    return tuple(abi.decode([canonical(part) for part in item["inputs"]], data[4:]))


def _zeros(item: dict[str, Any]) -> list[Any]:
    def zero(part: dict[str, Any]) -> Any:
        kind = part["type"]
        if kind.endswith("[]"):
            return []
        if kind == "tuple":
            return tuple(zero(each) for each in part["components"])
        return "0x" + "00" * 20 if kind == "address" else b"" if kind == "bytes" else 0

    return [zero(part) for part in item["inputs"]]


def test_a_claim_is_one_multiproof(deployment: Deployment) -> None:
    """SPEC 16.11"""
    file = read(write([(ANN, {6: 100}), (BOB, {6: 5, 9: 7})]))
    lines = [{"index": each.index, "member": each.member, "lots": list(each.lots)} for each in file.lines]
    proof, flags = file.multiproof([0, 1])

    operation = calls.claim(key="old/1", brand=3, opening_id=2, lines=lines, proof=proof, flags=flags)
    brand, opening, said, siblings, told = called(deployment, operation, "OpeningBalances", "claimBatch")

    assert (brand, opening) == (3, 2)
    assert [line[1] for line in said] == [ANN, BOB]
    assert [tuple(line[2]) for line in said] == [each.lots for each in file.lines]
    assert (list(siblings), list(told)) == ([bytes.fromhex(node[2:]) for node in proof], flags)


def test_badges_count_once_by_their_key_and_place(deployment: Deployment) -> None:
    """SPEC 17.5"""
    several = calls.badges(key="gold/2026", brand=3, definition_id=4, members=[ANN, BOB])
    again = calls.badges(key="gold/2026", brand=3, definition_id=4, members=[ANN, BOB])
    brand, definition, gifts = called(deployment, several, "Badges", "giveBatch")

    assert (brand, definition) == (3, 4)
    assert [member for _, member in gifts] == [ANN, BOB]
    assert len({operation for operation, _ in gifts}) == 2
    assert again.payload == several.payload
    one = calls.badges(key="gold/2027", brand=3, definition_id=4, members=[ANN])
    assert called(deployment, one, "Badges", "give")[2][1] == ANN
    back = calls.badge_withdraw(key="gold/back", brand=3, definition_id=4, member=BOB)
    assert called(deployment, back, "Badges", "withdraw")[2][1] == BOB


def test_votes_bring_their_places(deployment: Deployment) -> None:
    """SPEC 18.14"""
    snapshot = Snapshot.of({ANN: 10, BOB: 20})
    chunk, position = snapshot.place_of(BOB)
    ballot = {
        "chunk": chunk,
        "position": position,
        "leaf": snapshot.leaf_at(chunk, position),
        "choice": 1,
        "siblings": ["0x" + node.hex() for node in snapshot.siblings(chunk, position)],
        "signature": "0x" + "5a" * 65,
    }

    operation = calls.votes(key="vote/7/1", brand=3, proposal_id=7, ballots=[ballot])
    proposal, brand, ((*place, siblings, signature),) = called(deployment, operation, "ProgrammeGovernor", "castVotes")

    assert (proposal, brand) == (7, 3)
    assert place == [chunk, position, snapshot.leaf_at(chunk, position), 1]
    assert list(siblings) == snapshot.siblings(chunk, position)
    assert signature == bytes.fromhex("5a" * 65)


@pytest.mark.parametrize("size", [0, calls.PROGRAMME_BATCH_MAX + 1])
def test_no_batch_is_larger_than_a_transaction_carries(size: int) -> None:
    """SPEC 17.4, 18.14"""
    with pytest.raises(OperationInvalid):
        calls.badges(key="k", brand=1, definition_id=1, members=[ANN] * size)
    with pytest.raises(OperationInvalid):
        calls.votes(key="k", brand=1, proposal_id=1, ballots=[{}] * size)
    with pytest.raises(OperationInvalid):
        calls.claim(key="k", brand=1, opening_id=1, lines=[{}] * size, proof=[], flags=[])


def test_a_full_batch_fits_a_transaction(deployment: Deployment) -> None:
    """SPEC 16.11"""
    members = [f"0x{number:040x}" for number in range(1, calls.PROGRAMME_BATCH_MAX + 1)]
    operation = calls.badges(key="k", brand=1, definition_id=1, members=members)

    assert len(called(deployment, operation, "Badges", "giveBatch")[2]) == calls.PROGRAMME_BATCH_MAX
