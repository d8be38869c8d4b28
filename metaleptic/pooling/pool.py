"""The verb ``pool``: effects in, one pooled result out."""

from __future__ import annotations

from metaleptic.convert.units import check_level
from metaleptic.errors import DataError, FewStudiesWarning, OptionError
from metaleptic.pooling.heterogeneity import tau2_estimator
from metaleptic.pooling.models import MODELS, fit_model
from metaleptic.pooling.normal import test_named
from metaleptic.pooling.result import Pooled
from metaleptic.types import Effects
from metaleptic.warn import warn


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
    model : str, default "random"
        ``"random"``: true effects differ between studies (normal-normal). ``"common"``: one true effect.
        ``"binomial-normal"``: random effects for proportions with the exact likelihood of the counts.
        ``"pooled-counts"``: one true proportion, counts summed, exact interval.
        ``"mantel-haenszel"`` and ``"peto"``: one true effect of two-by-two tables with rare events.
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
    check_level(level)
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
