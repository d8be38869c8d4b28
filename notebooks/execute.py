"""Run every notebook in this Python and store its outputs, without times or other marks that change from run to run."""

from __future__ import annotations

from pathlib import Path

import nbformat
from nbclient import NotebookClient

FOLDER = Path(__file__).parent


def main() -> None:
    """Execute the notebooks in place."""
    for path in sorted(FOLDER.glob("*.ipynb")):
        notebook = nbformat.read(path, as_version=4)
        resources = {"metadata": {"path": str(FOLDER)}}
        NotebookClient(
            notebook,
            kernel_name="python3",
            timeout=300,
            resources=resources,
            record_timing=False,
            coalesce_streams=True,
        ).execute()
        notebook.metadata.language_info = {"name": "python"}
        for cell in notebook.cells:
            cell.metadata.pop("execution", None)
        nbformat.write(notebook, path)


if __name__ == "__main__":
    main()
