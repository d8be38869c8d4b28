"""The code on a documentation page: found, run top to bottom, and its output compared with what the page shows.

A ``python`` block may be followed by a ``text`` block: that is what the code must print, warnings included. In a
``console`` block each line after ``$`` is a command, and what follows is what it must print. The tests run every page;
the site build runs the pages whose figures it shows. After a wanted change of an output,
``python docs/page_code.py docs/how-to/proportions.md`` writes the new one into the page; read the difference.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_FENCE = re.compile(r"^```(\w+)[^\n]*\n(.*?)^```[ \t]*$", re.DOTALL | re.MULTILINE)
_PROMPT = re.compile(r"^\$ ", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Block:
    """A piece of code on a page: from where to where its shown output stands, and that output (None without one)."""

    code: str
    line: int
    shown: str | None
    start: int
    end: int


def python_blocks(text: str) -> list[Block]:
    """Return the ``python`` blocks of a page."""
    fences = list(_FENCE.finditer(text))
    found = []
    for fence, after in zip(fences, [*fences[1:], fences[-1]] if fences else [], strict=True):
        if fence[1] == "python":
            line = text.count("\n", 0, fence.start()) + 2
            if after[1] == "text" and not text[fence.end() : after.start()].strip():
                found.append(Block(fence[2], line, after[2], *after.span(2)))
            else:
                found.append(Block(fence[2], line, None, 0, 0))
    return found


def commands(text: str) -> list[Block]:
    """Return the commands of the ``console`` blocks of a page."""
    found = []
    for fence in _FENCE.finditer(text):
        if fence[1] == "console":
            for part in _PROMPT.split(fence[2])[1:]:
                command, _, shown = part.partition("\n")
                start = fence.start(2) + fence[2].index(part) + len(command) + 1
                found.append(Block(command, text.count("\n", 0, start), shown, start, start + len(shown)))
    return found


def run_python(page: Path, folder: Path) -> Iterator[tuple[Block, str]]:
    """Run the Python blocks of a page one after the other in ``folder``; yield each with what it printed."""
    names: dict[str, object] = {"__name__": "__main__"}
    before = Path.cwd()
    os.chdir(folder)
    try:
        for block in python_blocks(page.read_text(encoding="utf-8")):
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


def run_commands(page: Path, folder: Path) -> Iterator[tuple[Block, str]]:
    """Run the commands of a page in ``folder``, with the ``metaleptic`` of this Python; yield each with all it printed."""
    path = os.pathsep.join((str(Path(sys.executable).parent), os.environ.get("PATH", "")))
    environment = os.environ | {"PATH": path, "NO_COLOR": "1", "COLUMNS": "100", "PYTHONUTF8": "1"}
    for block in commands(page.read_text(encoding="utf-8")):
        done = subprocess.run(
            block.code, shell=True, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            check=False,
        )  # fmt: skip
        yield block, done.stdout.decode()


def update(page: Path) -> None:
    """Write what the code of a page prints into the page."""
    changes = []
    for run in (run_python, run_commands):
        with tempfile.TemporaryDirectory() as folder:
            changes += [x for x in run(page.resolve(), Path(folder)) if x[0].shown is not None]
    text = page.read_text(encoding="utf-8")
    for block, printed in sorted(changes, key=lambda x: -x[0].start):
        kept = printed.rstrip() + "\n" if printed.strip() else ""
        text = text[: block.start] + kept + text[block.end :]
    page.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    for name in sys.argv[1:]:
        update(Path(name))
