"""The documentation tells the truth: its code runs, prints what is shown, and every public name has its entry."""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
from dataclasses import fields
from pathlib import Path
from types import ModuleType

import pytest

import metaleptic as ml
from metaleptic.reporting.analysis import Question

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"


def _load(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, DOCS / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


python_blocks = _load("python_blocks")


def _pages(language: str) -> list[Path]:
    built = {"_build", "generated"}
    pages = [p for p in sorted(DOCS.rglob("*.md")) if not built & set(p.relative_to(DOCS).parts)]
    return [p for p in (ROOT / "README.md", *pages) if python_blocks.blocks(p, language)]


def _id(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("page", _pages("python"), ids=_id)
def test_python_on_a_page_prints_what_the_page_shows(page: Path, tmp_path: Path) -> None:
    """Run a page top to bottom; output and warnings of each block are those shown below it, and none are hidden."""
    for block, printed in python_blocks.run(page, tmp_path):
        assert printed.rstrip() == (block.shown or "").rstrip(), f"{_id(page)}, line {block.line}"


@pytest.mark.parametrize("page", [p for p in _pages("console") if p.name != "README.md"], ids=_id)
def test_commands_on_a_page_print_what_the_page_shows(page: Path, tmp_path: Path) -> None:
    """Run every command of a page in one folder; what it prints (talk included) is what stands below it."""
    path = os.pathsep.join((str(Path(sys.executable).parent), os.environ.get("PATH", "")))
    for block in python_blocks.blocks(page, "console"):
        for entry in re.split(r"^\$ ", block.code, flags=re.MULTILINE)[1:]:
            command, _, shown = entry.partition("\n")
            done = subprocess.run(
                command,
                shell=True,
                cwd=tmp_path,
                env=os.environ | {"PATH": path, "NO_COLOR": "1", "COLUMNS": "100"},
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                encoding="utf-8",
                check=False,
            )
            assert done.stdout.rstrip() == shown.rstrip(), command


def test_code_is_found_on_the_pages() -> None:
    """The two tests above would pass on nothing if the blocks were no longer recognised."""
    assert len(_pages("python")) >= 14
    assert [p.name for p in _pages("console")] == ["command-line.md"]


def test_every_public_name_has_a_reference_entry() -> None:
    """No name can be added to the package without a page in the reference, and no page outlives its name."""
    listed = re.findall(
        r"^   ([A-Za-z_]\w*)$", (DOCS / "reference" / "index.md").read_text(encoding="utf-8"), re.MULTILINE
    )
    assert sorted(listed) == sorted(ml.__all__)


def test_every_key_of_a_question_is_explained() -> None:
    """The page on the analysis file has a line for every key, and for no other."""
    page = (DOCS / "how-to" / "report.md").read_text(encoding="utf-8")
    table = page.partition("### Keys of a question")[2].partition("###")[0]
    assert sorted(re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE)) == sorted(f.name for f in fields(Question))


def test_tables_of_methods_hold_every_entry_of_the_registries() -> None:
    """The page of methods is written from the registries: every key stands in it with its source."""
    from metaleptic.auditing.rules import RULES
    from metaleptic.measures import MEASURES
    from metaleptic.pooling.heterogeneity import TAU2
    from metaleptic.pooling.normal import TESTS
    from metaleptic.pooling.pool import MODELS
    from metaleptic.reporting.kinds import KINDS

    page = _load("registry_tables").page()
    for table in (TAU2, TESTS, MODELS, RULES, KINDS):
        for entry in table.values():
            assert f"| `{entry.key}` |" in page
            assert entry.source in page
    assert all(f"| `{key}` |" in page for key in MEASURES)


def test_every_page_can_be_reached() -> None:
    """Every page stands in a table of contents, so that Sphinx and readers find it."""
    listed = "\n".join(p.read_text(encoding="utf-8") for p in DOCS.rglob("*.md") if "_build" not in p.parts)
    for page in DOCS.rglob("*.md"):
        name = page.relative_to(DOCS).with_suffix("").as_posix()
        if name == "index" or {"_build", "generated"} & set(page.parts):
            continue
        assert re.search(rf"^(.*<)?{re.escape(name)}>?$|^{re.escape(page.stem)}$", listed, re.MULTILINE), name
