"""Bounds and tempo of the relayer."""

from dataclasses import dataclass


@dataclass(frozen=True)
class RelayerSettings:
    """Times end in their unit; counts are of one signer where nothing else is said."""

    signers: int = 1
    batch_items_max: int = 200
    batch_delay_ms: int = 50
    singles_max: int = 16
    in_flight_max: int = 3
    poll_s: float = 0.02
    # The mirror usually sees a transaction first; asking the node for a receipt as well costs it a second rendering
    # of every log. After this time the receipt is asked for all the same.
    receipt_grace_s: float = 0.5
    resend_after_s: float = 10.0
    simulation_patience_s: float = 60.0
    tip_wei: int = 1_000_000_000
    fee_cap_wei: int = 500_000_000_000
