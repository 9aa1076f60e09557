"""Evidence: bundles that a stranger checks offline, memos shown in part, receipts that the gateway signs.

`FORMAT.md` is the contract between whoever makes a document and whoever checks one; `wallet/src/verify/verify.ts` is a
second verifier, written from it. Nothing here that verifies asks a node, a database or the clock.
"""
