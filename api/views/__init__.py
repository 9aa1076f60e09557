"""What a member, a brand or anyone sees of the mirror."""
