"""The verb ``pool``: effects in, one pooled result out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from scipy import special

from metaleptic.convert.intervals import clopper_pearson
from metaleptic.errors import DataError, FewStudiesWarning, OptionError
from metaleptic.pooling.binomial import fit_binomial_normal, homogeneity
from metaleptic.pooling.heterogeneity import q_profile, tau2_estimator, typical_variance
from metaleptic.pooling.normal import fit_normal, test_named
from metaleptic.pooling.result import Pooled
from metaleptic.provenance import provenance
from metaleptic.types import Effects, Estimate, FloatArray, frozen_array
from metaleptic.warn import warn

NAN = float("nan")
FEW = 10  # studies below which an interval that takes tau as known gets a note


@dataclass(frozen=True, slots=True)
class Model:
    """One pooling model: key, name, function, tests it offers (the first is the default), source."""

    key: str
    name: str
    fit: Callable[[Effects, str, str, float], Pooled]
    tests: tuple[str, ...]
    source: str


def pool(
    effects: Effects,
    *,
    model: str = "random",
    tau2: str = "REML",
    test: str | None = None,
    level: float = 0.95,
) -> Pooled:
    """Pool the effects of several studies into one, with its uncertainty and the spread between studies.

    Parameters
    ----------
    effects : Effects
        From ``ml.hazard_ratios``, ``ml.proportions``, ``ml.effects`` and their kin.
    model : {"random", "common", "binomial-normal", "pooled-counts"}, default "random"
        ``"random"``: true effects differ between studies (normal-normal). ``"common"``: one true effect.
        ``"binomial-normal"``: random effects for proportions with the exact likelihood of the counts.
        ``"pooled-counts"``: one true proportion, counts summed, exact interval.
    tau2 : str, default "REML"
        Estimator of the between-study variance of the random-effects model: REML, DL, PM, ML, EB, HE, HS, HSk, SJ or PMM.
    test : {"knapp-hartung", "t", "z", "adhoc"}, optional
        How the interval is made. Hartung-Knapp for the random-effects model, z for the others by default;
        ``"adhoc"`` is Hartung-Knapp that is never narrower than z.
    level : float, default 0.95
        Level of all intervals.

    Returns
    -------
    Pooled
        Estimate and prediction interval on the printed scale, numerics on the analysis scale.

    Raises
    ------
    OptionError
        If an option is unknown or does not fit the model.
    DataError
        If the model needs counts that the effects do not carry.

    Warns
    -----
    FewStudiesWarning
        With one study (its own estimate is returned) or two.

    Notes
    -----
    Defaults follow Cochrane: REML, Hartung-Knapp, prediction interval with k - 1 degrees of freedom, Q-profile
    interval for tau. Sources: Viechtbauer W. J Educ Behav Stat 2005;30:261-293; Hartung J, Knapp G. Stat Med
    2001;20:3875-3889; Higgins JPT et al. J R Stat Soc A 2009;172:137-159 (prediction interval; there with k - 2, here with
    k - 1 as in Veroniki AA et al. Res Synth Methods 2019;10:23-43); Viechtbauer W. Stat Med 2007;26:37-52.

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
    if model not in MODELS:
        raise OptionError(f"model {model!r} is unknown. Choose one of: {', '.join(MODELS)}.")
    if not 0 < level < 1:
        raise OptionError(f"level {level:g} is not between 0 and 1. Write 0.95 for 95%.")
    tau2_estimator(tau2)
    chosen = MODELS[model]
    key = chosen.tests[0] if test is None else test_named(test).key
    if key not in chosen.tests:
        raise OptionError(
            f"test {test!r} is not defined for model {model!r}. Choose one of: {', '.join(chosen.tests)}."
        )
    if len(effects) == 0:
        raise DataError("there are no effects. There is nothing to pool.")
    if len(effects) == 1:
        warn(
            FewStudiesWarning,
            f"only one study ({effects.study[0]}): its own estimate is returned, nothing is pooled "
            "and heterogeneity cannot be estimated.",
        )
    elif len(effects) == 2 and model in ("random", "binomial-normal"):
        warn(
            FewStudiesWarning,
            "only 2 studies: heterogeneity can hardly be estimated"
            + (", and the interval rests on one degree of freedom." if key != "z" else "."),
        )
    return fit_model(effects, model, tau2, key, level)


def fit_model(effects: Effects, model: str, tau2: str, test: str, level: float) -> Pooled:
    """Fit with settled options and no warnings: what ``pool`` and the sensitivity analyses share."""
    if len(effects) == 1 and model != "pooled-counts":
        return _single(effects, model, level)
    return MODELS[model].fit(effects, tau2, test, level)


def _call(model: str, tau2: str, test: str, level: float) -> str:
    estimator = f', tau2="{tau2}"' if tau2 else ""
    return f'ml.pool(effects, model="{model}"{estimator}, test="{test}", level={level:g})'


