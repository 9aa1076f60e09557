"""A mirror of any plain ERC-20 on any node: rows, balances, checkpoint and block hash in one SQL transaction.

transfers    what a log says                reading      blocks and logs, doubted
identity     which chain a node shows       token        what the token's contract says
prefetch     reading ahead in a backfill    store        the tables; sqlite and postgresql below it
follower     the loop                       waiting      what it says while it waits
digest       one hash over all rows         check        balances beside the token's own
"""
