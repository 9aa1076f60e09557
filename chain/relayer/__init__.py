"""Takes operations from the outbox and gives each exactly one effect on the chain."""
