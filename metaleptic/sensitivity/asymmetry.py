"""SMALL_STUDY: one line per test of small-study effects. A new test is a function of the effects and a line here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import numpy as np
from scipy import stats

from metaleptic.errors import DataError, NotEstimableError, OptionError
from metaleptic.frames import is_missing
from metaleptic.pooling.normal import test_probability
from metaleptic.pooling.regression import fit_regression
from metaleptic.sensitivity.rank_correlation import kendall
from metaleptic.types import Effects, FloatArray

NAN = float("nan")


@dataclass(frozen=True, slots=True, eq=False)
class Asymmetry:
    """What a test found, analysis scale.

    ``bias`` is the slope (or the rank score) with its standard error; ``limit`` the effect of an infinitely large study
    where the test has one; ``x``, ``y`` and ``w`` the points and weights of the regression.
    """

    statistic: float
    df: float
    p: float
    bias: float
    bias_se: float
    limit: float = NAN
    limit_se: float = NAN
    x: FloatArray = field(default_factory=lambda: np.empty(0))
    y: FloatArray = field(default_factory=lambda: np.empty(0))
    w: FloatArray = field(default_factory=lambda: np.empty(0))
    spread: float = NAN


Beside = FloatArray | None  # design of the moderators of a fit, beside which the predictor stands; None without


def weighted_regression(y: Any, x: Any, w: Any, *, at_zero: bool = True, beside: Beside = None) -> Asymmetry:
    """Regress y on x with weights w and a multiplicative dispersion, t with k - 2 degrees of freedom."""
    return _regression(y, 1 / w, x, None, "knapp-hartung", at_zero, beside)


def mixed_regression(
    y: Any, v: Any, x: Any, *, tau2: str | None, test: str, at_zero: bool = True, beside: Beside = None
) -> Asymmetry:
    """Regress y on x in the random-effects model (``tau2=None``: common effect)."""
    return _regression(y, v, x, tau2, test, at_zero, beside)


def design_beside(x: Any, beside: Beside) -> FloatArray:
    """Return the design of the moderators with the predictor as its last column.

    Raises
    ------
    NotEstimableError
        If the predictor does not vary, or the moderators determine it.
    """
    if np.ptp(x) <= 1e-9 * float(np.abs(x).max()):
        raise NotEstimableError(
            "the studies are all equally precise (or large): there are no small studies that could differ."
        )
    moderators = np.ones((len(x), 1)) if beside is None else np.asarray(beside)
    design = np.column_stack([moderators, x])
    if len(x) <= design.shape[1]:
        raise NotEstimableError(
            f"{len(x)} studies are too few for {design.shape[1]} coefficients, that of their size among them."
        )
    if np.linalg.matrix_rank(design / np.abs(design).max(axis=0)) < design.shape[1]:
        raise NotEstimableError("the moderators determine how large the studies are: their size cannot be told apart.")
    return design


def _regression(y: Any, v: Any, x: Any, tau2: str | None, test: str, at_zero: bool, beside: Beside) -> Asymmetry:
    design = design_beside(x, beside)
    fit = fit_regression(y, v, design, tau2=tau2, test=test)
    w = 1 / (v + fit.tau2)
    spread = float(np.sqrt(fit.scale)) if tau2 is None else float(np.sqrt(fit.tau2))
    return of_coefficients(y, design, w, fit.beta, fit.cov, float(fit.df), spread, at_zero=at_zero)


def of_coefficients(
    y: Any, design: FloatArray, w: Any, beta: Any, cov: Any, df: float, spread: float, *, at_zero: bool = True
) -> Asymmetry:
    """Read the test off a regression whose last coefficient is that of the predictor.

    The limit is the effect where the predictor is 0 and moderators have their means, weighted as the regression is.
    """
    bias, se = float(beta[-1]), float(np.sqrt(cov[-1, -1]))
    exact = se == 0 and bias == 0  # effects that are all exactly the same: no slope, and no doubt of it
    statistic = 0.0 if exact else bias / se
    at = np.average(design, axis=0, weights=w)
    at[-1] = 0.0
    limit = (float(at @ beta), float(np.sqrt(at @ cov @ at))) if at_zero else (NAN, NAN)
    p = test_probability(statistic, df)
    x = np.asarray(design[:, -1])
    return Asymmetry(statistic, df, p, bias, se, *limit, x, np.asarray(y), w, spread)


# --- tests of any effects ---------------------------------------------------------------------


def egger(e: Effects, beside: Beside = None) -> Asymmetry:
    """Regress the effect on its standard error, weights 1/v."""
    return weighted_regression(e.y, np.sqrt(e.v), 1 / e.v, beside=beside)


def thompson_sharp(e: Effects, beside: Beside = None) -> Asymmetry:
    """Egger's regression with between-study variance (REML) added to each variance, t."""
    return mixed_regression(e.y, e.v, np.sqrt(e.v), tau2="REML", test="t", beside=beside)


