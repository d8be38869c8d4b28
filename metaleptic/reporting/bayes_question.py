"""The Bayesian part of a question: which priors an analysis file asks for, and the posteriors that answer it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from metaleptic.bayes.default_priors import default_prior
from metaleptic.bayes.exact_models import EXACT
from metaleptic.bayes.parse_prior import parse_prior
from metaleptic.bayes.pool_bayes import pool_bayes
from metaleptic.bayes.power_scale import PowerScale, power_scale
from metaleptic.bayes.result import PooledBayes
from metaleptic.errors import OptionError
from metaleptic.types import Effects

KEYS = ("tau", "mu", "model", "compare")


@dataclass(frozen=True, slots=True)
class BayesQuestion:
    """What ``[question.bayes]`` says.

    Attributes
    ----------
    tau : str
        Prior on the heterogeneity as text, ``half_normal(0.5)``; empty for the default of the measure.
    mu : (float, float) or None
        Normal prior on the pooled effect, analysis scale; None for a flat one.
    model : str
        ``normal-normal``, ``binomial-normal``, ``beta-binomial`` or ``poisson-normal``; empty: binomial-normal where the
        question's own model is.
    compare : tuple of str
        Other priors on the heterogeneity to show beside.
    headline : bool
        Whether this is the answer to the question (``model = "bayes"``), or stands beside it.
    """

    tau: str = ""
    mu: tuple[float, float] | None = None
    model: str = ""
    compare: tuple[str, ...] = ()
    headline: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class BayesAnswer:
    """The posterior, the same under other priors, and how much the prior decides.

    Attributes
    ----------
    post : PooledBayes
        Under the prior that was asked for.
    others : tuple of PooledBayes
        Under the priors to compare with.
    power : PowerScale or None
        Sensitivity to prior and likelihood; None where the likelihood is not at hand.
    headline : bool
        Whether this is the answer to the question.
    """

    post: PooledBayes
    others: tuple[PooledBayes, ...] = ()
    power: PowerScale | None = None
    headline: bool = False


def read_bayes(given: Any, *, headline: bool) -> BayesQuestion | None:
    """Read and check what an analysis file says; None if it asks for nothing.

    Raises
    ------
    OptionError
        If a key or a value is not understood.
    """
    if given is None or given is False:
        return BayesQuestion(headline=True) if headline else None
    if given is True:
        return BayesQuestion(headline=headline)
    if not isinstance(given, Mapping):
        raise OptionError('bayes must be true or a table, for example bayes = { tau = "half_normal(0.5)" }.')
    unknown = sorted(set(given) - set(KEYS))
    if unknown:
        raise OptionError(f"bayes: key '{unknown[0]}' is unknown. Known: {', '.join(KEYS)}.")
    tau, mu, model, compare = (given.get(key) for key in KEYS)
    for key, value in (("tau", tau), ("model", model)):
        if value is not None and not isinstance(value, str):
            raise OptionError(f"bayes: {key} must be text in quotes.")
    if mu is not None and not (
        isinstance(mu, list) and len(mu) == 2 and all(isinstance(x, int | float) for x in mu) and mu[1] > 0
    ):
        raise OptionError("bayes: mu must be [mean, sd] of a normal prior on the analysis scale, with sd above 0.")
    if compare is not None and not (isinstance(compare, list) and all(isinstance(x, str) for x in compare)):
        raise OptionError('bayes: compare must be a list of priors in quotes, for example ["half_normal(1)"].')
    if model and model not in EXACT:
        raise OptionError(f"bayes: model {model!r} is unknown. Choose one of: {', '.join(EXACT)}.")
    for text in (*([tau] if tau else []), *(compare or [])):
        parse_prior(text)
    mean = (float(mu[0]), float(mu[1])) if mu else None
    return BayesQuestion(tau or "", mean, model or "", tuple(compare or ()), headline)


def answer_bayes(asked: BayesQuestion, effects: Effects, model: str, level: float) -> BayesAnswer:
    """Fit the posteriors; ``model`` is the frequentist one of the question.

    Raises
    ------
    MetalepticError
        If the measure has no default prior, or a posterior is improper.
    """
    chosen = asked.model or ("binomial-normal" if model in ("binomial-normal", "pooled-counts") else "normal-normal")
    main = parse_prior(asked.tau) if asked.tau else default_prior(effects.measure)
    post, *others = (
        pool_bayes(effects, model=chosen, tau=prior, mu=asked.mu, level=level)
        for prior in (main, *map(parse_prior, asked.compare))
    )
    return BayesAnswer(post, tuple(others), scaled(post), asked.headline)


def scaled(post: PooledBayes) -> PowerScale | None:
    """Ask how much the prior decides, where that can be computed."""
    try:
        return power_scale(post)
    except OptionError:
        return None
