"""The audit itself: pin → contracts → headers → blocks → rules → mirror → storage, and a report.

Nothing is believed but the pin. The node's answers are believed as far as they hash to what the pin commits, the
contracts as far as the published rules give the same, the mirror not at all.
"""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, Final

from sqlalchemy import Connection, Engine

from chain.audit import against_storage, links, record, rows, sampling, streams, tokens, votes
from chain.audit.blocks import Block, Fetched, Reader
from chain.audit.errors import MirrorMissing, PinMissing, PinUnusable, RecordInvalid, Stopped
from chain.audit.expected import Expected
from chain.audit.links import Links
from chain.audit.report import Plan, Progress, Report, Sample
from chain.audit.storage import Storage
from chain.audit.tokens import Contracts
from chain.base.difference import CHAIN, MIRROR, Difference, Where
from chain.base.scalars import Address
from chain.contracts.deployment import Deployment
from chain.node.rpc import Rpc
from chain.proofs import hexes, transactions
from chain.proofs.headers import ProvenHeader
from chain.replay import Facts, Replay, Sent, TokenTerms
from chain.replay.state import StateInvalid
from chain.replay.votes import StatedGovernor
from chain.storage.database import snapshot

LOGS_PER_BATCH: Final = 3_000
BLOCKS_PER_BATCH_MAX: Final = 64


# What stands on the mirror, looked at in the audit's own snapshot: (connection, who hears of differences, the mirror's
# last block) -> how many rows were looked at.
Beside = Callable[[Connection, Callable[[Difference], None], int], int]


