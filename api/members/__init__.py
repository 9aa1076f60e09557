"""Brands' keys, members and sessions."""
