"""Signs of life and counters, written by the loops."""
