"""Every notebook runs, quietly, prints what is stored in it, and quotes its own outputs correctly."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat
import pytest
from jupyter_client.kernelspec import KernelSpec, KernelSpecManager
from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient
from traitlets import default

FOLDER = Path(__file__).parent.parent / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))


class ThisPython(KernelSpecManager):
    """Offers one kernel: the Python that runs the tests, whatever is installed elsewhere."""

    def get_kernel_spec(self, kernel_name: str) -> KernelSpec:
        """Return that kernel under any name."""
        argv = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
        return KernelSpec(argv=argv, display_name=kernel_name, language="python")


class Manager(AsyncKernelManager):
    """Starts that kernel."""

    @default("kernel_spec_manager")
    def _this_python(self) -> KernelSpecManager:
        return ThisPython()


def _executed(path: Path) -> Any:
    notebook = nbformat.read(path, as_version=4)
    resources = {"metadata": {"path": str(FOLDER)}}
    # The client makes the manager itself: only then does it close the kernel's sockets too.
    client = NotebookClient(
        notebook, kernel_manager_class=Manager, kernel_name="python3", timeout=120, resources=resources
    )
    return client.execute()


def _texts(cell: Any) -> list[str]:
    """Return what a cell shows in words: printed text (which may arrive in pieces), then the plain form of results."""
    outputs = cell.get("outputs", [])
    printed = "".join(o.text for o in outputs if o.output_type == "stream")
    return [printed, *(o.data.get("text/plain", "") for o in outputs if "data" in o)]


def _prose(notebook: Any) -> Iterator[str]:
    return (cell.source for cell in notebook.cells if cell.cell_type == "markdown")


def test_there_are_notebooks() -> None:
    """The tests below would pass on nothing."""
    assert NOTEBOOKS


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.name)
def test_notebook_runs_and_shows_what_is_stored(path: Path) -> None:
    """Run from an empty kernel: no error, nothing on stderr, and every text output as stored."""
    stored, fresh = nbformat.read(path, as_version=4), _executed(path)
    for before, after in zip(stored.cells, fresh.cells, strict=True):
        noise = [o for o in after.get("outputs", []) if o.output_type == "error" or o.get("name") == "stderr"]
        assert not noise, before.source
        assert _texts(after) == _texts(before), before.source


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.name)
def test_notebook_is_clean(path: Path) -> None:
    """Stored with all outputs, run top to bottom, and without object ids, paths or warnings of anyone's machine."""
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in code] == list(range(1, len(code) + 1))
    shown = "\n".join(text for cell in code for text in _texts(cell))
    assert not re.search(r"0x[0-9a-f]{6,}|(?<![\w.])/[A-Za-z]\w*/|[A-Z]:\\|site-packages|ipykernel", shown)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.name)
def test_numbers_in_the_prose_stand_in_the_outputs(path: Path) -> None:
    """Every number with a decimal point in the text is one that some cell shows."""
    notebook = nbformat.read(path, as_version=4)
    shown = "\n".join(text for cell in notebook.cells if cell.cell_type == "code" for text in _texts(cell))
    numbers = set(re.findall(r"(?<![\d.])\d+\.\d+(?![\d.])", shown))
    quoted = {n for text in _prose(notebook) for n in re.findall(r"(?<![\d.])\d+\.\d+(?![\d.])", text)}
    assert quoted <= numbers, sorted(quoted - numbers)
