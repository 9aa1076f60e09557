"""What happened: facts that brands report, each counted once."""
