"""Publication-bias models: each against scipy's quadrature; the average against a published analysis."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from scipy import integrate, stats

import metaleptic as ml
from metaleptic.bayes import priors
from metaleptic.bayes.regression_bias import Small, small_study_model
from metaleptic.bayes.robust_average import BIAS
from metaleptic.bayes.selection import Steps, omega_nodes, selection_model
from metaleptic.errors import DataError, NotEstimableError, OptionError

Y = np.array([0.45, 0.30, 0.62, 0.10, -0.05])
V = np.array([0.2, 0.12, 0.25, 0.15, 0.1]) ** 2
EFFECT, SPREAD = priors.normal(0, 1), priors.half_normal(0.3)


def published(mu: float, sd: Any, omega: tuple[float, ...], steps: Steps) -> float:
    """Likelihood of a selection model with these omegas, written from the definition of publication."""
    se = np.sqrt(V)
    p = stats.norm.sf(Y / se) if steps.sides == 1 else 2 * stats.norm.sf(np.abs(Y) / se)
    weight = np.array(omega)[np.searchsorted(steps.cuts, p)]
    edges = [0.0, *steps.cuts, 1.0]
    total = 0.0
    for w, (a, b) in zip(omega, pairwise(edges), strict=True):
        high, low = stats.norm.isf(a / steps.sides) * se, stats.norm.isf(b / steps.sides) * se
        inside = stats.norm.cdf(high, mu, sd) - stats.norm.cdf(low, mu, sd)
        if steps.sides == 2:
            inside = inside + stats.norm.cdf(-low, mu, sd) - stats.norm.cdf(-high, mu, sd)
        total = total + w * inside
    return float(np.prod(weight * stats.norm.pdf(Y, mu, sd) / total))


def gauss(f: Any, edges: list[float], n: int = 24) -> float:
    """Integrate by Gauss's rule over each piece."""
    return float(sum(integrate.fixed_quad(np.vectorize(f), a, b, n=n)[0] for a, b in pairwise(edges)))


OMEGA = [0.0, 0.01, 0.1, 1.0]


@pytest.mark.parametrize("steps", [Steps(1, (0.05,)), Steps(2, (0.05,))], ids=lambda s: s.words)
def test_one_step_agrees_with_quadrature(steps: Steps) -> None:
    """Omega uniform on 0 to 1; mu and tau fixed at 0, then mu free."""
    null = gauss(lambda w: published(0.0, np.sqrt(V), (1.0, w), steps), OMEGA)
    assert selection_model(Y, V, steps, None, None)[0] == pytest.approx(np.log(null), abs=1e-6)

    def over_mu(mu: float) -> float:
        inner = gauss(lambda w: published(mu, np.sqrt(V), (1.0, w), steps), OMEGA, 12)
        return float(inner * stats.norm.pdf(mu))

    left, right = [-1.0, -0.2, 0.1, 0.2], [0.2, 0.4, 0.7, 1.3]
    below, above = gauss(over_mu, left, 12), gauss(over_mu, right, 12)
    log, posterior = selection_model(Y, V, steps, EFFECT, None)
    assert log == pytest.approx(np.log(below + above), abs=1e-5)
    assert posterior is not None
    assert posterior.cdf(np.array([0.2]))[0] == pytest.approx(below / (below + above), abs=1e-5)
    mean = (gauss(lambda m: m * over_mu(m), left, 12) + gauss(lambda m: m * over_mu(m), right, 12)) / (below + above)
    assert posterior.mean == pytest.approx(mean, abs=1e-5)


def test_two_steps_and_heterogeneity_agree_with_quadrature() -> None:
    """Omegas uniform over their order, mu as good as fixed at 0.1, tau integrated."""
    steps, fixed = Steps(1, (0.025, 0.5)), priors.normal(0.1, 1e-7)

    def over_omega(tau: float) -> float:
        sd = np.sqrt(V + tau**2)
        return gauss(lambda a: 2 * a * gauss(lambda b: published(0.1, sd, (1.0, a, a * b), steps), OMEGA, 8), OMEGA, 8)

    assert selection_model(Y, V, steps, fixed, None)[0] == pytest.approx(np.log(over_omega(0.0)), abs=1e-5)
    random = gauss(lambda t: over_omega(t) * stats.halfnorm.pdf(t, scale=0.3), [0, 0.3, 1.2], 7)
    assert selection_model(Y, V, steps, fixed, SPREAD)[0] == pytest.approx(np.log(random), abs=1e-4)


