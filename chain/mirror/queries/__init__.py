"""The one way to read the mirror's tables: typed rows by prepared statements, one noun a file.

Whoever reads gives a look (chain.storage.looks) and gets NamedTuples, in the order that the function names. Nothing
outside chain.mirror names a table of the mirror (SPEC 8.43); the history of a block that has passed is in
chain.mirror.history. Units: amounts are decimal text of base units, addresses and hashes lower-case 0x hex,
`*_time`, `*_at` and `*_until` unix seconds, `*_at_ms` unix milliseconds.

    checkpoint   where the mirror is; how sure a block is
    blocks       the blocks that it knows
    entries      lines of accounts' histories
    sums         entries added up, for reports
    events       decoded logs
    award_proofs what a return brings of the award that it takes back
    balances     what accounts hold; `accounts` all that a member's view needs, in one statement
    holds        points set aside
    brands       tokens, standings, rules by which awards are paid
    programmes   rules and agreements as they were published
    supply       points ever minted, ever burnt, and by the epoch in which they end
    clearing     what brands owe each other, and what secures it
    reorgs       blocks that were taken back
"""
