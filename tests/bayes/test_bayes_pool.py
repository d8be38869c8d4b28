"""``pool_bayes``: what a user types and reads, how it follows shifts and scales, what it refuses, and how fast it is."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import FrozenInstanceError

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reference import effects

import metaleptic as ml
from metaleptic.bayes import priors
from metaleptic.bayes.compare import compare_models
from metaleptic.bayes.exact import exact
from metaleptic.bayes.pool_bayes import pool_bayes
from metaleptic.bayes.prior_sensitivity import prior_sensitivity
from metaleptic.errors import NotEstimableError, OptionError

E = ml.effects([-0.34, -0.05, -0.48, -0.22], [0.03, 0.01, 0.05, 0.01], study=["A", "B", "C", "D"], measure="HR")
NUMBERS = st.lists(st.tuples(st.floats(-3, 3), st.floats(0.01, 2)), min_size=2, max_size=8)


def test_result_fits_the_protocol_and_prints_three_lines() -> None:
    post = pool_bayes(E)
    assert isinstance(post, ml.Result)
    assert repr(post).splitlines()[0] == "Hazard ratio 0.80 (95% CrI 0.58 to 1.04), 4 studies"
    assert len(repr(post).splitlines()) == 3
    assert post.estimate.kind == "credible"
    assert post.estimate.value == pytest.approx(np.exp(post.mu.median))
    assert (post.prediction.low, post.prediction.high) == pytest.approx(np.exp(post.prediction.central))
    assert post.prediction.kind == "prediction"
    assert (post.tau.value, post.tau.low, post.tau.high) == (post.tau.median, *post.tau.central)
    assert post.weights.sum() == pytest.approx(100)
    assert post.probability(below=1) == pytest.approx(post.mu.cdf(0.0), abs=1e-15)
    assert post.probability(above=0.5, below=1) == pytest.approx(
        1 - post.probability(below=0.5) - post.probability(above=1)
    )
    assert "half-normal(0.5)" in post.method
    assert post.provenance.call == "ml.pool_bayes(effects, tau=priors.half_normal(scale=0.5), mu=None, level=0.95)"
    frame = post.to_frame()
    assert frame["role"].tolist() == ["study"] * 4 + ["pooled", "prediction"]
    assert frame["shrunken"][0] == pytest.approx(np.exp(post.theta[0].median))
    with pytest.raises(FrozenInstanceError):
        post.level = 0.9  # type: ignore[misc]


BOUNDED = {"IRS", "PAS", "PFT", "SURVAS", "ZR2"}  # a printed scale that begins at 0: negative draws are cut there


@pytest.mark.parametrize("key", [key for key in ml.MEASURES if key not in BOUNDED])
def test_every_measure(key: str) -> None:
    """Bounds in order on the printed scale; a default prior, or a message that says how to state one."""
    e = ml.effects([-0.4, 0.1, -0.2], [0.04, 0.02, 0.1], measure=key)
    if key in {"RD", "DIFF", "GEN"}:  # differences in units of their own
        with pytest.raises(OptionError, match=r"no default prior on tau.*in_words"):
            pool_bayes(e)
    post = pool_bayes(e, tau=priors.half_normal(0.5))
    for x in (post.estimate, post.prediction, *post.theta):
        assert x.low < x.value < x.high
    value = post.estimate.value
    assert post.probability(below=value) == pytest.approx(0.5)
    assert post.probability(above=value) == pytest.approx(0.5)
    assert post.probability(above=post.estimate.low, below=post.estimate.high) == pytest.approx(0.95)


@given(NUMBERS, st.floats(-5, 5), st.floats(0.01, 50))
@settings(max_examples=30, deadline=None)
def test_shift_and_scale_carry_through(rows: list[tuple[float, float]], shift: float, scale: float) -> None:
    """Moving the effects moves mu; changing the unit of effects and prior changes the unit of everything."""
    y, s = np.array(rows).T
    a = pool_bayes(ml.effects(y, s**2), tau=priors.half_normal(0.5))
    b = pool_bayes(ml.effects(shift + scale * y, (scale * s) ** 2), tau=priors.half_normal(0.5 * scale))
    size = {"abs": 1e-8 * scale * (1 + abs(shift)), "rel": 1e-8}
    assert b.mu.interval(0.9) == pytest.approx(tuple(shift + scale * x for x in a.mu.interval(0.9)), **size)
    assert b.mu.hpd == pytest.approx(tuple(shift + scale * x for x in a.mu.hpd), **size)
    assert b.tau.central == pytest.approx(tuple(scale * x for x in a.tau.central), **size)
    assert b.theta[0].median == pytest.approx(shift + scale * a.theta[0].median, **size)


@given(
    NUMBERS,
    st.sampled_from([priors.half_normal(0.5), priors.half_cauchy(1), priors.jeffreys(), priors.log_normal(-1, 1)]),
)
@settings(max_examples=30, deadline=None)
def test_distribution_functions_rise_and_quantiles_invert_them(
    rows: list[tuple[float, float]], prior: priors.Prior
) -> None:
    y, s = np.array(rows).T
    post = pool_bayes(ml.effects(y, s**2), tau=prior)
    p = np.array([1e-6, 0.01, 0.3, 0.5, 0.9, 0.999, 1 - 1e-6])
    for m in (post.mu, post.tau, post.prediction, post.theta[0]):
        x = m.quantile(p)
        assert (np.diff(x) > 0).all()
        assert m.cdf(x) == pytest.approx(p, abs=1e-10)
        assert m.cdf(x) + m.sf(x) == pytest.approx(1, abs=1e-10)
        assert (np.diff(m.cdf(np.linspace(x[0], x[-1], 200))) >= -1e-15).all()
        for level in (0.5, 0.95):
            (low, high), (a, b) = m.interval(level, kind="hpd"), m.interval(level)
            assert m.cdf(high) - m.cdf(low) == pytest.approx(level, abs=1e-8)
            assert high - low <= (b - a) * (1 + 1e-9)


def test_extremes_of_heterogeneity_are_the_known_models() -> None:
    """A prior that forbids heterogeneity is the common-effect model; one that demands much weighs studies equally."""
    common = ml.pool(E, model="common")
    none = pool_bayes(E, tau=priors.half_normal(1e-6))
    assert none.mu.mean == pytest.approx(float(common.beta[0]), abs=1e-9)
    assert none.mu.sd == pytest.approx(float(common.se[0]), rel=1e-9)
    much = pool_bayes(E, tau=priors.log_normal(6, 0.01))
    assert much.weights == pytest.approx([25] * 4, abs=1e-4)
    assert much.theta[0].mean == pytest.approx(-0.34, abs=1e-5)


@pytest.mark.parametrize(
    ("prior", "k", "mu", "proper"),
    [
        (priors.uniform(), 2, None, False),
        (priors.uniform(), 3, None, True),
        (priors.uniform(), 1, (0, 1), False),
        (priors.uniform(), 2, (0, 1), True),
        (priors.jeffreys(), 1, None, False),
        (priors.jeffreys(), 2, None, True),
        (priors.jeffreys(), 1, (0, 1), True),
        (priors.berger_deely(), 1, None, False),
        (priors.uniform_sqrt(), 1, None, False),
        (priors.uniform_sqrt(), 2, None, True),
        (priors.from_density(lambda tau: 1 / (1 + tau)), 1, None, False),
        (priors.from_density(lambda tau: 1 / tau), 5, None, False),
        (priors.from_density(lambda tau: 1 / tau), 60, None, False),  # as little as there is at zero, it is infinite
        (priors.from_density(lambda tau: 1 / tau), 5, (0, 1), False),
        (priors.from_density(lambda tau: 1 / tau**2), 5, (0, 1), False),
        (priors.from_density(lambda tau: tau**-0.9), 5, (0, 1), True),
        (priors.from_density(lambda tau: -np.log(tau), upper=2.0, log=True), 5, None, False),
        (priors.half_cauchy(1), 1, None, True),
    ],
)
def test_improper_posteriors_are_refused(
    prior: priors.Prior, k: int, mu: tuple[float, float] | None, proper: bool
) -> None:
    """The likelihood falls like tau^-(k-1), with a prior on mu like tau^-k; what the prior adds must make it integrable."""
    y, v = np.linspace(0, 1, k), np.full(k, 0.1)
    if proper:
        fit = exact(y, v, [prior], mu)
        assert fit.weight.sum() == pytest.approx(1)
    else:
        with pytest.raises(NotEstimableError, match=r"posterior is improper.*priors.half_normal"):
            exact(y, v, [prior], mu)


def test_tails_and_moments_are_those_derived() -> None:
    """P(tau > t) falls by the derived power; a moment that does not exist is infinite."""
    e = effects("crins2014_PTLD")  # 3 studies
    flat = pool_bayes(e, tau=priors.uniform())
    assert flat.tau.sf(2e6) / flat.tau.sf(1e6) == pytest.approx(0.5, rel=1e-4)  # density tau^-2
    assert flat.tau.mean == flat.tau.sd == flat.mu.sd == flat.prediction.sd == np.inf
    assert np.isfinite(flat.theta[0].sd)
    assert "some of its moments are infinite" in flat.notes[-1]
    normal = pool_bayes(e, tau=priors.uniform(), mu=(0, 4))
    assert np.isfinite(normal.tau.mean)
    assert normal.tau.sd == normal.prediction.sd == np.inf
    assert np.isfinite(normal.mu.sd)


def test_draws_follow_the_posterior_and_repeat() -> None:
    post = pool_bayes(E)
    for m in (post.mu, post.tau, post.prediction):
        x = m.draw(2000, seed=3)
        assert np.array_equal(x, m.draw(2000, seed=3))
        u = np.sort(m.cdf(x))
        assert np.abs(u - (np.arange(2000) + 0.5) / 2000).max() < 1.95 / np.sqrt(2000)  # Kolmogorov, p = 0.001


def test_contrasts_agree_with_draws_from_the_model() -> None:
    """A study against another, and against the mean: variances add as the joint posterior says."""
    post = pool_bayes(E, tau=priors.half_normal(0.5))
    assert post.contrast({"A": 1}).central == pytest.approx(post.theta[0].central, abs=1e-12)
    assert post.contrast({"mu": 1}).central == pytest.approx(post.mu.central, abs=1e-12)
    n, rng = post.nodes, np.random.default_rng(1)
    at = rng.choice(n.tau.size, 200_000, p=n.weight / n.weight.sum())
    mu = rng.normal(n.mean[at], n.sd[at])
    pull = E.v[:, None] / (E.v[:, None] + n.tau[at] ** 2)
    theta = rng.normal(pull * mu + (1 - pull) * E.y[:, None], np.sqrt(pull) * n.tau[at])
    for weights, draws in (({"A": 1, "B": -1}, theta[0] - theta[1]), ({"C": 1, "mu": -1}, theta[2] - mu)):
        c = post.contrast(weights)
        assert c.mean == pytest.approx(draws.mean(), abs=5 * draws.std() / np.sqrt(draws.size))
        assert c.sd == pytest.approx(draws.std(), rel=0.01)
        assert c.cdf(0) == pytest.approx((draws < 0).mean(), abs=0.006)
    assert post.contrast({"A": 1, "B": -1}).name == "1 A - 1 B"
    with pytest.raises(OptionError, match=r"not \['Z'\]. There are: A, B, C, D"):
        post.contrast({"Z": 1})


def test_no_marginal_likelihood_without_proper_priors() -> None:
    assert np.isnan(pool_bayes(E).log_marginal)
    assert "flat prior on the mean is improper" in pool_bayes(E).no_marginal
    assert "uniform prior on tau is improper" in pool_bayes(E, tau=priors.uniform(), mu=(0, 1)).no_marginal
    proper = pool_bayes(E, mu=(0, 1))
    assert proper.no_marginal == ""
    assert proper.log_marginal == proper.log_integral
    assert proper.weights.sum() < 100
    with pytest.raises(NotEstimableError, match="no Bayes factor"):
        compare_models(E, mu=(0, 1), tau=priors.uniform())


def test_many_priors_in_one_call_are_each_alone() -> None:
    """Kernels broadcast: a batch of priors, one with an end, agrees with one call each."""
    chosen = [priors.half_normal(0.2), priors.half_cauchy(1), priors.uniform(0.7), priors.jeffreys(), priors.rhodes()]
    table = prior_sensitivity(E, chosen)
    for i, prior in enumerate(chosen):
        one = pool_bayes(E, tau=prior)
        assert table.mu[i] == pytest.approx([one.estimate.value, one.estimate.low, one.estimate.high], abs=1e-10)
        assert table.prediction[i, 1:] == pytest.approx([one.prediction.low, one.prediction.high], rel=1e-9)
        assert table.tau[i] == pytest.approx([one.tau.median, *one.tau.central], abs=1e-10)
        assert table.log_integral[i] == pytest.approx(one.log_integral, abs=1e-10)
    assert len(table.to_frame()) == 5


def test_many_data_sets_in_one_call_are_each_alone() -> None:
    """Leave-one-out with a mask agrees with pooling what is left, also for priors that look at the variances."""
    keep = 1 - np.eye(4)
    for prior in (priors.half_normal(0.5), priors.dumouchel()):
        batch = exact(np.tile(E.y, (4, 1)), np.tile(E.v, (4, 1)), [prior], None, keep)
        for i in range(4):
            one = pool_bayes(E.take([j for j in range(4) if j != i]), tau=prior)
            assert batch.mu_mean[i] == pytest.approx(one.mu.mean, abs=1e-10)
            assert batch.mu_sd[i] == pytest.approx(one.mu.sd, rel=1e-10)
            assert batch.tau_mean[i] == pytest.approx(one.tau.mean, rel=1e-10)
            assert batch.log_integral[i] == pytest.approx(one.log_integral, abs=1e-10)


def test_fast_enough() -> None:
    """13 studies with all summaries in under 10 ms, 200 priors in under half a second: processor time, best of several."""
    rng = np.random.default_rng(5)
    sets = [effects("bcg"), ml.effects(rng.normal(-0.3, 0.4, 13), rng.uniform(0.02, 0.5, 13), measure="HR")]
    many = [priors.half_normal(float(s)) for s in np.geomspace(0.05, 2, 200)]

    def best(run: Callable[[], object], times: int) -> float:
        taken = []
        for _ in range(times):
            start = time.process_time()
            run()
            taken.append(time.process_time() - start)
        return min(taken)

    for e in sets:
        assert best(lambda e=e: pool_bayes(e, tau=many[99]), 60) < 0.010
        assert best(lambda e=e: prior_sensitivity(e, many), 5) < 0.5


def test_import_is_light() -> None:
    """The exact route needs numpy and scipy.special: neither scipy.stats, scipy.optimize, pymc nor pandas is loaded."""
    code = (
        "import sys; import metaleptic.bayes.pool_bayes, metaleptic.bayes.compare, metaleptic.bayes.prior_sensitivity; "
        "print([m for m in ('scipy.stats', 'scipy.optimize', 'pymc', 'arviz', 'pandas', 'matplotlib') if m in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"tau": 0.5}, "takes a prior, not float"),
        ({"mu": 3}, r"must be \(mean, sd\)"),
        ({"mu": (0, 0)}, "standard deviation above 0"),
        ({"level": 95}, "not between 0 and 1"),
    ],
)
def test_wrong_options_are_named(options: dict[str, object], message: str) -> None:
    with pytest.raises(OptionError, match=message):
        pool_bayes(E, **options)  # type: ignore[arg-type]


def test_wrong_questions_are_named() -> None:
    post = pool_bayes(E)
    with pytest.raises(OptionError, match="takes effects, not list"):
        pool_bayes([1.0])  # type: ignore[arg-type]
    with pytest.raises(OptionError, match=r"below=..., above="):
        post.probability()
    with pytest.raises(OptionError, match="not a value of a hazard ratio"):
        post.probability(below=-1)
    with pytest.raises(OptionError, match="central, hpd"):
        post.mu.interval(kind="eti")
    with pytest.raises(OptionError, match=r"0.975"):
        post.mu.quantile(97.5)
    with pytest.raises(OptionError, match="no value of 'no effect'"):
        compare_models(ml.effects([0.1, 0.2], [0.1, 0.1], measure="PLO"), mu=(0, 1))
