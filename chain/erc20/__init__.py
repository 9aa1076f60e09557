"""A mirror of any plain ERC-20 on any node: rows, balances, checkpoint and block hash in one SQL transaction.

transfers    what a log says                reading      blocks and logs, doubted
prefetch     reading ahead in a backfill    store        the tables; sqlite and postgresql below it
follower     the loop                       digest       one hash over all rows
"""
