"""The contracts' rules in plain Python, written from SPECIFICATION.md chapters 1-6 and never from the Solidity.

    ledger = Ledger(Parties(...))
    ledger.rules.award(Call(by=issuer, at=block_time), brand_id, Item(...))
    ledger.facts()          # what the contracts would have emitted, in order

Exact integers, no I/O, no clock of its own: time comes with each call. A call either does all it says or raises the
`errors.Refused` with the Solidity error's name and values, and then nothing has changed.
"""
