"""Covariances of estimates that share patients."""

import numpy as np
import pytest

import metaleptic as ml
from metaleptic.errors import DataError, OptionError, SuspiciousDataWarning

ARMS = {
    "study": ["A low", "A high", "B"],
    "trial": ["A", "A", "B"],
    "x": [4, 2, 7],
    "m": [50, 55, 40],
    "x0": [9, 9, 11],
    "m0": [60, 60, 42],
}
COLUMNS = {"events1": "x", "n1": "m", "events2": "x0", "n2": "m0"}
CONTROL = {"OR": 1 / 9 + 1 / 51, "RR": 1 / 9 - 1 / 60, "RD": 9 * 51 / 60**3, "AS": 1 / 240}


@pytest.mark.parametrize("measure", ["OR", "RR", "RD"])
def test_shared_control_of_tables(measure: str) -> None:
    """Within a trial the control's part of the variance, between trials 0, variances on the diagonal."""
    e = ml.two_by_two(ARMS, measure=measure, **COLUMNS)
    v = ml.vcov_shared_control(e, cluster="trial")
    assert np.array_equal(np.diag(v), e.v)
    assert v[0, 1] == v[1, 0] == pytest.approx(CONTROL[measure], rel=1e-12)
    assert not v[2, :2].any()


def test_shared_control_is_the_covariance_of_simulated_trials() -> None:
    """Log odds ratios of two arms against one control, drawn 200,000 times, vary together as the matrix says."""
    rng = np.random.default_rng(1)
    x1, x2, x0 = (rng.binomial(n, p, 200_000) for n, p in ((300, 0.3), (300, 0.4), (400, 0.5)))
    logit = [np.log((x + 0.5) / (n - x + 0.5)) for x, n in ((x1, 300), (x2, 300), (x0, 400))]
    seen = np.cov(logit[0] - logit[2], logit[1] - logit[2])[0, 1]
    table = {"study": ["a", "b"], "t": [1, 1], "x": [90, 120], "m": [300, 300], "x0": [200, 200], "m0": [400, 400]}
    v = ml.vcov_shared_control(ml.two_by_two(table, measure="OR", **COLUMNS), cluster="t")
    assert v[0, 1] == pytest.approx(seen, rel=0.03)


def test_shared_control_given_by_hand() -> None:
    """Any measure takes the control's variance as numbers or as a column; a lone comparison needs none."""
    e = ml.effects([0.1, 0.2, 0.4], [0.09, 0.08, 0.05], study=["A", "B", "C"], measure="HR")
    v = ml.vcov_shared_control(e, cluster=[1, 1, 2], control=[0.03, 0.03, np.nan])
    assert v.tolist() == [[0.09, 0.03, 0], [0.03, 0.08, 0], [0, 0, 0.05]]
    for control, part in (
        ([0.03, 0.02, 0.1], "share a control arm, but its variance is"),
        ([0.09, 0.09, 0.1], "is not below the variance"),
        ([np.nan, np.nan, 1], "is not known"),
    ):
        with pytest.raises(DataError, match=part):
            ml.vcov_shared_control(e, cluster=[1, 1, 2], control=control)
    with pytest.raises(DataError, match="cannot be computed for hazard ratios"):
        ml.vcov_shared_control(e, cluster=[1, 1, 2])


def test_unlike_controls_are_no_shared_control() -> None:
    """Two control arms in one cluster are named."""
    e = ml.two_by_two(ARMS, measure="OR", **COLUMNS)
    with pytest.raises(
        DataError, match=r"'A low' and 'B' are one cluster, but their control arms differ \(9/60 and 11/42"
    ):
        ml.vcov_shared_control(e, cluster=["A", "B", "A"])
    with pytest.raises(DataError, match=r"cluster 'trail' is no column of the effects\. They have: 'study', 'trial'"):
        ml.vcov_shared_control(e, cluster="trail")


def test_imputed_covariances() -> None:
    """Rho sqrt(v v) within a cohort; time apart as the exponent; a matrix states each pair."""
    e = ml.effects([0.1, 0.3, 0.2, 0.5], [0.04, 0.09, 0.01, 0.25], study=list("abcd"))
    v = ml.vcov_imputed(e, cluster=[1, 1, 1, 2], rho=0.6)
    assert v[0] == pytest.approx([0.04, 0.036, 0.012, 0])
    ar = ml.vcov_imputed(e, cluster=[1, 1, 1, 2], rho=0.6, order=[0, 1, 3, 0])
    assert ar[0] == pytest.approx([0.04, 0.036, 0.6**3 * 0.02, 0])
    pairs = np.array([[1, 0.5, 0.2, 0], [0.5, 1, 0.3, 0], [0.2, 0.3, 1, 0], [0, 0, 0, 1.0]])
    assert ml.vcov_imputed(e, cluster=[1, 1, 1, 2], rho=pairs)[0, 2] == pytest.approx(0.2 * 0.02)


def test_impossible_correlations() -> None:
    """1 is no correlation of two estimates; three that contradict each other are a warning."""
    e = ml.effects([0.1, 0.3, 0.2], [1.0, 1.0, 1.0], study=list("abc"))
    with pytest.raises(OptionError, match="lies between -1 and 1"):
        ml.vcov_imputed(e, cluster=[1, 1, 1], rho=1.0)
    with pytest.warns(SuspiciousDataWarning, match="contradict each other"):
        ml.vcov_imputed(e, cluster=[1, 1, 1], rho=-0.9)
    with pytest.raises(OptionError, match="3 x 3 matrix"):
        ml.vcov_imputed(e, rho=np.eye(2))
    with pytest.raises(OptionError, match="must not be negative"):
        ml.vcov_imputed(e, cluster=[1, 1, 1], rho=-0.1, order=[1, 2, 3])
