"""What a model of counts is fitted to: the likelihood of the studies that say something, first values, quadrature nodes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from types import MappingProxyType

import numpy as np
from scipy import special

from metaleptic.convert.printed_effects import without_counts
from metaleptic.errors import DataError, NotEstimableError
from metaleptic.pooling.glmm import NODES, Conditional, CountFit, Unconditional, fit_counts
from metaleptic.pooling.random_levels import NODES as LEVEL_NODES
from metaleptic.pooling.random_levels import fit_random_levels
from metaleptic.pooling.study_likelihoods import Binomial, Hypergeometric, Poisson, TwoBinomials, TwoPoissons
from metaleptic.pooling.zero_counts import advice, empty_arm, two_arm_cells
from metaleptic.types import Effects, FloatArray

ENDLESS = 15.0  # tau on the log scale from which on it counts as infinite
NODES_OF_WIDE_SUPPORT = 15  # the exact conditional likelihood is nearly normal: few nodes suffice, and each is dear


@dataclass(frozen=True, slots=True, eq=False)
class CountData:
    """Likelihood, first value, nodes and starts of the search, which studies say something, how study levels are modelled."""

    studies: Conditional | Unconditional
    start: float = 0.0
    nodes: int = NODES
    says: FloatArray | None = None
    rough: Binomial | None = None
    levels: str = ""

    def kept(self, k: int) -> FloatArray:
        """Return 1 for studies that say something, 0 for the others."""
        return np.ones(k) if self.says is None else self.says

    def fit(self, x: FloatArray, *, random: bool) -> CountFit:
        """Fit coefficients of the columns of ``x`` (a row per study that says something).

        Raises
        ------
        NotEstimableError
            If the likelihood rises with tau without end.
        """
        found = self._fit(x, random=random)
        if found.tau2 > ENDLESS**2:
            raise NotEstimableError(
                "the likelihood rises with tau without end: in (nearly) every study the events are in one arm alone, or no one "
                "or everyone had the event. Use tau2=0 (one true effect), or a Bayesian model."
            )
        return found

    def _fit(self, x: FloatArray, *, random: bool) -> CountFit:
        if self.levels:
            assert isinstance(self.studies, TwoBinomials | TwoPoissons)
            return fit_random_levels(
                self.studies, x, random=random, correlated=self.levels == "correlated", nodes=self.nodes
            )
        start = np.linalg.lstsq(x, np.full(len(x), self.start), rcond=None)[0]
        if self.rough is None:
            return fit_counts(self.studies, x, random=random, nodes=self.nodes, start=start)
        first = fit_counts(self.rough, x, random=random, nodes=15, start=start)
        taus = (max(0.1, float(np.sqrt(first.tau2))),)
        return fit_counts(self.studies, x, random=random, nodes=self.nodes, start=first.beta, tau_starts=taus)


def count_data(effects: Effects, model: str, nodes: int | None) -> CountData:
    """Return what ``model`` is fitted to, or say which effects it needs."""
    data = _DATA[model](effects)
    return data if nodes is None else replace(data, nodes=nodes)


def _conditional_approximate(effects: Effects) -> CountData:
    return _conditional(effects, "conditional-approximate")


def _conditional_exact(effects: Effects) -> CountData:
    if (
        effects.measure.key == "IRR"
    ):  # given all events those of one arm are binomial: the conditional likelihood is exact
        return _conditional(effects, "conditional-exact")
    cells, says = _informative(effects, "conditional-exact", ("OR", "PETO", "IRR"))
    rough = _binomial_of(cells, person_time=False)
    return CountData(Hypergeometric.of(cells), 0.0, NODES_OF_WIDE_SUPPORT, says, rough)


def _unconditional_fixed(effects: Effects) -> CountData:
    cells, says = _informative(effects, "unconditional-fixed", ("OR", "PETO", "IRR"))
    return CountData(_both_arms(effects, cells), says=says)


def _unconditional_random(effects: Effects) -> CountData:
    return _random_levels(effects, "unconditional-random", "independent")


def _unconditional_correlated(effects: Effects) -> CountData:
    return _random_levels(effects, "unconditional-correlated", "correlated")


def _random_levels(effects: Effects, model: str, levels: str) -> CountData:
    """Keep studies without events, or with events only: they say something about the levels, and so about the effects."""
    _informative(effects, model, ("OR", "PETO", "IRR"))
    return CountData(_both_arms(effects, effects.cells), nodes=LEVEL_NODES, levels=levels)


def _binomial_normal(effects: Effects) -> CountData:
    x, n = counts_of(effects, "binomial-normal")
    if x.sum() in (0, n.sum()):
        raise NotEstimableError(
            "no one, or everyone, had the event in all studies: the binomial-normal model has no finite estimate. "
            'Use model="pooled-counts", whose interval is exact.'
        )
    return CountData(Binomial(x, n, 0 * x), float(special.logit(x.sum() / n.sum())))


def counts_of(effects: Effects, model: str) -> tuple[FloatArray, FloatArray]:
    """Return events and patients of proportions, or say which effects the model needs."""
    if effects.measure.key != "PLO" or not np.isfinite(effects.events + effects.n).all():
        rates = ", or with ml.rates" if model == "pooled-counts" else ""
        raise DataError(
            f'model "{model}" needs the events and patients of every study. Make the effects with ml.proportions{rates}.'
            + without_counts(effects)
        )
    return effects.events, effects.n


def _poisson_normal(effects: Effects) -> CountData:
    if effects.measure.key == "IRR":
        return _conditional(effects, "poisson-normal")
    if effects.measure.key != "IRLN" or len(effects.cells) != len(effects):
        raise DataError(
            'model "poisson-normal" needs events and person-time. Make the effects with ml.rates or ml.two_rates.'
        )
    x, time = effects.cells[:, 0], effects.cells[:, 1]
    if x.sum() == 0:
        raise DataError(
            "no one had the event in any study: the rate is 0 with no upper bound from this model. "
            'Use model="pooled-counts", whose interval is exact.'
        )
    return CountData(Poisson(x, time), float(np.log(x.sum() / time.sum())))


def _both_arms(effects: Effects, cells: FloatArray) -> Unconditional:
    return TwoPoissons(cells) if effects.measure.key == "IRR" else TwoBinomials(cells)


def _conditional(effects: Effects, model: str) -> CountData:
    cells, says = _informative(effects, model, ("OR", "PETO", "IRR"))
    return CountData(_binomial_of(cells, person_time=effects.measure.key == "IRR"), says=says)


def _binomial_of(cells: FloatArray, *, person_time: bool) -> Binomial:
    a, b, c, d = cells.T
    offset = np.log(b / d) if person_time else np.log((a + b) / (c + d))
    return Binomial(a, a + c, offset)


def _informative(effects: Effects, model: str, measures: tuple[str, ...]) -> tuple[FloatArray, FloatArray]:
    """Return the tables that say something about a ratio, and which ones do (not those without events, or with events only)."""
    a, b, c, d = two_arm_cells(effects, model, measures).T
    rates = effects.measure.key == "IRR"
    says = a + c > 0 if rates else (a + c > 0) & (b + d > 0)
    empty = empty_arm(effects.measure.key, effects.cells)
    if empty and not (empty.startswith("everyone") and model == "conditional-approximate"):
        ratio = "rate ratio" if rates else "odds ratio"
        raise DataError(f"{empty}: the {ratio} has no finite estimate. {advice(effects.measure.key, effects.cells)}")
    return effects.cells[says], says.astype(np.float64)


_DATA: MappingProxyType[str, Callable[[Effects], CountData]] = MappingProxyType(
    {
        "conditional-approximate": _conditional_approximate,
        "conditional-exact": _conditional_exact,
        "unconditional-fixed": _unconditional_fixed,
        "unconditional-random": _unconditional_random,
        "unconditional-correlated": _unconditional_correlated,
        "poisson-normal": _poisson_normal,
        "binomial-normal": _binomial_normal,
    }
)

COUNT_MODELS = tuple(_DATA)