def _printed(effects: Effects, value: float, low: float, high: float, level: float, kind: str) -> Estimate:
    to = effects.measure.to_printed
    a, b = (float(to(x)) for x in (low, high))
    return Estimate(float(to(value)), min(a, b), max(a, b), level, kind)


def _single(effects: Effects, model: str, level: float) -> Pooled:
    """One study: its own figure, with its published interval where that is of the asked level."""
    y, se = float(effects.y[0]), float(np.sqrt(effects.v[0]))
    half = float(special.ndtri(0.5 + level / 2)) * se
    low, high = (y - half, y + half) if effects.level != level else (float(effects.low[0]), float(effects.high[0]))
    return Pooled(
        effects=effects,
        estimate=_printed(effects, y, low, high, level, "confidence"),
        prediction=None,
        beta=frozen_array([y]),
        se=frozen_array([se]),
        cov=frozen_array([[se**2]]),
        df=float("inf"),
        statistic=y / se if effects.measure.has_null else NAN,
        p=float(2 * special.ndtr(-abs(y / se))) if effects.measure.has_null else NAN,
        tau2=NAN,
        tau=Estimate(NAN, NAN, NAN, level),
        i2=NAN,
        h2=NAN,
        q=0.0,
        q_df=0,
        q_p=NAN,
        weights=frozen_array([100.0]),
        loglik=float(-0.5 * np.log(2 * np.pi * se**2)),
        model=model,
        tau2_method="",
        test="z",
        method="one study, not pooled",
        level=level,
        notes=("Only one study: its own estimate is shown, nothing was pooled.",),
        provenance=provenance(effects, _call(model, "", "z", level)),
    )


def _normal(effects: Effects, model: str, tau2: str, test: str, level: float) -> Pooled:
    k = len(effects)
    fit = fit_normal(effects.y, effects.v, tau2=tau2 or None, test=test, level=level)
    random = bool(tau2)
    t2 = float(fit.tau2)
    bounds = q_profile(effects.y, effects.v, 1.0, level) if random else (NAN, NAN)
    interval = {
        "z": "z",
        "t": f"t({k - 1})",
        "knapp-hartung": f"Hartung-Knapp t({k - 1})",
        "adhoc": f"Hartung-Knapp t({k - 1}) never narrower than z",
    }[test]
    notes = _notes(k, random, float(fit.se), float(np.sqrt(1 / np.sum(1 / (effects.v + t2)))), test)
    null = effects.measure.has_null
    return Pooled(
        effects=effects,
        estimate=_printed(effects, float(fit.mu), float(fit.low), float(fit.high), level, "confidence"),
        prediction=_printed(
            effects, float(fit.mu), float(fit.predict_low), float(fit.predict_high), level, "prediction"
        )
        if random
        else None,
        beta=frozen_array([fit.mu]),
        se=frozen_array([fit.se]),
        cov=frozen_array([[fit.se**2]]),
        df=float(fit.df),
        statistic=float(fit.statistic) if null else NAN,
        p=float(fit.p) if null else NAN,
        tau2=t2,
        tau=Estimate(float(np.sqrt(t2)), float(np.sqrt(bounds[0])), float(np.sqrt(bounds[1])), level),
        i2=float(fit.i2),
        h2=float(fit.h2),
        q=float(fit.q),
        q_df=k - 1,
        q_p=float(special.chdtrc(k - 1, fit.q)),
        weights=frozen_array(fit.weights),
        loglik=float(fit.loglik),
        model=model,
        tau2_method=tau2,
        test=test,
        method=f"random effects: {tau2}, {interval}" if random else f"common effect: inverse variance, {interval}",
        level=level,
        notes=notes,
        provenance=provenance(effects, _call(model, tau2, test, level)),
    )


def _notes(k: int, random: bool, se: float, classic: float, test: str) -> tuple[str, ...]:
    notes = []
    if random and k <= 4:
        notes.append(f"Only {k} studies: the estimate of tau, and with it every interval here, is uncertain.")
    if test == "knapp-hartung" and se < classic:
        notes.append(
            "The Hartung-Knapp interval is based on a smaller standard error than the classic one "
            '(the studies agree more closely than chance would have it); test="adhoc" prevents that.'
        )
    return tuple(notes)


def _random(effects: Effects, tau2: str, test: str, level: float) -> Pooled:
    return _normal(effects, "random", tau2, test, level)


def _common(effects: Effects, tau2: str, test: str, level: float) -> Pooled:
    return _normal(effects, "common", "", test, level)


