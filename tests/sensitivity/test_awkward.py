"""Every analysis on awkward data: it answers without NaN, or with a reason beside it, or says why it cannot."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import metaleptic as ml
from metaleptic.errors import MetalepticError, MetalepticWarning, NotEstimableError

RNG = np.random.default_rng(0)


def made(y: Any, v: Any, groups: str) -> ml.Effects:
    """Return hazard ratios with a group and a year."""
    k = len(y)
    columns = {"g": list(groups), "year": list(range(2000, 2000 + k))}
    return ml.effects(y, v, study=[f"S{i}" for i in range(k)], measure="HR", columns=columns)


CELLS = {
    "study": list("abcdefg"),
    "g": list("aabbbcc"),
    "x1": [0, 1, 0, 5, 0, 2, 10],
    "n1": [10, 20, 15, 30, 12, 25, 40],
    "x2": [0, 3, 2, 8, 1, 0, 15],
    "n2": [10, 22, 15, 28, 11, 25, 40],
}
NAMES = {"events1": "x1", "n1": "n1", "events2": "x2", "n2": "n2"}


def tables(measure: str) -> ml.Effects:
    """Return effects of tables with empty cells."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", MetalepticWarning)
        return ml.two_by_two(CELLS, **NAMES, measure=measure)


DATA = {
    "one study": made([0.2], [0.1], "a"),
    "two studies": made([0.2, -0.4], [0.1, 0.05], "ab"),
    "three studies": made([0.2, -0.4, 0.1], [0.1, 0.05, 0.2], "aab"),
    "no heterogeneity": made([0.2, 0.21, 0.19, 0.2, 0.22], [0.1, 0.05, 0.2, 0.1, 0.1], "aabbc"),
    "the same six times": made([0.2] * 6, [0.1] * 6, "aabbcc"),
    "the same effect": made([0.2] * 6, [0.1, 0.2, 0.3, 0.05, 0.1, 0.2], "aabbcc"),
    "exactly no effect": made([0.0] * 6, [0.1, 0.2, 0.3, 0.05, 0.1, 0.2], "aabbcc"),
    "one huge study": made([0.2, -0.4, 0.1, 0.5, -0.3, 0.2], [1e-6, 0.05, 0.2, 0.1, 0.3, 0.1], "aabbcc"),
    "one far away, alone in its group": made(
        [0.2, -0.4, 0.1, 0.5, -0.3, 8.0], [0.1, 0.05, 0.2, 0.1, 0.3, 0.1], "aaaaab"
    ),
    "empty cells, RR": tables("RR"),
    "empty cells, RD": tables("RD"),
}
FITS: dict[str, Callable[[ml.Effects], Any]] = {
    "random": ml.pool,
    "common": lambda e: ml.pool(e, model="common"),
    "moderated": lambda e: ml.pool(e, moderators="~ g"),
    "Mantel-Haenszel": lambda e: ml.pool(e, model="mantel-haenszel"),
}
ANALYSES: dict[str, Callable[[Any], Any]] = {
    "leave_one_out": ml.leave_one_out,
    "leave_one_out by": lambda f: ml.leave_one_out(f, by="g"),
    "influence": ml.influence,
    "baujat": ml.baujat,
    "radial": ml.radial,
    "residuals": ml.residuals,
    "shrinkage": ml.shrinkage,
    "cumulative": lambda f: ml.cumulative(f, by="se"),
    "all_subsets": ml.all_subsets,
    "small_study": ml.small_study,
    "rank_test": ml.rank_test,
    "trim_and_fill": ml.trim_and_fill,
    "fail_safe_n": ml.fail_safe_n,
    "fail_safe_n general": lambda f: ml.fail_safe_n(f, method="general"),
    "pet_peese": ml.pet_peese,
    "limit_meta_analysis": ml.limit_meta_analysis,
    "henmi_copas": ml.henmi_copas,
    "excess_significance": ml.excess_significance,
    "worst_case": ml.worst_case,
    "proportion_beyond": ml.proportion_beyond,
    "e_value": ml.e_value,
    "multiverse": lambda f: ml.multiverse(f.effects, priors=()),
}


def bare_nan(frame: Any) -> list[str]:
    """Return the columns with a NaN beside which there is no reason."""
    missing = frame.isna()
    for name in ("reason", "note"):
        if name in frame:
            missing = missing[frame[name].fillna("") == ""]
    return [c for c in missing.columns if missing[c].any()]


@pytest.mark.parametrize("name", sorted(DATA))
def test_no_nan_without_a_reason_and_no_crash(name: str) -> None:
    """Each analysis of each fit of these data; the same data are drawn where numbers are degenerate."""
    answered, refused = 0, list[str]()
    for model, fit_by in FITS.items():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", MetalepticWarning)
            try:
                fit = fit_by(DATA[name])
            except MetalepticError:
                continue
            for key, analyse in ANALYSES.items():
                try:
                    record = analyse(fit)
                except MetalepticError as reason:
                    refused.append(str(reason))
                    continue
                answered += 1
                words = record.sentence.replace("(", " ").replace(",", " ").split()
                assert "nan" not in words, f"{model}, {key}: {record.sentence}"
                assert bare_nan(record.to_frame()) == [], f"{model}, {key}"
                if name in {"exactly no effect", "three studies"} and model != "Mantel-Haenszel":
                    try:
                        assert ml.plot(record).alt, f"{model}, {key}"
                    except NotEstimableError as reason:
                        refused.append(str(reason))
    assert answered > (3 if name == "one study" else 15)
    assert not [r for r in refused if "nan" in r.split()]
