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


MEANS = {
    "study": ["A low", "A high", "B"],
    "mean1": [10.0, 11.5, 9.0],
    "sd1": [2.0, 2.2, 1.8],
    "n1": [30, 28, 40],
    "mean2": [9.0, 9.0, 8.5],
    "sd2": [2.1, 2.1, 2.0],
    "n2": [32, 32, 41],
}
TRIAL = ["A", "A", "B"]


@pytest.mark.parametrize(("measure", "part"), [("MD", 2.1**2 / 32), ("ROM", (2.1 / 9) ** 2 / 32)])
def test_shared_control_of_means(measure: str, part: float) -> None:
    """A mean's own variance, or that of its logarithm; rows that are dropped or reordered keep their numbers."""
    e = ml.means(MEANS, measure=measure)
    v = ml.vcov_shared_control(e, cluster=TRIAL)
    assert np.array_equal(np.diag(v), e.v)
    assert v[0, 1] == v[1, 0] == pytest.approx(part, rel=1e-12)
    assert not v[2, :2].any()
    turned = ml.vcov_shared_control(e.take([2, 1, 0]), cluster=["B", "A", "A"])
    assert turned[1, 2] == v[0, 1]


def test_shared_control_of_standardised_differences() -> None:
    """1/n + g1 g2/(2 N) with N of all three arms (Gleser and Olkin), and so from t statistics with the sizes alone."""
    e = ml.means(MEANS, measure="SMD")
    expected = 1 / 32 + e.y[0] * e.y[1] / (2 * 90)
    assert ml.vcov_shared_control(e, cluster=TRIAL)[0, 1] == pytest.approx(expected, rel=1e-12)
    t = {"study": MEANS["study"], "t": [1.9, 4.4, 1.2], "n1": MEANS["n1"], "n2": MEANS["n2"]}
    d = ml.standardised_differences(t)
    assert ml.vcov_shared_control(d, cluster=TRIAL)[0, 1] == pytest.approx(1 / 32 + d.y[0] * d.y[1] / 180, rel=1e-12)


def test_standardised_differences_vary_together_as_the_matrix_says() -> None:
    """Two arms against one control, drawn 100,000 times."""
    rng = np.random.default_rng(2)
    n, shift = 40, np.array([0.8, 1.2, 0.0])
    arms = [rng.normal(m, 1, (100_000, n)) for m in shift]
    mean, sd = (np.array([f(a) for a in arms]) for f in (lambda a: a.mean(axis=1), lambda a: a.std(axis=1, ddof=1)))
    d = (mean[:2] - mean[2]) / np.sqrt((sd[:2] ** 2 + sd[2] ** 2) / 2)
    t = {"study": ["a", "b"], "d": [0.8, 1.2], "n1": [n, n], "n2": [n, n]}
    v = ml.vcov_shared_control(ml.standardised_differences(t), cluster=[1, 1])
    assert v[0, 1] == pytest.approx(np.cov(d)[0, 1], rel=0.05)


@pytest.mark.parametrize(("measure", "part"), [("IRR", 1 / 12), ("IRD", 12 / 95.5**2), ("IRSD", 1 / (4 * 95.5))])
def test_shared_control_of_rates(measure: str, part: float) -> None:
    """The control's events and person-time."""
    t = {"study": ["a", "b"], "events1": [10, 6], "time1": [100, 98], "events2": [12, 12], "time2": [95.5, 95.5]}
    v = ml.vcov_shared_control(ml.two_rates(t, measure=measure), cluster=[1, 1])
    assert v[0, 1] == pytest.approx(part, rel=1e-12)
    with pytest.raises(DataError, match=r"differ \(12 events in 95.5 and 12 events in 90\)"):
        ml.vcov_shared_control(ml.two_rates(t | {"time2": [95.5, 90]}, measure=measure), cluster=[1, 1])


@pytest.mark.parametrize("measure", ["AS", "PBIT", "OR2D", "OR2DN"])
def test_the_control_is_what_is_left_of_a_huge_arm(measure: str) -> None:
    """With a million times the patients in the arm of interest the variance is the control's alone."""
    t = {"study": ["a", "b"], "x": [4e7, 4e7], "m": [1e8, 1e8], "x0": [9, 9], "m0": [60, 60]}
    e = ml.two_by_two(t, measure=measure, **COLUMNS)
    assert ml.vcov_shared_control(e, cluster=[1, 1])[0, 1] == pytest.approx(e.v[0], rel=1e-5)


def test_means_that_differ_or_are_not_offered_are_named() -> None:
    """Unlike control groups, and a measure without such a part, in words."""
    with pytest.raises(DataError, match=r"differ \(mean 9, SD 2.1, n 32 and mean 8.5, SD 2, n 41\)"):
        ml.vcov_shared_control(ml.means(MEANS), cluster=["A", "B", "A"])
    e = ml.effects([0.1, 0.2], [0.1, 0.2], measure="ROM")
    with pytest.raises(DataError, match="cannot be computed for ratios of means of this kind"):
        ml.vcov_shared_control(e, cluster=[1, 1])
