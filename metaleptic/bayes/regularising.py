"""Priors on the coefficients of many moderators: small unless the studies insist.

They act on standardised moderators: each coefficient is what one standard deviation of its moderator is worth. The mean at
average moderators has a prior of its own.

Source: Piironen J, Vehtari A. Electron J Stat 2017;11:5018-5051 (regularised horseshoe); Roever C, Friede T. Comput Methods
Programs Biomed 2023;229:107303 (normal priors in meta-regression).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from metaleptic.bayes.effect_prior import EffectPrior
from metaleptic.design import Design
from metaleptic.errors import DataError, OptionError
from metaleptic.types import FloatArray, frozen_array

PIIRONEN = "Piironen J, Vehtari A. Electron J Stat 2017;11:5018-5051"
ROEVER_2023 = "Roever C, Friede T. Comput Methods Programs Biomed 2023;229:107303"


@dataclass(frozen=True, slots=True)
class Regularising:
    """A prior on all coefficients of a meta-regression together.

    Attributes
    ----------
    key : {"ridge", "horseshoe"}
        Function of ``ml.priors`` that makes it.
    parameters : tuple of (str, float)
        What it was made with.
    mean : EffectPrior or None
        Prior on the effect at average moderators; None if flat.
    source : str
        Where it comes from.
    """

    key: str
    parameters: tuple[tuple[str, float], ...]
    mean: EffectPrior | None
    source: str

    @property
    def words(self) -> str:
        """Name with its numbers, for a sentence."""
        p = dict(self.parameters)
        mean = "flat" if self.mean is None else self.mean.words
        if self.key == "ridge":
            return f"normal prior on the coefficients with half-normal({p['scale']:g}) spread, {mean} on the mean"
        slab = f"slab t({p['slab_df']:g}, 0, {p['slab']:g})"
        return (
            f"regularised horseshoe prior on the coefficients ({p['relevant']:g} relevant, {slab}), {mean} on the mean"
        )

    @property
    def call(self) -> str:
        """The call that makes it again."""
        given = [f"{name}={value!r}" for name, value in self.parameters]
        given += [] if self.mean is None else [f"mean={self.mean.call}"]
        return f"priors.{self.key}({', '.join(given)})"

    def __repr__(self) -> str:
        return self.words


@dataclass(frozen=True, slots=True, eq=False)
class Standardised:
    """A design in units of its moderators' standard deviations, counted from their means.

    Attributes
    ----------
    z : ndarray of shape (k, q)
        Columns other than the intercept.
    back : ndarray of shape (p, q)
        Coefficients of the design = back b, plus the mean in the row of the intercept.
    intercept : int or None
        Column of the intercept.
    """

    z: FloatArray
    back: FloatArray
    intercept: int | None


def ridge(scale: float = 0.5, *, mean: EffectPrior | tuple[float, float] | None = None) -> Regularising:
    """All coefficients are normal around 0 with one spread, which the studies help to choose (ridge regression).

    Parameters
    ----------
    scale : float, default 0.5
        The spread has a half-normal prior of this scale: what one standard deviation of a moderator is worth, analysis scale.
    mean : (mean, sd) or EffectPrior, optional
        Prior on the effect at average moderators; flat by default.

    Notes
    -----
    Source: Roever C, Friede T. Comput Methods Programs Biomed 2023;229:107303 (normal priors on coefficients).

    Examples
    --------
    >>> ridge(0.3)
    normal prior on the coefficients with half-normal(0.3) spread, flat on the mean
    """
    return Regularising("ridge", _positive(scale=scale), _mean(mean), ROEVER_2023)


def horseshoe(
    relevant: float = 1.0,
    *,
    slab: float = 1.0,
    slab_df: float = 4.0,
    mean: EffectPrior | tuple[float, float] | None = None,
) -> Regularising:
    """Most moderators do not matter and a few do: the regularised horseshoe.

    Parameters
    ----------
    relevant : float, default 1
        How many moderators you expect to matter; fewer than there are.
    slab, slab_df : float, default 1 and 4
        Those that matter have coefficients like a Student t with this scale and these degrees of freedom.
    mean : (mean, sd) or EffectPrior, optional
        Prior on the effect at average moderators; flat by default.

    Notes
    -----
    The common scale is half-Cauchy with scale relevant / (q - relevant) * s / sqrt(k), s the standard error of a typical
    study, q moderators, k studies. Source: Piironen J, Vehtari A. Electron J Stat 2017;11:5018-5051.

    Examples
    --------
    >>> horseshoe(2)
    regularised horseshoe prior on the coefficients (2 relevant, slab t(4, 0, 1)), flat on the mean
    """
    parameters = _positive(relevant=relevant, slab=slab, slab_df=slab_df)
    return Regularising("horseshoe", parameters, _mean(mean), PIIRONEN)


def standardise(design: Design) -> Standardised:
    """Centre and scale the moderators; without an intercept only scale them."""
    x, names = design.matrix, design.names
    at = next((j for j in range(x.shape[1]) if design.intercept and (x[:, j] == 1).all()), None)
    rest = [j for j in range(x.shape[1]) if j != at]
    if not rest:
        raise OptionError(
            "there is no moderator beside the intercept: a prior on their coefficients has nothing to act on."
        )
    centre = x[:, rest].mean(axis=0) if at is not None else np.zeros(len(rest))
    scale = np.sqrt(np.mean((x[:, rest] - centre) ** 2, axis=0))
    for j in np.flatnonzero(scale < 1e-12 * np.abs(x[:, rest]).max(axis=0) + 1e-300).tolist():
        raise DataError(f"moderator '{names[rest[j]]}' is the same in all studies: it explains nothing. Drop it.")
    back = np.zeros((x.shape[1], len(rest)))
    back[rest, np.arange(len(rest))] = 1 / scale
    if at is not None:
        back[at] = -centre / scale
    return Standardised(frozen_array((x[:, rest] - centre) / scale), frozen_array(back), at)


def global_scale(prior: Regularising, q: int, v: FloatArray) -> float:
    """Return the scale of the half-Cauchy prior on the horseshoe's common scale."""
    relevant = dict(prior.parameters)["relevant"]
    if not relevant < q:
        raise OptionError(
            f"relevant={relevant:g} of {q} moderators: the horseshoe expects that some do not matter. Say fewer, or take priors.ridge()."
        )
    return float(relevant / (q - relevant) / np.sqrt(np.mean(1 / v) * len(v)))


