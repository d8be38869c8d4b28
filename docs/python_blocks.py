"""The code on a documentation page: found, run top to bottom, and its output compared with what the page shows.

A ``python`` block may be followed by a ``text`` block: that is what the code must print, warnings included. The tests
run every page; the site build runs the pages whose figures it shows.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_FENCE = re.compile(r"^```(\w+)[^\n]*\n(.*?)^```[ \t]*$", re.DOTALL | re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Block:
    """One fenced block of code, the line it begins at, and the ``text`` block right after it (None without one)."""

    language: str
    code: str
    line: int
    shown: str | None


def blocks(page: Path, language: str = "python") -> list[Block]:
    """Return the fenced blocks of one language."""
    text = page.read_text(encoding="utf-8")
    fences = list(_FENCE.finditer(text))
    found = []
    for number, fence in enumerate(fences):
        if fence[1] != language:
            continue
        after = fences[number + 1] if number + 1 < len(fences) else None
        near = after is not None and after[1] == "text" and not text[fence.end() : after.start()].strip()
        shown = after[2] if after is not None and near else None
        found.append(Block(language, fence[2], text.count("\n", 0, fence.start()) + 2, shown))
    return found


def run(page: Path, folder: Path) -> Iterator[tuple[Block, str]]:
    """Run the Python blocks of a page one after the other in ``folder``; yield each with what it printed."""
    names: dict[str, object] = {"__name__": "__main__"}
    before = Path.cwd()
    os.chdir(folder)
    try:
        for block in blocks(page):
            lines = "\n" * (block.line - 1) + block.code  # so that a traceback names the line of the page
            with _printed() as out:
                exec(compile(lines, str(page), "exec"), names)
            yield block, out.getvalue()
    finally:
        os.chdir(before)


@contextlib.contextmanager
def _printed() -> Iterator[io.StringIO]:
    """Collect what is printed, and the package's own warnings as lines "Category: message"."""
    from metaleptic.errors import MetalepticWarning

    out = io.StringIO()

    def show(message: Warning | str, category: type[Warning], *_: object) -> None:
        print(f"{category.__name__}: {message}", file=out)

    with contextlib.redirect_stdout(out), warnings.catch_warnings():
        warnings.simplefilter("always", MetalepticWarning)
        warnings.showwarning = show  # type: ignore[assignment]
        yield out
