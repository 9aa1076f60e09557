"""Faults of the vault. None is a refusal of a caller: what was shredded is told as absent."""

from __future__ import annotations


class Shredded(Exception):
    """The key of this person was destroyed; nothing of them can be sealed or opened any more."""