def begg(e: Effects, beside: Beside = None, *, exact: bool = False) -> Asymmetry:
    """Correlate the ranks of standardised effects (beside moderators: of standardised residuals) and of their variances."""
    x = np.ones((len(e), 1)) if beside is None else np.asarray(beside)
    root = 1 / np.sqrt(e.v)
    beta = np.linalg.lstsq(x * root[:, None], e.y * root, rcond=None)[0]
    cov = np.linalg.inv((x / e.v[:, None]).T @ x)
    off = e.v - np.einsum("ij,jk,ik->i", x, cov, x)
    return _rank((e.y - x @ beta) / np.sqrt(np.maximum(off, 1e-12 * e.v)), e.v, exact)


def _rank(x: FloatArray, y: FloatArray, exact: bool = False) -> Asymmetry:
    k = kendall(x, y, exact=exact)
    return Asymmetry(
        k.score / k.score_se, float("inf"), k.p, k.score, k.score_se, x=stats.rankdata(y), y=stats.rankdata(x)
    )


def macaskill(e: Effects, beside: Beside = None) -> Asymmetry:
    """Regress the effect on the number of patients, weights 1/v."""
    return weighted_regression(e.y, _patients(e, "macaskill"), 1 / e.v, at_zero=False, beside=beside)


# --- tests of two-by-two tables ---------------------------------------------------------------


def peters(e: Effects, beside: Beside = None) -> Asymmetry:
    """Regress the effect on 1 / patients, weights from the pooled numbers of events and others."""
    a, b, c, d = _cells(e, "peters").T
    return weighted_regression(e.y, 1 / (a + b + c + d), 1 / (1 / (a + c) + 1 / (b + d)), beside=beside)


def harbord(e: Effects, beside: Beside = None) -> Asymmetry:
    """Regress the score over its variance on the inverse root of that variance, weights the variance (odds ratios)."""
    a, b, c, d = _cells(e, "harbord").T
    n1, n2, n = a + b, c + d, a + b + c + d
    score = a - (a + c) * n1 / n
    variance = n1 * n2 * (a + c) * (b + d) / (n**2 * (n - 1))
    return weighted_regression(score / variance, 1 / np.sqrt(variance), variance, beside=beside)


def deeks(e: Effects, beside: Beside = None) -> Asymmetry:
    """Regress the effect on the inverse root of the effective sample size, weights that size (diagnostic odds ratios)."""
    a, b, c, d = _cells(e, "deeks").T
    size = 4 * (a + b) * (c + d) / (a + b + c + d)
    return weighted_regression(e.y, 1 / np.sqrt(size), size, beside=beside)


def schwarzer(e: Effects, beside: Beside = None) -> Asymmetry:
    """Correlate the ranks of standardised event counts and of their inverse variances (odds ratios, sparse tables)."""
    if beside is not None:
        raise OptionError('Schwarzer\'s test ranks event counts, which moderators do not change. Use test="harbord".')
    cells = _cells(e, "schwarzer")
    a, b, c, d = (cells + 0.5 * (cells == 0).any(axis=1, keepdims=True)).T
    n = a + b + c + d
    ratio = float((a * d / n).sum() / (b * c / n).sum())
    a, b, c, d = cells.T
    law = stats.nchypergeom_fisher((a + b + c + d).astype(int), (a + c).astype(int), (a + b).astype(int), ratio)
    variance = np.asarray(law.var())
    return _rank((a - np.asarray(law.mean())) / np.sqrt(variance), 1 / variance)


# --- tests of hazard ratios -------------------------------------------------------------------


def debray(e: Effects, beside: Beside = None) -> Asymmetry:
    """Regress the log hazard ratio on 1 / events, weights 1/v."""
    return weighted_regression(e.y, 1 / _events(e), 1 / e.v, beside=beside)


def debray_additive(e: Effects, beside: Beside = None) -> Asymmetry:
    """Regress the log hazard ratio on 1 / events with between-study variance (REML), t."""
    return mixed_regression(e.y, e.v, 1 / _events(e), tau2="REML", test="t", beside=beside)


def _cells(e: Effects, test: str) -> FloatArray:
    if len(e.cells) != len(e):
        raise DataError(
            f'test "{test}" needs two-by-two tables. Make the effects with ml.two_by_two(measure="OR"), or use test="egger".'
        )
    return np.asarray(e.cells)


