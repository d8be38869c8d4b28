"""Configuration of the documentation; ``make docs`` builds it, warnings are errors."""

from __future__ import annotations

import json
import os
import shutil
import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))
os.environ.setdefault("MPLBACKEND", "agg")

import calibration_page  # noqa: E402
import page_code  # noqa: E402
import registry_tables  # noqa: E402

from metaleptic import __version__  # noqa: E402

project = "metaleptic"
author = "The metaleptic developers"
copyright = "the metaleptic developers, MIT licence"
release = version = __version__
language = "en"

extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.autosummary", "numpydoc", "sphinx_design"]
exclude_patterns = ["_build"]
templates_path = ["_templates"]

# Pages are Markdown. The notebook is shown with the outputs it is stored with; a test runs it again.
nb_execution_mode = "off"
myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3

# The reference is the docstrings: types stand there, so signatures stay short.
autosummary_generate = True
# Effects and effects would be one file where names are not told apart by case.
autosummary_filename_map = {"metaleptic.Effects": "metaleptic.types.Effects"}
autodoc_typehints = "none"
autodoc_member_order = "bysource"
numpydoc_show_class_members = False
add_module_names = False

html_theme = "pydata_sphinx_theme"
html_title = "metaleptic"
html_static_path = ["_static"]
html_css_files = ["style.css"]
html_copy_source = False
html_show_sourcelink = False
html_theme_options = {
    "navbar_align": "left",
    "navbar_end": ["theme-switcher"],
    "show_prev_next": True,
    "show_toc_level": 2,
    "secondary_sidebar_items": ["page-toc"],
    "footer_start": ["copyright"],
    "footer_end": [],
    "pygments_light_style": "tango",
    "pygments_dark_style": "github-dark",
}
html_sidebars = {"index": [], "changelog": []}

# Pages whose code draws the figures that they show, into the folder "generated" beside them.
WITH_FIGURES = ("index.md", "how-to/forest-plot.md", "how-to/publication-bias.md", "how-to/robustness.md")


def prepare(app: object) -> None:
    """Make the parts of the site that come from elsewhere: the notebook, the tables of methods, the figures."""
    for notebook in sorted((HERE.parent / "notebooks").glob("*.ipynb")):
        _update(HERE / "tutorial" / "generated" / notebook.name, _with_alternative_texts(notebook).encode())
    _update(HERE / "reference" / "generated" / "tables.md", registry_tables.page().encode())
    for folder in sorted({(HERE / name).parent / "generated" for name in WITH_FIGURES}):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
    calibration_page.figure(HERE / "explanation" / "generated" / "calibration.svg")
    for name in WITH_FIGURES:
        figures = (HERE / name).parent / "generated"
        for _ in page_code.run_python(HERE / name, figures):
            pass


def _with_alternative_texts(notebook: Path) -> str:
    """Return a notebook whose figures carry their description in words, the plain form of the same output."""
    content = json.loads(notebook.read_text(encoding="utf-8"))
    for cell in content["cells"]:
        for output in cell.get("outputs", []):
            data = output.get("data", {})
            if "image/png" in data:
                cell["metadata"]["mystnb"] = {"image": {"alt": "".join(data["text/plain"])}}
    return json.dumps(content, ensure_ascii=False)


def _update(path: Path, content: bytes) -> None:
    """Write only what has changed, so that an unchanged page is not built again."""
    if not path.is_file() or path.read_bytes() != content:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def setup(app: object) -> None:
    """Connect the preparation to the build."""
    app.connect("builder-inited", prepare, priority=100)  # type: ignore[attr-defined]
