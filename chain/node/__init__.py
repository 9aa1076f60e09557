"""One node of an EVM chain: its protocol, its transports, its limits, its heads and its blocks."""
