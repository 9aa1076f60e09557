"""`python -m scripts.cli`: the `moa` command."""

from scripts.cli.app import main

main()
