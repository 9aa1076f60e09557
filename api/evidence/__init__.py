"""Bundles, receipts and memos over HTTP."""
