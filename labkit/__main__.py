"""`python -m labkit`, where the command `labkit` is not on the PATH."""

from labkit.cli import main

main()
