"""Benchmarks: every figure beside another that was measured in the same run."""
