"""Prior and posterior as data: heights are densities, shaded ends are the interval, words say the numbers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import metaleptic as ml
from metaleptic.bayes.result import PooledBayes
from metaleptic.errors import OptionError
from metaleptic.plots.density_layout import prior_posterior_layout, priors_layout
from metaleptic.plots.extra_columns import extra_columns
from metaleptic.plots.forest_layout import forest_layout


def posterior(**options: object) -> PooledBayes:
    e = ml.effects([-0.34, -0.05, -0.48, -0.22], [0.03, 0.01, 0.05, 0.01], study=["A", "B", "C", "D"], measure="HR")
    return ml.pool_bayes(e, **options)  # type: ignore[call-overload,no-any-return]


@pytest.mark.parametrize("what", ["tau", "mu"])
def test_heights_are_densities_on_one_scale(what: str) -> None:
    """The ratio of any two heights, of prior or posterior, is that of the densities there."""
    post = posterior(mu=(0, 0.5))
    layout = prior_posterior_layout(post, what=what)
    before, after = layout.curves
    marginal = post.tau if what == "tau" else post.mu
    prior = post.prior.pdf if what == "tau" else post.mu_prior.pdf  # type: ignore[union-attr]
    a, b = float(layout.axis.scale(layout.axis.low)), float(layout.axis.scale(layout.axis.high))
    for curve, density in ((before, prior), (after, marginal.pdf)):
        at = [p for p in curve.points if 0.02 < p[1] < 1][::40]
        heights = np.array([p[1] for p in at])
        exact = np.array([float(density(a + p[0] * (b - a))) for p in at])
        scale = heights / exact
        assert scale == pytest.approx(np.full(len(scale), scale[0]), rel=1e-8)
        assert heights.max() <= 1
    assert before.dashed
    assert not after.dashed
    low, high = after.between
    assert (low, high) == pytest.approx((layout.axis.position(marginal.low), layout.axis.position(marginal.high)))
    assert "prior: " in before.label


def test_improper_priors_show_their_shape_alone() -> None:
    layout = prior_posterior_layout(posterior(tau=ml.priors.jeffreys()))
    assert layout.footnotes[-1] == "The prior is improper: only its shape is shown."
    flat = prior_posterior_layout(posterior(), what="mu").curves[0]
    assert flat.label == "prior: flat"
    assert len({round(p[1], 9) for p in flat.points}) == 1


def test_several_priors_share_one_axis_and_have_colours_of_their_own() -> None:
    named = {"weak": ml.priors.half_normal(0.5), "heavy": ml.priors.half_cauchy(0.5), "none": ml.priors.uniform()}
    layout = priors_layout(named)
    assert [c.label for c in layout.curves] == ["weak", "heavy", "none"]
    assert [c.dashed for c in layout.curves] == [False, False, True]
    assert len({c.colour for c in layout.curves}) == 3
    assert layout.axis.low == 0
    at = {c.label: max(p[1] for p in c.points) for c in layout.curves}
    assert at["weak"] / at["heavy"] == pytest.approx(np.sqrt(2 / np.pi) / (2 / np.pi), rel=1e-6)
    assert priors_layout(named["weak"], upper=3).axis.high == 3
    twice = priors_layout([named["weak"], named["weak"]])
    assert [c.label for c in twice.curves] == ["half-normal(0.5)", "half-normal(0.5) (2)"]
    assert "weak: median 0.34" in layout.alt


def test_plots_are_files_and_wrong_wishes_are_named(tmp_path: Path) -> None:
    post = posterior()
    plot = ml.prior_posterior(post, path=tmp_path / "a.svg")
    assert (tmp_path / "a.svg").read_text(encoding="utf-8").startswith("<?xml")
    assert repr(plot) == plot.alt
    assert ml.plot_priors(post.prior, title="Prior", width=3).to_bytes("png")[:4] == b"\x89PNG"
    with pytest.raises(OptionError, match="tau, mu"):
        ml.prior_posterior(post, "theta")
    with pytest.raises(OptionError, match=r"takes a result of ml\.pool_bayes"):
        ml.prior_posterior(ml.pool(post.effects))  # type: ignore[arg-type]
    with pytest.raises(OptionError, match="no priors to draw"):
        ml.plot_priors([])
    with pytest.raises(OptionError, match="takes priors, not float"):
        ml.plot_priors([0.5])
    with pytest.raises(OptionError, match="in inches"):
        ml.plot_priors(post.prior, width=0.1)


def test_a_forest_plot_shows_shrunken_effects() -> None:
    """By default for a Bayesian result; left out, renamed or placed by its name."""
    post = posterior()
    layout = forest_layout(post)
    assert [c.heading for c in layout.columns] == ["Shrunken\n(95% CrI)"]
    t = post.theta[0]
    assert layout.rows[0].cells == (f"{t.value:.2f} ({t.low:.2f} to {t.high:.2f})",)
    assert layout.rows[-2].cells == ("",)
    assert forest_layout(post, columns=[]).columns == ()
    assert [c.heading for c in forest_layout(post, columns={"shrunken": "Pulled in"}).columns] == ["Pulled in"]
    with pytest.raises(OptionError, match="no column 'shrunken'"):
        extra_columns(post.effects, ["shrunken"])
    assert forest_layout(ml.pool(post.effects)).columns == ()
