"""The verb ``copas``: the pooled effect if imprecise studies were published less often, and the less the smaller their effect."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import special

from metaleptic.errors import NotEstimableError, OptionError
from metaleptic.frames import to_frame
from metaleptic.pooling.build import printed_estimate
from metaleptic.pooling.regression import fit_regression
from metaleptic.pooling.result import Pooled
from metaleptic.sensitivity.copas_likelihood import CopasFit, fit_copas, profile_of_rho
from metaleptic.sensitivity.subset_fits import refuse_others
from metaleptic.sensitivity.words import p_words, value_words, with_small_letter
from metaleptic.types import Estimate, FloatArray, frozen_array

PROBABILITIES = (1.0, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3)
LEFT = 0.10  # p of the test of remaining selection, above which a correction is enough
FEW = 10


@dataclass(frozen=True, slots=True, eq=False)
class Copas:
    """The pooled effect under ever stronger selection by Copas' model; one entry per strength.

    Attributes
    ----------
    fit : Pooled
        The result as it was.
    probability : ndarray of shape (m,)
        Probability that a study with the largest standard error was published.
    gamma : ndarray of shape (m, 2)
        The selection: a study with standard error s is published with probability Phi(gamma0 + gamma1 / s).
    value, low, high : ndarray of shape (m,)
        Corrected effect and interval, printed scale; the interval is NaN where ``note`` says why.
    mu, se, tau, rho, loglik : ndarray of shape (m,)
        Maximum likelihood on the analysis scale; ``rho`` is the correlation of publication with the effect.
    p_left : ndarray of shape (m,)
        p of the test that small studies still show other effects after the correction.
    unpublished : ndarray of shape (m,)
        Expected number of unpublished studies.
    note : tuple of str
        What to know of each fit; "" if nothing.
    converged : ndarray of bool, shape (m,)
        Whether each fit can be relied on.
    chosen : int or None
        Weakest selection that leaves no sign of more; None if none does.
    profiles : dict of int to tuple of ndarray
        For each fit that cannot be relied on: values of ``rho``, the best log-likelihood and the effect (printed scale).
    """

    fit: Pooled
    probability: FloatArray
    gamma: FloatArray
    value: FloatArray
    low: FloatArray
    high: FloatArray
    mu: FloatArray
    se: FloatArray
    tau: FloatArray
    rho: FloatArray
    loglik: FloatArray
    p_left: FloatArray
    unpublished: FloatArray
    note: tuple[str, ...]
    converged: Any
    chosen: int | None
    profiles: dict[int, tuple[FloatArray, FloatArray, FloatArray]]

    @property
    def estimate(self) -> Estimate | None:
        """Corrected effect under the weakest selection that leaves no sign of more, printed scale; None if none does."""
        if self.chosen is None:
            return None
        half = float(special.ndtri(0.5 + self.fit.level / 2)) * self.se[self.chosen]
        mu = self.mu[self.chosen]
        return printed_estimate(
            self.fit.effects, float(mu), float(mu - half), float(mu + half), self.fit.level, "confidence"
        )

    @property
    def sentence(self) -> str:
        """What the model shows, in plain words."""
        m, e = self.fit.effects.measure, self.estimate
        name = with_small_letter(m.label)
        if e is None or self.chosen is None:
            good = np.flatnonzero(self.converged)
            if len(good) == 0:
                text = f"Copas' model cannot be relied on: {self.note[0]}."
            else:
                last = int(good[-1])
                text = (
                    f"None of these strengths of selection explains why small studies differ: {name} would be "
                    f"{m.format(float(self.value[last]))} if {100 * self.probability[last]:.0f}% of the least precise studies were published."
                )
        elif self.probability[self.chosen] == 1:
            text = f"Copas' model sees no sign of selection ({p_words(float(self.p_left[self.chosen]))}); nothing is corrected: {name} {value_words(m, e.value, e.low, e.high, e.level)}."
        else:
            text = (
                f"If {100 * self.probability[self.chosen]:.0f}% of the least precise studies were published (Copas' model), {name} would be "
                f"{value_words(m, e.value, e.low, e.high, e.level)} instead of {m.format(self.fit.estimate.value)}; "
                f"no sign of more selection is left ({p_words(float(self.p_left[self.chosen]))})."
            )
        poor = int((~self.converged).sum())
        if poor and len(np.flatnonzero(self.converged)):
            text += f" {poor} of {len(self.note)} fits cannot be relied on."
        return text + (f" With {self.fit.k} studies this is a guess." if self.fit.k < FEW else "")

    def to_frame(self) -> Any:
        """Return a row per strength of selection."""
        columns = {
            "publication_probability": self.probability,
            "value": self.value,
            "low": self.low,
            "high": self.high,
            "tau": self.tau,
            "rho": self.rho,
            "p_left": self.p_left,
            "unpublished": self.unpublished,
            "converged": [bool(c) for c in self.converged],
            "note": list(self.note),
        }
        return to_frame(columns, self.fit.effects.frame_kind)

    def __repr__(self) -> str:
        return self.sentence


def copas(
    fit: Pooled,
    *,
    probability: Sequence[float] = PROBABILITIES,
    most_precise: float = 0.99,
    gamma: Sequence[tuple[float, float]] | None = None,
) -> Copas:
    """Ask what the pooled effect would be if imprecise studies with disappointing results had stayed unpublished.

    Parameters
    ----------
    fit : Pooled
        From ``ml.pool`` with ``model="random"``.
    probability : sequence of float
        Probabilities that a study with the largest standard error was published, 0 to 1; 1 is no selection.
    most_precise : float, default 0.99
        The same of a study with the smallest standard error; with ``probability`` it gives the selection.
    gamma : sequence of (float, float), optional
        The selection itself, instead: publication has probability Phi(gamma0 + gamma1 / s).

    Returns
    -------
    Copas
        A sensitivity analysis, not a test: how strong selection was cannot be estimated, only assumed.

    Raises
    ------
    OptionError
        If a probability is not above 0 and up to 1, or the model is another.
    NotEstimableError
        If there are fewer than four studies, or all have the same standard error.

    Notes
    -----
    Fitted by maximum likelihood for given selection. The test of what is left adds a slope on the standard error (likelihood
    ratio, one degree of freedom). Sources: Copas J, Shi JQ. Biostatistics 2000;1:247-262; Carpenter JR et al. J Clin
    Epidemiol 2009;62:624-631 (the rule p > 0.1).

    Examples
    --------
    >>> import metaleptic as ml
    >>> y = [-1.2, 0.3, -0.9, -0.7, 0.2, -0.5, -0.3, 0.1, -0.2, -0.1]
    >>> v = [0.2, 0.4, 0.1, 0.1, 0.15, 0.1, 0.05, 0.03, 0.02, 0.01]
    >>> found = ml.copas(ml.pool(ml.effects(y, v, measure="HR")), probability=(1, 0.6))
    >>> found.value.round(2)
    array([0.76, 0.89])
    """
    fit = refuse_others(fit, "copas")
    if fit.model != "random":
        raise OptionError('Copas\' model has random effects. Pool with model="random".')
    y, s = fit.effects.y, np.sqrt(fit.effects.v)
    if fit.k < 4:
        raise NotEstimableError(f"Copas' model needs at least 4 studies; there are {fit.k}.")
    if np.ptp(s) < 1e-9 * float(s.max()):
        raise NotEstimableError(
            "all studies have the same standard error: precision cannot have decided what was published."
        )
    pairs = _selections(s, probability, most_precise) if gamma is None else _given(gamma)
    fits = _along(y, s, pairs)
    return _record(fit, s, pairs, fits)


def _selections(s: FloatArray, probability: Sequence[float], most_precise: float) -> FloatArray:
    """Return the gammas that give these probabilities to the least and the most precise study."""
    p = np.atleast_1d(np.asarray(probability, dtype=np.float64))
    if not ((p > 0) & (p <= 1)).all():
        raise OptionError(f"probability {probability!r} should lie above 0 and up to 1, such as (1, 0.8, 0.6).")
    if not 0.5 <= most_precise < 1:
        raise OptionError(f"most_precise {most_precise!r} should lie from 0.5 up to, but not including, 1.")
    u = special.ndtri(np.minimum(p, most_precise))
    slope = (special.ndtri(most_precise) - u) / (1 / s.min() - 1 / s.max())
    pairs = np.column_stack([u - slope / s.max(), slope])
    pairs[p == 1] = (np.inf, 0.0)
    return pairs


def _given(gamma: Sequence[tuple[float, float]]) -> FloatArray:
    pairs = np.array(gamma, dtype=np.float64)
    if pairs.ndim != 2 or pairs.shape[1] != 2 or not np.isfinite(pairs).all():
        raise OptionError("gamma should be pairs of numbers, such as [(0.5, 0.1), (0.2, 0.1)].")
    return pairs


def _along(y: FloatArray, s: FloatArray, pairs: FloatArray) -> list[CopasFit]:
    """Fit each selection; none is the model without it."""
    x = np.column_stack([np.ones_like(s), s])
    plain = fit_regression(y, s**2, x[:, :1], tau2="ML", test="z")
    straight = fit_regression(y, s**2, x, tau2="ML", test="z")
    none = CopasFit(
        mu=float(plain.beta[0]),
        se=float(np.sqrt(plain.cov[0, 0])),
        tau=float(np.sqrt(plain.tau2)),
        rho=0.0,
        loglik=float(plain.loglik),
        p_left=float(special.chdtrc(1, max(0.0, 2 * float(straight.loglik - plain.loglik)))),
        trouble="",
        note="",
    )
    start = np.array([none.mu, none.tau])
    tilted = np.r_[straight.beta[0], np.sqrt(straight.tau2), straight.beta[1]]
    return [
        none if np.isinf(first) else fit_copas(y, s, (first, slope), start, tilted) for first, slope in pairs.tolist()
    ]


def _record(fit: Pooled, s: FloatArray, pairs: FloatArray, fits: list[CopasFit]) -> Copas:
    m, crit = fit.effects.measure, float(special.ndtri(0.5 + fit.level / 2))
    mu, se, tau, rho, loglik, left = (
        np.array([getattr(f, name) for f in fits]) for name in ("mu", "se", "tau", "rho", "loglik", "p_left")
    )
    with np.errstate(invalid="ignore"):
        published = special.ndtr(pairs[:, :1] + pairs[:, 1:] / s)
    low, high = m.printed_bounds(mu - crit * se, mu + crit * se)
    good = np.array([not f.trouble for f in fits])
    good.flags.writeable = False
    enough = np.flatnonzero(good & (left > LEFT))
    profiles = {}
    for i in np.flatnonzero(~good):
        r, heights, effects = profile_of_rho(
            fit.effects.y, s, (float(pairs[i, 0]), float(pairs[i, 1])), (fits[i].mu, fits[i].tau)
        )
        profiles[int(i)] = (frozen_array(r), frozen_array(heights), frozen_array(m.to_printed(effects)))
    return Copas(
        fit=fit,
        probability=frozen_array(published[:, int(np.argmax(s))]),
        gamma=frozen_array(pairs),
        value=frozen_array(m.to_printed(mu)),
        low=frozen_array(low),
        high=frozen_array(high),
        mu=frozen_array(mu),
        se=frozen_array(se),
        tau=frozen_array(tau),
        rho=frozen_array(rho),
        loglik=frozen_array(loglik),
        p_left=frozen_array(left),
        unpublished=frozen_array(((1 - published) / published).sum(axis=1)),
        note=tuple(f.trouble or f.note for f in fits),
        converged=good,
        chosen=int(enough[0]) if len(enough) else None,
        profiles=profiles,
    )
