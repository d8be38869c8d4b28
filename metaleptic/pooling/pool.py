"""The verb ``pool``: effects in, one pooled result out."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, overload

from metaleptic.convert.units import check_level
from metaleptic.errors import DataError, FewStudiesWarning, OptionError, SuspiciousDataWarning
from metaleptic.pooling.count_data import COUNT_MODELS
from metaleptic.pooling.count_regression import count_regression
from metaleptic.pooling.given_weights import GENERALISED, checked_weights
from metaleptic.pooling.heterogeneity import TAU2, tau2_estimator
from metaleptic.pooling.mean_inference import MEAN_METHODS
from metaleptic.pooling.meta_regression import meta_regression
from metaleptic.pooling.models import MODELS, fit_model
from metaleptic.pooling.names import named
from metaleptic.pooling.normal import test_named
from metaleptic.pooling.predictions import DRAWN, prediction_interval, prediction_named
from metaleptic.pooling.regression_result import Regression
from metaleptic.pooling.result import Pooled
from metaleptic.pooling.weighted_model import with_weights
from metaleptic.pooling.zero_counts import instead_of_corrections
from metaleptic.types import Effects, FloatArray
from metaleptic.warn import warn

# What other programs call the models and the estimators.
_MODELS_ALSO = {
    **dict.fromkeys(
        (
            "fe",
            "ee",
            "ce",
            "fixed",
            "fixed-effect",
            "fixed-effects",
            "common-effect",
            "common-effects",
            "equal-effects",
        ),
        "common",
    ),
    **dict.fromkeys(("re", "random-effects", "random-effect"), "random"),
    **dict.fromkeys(("mh", "cochran-mantel-haenszel", "cmh"), "mantel-haenszel"),
    "cm.el": "conditional-exact",
    "cm.al": "conditional-approximate",
    "um.fs": "unconditional-fixed",
    "um.rs": "unconditional-random",
}
_TAU2_ALSO = {
    "restricted-maximum-likelihood": "REML",
    "maximum-likelihood": "ML",
    "dersimonian-laird": "DL",
    **dict.fromkeys(("paule-mandel", "mandel-paule", "mp"), "PM"),
    "empirical-bayes": "EB",
    **dict.fromkeys(("hedges", "hedges-olkin", "ho"), "HE"),
    "hunter-schmidt": "HS",
    "sidik-jonkman": "SJ",
}
NUMBER = "a number from 0 up"
SEED = 1  # of prediction intervals that draw random numbers


@overload
def pool(
    effects: Effects,
    *,
    moderators: None = None,
    model: str = "random",
    tau2: str | float | None = None,
    test: str | None = None,
    level: float = 0.95,
    prediction: str | None = None,
    weights: Any = None,
    nodes: int | None = None,
    seed: int = SEED,
) -> Pooled: ...


@overload
def pool(
    effects: Effects,
    *,
    moderators: Any,
    model: str = "random",
    tau2: str | float | None = None,
    test: str | None = None,
    level: float = 0.95,
    prediction: None = None,
    weights: Any = None,
    nodes: int | None = None,
    seed: int = SEED,
) -> Regression: ...


def pool(
    effects: Effects,
    *,
    moderators: Any = None,
    model: str = "random",
    tau2: str | float | None = None,
    test: str | None = None,
    level: float = 0.95,
    prediction: str | None = None,
    weights: Any = None,
    nodes: int | None = None,
    seed: int = SEED,
) -> Pooled | Regression:
    """Pool the effects of several studies into one, with its uncertainty and the spread between studies.

    Parameters
    ----------
    effects : Effects
        From ``ml.hazard_ratios``, ``ml.proportions``, ``ml.effects`` and their kin.
    moderators : str, mapping or ndarray of shape (k, p), optional
        Characteristics of the studies that may explain differences (meta-regression): a formula on the columns of the
        effects (``"~ dose + design"``, ``"~ C(arm) * year"``, ``"~ design - 1"``), a mapping of columns, or a design matrix.
        For the normal models and those of counts by maximum likelihood.
    model : str, default "random"
        ``"random"``: true effects differ between studies (normal-normal). ``"common"``: one true effect.
        ``"binomial-normal"``: random effects for proportions with the exact likelihood of the counts.
        ``"beta-binomial"``: the same with a beta distribution of the true proportions.
        ``"pooled-counts"``: one true proportion or rate, counts summed, exact interval.
        ``"mantel-haenszel"`` and ``"peto"``: one true effect of two-by-two tables with rare events.
        ``"conditional-exact"``, ``"conditional-approximate"``, ``"unconditional-fixed"``, ``"unconditional-random"``,
        ``"unconditional-correlated"``: random effects of odds ratios (or rate ratios) with the likelihood of the counts (the last
        two make the levels of the studies random too); ``tau2=0`` for one true effect. ``"poisson-normal"``: the same for rates.
    tau2 : str or float, optional
        Estimator of the between-study variance of the random-effects model: REML (the default), DL, DL2, PM, ML, EB, HE, HS,
        HSk, SJ, PMM, with ``weights`` also GENQ and GENQM; a number is taken as known.
    test : str, optional
        How the interval is made. ``"knapp-hartung"`` for the random-effects model, ``"z"`` for the others by default. Also
        ``"t"``; ``"adhoc"`` (Hartung-Knapp, never narrower than z), ``"adhoc-ci"``, ``"iqwig"`` (its other published
        safeguards); ``"kenward-roger"``; ``"profile-likelihood"``, ``"bartlett"`` and ``"skovgaard"`` (with ML).
    level : float, default 0.95
        Level of all intervals.
    prediction : str, optional
        Method of the prediction interval, as in ``ml.prediction_interval``; by default t or z as for the mean, with its SE.
    weights : array_like of shape (k,) or "equal", optional
        Weights of your own in place of 1 / (v + tau2), with moderators too; the standard errors allow for them.
    nodes : int, optional
        Quadrature nodes per random effect of the models of counts with tau2 by maximum likelihood; by default enough for the
        exact likelihood. 1 is Laplace's approximation (``nAGQ=1`` in R's ``rma.glmm``).

    seed : int, default 1
        Seed of ``prediction="NNF"``, which draws random numbers; recorded in ``fit.provenance``.

    Returns
    -------
    Pooled or Regression
        Estimate and prediction interval on the printed scale, numerics on the analysis scale; with moderators the
        coefficients.

    Raises
    ------
    OptionError
        If an option is unknown or does not fit the model.
    DataError
        If the model needs counts that the effects do not carry; if a moderator is missing, follows from the others, or
        there are more coefficients than studies.

    Warns
    -----
    FewStudiesWarning
        With one study (its own estimate is returned) or two.

    Notes
    -----
    Defaults follow Cochrane: REML, Hartung-Knapp, prediction interval with k - 1 degrees of freedom, Q-profile
    interval for tau. Sources: Viechtbauer W. J Educ Behav Stat 2005;30:261-293; Hartung J, Knapp G. Stat Med
    2001;20:3875-3889; Higgins JPT et al. J R Stat Soc A 2009;172:137-159 (prediction interval; there with k - 2, here with
    k - 1 as in Veroniki AA et al. Res Synth Methods 2019;10:23-43); Viechtbauer W. Stat Med 2007;26:37-52; Berkey CS et al.
    Stat Med 1995;14:395-411 (moderators).

    Examples
    --------
    >>> import metaleptic as ml
    >>> ml.pool(ml.effects([-0.34, -0.05, -0.48, -0.22], [0.03, 0.01, 0.05, 0.01], measure="HR"))
    Hazard ratio 0.81 (95% CI 0.62 to 1.05), 4 studies
    random effects: REML, Hartung-Knapp t(3); 95% prediction interval 0.54 to 1.21
    heterogeneity: tau 0.094, I2 33%, Q = 4.5, df = 3, p = 0.21
    """
    if not isinstance(effects, Effects):
        raise OptionError(
            f"pool takes effects, not {type(effects).__name__}. Make them first, for example with ml.hazard_ratios(data)."
        )
    model = named("model", model, MODELS, _MODELS_ALSO)
    check_level(level)
    chosen = MODELS[model]
    key = chosen.tests[0] if test is None else test_named(test).key
    if key not in chosen.tests:
        raise OptionError(
            f"test {test!r} is not defined for model {model!r}. Choose one of: {', '.join(chosen.tests)}."
        )
    estimator = _estimator(tau2, key, with_weights=weights is not None)
    if len(effects) == 0:
        raise DataError("there are no effects. There is nothing to pool.")
    _check_nodes(nodes, model)
    if moderators is not None:
        _refuse_with_moderators(model, prediction)
        if model in COUNT_MODELS:
            return count_regression(
                effects, moderators, model=model, tau2=estimator, test=key, level=level, nodes=nodes
            )
        own = None if weights is None else _own_weights(effects, weights, model)
        return meta_regression(effects, moderators, model=model, tau2=estimator, test=key, level=level, weights=own)
    _warn_of_few(effects, model, key, estimator)
    _warn_of_corrections(effects, model)
    if weights is not None:
        return with_weights(effects, _own_weights(effects, weights, model), model, estimator, key, level)
    fit = fit_model(effects, model, estimator, key, level, nodes)
    return fit if prediction is None else _with_prediction(fit, prediction, seed)


def _own_weights(effects: Effects, weights: Any, model: str) -> FloatArray:
    if model not in ("random", "common"):
        raise OptionError(f'weights of your own go with model="random" or "common", not {model!r}.')
    return checked_weights(effects, weights)


def _with_prediction(fit: Pooled, method: str, seed: int) -> Pooled:
    """Replace the prediction interval by that of a named method, and record which, with the seed if numbers were drawn."""
    method = prediction_named(method)
    drawn = seed if method in DRAWN else None
    said = f', prediction="{method}"' + (f", seed={seed})" if method in DRAWN else ")")
    record = replace(fit.provenance, call=fit.provenance.call.removesuffix(")") + said, seed=drawn)
    return replace(fit, prediction=prediction_interval(fit, method=method, seed=drawn), provenance=record)


def _estimator(tau2: str | float | None, test: str, *, with_weights: bool) -> str:
    """Settle the estimator of tau2: REML, or the one that the test implies."""
    if tau2 is None:
        return (MEAN_METHODS[test].tau2 if test in MEAN_METHODS else "") or "REML"
    try:
        key = repr(float(tau2))
    except ValueError:
        if str(tau2).casefold() in ("ee", "fe", "ce", "fixed", "common"):
            raise OptionError(
                f'tau2 {tau2!r} is no estimator: for one true effect say model="common", for a known tau2 its number.'
            ) from None
        key = named("tau2", tau2, [*TAU2, *GENERALISED, NUMBER], _TAU2_ALSO)
    if key in GENERALISED and not with_weights:
        raise OptionError(f'tau2="{key}" needs weights: for example weights=1 / effects.v.')
    if key not in GENERALISED:
        tau2_estimator(key)
    return key


def _check_nodes(nodes: int | None, model: str) -> None:
    if nodes is None:
        return
    if model not in COUNT_MODELS:
        raise OptionError(f"nodes go with the models {', '.join(COUNT_MODELS)}, not {model!r}.")
    if nodes not in range(1, 101):
        raise OptionError(f"nodes is {nodes}: it must be a whole number from 1 to 100.")


def _refuse_with_moderators(model: str, prediction: str | None) -> None:
    if model not in ("random", "common", *COUNT_MODELS):
        takes = ", ".join(("random", "common", *COUNT_MODELS))
        raise OptionError(f"moderators go with the models {takes}; not with {model!r}.")
    if prediction is not None:
        raise OptionError("with moderators there is no prediction=: ml.predict gives prediction intervals.")


RANDOM = frozenset(
    {
        *("random", "binomial-normal", "poisson-normal", "beta-binomial"),
        *("conditional-exact", "conditional-approximate"),
        *("unconditional-fixed", "unconditional-random", "unconditional-correlated"),
    }
)


def _warn_of_corrections(effects: Effects, model: str) -> None:
    """Say so where what was added to empty cells is all that the effects rest on."""
    needed = [" added" in how and "correct = " not in how for how in effects.how]
    if model in ("random", "common") and len(needed) > 1 and all(needed):
        warn(
            SuspiciousDataWarning,
            "every study has a count of zero: the estimate and its interval rest on what was added to the empty cells. "
            + instead_of_corrections(effects),
        )


def _warn_of_few(effects: Effects, model: str, test: str, estimator: str) -> None:
    if len(effects) == 1:
        warn(
            FewStudiesWarning,
            f"only one study ({effects.study[0]}): its own estimate is returned, nothing is pooled "
            "and heterogeneity cannot be estimated.",
        )
    elif len(effects) == 2 and model in RANDOM and estimator != "0.0":
        warn(
            FewStudiesWarning,
            "only 2 studies: heterogeneity can hardly be estimated"
            + (", and the interval rests on one degree of freedom." if test != "z" else "."),
        )
    elif model in ("random", "common") and test == "knapp-hartung" and (effects.y == effects.y[0]).all():
        warn(
            SuspiciousDataWarning,
            "all effects are exactly the same: the Hartung-Knapp interval has no width, which no study deserves. "
            'Use test="adhoc" or test="z".',
        )
