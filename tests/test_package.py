"""The package as a whole: public names, light import, rooms that do not shadow verbs."""

from __future__ import annotations

import subprocess
import sys

import pytest

import metaleptic as ml


def python(code: str) -> str:
    """Run code in a fresh interpreter and return what it prints."""
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()


def test_public_names_are_sorted_and_resolve() -> None:
    """Every public name exists; the list is sorted, so that a new one is seen in review."""
    assert list(ml.__all__) == sorted(ml.__all__)
    assert all(getattr(ml, name) is not None for name in ml.__all__)
    assert set(ml.__all__) <= set(dir(ml))


def test_unknown_name_says_what_there_is() -> None:
    """A slip in a name lists the names there are."""
    with pytest.raises(AttributeError, match="hazard_ratios"):
        ml.hazard_ratio  # noqa: B018


def test_import_is_light() -> None:
    """`import metaleptic` loads no plotting, dataframe, statistics or sampling library."""
    heavy = python(
        "import sys, metaleptic; "
        "print([m for m in ('matplotlib', 'pandas', 'polars', 'statsmodels', 'pymc', 'arviz', 'jinja2', 'narwhals') if m in sys.modules])"
    )
    assert heavy == "[]"


def test_pooling_is_light_too() -> None:
    """Pooling numbers needs numpy and scipy alone."""
    heavy = python(
        "import sys, metaleptic as ml; ml.pool(ml.hazard_ratios({'study': ['A', 'B', 'C'], 'hr': [.5, .6, .7], 'low': [.3, .4, .5], "
        "'high': [.84, .9, .98]})); "
        "print([m for m in ('matplotlib', 'pandas', 'statsmodels', 'pymc', 'narwhals', 'scipy.stats') if m in sys.modules])"
    )
    assert heavy == "[]"


def test_verbs_stay_callable_once_every_module_is_loaded() -> None:
    """No submodule may take the name of a public verb (importing it would replace the verb)."""
    wrong = python(
        "import importlib, pkgutil, types, metaleptic as ml\n"
        "for m in pkgutil.walk_packages(ml.__path__, 'metaleptic.'):\n"
        "    if not m.name.endswith('__main__'): importlib.import_module(m.name)\n"
        "print([n for n in ml.__all__ if isinstance(getattr(ml, n), types.ModuleType) and n not in ('conversions', 'datasets', 'errors', 'priors')])"
    )
    assert wrong == "[]"


def test_version_is_known() -> None:
    """The version is that of the installed package."""
    assert ml.__version__[0].isdigit()
