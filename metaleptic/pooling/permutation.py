"""Permutation tests: p values that rest on exchangeability alone, exact where all permutations can be gone through."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice, permutations
from math import factorial
from typing import Any

import numpy as np

from metaleptic.errors import OptionError
from metaleptic.frames import to_frame
from metaleptic.pooling.anatomy import Anatomy, anatomy
from metaleptic.pooling.normal import fit_normal
from metaleptic.pooling.regression import fit_regression
from metaleptic.pooling.regression_result import Regression
from metaleptic.pooling.result import Pooled, format_p
from metaleptic.types import FloatArray, frozen_array

CHUNK = 2048  # data sets fitted at once: enough to be fast, small enough for the memory
EXACT_UP_TO = 20_000  # permutations that are gone through one by one unless told otherwise
TIE = 1e-10  # statistics this close (relative) count as equal: permutations give exact ties up to rounding


@dataclass(frozen=True, slots=True, eq=False)
class Permutation:
    """Permutation p values beside those of the model.

    Attributes
    ----------
    names : tuple of str
        Coefficients.
    p : ndarray of shape (p,)
        Two-sided permutation p values.
    model_p : ndarray of shape (p,)
        p values of the model.
    omnibus_p : float
        Permutation p value of all moderators together; of the mean if there are none.
    permutations : int
        Number of data sets looked at, the observed one included.
    exact : bool
        Whether these were all there are.
    statistics : ndarray of shape (permutations, p)
        The test statistics, for a plot of their distribution.
    seed : int or None
        Seed of the random numbers.
    """

    names: tuple[str, ...]
    p: FloatArray
    model_p: FloatArray
    omnibus_p: float
    permutations: int
    exact: bool
    statistics: FloatArray
    seed: int | None
    frame_kind: str

    def to_frame(self) -> Any:
        """Return a row per coefficient."""
        return to_frame({"term": self.names, "permutation_p": self.p, "model_p": self.model_p}, self.frame_kind)

    def __repr__(self) -> str:
        how = "all" if self.exact else "random"
        lines = [f"Permutation test, {how} {self.permutations} permutations"]
        for name, p, model in zip(self.names, self.p, self.model_p, strict=True):
            lines.append(f"{name}: p {format_p(p)} (model: p {format_p(model)})")
        return "\n".join(lines)


def permutation_test(
    fit: Pooled | Regression, *, permutations: int = 1000, exact: bool | None = None, seed: int | None = None
) -> Permutation:
    """Test the effect, or the moderators, without leaning on the normal distribution: by permuting the studies.

    Parameters
    ----------
    fit : Pooled or Regression
        From ``ml.pool``. Without moderators the signs of the effects are permuted (the null value must be the centre of
        symmetry), with moderators the rows of the design.
    permutations : int, default 1000
        Number of random permutations when not all are gone through.
    exact : bool, optional
        Go through all (2^k signs, or all distinct orders of the design). By default where there are at most 20,000.
    seed : int, optional
        Seed of the random permutations.

    Returns
    -------
    Permutation
        The tau2 estimator and the test statistic are those of the fit, estimated anew in each permutation.

    Raises
    ------
    OptionError
        If ``exact`` asks for more than ten million permutations, there are fewer than two, or a mean without moderators is
        of a measure without a null.

    Notes
    -----
    Sources: Higgins JPT, Thompson SG. Stat Med 2004;23:1663-1682; Follmann DA, Proschan MA. Biometrics 1999;55:732-737.

    Examples
    --------
    >>> import metaleptic as ml
    >>> fit = ml.pool(ml.effects([-0.9, -1.6, -0.2, -0.4, -0.3], [0.1, 0.2, 0.05, 0.02, 0.05]), tau2="DL")
    >>> ml.permutation_test(fit).p
    array([0.0625])
    """
    a = anatomy(fit, "permutation_test")
    with_moderators = isinstance(fit, Regression) and a.design.names != ("intercept",)
    if permutations < 2:
        raise OptionError(f"permutations is {permutations}: say how many to draw, for example permutations=1000.")
    if not with_moderators and not a.effects.measure.has_null:
        raise OptionError(
            f"{a.effects.measure.label} has no null: no value means no effect, and there is nothing to test. "
            "With moderators their effects are tested."
        )
    statistics_of, total, everything = _by_design(a) if with_moderators else _by_signs(a)
    go_through_all = total <= EXACT_UP_TO if exact is None else exact
    if go_through_all and total > 10_000_000:
        raise OptionError(f"there are {total:.3g} permutations: too many for exact=True. Say permutations=10000.")
    rng = np.random.default_rng(seed)
    chunks = everything() if go_through_all else _random(a, with_moderators, permutations - 1, rng)
    own, own_omnibus = statistics_of(_identity(a, with_moderators))
    found = [(own, own_omnibus)] if not go_through_all else []
    found += [statistics_of(chunk) for chunk in chunks]
    statistics, omnibus = (np.concatenate([f[j] for f in found]) for j in (0, 1))
    p = (np.abs(statistics) >= np.abs(own) * (1 - TIE)).mean(axis=0)
    omnibus_p = float((omnibus >= own_omnibus * (1 - TIE)).mean())
    return Permutation(
        names=a.design.names,
        p=frozen_array(p),
        model_p=frozen_array(np.atleast_1d(fit.p)),
        omnibus_p=omnibus_p,
        permutations=len(omnibus),
        exact=go_through_all,
        statistics=frozen_array(statistics),
        seed=None if go_through_all else seed,
        frame_kind=a.effects.frame_kind,
    )


Statistics = Callable[[Any], tuple[FloatArray, FloatArray]]


def _identity(a: Anatomy, with_moderators: bool) -> Any:
    return np.arange(len(a.effects))[None] if with_moderators else np.ones((1, len(a.effects)))


def _by_signs(a: Anatomy) -> tuple[Statistics, int, Callable[[], Iterator[Any]]]:
    k = len(a.effects)
    test = a.test if a.test in ("z", "t", "knapp-hartung", "adhoc") else "z"

    def statistics_of(signs: FloatArray) -> tuple[FloatArray, FloatArray]:
        fit = fit_normal(a.effects.y * signs, a.effects.v, tau2=a.tau2_method or None, test=test)
        return fit.statistic[:, None], fit.statistic**2

    def everything() -> Iterator[Any]:
        for start in range(0, 2**k, CHUNK):
            codes = np.arange(start, min(start + CHUNK, 2**k))
            yield 1.0 - 2.0 * ((codes[:, None] >> np.arange(k)) & 1)

    return statistics_of, 2**k, everything


def _by_design(a: Anatomy) -> tuple[Statistics, int, Callable[[], Iterator[Any]]]:
    k = len(a.effects)
    tested = np.flatnonzero([name != "intercept" for name in a.design.names])

    def statistics_of(orders: Any) -> tuple[FloatArray, FloatArray]:
        fit = fit_regression(a.effects.y, a.effects.v, a.x[orders], tau2=a.tau2_method or None, test=a.test)
        se = np.sqrt(np.diagonal(fit.cov, axis1=-2, axis2=-1))
        beta, cov = fit.beta[:, tested], fit.cov[:, tested[:, None], tested]
        omnibus = np.einsum("mi,mi->m", beta, np.linalg.solve(cov, beta[..., None])[..., 0])
        return fit.beta / se, omnibus

    def everything() -> Iterator[Any]:
        orders = permutations(range(k)) if distinct == factorial(k) else _distinct_orders(a.x)
        while chunk := list(islice(orders, CHUNK)):
            yield np.array(chunk)

    kinds = np.unique(a.x, axis=0, return_counts=True)[1]
    distinct = factorial(k)
    for count in kinds:
        distinct //= factorial(int(count))
    return statistics_of, distinct, everything


def _distinct_orders(x: FloatArray) -> Iterator[tuple[int, ...]]:
    """Yield one order for each distinct arrangement of the rows of x."""
    kinds, label = np.unique(x, axis=0, return_inverse=True)
    members = [np.flatnonzero(label.ravel() == j).tolist() for j in range(len(kinds))]
    left = [len(m) for m in members]
    chosen: list[int] = []

    def extend() -> Iterator[tuple[int, ...]]:
        if len(chosen) == len(x):
            yield tuple(chosen)
            return
        for j, rest in enumerate(left):
            if rest:
                left[j] -= 1
                chosen.append(members[j][left[j]])
                yield from extend()
                chosen.pop()
                left[j] += 1

    return extend()


def _random(a: Anatomy, with_moderators: bool, count: int, rng: np.random.Generator) -> Iterator[Any]:
    k = len(a.effects)
    for start in range(0, count, CHUNK):
        size = min(CHUNK, count - start)
        if with_moderators:
            yield rng.permuted(np.tile(np.arange(k), (size, 1)), axis=1)
        else:
            yield rng.choice([-1.0, 1.0], size=(size, k))
