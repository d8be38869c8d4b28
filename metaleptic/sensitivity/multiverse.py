"""Multiverse: every defensible analysis of the same studies, and which choice moves the conclusion."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Any

import numpy as np

from metaleptic.bayes.prior import Prior
from metaleptic.bayes.result import PooledBayes
from metaleptic.errors import NotEstimableError, OptionError
from metaleptic.frames import to_frame
from metaleptic.pooling.heterogeneity import TAU2
from metaleptic.pooling.models import MODELS
from metaleptic.pooling.result import Pooled
from metaleptic.sensitivity.multiverse_choices import MAKER_CHOICES, Name, makers_of, rules_of, versions_of
from metaleptic.sensitivity.multiverse_fits import WANTED, aligned, fit_all
from metaleptic.sensitivity.overlap import Overlaps
from metaleptic.sensitivity.subset_fits import why_not
from metaleptic.sensitivity.words import either_label, listed, studies, with_small_letter
from metaleptic.types import Effects, FloatArray, Measure, frozen_array

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
    effect : ndarray of shape (m,)
        Pooled effect on the analysis scale of the main version, so that all analyses can be compared.
    beta, se, p, tau2, k : ndarray of shape (m,)
        On the analysis scale of the version that was pooled, and number of studies. Of a Bayesian analysis: posterior median
        and standard deviation, twice the smaller posterior probability to either side of no effect, square of the median
        of tau.
    skipped : tuple of str
        Combinations that could not be analysed, and why.
    level : float
        Level of the intervals.
    labels : tuple of str
        Names of the measures that were pooled, that of the main version first.
    measured : ndarray of int, shape (m,)
        Which of them an analysis pools.
    """

    effects: Effects
    dimensions: tuple[str, ...]
    options: tuple[tuple[str, ...], ...]
    chosen: np.ndarray[Any, np.dtype[np.intp]]
    value: FloatArray
    low: FloatArray
    high: FloatArray
    effect: FloatArray
    beta: FloatArray
    se: FloatArray
    p: FloatArray
    tau2: FloatArray
    k: FloatArray
    skipped: tuple[str, ...]
    level: float
    labels: tuple[str, ...]
    measured: np.ndarray[Any, np.dtype[np.intp]]

    @property
    def measure(self) -> Measure:
        """The measure of the main version, named for all that were pooled ("Odds or risk ratio")."""
        return replace(self.effects.measure, label=either_label(self.labels))

    @property
    def conclusion(self) -> np.ndarray[Any, np.dtype[np.intp]]:
        """-1 where the interval lies below the null, 1 above, 0 across; 0 for measures without a null."""
        null = self.effects.measure.null
        if not self.effects.measure.has_null:
            return np.zeros(len(self.value), dtype=np.intp)
        return (self.low > null).astype(np.intp) - (self.high < null).astype(np.intp)

    @property
    def _words_of_conclusion(self) -> list[str]:
        if not self.effects.measure.has_null:
            return ["no null"] * len(self.value)
        return [("below", "across", "above")[c + 1] for c in self.conclusion.tolist()]

    @property
    def influence(self) -> dict[str, float]:
        """Share of the spread of the effects that each choice explains by itself, 0 to 1, largest first."""
        total = float(np.sum((self.effect - self.effect.mean()) ** 2))
        found = {}
        for j, name in enumerate(self.dimensions):
            means = np.array([_mean(self.effect[self.chosen[:, j] == i]) for i in range(len(self.options[j]))])
            between = float(np.sum((means[self.chosen[:, j]] - self.effect.mean()) ** 2))
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
        if not self.dimensions:
            what = f"{m.format(self.value[0])} ({100 * self.level:g}% interval {m.format_interval(self.low[0], self.high[0])})"
            return f"There is no choice to be made but one: {with_small_letter(m.label)} {what}."
        text = f"In {len(self.value):,} analyses, {self._ranges}"
        left_out = f" {self.skipped_words}" if self.skipped else ""
        most = next(iter(self.influence))
        if not m.has_null:
            return f"{text}; the choice of {most} moves it most.{left_out}"
        counts = np.bincount(self.conclusion + 1, minlength=3)
        shares = [100 * c / len(self.value) for c in counts]
        words = f"the interval lies below {m.null:g} in {shares[0]:.0f}%, across it in {shares[1]:.0f}%, above it in {shares[2]:.0f}%"
        if counts.max() == len(self.value):
            return f"{text}; {words}: no choice moves the conclusion (that of {most} moves the effect most).{left_out}"
        name, (low, a, high, b) = next(iter(self.swing.items()))
        return (
            f"{text}; {words}. The choice of {name} moves the conclusion most: the usual one is reached in "
            f"{100 * low:.0f}% of analyses with {a}, in {100 * high:.0f}% with {b}.{left_out}"
        )

    @property
    def _ranges(self) -> str:
        """Where the results lie, each measure by itself."""
        m = self.effects.measure
        parts: list[str] = []
        unit = f" {m.unit}" if m.unit else ""
        for i, label in enumerate(self.labels):
            of_it = self.value[self.measured == i]
            if len(of_it):
                parts.append(
                    f"{with_small_letter(label)}{'' if parts else ' lies'} between {m.format(of_it.min())} and "
                    f"{m.format(of_it.max())}{unit} (median {m.format(float(np.median(of_it)))})"
                )
        return ", ".join(parts)

    @property
    def skipped_words(self) -> str:
        """How many combinations could not be analysed, and the first reasons."""
        if not self.skipped:
            return ""
        reasons = list(dict.fromkeys(self.skipped))
        return f"{len(self.skipped):,} more combinations could not be analysed ({listed(reasons, 2)})."

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
            "conclusion": self._words_of_conclusion,
            **({"p": self.p} if self.effects.measure.has_null else {}),
            "tau2": self.tau2,
        }
        return to_frame(columns, self.effects.frame_kind)

    def __repr__(self) -> str:
        return self.sentence


