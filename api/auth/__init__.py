"""Who is calling: keys and sessions."""