class Audit:
    """One audit. `make_rpc` opens a connection to the node; the database is only read, in one snapshot.

    beside: what else is compared with the mirror, once that was compared with the chain.
    """

    def __init__(
        self,
        make_rpc: Callable[[], Rpc],
        engine: Engine,
        deployment: Deployment,
        plan: Plan,
        progress: Progress,
        beside: Beside | None = None,
    ):
        self._make_rpc = make_rpc
        self._rpc = make_rpc()
        self._engine = engine
        self._deployment = deployment
        self._plan = plan
        self._progress = progress
        self._beside = beside
        self.report = Report(pin=hexes.shown(plan.pin), sample=plan.sample)

    def run(self) -> Report:
        """Looks at everything. Raises AuditError or ChainError where it cannot; what differs is in the report."""
        try:
            with self._timed("pin"):
                header, storage, contracts = self._pin()
            # Where the code is not the deployment's, nothing that follows would mean anything.
            if self.report.found == 0:
                self._audit(header, storage, contracts)
                self.report.finished = True
        except Stopped as error:
            if self._left():
                raise PinMissing(
                    "The node's chain has left the pinned block. Pin a block of its chain now, deep enough to stay."
                ) from error
            self.report.differs(error.difference)
        except (LookupError, TypeError, ValueError, AttributeError, StateInvalid) as error:
            if self._plan.finished is None:
                raise
            # Whoever can write the file can seal it, too: what it holds is found to be rubbish only on the way.
            raise RecordInvalid(
                f"{self._plan.finished} does not hold together ({type(error).__name__}). Audit from the start."
            ) from error
        finally:
            self._rpc.close()
        return self.report

    def _left(self) -> bool:
        """Whether the node has another block in the pin's place: then it is not asked of the pin's chain any more."""
        if self.report.number == 0:
            return False
        raw = self._rpc.call("eth_getBlockByNumber", hex(self.report.number), False)
        return isinstance(raw, dict) and raw.get("hash") not in (None, self.report.pin)

    # The pin, and what lies at it

    def _pin(self) -> tuple[ProvenHeader, Storage, Contracts]:
        self._progress.stage("the pinned block and its contracts", 1)
        header = links.pinned(self._rpc, self._plan.pin)
        self.report.number, self.report.time = header.number, header.time
        if header.number < self._deployment.start_block:
            raise PinUnusable(
                f"Block {header.number} is before the deployment, which began with block "
                f"{self._deployment.start_block}. Pin a later one."
            )
        storage = Storage(self._rpc, header)
        contracts = tokens.prove(storage, self._deployment)
        for difference in contracts.differences:
            self.report.differs(difference)
        self._progress.walked(1)
        return header, storage, contracts

    def _audit(self, header: ProvenHeader, storage: Storage, contracts: Contracts) -> None:
        plan = self._plan
        finished = self._finished(header)
        first = finished.number if finished else 0
        with self._timed("headers"):
            self._progress.stage("headers", header.number - first)
            chain = links.read(self._rpc, header, first, contracts.addresses, self._progress.walked)
            self.report.count("headers", header.number - first + 1)
            self._check_first(chain, finished)
        expected, replay = self._begin(contracts, storage, finished)
        with snapshot(self._engine) as connection:
            extent = self._extent(connection, chain)
            if plan.sample is not None:
                self._sampled(connection, chain, contracts, storage, plan.sample)
                return
            since = finished.number + 1 if finished else 0
            history = streams.Histories(connection, since if finished else None, self.report.differs)
            try:
                with self._timed("blocks"):
                    self._blocks(chain, since, contracts, expected, replay, history)
            finally:
                # Also where it stopped: what was judged before stands on proven blocks.
                for difference in replay.differences:
                    self.report.differs(difference)
                self.report.found += replay.found - len(replay.differences)
            self.report.count("rows after the pin", history.end(chain.last, extent.last))
            with self._timed("mirror"):
                self._mirror(connection, chain, extent, expected, history, since)
            if self._beside is not None:
                with self._timed("gateway"):
                    self._progress.stage("rows of the gateway", 1)
                    self.report.count("rows of the gateway", self._beside(connection, self.report.differs, extent.last))
                    self._progress.walked(1)
        with self._timed("storage"):
            self._storage(storage, contracts, expected, replay)
        if plan.save is not None and self.report.found == 0:
            self.report.saved = self._record(header, expected, replay).write(plan.save)

    # Where it begins

    def _finished(self, header: ProvenHeader) -> record.Record | None:
        if self._plan.finished is None:
            return None
        found = record.Record.read(self._plan.finished)
        if found.chain_id != self._deployment.chain_id or found.genesis_hash != self._deployment.genesis_hash:
            raise RecordInvalid("The finished audit is of another chain than the deployment.")
        if found.number > header.number:
            raise RecordInvalid(f"The finished audit ended at block {found.number}, after the pinned {header.number}.")
        self.report.since = found.number
        return found

    def _check_first(self, chain: Links, finished: record.Record | None) -> None:
        """The chain of headers ends where it must: at the deployment's first block, or where the last audit ended."""
        right = finished.hash if finished else self._deployment.genesis_hash
        said = hexes.shown(chain.hash(chain.first))
        if said != right:
            what = "block of the finished audit" if finished else "genesis"
            raise Stopped(
                Difference(
                    kind=CHAIN, where=Where(block=chain.first), what=what, said=said, right=right, rule="12.2",
                    look="The pinned block does not stand on this chain: the pin, the deployment or the file is wrong.",
                )
            )  # fmt: skip

    def _begin(self, contracts: Contracts, storage: Storage, finished: record.Record | None) -> tuple[Expected, Replay]:
        expected = Expected(contracts.address("RedemptionDesk"), contracts.rows)
        facts = self._facts(contracts, storage)
        if finished is None:
            return expected, Replay(facts)
        record.restore(finished, expected)
        return expected, Replay.restore(facts, finished.replay.encode())

    def _facts(self, contracts: Contracts, storage: Storage) -> Facts:
        def terms(token: str) -> TokenTerms:
            row = contracts.rows[Address(token)]
            return TokenTerms(
                epoch_s=row["epoch_s"], lifetime_epochs=row["lifetime_epochs"], grace_s=row["grace_s"],
                origin=row["origin"], name=row["name"],
            )  # fmt: skip

        later = {name: at for at, name in contracts.names.items()}
        timelock, rules_of_votes = votes.terms_of(self._rpc, storage, contracts, self._deployment.codec)
        return Facts(
            registry=contracts.address("PartnerRegistry"),
            rules=contracts.address("RewardRules"),
            desk=contracts.address("RedemptionDesk"),
            exchange=contracts.address("PartnerExchange"),
            house=contracts.address("ClearingHouse"),
            authority=contracts.address("AccessManager"),
            implementation=self._deployment.address("LoyaltyToken"),
            chain_id=self._deployment.chain_id,
            terms=terms,
            openings=later.get("OpeningBalances", ""),
            badges=later.get("Badges", ""),
            governor=later.get("ProgrammeGovernor", ""),
            snapshots=later.get("Snapshots", ""),
            timelock=timelock,
            votes=rules_of_votes,
        )

    def _extent(self, connection: Connection, chain: Links) -> rows.Extent:
        """How far the mirror is. Raises MirrorMissing when it is not at the pinned block, or of another chain."""
        extent = rows.extent(connection)
        if extent.genesis_hash != self._deployment.genesis_hash:
            raise MirrorMissing(f"The mirror follows a chain that begins with {extent.genesis_hash}, not this one.")
        if extent.last < chain.last:
            raise MirrorMissing(
                f"The mirror is at block {extent.last}, the pin is {chain.last}: wait for it, or pin an older block."
            )
        self.report.count("blocks of the mirror after the pin", extent.last - chain.last)
        if extent.last > chain.last:
            self._check_tail(extent)
        else:
            right = hexes.shown(chain.hash(chain.last)), chain.time(chain.last)
            for name, said, proven in zip(
                ("block_hash", "block_time"), (extent.last_hash, extent.last_time), right, strict=True
            ):
                if said != proven:
                    self.report.differs(_checkpoint(name, said, proven))
        if extent.start != self._deployment.start_block:
            self.report.differs(_checkpoint("start_block", str(extent.start), str(self._deployment.start_block)))
        # Nothing forgets history yet: a mirror that says it lacks some would excuse versions that were removed.
        if extent.history_from > self._deployment.start_block:
            began = str(self._deployment.start_block)
            self.report.differs(_checkpoint("history_from", str(extent.history_from), began))
        return extent

    def _check_tail(self, extent: rows.Extent) -> None:
        """A row may be of a block after the pin only if there is such a block: the mirror's last one is the node's.

        Raises MirrorMissing when the node has another one there, or none: one of the two is behind, or lies.
        """
        raw = self._rpc.call("eth_getBlockByNumber", hex(extent.last), False)
        if not isinstance(raw, dict) or raw.get("hash") != extent.last_hash:
            raise MirrorMissing(
                f"The mirror says that it is at block {extent.last} ({extent.last_hash}), which the node does not "
                "have. Wait until both are of one chain, or ask a node that is not behind."
            )

    # Blocks

    def _blocks(
        self, chain: Links, since: int, contracts: Contracts, expected: Expected, replay: Replay,
        history: streams.Histories,
    ) -> None:  # fmt: skip
        numbers = [number for number in self._wanted(chain) if number >= since]
        self._progress.stage("blocks with events", len(numbers))
        passed = since
        for block in self._read(chain, numbers, contracts):
            number, at = block.header.number, block.header.time
            self._pass_time(chain, passed, number - 1, expected, history)
            passed = number + 1
            _tell_births(block, contracts)
            ended = expected.pass_time(number, hexes.shown(chain.hash(number)), at)
            mirrored, entries = expected.block(number, at, block.logs)
            history.block(number, mirrored, ended + entries)
            before = chain.time(number - 1) if number > chain.first else None
            replay.block(number, at, block.logs, _sent(block), before)
            self.report.count("events", len(block.logs))
            self.report.count("transactions", block.transactions)
            self.report.count("blocks rebuilt")
            self._progress.walked(1)
        self._pass_time(chain, passed, chain.last, expected, history)

    def _pass_time(
        self, chain: Links, first: int, last: int, expected: Expected, history: streams.Histories
    ) -> None:  # fmt: skip
        """Blocks without an event of ours, as their blooms prove: what ends in them, ends by their time alone."""
        for number in range(first, last + 1):
            ended = expected.pass_time(number, hexes.shown(chain.hash(number)), chain.time(number))
            if ended:
                history.block(number, [], ended)

    def _wanted(self, chain: Links) -> list[int]:
        if self._plan.every_block:
            return [number for number in range(chain.first, chain.last + 1) if chain.filled(number)]
        return chain.flagged_numbers()

    def _read(self, chain: Links, numbers: list[int], contracts: Contracts) -> Iterator[Block]:
        """The blocks, checked; while one batch is looked at the next is fetched."""
        reader = Reader(self._deployment.codec, contracts.names)
        ahead = self._make_rpc()
        at, size = 0, 4

        def fetch() -> Future[Fetched] | None:
            nonlocal at
            wanted = [(number, chain.hash(number)) for number in numbers[at : at + size]]
            at += len(wanted)
            return hand.submit(reader.fetch, ahead, wanted) if wanted else None

        try:
            with ThreadPoolExecutor(1) as hand:
                coming = fetch()
                while coming is not None:
                    fetched = coming.result()
                    coming = fetch()
                    logs = 0
                    for block in reader.check(fetched):
                        logs += block.logs_total
                        yield block
                    # As many blocks at once as bring about LOGS_PER_BATCH logs: memory is bounded, however full.
                    each = max(1, logs // len(fetched.wanted))
                    size = max(1, min(BLOCKS_PER_BATCH_MAX, 2 * size, LOGS_PER_BATCH // each))
        finally:
            ahead.close()

    # Mirror and storage

    def _mirror(
        self, connection: Connection, chain: Links, extent: rows.Extent, expected: Expected,
        history: streams.Histories, since: int,
    ) -> None:  # fmt: skip
        self._progress.stage("rows of the mirror", 2)
        comparison = rows.Comparison(
            connection, expected.ledger, extent, since or None, chain.last, self.report.differs
        )
        comparison.run()
        comparison.lot_ends(expected.lot_ends.blocks)
        self._progress.walked(1)

        def of(number: int) -> tuple[str, int]:
            return hexes.shown(chain.hash(number)), chain.time(number)

        # The mirror stands on the block before the deployment's first.
        first = since or max(0, self._deployment.start_block - 1)
        blocks = streams.compare_blocks(
            connection, first, chain.last, extent.last, of, self.report.differs, alone=not since
        )
        self._progress.walked(1)
        self.report.count("rows", history.compared + comparison.compared + blocks)
        self.report.count("rows changed after the pin", comparison.later)

    def _storage(self, storage: Storage, contracts: Contracts, expected: Expected, replay: Replay) -> None:
        found, walked, address = self.report.differs, self._progress.walked, contracts.address
        asked = [
            ("RewardRules", address("RewardRules"), against_storage.facts_of_rules(expected)),
            ("RedemptionDesk", address("RedemptionDesk"), against_storage.facts_of_desk(expected)),
            ("ClearingHouse", address("ClearingHouse"), against_storage.facts_of_house(expected)),
            ("PartnerRegistry", address("PartnerRegistry"), against_storage.facts_of_registry(expected)),
            ("AccessManager", address("AccessManager"), against_storage.facts_of_roles(expected)),
        ]
        openings = replay.books.openings.openings
        if openings:
            facts = against_storage.facts_of_openings(openings)
            asked.append(("OpeningBalances", address("OpeningBalances"), facts))
        governor = replay.books.governor
        if isinstance(governor, StatedGovernor):
            asked.append((votes.GOVERNOR, address(votes.GOVERNOR), votes.facts_of_governor(governor)))
            asked.append((votes.SNAPSHOTS, address(votes.SNAPSHOTS), votes.facts_of_snapshots(governor)))
        asked += [
            ("LoyaltyToken", token, against_storage.facts_of_token(expected, token, replay.supply(token)))
            for token in contracts.rows
        ]
        self._progress.stage("storage", sum(len({fact.at.slot for fact in facts}) for _, _, facts in asked))
        for contract, at, facts in asked:
            self.report.count("facts in storage", against_storage.check(storage, contract, at, facts, found, walked))
        for token, clock in contracts.clocks.items():
            lots = against_storage.check_supply(storage, expected, token, clock, self.report.time, found)
            self.report.count("facts in storage", lots)
        for account, block in replay.third_parties.items():
            against_storage.check_has_code(storage, account, block, found)
            self.report.count("facts in storage")
        self.report.count("slots proven", storage.proven)

    # A quick one

    def _sampled(
        self, connection: Connection, chain: Links, contracts: Contracts, storage: Storage, sample: Sample
    ) -> None:
        with self._timed("sample"):
            numbers = sampling.chosen(self._wanted(chain), sample.size, f"blocks {sample.seed}")
            self._progress.stage("blocks of the sample", len(numbers))
            for block in self._read(chain, numbers, contracts):
                sampling.compare_events(connection, block, self.report)
                self._progress.walked(1)
            self._progress.stage("accounts of the sample", sample.size)
            sampling.compare_accounts(connection, storage, contracts, sample, self.report, self._progress.walked)

    def _record(self, header: ProvenHeader, expected: Expected, replay: Replay) -> record.Record:
        return record.of(
            expected,
            chain_id=self._deployment.chain_id,
            genesis_hash=self._deployment.genesis_hash,
            number=header.number,
            hash_=hexes.shown(header.hash),
            replay=replay.state(),
        )

    @contextmanager
    def _timed(self, stage: str) -> Iterator[None]:
        began = time.monotonic()
        try:
            yield
        finally:
            self.report.seconds[stage] = self.report.seconds.get(stage, 0.0) + time.monotonic() - began


def _tell_births(block: Block, contracts: Contracts) -> None:
    """A token's row names the block of its invitation."""
    for log in block.logs:
        if log.name == "BrandInvited" and log.args["token"] in contracts.rows:
            contracts.rows[log.args["token"]]["since_block"] = log.block_number


def _sent(block: Block) -> dict[str, Sent]:
    """The transactions behind the logs: who signed, whom it called, with what."""
    found = {}
    for tx_hash, raw in block.sent.items():
        transaction = transactions.decode(raw)
        to = None if transaction.to is None else hexes.shown(transaction.to)
        found[tx_hash] = Sent(by=hexes.shown(transactions.sender(raw)), to=to, data=transaction.data)
    return found


def _checkpoint(what: str, said: Any, right: Any) -> Difference:
    return Difference(
        kind=MIRROR, where=Where(table="mirror_checkpoint", key=(1,)), what=what, said=said, right=right, rule="12.5",
        look="SELECT * FROM mirror_checkpoint",
    )  # fmt: skip


__all__ = ["Audit", "Plan", "Progress", "Report", "Sample"]