def _mean(values: Any) -> float:
    return float(np.mean(values)) if len(values) else float("nan")


def multiverse(
    effects: Effects | Pooled | PooledBayes,
    *,
    measures: Sequence[str] = (),
    versions: Mapping[Name, Effects] | None = None,
    version_of: str | Sequence[str] = "version",
    main: Name = "main",
    models: Sequence[str] = ("random", "common"),
    tau2: Sequence[str] = DEFAULT_TAU2,
    tests: Sequence[str] = DEFAULT_TESTS,
    priors: Mapping[str, Prior] | Sequence[Prior] | None = None,
    include: Mapping[str, Mapping[str, Sequence[bool]]] | None = None,
    one_of: Mapping[str, Sequence[str]] | Overlaps | None = None,
    leave_out: bool = False,
    level: float = 0.95,
) -> Multiverse:
    """Run every combination of defensible choices, and say which choice moves the conclusion.

    Parameters
    ----------
    effects : Effects, Pooled or PooledBayes
        The studies, or a fit of them, whose own settings are one choice among the others.
    measures : sequence of str, optional
        Effect measures, for effects of two-by-two tables: ``["OR"]`` adds odds ratios to risk ratios.
    versions : mapping of str to Effects, optional
        Other versions of the same effects: another conversion route, another measure of the same kind, another assumption.
        A version may lack studies that its route cannot convert.
    version_of : str or sequence of str, default "version"
        Name of the choice behind the versions, such as "route". With several, each version is named by a tuple:
        ``versions={("log-log", "as corrected"): ...}, version_of=("scale", "data"), main=("log", "as printed")``.
    main : str or tuple of str, default "main"
        Name of the effects themselves among the versions.
    models : sequence of str, default ("random", "common")
        Models; those of counts too (``"binomial-normal"``), for effects that have them.
    tau2 : sequence of str
        Estimators of tau2 of the random-effects model: REML, DL, PM, ML and SJ by default.
    tests : sequence of str
        Ways of making the interval in the random-effects model; the common-effect model takes z.
    priors : mapping of str to Prior, or sequence of Prior, optional
        Priors on tau, each a Bayesian analysis by exact integration; the measure's default prior with half, once and twice
        its scale if left out (none for measures without one). ``()`` for no Bayesian analysis.
    include : mapping of str to mapping of str to sequence of bool, optional
        Inclusion rules: for each choice its options, each with True for the studies it keeps, such as
        ``{"design": {"all": [True] * 5, "prospective": [True, True, False, False, True]}}``.
    one_of : mapping of str to sequence of str, or Overlaps, optional
        Overlapping cohorts: for each choice the studies of which only one may be used; what ``ml.overlaps`` found.
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
        If an option is unknown, versions cannot share a curve, or there are more than 200,000 combinations.
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
    >>> len(found.value), found.dimensions
    (95, ('model', 'tau2 estimator', 'interval', 'prior', 'left out'))
    """
    own = None
    if isinstance(effects, Pooled) and effects.model in MODELS and effects.tau2_method in ("", "ML", *TAU2):
        counted = effects.model not in ("random", "common")
        own = (effects.model, "" if counted else effects.tau2_method, effects.test)
    if isinstance(effects, Pooled | PooledBayes):
        effects = effects.effects
    if not isinstance(effects, Effects):
        raise OptionError(why_not(effects, "multiverse", "effects or a pooled result"))
    if not 0 < level < 1:
        raise OptionError(f"level {level:g} is not between 0 and 1. Write 0.95 for 95%.")
    behind, offered = versions_of(effects, versions, version_of, main, measures)
    makers = makers_of(models, tau2, tests, priors, effects, own)
    groups = one_of.groups if isinstance(one_of, Overlaps) else one_of
    rules = rules_of(effects, include, groups, leave_out)
    size = len(offered) * len(makers) * int(np.prod([len(o) for o in rules.values()], dtype=float))
    if size > MOST:
        raise OptionError(f"{size:,} combinations are more than {MOST:,}. Offer fewer options.")
    sets = list(product(*([*((n, *o) for o in options.items())] for n, options in rules.items())))
    whole = np.ones(len(effects), bool)
    allowed = np.array([np.logical_and.reduce([o[2] for o in s], initial=True) & whole for s in sets])
    versions_in_order = list(offered.values())
    _, _, present = aligned(versions_in_order, effects.study)
    keep = (present[:, None] & allowed).reshape(-1, len(effects))
    which = np.arange(len(keep)) // len(sets)
    labels = [(*key, *(o[1] for o in s)) for key in offered for s in sets]
    enough = np.flatnonzero(keep.sum(axis=-1) >= 2)
    few = np.setdiff1d(np.arange(len(keep)), enough)
    skipped = [f"{_named(labels[i])}: fewer than two studies" for i in few.tolist()]
    if len(enough) == 0:
        if len(effects) < 2:
            raise NotEstimableError("there is 1 study: nothing can be pooled, and no choice can move it.")
        raise NotEstimableError(
            f"no combination of inclusion rules leaves two of the {studies(len(effects))}. Offer rules that keep more."
        )
    blocks, rows = [], []
    for maker in makers:
        found, reasons = fit_all(maker, versions_in_order, which[enough], keep[enough], effects.study, level)
        good = np.isfinite(found[0])
        skipped += [
            f"{_named((*maker.labels, *labels[i]))}: {reason or 'no estimate'}"
            for i, reason, ok in zip(enough.tolist(), reasons, good, strict=True)
            if not ok
        ]
        blocks.append(np.vstack([found, which[enough], keep[enough].sum(axis=-1)])[:, good])
        rows += [(*labels[i][: len(behind)], *maker.labels, *labels[i][len(behind) :]) for i in enough[good].tolist()]
    if not rows:
        raise NotEstimableError(f"no combination can be analysed: {listed(list(dict.fromkeys(skipped)), 2)}.")
    columns = dict(zip((*WANTED, "version", "k"), np.hstack(blocks), strict=True))
    value, low, high = (np.empty(len(rows)) for _ in range(3))
    named = tuple(dict.fromkeys(v.measure.label for v in (effects, *versions_in_order)))
    measured = np.zeros(len(rows), dtype=np.intp)
    for i, version in enumerate(versions_in_order):
        at = columns["version"] == i
        m = version.measure
        measured[at] = named.index(m.label)
        value[at] = m.to_printed(columns["beta"][at])
        low[at], high[at] = m.printed_bounds(columns["low"][at], columns["high"][at])
    dimensions = (*behind, *MAKER_CHOICES, *rules)
    options = [tuple(dict.fromkeys(r[j] for r in rows)) for j in range(len(dimensions))]
    picks = np.array([[o.index(x) for o, x in zip(options, r, strict=True)] for r in rows], dtype=np.intp)
    several = [j for j, o in enumerate(options) if len(o) > 1]
    return Multiverse(
        effects=effects,
        dimensions=tuple(dimensions[j] for j in several),
        options=tuple(options[j] for j in several),
        chosen=picks[:, several],
        value=frozen_array(value),
        low=frozen_array(low),
        high=frozen_array(high),
        effect=frozen_array(effects.measure.to_analysis(value)),
        beta=frozen_array(columns["beta"]),
        se=frozen_array(columns["se"]),
        p=frozen_array(columns["p"]),
        tau2=frozen_array(columns["tau2"]),
        k=frozen_array(columns["k"]),
        skipped=tuple(skipped),
        level=level,
        labels=named,
        measured=measured,
    )


def _named(labels: tuple[str, ...]) -> str:
    return ", ".join(label for label in labels if label != "main")
