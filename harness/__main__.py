"""`python -m harness` is the `samestep` command."""

from harness.cli import main

main()
