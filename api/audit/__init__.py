"""The auditor's view: the log of acts with its proofs, and everything of the ledger with nothing personal in it."""