def draw_coefficients(
    prior: Regularising, design: Design, v: FloatArray, size: int, rng: np.random.Generator
) -> FloatArray:
    """Draw coefficients of the design from the prior: shape (size, p).

    Raises
    ------
    OptionError
        If the prior on the mean is flat.
    """
    basis, p = standardise(design), dict(prior.parameters)
    q = basis.z.shape[1]
    if prior.key == "ridge":
        spread: Any = np.abs(rng.normal(0, p["scale"], (size, 1)))
    else:
        common = global_scale(prior, q, v) * np.abs(rng.standard_cauchy((size, 1)))
        local = np.abs(rng.standard_cauchy((size, q)))
        c2 = p["slab_df"] / 2 * p["slab"] ** 2 / rng.standard_gamma(p["slab_df"] / 2, (size, 1))
        spread = common * local / np.sqrt(1 + (common * local) ** 2 / c2)
    beta = (spread * rng.standard_normal((size, q))) @ basis.back.T
    if basis.intercept is not None:
        if prior.mean is None:
            raise OptionError("a flat prior on the mean cannot be drawn from. Say mean=(mean, sd).")
        m = prior.mean
        z = rng.standard_normal(size) if np.isinf(m.df) else rng.standard_t(m.df, size)
        beta[:, basis.intercept] += m.location + m.scale * z
    return np.asarray(beta)


def _positive(**values: float) -> tuple[tuple[str, float], ...]:
    for name, value in values.items():
        if not (np.isfinite(value) and value > 0):
            raise OptionError(f"{name} {value!r} must be a number above 0.")
    return tuple((name, float(value)) for name, value in values.items())


def _mean(mean: EffectPrior | tuple[float, float] | None) -> EffectPrior | None:
    if mean is None:
        return None
    found = mean if isinstance(mean, EffectPrior) else EffectPrior(float(mean[0]), float(mean[1]))
    if found.bounded:
        raise OptionError("a prior on the mean with bounds is for compare_models. Take one without bounds here.")
    return found
