"""Bounds and tempo of the relayer."""

from dataclasses import dataclass

from chain.outbox.fair_queue import BACKLOG_MAX, BULK, PERSON


@dataclass(frozen=True)
class RelayerSettings:
    """Times end in their unit; counts are of one signer where nothing else is said."""

    # Keys that award and bring what members signed; and those that act as tills, which the contracts keep apart.
    signers: int = 1
    tills: int = 1
    batch_items_max: int = 200
    batch_delay_ms: int = 50
    singles_max: int = 16
    # At the node and not mined; and mined too, as long as nobody has told what became of it.
    in_flight_max: int = 8
    # Of these a file of lines leaves so many to what a person waits for; and so often in a row such transactions may
    # go past the lines.
    reserve: int = 2
    passes_max: int = 8
    # On a node that mines at once, what waits behind a batch waits for all of it. While people were about within the
    # last beside_s, lines go in batches of so many, one at a time, and give way to people, but for one batch in
    # lines_every_s.
    beside_s: float = 30.0
    beside_items_max: int = 20
    lines_every_s: float = 0.5
    undecided_max: int = 32
    poll_s: float = 0.02
    # Nothing to do: so long between two rounds, the longer nothing comes the longer, and never past the moment at
    # which time itself brings something. Whatever is queued ends the pause; beneath that, whether anything was
    # committed is asked so often.
    idle_s: float = 1.0
    idle_s_max: float = 5.0
    idle_look_s: float = 0.5
    # Between two looks at the node when it announces its blocks; without announcements every round looks.
    look_s: float = 0.25
    # The mirror usually tells of a transaction; asking the node for a receipt as well costs it a second rendering of
    # every log. When the mirror does not move for this time, the receipt is asked for all the same.
    receipt_grace_s: float = 2.0
    # A transaction that is not mined is offered again, and after a while with a higher fee, never above the cap.
    resend_after_s: float = 10.0
    replace_after_s: float = 30.0
    # What the node refuses for fee, balance or nonce is offered again after this pause: waiting may help.
    offer_again_s: float = 1.0
    # A nonce that the chain lacks, and that nothing of ours is on its way to, is filled after this time.
    gap_after_s: float = 5.0
    # How often the waiting and the locked are looked at, and how many of each are queued in one round.
    retry_every_s: float = 1.0
    retries_max: int = 500
    # Of a brand's locked no more are queued than bring its queue to what the gateway takes at most.
    backlog_max: int = BACKLOG_MAX[PERSON]
    backlog_lines_max: int = BACKLOG_MAX[BULK]
    simulation_patience_s: float = 60.0
    # A transaction the node refuses for a reason nobody knows gives its nonce up after this time.
    refusal_patience_s: float = 60.0
    tip_wei: int = 1_000_000_000
    fee_cap_wei: int = 500_000_000_000
    # A signer with less takes no new work; None: what one full batch may cost at the fee of the moment.
    balance_min_wei: int | None = None
    balance_every_s: float = 5.0
    # The circuit breaker: so many failures of one cause in a row open it for the pause, which doubles each time.
    breaker_failures_max: int = 8
    breaker_pause_s: float = 2.0
    breaker_pause_s_max: float = 15.0
    # A node that shows another chain, or our contracts gone, for so long is believed, and the relayer stops.
    replaced_after_s: float = 3.0

    def backlog(self) -> dict[int, int]:
        """What a brand's queue may hold of single requests and of lines."""
        return {PERSON: self.backlog_max, BULK: self.backlog_lines_max}
