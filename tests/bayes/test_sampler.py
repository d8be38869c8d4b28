"""Who draws: nutpie where it is installed, PyMC elsewhere; and what Ctrl-C leaves behind: nothing."""

import importlib.util
from importlib import metadata

import numpy as np
import pymc
import pytest

import metaleptic as ml
from metaleptic.bayes import sampler

RATIOS = ml.effects([-0.34, -0.05, -0.48, -0.22], [0.03, 0.01, 0.05, 0.01], measure="HR")
INSTALLED = importlib.util.find_spec("nutpie") is not None


def pretend(monkeypatch, nutpie):
    """Have nutpie installed, or not."""
    find, version = importlib.util.find_spec, metadata.version
    monkeypatch.setattr(
        importlib.util,
        "find_spec",
        lambda name, *a: (object() if nutpie else None) if name == "nutpie" else find(name, *a),
    )
    monkeypatch.setattr(metadata, "version", lambda name: "0.16" if name == "nutpie" else version(name))


@pytest.mark.parametrize("nutpie", [True, False])
def test_nutpie_draws_where_it_is_installed(monkeypatch, nutpie):
    asked = {}

    def sample(**options):
        asked.update(options)
        x = np.random.default_rng(1).standard_normal((2, 100))
        tau, theta = np.abs(x), np.repeat(x[..., None], 4, axis=2)
        return sampler.to_arviz({"mu": x, "tau": tau, "theta": theta}, x > 9, x, {}, {})

    pretend(monkeypatch, nutpie)
    monkeypatch.setattr(pymc, "sample", sample)
    fit = ml.pool_bayes(RATIOS, mu=(0, 1), method="nuts", draws=100, chains=2, seed=5)
    assert asked.get("nuts_sampler") == ("nutpie" if nutpie else None)
    assert (asked["draws"], asked["chains"], asked["random_seed"]) == (100, 2, 5)
    assert fit.diagnostics.sampler.startswith("nutpie 0.16" if nutpie else "PyMC")
    assert ("nutpie" in dict(fit.provenance.versions)) is nutpie


def test_ctrl_c_during_warm_up_is_no_value_error(monkeypatch):
    def interrupted(**options):
        raise ValueError("Not enough samples to build a trace.")

    monkeypatch.setattr(pymc, "sample", interrupted)
    with pytest.raises(KeyboardInterrupt, match="nothing is kept"):
        ml.pool_bayes(RATIOS, mu=(0, 1), method="nuts", draws=100, chains=2)


def test_other_errors_of_the_sampler_stay_what_they_are(monkeypatch):
    def broken(**options):
        raise ValueError("something else")

    monkeypatch.setattr(pymc, "sample", broken)
    with pytest.raises(ValueError, match="something else"):
        ml.pool_bayes(RATIOS, mu=(0, 1), method="nuts", draws=100, chains=2)


@pytest.mark.long
@pytest.mark.parametrize("nutpie", [True, False])
def test_either_sampler_agrees_with_the_exact_posterior(monkeypatch, nutpie):
    if nutpie and not INSTALLED:
        pytest.skip("nutpie is not installed")
    if not nutpie:
        pretend(monkeypatch, nutpie)
    fit = ml.pool_bayes(RATIOS, mu=(0, 1), method="nuts", draws=2000, chains=4, seed=5)
    exact = ml.pool_bayes(RATIOS, mu=(0, 1))
    assert fit.diagnostics.sampler.startswith("nutpie" if nutpie else "PyMC")
    assert fit.diagnostics.problems == ()
    assert abs(fit.mu.mean - exact.mu.mean) < 4 * fit.diagnostics.mcse[fit.diagnostics.names.index("mu")]
    assert abs(fit.tau.mean - exact.tau.mean) < 4 * fit.diagnostics.mcse[fit.diagnostics.names.index("tau")]
