"""The verb ``selection_model``: the pooled effect if publication had depended on the p value."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import optimize, special

from metaleptic.errors import DataError, NotEstimableError, OptionError
from metaleptic.frames import to_frame
from metaleptic.pooling.build import printed_estimate
from metaleptic.pooling.regression import fit_regression, well_scaled
from metaleptic.pooling.regression_result import Regression
from metaleptic.pooling.result import Pooled
from metaleptic.sensitivity.design_of_fit import settings_of
from metaleptic.sensitivity.maximise import Maximum, maximise
from metaleptic.sensitivity.null import need_null
from metaleptic.sensitivity.selection_functions import SELECTION, SelectionFunction
from metaleptic.sensitivity.selection_likelihood import Problem, log_likelihood, log_p_values, make_problem, split
from metaleptic.sensitivity.words import few_words, p_words, value_words, with_small_letter
from metaleptic.types import Estimate, FloatArray, frozen_array

MOST = 100.0
NAN = float("nan")
PRECISIONS = ("se", "v", "1/n", "1/sqrt(n)")
PROFILE_POINTS = 15


@dataclass(frozen=True, slots=True, eq=False)
class SelectionModel:
    """A pooled effect corrected for publication by p value.

    Attributes
    ----------
    fit : Pooled or Regression
        The result as it was.
    function : str
        Key of the selection function.
    favoured : {"greater", "less", "two-sided"}
        Which results were favoured.
    steps : tuple of float
        Steps of p between which the weight is constant, the last one 1; or the level below which all are published.
    estimate : Estimate or None
        Corrected effect, printed scale; None with moderators.
    beta, se, p : ndarray of shape (p,)
        Coefficients, analysis scale.
    tau2, tau2_se : float
        Between-study variance; its SE is NaN at 0.
    delta, delta_se, delta_low, delta_high, delta_p : ndarray
        Parameters of the selection function; p of the test that each is what it is without selection.
    loglik : float
        Log-likelihood.
    lrt, lrt_df, lrt_p : float
        Likelihood-ratio test of no selection.
    converged : bool
        Whether the maximum can be relied on.
    trouble : str
        What is wrong if not.
    profile : tuple of ndarray
        Values of the first estimated parameter, best log-likelihood at each, and the effect there (printed scale): computed
        where the fit did not converge or was asked for; empty arrays otherwise.
    """

    fit: Pooled | Regression
    function: str
    favoured: str
    steps: tuple[float, ...]
    estimate: Estimate | None
    beta: FloatArray
    se: FloatArray
    p: FloatArray
    tau2: float
    tau2_se: float
    delta: FloatArray
    delta_se: FloatArray
    delta_low: FloatArray
    delta_high: FloatArray
    delta_p: FloatArray
    loglik: float
    lrt: float
    lrt_df: int
    lrt_p: float
    converged: bool
    trouble: str
    profile: tuple[FloatArray, FloatArray, FloatArray]

    def weight(self, p: Any) -> Any:
        """Return the relative probability of publication of p values (for the most precise scale of the model)."""
        p = np.asarray(p, dtype=np.float64)
        f = SELECTION[self.function]
        if f.key == "step":
            return self.delta[np.minimum(np.searchsorted(self.steps, p, side="left"), len(self.steps) - 1)]
        if f.log_weight is None:
            return np.where(p < 0.5, 1.0, self.delta[0])
        clipped = np.clip(p, max(f.censor, 1e-300), 1 - max(f.censor, 1e-16))
        w = np.exp(f.log_weight(np.log(clipped), np.log1p(-clipped), self.delta, 1.0))
        return np.where(p <= self.steps[0], 1.0, w) if self.steps else w

    @property
    def sentence(self) -> str:
        """What the model shows, in plain words."""
        name = SELECTION[self.function].name
        if not self.converged:
            text = f"The selection model ({name}) cannot be relied on: {self.trouble}."
            if len(self.profile[2]) and self.estimate is not None:
                m = self.fit.effects.measure
                near = self.profile[1] >= np.nanmax(self.profile[1]) - 1.92
                low, high = np.nanmin(self.profile[2][near]), np.nanmax(self.profile[2][near])
                text += f" Wherever the likelihood is hardly lower, {with_small_letter(m.label)} lies between {m.format(low)} and {m.format(high)}."
            return text
        test = f"no selection: {p_words(self.lrt_p)}" if self.lrt_df else "weights as given"
        if self.estimate is None or not isinstance(self.fit, Pooled):
            return f"Selection model ({name}) with moderators; {test}."
        m, e = self.fit.effects.measure, self.estimate
        return (
            f"If publication had depended on p ({name}), {with_small_letter(m.label)} would be "
            f"{value_words(m, e.value, e.low, e.high, e.level)} instead of {m.format(self.fit.estimate.value)} ({test}).{few_words(self.fit.k)}"
        )

    def to_frame(self) -> Any:
        """Return a row per parameter, analysis scale."""
        terms = list(self.fit.names) if isinstance(self.fit, Regression) else ["mean"]
        names = [*terms, "tau2", *(f"delta_{j + 1}" for j in range(len(self.delta)))]
        crit = float(special.ndtri(0.5 + self.fit.level / 2))
        t2 = (self.tau2 - crit * self.tau2_se, self.tau2 + crit * self.tau2_se)
        columns = {
            "parameter": names,
            "estimate": [*self.beta, self.tau2, *self.delta],
            "se": [*self.se, self.tau2_se, *self.delta_se],
            "low": [*(self.beta - crit * self.se), max(0.0, t2[0]) if np.isfinite(t2[0]) else NAN, *self.delta_low],
            "high": [*(self.beta + crit * self.se), t2[1], *self.delta_high],
            "p": [*self.p, NAN, *self.delta_p],
        }
        columns["note"] = [self._note(n, s) for n, s in zip(names, columns["se"], strict=True)]
        return to_frame(columns, self.fit.effects.frame_kind)

    def _note(self, name: str, se: float) -> str:
        """Say why a standard error is missing."""
        if np.isfinite(se):
            return "not tested" if name == "tau2" else ""
        if name == "tau2":
            return "at its bound 0" if self.fit.tau2_method else "0 by assumption"
        return self.trouble or "fixed"

    def __repr__(self) -> str:
        return self.sentence


def selection_model(
    fit: Pooled | Regression,
    *,
    function: str = "step",
    favoured: str | None = None,
    steps: float | Sequence[float] | None = None,
    weights: Sequence[float] | None = None,
    precision: str | None = None,
    profile: bool = False,
) -> SelectionModel:
    """Estimate the effect together with how publication depended on the p value.

    Parameters
    ----------
    fit : Pooled or Regression
        From ``ml.pool`` with ``model="random"`` or ``"common"``, with or without moderators.
    function : str, default "step"
        ``"step"``: constant weight between ``steps`` (with one step the three-parameter selection model). ``"beta"``,
        ``"half-normal"``, ``"negative-exponential"``, ``"logistic"``, ``"power"``, ``"negative-exponential-power"``:
        smooth functions of p. ``"truncation"``: effects in the unfavoured direction are published less.
    favoured : {"greater", "less", "two-sided"}, optional
        Results in favour of which studies were selected, on the analysis scale. By default the side of the pooled effect.
    steps : float or sequence of float, optional
        p values (one-sided unless two-sided results are favoured) at which the weight changes: 0.025 by default for
        ``"step"``. For smooth functions a level below which all studies are published.
    weights : sequence of float, optional
        Weights of the step function taken as known, one per step and one beyond the last if that is not 1.
    precision : {"se", "v", "1/n", "1/sqrt(n)"}, optional
        Imprecision by which selection grows (smooth functions).
    profile : bool, default False
        Whether to compute the profile likelihood of the first parameter also where the fit converged.

    Returns
    -------
    SelectionModel
        Say ``.converged`` before using it: few studies seldom tell selection and heterogeneity apart.

    Raises
    ------
    OptionError
        If an option is unknown.
    NotEstimableError
        If no study has a p value in one of the intervals, or there are fewer studies than parameters.

    Notes
    -----
    Fitted by maximum likelihood. Sources: ``metaleptic.sensitivity.selection_functions.SELECTION``; McShane BB, Böckenholt
    U, Hansen KT. Perspect Psychol Sci 2016;11:730-749.

    Examples
    --------
    >>> import metaleptic as ml
    >>> y = [-1.2, 0.3, -0.9, -0.7, 0.2, -0.5, -0.3, 0.1, -0.2, -0.1]
    >>> v = [0.2, 0.4, 0.1, 0.1, 0.15, 0.1, 0.05, 0.03, 0.02, 0.01]
    >>> found = ml.selection_model(ml.pool(ml.effects(y, v, measure="HR"), model="common"))
    >>> found.converged, found.delta.round(2)
    (True, array([1.  , 0.16]))
    """
    s = settings_of(fit, "selection_model")
    need_null(fit.effects, "selection_model")
    if function not in SELECTION:
        raise OptionError(f"function {function!r} is unknown. Choose one of: {', '.join(SELECTION)}.")
    chosen = SELECTION[function]
    if favoured not in (None, "greater", "less", "two-sided"):
        raise OptionError(f'favoured {favoured!r} is unknown. Choose "greater", "less" or "two-sided".')
    side = favoured or ("less" if float(np.mean(s.x @ fit.beta)) < 0 else "greater")
    cuts = _steps(steps, chosen)
    fixed = _fixed(weights, cuts, chosen)
    sign = -1.0 if side == "less" else 1.0
    scaled, back = well_scaled(s.x)
    problem = make_problem(
        sign * s.y,
        s.v,
        scaled,
        random=s.tau2 is not None,
        function=chosen,
        two_sided=side == "two-sided",
        steps=cuts,
        fixed=fixed,
        precision=_precision(fit, precision),
    )
    _check(problem, fit)
    best = _fit(problem)
    return _record(fit, problem, best, np.asarray(back), side, sign, profile)


def _steps(steps: float | Sequence[float] | None, chosen: SelectionFunction) -> FloatArray:
    if steps is None:
        return np.array([0.025, 1.0]) if chosen.key == "step" else np.empty(0)
    cuts = np.sort(np.atleast_1d(np.asarray(steps, dtype=np.float64)))
    if chosen.key == "truncation":
        return cuts[:1]
    if not ((cuts > 0) & (cuts <= 1)).all() or len(np.unique(cuts)) != len(cuts):
        raise OptionError(f"steps {steps!r} should be different p values above 0 and up to 1.")
    if chosen.key != "step":
        if len(cuts) != 1:
            raise OptionError("smooth selection functions take one step: the level below which all are published.")
        return cuts
    return np.asarray(cuts if cuts[-1] == 1 else np.r_[cuts, 1.0])


def _fixed(weights: Sequence[float] | None, cuts: FloatArray, chosen: SelectionFunction) -> FloatArray:
    if chosen.key != "step":
        if weights is not None:
            raise OptionError('weights are taken as known for function="step" only.')
        return np.full(chosen.parameters, np.nan)
    if weights is None:
        return np.asarray(np.r_[1.0, np.full(len(cuts) - 1, np.nan)])
    known = np.asarray(weights, dtype=np.float64)
    if known.shape != cuts.shape or not (known > 0).all():
        raise OptionError(f"give {len(cuts)} weights above 0, one for each interval of p that ends at {cuts.tolist()}.")
    return known


def _precision(fit: Pooled | Regression, name: str | None) -> FloatArray:
    e = fit.effects
    if name is None:
        return np.ones(len(e))
    if name not in PRECISIONS:
        raise OptionError(f"precision {name!r} is unknown. Choose one of: {', '.join(PRECISIONS)}.")
    if name.startswith("1/") and not np.isfinite(e.n).all():
        raise DataError(f'precision "{name}" needs the number of patients of every study. Use "se" or "v".')
    value = {"se": np.sqrt(e.v), "v": e.v, "1/n": 1 / e.n, "1/sqrt(n)": 1 / np.sqrt(e.n)}[name]
    return np.asarray(value / value.max())


def _check(problem: Problem, fit: Pooled | Regression) -> None:
    if len(problem.y) <= problem.size:
        raise NotEstimableError(f"{fit.k} studies cannot tell {problem.size} parameters apart. Use a simpler function.")
    p = np.exp(log_p_values(problem.y / np.sqrt(problem.v), problem.two_sided)[0])
    if problem.function.key == "step" and problem.free.any():
        which = np.searchsorted(problem.steps, p, side="left")
        counts = np.bincount(which, minlength=len(problem.steps))
        edges = np.r_[0.0, problem.steps]
        for j in np.flatnonzero(counts == 0):
            raise NotEstimableError(
                f"no study has a p value between {edges[j]:g} and {edges[j + 1]:g}: its weight cannot be estimated. "
                "Choose other steps, or give weights."
            )
    if problem.function.key not in ("step", "truncation") and len(problem.steps):
        below = int((p <= problem.steps[0]).sum())
        if below in (0, len(p)):
            raise NotEstimableError(f"all p values lie on one side of {problem.steps[0]:g}. Choose another step.")


def _fit(problem: Problem) -> Maximum:
    """Search from the fit without selection and from stronger and weaker selection."""
    free, random = int(problem.free.sum()), problem.random
    base = _without_selection(problem)
    t2 = base[problem.coefficients :] if random else np.empty(0)
    spread = max(float(np.var(problem.y)), 0.01)
    starts = []
    for start in problem.function.starts:
        delta = np.resize(np.array(start), free) if free else np.empty(0)
        starts.append(np.r_[base[: problem.coefficients], t2, delta])
        if random:
            starts.append(np.r_[0.5 * base[: problem.coefficients], np.maximum(t2, 0.3 * spread), delta])
    least = problem.function.least
    low = np.r_[np.full(problem.coefficients, -np.inf), np.zeros(int(random)), np.full(free, least)]
    high = np.r_[np.full(problem.coefficients + int(random), np.inf), np.full(free, MOST)]
    starts = [np.clip(t, low, high) for t in starts]
    known = np.zeros(problem.size, bool)
    known[problem.coefficients : problem.coefficients + int(random)] = True
    return maximise(lambda t: log_likelihood(problem, t), starts, low, high, known)


def _without_selection(problem: Problem) -> FloatArray:
    """Return coefficients and tau2 by maximum likelihood without selection."""
    f = fit_regression(problem.y, problem.v, problem.x, tau2="ML" if problem.random else None, test="z")
    return np.r_[f.beta, f.tau2] if problem.random else np.asarray(f.beta)


def _neutral(problem: Problem) -> float:
    """Return the log-likelihood without selection."""
    base = _without_selection(problem)
    mean = problem.x @ base[: problem.coefficients]
    total = problem.v + (base[-1] if problem.random else 0.0)
    return float(-0.5 * (np.log(2 * np.pi * total) + (problem.y - mean) ** 2 / total).sum())


def _record(
    fit: Pooled | Regression,
    problem: Problem,
    best: Maximum,
    back: FloatArray,
    side: str,
    sign: float,
    profile: bool,
) -> SelectionModel:
    p, random, level = problem.coefficients, problem.random, fit.level
    beta, tau2, delta = split(problem, best.at)
    error = np.sqrt(np.maximum(np.diag(best.cov), 0.0))
    se = np.sqrt(np.maximum(np.diag(back @ best.cov[:p, :p] @ back.T), 0.0))
    delta_se = np.full(len(delta), np.nan)
    delta_se[problem.free] = error[p + int(random) :]
    crit = float(special.ndtri(0.5 + level / 2))
    neutral = np.resize(np.array(problem.function.neutral), len(delta))
    with np.errstate(invalid="ignore"):
        delta_p = 2 * special.ndtr(-np.abs((delta - neutral) / delta_se))
        half = crit * delta_se
    lrt_df = int(problem.free.sum())
    lrt = max(0.0, 2 * (best.value - _neutral(problem))) if lrt_df else NAN
    beta = sign * (back @ beta)
    estimate = None
    if isinstance(fit, Pooled):
        value, reach = float(beta[0]), crit * float(se[0])
        estimate = printed_estimate(fit.effects, value, value - reach, value + reach, level, "confidence")
    trouble = best.problem
    shape: tuple[FloatArray, FloatArray, FloatArray] = (np.empty(0), np.empty(0), np.empty(0))
    if (trouble or profile) and lrt_df and isinstance(fit, Pooled):
        values, heights, effects = _profile(problem, best)
        shape = (values, heights, np.asarray(fit.effects.measure.to_printed(sign * back[0, 0] * effects)))
    return SelectionModel(
        fit=fit,
        function=problem.function.key,
        favoured=side,
        steps=tuple(problem.steps.tolist()),
        estimate=estimate,
        beta=frozen_array(beta),
        se=frozen_array(se),
        p=frozen_array(2 * special.ndtr(-np.abs(beta / se))),
        tau2=float(tau2),
        tau2_se=float(error[p]) if random else NAN,
        delta=frozen_array(delta),
        delta_se=frozen_array(delta_se),
        delta_low=frozen_array(np.maximum(delta - half, problem.function.least)),
        delta_high=frozen_array(np.minimum(delta + half, MOST)),
        delta_p=frozen_array(delta_p),
        loglik=best.value,
        lrt=lrt,
        lrt_df=lrt_df,
        lrt_p=float(special.chdtrc(lrt_df, lrt)) if lrt_df else NAN,
        converged=not trouble,
        trouble=trouble,
        profile=(frozen_array(shape[0]), frozen_array(shape[1]), frozen_array(shape[2])),
    )


def _profile(problem: Problem, best: Maximum) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Fit again with the first estimated selection parameter held at each of a row of values."""
    values = np.geomspace(0.02, 20.0, PROFILE_POINTS)
    heights, effects = np.full(len(values), np.nan), np.full(len(values), np.nan)
    place = problem.coefficients + int(problem.random)
    start = np.delete(best.at, place)
    free = len(best.at) - 1
    low = np.full(free, -np.inf)
    low[problem.coefficients :] = problem.function.least
    if problem.random:
        low[problem.coefficients] = 0.0
    high = np.full(free, np.inf)
    high[place:] = MOST
    for i, held in enumerate(values.tolist()):

        def down(t: FloatArray, value: float = held) -> float:
            height = float(log_likelihood(problem, np.insert(t, place, value)))
            return -height if np.isfinite(height) else 1e10

        found = optimize.minimize(
            down, start, bounds=optimize.Bounds(low, high), method="L-BFGS-B", options={"maxiter": 60}
        )
        if found.fun < 1e9:
            heights[i], effects[i] = -found.fun, found.x[0]
            start = found.x
    return values, heights, effects
