"""What brands report of everything that happened: one envelope, a typed schema for every kind, each counted once."""
