"""Databases and keys: engines, transactions, many rows at once, columns, the keystore."""
