"""Our copy of the chain: entries, balances, holds and obligations, always of one block.

Rows, balances, checkpoint and block hash go into one SQL transaction, so a process killed at any moment leaves a
mirror of some block, never of half of one. When the node's chain and ours part, the way back to the common ancestor
and the way forward on the new branch are one transaction too.

    settings ◀─ checkpoint ◀─ finality, reading, reorg, commit, settle ◀─ loop
"""
