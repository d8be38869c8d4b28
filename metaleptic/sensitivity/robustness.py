"""All checks that suit a fit in one call: what a careful reader would ask of it, answered in sentences."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from metaleptic.bayes.regression_result import RegressionBayes
from metaleptic.bayes.result import PooledBayes
from metaleptic.errors import FewStudiesWarning, MetalepticError, MetalepticWarning, OptionError
from metaleptic.frames import to_frame
from metaleptic.pooling.multilevel.result import Multilevel
from metaleptic.pooling.pool import pool
from metaleptic.pooling.regression_result import Regression
from metaleptic.pooling.result import Pooled
from metaleptic.sensitivity.baujat import baujat
from metaleptic.sensitivity.clusters import average_clusters, outermost
from metaleptic.sensitivity.confounding import e_value
from metaleptic.sensitivity.copas import copas
from metaleptic.sensitivity.excess import excess_significance
from metaleptic.sensitivity.fragility import fragility
from metaleptic.sensitivity.henmi_copas import henmi_copas
from metaleptic.sensitivity.influence import influence
from metaleptic.sensitivity.leave_one_out import leave_one_out
from metaleptic.sensitivity.limit import limit_meta_analysis
from metaleptic.sensitivity.multilevel_influence import multilevel_influence
from metaleptic.sensitivity.multiverse import multiverse
from metaleptic.sensitivity.new_study import proportion_beyond
from metaleptic.sensitivity.overlap_choices import COLUMN, overlap_choices, sharing
from metaleptic.sensitivity.p_uniform import p_uniform
from metaleptic.sensitivity.selection_model import selection_model
from metaleptic.sensitivity.small_study import small_study
from metaleptic.sensitivity.subset_fits import refuse_others
from metaleptic.sensitivity.trim_and_fill import trim_and_fill
from metaleptic.sensitivity.worst_case import worst_case


@dataclass(frozen=True, slots=True, eq=False)
class Check:
    """One check: the question, the record that answers it (None if it could not be made), the answer or the reason."""

    question: str
    record: Any
    sentence: str


@dataclass(frozen=True, slots=True, eq=False)
class Robustness:
    """All checks of a fit.

    Attributes
    ----------
    fit : Pooled, PooledBayes, Regression, RegressionBayes or Multilevel
        The fit.
    checks : tuple of Check
        In the order of the questions.
    """

    fit: AnyFit
    checks: tuple[Check, ...]

    @property
    def sentence(self) -> str:
        """The answers, one after the other."""
        return "\n".join(f"{c.question} {c.sentence}" for c in self.checks)

    def to_frame(self) -> Any:
        """Return a row per check; ``answered`` is False where it could not be made, with the reason as the answer."""
        return to_frame(
            {
                "question": [c.question for c in self.checks],
                "answered": [c.record is not None for c in self.checks],
                "answer": [c.sentence for c in self.checks],
            },
            self.fit.effects.frame_kind,
        )

    def __repr__(self) -> str:
        return self.sentence


AnyFit = Pooled | PooledBayes | Regression | RegressionBayes | Multilevel


def _choices(fit: AnyFit) -> Any:
    if not isinstance(fit, Pooled | PooledBayes):
        raise OptionError(
            "a multiverse is made of pooled means of independent effects. Make one of the same effects by ml.multiverse(fit.effects)."
        )
    return multiverse(fit, level=fit.level)


def _leave_out(fit: AnyFit) -> Any:
    """Leave out studies one at a time; in a multilevel fit whole clusters, as the effects of one hold each other up."""
    cluster = outermost(fit) if isinstance(fit, Multilevel) else None
    return leave_one_out(fit) if cluster is None else leave_one_out(fit, by=cluster)


def _influence(fit: AnyFit) -> Any:
    cluster = outermost(fit) if isinstance(fit, Multilevel) else None
    if cluster is None or not isinstance(fit, Multilevel):
        return influence(fit)
    return multilevel_influence(fit, cluster=cluster)


CHECKS: tuple[tuple[str, Callable[[Any], Any], bool], ...] = (
    ("Does it hang on one study?", _leave_out, False),
    ("Is a study influential?", _influence, False),
    ("Which study makes the heterogeneity?", baujat, False),
    ("Does it hang on how it was analysed?", _choices, False),
    ("Do small studies show other effects?", small_study, False),
    ("What if studies are missing?", trim_and_fill, False),
    ("What if small studies counted less?", henmi_copas, False),
    ("What would a study without sampling error show?", limit_meta_analysis, False),
    ("What if significant results were published more often?", selection_model, True),
    ("What if small and disappointing studies were not published?", copas, True),
    ("What do the significant results alone say?", p_uniform, True),
    ("Are there too many significant results?", excess_significance, True),
    ("What if affirmative studies were published more often?", worst_case, True),
    ("In how many settings is there an effect?", proportion_beyond, True),
    ("Could confounding explain it?", e_value, True),
    ("How many patients would turn it?", fragility, True),
)


OVERLAP = "Does it hang on which of overlapping cohorts is used?"


def _asked(fit: AnyFit) -> tuple[tuple[str, Callable[[Any], Any], bool], ...]:
    """Return the questions that suit a fit; that of overlap where a column tells which cohorts share patients."""
    if not np.isfinite(fit.effects.y).all():
        return CHECKS[:1]  # a median that was not reached can only be refitted without
    pooled = isinstance(fit, Pooled | PooledBayes) and COLUMN in fit.effects.columns
    if not (pooled and sharing(fit.effects)):
        return CHECKS
    return (*CHECKS[:4], (OVERLAP, overlap_choices, False), *CHECKS[4:])


def _first_sentence(text: str) -> str:
    """Return why, without what to do instead: the other checks are that."""
    return text.split(". ")[0].removesuffix(".") + "."


def robustness(fit: AnyFit) -> Robustness:
    """Ask a result everything a careful reader would: who drives it, which choice moves it, what bias could do.

    Parameters
    ----------
    fit : Pooled, PooledBayes, Regression, RegressionBayes or Multilevel
        From ``ml.pool``, ``ml.pool_bayes`` or ``ml.pool_multilevel``.

    Returns
    -------
    Robustness
        ``.checks`` holds the records, each of which ``ml.plot`` draws; a check that could not be made says why.

    Notes
    -----
    Questions about "no effect" are left out for measures without a null (medians, proportions). Where the effects have a
    column ``overlap_group``, the result is also asked with each choice of one cohort per group (``ml.overlap_choices``).

    Examples
    --------
    >>> import metaleptic as ml
    >>> e = ml.effects([-0.34, -0.05, -0.48, -0.22], [0.03, 0.01, 0.05, 0.01], study=list("ABCD"), measure="HR")
    >>> ml.robustness(ml.pool(e)).checks[0].sentence
    'Leaving out one study at a time moves hazard ratio between 0.76 (without B) and 0.84 (without C); the conclusion hangs on B.'
    """
    if not isinstance(fit, PooledBayes | Regression | RegressionBayes | Multilevel):
        fit = refuse_others(fit, "robustness")
    checks = []
    for question, function, needs_null in _asked(fit):
        if needs_null and not fit.effects.measure.has_null:
            continue
        record, sentence = _answer(function, fit)
        if record is None and (other := _random_effects(fit)) is not None:
            record, again = _answer(function, other)
            if record is None and isinstance(fit, Multilevel):
                sentence = again
            if record is not None:
                sentence = f"{again} This is said by the random-effects model of {_of_what(fit, other)}."
        checks.append(Check(question, record, sentence))
    return Robustness(fit, tuple(checks))


def _answer(function: Callable[[Any], Any], fit: AnyFit) -> tuple[Any, str]:
    """Return the record and what it says, or None and why there is none."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FewStudiesWarning)  # the sentences say it
        try:
            record = function(fit)
        except MetalepticError as reason:
            return None, f"Not answered: {_first_sentence(str(reason))}"
    return record, record.sentence


def _random_effects(fit: AnyFit) -> Pooled | None:
    """Return the random-effects fit that answers for a posterior, a model of counts or a multilevel mean; None for others."""
    stands_in = isinstance(fit, PooledBayes) or (isinstance(fit, Pooled) and fit.model not in ("random", "common"))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", MetalepticWarning)
        try:
            if isinstance(fit, Multilevel):
                return pool(average_clusters(fit), level=fit.level)
            return pool(fit.effects, level=fit.level) if stands_in else None
        except MetalepticError:
            return None


def _of_what(fit: AnyFit, other: Pooled) -> str:
    if not isinstance(fit, Multilevel) or other.k == fit.k:
        return "the same studies"
    return f"the {other.k} averages of effects that hang together (ml.average_clusters)"
