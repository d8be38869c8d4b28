"""Priors on tau of one's own: a sentence, quantiles, or any density."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from itertools import pairwise
from numbers import Real
from typing import Any

import numpy as np
from scipy import special

from metaleptic.bayes.panels import Panels
from metaleptic.bayes.parametric_priors import exponential, half_cauchy, half_normal, inverse_gamma, log_normal
from metaleptic.bayes.prior import Prior, positive_parameters, total_of
from metaleptic.errors import OptionError

SPIEGELHALTER = "Spiegelhalter DJ, Abrams KR, Myles JP. Bayesian Approaches to Clinical Trials. Wiley 2004, section 5.7"
SPREAD_95 = float(special.ndtri(0.975))
NEAR_ZERO, HUGE = 1e-100, 1e300  # an infinite density below the one is replaced by the other
POLE = 1 - 1e-6  # a density that rises like tau^-1 or faster at zero gives no posterior


def in_words(
    *, probability: float, tau: float | None = None, fold: float | None = None, family: str = "half-normal"
) -> Prior:
    """State the prior as a sentence: "I am 90% sure that heterogeneity stays below this".

    Parameters
    ----------
    probability : float
        How sure: 0.9 for 90%.
    tau : float, optional
        The value that tau stays below, on the analysis scale.
    fold : float, optional
        The same for ratios: 95% of the studies' true ratios lie within this factor of their centre
        (tau = log(fold) / 1.96).
    family : {"half-normal", "half-Cauchy", "exponential"}
        Shape of the prior.

    Notes
    -----
    Source: Spiegelhalter DJ, Abrams KR, Myles JP. Bayesian Approaches to Clinical Trials. Wiley 2004, section 5.7.

    Examples
    --------
    >>> in_words(probability=0.9, fold=1.5)
    half-normal(scale=0.1258) prior on tau: median 0.085, 95% below 0.25
    """
    if not 0 < probability < 1:
        raise OptionError(f"probability {probability:g} is not between 0 and 1. Write 0.9 for 90%.")
    if (tau is None) == (fold is None):
        raise OptionError("say either tau=... or fold=...: the value that heterogeneity stays below.")
    if fold is not None:
        if not fold > 1:
            raise OptionError(f"fold {fold:g} must be above 1: 1.5 means 'within a factor of 1.5'.")
        tau = float(np.log(fold)) / SPREAD_95
    families: dict[str, Callable[[float], Prior]] = {
        "half-normal": half_normal,
        "half-Cauchy": half_cauchy,
        "exponential": lambda s: exponential(1 / s),
    }
    if family not in families:
        raise OptionError(f"family {family!r} is unknown. Choose one of: {', '.join(families)}.")
    value = dict(positive_parameters(tau=0.0 if tau is None else tau))["tau"]
    unit = float(families[family](1.0).quantile(probability))
    prior = families[family](value / unit)
    return replace(prior, source=SPIEGELHALTER)


def from_quantiles(quantiles: Mapping[float, float], *, family: str = "log-normal") -> Prior:
    """State the prior by two quantiles: "as likely below 0.2 as above it, and 95% sure that it is below 0.8".

    Parameters
    ----------
    quantiles : mapping of float to float
        Probability -> the value that tau stays below with this probability: ``{0.5: 0.2, 0.95: 0.8}``. One quantile is
        enough for a family with one parameter.
    family : {"log-normal", "inverse-gamma", "half-normal", "half-Cauchy", "exponential"}
        Shape of the prior. The first two have two parameters, the others one.

    Raises
    ------
    OptionError
        If the quantiles contradict each other, or their number does not fit the family.

    Notes
    -----
    Source: Spiegelhalter DJ, Abrams KR, Myles JP. Bayesian Approaches to Clinical Trials. Wiley 2004, section 5.7.

    Examples
    --------
    >>> from_quantiles({0.5: 0.2, 0.95: 0.8})
    log-normal(mu=-1.609, sigma=0.8428) prior on tau: median 0.2, 95% below 0.8
    """
    if not isinstance(quantiles, Mapping) or not all(isinstance(x, Real) for pair in quantiles.items() for x in pair):
        raise OptionError(
            "quantiles must be a mapping of probability to value: {0.5: 0.2, 0.95: 0.8} for 'as likely below 0.2 as above, and "
            "95% sure that it is below 0.8'."
        )
    points = sorted((float(p), float(q)) for p, q in quantiles.items())
    if any(not 0 < p < 1 for p, _ in points):
        raise OptionError("a probability lies between 0 and 1. Write {0.95: 0.8} for '95% sure that tau is below 0.8'.")
    if any(not q > 0 for _, q in points) or any(b[1] <= a[1] for a, b in pairwise(points)):
        raise OptionError("the values of tau must be above 0 and rise with their probabilities.")
    needed = 2 if family in ("log-normal", "inverse-gamma") else 1
    if len(points) != needed:
        raise OptionError(f"a {family} prior is fixed by {needed} quantile{'s'[: needed - 1]}, not {len(points)}.")
    if needed == 1:
        return in_words(probability=points[0][0], tau=points[0][1], family=family)
    (p1, q1), (p2, q2) = points
    ratio = np.log(q2 / q1)
    if family == "log-normal":
        z1, z2 = special.ndtri([p1, p2])
        sigma = float(ratio / (z2 - z1))
        return replace(log_normal(float(np.log(q1) - sigma * z1), sigma), source=SPIEGELHALTER)
    # tau = scale / gamma quantile: the ratio of two quantiles falls with the shape
    low, high = np.log(1e-3), np.log(1e8)
    for _ in range(200):
        middle = (low + high) / 2
        g1, g2 = special.gammainccinv(np.exp(middle), [p1, p2])
        low, high = (middle, high) if np.log(g1 / g2) > ratio else (low, middle)
    shape = float(np.exp((low + high) / 2))
    return replace(inverse_gamma(shape, float(q1 * special.gammainccinv(shape, p1))), source=SPIEGELHALTER)


def from_density(
    density: Any, *, name: str = "custom", log: bool = False, upper: float = np.inf, breaks: tuple[float, ...] = ()
) -> Prior:
    """Take any density of tau: a function, or a distribution such as ``scipy.stats.gamma(2)`` or ``pm.Gamma.dist(2, 4)``.

    Parameters
    ----------
    density : callable or distribution
        Of tau >= 0; it is asked for many values at a time if it can take them. It need not integrate to 1 (a distribution that reaches below 0 is cut there). A distribution
        has ``logpdf``, or is one of PyMC's, made by ``.dist``.
    name : str
        For sentences.
    log : bool, default False
        Whether the function returns the log density: better far out in the tail.
    upper : float, optional
        End of the support.
    breaks : tuple of float
        Where the density jumps or has a kink, if it does.

    Raises
    ------
    OptionError
        If the density is negative, not a number, or 0 everywhere.

    Examples
    --------
    >>> import numpy as np
    >>> from_density(lambda tau: tau * np.exp(-4 * tau), name="gamma")
    gamma prior on tau
    """
    parameters: tuple[tuple[str, float], ...] = ()
    made = ""
    if hasattr(density, "freeze"):  # scipy.stats.expon itself: its standard form
        density = density.freeze()
    if hasattr(density, "logpdf"):
        function, log = density.logpdf, True
        parameters, made = _parameters_of(density) if name == "custom" else ((), "")
        if hasattr(density, "support"):
            start, end = (float(x) for x in density.support())
            upper = min(upper, end)
            breaks = (*breaks, start) if start > 0 else breaks
        if name == "custom":
            name = str(getattr(getattr(density, "dist", None), "name", name))
    elif is_pymc(density):
        from metaleptic.bayes.sampler import log_density

        function, log = log_density(density), True
        jumps = _ends_of_support(function)
        upper, breaks = (
            min(upper, *(x for x, ends in jumps if ends), np.inf),
            (*breaks, *(x for x, ends in jumps if not ends)),
        )
        if name == "custom":
            name = _pymc_words(density)
    elif callable(density):
        function = _of_many(density, name)
    else:
        raise OptionError(f"a density must be a function of tau or have logpdf, not {type(density).__name__}.")

    def raw(tau: Any, v: Any) -> Any:
        with np.errstate(all="ignore"):
            value = np.asarray(function(tau), dtype=np.float64)
            value = np.where((value == np.inf) & (np.asarray(tau) < NEAR_ZERO), HUGE, value)  # a pole, seen below
            bad = np.isnan(value) | (value == np.inf) if log else ~(value >= 0) | np.isinf(value)
            if value.shape != np.shape(tau) or bad.any():
                where = f" at tau {np.asarray(tau)[bad].flat[0]:.3g}" if value.shape == np.shape(tau) else ""
                raise OptionError(
                    f"the density {name!r} is not a finite number of at least 0{where}. It must take an array and return one."
                )
            return value if log else np.log(value)

    grid = total_of(raw, np.ones(1), upper, breaks)
    if np.isnan(grid.log_total[0]):
        raise OptionError(
            f"the density {name!r} is 0 wherever it was looked at. Say where it is not: breaks=(low, high)."
        )
    proper = is_proper(grid)
    constant = float(grid.log_total[0]) if proper else 0.0
    far = raw(np.exp(np.array([60.0, 80.0])), None) if np.isinf(upper) else np.array([-np.inf, -np.inf])
    tail = float((far[0] - far[1]) / 20) if np.isfinite(far).all() else np.inf
    near = raw(np.exp(np.array([-80.0, -60.0])), None)
    head = float((near[0] - near[1]) / 20) if np.isfinite(near).all() else 0.0
    proper = proper and head < POLE
    return Prior(
        "from_density",
        name,
        parameters,
        lambda tau, v: raw(tau, v) - constant,
        proper,
        tail,
        "",
        upper=float(upper),
        breaks=tuple(float(b) for b in breaks),
        head=1.0 if head >= POLE else head,
        made=made,
    )


def _of_many(function: Callable[[Any], Any], name: str) -> Callable[[Any], Any]:
    """Return the function if it takes an array and returns one, else one that asks it for each value in turn."""
    try:
        if np.shape(function(np.array([0.3, 1.0]))) == (2,):
            return function
    except (TypeError, ValueError):
        pass
    try:
        float(function(0.5))
    except (TypeError, ValueError) as err:
        raise OptionError(f"the density {name!r} takes neither a number nor an array of numbers: {err}.") from None
    return lambda tau: np.array([float(function(x)) for x in np.ravel(tau).tolist()]).reshape(np.shape(tau))


def _parameters_of(density: Any) -> tuple[tuple[tuple[str, float], ...], str]:
    """Return the parameters of a distribution of scipy.stats and the call that makes it; nothing of other objects."""
    family = getattr(density, "dist", None)
    values = (*getattr(density, "args", ()), *getattr(density, "kwds", {}).values())
    if family is None or not hasattr(family, "name") or any(np.ndim(x) for x in values):
        return (), ""
    shapes = [x.strip() for x in family.shapes.split(",")] if family.shapes else []
    named = dict(zip([*shapes, "loc", "scale"], density.args, strict=False)) | dict(density.kwds)
    found = tuple((key, float(value)) for key, value in named.items())
    inside = ", ".join(f"{key}={value!r}" for key, value in found)
    return found, f"priors.from_density(scipy.stats.{family.name}({inside}))"


def _pymc_words(density: Any) -> str:
    """Name a distribution of PyMC with the parameters it holds, in the order of PyTensor's."""
    op = density.owner.op
    name = str(getattr(op, "name", None) or type(op).__name__.removesuffix("RV").lower())
    if not hasattr(op, "dist_params"):
        return name
    return f"{name}({', '.join(f'{float(x.eval()):.4g}' for x in op.dist_params(density.owner) if x.ndim == 0)})"


