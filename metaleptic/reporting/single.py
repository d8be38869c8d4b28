"""A report on one result that is already there: a question without an analysis file."""

from __future__ import annotations

import warnings
from pathlib import Path

from metaleptic.bayes.result import PooledBayes
from metaleptic.errors import FewStudiesWarning
from metaleptic.pooling.pool import pool
from metaleptic.pooling.result import Pooled
from metaleptic.pooling.subgroups import Subgroups
from metaleptic.reporting.analysis import Analysis, Question
from metaleptic.reporting.answers import Answer
from metaleptic.reporting.bayes_question import BayesAnswer, scaled
from metaleptic.reporting.origins import left_out_of, origin_of_row
from metaleptic.sensitivity.robustness import robustness

KIND_OF = {
    "HR": "hazard_ratios",
    "MEDIAN": "survival_medians",
    "SURV": "survival_rates",
    "SURVLO": "survival_rates",
    "PLO": "proportions",
    "OR": "two_by_two",
    "RR": "two_by_two",
    "RD": "two_by_two",
}


WITHOUT_PRIOR = {
    "normal-normal": "random",
    "binomial-normal": "binomial-normal",
    "beta-binomial": "binomial-normal",
    "poisson-normal": "poisson-normal",
}


def has_pair(post: PooledBayes) -> bool:
    """Whether the same studies can be pooled without a prior: medians that were not reached cannot."""
    return getattr(post, "model", "normal-normal") in WITHOUT_PRIOR


def wrap_result(result: Pooled | Subgroups | PooledBayes) -> tuple[Analysis, list[Answer]]:
    """Make the analysis and the answer that the report needs out of a result.

    A posterior is the headline; the same studies pooled without a prior stand beside it.
    """
    bayes = _bayes(result) if isinstance(result, PooledBayes) else None
    if isinstance(result, PooledBayes):
        fit = _without_prior(result)
    else:
        fit = result.overall if isinstance(result, Subgroups) else result
    groups = result if isinstance(result, Subgroups) else None
    e = fit.effects
    label = e.measure.label
    question = Question(
        id="result",
        ask=f"{label}: what do the studies say together?",
        answer=f"the pooled {label[0].lower()}{label[1:]}",
        kind=KIND_OF.get(e.measure.key, "estimates"),
    )
    used = tuple(origin_of_row(e, i) for i in range(len(e)))
    left_out = left_out_of(e)
    answer = Answer(
        question,
        fit,
        groups,
        robustness(fit) if fit.k >= 2 else None,
        used,
        left_out,
        (),
        fit.notes,
        fit.provenance.inputs_sha256,
        bayes,
    )
    analysis = Analysis(
        f"{label}: pooled result", "", "", "", "", (question,), Path(), "the call below", fit.provenance.inputs_sha256
    )
    return analysis, [answer]


def _bayes(post: PooledBayes) -> BayesAnswer:
    return BayesAnswer(post, (), scaled(post), headline=True)


def _without_prior(post: PooledBayes) -> Pooled:
    key = getattr(post, "model", "normal-normal")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FewStudiesWarning)  # the reader of a posterior has been told
        return pool(post.effects, model=WITHOUT_PRIOR[key], level=post.level)
