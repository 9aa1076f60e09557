"""Moa's contracts as seen from outside: ABI, addresses, signatures, packed lots, memos."""
