"""Proofs against a block hash: pure functions over bytes, with no node, no database and no clock."""
