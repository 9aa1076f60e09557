"""Moa put on a chain, as plan.toml declares it."""
