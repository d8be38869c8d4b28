"""Multiverse: every defensible analysis of the same studies, and which choice moves the conclusion."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Any

import numpy as np

from metaleptic.errors import NotEstimableError, OptionError
from metaleptic.frames import to_frame
from metaleptic.pooling.heterogeneity import tau2_estimator
from metaleptic.pooling.models import MODELS, fit_model
from metaleptic.pooling.normal import test_named
from metaleptic.sensitivity.subset_fits import fit_subsets
from metaleptic.sensitivity.words import side, with_small_letter
from metaleptic.types import BoolArray, Effects, FloatArray, frozen_array

MOST = 200_000
DEFAULT_TAU2 = ("REML", "DL", "PM", "ML", "SJ")
DEFAULT_TESTS = ("knapp-hartung", "z", "adhoc")


@dataclass(frozen=True, slots=True, eq=False)
class Multiverse:
    """Results of all combinations of choices.

    Attributes
    ----------
    effects : Effects
        The main version of the effects.
    dimensions : tuple of str
        Names of the choices.
    options : tuple of tuple of str
        Options of each choice.
    chosen : ndarray of int, shape (m, d)
        Which option of each choice an analysis takes.
    value, low, high : ndarray of shape (m,)
        Pooled effect and interval, printed scale.
    beta, se, p, tau2, k : ndarray of shape (m,)
        Analysis scale, and number of studies.
    skipped : tuple of str
        Combinations that could not be analysed, and why.
    level : float
        Level of the intervals.
    """

    effects: Effects
    dimensions: tuple[str, ...]
    options: tuple[tuple[str, ...], ...]
    chosen: np.ndarray[Any, np.dtype[np.intp]]
    value: FloatArray
    low: FloatArray
    high: FloatArray
    beta: FloatArray
    se: FloatArray
    p: FloatArray
    tau2: FloatArray
    k: FloatArray
    skipped: tuple[str, ...]
    level: float

    @property
    def conclusion(self) -> np.ndarray[Any, np.dtype[np.intp]]:
        """-1 where the interval lies below the null, 1 above, 0 across; 0 for measures without a null."""
        null = self.effects.measure.null
        if not self.effects.measure.has_null:
            return np.zeros(len(self.value), dtype=np.intp)
        return np.array([side(a, b, null) for a, b in zip(self.low, self.high, strict=True)], dtype=np.intp)

    @property
    def influence(self) -> dict[str, float]:
        """Share of the spread of the effects that each choice explains by itself, 0 to 1, largest first."""
        total = float(np.sum((self.beta - self.beta.mean()) ** 2))
        found = {}
        for j, name in enumerate(self.dimensions):
            means = np.array([_mean(self.beta[self.chosen[:, j] == i]) for i in range(len(self.options[j]))])
            between = float(np.sum((means[self.chosen[:, j]] - self.beta.mean()) ** 2))
            found[name] = between / total if total > 0 else 0.0
        return dict(sorted(found.items(), key=lambda item: -item[1]))

    @property
    def swing(self) -> dict[str, tuple[float, str, float, str]]:
        """For each choice the lowest and the highest share of analyses with the usual conclusion, and the options."""
        side_of = self.conclusion
        usual = int(np.bincount(side_of + 1, minlength=3).argmax()) - 1
        found = {}
        for j, name in enumerate(self.dimensions):
            shares = [_mean(side_of[self.chosen[:, j] == i] == usual) for i in range(len(self.options[j]))]
            a, b = int(np.nanargmin(shares)), int(np.nanargmax(shares))
            found[name] = (shares[a], self.options[j][a], shares[b], self.options[j][b])
        return dict(sorted(found.items(), key=lambda item: item[1][0] - item[1][2]))

    @property
    def sentence(self) -> str:
        """What the multiverse shows, in plain words."""
        m = self.effects.measure
        text = (
            f"In {len(self.value):,} analyses, {with_small_letter(m.label)} lies between {m.format(self.value.min())} and "
            f"{m.format(self.value.max())} (median {m.format(float(np.median(self.value)))})"
        )
        most = next(iter(self.influence))
        if not m.has_null:
            return f"{text}; the choice of {most} moves it most."
        counts = np.bincount(self.conclusion + 1, minlength=3)
        shares = [100 * c / len(self.value) for c in counts]
        words = f"the interval lies below {m.null:g} in {shares[0]:.0f}%, across it in {shares[1]:.0f}%, above it in {shares[2]:.0f}%"
        if counts.max() == len(self.value):
            return f"{text}; {words}: no choice moves the conclusion (that of {most} moves the effect most)."
        name, (low, a, high, b) = next(iter(self.swing.items()))
        return (
            f"{text}; {words}. The choice of {name} moves the conclusion most: the usual one is reached in "
            f"{100 * low:.0f}% of analyses with {a}, in {100 * high:.0f}% with {b}."
        )

    def to_frame(self) -> Any:
        """Return a row per analysis."""
        columns: dict[str, Any] = {
            name: [self.options[j][i] for i in self.chosen[:, j]] for j, name in enumerate(self.dimensions)
        }
        columns |= {
            "k": self.k.astype(int),
            "value": self.value,
            "low": self.low,
            "high": self.high,
            "p": self.p,
            "tau2": self.tau2,
        }
        return to_frame(columns, self.effects.frame_kind)

    def __repr__(self) -> str:
        return self.sentence


def _mean(values: Any) -> float:
    return float(np.mean(values)) if len(values) else float("nan")


def multiverse(
    effects: Effects,
    *,
    versions: Mapping[str, Effects] | None = None,
    models: Sequence[str] = ("random", "common"),
    tau2: Sequence[str] = DEFAULT_TAU2,
    tests: Sequence[str] = DEFAULT_TESTS,
    include: Mapping[str, Mapping[str, Sequence[bool]]] | None = None,
    one_of: Mapping[str, Sequence[str]] | None = None,
    leave_out: bool = False,
    level: float = 0.95,
) -> Multiverse:
    """Run every combination of defensible choices, and say which choice moves the conclusion.

    Parameters
    ----------
    effects : Effects
        The studies.
    versions : mapping of str to Effects, optional
        Other versions of the same effects: another measure scale of the same kind, another conversion route, another
        assumption; the main one is called "main".
    models : sequence of str, default ("random", "common")
        Models.
    tau2 : sequence of str
        Estimators of tau2 of the random-effects model: REML, DL, PM, ML and SJ by default.
    tests : sequence of str
        Ways of making the interval in the random-effects model; the common-effect model takes z.
    include : mapping of str to mapping of str to sequence of bool, optional
        Inclusion rules: for each choice its options, each with True for the studies it keeps, such as
        ``{"design": {"all": [True] * 5, "prospective": [True, True, False, False, True]}}``.
    one_of : mapping of str to sequence of str, optional
        Overlapping cohorts: for each choice the studies of which only one may be used.
    leave_out : bool, default False
        Whether leaving out one study (or none) is a choice too.
    level : float, default 0.95
        Level of the intervals.

    Returns
    -------
    Multiverse
        ``ml.plot`` draws the specification curve.

    Raises
    ------
    OptionError
        If an option is unknown, or there are more than 200,000 combinations.
    NotEstimableError
        If no combination leaves two studies.

    Notes
    -----
    Combinations are not independent, and their share is no probability: the multiverse shows what the conclusion hangs
    on. Sources: Steegen S et al. Perspect Psychol Sci 2016;11:702-712; Simonsohn U, Simmons JP, Nelson LD. Nat Hum Behav
    2020;4:1208-1214; for meta-analyses Voracek M, Kossmeier M, Tran US. Z Psychol 2019;227:64-82.

    Examples
    --------
    >>> import metaleptic as ml
    >>> e = ml.effects([-0.34, -0.05, -0.48, -0.22], [0.03, 0.01, 0.05, 0.01], study=list("ABCD"), measure="HR")
    >>> found = ml.multiverse(e, leave_out=True)
    >>> len(found.value)
    80
    """
    if not isinstance(effects, Effects):
        raise OptionError(f"multiverse takes effects, not {type(effects).__name__}.")
    all_versions = {"main": effects, **(versions or {})}
    for name, version in all_versions.items():
        if version.study != effects.study:
            raise OptionError(f"version '{name}' does not hold the same studies in the same order as the effects.")
    makers = _makers(models, tau2, tests)
    rules = _rules(effects, include, one_of, leave_out)
    sets = list(product(*([*((n, *o) for o in options.items())] for n, options in rules.items())))
    total = len(all_versions) * len(makers) * len(sets)
    if total > MOST:
        raise OptionError(f"{total:,} combinations are more than {MOST:,}. Offer fewer options.")
    keep = np.array(
        [np.logical_and.reduce([o[2] for o in s], initial=True) & np.ones(len(effects), bool) for s in sets]
    )
    enough = keep.sum(axis=-1) >= 2
    skipped = tuple(
        f"{', '.join(o[1] for o in s)}: fewer than two studies" for s, ok in zip(sets, enough, strict=True) if not ok
    )
    if not enough.any():
        raise NotEstimableError("no combination of inclusion rules leaves two studies.")
    dimensions, options = _names(all_versions, makers, rules)
    place = _places(sets, rules, enough)
    blocks, chosen = [], []
    for a, version in enumerate(all_versions.values()):
        for model, key, test, where in makers:
            fit = fit_model(replace(version), model, key, test, level)
            found = fit_subsets(fit, keep[enough])
            value, low, high = found.printed(version.measure)
            blocks.append(np.stack([value, low, high, found.beta, found.se, found.p, found.tau2, found.k]))
            head = np.array([[a, *where]] * len(place), dtype=np.intp)
            chosen.append(np.hstack([head, place]))
    columns, picks = np.hstack(blocks), np.vstack(chosen)
    several = [j for j, o in enumerate(options) if len(o) > 1]
    value, low, high, beta, se, p, t2, k = (frozen_array(c) for c in columns)
    return Multiverse(
        effects=effects,
        dimensions=tuple(dimensions[j] for j in several),
        options=tuple(options[j] for j in several),
        chosen=picks[:, several],
        value=value,
        low=low,
        high=high,
        beta=beta,
        se=se,
        p=p,
        tau2=t2,
        k=k,
        skipped=skipped,
        level=level,
    )


def _makers(
    models: Sequence[str], tau2: Sequence[str], tests: Sequence[str]
) -> list[tuple[str, str, str, tuple[int, int, int]]]:
    """List model, estimator and test of every way of pooling, with their places among the options."""
    keys = [test_named(t).key for t in tests]
    for name in models:
        if name not in ("random", "common"):
            raise OptionError(f"model {name!r} cannot take part. Choose from: random, common.")
    for key in tau2:
        tau2_estimator(key)
    found: list[tuple[str, str, str, tuple[int, int, int]]] = []
    for i, model in enumerate(models):
        if model == "common":
            found.append((model, "REML", "z", (i, len(tau2), len(keys))))
            continue
        for j, key in enumerate(tau2):
            for h, test in enumerate(keys):
                if test not in MODELS["random"].tests:
                    raise OptionError(f"test {test!r} is not defined for the random-effects model.")
                found.append((model, key, test, (i, j, h)))
    return found


def _rules(
    effects: Effects,
    include: Mapping[str, Mapping[str, Sequence[bool]]] | None,
    one_of: Mapping[str, Sequence[str]] | None,
    leave_out: bool,
) -> dict[str, dict[str, BoolArray]]:
    """Bring inclusion rules, overlapping cohorts and studies to leave out to one form: masks by name."""
    k, rules = len(effects), {}
    for name, options in (include or {}).items():
        rules[name] = {label: np.asarray(mask, dtype=bool) for label, mask in options.items()}
        for label, mask in rules[name].items():
            if mask.shape != (k,):
                raise OptionError(f"'{name}: {label}' has {mask.size} values for {k} studies: they must match.")
    for name, cohorts in (one_of or {}).items():
        unknown = [c for c in cohorts if c not in effects.study]
        if unknown:
            raise OptionError(f"'{name}': there is no study '{unknown[0]}'.")
        overlap = np.array([s in cohorts for s in effects.study])
        rules[name] = {c: ~overlap | np.array([s == c for s in effects.study]) for c in cohorts}
    if leave_out:
        masks = {f"without {s}": np.arange(k) != i for i, s in enumerate(effects.study)}
        rules["left out"] = {"none": np.ones(k, bool), **masks}
    return rules


def _names(
    versions: Mapping[str, Effects],
    makers: list[tuple[str, str, str, tuple[int, int, int]]],
    rules: Mapping[str, Mapping[str, BoolArray]],
) -> tuple[list[str], list[tuple[str, ...]]]:
    """Return the names of all choices and of their options."""
    models, estimators, tests = {}, {}, {}
    for model, key, test, (i, j, h) in makers:
        models[i] = model
        estimators[j] = key if model == "random" else "no tau2"
        tests[h] = test if model == "random" else "z (common)"
    dimensions = ["version", "model", "tau2", "interval", *rules]
    options = [tuple(versions), *(tuple(d[i] for i in sorted(d)) for d in (models, estimators, tests))]
    return dimensions, [*options, *(tuple(o) for o in rules.values())]


def _places(sets: list[Any], rules: Mapping[str, Mapping[str, BoolArray]], enough: BoolArray) -> Any:
    """Return which option of each rule every usable set takes."""
    order = {name: {label: i for i, label in enumerate(options)} for name, options in rules.items()}
    rows = [[order[o[0]][o[1]] for o in s] for s, ok in zip(sets, enough, strict=True) if ok]
    return np.array(rows, dtype=np.intp).reshape(len(rows), len(rules))
