"""Logs and inputs as typed values."""
