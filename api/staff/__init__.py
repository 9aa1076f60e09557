"""Who works for a brand or the programme: people with roles, who come in as everybody does."""
