"""What the events of a transaction say about the operations in it. Used for receipts and for the mirror alike."""

from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import Any, Final

from chain.contracts.codec import EventLog
from chain.contracts.deployment import Deployment
from chain.outbox import calls
from chain.outbox.operations import Outcome

# The event that stands for a single operation, the most telling first: a payment also shows its exchange and its hold.
MAIN: Final = (
    "PaidAtPartner",
    "Exchanged",
    "Unwound",
    "HoldPlaced",
    "HoldCaptured",
    "HoldReleased",
    "HoldRefunded",
    "Returned",
    "OpeningClaimed",
    "BadgeGiven",
    "BadgeRefused",
    "BadgeWithdrawn",
    "VoteCast",
    "Left",
    "Transfer",
)
BADGES: Final = ("BadgeGiven", "BadgeRefused")
RANK: Final = {name: rank for rank, name in enumerate(MAIN)}


def outcomes(logs: Iterable[EventLog], deployment: Deployment) -> list[Outcome]:
    """One outcome per award or refusal, and one per transaction of another kind. Logs in the order of the chain."""
    found: list[Outcome] = []
    for _, group in groupby(logs, key=lambda log: log.tx_hash):
        found += _of_transaction(list(group), deployment)
    return found


def _of_transaction(logs: Sequence[EventLog], deployment: Deployment) -> list[Outcome]:
    awards = [log for log in logs if log.name in ("Awarded", "AwardRefused")]
    if awards:
        return [_of_award(log, deployment) for log in awards]
    mains = [log for log in logs if log.name in RANK]
    if not mains:
        return []
    main = min(mains, key=lambda log: RANK[log.name])
    if main.name == "VoteCast":
        return _of_votes([log for log in mains if log.name == main.name])
    each = _of_badges(mains, deployment) if main.name in BADGES else {}
    return [_placed(main, {"event": main.name, **main.args, **each})]


def _of_votes(logs: Sequence[EventLog]) -> list[Outcome]:
    """Each vote by its own key; and what is told of the rest of its transaction, which is that it had counted before:
    somebody else had brought it (SPEC 18.14)."""
    told = []
    for log in logs:
        args = log.args
        one = _placed(log, {"event": log.name, **args})
        one.key = calls.vote_key(args["proposalId"], args["brandId"], args["member"])
        told.append(one)
    of_all = {name: logs[0].args[name] for name in ("proposalId", "brandId")}
    return [*told, _placed(logs[-1], {"event": logs[-1].name, **of_all})]


def _placed(log: EventLog, result: dict[str, Any]) -> Outcome:
    return Outcome(
        tx_hash=log.tx_hash,
        block_number=log.block_number,
        block_hash=log.block_hash,
        log_index=log.log_index,
        result=result,
    )


def _of_badges(logs: Sequence[EventLog], deployment: Deployment) -> dict[str, Any]:
    """Whom a batch gave a badge, and whom not and why: one bad gift refuses no other (SPEC 17.4)."""
    refused = []
    for log in logs:
        if log.name == "BadgeRefused":
            error, values = deployment.codec.revert(bytes.fromhex(log.args["reason"][2:]))
            refused.append({"member": log.args["member"], "error": error, "error_args": values})
    return {"given": [log.args["member"] for log in logs if log.name == "BadgeGiven"], "refused": refused}


def _of_award(log: EventLog, deployment: Deployment) -> Outcome:
    args = log.args
    outcome = Outcome(
        tx_hash=log.tx_hash,
        block_number=log.block_number,
        block_hash=log.block_hash,
        log_index=log.log_index,
        brand=int(args["brandId"]),
        operation_id=args["operationId"],
        ordering_key=args["member"],
    )
    if log.name == "Awarded":
        outcome.result = {name: args[name] for name in ("ruleId", "version", "baseAmount", "points")}
    else:
        outcome.error, outcome.error_args = deployment.codec.revert(bytes.fromhex(args["reason"][2:]))
    return outcome
