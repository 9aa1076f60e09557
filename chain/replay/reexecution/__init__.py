"""Calls made again in the model, and what is taken over where they cannot be."""
