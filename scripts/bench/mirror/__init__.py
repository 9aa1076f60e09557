"""The mirror: reading a chain from nothing, and committing to tables of any size."""
