"""How it reaches people: one view of a member, its history, the live stream, the books."""