def _patients(e: Effects, test: str) -> FloatArray:
    missing = [s for s, n in zip(e.study, e.n, strict=True) if not np.isfinite(n)]
    if missing:
        raise DataError(
            f"{test} needs the number of patients of every study; it is missing for {', '.join(missing[:5])}. "
            'Give column n, or use test="egger".'
        )
    return np.asarray(e.n)


def known_events(e: Effects) -> FloatArray:
    """Return the number of events per study, of the effects or of a column "events"; NaN where unknown."""
    if np.isfinite(e.events).any() or "events" not in e.columns:
        return np.asarray(e.events)
    return np.array([np.nan if is_missing(x) else _number(x) for x in e.columns["events"]])


def _number(x: object) -> float:
    try:
        return float(str(x))
    except ValueError:
        return float("nan")


def _events(e: Effects) -> FloatArray:
    events = known_events(e)
    missing = [s for s, d in zip(e.study, events, strict=True) if not (np.isfinite(d) and d > 0)]
    if missing:
        raise DataError(
            f"Debray's test needs the number of events of every study; it is missing for {', '.join(missing[:5])}. "
            'Give a column events, or use test="egger".'
        )
    return events


PREDICTORS: MappingProxyType[str, tuple[Callable[[Effects], FloatArray], bool, str]] = MappingProxyType(
    {
        "se": (lambda e: np.sqrt(e.v), True, "standard error"),
        "v": (lambda e: np.asarray(e.v), True, "variance"),
        "n": (lambda e: _patients(e, "predictor n"), False, "patients"),
        "1/n": (lambda e: 1 / _patients(e, "predictor 1/n"), True, "1 / patients"),
        "sqrt(n)": (lambda e: np.sqrt(_patients(e, "predictor sqrt(n)")), False, "root of patients"),
        "1/sqrt(n)": (lambda e: 1 / np.sqrt(_patients(e, "predictor 1/sqrt(n)")), True, "1 / root of patients"),
    }
)


@dataclass(frozen=True, slots=True)
class AsymmetryTest:
    """One test: key, name, function, the measures it is made for ("" for all), what the bias is a slope on, source."""

    key: str
    name: str
    function: Callable[[Effects, Beside], Asymmetry]
    measures: tuple[str, ...]
    predictor: str
    source: str


SMALL_STUDY = MappingProxyType(
    {
        t.key: t
        for t in (
            AsymmetryTest("egger", "Egger's test", egger, (), "standard error", "Egger M et al. BMJ 1997;315:629-634"),
            AsymmetryTest(
                "thompson-sharp",
                "Thompson and Sharp's test",
                thompson_sharp,
                (),
                "standard error",
                "Thompson SG, Sharp SJ. Stat Med 1999;18:2693-2708",
            ),
            AsymmetryTest(
                "begg",
                "Begg and Mazumdar's rank test",
                begg,
                (),
                "rank of the variance",
                "Begg CB, Mazumdar M. Biometrics 1994;50:1088-1101",
            ),
            AsymmetryTest(
                "macaskill",
                "Macaskill's test",
                macaskill,
                (),
                "patients",
                "Macaskill P, Walter SD, Irwig L. Stat Med 2001;20:641-654",
            ),
            AsymmetryTest(
                "peters", "Peters' test", peters, ("OR", "RR"), "1 / patients", "Peters JL et al. JAMA 2006;295:676-680"
            ),
            AsymmetryTest(
                "harbord",
                "Harbord's test",
                harbord,
                ("OR",),
                "inverse root of the score variance",
                "Harbord RM, Egger M, Sterne JAC. Stat Med 2006;25:3443-3457",
            ),
            AsymmetryTest(
                "deeks",
                "Deeks' test",
                deeks,
                ("OR",),
                "inverse root of the effective sample size",
                "Deeks JJ, Macaskill P, Irwig L. J Clin Epidemiol 2005;58:882-893",
            ),
            AsymmetryTest(
                "schwarzer",
                "Schwarzer's rank test",
                schwarzer,
                ("OR",),
                "rank of the inverse variance",
                "Schwarzer G, Antes G, Schumacher M. Stat Med 2007;26:721-733",
            ),
            AsymmetryTest(
                "debray",
                "Debray's test for survival data",
                debray,
                ("HR",),
                "1 / events",
                "Debray TPA, Moons KGM, Riley RD. Res Synth Methods 2018;9:41-50",
            ),
            AsymmetryTest(
                "debray-additive",
                "Debray's test for survival data, additive",
                debray_additive,
                ("HR",),
                "1 / events",
                "Debray TPA, Moons KGM, Riley RD. Res Synth Methods 2018;9:41-50",
            ),
        )
    }
)
