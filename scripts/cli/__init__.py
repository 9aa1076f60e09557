"""The `moa` command."""