def test_omegas_are_uniform_over_their_order() -> None:
    points, weights = omega_nodes(3, 12)
    assert weights.sum() == pytest.approx(1)
    assert (np.diff(points, axis=1) <= 0).all()
    # order statistics of three uniforms
    assert weights @ points[:, 1:] == pytest.approx([0.75, 0.5, 0.25])
    assert weights @ (points[:, 2] * points[:, 3] ** 2) == pytest.approx(3 / 6 * 2 / 5 * 1 / 3, rel=1e-12)


def test_tau_is_integrated_as_without_selection() -> None:
    """All results significant and omegas that hardly matter: large effects leave the plain model."""
    far = np.array([3.0, 3.4, 2.9, 3.2])
    v = np.full(4, 0.01)
    plain = ml.pool_bayes(ml.effects(far, v), tau=SPREAD, mu=(3, 1)).log_marginal
    for steps in (Steps(1, (0.05,)), Steps(2, (0.05, 0.1)), Steps(1, (0.025, 0.05, 0.5))):
        assert selection_model(far, v, steps, priors.normal(3, 1), SPREAD)[0] == pytest.approx(plain, abs=1e-4)


@pytest.mark.parametrize("small", [Small("PET", 1, 1.0), Small("PEESE", 2, 5.0)], ids=lambda s: s.name)
def test_small_study_models_agree_with_quadrature(small: Small) -> None:
    """The slope integrated by scipy over the plain model of shifted effects."""
    x = V ** (small.power / 2)

    def over_b(b: float) -> float:
        post = ml.pool_bayes(ml.effects(Y - b * x, V), tau=SPREAD, mu=EFFECT)
        return float(np.exp(post.log_marginal) * stats.halfcauchy.pdf(b, scale=small.scale))

    edges = [0.0, 0.5, 2, 5, 12, 40, 150]
    total = sum(integrate.fixed_quad(np.vectorize(over_b), a, b, n=14)[0] for a, b in pairwise(edges))
    log, parts = small_study_model(Y, V, small, EFFECT, SPREAD)
    assert log == pytest.approx(np.log(total), abs=1e-6)
    assert parts is not None
    assert parts[0].sum() == pytest.approx(1, abs=1e-9)


def test_the_average_knows_directions_and_adds_up() -> None:
    y, v = Y[:4], V[:4]
    e = ml.effects(y, v)
    up = ml.robust_average(e, mu=(0, 1), tau=SPREAD)
    down = ml.robust_average(ml.effects(-y, v), mu=(0, 1), tau=SPREAD, expected="below")
    assert up.log_marginal == pytest.approx(down.log_marginal, abs=1e-12)
    assert (up.estimate.low, up.estimate.value, up.estimate.high) == pytest.approx(
        (-down.estimate.high, -down.estimate.value, -down.estimate.low), abs=1e-9
    )
    assert up.posterior.sum() == pytest.approx(1)
    assert up.prior.sum() == pytest.approx(1)
    assert sum(share for _, share in BIAS) == pytest.approx(1)
    four = ml.compare_models(e, mu=(0, 1), tau=SPREAD).log_marginal
    assert up.log_marginal[[0, 18, 9, 27]] == pytest.approx(four, abs=1e-12)
    frame = up.to_frame()
    assert len(frame) == 36
    assert frame["posterior"].is_monotonic_decreasing
    assert repr(up).startswith("Bayes factor for an effect")


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"mu": (0, 1), "expected": "left"}, OptionError, "above, below"),
        ({"mu": priors.cauchy(0, 1)}, OptionError, "takes a normal prior"),
        ({"mu": (0, 1), "tau": priors.jeffreys()}, NotEstimableError, "improper prior"),
        ({"mu": (0, 1), "level": 95}, OptionError, "not between 0 and 1"),
    ],
)
def test_impossible_wishes_are_named(options: dict[str, Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        ml.robust_average(ml.effects(Y, V), **{"tau": SPREAD, **options})


def test_other_data_are_refused() -> None:
    with pytest.raises(DataError, match="needs 2 to 400 studies, not 1"):
        ml.robust_average(ml.effects([0.1], [0.1]), mu=(0, 1), tau=SPREAD)
    with pytest.raises(OptionError, match="no value of 'no effect'"):
        ml.robust_average(ml.effects([0.1, 0.2], [0.1, 0.1], measure="PLO"), mu=(0, 1))
