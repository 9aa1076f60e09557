"""The gateway's own tables beside what the chain and the log of acts say of them (SPEC 25)."""
