"""The posterior agrees to 1e-10 with a quadrature written from the model alone, and its stated error is a bound."""

from __future__ import annotations

import numpy as np
import pytest
from reference import Plain, effects

import metaleptic as ml
from metaleptic.bayes import priors
from metaleptic.bayes.exact import exact
from metaleptic.bayes.mixture import cdf
from metaleptic.bayes.pool_bayes import pool_bayes
from metaleptic.bayes.prior import Prior
from metaleptic.errors import FewStudiesWarning

CASES: list[tuple[str, Prior, tuple[float, float] | None]] = [
    ("bcg", priors.half_normal(0.5), None),
    ("bcg", priors.half_normal(0.02), (0.3, 0.4)),
    ("rubin1981", priors.half_cauchy(25), None),
    ("crins2014_AR", priors.log_student_t(5, -1.72, 1.295), None),
    ("crins2014_AR", priors.turner("adverse events", "pharmacological vs. placebo / control"), (0, 4)),
    ("crins2014_AR", priors.inverse_gamma(1.77, 0.55), None),
    ("crins2014_AR_rct", priors.jeffreys(), (0, 4)),
    ("crins2014_AR_rct", priors.uniform(1.5), None),
    ("crins2014_PTLD", priors.uniform(), None),
    ("crins2014_PTLD", priors.dumouchel(), (0, 4)),
    ("baeten2013_map", priors.exponential(1), None),
]


@pytest.mark.parametrize(("name", "prior", "mu"), CASES, ids=[f"{c[0]}-{c[1].words}-{c[2]}" for c in CASES])
def test_every_quantity_agrees_with_plain_quadrature(name: str, prior: Prior, mu: tuple[float, float] | None) -> None:
    """Distribution functions of mu, prediction, a study's effect and tau; the integral; the stated error."""
    e = effects(name)
    ours = pool_bayes(e, tau=prior, mu=mu)
    plain = Plain(e.y, e.v, lambda tau: float(prior.pdf(np.array([tau]), e.v)[0]), mu)
    assert ours.log_integral == pytest.approx(plain.log_integral(), abs=1e-10)
    for what, marginal in (("mu", ours.mu), ("prediction", ours.prediction), (1, ours.theta[1])):
        for x in (*marginal.central, marginal.median, marginal.hpd[0]):
            assert marginal.cdf(x) == pytest.approx(plain.cdf(what, x), abs=1e-10)
    for x in (*ours.tau.central, 0.3 * ours.tau.median):
        assert ours.tau.cdf(x) == pytest.approx(plain.integral(lambda tau: 1.0, x) / plain.total, abs=1e-10)
    if np.isfinite(ours.tau.sd):
        assert ours.tau.mean == pytest.approx(plain.mean(lambda tau: tau), rel=1e-10)
    assert 0 < ours.error < 1e-10


@pytest.mark.parametrize("scale", [1e-4, 1.0, 1e4])
@pytest.mark.parametrize("k", [1, 2, 10, 400])
def test_stated_error_bounds_what_finer_panels_change(k: int, scale: float) -> None:
    """Any number of studies on any scale: quantiles put back into a twice finer quadrature return their probability."""
    rng = np.random.default_rng(k)
    v = scale**2 * np.exp(rng.normal(0, 1, k))
    y = rng.normal(0, np.sqrt(v + (0.5 * scale) ** 2))
    fine = priors.half_normal(scale)
    kinks = tuple(float(t) for t in scale * np.geomspace(1e-6, 1e4, 120))
    finer = priors.from_density(lambda tau: np.exp(-0.5 * (tau / scale) ** 2), breaks=kinks)
    a, b = exact(y, v, [fine]), exact(y, v, [finer])
    for x in np.linspace(-2, 2, 9) * scale:
        at = np.array([[x]])
        for new in (False, True):
            p, q = (cdf(f.weight, f.mean, np.hypot(f.sd, f.tau) if new else f.sd, at)[0, 0] for f in (a, b))
            assert abs(p - q) <= max(float(a.error[0]), 1e-12)
    assert a.log_integral[0] == pytest.approx(b.log_integral[0], abs=1e-10)


def test_one_study_leaves_the_prior_alone() -> None:
    """With one study and a flat prior on mu the likelihood of tau is constant: its posterior is the prior."""
    prior = priors.half_normal(0.5)
    with pytest.warns(FewStudiesWarning, match="the prior's"):
        post = pool_bayes(ml.effects([0.2], [0.1]), tau=prior)
    assert post.tau.quantile(np.array([0.1, 0.5, 0.9])) == pytest.approx(prior.quantile([0.1, 0.5, 0.9]), rel=1e-12)
    assert post.theta[0].mean == pytest.approx(0.2)
    assert post.theta[0].sd == pytest.approx(np.sqrt(0.1), rel=1e-12)


def test_conflicting_precise_studies_have_two_peaks_and_the_shortest_interval_still_is_the_shortest() -> None:
    """A mixture with several peaks: no interval of the same probability is shorter."""
    e = ml.effects([0.0, 10.0, 10.5, 11.0], [1.0, 0.01, 0.01, 0.01])
    study = pool_bayes(e, tau=priors.log_normal(-3, 3)).theta[0]
    low, high = study.hpd
    assert study.cdf(high) - study.cdf(low) == pytest.approx(0.95, abs=1e-9)
    p = np.linspace(1e-4, 0.05 - 1e-4, 200)
    assert (high - low) <= np.min(study.quantile(p + 0.95) - study.quantile(p)) + 1e-9
    assert study.pdf(study.mode) >= np.max(study.pdf(np.linspace(-3, 12, 400))) - 1e-9
