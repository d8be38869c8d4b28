"""``python -m metaleptic``: the command line."""

from metaleptic.cli import main

main()
