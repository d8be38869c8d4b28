"""The posterior agrees to 1e-12 with mpmath's quadrature at 20 digits, written from the model alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from mpmath import mp, mpf
from reference import effects

import metaleptic as ml
from metaleptic.bayes.prior import Prior

mp.dps = 20
PIECES = [-30, -10, -6, -4, -2, 0, 2, 4, 7, 12, 40]

CASES: list[tuple[str, Prior, Callable[[Any], Any], tuple[float, float] | None]] = [
    ("crins2014_AR", ml.priors.half_normal(0.5), lambda t: mp.exp(-((t / mpf("0.5")) ** 2) / 2), None),
    ("crins2014_PTLD", ml.priors.half_cauchy(0.5), lambda t: 1 / (1 + (t / mpf("0.5")) ** 2), (0.0, 4.0)),
    (
        "rubin1981",
        ml.priors.log_normal(1.5, 1.0),
        lambda t: mp.exp(-((mp.log(t) - mpf("1.5")) ** 2) / 2) / t,
        None,
    ),
]


class High:
    """The normal-normal posterior by mpmath, up to the constant of the prior."""

    def __init__(self, e: ml.Effects, density: Callable[[Any], Any], mu: tuple[float, float] | None) -> None:
        self.y, self.v = [mpf(float(x)) for x in e.y], [mpf(float(x)) for x in e.v]
        self.density, self.mu = density, mu
        self.total = self.integral(lambda t: 1)

    def moments(self, t: Any) -> tuple[Any, Any]:
        """Mean and variance of mu given tau."""
        w = [1 / (v + t * t) for v in self.v]
        top, bottom = sum(a * b for a, b in zip(w, self.y, strict=True)), sum(w)
        if self.mu is not None:
            bottom += mpf(self.mu[1]) ** -2
            top += mpf(self.mu[0]) * mpf(self.mu[1]) ** -2
        return top / bottom, 1 / bottom

    def weight(self, t: Any) -> Any:
        """Prior times likelihood."""
        m, var = self.moments(t)
        out = self.density(t) * mp.sqrt(var)
        for y, v in zip(self.y, self.v, strict=True):
            out *= mp.exp(-((y - m) ** 2) / (v + t * t) / 2) / mp.sqrt(v + t * t)
        return out if self.mu is None else out * mp.exp(-(((m - self.mu[0]) / self.mu[1]) ** 2) / 2)

    def integral(self, f: Callable[[Any], Any], upper: Any = None) -> Any:
        """Integrate f(tau) over it, on the log scale."""
        ends = PIECES if upper is None else [p for p in PIECES if p < upper] + [upper]
        return mp.quad(lambda u: f(mp.exp(u)) * self.weight(mp.exp(u)) * mp.exp(u), ends, maxdegree=5)

    def cdf(self, what: int | str, x: float) -> float:
        """Distribution function of mu, of a new study's effect, or of study ``what``'s."""

        def given(t: Any) -> Any:
            m, var = self.moments(t)
            if what == "prediction":
                var = var + t * t
            elif what != "mu":
                own = t * t / (self.v[int(what)] + t * t)
                m = own * self.y[int(what)] + (1 - own) * m
                var = own * self.v[int(what)] + (1 - own) ** 2 * var
            return mp.ncdf((mpf(x) - m) / mp.sqrt(var))

        return float(self.integral(given) / self.total)


@pytest.mark.parametrize(("name", "prior", "density", "mu"), CASES, ids=[c[0] for c in CASES])
def test_every_probability_agrees_with_20_digits(
    name: str, prior: Prior, density: Callable[[Any], Any], mu: tuple[float, float] | None
) -> None:
    """Distribution functions of mu, a new study's effect, a study's effect and tau; tau's mean."""
    e = effects(name)
    post, high = ml.pool_bayes(e, tau=prior, mu=mu), High(e, density, mu)
    for what, marginal in (("mu", post.mu), ("prediction", post.prediction), (0, post.theta[0])):
        x = marginal.central[0]
        assert marginal.cdf(x) == pytest.approx(high.cdf(what, x), abs=1e-12)
    x = post.tau.median
    exactly = high.integral(lambda t: 1, mp.log(mpf(x))) / high.total
    assert post.tau.cdf(x) == pytest.approx(float(exactly), abs=1e-12)
    assert post.tau.mean == pytest.approx(float(high.integral(lambda t: t) / high.total), rel=1e-11)
