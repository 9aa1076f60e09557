"""Where a write begins, counts once and is committed."""
