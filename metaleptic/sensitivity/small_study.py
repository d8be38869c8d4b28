"""The verbs ``small_study`` and ``regression_test``: do small studies show other effects than large ones."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from metaleptic.errors import FewStudiesWarning, NotEstimableError, OptionError
from metaleptic.frames import to_frame
from metaleptic.pooling.build import printed_estimate
from metaleptic.pooling.multilevel.result import Multilevel
from metaleptic.pooling.normal import quantile
from metaleptic.pooling.regression_result import Regression
from metaleptic.pooling.result import Pooled
from metaleptic.sensitivity.asymmetry import (
    PREDICTORS,
    SMALL_STUDY,
    Asymmetry,
    AsymmetryTest,
    begg,
    known_events,
    mixed_regression,
    weighted_regression,
)
from metaleptic.sensitivity.size_in_fits import WithSize, beside, multilevel_regression
from metaleptic.sensitivity.subset_fits import BROADCAST
from metaleptic.sensitivity.words import listed, p_words, value_words
from metaleptic.types import Effects, Estimate, FloatArray, frozen_array
from metaleptic.warn import warn

FEW = 10


# Measures whose standard error follows from the estimate itself, so that the funnel leans without any bias.
_SE_FOLLOWS = frozenset({"PLO", "PLN", "PR", "IR", "IRLN"})


@dataclass(frozen=True, slots=True, eq=False)
class SmallStudy:
    """A test of small-study effects.

    Attributes
    ----------
    effects : Effects
        What was tested.
    test, name : str
        Key and name of the test.
    statistic, df, p : float
        Test statistic, its degrees of freedom (infinite for z) and two-sided p.
    bias, bias_se : float
        Slope on the predictor (rank tests: the score) and its standard error, analysis scale.
    tau : float
        Root of the residual between-study variance, or of the multiplicative dispersion; NaN for rank tests.
    limit : Estimate or None
        Effect that a study without sampling error would show, printed scale, where the test gives one.
    predictor : str
        What the effects were regressed on.
    x, y, w : ndarray of shape (k,)
        Points and weights of the regression (rank tests: what was ranked, no weights).
    level : float
        Level of ``limit``.
    moderators : tuple of str
        Moderators of the fit, beside which the predictor stands; ``limit`` is that of their means.
    """

    effects: Effects
    test: str
    name: str
    statistic: float
    df: float
    p: float
    bias: float
    bias_se: float
    tau: float
    limit: Estimate | None
    predictor: str
    x: FloatArray
    y: FloatArray
    w: FloatArray
    level: float
    moderators: tuple[str, ...] = ()

    @property
    def sentence(self) -> str:
        """What the test shows, in plain words."""
        k, m = len(self.effects), self.effects.measure
        statistic = f"{'z' if np.isinf(self.df) else f't({self.df:.4g})'} = {self.statistic:.2f}".replace("-", "−")
        given = f", given {listed(self.moderators)}" if self.moderators else ""
        text = f"{self.name}{given}: {statistic}, {p_words(self.p)}. "
        if self.p < 0.10:
            text += "Small studies show other effects than large ones: publication bias is one explanation, true differences are another."
            if m.key in _SE_FOLLOWS and self.predictor == "standard error":
                text += ' A third: the standard error of this measure depends on its value, which alone makes a funnel lean; see ml.regression_test(fit, predictor="1/n").'
        elif k < FEW:
            text += f"With {k} studies a difference between small and large studies could hardly have been seen."
        else:
            text += "No sign that small studies show other effects than large ones, which does not exclude it."
        if self.limit is not None:
            lim = self.limit
            mean = f" and average {listed(self.moderators)}" if self.moderators else ""
            text += f" Effect of a study without sampling error{mean}: {value_words(m, lim.value, lim.low, lim.high, lim.level)}."
        return text

    def to_frame(self) -> Any:
        """Return one row with the test."""
        columns = {
            "test": [self.name],
            "k": [len(self.effects)],
            "predictor": [self.predictor],
            "bias": [self.bias],
            "bias_se": [self.bias_se],
            "statistic": [self.statistic],
            "df": [self.df],
            "p": [self.p],
        }
        if self.limit is not None:
            columns |= {"limit": [self.limit.value], "limit_low": [self.limit.low], "limit_high": [self.limit.high]}
        return to_frame(columns, self.effects.frame_kind)

    def __repr__(self) -> str:
        return self.sentence


def small_study(result: WithSize | Multilevel, *, test: str | None = None, level: float = 0.95) -> SmallStudy:
    """Test whether small studies show other effects than large ones (funnel plot asymmetry).

    Parameters
    ----------
    result : Effects, Pooled, PooledBayes, Regression, RegressionBayes or Multilevel
        A fit or the effects themselves. Moderators of a fit stay in the regression. Of a multilevel fit Egger's regression
        is fitted in the same model, so that effects of one study do not count as independent.
    test : str, optional
        ``"egger"``, ``"thompson-sharp"``, ``"begg"`` and ``"macaskill"`` (needs n) for any effects; ``"harbord"``,
        ``"peters"``, ``"deeks"`` and ``"schwarzer"`` for two-by-two tables; ``"debray"`` and ``"debray-additive"`` for
        hazard ratios with numbers of events. By default the one made for the measure: Harbord's for odds ratios of
        tables, Debray's for hazard ratios where events are known, otherwise Egger's.
    level : float, default 0.95
        Level of the interval of the limit.

    Returns
    -------
    SmallStudy

    Raises
    ------
    OptionError
        If the test is unknown.
    DataError
        If the test needs numbers that the effects do not carry.
    NotEstimableError
        If there are fewer than three studies.

    Warns
    -----
    FewStudiesWarning
        Below 10 studies, where these tests see little.

    Notes
    -----
    For odds ratios Egger's test cries wolf, because a log odds ratio and its standard error are correlated by
    construction. Sources: ``metaleptic.sensitivity.asymmetry.SMALL_STUDY``; on their use Sterne JAC et al. BMJ
    2011;343:d4002; of dependent effects Rodgers MA, Pustejovsky JE. Psychol Methods 2021;26:141-160.

    Examples
    --------
    >>> import metaleptic as ml
    >>> y = [-1.2, 0.3, -0.9, -0.7, 0.2, -0.5, -0.3, 0.1, -0.2, -0.1]
    >>> v = [0.5, 0.4, 0.3, 0.2, 0.15, 0.1, 0.05, 0.03, 0.02, 0.01]
    >>> round(ml.small_study(ml.effects(y, v, measure="HR")).p, 3)
    0.173
    """
    if isinstance(result, Multilevel):
        return _multilevel(result, test, level)
    effects, design, moderators = beside(result, "small_study")
    key = _default(effects) if test is None else test
    if key not in SMALL_STUDY:
        raise OptionError(f"test {key!r} is unknown. Choose one of: {', '.join(SMALL_STUDY)}.")
    chosen = SMALL_STUDY[key]
    _check(effects, chosen.name)
    if chosen.measures and effects.measure.key not in chosen.measures:
        raise OptionError(
            f'{chosen.name} is made for {" and ".join(chosen.measures)}, not {effects.measure.key}. Use test="egger".'
        )
    return _record(effects, chosen, chosen.function(effects, design), level, moderators)


def _multilevel(fit: Multilevel, test: str | None, level: float) -> SmallStudy:
    """Fit the model again with the standard error as moderator."""
    if test not in (None, "egger"):
        raise OptionError(f'of a multilevel fit there is test="egger" alone, not {test!r}.')
    _check(fit.effects, "Egger's regression")
    found = multilevel_regression(fit, np.sqrt(fit.effects.v), "standard error")
    entry = AsymmetryTest(
        "egger", "Egger's test in the multilevel model", SMALL_STUDY["egger"].function, (), "standard error", ""
    )
    return _record(fit.effects, entry, found, level, _moderators(fit))


def _moderators(fit: Regression | Multilevel) -> tuple[str, ...]:
    return tuple(n for n in fit.design.names if n != "intercept")


def regression_test(
    fit: Pooled | Regression | Multilevel, *, predictor: str = "se", model: str = "random", level: float | None = None
) -> SmallStudy:
    """Regress the effects on a measure of study size, in the model of the fit or with a multiplicative dispersion.

    Parameters
    ----------
    fit : Pooled, Regression or Multilevel
        From ``ml.pool`` or ``ml.pool_multilevel``; its estimator of tau2 and its test are used (``model="common"`` gives no
        tau2). Moderators stay in the model, beside the predictor.
    predictor : {"se", "v", "n", "1/n", "sqrt(n)", "1/sqrt(n)"}, default "se"
        What the effects are regressed on; those of patients need n.
    model : {"random", "dispersion"}, default "random"
        ``"random"``: meta-regression in the model of the fit. ``"dispersion"``: weighted regression with weights 1/v
        whose residual variance is estimated (the classic Egger test with ``predictor="se"``).
    level : float, optional
        Level of the interval of the limit, that of the fit by default.

    Returns
    -------
    SmallStudy
        ``limit`` is the intercept where the predictor vanishes for an infinitely large study (moderators at their means).

    Raises
    ------
    OptionError
        If an option is unknown.
    DataError
        If numbers of patients are needed and missing.

    Warns
    -----
    FewStudiesWarning
        Below 10 studies.

    Notes
    -----
    Sources: Egger M et al. BMJ 1997;315:629-634; Sterne JAC, Egger M. In: Rothstein HR et al (eds). Publication Bias in
    Meta-Analysis, 2005, 99-110; Moreno SG et al. BMC Med Res Methodol 2009;9:2.

    Examples
    --------
    >>> import metaleptic as ml
    >>> y = [-1.2, 0.3, -0.9, -0.7, 0.2, -0.5, -0.3, 0.1, -0.2, -0.1]
    >>> v = [0.5, 0.4, 0.3, 0.2, 0.15, 0.1, 0.05, 0.03, 0.02, 0.01]
    >>> round(ml.regression_test(ml.pool(ml.effects(y, v, measure="HR"))).limit.value, 3)
    1.004
    """
    if not isinstance(fit, Pooled | Regression | Multilevel):
        raise OptionError("regression_test takes a result of ml.pool or ml.pool_multilevel, because it uses its model.")
    if predictor not in PREDICTORS:
        raise OptionError(f"predictor {predictor!r} is unknown. Choose one of: {', '.join(PREDICTORS)}.")
    if model not in ("random", "dispersion"):
        raise OptionError(f"model {model!r} is unknown. Choose one of: random, dispersion.")
    if isinstance(fit, Multilevel):
        return _multilevel_test(fit, predictor, model, level)
    effects, design, moderators = beside(fit, "regression_test")
    if fit.model not in ("random", "common"):
        raise OptionError(
            f'the model "{fit.model}" has no regression test. Pool with model="random", or use small_study.'
        )
    _check(effects, "the regression test")
    values, at_zero, words = PREDICTORS[predictor]
    x = values(effects)
    if model == "dispersion":
        found = weighted_regression(effects.y, x, 1 / effects.v, at_zero=at_zero, beside=design)
    else:
        test = fit.test if fit.test in BROADCAST else "z"
        tau2 = fit.tau2_method or None
        found = mixed_regression(effects.y, effects.v, x, tau2=tau2, test=test, at_zero=at_zero, beside=design)
    how = "Regression test" if model == "random" else "Regression test with multiplicative dispersion"
    entry = AsymmetryTest("regression", f"{how} on the {words}", SMALL_STUDY["egger"].function, (), words, "")
    return _record(effects, entry, found, fit.level if level is None else level, moderators)


def _multilevel_test(fit: Multilevel, predictor: str, model: str, level: float | None) -> SmallStudy:
    if model != "random":
        raise OptionError('of a multilevel fit there is model="random" alone: its own.')
    _check(fit.effects, "the regression test")
    values, at_zero, words = PREDICTORS[predictor]
    found = multilevel_regression(fit, values(fit.effects), words, at_zero=at_zero)
    name = f"Regression test in the multilevel model on the {words}"
    entry = AsymmetryTest("regression", name, SMALL_STUDY["egger"].function, (), words, "")
    return _record(fit.effects, entry, found, fit.level if level is None else level, _moderators(fit))


def rank_test(result: WithSize, *, exact: bool = True) -> SmallStudy:
    """Correlate the ranks of effects and variances, with the exact p value where there are no ties.

    Parameters
    ----------
    result : Effects, Pooled, PooledBayes, Regression or RegressionBayes
        A fit or the effects themselves; of a fit with moderators their residuals in the common-effect regression are ranked.
    exact : bool, default True
        Whether p comes from the permutation distribution (fewer than 50 studies, no ties) or the normal.

    Returns
    -------
    SmallStudy
        ``bias`` is the score: concordant minus discordant pairs.

    Warns
    -----
    FewStudiesWarning
        Below 10 studies.

    Notes
    -----
    Source: Begg CB, Mazumdar M. Biometrics 1994;50:1088-1101.

    Examples
    --------
    >>> import metaleptic as ml
    >>> y = [-1.2, 0.3, -0.9, -0.7, 0.2, -0.5, -0.3, 0.1, -0.2, -0.1]
    >>> v = [0.5, 0.4, 0.3, 0.2, 0.15, 0.1, 0.05, 0.03, 0.02, 0.01]
    >>> round(ml.rank_test(ml.effects(y, v)).p, 4)
    0.0726
    """
    effects, design, moderators = beside(result, "rank_test")
    _check(effects, "the rank test")
    return _record(effects, SMALL_STUDY["begg"], begg(effects, design, exact=exact), 0.95, moderators)


def _default(effects: Effects) -> str:
    """Choose the test made for the measure."""
    if effects.measure.key == "OR" and len(effects.cells) == len(effects):
        return "harbord"
    events = known_events(effects)
    if effects.measure.key == "HR" and bool(np.all(np.isfinite(events) & (events > 0))):
        return "debray"
    return "egger"


def _check(effects: Effects, name: str) -> None:
    k = len(effects)
    if k < 3:
        raise NotEstimableError(f"{name} needs at least 3 studies; there are {k}.")
    if k < FEW:
        warn(
            FewStudiesWarning,
            f"only {k} studies: below {FEW}, {name} sees little, and an unremarkable result means nothing.",
        )


def _record(
    effects: Effects, test: AsymmetryTest, found: Asymmetry, level: float, moderators: tuple[str, ...] = ()
) -> SmallStudy:
    limit = None
    if np.isfinite(found.limit):
        half = float(quantile(np.float64(found.df), level)) * found.limit_se
        limit = printed_estimate(effects, found.limit, found.limit - half, found.limit + half, level, "confidence")
    return SmallStudy(
        effects=effects,
        test=test.key,
        name=test.name,
        statistic=found.statistic,
        df=found.df,
        p=found.p,
        bias=found.bias,
        bias_se=found.bias_se,
        tau=found.spread,
        limit=limit,
        predictor=test.predictor,
        x=frozen_array(found.x),
        y=frozen_array(found.y),
        w=frozen_array(found.w),
        level=level,
        moderators=moderators,
    )
