"""The command line: a thin skin over the public names. Results go to stdout, talk to stderr."""

from __future__ import annotations

from importlib import import_module

from metaleptic.cli.talk import app

# Each module adds its commands to the app; the order here is that of the help.
for _module in ("report", "pool", "pool_bayes", "audit", "reconstruct", "reconstruct_table", "data"):
    import_module(f"metaleptic.cli.{_module}")

__all__ = ["app", "main"]


def main() -> None:
    """Run the command line."""
    app()
