"""Ganache and Anvil under supervision."""
