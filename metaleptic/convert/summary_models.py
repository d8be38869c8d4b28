"""The two curves of a survival summary: survival, density and median as functions of two parameters."""

from __future__ import annotations

from collections.abc import Callable
from types import MappingProxyType

import numpy as np
from scipy import special

from metaleptic.types import FloatArray

Curve = Callable[[FloatArray, FloatArray], FloatArray]


def weibull(t: FloatArray, parameters: FloatArray) -> FloatArray:
    """Return S(t) of log shape and log scale."""
    return np.asarray(np.exp(-np.exp(np.exp(parameters[0]) * (np.log(t) - parameters[1]))))


def log_normal(t: FloatArray, parameters: FloatArray) -> FloatArray:
    """Return S(t) of log sigma and mu."""
    return np.asarray(special.ndtr((parameters[1] - np.log(t)) / np.exp(parameters[0])))


def weibull_density(t: FloatArray, parameters: FloatArray) -> FloatArray:
    """Return -dS/dt."""
    hazard = np.exp(np.exp(parameters[0]) * (np.log(t) - parameters[1]))
    return np.asarray(np.exp(parameters[0]) / t * hazard * np.exp(-hazard))


def log_normal_density(t: FloatArray, parameters: FloatArray) -> FloatArray:
    """Return -dS/dt."""
    sigma = np.exp(parameters[0])
    z = (parameters[1] - np.log(t)) / sigma
    return np.asarray(np.exp(-(z**2) / 2) / (sigma * t * np.sqrt(2 * np.pi)))


MODELS: MappingProxyType[str, Curve] = MappingProxyType({"weibull": weibull, "log-normal": log_normal})
DENSITIES: MappingProxyType[str, Curve] = MappingProxyType(
    {"weibull": weibull_density, "log-normal": log_normal_density}
)


def log_median(model: str, parameters: FloatArray) -> float:
    """Return the log of the time at which survival is one half."""
    if model == "weibull":
        return float(parameters[1] + np.log(np.log(2)) / np.exp(parameters[0]))
    return float(parameters[1])


def median_gradient(model: str, parameters: FloatArray) -> FloatArray:
    """Return the derivative of the log median by the parameters."""
    if model == "weibull":
        return np.array([-np.log(np.log(2)) / np.exp(parameters[0]), 1.0])
    return np.array([0.0, 1.0])
