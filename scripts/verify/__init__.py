"""Runs what judges the contracts beside Brownie: mutants, proofs, Slither and gas. Standard library only."""
