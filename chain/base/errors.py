"""Everything that can go wrong between us and a chain, as one tree.

ChainError
├── NodeUnavailable            the node did not answer as a node: refused, reset, timed out, or spoke nonsense
│   ├── NodeTimeout            no answer in time; the request may have had its effect
│   ├── NodeAway               not asked at all: it failed just now, and its ration of requests is used up
│   ├── AnswerTooLarge         an answer above the bound was cut off
│   ├── RequestTooLarge        the node refused the size of what was asked, before reading it
│   ├── TooManyRequests        the node asks for patience (429), perhaps for a named time
│   └── NodeStartFailed        a supervised node did not become ready
├── RpcError                   the node answered with an error
│   ├── MethodMissing
│   ├── ResultTooWide          a log query held too much
│   ├── NonceTooLow
│   ├── NonceTooHigh
│   ├── AlreadyKnown
│   ├── Underpriced
│   ├── InsufficientFunds
│   └── Reverted               with the contract's error, by name and arguments
├── AnswerInconsistent         answers of one node contradict each other: a reorg between them, or a wrong node
├── ReorgTooDeep               the node's history differs further back than the mirror can undo
├── FinalityBroken             the node took back a block that it had called final
├── HistoryNotAvailable        a point in time of which no rows are kept
├── ArgumentInvalid            what a command was given cannot be meant
├── AddressMalformed           what should be an address is none, or its checksum is wrong
├── DatabaseAway               the database does not answer for now; it is waited for
├── DatabaseUnusable           the database cannot be used as it is: no such file, no right, another program's tables
├── MirrorMismatch             the database mirrors another token, another start or another chain
├── ChainReplaced              the database follows another chain than the node's
├── DeploymentError
│   ├── DeploymentMissing
│   ├── DeploymentMismatch
│   └── AbiMissing
├── OperationKeyReused         the same key with another content
├── OperationInvalid           an operation that cannot be encoded
├── TransitionForbidden        a state that may not follow another
├── QueueMoved                 another relayer took an operation first
├── KeystoreError
│   ├── KeystoreMissing
│   └── KeystoreLocked
└── LeaderElsewhere            another worker leads this database

`name` is the public name: the class name, or the contract's own name for Reverted (one name from revert to screen).
"""

from collections.abc import Mapping
from typing import Any

ADDRESSES = "0x and 40 hex digits, in one case throughout or with the right checksum (EIP-55)."


class ChainError(Exception):
    """Anything this room reports as expected trouble."""

    @property
    def name(self) -> str:
        """The public name of the error."""
        return type(self).__name__


class NodeUnavailable(ChainError):
    """The node did not answer. Reads may be asked again; whether a write had its effect is unknown."""


class NodeTimeout(NodeUnavailable):
    """No whole answer within the time given."""


class NodeAway(NodeUnavailable):
    """The node failed a moment ago and was not asked again; nothing was sent."""

    def __init__(self, node: str, wait_s: float):
        super().__init__(f"{node} does not answer; it will be asked again in {wait_s:.1f} s.")
        self.wait_s = wait_s


class AnswerTooLarge(NodeUnavailable):
    """The answer was larger than the bound and was not read to its end."""

    def __init__(self, size_max_bytes: int):
        super().__init__(f"The node's answer is larger than {size_max_bytes} bytes; ask for less at once.")
        self.size_max_bytes = size_max_bytes


class RequestTooLarge(NodeUnavailable):
    """The request itself was larger than the node takes; ask for less at once."""


class TooManyRequests(NodeUnavailable):
    """The node refuses for now. `retry_after_s`: what it asked for, None when it did not say."""

    def __init__(self, message: str, retry_after_s: float | None = None):
        super().__init__(message)
        self.retry_after_s = retry_after_s


class NodeStartFailed(NodeUnavailable):
    """A node under our supervision did not become ready; carries the last lines it wrote."""

    def __init__(self, node: str, reason: str, log_tail: str):
        super().__init__(f"{node} did not start: {reason}" + (f"\n{log_tail}" if log_tail else ""))
        self.reason = reason
        self.log_tail = log_tail


class RpcError(ChainError):
    """The node answered with a JSON-RPC error."""

    def __init__(self, method: str, code: int, message: str, data: Any = None):
        super().__init__(f"{method}: {message} ({code})")
        self.method = method
        self.code = code
        self.message = message
        self.data = data


class MethodMissing(RpcError):
    """The node does not offer the method."""


class ResultTooWide(RpcError):
    """A log query covered more blocks or more logs than the node allows."""


class NonceTooLow(RpcError):
    """The nonce was used already: by this very transaction or by another."""


class NonceTooHigh(RpcError):
    """An earlier nonce of the signer is still missing."""


class AlreadyKnown(RpcError):
    """The node holds this very transaction already."""


class Underpriced(RpcError):
    """The fee is below what the node takes, or a replacement raises it too little."""


class InsufficientFunds(RpcError):
    """The signer cannot pay the gas."""


