"""Queue, relayer and node: how many a second, and what nothing to do costs."""
