"""What ArviZ wants beside the draws: each study's log-likelihood, what was seen, and replicated studies."""

from __future__ import annotations

import numpy as np

from metaleptic.bayes.loo import log_likelihood
from metaleptic.bayes.predictive import replicate_draws
from metaleptic.bayes.sampled import SampledBayes
from metaleptic.bayes.sampled_regression import SampledRegression
from metaleptic.types import FloatArray

NOT_REPLICATED = ("selection",)  # of which the unreported studies are not at hand


def arviz_groups(fit: SampledBayes | SampledRegression) -> dict[str, dict[str, FloatArray]]:
    """Return the groups of a fit; the variable is "y", one value per study, its true effect integrated out.

    Counted models observe proportions or rates. One outcome of several has what was seen alone.
    """
    e, model = fit.effects, getattr(fit, "model", "")
    if model == "multivariate":
        return {"observed_data": {"y": np.asarray(e.y)}}
    shape = (*fit.draws["tau"].shape[:2], len(e))
    groups = {"log_likelihood": {"y": log_likelihood(fit).reshape(shape)}}
    if model in NOT_REPLICATED:
        return {**groups, "observed_data": {"y": np.asarray(e.y)}}
    observed, replicated = replicate_draws(fit, np.random.default_rng(fit.provenance.seed))
    return {
        **groups,
        "observed_data": {"y": observed},
        "posterior_predictive": {"y": replicated.reshape(shape)},
    }
