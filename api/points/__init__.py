"""Holds and exchanges."""
