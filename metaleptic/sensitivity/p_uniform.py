"""The verb ``p_uniform``: the effect at which the p values look as they should, given that significance decided what was published."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import optimize, special

from metaleptic.errors import FewStudiesWarning, NotEstimableError, OptionError
from metaleptic.frames import to_frame
from metaleptic.pooling.build import printed_estimate
from metaleptic.pooling.result import Pooled
from metaleptic.sensitivity.subset_fits import why_not
from metaleptic.sensitivity.sums_of_uniforms import sum_cdf, sum_quantile
from metaleptic.sensitivity.words import few_words, p_words, studies, value_words, with_small_letter
from metaleptic.types import BoolArray, Estimate, FloatArray
from metaleptic.warn import warn

METHODS = ("star", "original")
FAR = 12.0  # how far effects are sought, in spreads of the data
NAN = float("nan")


@dataclass(frozen=True, slots=True, eq=False)
class PUniform:
    """An effect corrected for publication by significance.

    Attributes
    ----------
    fit : Pooled
        The result as it was.
    method : {"star", "original"}
        p-uniform* or p-uniform.
    favoured : {"greater", "less"}
        Direction of the significant results that were favoured, analysis scale.
    significant : ndarray of bool, shape (k,)
        Studies significant in that direction.
    estimate : Estimate
        Corrected effect, printed scale; a bound is infinite where no effect is rejected on that side.
    beta, low, high : float
        The same on the analysis scale.
    p : float
        p of the test of no effect, two-sided with ``"star"`` and one-sided with ``"original"``.
    tau2, tau2_low, tau2_high : float
        Between-study variance and its interval; NaN with ``"original"``, which takes one effect as common to all.
    p_homogeneous : float
        p of the likelihood-ratio test of no heterogeneity, halved because tau2 cannot be negative; NaN with ``"original"``.
    p_bias : float
        p of the test of publication bias (``"original"``); NaN with ``"star"``, for which see ``ml.selection_model``.
    loglik : float
        Log-likelihood; NaN with ``"original"``.
    crit : float
        Test statistic beyond which a study counts as significant.
    trouble : str
        Why the estimate cannot be relied on; "" if it can.
    """

    fit: Pooled
    method: str
    favoured: str
    significant: BoolArray
    estimate: Estimate
    beta: float
    low: float
    high: float
    p: float
    tau2: float
    tau2_low: float
    tau2_high: float
    p_homogeneous: float
    p_bias: float
    loglik: float
    crit: float
    trouble: str

    @property
    def converged(self) -> bool:
        """Whether the estimate can be relied on."""
        return not self.trouble

    @property
    def sentence(self) -> str:
        """What the method shows, in plain words."""
        m, e = self.fit.effects.measure, self.estimate
        name = "p-uniform*" if self.method == "star" else "p-uniform"
        if self.trouble:
            return f"{name} cannot be relied on: {self.trouble}."
        text = (
            f"Allowing for publication by significance ({name}; {int(self.significant.sum())} of {studies(self.fit.k)} significant), "
            f"{with_small_letter(m.label)} is {value_words(m, e.value, e.low, e.high, e.level)} instead of {m.format(self.fit.estimate.value)}"
        )
        if self.method == "original":
            return text + f" (publication bias: {p_words(self.p_bias)}).{few_words(self.fit.k)}"
        alone = (
            ""
            if self.significant.any()
            else " As no study is significant, this rests on the others alone: do not rely on it."
        )
        return text + f", tau {np.sqrt(self.tau2):.2f}.{alone}{few_words(self.fit.k)}"

    def to_frame(self) -> Any:
        """Return a row per parameter: printed scale for the effect, analysis scale for tau2."""
        columns: dict[str, list[Any]] = {
            "parameter": ["effect"],
            "estimate": [self.estimate.value],
            "low": [self.estimate.low],
            "high": [self.estimate.high],
            "p": [self.p],
        }
        if self.method == "star":
            row = ("tau2", self.tau2, self.tau2_low, self.tau2_high, self.p_homogeneous)
            for column, value in zip(columns.values(), row, strict=True):
                column.append(value)
        columns["note"] = [self.trouble] * len(columns["p"])
        return to_frame(columns, self.fit.effects.frame_kind)

    def __repr__(self) -> str:
        return self.sentence


def p_uniform(fit: Pooled, *, method: str = "star", favoured: str | None = None, alpha: float = 0.05) -> PUniform:
    """Correct a pooled effect for publication by significance, from the p values alone.

    Parameters
    ----------
    fit : Pooled
        From ``ml.pool``.
    method : {"star", "original"}, default "star"
        ``"star"`` (p-uniform*) uses all studies and estimates heterogeneity; ``"original"`` (p-uniform) uses the
        significant studies alone and takes their effect as common.
    favoured : {"greater", "less"}, optional
        Direction of the results that were favoured, analysis scale; that of the pooled effect by default.
    alpha : float, default 0.05
        Two-sided level at which a study counts as significant.

    Returns
    -------
    PUniform
        Say ``.converged`` before using it.

    Raises
    ------
    OptionError
        If an option is unknown or the measure has no null.
    NotEstimableError
        If there are fewer than two studies, or with ``"original"`` none is significant in the favoured direction.

    Notes
    -----
    p-uniform: the effect at which the conditional p values add up to half their number, with the distribution of sums of
    uniform numbers for tests and interval. p-uniform*: maximum likelihood of every study given whether it was significant,
    likelihood-ratio tests and intervals. Sources: van Assen MALM, van Aert RCM, Wicherts JM. Psychol Methods
    2015;20:293-309; van Aert RCM, van Assen MALM. Meta-Psychology 2025;9 (preprint 2018, doi:10.31222/osf.io/zqjr9).

    Examples
    --------
    >>> import metaleptic as ml
    >>> fit = ml.pool(ml.effects([0.9, 0.7, 0.6, 0.5, 0.1, 0.3], [0.1, 0.06, 0.05, 0.03, 0.02, 0.03]))
    >>> round(ml.p_uniform(fit).beta, 2)
    0.41
    """
    if not isinstance(fit, Pooled):
        raise OptionError(why_not(fit, "p_uniform"))
    m = fit.effects.measure
    if method not in METHODS:
        raise OptionError(f'method {method!r} is unknown. Choose "star" or "original".')
    if favoured not in (None, "greater", "less"):
        raise OptionError(f'favoured {favoured!r} is unknown. Choose "greater" or "less".')
    if not m.has_null:
        raise OptionError(f"{m.label} has no null: no study is significant.")
    null = float(m.to_analysis(m.null))
    side = favoured or ("less" if fit.beta[0] < null else "greater")
    sign = -1.0 if side == "less" else 1.0
    y, s = sign * (fit.effects.y - null), np.sqrt(fit.effects.v)
    crit = float(special.ndtri(1 - alpha / 2))
    yes = y / s > crit
    toward = "smaller" if side == "less" else "larger"
    count = f"{int(yes.sum())} of {studies(fit.k)} are significant with {toward} effects"
    if fit.k < 2 or (method == "original" and not yes.any()):
        raise NotEstimableError(f"{count}: at least one, of at least two studies, is needed.")
    if not yes.any():
        warn(
            FewStudiesWarning, f"{count}: the correction rests on the others alone. Check which direction was favoured."
        )
    cut = crit * s
    found = (
        _star(y, s, cut, yes, fit.level) if method == "star" else _original(y[yes], s[yes], cut[yes], y, s, fit.level)
    )
    ends = sorted((null + sign * found.low, null + sign * found.high))
    yes.flags.writeable = False
    return PUniform(
        fit=fit,
        method=method,
        favoured=side,
        significant=yes,
        estimate=printed_estimate(fit.effects, null + sign * found.mu, ends[0], ends[1], fit.level, "confidence"),
        beta=null + sign * found.mu,
        low=ends[0],
        high=ends[1],
        p=found.p,
        tau2=found.tau2,
        tau2_low=found.tau2_low,
        tau2_high=found.tau2_high,
        p_homogeneous=found.p_homogeneous,
        p_bias=found.p_bias,
        loglik=found.loglik,
        crit=crit,
        trouble=found.trouble,
    )


def conditional_p(record: PUniform) -> FloatArray:
    """Return the p value of each study at the corrected effect, given that it was (or was not) significant.

    p-uniform leaves out the studies that were not.
    """
    m, e = record.fit.effects.measure, record.fit.effects
    sign, null = (-1.0 if record.favoured == "less" else 1.0), float(m.to_analysis(m.null))
    y, s, mu = sign * (e.y - null), np.sqrt(e.v), sign * (record.beta - null)
    total = np.sqrt(s**2 + (record.tau2 if record.method == "star" else 0.0))
    cut = record.crit * s
    beyond, edge = special.ndtr((mu - y) / total), special.ndtr((mu - cut) / total)
    given = np.where(record.significant, beyond / edge, (beyond - edge) / (1 - edge))
    return np.asarray(given if record.method == "star" else given[record.significant])


@dataclass(frozen=True, slots=True)
class _Found:
    """Numbers of one fit, oriented so that larger effects were favoured and the null is 0."""

    mu: float
    low: float
    high: float
    p: float
    tau2: float = NAN
    tau2_low: float = NAN
    tau2_high: float = NAN
    p_homogeneous: float = NAN
    p_bias: float = NAN
    loglik: float = NAN
    trouble: str = ""


# --- p-uniform --------------------------------------------------------------------------------


def _original(
    y: FloatArray, s: FloatArray, cut: FloatArray, all_y: FloatArray, all_s: FloatArray, level: float
) -> _Found:
    """Find where the conditional p values of the significant studies add up to what uniform numbers would."""
    k = len(y)

    def total(mu: float) -> float:
        return float(np.exp(special.log_ndtr((mu - y) / s) - special.log_ndtr((mu - cut) / s)).sum())

    reach = FAR * float(np.max(s) + np.ptp(y) + np.abs(y).max())

    def solve(target: float) -> float:
        if total(-reach) >= target:
            return -np.inf
        return float(optimize.brentq(lambda mu: total(mu) - target, -reach, reach, xtol=1e-12))

    tail = 0.5 - level / 2
    w = 1 / all_s**2
    common = float((w * all_y).sum() / w.sum())
    mu = solve(0.5 * k)
    return _Found(
        mu=mu if np.isfinite(mu) else -reach,
        low=solve(sum_quantile(tail, k)),
        high=solve(sum_quantile(1 - tail, k)),
        p=float(sum_cdf(total(0.0), k)),
        p_bias=1 - float(sum_cdf(total(common), k)),
        trouble=""
        if np.isfinite(mu)
        else "the p values lie so near the limit of significance that no effect, however negative, explains them",
    )


# --- p-uniform* -------------------------------------------------------------------------------


def _star(y: FloatArray, s: FloatArray, cut: FloatArray, yes: BoolArray, level: float) -> _Found:
    """Maximise the likelihood of every effect given whether it was significant."""
    toward = np.where(yes, 1.0, -1.0)

    def loglik(mu: Any, tau: Any) -> Any:
        total = np.sqrt(s**2 + np.asarray(tau)[..., None] ** 2)
        z, d = (y - np.asarray(mu)[..., None]) / total, (np.asarray(mu)[..., None] - cut) / total
        each = -0.5 * z * z - np.log(total) - 0.5 * np.log(2 * np.pi) - special.log_ndtr(toward * d)
        return np.add.reduce(each, axis=-1)

    spread = float(np.std(y) + np.median(s))
    low, high, most = float(y.min()) - FAR * spread, float(y.max()) + FAR * spread, FAR * spread

    def over_tau(mu: float) -> tuple[float, float]:
        return _highest(lambda t: loglik(mu, t), 0.0, most)

    def over_mu(tau: float) -> tuple[float, float]:
        return _highest(lambda m: loglik(m, tau), low, high)

    mu, best = _highest(lambda m: np.array([over_tau(float(x))[1] for x in np.atleast_1d(m)]), low, high, points=25)
    tau = over_tau(mu)[0]
    drop = 0.5 * float(special.chdtri(1, 1 - level))
    at_edge = mu < low + 0.01 * spread or mu > high - 0.01 * spread or tau > 0.98 * most
    common = over_mu(0.0)[1]
    return _Found(
        mu=mu,
        low=_end(lambda m: over_tau(m)[1] - best + drop, mu, low),
        high=_end(lambda m: over_tau(m)[1] - best + drop, mu, high),
        p=float(special.chdtrc(1, max(0.0, 2 * (best - over_tau(0.0)[1])))),
        tau2=tau**2,
        tau2_low=0.0 if common > best - drop else _end(lambda t: over_mu(t)[1] - best + drop, tau, 0.0) ** 2,
        tau2_high=_end(lambda t: over_mu(t)[1] - best + drop, tau, most) ** 2,
        # Half a chi-squared: without heterogeneity tau2 lies on the edge of what it can be.
        p_homogeneous=0.5 * float(special.chdtrc(1, max(0.0, 2 * (best - common)))),
        loglik=best,
        trouble="the likelihood still rises where the search ends" if at_edge else "",
    )


def _highest(f: Callable[[Any], Any], low: float, high: float, points: int = 41) -> tuple[float, float]:
    """Return where f (of an array) is highest between bounds, and how high: a grid, closed in on by golden section."""
    grid = np.linspace(low, high, points)
    for _ in range(3):
        values = np.asarray(f(grid))
        i = int(np.nanargmax(values))
        a, b = float(grid[max(0, i - 1)]), float(grid[min(points - 1, i + 1)])
        grid = np.linspace(a, b, points)
    found = optimize.minimize_scalar(
        lambda x: -float(np.asarray(f(np.array([x])))[0]), bounds=(a, b), method="bounded", options={"xatol": 1e-12}
    )
    edge = min(((float(-np.asarray(f(np.array([e])))[0]), e) for e in (a, b)), default=(np.inf, a))
    if edge[0] <= found.fun:
        return edge[1], -edge[0]
    return float(found.x), -float(found.fun)


def _end(f: Callable[[float], float], inside: float, outside: float) -> float:
    """Return where f falls to 0 on the way outside; infinite if it does not."""
    if f(outside) > 0:
        return float(np.copysign(np.inf, outside - inside)) if outside != 0 else 0.0
    return float(optimize.brentq(f, inside, outside, xtol=1e-9))
