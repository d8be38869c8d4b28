"""Diagnostics of chains: against ArviZ, and on chains that are known to be good or bad."""

import warnings

import numpy as np
import pytest
from scipy import signal

from metaleptic.bayes import diagnostics


def autoregressive(rho, seed, chains=4, draws=1000):
    noise = np.random.default_rng(seed).standard_normal((chains, draws + 200))
    return signal.lfilter([np.sqrt(1 - rho**2)], [1, -rho], noise, axis=1)[:, 200:]


@pytest.mark.parametrize("rho", [0.0, 0.5, 0.9, -0.5])
def test_the_same_as_arviz(rho):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import arviz as az
    x = np.exp(autoregressive(rho, 4))
    data = az.convert_to_dataset({"x": x})

    def value(function, **options):
        return float(function(data, **options)["x"].values)

    assert diagnostics.rhat(x) == pytest.approx(value(az.rhat), abs=1e-6)
    assert diagnostics.ess_bulk(x) == pytest.approx(value(az.ess, method="bulk"), rel=0.08)
    assert diagnostics.ess_tail(x) == pytest.approx(value(az.ess, method="tail", prob=(0.05, 0.95)), rel=0.08)
    assert diagnostics.mcse_mean(x) == pytest.approx(value(az.mcse, method="mean"), rel=0.04)


def test_standard_errors_of_independent_normal_draws():
    x = autoregressive(0.0, 6, draws=5000)
    assert diagnostics.mcse_mean(x) == pytest.approx(1 / np.sqrt(x.size), rel=0.1)
    assert diagnostics.mcse_sd(x) == pytest.approx(1 / np.sqrt(2 * x.size), rel=0.1)
    assert diagnostics.mcse_quantile(x, 0.5) == pytest.approx(np.sqrt(np.pi / 2 / x.size), rel=0.1)


def test_effective_size_of_an_autoregression():
    x = autoregressive(0.8, 1, draws=20_000)
    assert diagnostics.ess(x) == pytest.approx(x.size * 0.2 / 1.8, rel=0.1)


def test_independent_draws_pass():
    x = autoregressive(0.0, 2)
    report = diagnostics.diagnose({"mu": x}, np.zeros(x.shape), x**2, "test")
    assert report.problems == ()
    assert "no problem seen" in repr(report)


def test_each_failure_is_named():
    good = autoregressive(0.0, 3)
    apart = good + np.array([[0], [0], [0], [0.4]])
    slow = autoregressive(0.995, 5)
    energy = np.cumsum(0.05 * good, axis=1)
    report = diagnostics.diagnose({"mu": good, "tau": np.stack([apart, slow], -1)}, good > 3.0, energy, "test")
    text = "; ".join(report.problems)
    for part in ("divergent transitions", "R-hat", "bulk ESS", "tail ESS", "E-BFMI"):
        assert part in text
    assert report.names == ("mu", "tau[0]", "tau[1]")


def test_a_constant_chain_is_not_trusted():
    x = np.ones((4, 500))
    assert diagnostics.diagnose({"x": x}, 0 * x, autoregressive(0.0, 1, draws=500), "test").problems
