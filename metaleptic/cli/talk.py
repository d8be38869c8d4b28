"""What every command shares: the app, errors and warnings as sentences on stderr, progress, common options."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Annotated, TextIO

import typer
from rich.console import Console

from metaleptic.errors import MetalepticError, MetalepticWarning, OptionError

app = typer.Typer(
    name="metaleptic",
    help="Meta-analysis of what papers print: pool, audit and report published numbers.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
JSON = Annotated[bool, typer.Option("--json", help="Write the result as JSON, for machines.")]
Column = Annotated[str | None, typer.Option(help="Column of that name, if it is called otherwise.")]


@contextmanager
def plain_talk() -> Iterator[None]:
    """Turn the package's warnings and errors into one sentence each on stderr; exit 1 for data, 2 for usage."""
    talk = Console(stderr=True, soft_wrap=True, highlight=False)

    def show(
        message: Warning | str,
        category: type[Warning],
        filename: str,
        lineno: int,
        file: TextIO | None = None,
        line: str | None = None,
    ) -> None:
        talk.print(f"warning: {message}", style="yellow", markup=False)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warnings.simplefilter("always", MetalepticWarning)
        warnings.showwarning = show
        try:
            yield
        except MetalepticError as err:
            talk.print(f"error: {err}", style="red", markup=False)
            raise typer.Exit(2 if isinstance(err, OptionError) else 1) from None
        except OSError as err:
            talk.print(f"error: {err.filename or ''}: {err.strerror or err}", style="red", markup=False)
            raise typer.Exit(1) from None


@contextmanager
def progress() -> Iterator[Callable[[str, int, int], None] | None]:
    """Show a progress bar on a terminal, nothing elsewhere."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("pooling", total=None)
        yield lambda words, number, total: bar.update(task, description=words[:60], completed=number - 1, total=total)


def note(texts: Iterable[str]) -> None:
    """Print notes on a result to stderr."""
    talk = Console(stderr=True, soft_wrap=True, highlight=False)
    for text in texts:
        talk.print(f"note: {text}", markup=False)
