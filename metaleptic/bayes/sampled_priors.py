"""Priors on tau for a sampler: in its own terms where it has them, else as a table of the log density.

A function gets ``pm`` and ``pt`` (PyMC and PyTensor's tensors), so that this file imports neither.
"""

from __future__ import annotations

from collections.abc import Callable
from types import MappingProxyType
from typing import Any

import numpy as np

from metaleptic.bayes.effect_prior import EffectPrior
from metaleptic.bayes.prior import Prior
from metaleptic.types import FloatArray

_NODES = 800


def tau_variable(pm: Any, pt: Any, prior: Prior, v: FloatArray, name: str = "tau") -> Any:
    """Put tau, or another spread with the same kind of prior, into the model."""
    if prior.key in IN_ITS_TERMS:
        return IN_ITS_TERMS[prior.key](pm, name, **dict(prior.parameters))
    return _tabulated(pm, pt, prior, v, name)


def mu_variable(pm: Any, mu: EffectPrior | None, start: float, scale: float, name: str = "mu") -> Any:
    """Put the mean with its prior into the model; a flat one is measured in units of the data."""
    if mu is not None and np.isinf(mu.df):
        return pm.Normal(name, mu.location, mu.scale)
    if mu is not None:
        return pm.StudentT(name, nu=mu.df, mu=mu.location, sigma=mu.scale)
    return pm.Deterministic(name, start + scale * pm.Flat(f"{name}_flat"))


def _uniform(pm: Any, name: str, upper: float | None = None) -> Any:
    return pm.HalfFlat(name) if upper is None else pm.Uniform(name, 0.0, upper)


def _log_student_t(pm: Any, name: str, df: float, location: float, scale: float) -> Any:
    return pm.Deterministic(name, pm.math.exp(pm.StudentT(f"log_{name}", nu=df, mu=location, sigma=scale)))


IN_ITS_TERMS: MappingProxyType[str, Callable[..., Any]] = MappingProxyType(
    {
        "half_normal": lambda pm, name, scale: pm.HalfNormal(name, scale),
        "half_t": lambda pm, name, df, scale: pm.HalfStudentT(name, nu=df, sigma=scale),
        "half_cauchy": lambda pm, name, scale: pm.HalfCauchy(name, scale),
        "uniform": _uniform,
        "exponential": lambda pm, name, rate: pm.Exponential(name, rate),
        "log_normal": lambda pm, name, mu, sigma: pm.LogNormal(name, mu=mu, sigma=sigma),
        "log_student_t": _log_student_t,
        "inverse_gamma": lambda pm, name, shape, scale: pm.InverseGamma(name, alpha=shape, beta=scale),
    }
)


def _tabulated(pm: Any, pt: Any, prior: Prior, v: FloatArray, name: str) -> Any:
    """Interpolate the log density over u = log(tau), linearly in slope, between exp(-14) and exp(9) of the data's scale."""
    middle = -0.5 * float(np.log(np.mean(1 / v)))
    top = min(middle + 9.0, float(np.log(prior.upper)))
    u = np.linspace(middle - 14.0, top, _NODES)
    with np.errstate(divide="ignore", over="ignore", invalid="ignore"):
        f = np.maximum(prior.log_density(np.exp(u), v) + u, -1e4)
    step, slope = u[1] - u[0], np.gradient(f, u)
    log_tau = pm.Uniform(f"log_{name}", u[0], u[-1])
    at = (log_tau - u[0]) / step
    cell = pt.clip(pt.floor(at), 0, _NODES - 2).astype("int64")
    s = at - cell
    f0, f1, d0, d1 = (pt.as_tensor_variable(a)[cell] for a in (f[:-1], f[1:], step * slope[:-1], step * slope[1:]))
    cubic = f0 * (1 + 2 * s) * (1 - s) ** 2 + d0 * s * (1 - s) ** 2 + f1 * s**2 * (3 - 2 * s) + d1 * s**2 * (s - 1)
    pm.Potential(f"prior_of_{name}", cubic)
    return pm.Deterministic(name, pm.math.exp(log_tau))
