"""All subsets of the studies (GOSH): whether the cloud of results is one, or a study splits it."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import Any

import numpy as np

from metaleptic.bayes.regression_result import RegressionBayes
from metaleptic.bayes.result import PooledBayes
from metaleptic.errors import NotEstimableError, OptionError
from metaleptic.frames import to_frame
from metaleptic.measures import same
from metaleptic.pooling.multilevel.result import Multilevel
from metaleptic.pooling.regression_result import Regression
from metaleptic.sensitivity.leave_out_coefficients import main_coefficient
from metaleptic.sensitivity.mixture import two_groups
from metaleptic.sensitivity.multilevel_influence import units_of
from metaleptic.sensitivity.subset_fits import refuse_others
from metaleptic.sensitivity.subset_models import AnyFit, estimable, most_by_default, one_by_one, subset_columns
from metaleptic.sensitivity.subset_sums import masks_of
from metaleptic.sensitivity.words import listed, with_small_letter
from metaleptic.types import BoolArray, FloatArray, Measure, frozen_array

CHUNK = 1 << 12
CHUNK_ONE_BY_ONE = 5
CLOUD = 4000
APART = 3.0
SPLITS = 0.4  # correlation of a study's presence with the group, from which it counts as splitting the cloud
IntArray = np.ndarray[Any, np.dtype[np.int64]]


@dataclass(frozen=True, slots=True, eq=False)
class AllSubsets:
    """The model fitted to every subset of the studies, or to a random sample of subsets.

    Attributes
    ----------
    fit : Pooled, PooledBayes, Regression, RegressionBayes or Multilevel
        The result with all studies; of a multilevel fit read "effects" for "studies".
    code : ndarray of int, shape (m,)
        The subset as binary digits, the first study the highest; empty above 62 studies (``contains`` still answers).
    k : ndarray of shape (m,)
        Number of studies in each.
    estimate : ndarray of shape (m,)
        Pooled effect, analysis scale; of a regression its first coefficient that is not the intercept (``term``), of a
        posterior its median.
    tau2, q, i2, h2 : ndarray of shape (m,)
        Heterogeneity.
    exhaustive : bool
        Whether these are all subsets (of at least the smallest size asked for).
    seed : int or None
        Seed of the sample.
    presence : ndarray of shape (k,)
        Correlation of each study's presence with the group of the cloud a subset falls into.
    groups : ndarray of shape (2, 2)
        Centres (estimate, I2) of the two groups of the cloud.
    separation : float
        Distance of the two centres in standard deviations within the groups; below about 3 there is one cloud.
    packed : ndarray of uint8, shape (m, ceil(k / 8))
        The subsets as bits, eight studies in a byte.
    skipped : int
        Subsets that are not among the rows because the model cannot be fitted to them.
    """

    fit: AnyFit
    code: IntArray
    k: FloatArray
    estimate: FloatArray
    tau2: FloatArray
    q: FloatArray
    i2: FloatArray
    h2: FloatArray
    exhaustive: bool
    seed: int | None
    presence: FloatArray
    groups: FloatArray
    separation: float
    packed: np.ndarray[Any, np.dtype[np.uint8]]
    skipped: int = 0

    @property
    def term(self) -> str:
        """The coefficient that ``estimate`` is; "" for the pooled effect."""
        moderated = isinstance(self.fit, Regression | RegressionBayes)
        names = self.fit.design.names if isinstance(self.fit, Regression | RegressionBayes | Multilevel) else ()
        return names[main_coefficient(names)] if len(names) > 1 or moderated else ""

    @property
    def measure(self) -> Measure:
        """What ``estimate`` measures."""
        if self.term:
            return Measure("B", f"Coefficient of {self.term}", 0.0, same, same, "linear", 3)
        return self.fit.effects.measure

    @property
    def spread(self) -> FloatArray:
        """Heterogeneity of each subset: I2 in percent, or tau for models without I2."""
        return self.i2 if np.isfinite(self.i2).any() else frozen_array(np.sqrt(self.tau2))

    @property
    def names(self) -> tuple[str, ...]:
        """Names of what is in or out; effects of one study with their rows."""
        return units_of(self.fit, None)[1] if isinstance(self.fit, Multilevel) else self.fit.effects.study

    def contains(self, study: str) -> BoolArray:
        """Say of every subset whether it holds a study.

        Raises
        ------
        OptionError
            If there is no such study.
        """
        if study not in self.names:
            raise OptionError(f"there is no study '{study}'.")
        i = self.names.index(study)
        found: BoolArray = (self.packed[:, i // 8] >> (7 - i % 8)) & 1 == 1
        return found

    @property
    def splitting(self) -> tuple[str, ...]:
        """Studies whose presence decides into which part of the cloud a subset falls."""
        if not self.separation > APART:
            return ()
        order = np.argsort(-np.abs(self.presence))
        return tuple(self.names[i] for i in order if abs(self.presence[i]) > SPLITS)

    @property
    def sentence(self) -> str:
        """What the cloud shows, in plain words."""
        m = self.measure
        low, middle, high = (float(m.to_printed(x)) for x in np.quantile(self.estimate, [0.025, 0.5, 0.975]))
        low, high = min(low, high), max(low, high)
        what = f"all {len(self.k):,} subsets" if self.exhaustive else f"{len(self.k):,} random subsets"
        if self.k.min() > 1:
            what += f" of at least {self.k.min():.0f}"
        if not self.exhaustive:
            k = self.fit.k
            of = f"{2**k - 1:,}" if k <= 40 else f"2^{k}"
            what += f" (of {of})"
        text = (
            f"In {what} of the studies{', from which it can be estimated,' if self.skipped else ','} {'the ' if self.term else ''}{with_small_letter(m.label)} has the median {m.format(middle)} and lies between "
            f"{m.format(low)} and {m.format(high)} in 95% of them"
        )
        if self.splitting:
            a, b = (m.format(float(m.to_printed(g))) for g in self.groups[:, 0])
            return (
                f"{text}; the cloud falls into two parts (around {a} and {b}), which {listed(self.splitting)} decides."
            )
        return text + "; no study splits the cloud."

    def to_frame(self) -> Any:
        """Return a row per subset."""
        columns: dict[str, Any] = {} if len(self.code) == 0 else {"subset": self.code}
        columns |= {"k": self.k.astype(int), "estimate": self.estimate}
        # A model has no I2 or Q, or no tau2: a column without numbers says nothing.
        columns |= {n: getattr(self, n) for n in ("tau2", "i2", "q") if np.isfinite(getattr(self, n)).any()}
        return to_frame(columns, self.fit.effects.frame_kind)

    def __repr__(self) -> str:
        return self.sentence


def all_subsets(fit: AnyFit, *, most: int | None = None, seed: int | None = None, smallest: int = 1) -> AllSubsets:
    """Pool every subset of the studies, to see whether outliers or subgroups hide behind the pooled effect.

    Parameters
    ----------
    fit : Pooled, PooledBayes, Regression, RegressionBayes or Multilevel
        From ``ml.pool`` or ``ml.pool_bayes`` with or without moderators, or ``ml.pool_multilevel`` (subsets of effects); its
        model and estimator of tau2 are used.
    most : int, optional
        With more subsets than this, so many random ones are taken: 1,048,576 by default, 100,000 with moderators. Models of
        counts, posteriors and multilevel fits are fitted one by one: as many as take about half a minute on this computer,
        at least 50 and at most 1,000. Name a number for a cloud that another computer draws again.
    seed : int, optional
        Seed of the sample; 1 by default, so that the same call gives the same cloud.
    smallest : int, default 1
        Smallest number of studies in a subset.

    Returns
    -------
    AllSubsets
        Analysis scale; ``ml.plot`` draws the cloud.

    Raises
    ------
    NotEstimableError
        If there are fewer than three studies.
    OptionError
        If an option is out of range, or the fit is of another kind.

    Notes
    -----
    A mixture of two normal distributions tells whether the cloud of effects and I2 falls into two parts, and which
    study's presence goes with them. Source: Olkin I, Dahabreh IJ, Trikalinos TA. Res Synth Methods 2012;3:214-223.

    Examples
    --------
    >>> import metaleptic as ml
    >>> e = ml.effects([0.1, 0.2, 0.15, 0.12, 0.18, 2.0], [0.02] * 6, study=list("ABCDEF"))
    >>> found = ml.all_subsets(ml.pool(e))
    >>> len(found.k), found.splitting
    (63, ('F',))
    """
    if not isinstance(fit, PooledBayes | Regression | RegressionBayes | Multilevel):
        fit = refuse_others(fit, "all_subsets")
    if isinstance(fit, Regression) and fit.model not in ("random", "common"):
        raise OptionError(f'all_subsets with moderators is made for model="random" and "common", not "{fit.model}".')
    k = fit.k
    if k < 3:
        raise NotEstimableError(f"all subsets of {k} studies say nothing new; there should be at least 3.")
    most = most_by_default(fit) if most is None else most
    if not 1 <= smallest < k or most < 1:
        raise OptionError(f"smallest should be from 1 to {k - 1}, most at least 1.")
    exhaustive = k <= 62 and 2**k - 1 <= most
    used_seed = None if exhaustive else (1 if seed is None else int(seed))
    rng = np.random.default_rng(used_seed)
    parts: list[dict[str, FloatArray]] = []
    codes: list[IntArray] = []
    bits: list[np.ndarray[Any, np.dtype[np.uint8]]] = []
    total = 2**k - 1 if exhaustive else most
    skipped = 0
    slow = one_by_one(fit)
    shown = sys.stderr.isatty() and (slow or total * k > 5_000_000)
    step = CHUNK_ONE_BY_ONE if slow else CHUNK
    for start in range(0, total, step):
        size = min(step, total - start)
        if exhaustive:
            code = np.arange(start + 1, start + 1 + size, dtype=np.int64)
            keep = masks_of(code, k)
        else:
            keep = (rng.random((size, k)) < 0.5).astype(np.float64)
            code = _codes(keep) if k <= 62 else np.empty(0, np.int64)
        large = np.add.reduce(keep, axis=-1) >= smallest
        inside = large & estimable(fit, keep)
        skipped += int(large.sum() - inside.sum())
        keep = keep[inside]
        codes.append(code[inside] if len(code) else code)
        bits.append(np.packbits(keep > 0, axis=-1))
        parts.append(subset_columns(fit, keep))
        if shown:
            print(f"\r{start + size:,} of {total:,} subsets", end="", file=sys.stderr, flush=True)  # noqa: T201
    if shown:
        print(file=sys.stderr)  # noqa: T201
    columns = {name: np.concatenate([p[name] for p in parts]) for name in parts[0]}
    known = np.isfinite(columns["estimate"])
    skipped += int(np.sum(~known))
    columns = {name: values[known] for name, values in columns.items()}
    code = np.concatenate(codes)
    code, packed = code[known] if len(code) else code, np.concatenate(bits)[known]
    if not len(packed):
        raise NotEstimableError("the model cannot be fitted to any of the subsets.")
    presence, groups, separation = _split(columns, packed, k)
    code.flags.writeable = packed.flags.writeable = False
    return AllSubsets(
        fit=fit,
        code=code,
        k=frozen_array(columns["k"]),
        estimate=frozen_array(columns["estimate"]),
        tau2=frozen_array(columns["tau2"]),
        q=frozen_array(columns["q"]),
        i2=frozen_array(columns["i2"]),
        h2=frozen_array(columns["h2"]),
        exhaustive=exhaustive,
        seed=used_seed,
        presence=frozen_array(presence),
        groups=frozen_array(groups),
        separation=separation,
        packed=packed,
        skipped=skipped,
    )


def _codes(keep: FloatArray) -> IntArray:
    """Return subsets as numbers, in two halves so that no digit is lost above 52 studies."""
    k = keep.shape[1]
    if k <= 52:
        whole: IntArray = (keep @ 2.0 ** np.arange(k - 1, -1, -1)).astype(np.int64)
        return whole
    cut = 31
    high = (keep[:, : k - cut] @ 2.0 ** np.arange(k - cut - 1, -1, -1)).astype(np.int64)
    low = (keep[:, k - cut :] @ 2.0 ** np.arange(cut - 1, -1, -1)).astype(np.int64)
    code: IntArray = (high << cut) | low
    return code


def _split(
    columns: dict[str, FloatArray], packed: np.ndarray[Any, np.dtype[np.uint8]], k: int
) -> tuple[FloatArray, FloatArray, float]:
    """Look for two groups among the subsets of at least three studies, and for the studies that go with them."""
    nothing = np.zeros(k), np.full((2, 2), np.nan), 0.0
    usable = np.flatnonzero(columns["k"] >= min(3, k - 1))
    if len(usable) < 20:
        return nothing
    at = usable[np.unique(np.linspace(0, len(usable) - 1, CLOUD).astype(int))]
    spread = columns["i2"] if np.isfinite(columns["i2"]).any() else np.sqrt(columns["tau2"])
    points = np.stack([columns["estimate"][at], np.nan_to_num(spread[at])], axis=-1)
    if not (points.std(axis=0) > 1e-12).any():
        return nothing
    points = points[:, points.std(axis=0) > 1e-12]
    found = two_groups(points)
    masks = np.unpackbits(packed[at], axis=-1, count=k).astype(np.float64)
    away = masks - masks.mean(axis=0)
    group = found.upper - found.upper.mean()
    with np.errstate(divide="ignore", invalid="ignore"):
        presence = (group @ away) / np.sqrt((group @ group) * (away * away).sum(axis=0))
    centres = np.full((2, 2), np.nan)
    centres[:, : found.centres.shape[1]] = found.centres
    return np.nan_to_num(presence), centres, found.separation
