"""Results to plot: built here once, so that the tests say only what they claim."""

from __future__ import annotations

import warnings
from collections.abc import Callable

import numpy as np
import pytest

import metaleptic as ml
from metaleptic.pooling.result import Pooled
from metaleptic.pooling.subgroups import Subgroups

Make = Callable[..., Pooled]


def _pool(effects: ml.Effects, model: str = "random") -> Pooled:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # few studies: the point of some of these plots
        return ml.pool(effects, model=model)


@pytest.fixture(scope="session")
def random_fit() -> Make:
    """K studies drawn at random, with chosen names or names of a given length."""

    def make(k: int, *, long: bool = False, wide: bool = False, measure: str = "HR") -> Pooled:
        rng = np.random.default_rng(k)
        v = rng.uniform(0.01, 0.2, k)
        if wide:
            v[:: max(k // 3, 2)] = 9.0
        y = rng.normal(-0.2, 0.15, k) + rng.normal(0, 1, k) * np.sqrt(np.minimum(v, 0.3))
        stem = (
            "A multicentre retrospective cohort of patients with leptomeningeal disease, number" if long else "Author"
        )
        names = [f"{stem} {1990 + i}" for i in range(k)]
        return _pool(ml.effects(y, v, study=names, measure=measure, n=np.round(40 / v)))

    return make


@pytest.fixture(scope="session")
def eight() -> Pooled:
    """Pool the eight trials of the example in the documentation."""
    return _pool(
        ml.hazard_ratios(
            {
                "study": ["Alba 2016", "Bessen 2017", "Chow 2018", "Duarte 2019",
                          "Eriksen 2020", "Farouk 2021", "Gupta 2022", "Hoang 2023"],
                "n_drug": [210, 602, 150, 480, 333, 98, 400, 120],
                "n_control": [208, 598, 149, 477, 340, 101, 395, 118],
                "hr": [0.71, 0.95, 0.62, 0.80, 1.10, 0.55, 0.78, 0.88],
                "low": [0.50, 0.80, 0.40, 0.66, 0.85, 0.33, 0.61, 0.55],
                "high": [1.01, 1.13, 0.96, 0.97, 1.42, 0.92, 1.00, 1.41],
                "dose": ["low", "low", "high", "high", "high", "medium", "low", "medium"],
                "design": ["trial", "trial", "cohort", "trial", "cohort", "cohort", "trial", "case series, single centre"],
            },
            study="study", hr="hr", low="low", high="high",
        )
    )  # fmt: skip


@pytest.fixture(scope="session")
def grouped(eight: Pooled) -> Subgroups:
    """Split the same into three subgroups."""
    return ml.subgroups(eight, by="dose")


@pytest.fixture(scope="session")
def responses() -> Pooled:
    """Response rates, one of them 0 of 9."""
    table = {"study": ["A", "B", "C", "D", "E"], "events": [9, 5, 5, 8, 0], "n": [17, 26, 7, 16, 9]}
    return _pool(ml.proportions(table, label="Response rate"), model="binomial-normal")


@pytest.fixture(scope="session")
def medians() -> Pooled:
    """Median survival with an upper bound that is not reached."""
    table = {"study": ["A", "B", "C"], "median": [13.2, 8.3, 7.9], "low": [5.7, 5.2, 4.9], "high": ["NR", 19.6, 11.0]}
    return _pool(ml.survival_medians(table))
