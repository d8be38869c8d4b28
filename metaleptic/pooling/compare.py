"""Comparing two fits of the same effects by the likelihood-ratio test."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import special

from metaleptic.errors import DataError, OptionError
from metaleptic.pooling.anatomy import Anatomy, anatomy
from metaleptic.pooling.information import Criteria
from metaleptic.pooling.location_scale_result import LocationScale
from metaleptic.pooling.multilevel.likelihood_ratio import likelihood_ratio
from metaleptic.pooling.multilevel.result import Multilevel
from metaleptic.pooling.regression_result import Regression
from metaleptic.pooling.result import Pooled, format_p
from metaleptic.types import FloatArray


@dataclass(frozen=True, slots=True)
class Comparison:
    """A larger and a smaller model side by side.

    Attributes
    ----------
    statistic, df, p : float
        Likelihood-ratio statistic, the number of parameters that differ, p by chi-squared.
    larger, smaller : Criteria
        AIC, AICc and BIC of both.
    r2 : float
        Percent by which tau2 falls from the smaller to the larger model; NaN where it was 0.
    note : str
        What a careful reader must know.
    p_boundary : float
        Half of p where the smaller model holds one variance at 0, the boundary of what it can be; NaN elsewhere.
    """

    statistic: float
    df: int
    p: float
    larger: Criteria
    smaller: Criteria
    r2: float
    note: str
    p_boundary: float = float("nan")

    def __repr__(self) -> str:
        better = "larger" if self.larger.aicc < self.smaller.aicc else "smaller"
        lines = [
            f"likelihood ratio {self.statistic:.2f}, df = {self.df}, p {format_p(self.p)}",
            f"AICc {self.larger.aicc:.1f} (larger model) and {self.smaller.aicc:.1f} (smaller): the {better} one is preferred",
        ]
        return "\n".join([*lines, self.note] if self.note else lines)


AnyFit = Pooled | Regression | LocationScale | Multilevel


def compare(larger: AnyFit, smaller: AnyFit) -> Comparison:
    """Test whether the larger of two nested models describes the studies better than chance would have it.

    Parameters
    ----------
    larger, smaller : Pooled, Regression, LocationScale or Multilevel
        Two fits of the same effects, one a special case of the other (in either order). Models that differ in moderators must be
        fitted by maximum likelihood (``tau2="ML"``, ``method="ML"``): restricted likelihoods of different designs cannot
        be compared. To test a variance of a multilevel model hold it: ``sigma2=[0, None]``.

    Returns
    -------
    Comparison
        For a test of one variance being 0 (random against common effect) with ``p_boundary``, half of p, as the variance
        then lies on its boundary.

    Raises
    ------
    DataError
        If the effects differ.
    OptionError
        If the fits have no common likelihood, or have as many parameters.

    Notes
    -----
    Sources: Self SG, Liang KY. J Am Stat Assoc 1987;82:605-610 (boundary); Viechtbauer W. J Stat Softw 2010;36(3).

    Examples
    --------
    >>> import metaleptic as ml
    >>> e = ml.effects([-0.9, -1.6, -1.3, -0.4, 0.0], [0.1, 0.2, 0.1, 0.05, 0.05], columns={"x": [44, 55, 42, 19, 13]})
    >>> fits = [ml.pool(e, moderators="~ x", tau2="ML", test="z"), ml.pool(e, tau2="ML", test="z")]
    >>> round(ml.compare(*fits).p, 4)
    0.0014
    """
    if getattr(larger, "parameters", 0) < getattr(smaller, "parameters", 0):
        larger, smaller = smaller, larger
    if LocationScale in {type(larger), type(smaller)} and not getattr(smaller, "tau2_method", ""):
        raise OptionError(
            "compare a location-scale model with a random-effects model of the same effects, or another location-scale model."
        )
    if isinstance(larger, Multilevel) or isinstance(smaller, Multilevel):
        r = likelihood_ratio(larger, smaller)
        return Comparison(r.statistic, r.df, r.p, r.larger, r.smaller, np.nan, r.note, r.p_boundary)
    a, b = anatomy(larger, "compare"), anatomy(smaller, "compare")
    if a.effects.y.shape != b.effects.y.shape or not (
        np.array_equal(a.effects.y, b.effects.y) and np.array_equal(a.effects.v, b.effects.v)
    ):
        raise DataError("the two fits are of different effects: nothing can be compared.")
    if a.model != b.model and not {a.model, b.model} <= {"random", "common"}:
        raise OptionError(
            f'fits by "{a.model}" and by "{b.model}" have different likelihoods: they cannot be compared.'
        )
    df = larger.parameters - smaller.parameters
    if df == 0:
        raise OptionError(
            "both fits have as many parameters: neither is a special case of the other. Compare their AICc."
        )
    same_design = a.x.shape == b.x.shape and np.allclose(a.x, b.x)
    _check_likelihoods(a, b, same_design)
    statistic = max(0.0, 2 * (larger.loglik - smaller.loglik))
    p = float(special.chdtrc(df, statistic))
    if a.spread is not None:
        return Comparison(statistic, df, p, larger.criteria, smaller.criteria, np.nan, "")
    only_tau2 = same_design and not b.tau2_method
    r2 = 100 * max(0.0, 1 - a.tau2 / b.tau2) if b.tau2_method and b.tau2 > 0 and a.tau2_method else np.nan
    half = p / 2 if only_tau2 else np.nan
    note = (
        f"Under the smaller model tau2 lies on its boundary, where half of p applies: {half:.2g}." if only_tau2 else ""
    )
    return Comparison(statistic, df, p, larger.criteria, smaller.criteria, r2, note, half)


def _check_likelihoods(a: Anatomy, b: Anatomy, same_design: bool) -> None:
    methods = {a.tau2_method, b.tau2_method} - {""}
    if not (same_design or _within(a.x, b.x)) or not _spread_within(a, b):
        raise OptionError("the models are not nested: the smaller one has moderators that the larger one lacks.")
    if methods == {"ML"}:
        return
    if methods == {"REML"} and same_design:
        if "" in {a.tau2_method, b.tau2_method}:
            raise OptionError('compare random with common effects by maximum likelihood: say tau2="ML".')
        return
    raise OptionError(
        f"a likelihood-ratio test needs maximum likelihood fits, these are by {' and '.join(sorted(methods)) or 'none'}: "
        'say tau2="ML" in both.'
    )


def _within(a: FloatArray, b: FloatArray) -> bool:
    """Whether the columns of the smaller design lie in the space of the larger one."""
    q = np.linalg.qr(a)[0]
    return bool(np.allclose(q @ (q.T @ b), b, atol=1e-8 * float(np.abs(b).max())))


def _spread_within(a: Anatomy, b: Anatomy) -> bool:
    """Ask the same of the moderators of the between-study variance; one tau2 for all is an intercept."""
    one = np.ones((len(a.effects), 1))
    return _within(one if a.spread is None else a.spread, one if b.spread is None else b.spread)
