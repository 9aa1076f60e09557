"""Who: brands, members, their identifiers, keys and sessions."""