def _counts(effects: Effects, model: str) -> tuple[FloatArray, FloatArray]:
    if effects.measure.key != "PLO" or not np.isfinite(effects.events + effects.n).all():
        raise DataError(
            f'model "{model}" needs the events and patients of every study. Make the effects with ml.proportions.'
        )
    return effects.events, effects.n


def _binomial_normal(effects: Effects, tau2: str, test: str, level: float) -> Pooled:
    x, n = _counts(effects, "binomial-normal")
    k = len(effects)
    fit = fit_binomial_normal(x, n)
    df = float("inf") if test == "z" else float(k - 1)
    crit = float(special.ndtri(0.5 + level / 2) if test == "z" else -special.stdtrit(k - 1, (1 - level) / 2))
    half, wide = crit * fit.se, crit * float(np.sqrt(fit.tau2 + fit.se**2))
    typical = float(typical_variance(effects.v, 1.0))
    g2 = homogeneity(x, n)
    share = special.expit(fit.mu)
    weights = 1 / (1 / (n * share * (1 - share)) + fit.tau2)
    notes = _notes(k, True, fit.se, fit.se, test)
    if test == "z" and k < FEW:
        notes = (*notes, 'The interval takes tau as known; with so few studies test="t" is the more cautious choice.')
    if not fit.converged:
        notes = ("The likelihood was not maximised to full precision: read the estimate with care.", *notes)
    return Pooled(
        effects=effects,
        estimate=_printed(effects, fit.mu, fit.mu - half, fit.mu + half, level, "confidence"),
        prediction=_printed(effects, fit.mu, fit.mu - wide, fit.mu + wide, level, "prediction"),
        beta=frozen_array([fit.mu]),
        se=frozen_array([fit.se]),
        cov=frozen_array([[fit.se**2]]),
        df=df,
        statistic=NAN,
        p=NAN,
        tau2=fit.tau2,
        tau=Estimate(float(np.sqrt(fit.tau2)), NAN, NAN, level),
        i2=100 * fit.tau2 / (fit.tau2 + typical),
        h2=fit.tau2 / typical + 1,
        q=g2,
        q_df=k - 1,
        q_p=float(special.chdtrc(k - 1, g2)),
        weights=frozen_array(100 * weights / weights.sum()),
        loglik=fit.loglik,
        model="binomial-normal",
        tau2_method="ML",
        test=test,
        method="binomial-normal random effects: maximum likelihood, " + ("z" if test == "z" else f"t({k - 1})"),
        level=level,
        notes=notes,
        provenance=provenance(effects, _call("binomial-normal", "", test, level)),
    )


def _pooled_counts(effects: Effects, tau2: str, test: str, level: float) -> Pooled:
    x, n = _counts(effects, "pooled-counts")
    k = len(effects)
    total, size = x.sum(), n.sum()
    low, high = clopper_pearson(total, size, level)
    with np.errstate(divide="ignore"):
        mu = float(special.logit(total / size))
        se = float(np.sqrt(1 / total + 1 / (size - total)))
    g2 = homogeneity(x, n)
    return Pooled(
        effects=effects,
        estimate=Estimate(float(total / size), float(low), float(high), level),
        prediction=None,
        beta=frozen_array([mu]),
        se=frozen_array([se]),
        cov=frozen_array([[se**2]]),
        df=float("inf"),
        statistic=NAN,
        p=NAN,
        tau2=0.0,
        tau=Estimate(0.0, NAN, NAN, level),
        i2=NAN,
        h2=NAN,
        q=g2,
        q_df=k - 1,
        q_p=float(special.chdtrc(k - 1, g2)) if k > 1 else NAN,
        weights=frozen_array(100 * n / size),
        loglik=NAN,
        model="pooled-counts",
        tau2_method="",
        test="exact",
        method="common proportion: counts summed, exact (Clopper-Pearson) interval",
        level=level,
        notes=(),
        provenance=provenance(effects, _call("pooled-counts", "", "exact", level)),
    )


MODELS = MappingProxyType(
    {
        m.key: m
        for m in (
            Model(
                "random",
                "random-effects model",
                _random,
                ("knapp-hartung", "t", "z", "adhoc"),
                "DerSimonian R, Laird N. Control Clin Trials 1986;7:177-188",
            ),
            Model(
                "common",
                "common-effect model",
                _common,
                ("z", "t"),
                "Rice K, Higgins JPT, Lumley T. J R Stat Soc A 2018;181:205-227",
            ),
            Model(
                "binomial-normal",
                "binomial-normal random-effects model",
                _binomial_normal,
                ("z", "t"),
                "Hamza TH, van Houwelingen HC, Stijnen T. J Clin Epidemiol 2008;61:41-51",
            ),
            Model(
                "pooled-counts",
                "common-proportion model",
                _pooled_counts,
                ("z",),
                "Clopper CJ, Pearson ES. Biometrika 1934;26:404-413",
            ),
        )
    }
)
