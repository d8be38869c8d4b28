"""The documentation tells the truth: its code runs, prints what is shown, and every public name has its entry."""

from __future__ import annotations

import importlib.util
import re
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


page_code = _load("page_code")


def _id(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def _sources() -> list[Path]:
    built = {"_build", "generated"}
    return [p for p in sorted(DOCS.rglob("*.md")) if not built & set(p.relative_to(DOCS).parts)]


PAGES = [ROOT / "README.md", *_sources()]
WITH_PYTHON = [p for p in PAGES if page_code.python_blocks(p.read_text(encoding="utf-8"))]
WITH_COMMANDS = [p for p in PAGES if page_code.commands(p.read_text(encoding="utf-8"))]


@pytest.mark.parametrize("page", WITH_PYTHON, ids=_id)
def test_python_on_a_page_prints_what_the_page_shows(page: Path, tmp_path: Path) -> None:
    """Run a page top to bottom; output and warnings of each block are those shown below it, and none are hidden."""
    for block, printed in page_code.run_python(page, tmp_path):
        assert printed.rstrip() == (block.shown or "").rstrip(), f"{_id(page)}, line {block.line}"


@pytest.mark.parametrize("page", WITH_COMMANDS, ids=_id)
def test_commands_on_a_page_print_what_the_page_shows(page: Path, tmp_path: Path) -> None:
    """Run every command of a page in one folder; what it prints (talk included) is what stands below it."""
    for block, printed in page_code.run_commands(page, tmp_path):
        assert printed.rstrip() == block.shown.rstrip(), block.code


def test_code_is_found_on_the_pages() -> None:
    """The two tests above would pass on nothing if the blocks were no longer recognised."""
    assert len(WITH_PYTHON) >= 14
    assert [p.name for p in WITH_COMMANDS] == ["command-line.md"]


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
    from metaleptic.bayes.priors import PRIORS
    from metaleptic.measures import MEASURES
    from metaleptic.pooling.heterogeneity import TAU2
    from metaleptic.pooling.models import MODELS
    from metaleptic.pooling.normal import TESTS
    from metaleptic.reporting.kinds import KINDS

    page = _load("registry_tables").page()
    for table in (PRIORS, TAU2, TESTS, MODELS, RULES, KINDS):
        for entry in table.values():
            assert f"| `{entry.key}` |" in page
            assert entry.source in page
    assert all(f"| `{key}` |" in page for key in MEASURES)


def test_every_page_can_be_reached() -> None:
    """Every page stands in a table of contents, so that readers find it."""
    listed = "\n".join(p.read_text(encoding="utf-8") for p in _sources())
    for page in _sources():
        name = page.relative_to(DOCS).with_suffix("").as_posix()
        entry = rf"^(.*<)?{re.escape(name)}>?$|^{re.escape(page.stem)}$"
        assert name == "index" or re.search(entry, listed, re.MULTILINE), name
