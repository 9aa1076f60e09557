"""What the mirror asks of the node: ranges of blocks with the logs of our contracts, and the terms of new tokens."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain as joined
from typing import Any, Final

from chain.base.errors import AnswerInconsistent, AnswerTooLarge, NodeTimeout, RpcError
from chain.base.reverts import storable
from chain.base.scalars import Address
from chain.contracts.codec import EventLog
from chain.contracts.deployment import Deployment
from chain.mirror import log_completeness
from chain.mirror.checkpoint import Tip
from chain.mirror.rows.row_cache import Row
from chain.node import blocks
from chain.node.adaptive_range import AdaptiveRange
from chain.node.blocks import BlockHeader, Range
from chain.node.rpc import Rpc

UNKNOWN_ROUNDS_MAX: Final = 8
# The deployment names more (the AccessManager, the settlement token, the token's implementation): not our books.
FOLLOWED: Final = ("PartnerRegistry", "RewardRules", "RedemptionDesk", "PartnerExchange", "ClearingHouse")
# Followed where the deployment has it.
LATER: Final = ("OpeningBalances", "Badges", "ProgrammeGovernor", "Snapshots")


@dataclass(frozen=True, slots=True)
class Found:
    """A range with its logs decoded, and the rows of the tokens that it brings."""

    range: Range
    logs: Sequence[EventLog]
    token_rows: Mapping[Address, Row]

    @property
    def last(self) -> BlockHeader | None:
        """The newest block of the range, None when it is empty."""
        return self.range.headers[-1] if self.range.headers else None


class Reader:
    """Reads on top of a block; as wide as the provider takes it."""

    def __init__(self, rpc: Rpc, deployment: Deployment, range_blocks_max: int):
        self._rpc = rpc
        self._deployment = deployment
        followed = (*FOLLOWED, *(name for name in LATER if name in deployment.contracts))
        self._names = {deployment.address(name): name for name in followed}
        self._ranges = AdaptiveRange(range_blocks_max)
        # Blocks whose logs were read again from receipts, because they contradicted themselves.
        self.doubted = 0

    def last_of(self, ancestor: Tip, head: BlockHeader) -> int:
        """The last block of the next range."""
        return min(head.number, ancestor.number + self._ranges.width)

    def read(self, ancestor: Tip, last: int, head: BlockHeader, tokens: Mapping[str, Address]) -> Found:
        """Blocks after the ancestor up to `last`, with the logs of our contracts and of these tokens by brand id."""
        found = self._adapting(ancestor, last, head, [*self._names, *tokens.values()])
        with blocks.believable("a log or the terms of a token"):
            logs = self._decoded(found.logs)
            token_rows = self._token_rows(logs)
            token_of = {**tokens, **{row["brand_id"]: token for token, row in token_rows.items()}}
            logs = self._completed(found, logs, token_of)
            return Found(found, logs, token_rows)

    def _decoded(self, raws: Sequence[dict[str, Any]]) -> list[EventLog]:
        return [log for raw in raws if (log := self._decode(raw)) is not None]

    def _completed(self, found: Range, logs: list[EventLog], token_of: Mapping[str, Address]) -> list[EventLog]:
        """The logs, those of blocks in doubt from the receipts."""
        numbers = log_completeness.incomplete_blocks(logs, token_of)
        if not numbers:
            return logs
        self.doubted += len(numbers)
        addresses = [*self._names, *token_of.values()]
        whole: dict[int, list[EventLog]] = {}
        for block in found.headers:
            if block.number in numbers:
                of_receipts = blocks.logs_of_receipts(self._rpc, block, addresses)
                whole[block.number] = self._decoded([raw for _, raw in sorted(of_receipts.items())])
        kept = [log for log in logs if log.block_number not in numbers]
        return sorted([*kept, *joined.from_iterable(whole.values())], key=lambda log: (log.block_number, log.log_index))

    def _adapting(self, ancestor: Tip, last: int, head: BlockHeader, addresses: list[Address]) -> Range:
        if last <= ancestor.number:
            return Range([])
        width, began = last - ancestor.number, time.monotonic()
        try:
            found = self._with_new_tokens(ancestor, last, head, addresses)
        except (RpcError, AnswerTooLarge, NodeTimeout) as error:
            self._ranges.refused(width, error)
            raise
        self._ranges.answered(width, time.monotonic() - began, len(found.logs))
        return found

    def _with_new_tokens(self, ancestor: Tip, last: int, head: BlockHeader, addresses: list[Address]) -> Range:
        """A brand invited within the range has a token whose logs we did not ask for yet: ask again with it."""
        for _ in range(UNKNOWN_ROUNDS_MAX):
            found = blocks.read_range(self._rpc, ancestor.number + 1, last, ancestor.hash, addresses, head)
            fresh = {token for token in self._invited(found) if token not in addresses}
            if not fresh:
                return found
            addresses = addresses + sorted(fresh)
        raise AnswerInconsistent("The node names new tokens each time it is asked for the same blocks.")

    def _invited(self, found: Range) -> list[Address]:
        registry = self._deployment.address("PartnerRegistry")
        with blocks.believable("a log"):
            logs = [self._decode(raw) for raw in found.logs if raw["address"].lower() == registry]
        return [log.args["token"] for log in logs if log is not None and log.name == "BrandInvited"]

    def _decode(self, raw: dict[str, Any]) -> EventLog | None:
        return self._deployment.codec.told(raw, self._names.get(raw["address"].lower(), "LoyaltyToken"))

    def _token_rows(self, logs: Sequence[EventLog]) -> dict[Address, Row]:
        """The fixed terms of tokens that appear in these logs, from the tokens themselves."""
        return {log.args["token"]: self._token_row(log) for log in logs if log.name == "BrandInvited"}

    def _token_row(self, invitation: EventLog) -> Row:
        token, codec = invitation.args["token"], self._deployment.codec
        names = ("terms", "origin", "decimals")
        answers = self._rpc.batch(
            [
                ("eth_call", [{"to": token, "data": "0x" + codec.calldata("LoyaltyToken", name).hex()}, "latest"])
                for name in names
            ]
        )
        terms, origin, decimals = (
            codec.result("LoyaltyToken", name, answer) for name, answer in zip(names, answers, strict=True)
        )
        return {
            "token": token,
            "brand_id": invitation.args["brandId"],
            "name": storable(terms["name"]),
            "symbol": storable(terms["symbol"]),
            "decimals": int(decimals),
            "origin": int(origin),
            "epoch_s": int(terms["epochSeconds"]),
            "lifetime_epochs": int(terms["lifetimeEpochs"]),
            "grace_s": int(terms["graceSeconds"]),
            "since_block": invitation.block_number,
        }
