"""How the loops are, read from their rows."""
