"""What everything stands on: errors, hashes, the clock, what reverts say, how a difference is told."""