class Reverted(RpcError):
    """The contract refused. `error` is the Solidity error's name, `args` its values by name."""

    def __init__(self, method: str, code: int, message: str, data: Any, error: str, error_args: Mapping[str, Any]):
        super().__init__(method, code, message, data)
        self.error = error
        self.error_args = dict(error_args)

    @property
    def name(self) -> str:
        """The contract's own name for the refusal."""
        return self.error

    def __str__(self) -> str:
        values = ", ".join(f"{key}={value}" for key, value in self.error_args.items())
        return f"{self.method} reverted with {self.error}({values})"


class AnswerInconsistent(ChainError):
    """Two answers of the node do not fit together; ask again."""


class ReorgTooDeep(ChainError):
    """The mirror stops rather than guess: no common block within the horizon it can undo."""

    def __init__(self, head_number: int, horizon_blocks: int):
        super().__init__(
            f"The node's chain differs from the mirror's more than {horizon_blocks} blocks below block {head_number}. "
            "Rebuild the mirror if the node's chain is the right one."
        )
        self.head_number = head_number
        self.horizon_blocks = horizon_blocks


class FinalityBroken(ChainError):
    """The mirror stops: what was told to members as final is gone from the node's chain."""

    def __init__(self, final_number: int, common_number: int):
        super().__init__(
            f"The node called block {final_number} final, and now differs from it above block {common_number}. "
            "Rebuild the mirror if the node's chain is the right one."
        )
        self.final_number = final_number
        self.common_number = common_number


class HistoryNotAvailable(ChainError):
    """Nothing is known of that moment. `asked`: a block number, or a unix second when `asked_time`."""

    def __init__(self, asked: int, from_block: int | None, to_block: int | None, *, asked_time: bool = False):
        what = f"second {asked}" if asked_time else f"block {asked}"
        there = "there is none yet" if from_block is None else f"it reaches from block {from_block} to {to_block}"
        super().__init__(f"The mirror has no history of {what}: {there}.")
        self.asked = asked
        self.asked_time = asked_time
        self.from_block = from_block
        self.to_block = to_block


class ChainReplaced(ChainError):
    """The node's chain is not the one this database follows. `what` tells them apart: chain id, genesis or a block."""

    def __init__(self, expected: str, found: str, what: str = "genesis"):
        super().__init__(
            f"The database follows the chain with {what} {expected}, the node has {what} {found}. "
            "Start with a new database or give the node its state back."
        )
        self.what = what
        self.expected = expected
        self.found = found


class AddressMalformed(ChainError):
    """What should be an address is none, or its checksum is wrong."""

    def __init__(self, text: Any):
        super().__init__(f"{str(text)[:80]!r} is no address: {ADDRESSES}")


class ArgumentInvalid(ChainError):
    """A command was given something that cannot be meant; nothing was done."""


class DatabaseAway(ChainError):
    """The database does not answer for now: stopped, locked or out of reach. Nothing was half written."""


class DatabaseUnusable(ChainError):
    """Waiting would not help: the database's address, rights or tables are wrong."""


class MirrorMismatch(ChainError):
    """The database holds the mirror of something else; it is left as it is."""

    def __init__(self, what: str, held: str, asked: str):
        super().__init__(f"The database mirrors {what} {held}, not {asked}. Use another database, or empty this one.")
        self.what = what
        self.held = held
        self.asked = asked


class DeploymentError(ChainError):
    """The contracts on the node are not the ones this program was given."""


class DeploymentMissing(DeploymentError):
    """No deployment is known for this chain."""

    def __init__(self, where: str, chain_id: int):
        super().__init__(f"No deployment for chain {chain_id} in {where}; deploy the contracts first.")
        self.chain_id = chain_id


class DeploymentMismatch(DeploymentError):
    """What the node holds differs from what the deployment says."""

    def __init__(self, what: str, expected: str, found: str):
        super().__init__(f"{what}: the deployment says {expected}, the node has {found}. Deploy again.")
        self.what = what
        self.expected = expected
        self.found = found


class AbiMissing(DeploymentError):
    """The interface of a contract is not in chain/contracts/abi."""

    def __init__(self, contract: str):
        super().__init__(f"chain/contracts/abi has no {contract}.json; export the ABI by deploying.")
        self.contract = contract


class OperationKeyReused(ChainError):
    """The key belongs to an operation with another content."""

    def __init__(self, key: str, operation: int):
        super().__init__(f"The key {key!r} belongs to operation {operation}, which asks for something else.")
        self.key = key
        self.operation = operation


class OperationInvalid(ChainError):
    """The operation cannot be put into a transaction."""


class TransitionForbidden(ChainError):
    """A state was asked for that may not follow the present one."""

    def __init__(self, before: str, after: str):
        super().__init__(f"An operation cannot go from {before} to {after}.")
        self.before = before
        self.after = after


class QueueMoved(ChainError):
    """Operations that were to be taken are no longer queued; nothing was taken."""

    def __init__(self, missing: int):
        super().__init__(f"{missing} operations were taken by another relayer meanwhile.")
        self.missing = missing


class KeystoreError(ChainError):
    """The keys cannot be used."""


class KeystoreMissing(KeystoreError):
    """There is no keystore at the path."""


class KeystoreLocked(KeystoreError):
    """The password does not open the keystore, or the file was altered."""


class LeaderElsewhere(ChainError):
    """Another worker leads this database; this one waits."""
