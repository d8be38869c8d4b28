"""The numbers of a Bayesian fit as a plain record, for JSON."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import numpy as np

from metaleptic.bayes.marginal import Marginal
from metaleptic.bayes.result import PooledBayes


def bayes_record(post: PooledBayes) -> dict[str, Any]:
    """Return what a machine may want of a posterior: printed scale, tau and probabilities, the studies, the prior."""
    m = post.effects.measure
    return {
        "measure": m.key,
        "label": m.label,
        "unit": m.unit,
        "studies": post.k,
        "method": post.method,
        "level": post.level,
        "estimate": _interval(post.mu),
        "prediction": _interval(post.prediction),
        "tau": {**_interval(post.tau), "mean": post.tau.mean, "sd": post.tau.sd},
        "analysis_scale": {"mean": post.mu.mean, "sd": post.mu.sd, "hpd": list(post.mu.hpd)},
        "p_below_null": post.probability(below=m.null) if m.has_null else None,
        "log_marginal": None if np.isnan(post.log_marginal) else post.log_marginal,
        "prior": {"tau": post.prior.call, "source": post.prior.source, "mu": post.mu_prior and post.mu_prior.call},
        "used": [
            {"study": name, "weight": float(weight), "how": how, "shrunken": _interval(theta)}
            for name, weight, how, theta in zip(
                post.effects.study, post.weights, post.effects.how, post.theta, strict=True
            )
        ],
        "excluded": [asdict(x) for x in post.effects.excluded],
        "notes": list(post.notes),
        "provenance": asdict(post.provenance),
    }


def _interval(x: Marginal) -> dict[str, float]:
    return {"median": x.value, "low": x.low, "high": x.high}