def own_prior(given: Any) -> Prior | None:
    """Return a distribution of scipy.stats or PyMC, or a function, as a prior on tau; None for anything else."""
    density = hasattr(given, "logpdf") or is_pymc(given) or (callable(given) and not isinstance(given, type))
    return from_density(given) if density else None


def is_pymc(density: Any) -> bool:
    """Whether this is a distribution of PyMC, told without importing it."""
    return hasattr(density, "owner") and hasattr(density, "type") and hasattr(density, "eval")


def _ends_of_support(log: Callable[[Any], Any]) -> list[tuple[float, bool]]:
    """Find where a log density becomes finite (False) or ends (True), by bisection."""
    x = np.exp(np.linspace(-30.0, 30.0, 2001))
    inside = np.isfinite(log(x))
    found = []
    for i in np.flatnonzero(inside[1:] != inside[:-1]):
        low, high = x[i], x[i + 1]
        while high - low > 4e-16 * high:
            middle = (low + high) / 2
            if not low < middle < high:
                break
            low, high = (middle, high) if bool(np.isfinite(log(np.array([middle])))[0]) == inside[i] else (low, middle)
        found.append((float(low if inside[i] else high), bool(inside[i])))
    return found


def is_proper(grid: Panels) -> bool:
    """Whether the density fades towards both ends of its range instead of piling up there."""
    ends = np.diff(grid.cumulative, axis=1)[:, [0, -1]]
    open_right = grid.edges[:, -1] > 300
    return bool((ends[:, 0] < 1e-6).all() and (np.where(open_right, ends[:, 1], 0.0) < 1e-6).all())
