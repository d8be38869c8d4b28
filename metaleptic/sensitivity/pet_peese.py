"""PET, PEESE and PET-PEESE: the effect where the standard error would be nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import special

from metaleptic.errors import NotEstimableError, OptionError
from metaleptic.frames import to_frame
from metaleptic.pooling.build import printed_estimate
from metaleptic.pooling.multilevel.result import Multilevel
from metaleptic.pooling.normal import quantile
from metaleptic.sensitivity.asymmetry import Asymmetry, mixed_regression, weighted_regression
from metaleptic.sensitivity.null import need_null
from metaleptic.sensitivity.size_in_fits import WithSize, beside, multilevel_regression
from metaleptic.sensitivity.words import few_words, listed, value_words, with_small_letter
from metaleptic.types import Effects, Estimate


@dataclass(frozen=True, slots=True, eq=False)
class PetPeese:
    """The effect of a study without sampling error, by two regressions and the rule that chooses between them.

    Attributes
    ----------
    effects : Effects
        What was analysed.
    pet, peese : Estimate
        Intercepts of the regression on the standard error and on the variance, printed scale; with moderators the effect at
        their means.
    pet_beta, pet_se, pet_p, peese_beta, peese_se, peese_p : float
        The same on the analysis scale, with two-sided p.
    estimate : Estimate
        The one of the two that the rule chooses.
    chosen : {"PET", "PEESE"}
        Which it is.
    model : str
        "dispersion", "random" or "multilevel".
    pet_slope, peese_slope : float
        Slopes on the standard error and on the variance, analysis scale.
    alpha : float
        Level of the rule.
    moderators : tuple of str
        Moderators of the fit, which stay in the regressions.
    """

    effects: Effects
    pet: Estimate
    peese: Estimate
    pet_beta: float
    pet_se: float
    pet_p: float
    peese_beta: float
    peese_se: float
    peese_p: float
    estimate: Estimate
    chosen: str
    model: str
    pet_slope: float
    peese_slope: float
    alpha: float = 0.10
    moderators: tuple[str, ...] = ()

    @property
    def sentence(self) -> str:
        """What the analysis shows, in plain words."""
        m, e = self.effects.measure, self.estimate
        mean = f" and average {listed(self.moderators)}" if self.moderators else ""
        rule = "an effect remains in PET" if self.chosen == "PEESE" else "no effect remains in PET"
        if self.chosen == "PET" and self.pet_p < self.alpha:
            rule = "what remains in PET points the other way"
        return (
            f"Extrapolated to a study without sampling error{mean}, {with_small_letter(m.label)} is "
            f"{value_words(m, e.value, e.low, e.high, e.level)} ({self.chosen}, because {rule}).{few_words(len(self.effects))}"
        )

    def to_frame(self) -> Any:
        """Return a row per regression."""
        both = (("PET", self.pet, self.pet_p), ("PEESE", self.peese, self.peese_p))
        return to_frame(
            {
                "method": [n for n, _, _ in both],
                "value": [e.value for _, e, _ in both],
                "low": [e.low for _, e, _ in both],
                "high": [e.high for _, e, _ in both],
                "p": [p for _, _, p in both],
                "chosen": [n == self.chosen for n, _, _ in both],
            },
            self.effects.frame_kind,
        )

    def __repr__(self) -> str:
        return self.sentence


def pet_peese(
    result: WithSize | Multilevel, *, model: str | None = None, alpha: float = 0.10, level: float = 0.95
) -> PetPeese:
    """Extrapolate to a study without sampling error, by the regression on the standard error or on the variance.

    Parameters
    ----------
    result : Effects, Pooled, PooledBayes, Regression, RegressionBayes or Multilevel
        A fit or the effects themselves. Moderators of a fit stay in the regressions, and the effect is that at their means.
    model : {"dispersion", "random", "multilevel"}, optional
        Weighted regression with estimated dispersion (the original, and the default), or meta-regression with REML; of a
        multilevel fit its own model, and no other.
    alpha : float, default 0.10
        PEESE is chosen if the intercept of PET has a two-sided p below this and lies on the side of the mean.
    level : float, default 0.95
        Level of the intervals.

    Returns
    -------
    PetPeese

    Raises
    ------
    NotEstimableError
        If there are fewer than three studies.
    OptionError
        If the model is unknown.

    Notes
    -----
    With few or heterogeneous studies the method is unreliable (Stanley TD. Soc Psychol Personal Sci 2017;8:581-591).
    Sources: Stanley TD, Doucouliagos H. Res Synth Methods 2014;5:60-78; of dependent effects Rodgers MA, Pustejovsky JE.
    Psychol Methods 2021;26:141-160.

    Examples
    --------
    >>> import metaleptic as ml
    >>> e = ml.effects([-0.3, -0.35, -0.5, -0.9, -1.2], [0.01, 0.02, 0.1, 0.2, 0.3], measure="HR")
    >>> ml.pet_peese(e).chosen
    'PEESE'
    """
    multilevel = isinstance(result, Multilevel)
    effects, design, moderators = (
        (result.effects, None, tuple(n for n in result.names if n != "intercept"))
        if isinstance(result, Multilevel)
        else beside(result, "pet_peese")
    )
    need_null(effects, "pet_peese")
    allowed = ("multilevel",) if multilevel else ("dispersion", "random")
    model = allowed[0] if model is None else model
    if model not in allowed:
        raise OptionError(f"model {model!r} is unknown here. Choose one of: {', '.join(allowed)}.")
    if len(effects) < 3:
        raise NotEstimableError(f"pet_peese needs at least 3 studies; there are {len(effects)}.")
    fits = []
    for name, x in (("standard error", np.sqrt(effects.v)), ("variance", effects.v)):
        if isinstance(result, Multilevel):
            fits.append(multilevel_regression(result, x, name))
        elif model == "dispersion":
            fits.append(weighted_regression(effects.y, x, 1 / effects.v, beside=design))
        else:
            fits.append(mixed_regression(effects.y, effects.v, x, tau2="REML", test="t", beside=design))
    pet, peese = fits
    p = [_p(f) for f in fits]
    same_side = pet.limit * np.average(effects.y, weights=1 / effects.v) > 0
    chosen = "PEESE" if p[0] < alpha and same_side else "PET"
    printed = [_printed(effects, f, level) for f in fits]
    return PetPeese(
        effects=effects,
        pet=printed[0],
        peese=printed[1],
        pet_beta=pet.limit,
        pet_se=pet.limit_se,
        pet_p=p[0],
        peese_beta=peese.limit,
        peese_se=peese.limit_se,
        peese_p=p[1],
        estimate=printed[1] if chosen == "PEESE" else printed[0],
        chosen=chosen,
        model=model,
        pet_slope=pet.bias,
        peese_slope=peese.bias,
        alpha=alpha,
        moderators=moderators,
    )


def _p(f: Asymmetry) -> float:
    if f.limit_se == 0:  # all effects lie on the line
        return 1.0 if f.limit == 0 else 0.0
    return float(2 * special.stdtr(f.df, -abs(f.limit / f.limit_se)))


def _printed(effects: Effects, f: Asymmetry, level: float) -> Estimate:
    half = float(quantile(np.float64(f.df), level)) * f.limit_se
    return printed_estimate(effects, f.limit, f.limit - half, f.limit + half, level, "confidence")
