"""Whether the gateway lives and can do its work."""
