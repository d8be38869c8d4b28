"""One effect per cluster: the inverse-variance mean, what hangs together, and what robustness says with it."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

import metaleptic as ml
from metaleptic.errors import NotEstimableError, OptionError


def _schools() -> tuple[ml.Effects, dict[str, list[object]]]:
    schools = ml.datasets.load("school_calendars").table()
    columns = {name: list(schools[name]) for name in ("district", "school")}
    return ml.effects(schools["smd"], schools["v"], measure="SMD", study=schools["study"]), columns


def test_clusters_are_averaged_by_inverse_variance() -> None:
    """By hand for independent errors, by generalised least squares for correlated ones; named by the outermost grouping."""
    e, columns = _schools()
    found = ml.average_clusters(ml.pool_multilevel(e, random="~ 1 | district/school", data=columns))
    district = np.array([str(d) for d in columns["district"]])
    assert found.study == tuple(dict.fromkeys(district))
    for i, name in enumerate(found.study):
        w = 1 / e.v[district == name]
        assert found.y[i] == pytest.approx(np.average(e.y[district == name], weights=w), rel=1e-12)
        assert found.v[i] == pytest.approx(1 / w.sum(), rel=1e-12)
    v = ml.vcov_imputed(e, cluster=list(district), rho=0.6)
    correlated = ml.average_clusters(ml.pool_multilevel(e, random="~ 1 | district", data=columns, V=v))
    assert len(correlated) == len(found)
    at = district == found.study[0]
    block = np.linalg.inv(np.asarray(v)[np.ix_(at, at)])
    assert correlated.v[0] == pytest.approx(1 / block.sum(), rel=1e-10)
    assert correlated.y[0] == pytest.approx(block.sum(0) @ e.y[at] / block.sum(), rel=1e-10)


def test_without_heterogeneity_within_clusters_both_models_are_one() -> None:
    """A cluster-level random effect alone: pooling the averages is the same restricted likelihood for mean and tau."""
    e, columns = _schools()
    fit = ml.pool_multilevel(e, random="~ 1 | district", data=columns, test="z")
    pooled = ml.pool(ml.average_clusters(fit), test="z")
    assert pooled.beta[0] == pytest.approx(fit.beta[0], rel=1e-5)
    assert pooled.se[0] == pytest.approx(fit.se[0], rel=1e-4)
    assert pooled.tau2 == pytest.approx(fit.tau.value**2, rel=1e-4)


def test_robustness_asks_the_averages_and_says_so() -> None:
    """Questions of independent effects are answered by the averages, those of the model by the model."""
    e, columns = _schools()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        checks = ml.robustness(ml.pool_multilevel(e, random="~ 1 | district/school", data=columns)).checks
        said = {c.question: c.sentence for c in checks}
        words = "random-effects model of the 11 averages of effects that hang together (ml.average_clusters)"
        assert words in said["What if studies are missing?"]
        assert words not in said["Do small studies show other effects?"]
        assert words not in said["In how many settings is there an effect?"]
        one = ml.pool_multilevel(e, random=["~ 1 | district", "~ 1 | all"], data={**columns, "all": ["x"] * len(e)})
    with pytest.raises(NotEstimableError, match="all effects hang together"):
        ml.average_clusters(one)
    with pytest.raises(OptionError, match="without moderators"):
        ml.average_clusters(ml.pool_multilevel(e, random="~ 1 | district", data=columns, moderators=np.arange(len(e))))
    with pytest.raises(OptionError, match="pool_multilevel"):
        ml.average_clusters(e)
