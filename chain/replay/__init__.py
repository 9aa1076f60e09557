"""The contracts' rules, replayed from their events by the Python model.

Uses the model, the codec and the shape of a difference; knows no node and no database.
"""

from chain.replay.decoding.facts import Facts, Sent, TokenTerms
from chain.replay.replay import Block, Replay, replay

__all__ = ["Block", "Facts", "Replay", "Sent", "TokenTerms", "replay"]
