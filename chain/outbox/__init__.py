"""The transactional outbox: operations, the transactions that carry them, every step of a state."""
