"""Fail-safe N: how many null results in drawers would take the conclusion away."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import special

from metaleptic.errors import NotEstimableError, OptionError
from metaleptic.frames import to_frame
from metaleptic.pooling.heterogeneity import tau2_estimator
from metaleptic.pooling.normal import fit_normal
from metaleptic.pooling.result import Pooled
from metaleptic.sensitivity.effects_of import Studies, effects_of
from metaleptic.sensitivity.null import need_null
from metaleptic.sensitivity.words import few_words
from metaleptic.types import FloatArray

METHODS = ("rosenthal", "orwin", "rosenberg", "general")
WITH_TARGET = ("orwin", "general")
MOST = 10_000_000
NAN = float("nan")


@dataclass(frozen=True, slots=True)
class FailSafeN:
    """Number of studies with no effect that would take the conclusion away.

    Attributes
    ----------
    method : str
        "rosenthal", "orwin", "rosenberg" or "general".
    n : int
        The number.
    k : int
        Number of studies there are.
    p : float
        p value of the studies there are; NaN for Orwin.
    mean : float
        Their mean effect, analysis scale; NaN for Rosenthal.
    target : float
        Mean effect to which the number leads, analysis scale; NaN where it leads to p above ``alpha`` instead.
    alpha : float
        Level below which p is called significant.
    mean_then, tau2_then, p_then : float
        Mean, between-study variance and p with the added studies (general method).
    frame_kind : str
        Dataframe library of the input.
    """

    method: str
    n: int
    k: int
    p: float
    mean: float
    target: float
    alpha: float
    mean_then: float = NAN
    tau2_then: float = NAN
    p_then: float = NAN
    frame_kind: str = "pandas"

    @property
    def sentence(self) -> str:
        """What the number means, in plain words."""
        if np.isfinite(self.target):
            what = f"bring the mean effect to {self.target:.3g} (analysis scale)"
        else:
            what = f"raise p above {self.alpha:g}"
        if self.n == 0:
            return f"No unpublished study is needed to {what}: there is nothing to take away.{few_words(self.k)}"
        rule = 5 * self.k + 10
        text = f"{self.n} unpublished studies with no effect would {what} ({self.method.title()}; there are {self.k} studies)"
        if self.method == "rosenthal":
            text += f"; Rosenthal's rule calls more than {rule} (5k + 10) tolerable"
        return text + f". The number says nothing of how many there are.{few_words(self.k)}"

    def to_frame(self) -> Any:
        """Return one row, with what the method has."""
        names = ("method", "n", "k", "p", "mean", "target", "alpha", "mean_then", "tau2_then", "p_then")
        row = {name: getattr(self, name) for name in names}
        return to_frame({n: [v] for n, v in row.items() if not (isinstance(v, float) and np.isnan(v))}, self.frame_kind)

    def __repr__(self) -> str:
        return self.sentence


def fail_safe_n(
    result: Studies,
    *,
    method: str = "rosenthal",
    alpha: float = 0.05,
    target: float | None = None,
    weighted: bool = True,
    tau2: str | None = None,
    exact: bool = False,
) -> FailSafeN:
    """Count the unpublished studies without an effect that would take the conclusion away.

    Parameters
    ----------
    result : Effects, Pooled or PooledBayes
        A fit or the effects themselves.
    method : {"rosenthal", "orwin", "rosenberg", "general"}, default "rosenthal"
        Rosenthal: one-sided p of the summed z values rises to alpha. Rosenberg: p of the common effect does. Orwin: the
        mean falls to ``target``. General: p of the random-effects mean rises above alpha when studies that average no
        effect, with the same heterogeneity and the harmonic mean of the variances, are added; with a ``target`` the mean
        falls to it.
    alpha : float, default 0.05
        Level of significance.
    target : float, optional
        Mean to be reached, analysis scale; its sign follows the mean. Orwin's method takes half the mean by default, the
        general one then asks for p.
    weighted : bool, default True
        Whether Orwin's mean is weighted by 1/v.
    tau2 : str, optional
        Estimator of the general method; that of the fit, or REML.
    exact : bool, default False
        General method: fit the model again with the added studies, instead of taking the between-study variance of the
        mixture.

    Returns
    -------
    FailSafeN

    Raises
    ------
    OptionError
        If an option is unknown, or a target is given to a method that has none.
    NotEstimableError
        If no number of studies is enough.

    Notes
    -----
    A large number does not show that bias is absent (Becker BJ. In: Rothstein HR et al (eds), Publication Bias in
    Meta-Analysis, 2005, 111-125). Sources: Rosenthal R. Psychol Bull 1979;86:638-641; Orwin RG. J Educ Stat
    1983;8:157-159; Rosenberg MS. Evolution 2005;59:464-468.

    Examples
    --------
    >>> import metaleptic as ml
    >>> e = ml.effects([-0.3, -0.35, -0.5, -0.9], [0.01, 0.02, 0.1, 0.2], measure="HR")
    >>> ml.fail_safe_n(e).n
    27
    """
    effects = effects_of(result, "fail_safe_n")
    need_null(effects, "fail_safe_n")
    if method not in METHODS:
        raise OptionError(f"method {method!r} is unknown. Choose one of: {', '.join(METHODS)}.")
    if not 0 < alpha < 1:
        raise OptionError(f"alpha {alpha!r} should be between 0 and 1, for example 0.05.")
    if target is not None and method not in WITH_TARGET:
        raise OptionError(
            f'method "{method}" counts studies until p is no longer significant and has no target. Take method="orwin" or "general".'
        )
    y, v, k = effects.y, effects.v, len(effects)
    kind = effects.frame_kind
    if method == "rosenthal":
        z = float((y / np.sqrt(v)).sum() / np.sqrt(k))
        n = _up(k * (z / special.ndtri(1 - alpha)) ** 2 - k)
        return FailSafeN(method, n, k, float(special.ndtr(-abs(z))), NAN, NAN, alpha, frame_kind=kind)
    w = 1 / v
    if method == "orwin":
        mean = float((w * y).sum() / w.sum()) if weighted else float(y.mean())
        goal = mean / 2 if target is None else float(np.copysign(abs(target), mean))
        n = _up(k * (mean - goal) / goal) if goal != 0 else _no_limit()
        return FailSafeN(method, n, k, NAN, mean, goal, alpha, frame_kind=kind)
    if method == "rosenberg":
        mean = float((w * y).sum() / w.sum())
        z = mean * float(np.sqrt(w.sum()))
        n = _up(k * (z / special.ndtri(1 - alpha / 2)) ** 2 - k)
        return FailSafeN(method, n, k, float(2 * special.ndtr(-abs(z))), mean, NAN, alpha, frame_kind=kind)
    key = tau2 or (result.tau2_method if isinstance(result, Pooled) else "") or "REML"
    tau2_estimator(key)
    return _general(y, v, key, alpha, target, exact, kind)


def _up(x: float) -> int:
    return max(0, int(np.ceil(x)))


def _no_limit() -> int:
    raise NotEstimableError("no finite number of studies brings the mean to exactly 0. Give a target other than 0.")


def _general(
    y: FloatArray, v: FloatArray, key: str, alpha: float, target: float | None, exact: bool, kind: str
) -> FailSafeN:
    """Find the smallest number by doubling and bisection: null results raise p and pull the mean to 0."""
    k = len(y)
    fit = fit_normal(y, v, tau2=key, test="z")
    mean, p = float(fit.mu), float(fit.p)
    goal = NAN if target is None else float(np.copysign(abs(target), mean))
    if goal == 0:
        _no_limit()

    def remains(n: int) -> bool:
        m, _, p_then = with_null_results(y, v, n, key, exact=exact)
        return p_then <= alpha if target is None else abs(m) > abs(goal)

    low, high = 0, 0
    if remains(0):
        high = 1
        while remains(high):
            low, high = high, 2 * high
            if high > (5_000 if exact else MOST):
                what = f"raise p above {alpha:g}" if target is None else f"bring the mean to {goal:.3g}"
                raise NotEstimableError(f"more than {low:,} null results would not {what}.")
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if remains(middle) else (low, middle)
    m, mixed, p_then = with_null_results(y, v, high, key, exact=exact)
    return FailSafeN("general", high, k, p, mean, goal, alpha, m, mixed, p_then, kind)


def with_null_results(y: FloatArray, v: FloatArray, n: int, key: str, *, exact: bool) -> tuple[float, float, float]:
    """Return mean, tau2 and p with ``n`` more studies that average no effect.

    They have the harmonic mean of the variances and the same between-study variance. ``exact``: the model is fitted
    again; otherwise tau2 is that of the mixture of the two sets.
    """
    k = len(y)
    fit = fit_normal(y, v, tau2=key, test="z")
    mean, t2 = float(fit.mu), float(fit.tau2)
    typical = k / float((1 / v).sum())
    if n == 0:
        return mean, t2, float(fit.p)
    if exact:
        more = _averaging_zero(n, t2 + typical)
        added = fit_normal(np.r_[y, more], np.r_[v, np.full(n, typical)], tau2=key, test="z")
        return float(added.mu), float(added.tau2), float(added.p)
    both = k + n
    mixed = t2 * (both - 2) / (both - 1) + mean**2 * k * n / (both * (both - 1))
    w = 1 / (v + mixed)
    total = float(w.sum()) + n / (typical + mixed)
    m = float((w * y).sum()) / total
    return m, mixed, float(2 * special.ndtr(-abs(m) * np.sqrt(total)))


def _averaging_zero(n: int, variance: float) -> FloatArray:
    """Return n effects whose mean is 0 and whose sample variance is ``variance`` (one effect: 0)."""
    out = np.zeros(n)
    pairs = n // 2
    if pairs:
        size = np.sqrt(variance * (n - 1) / (2 * pairs))
        out[:pairs], out[pairs : 2 * pairs] = size, -size
    return out
