"""The demo: real purchases in, a verdict out."""
