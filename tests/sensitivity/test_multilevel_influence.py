"""Leaving out one effect, or one cluster, of a multilevel fit agrees with R and with fitting by hand."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats

import metaleptic as ml
from metaleptic.errors import DataError, OptionError

BERKEY: dict[str, Any] = json.loads(
    (Path(__file__).parents[1] / "golden" / "multilevel.json").read_text(encoding="utf-8")
)["berkey1998"]


def berkey(fit: dict[str, Any]) -> ml.Multilevel:
    """Fit as the R call did."""
    e = ml.effects(BERKEY["y"], BERKEY["v"], columns=BERKEY["columns"])
    v = np.zeros((10, 10))
    v[np.tril_indices(10)] = np.array(BERKEY["V"]["values"])[BERKEY["V"]["at"]]
    return ml.pool_multilevel(e, **(fit["arguments"] | {"V": v + np.tril(v, -1).T}))


def test_the_grid_is_complete() -> None:
    """Thirteen fits; R could refit 76 of their 130 subsets."""
    assert len(BERKEY["fits"]) == 13
    found = [x for f in BERKEY["fits"] for x in f["cooks"]]
    assert (len(found), sum(x is not None for x in found)) == (130, 76)


@pytest.mark.parametrize("fit", BERKEY["fits"], ids=[f["id"] for f in BERKEY["fits"]])
def test_deletion_agrees_with_r(fit: dict[str, Any]) -> None:
    """Cook's distances and deleted residuals of every subset that R could fit; ours are all there."""
    ours = ml.multilevel_influence(berkey(fit))
    assert np.isfinite(ours.cook).all()
    for values, theirs in (
        (ours.cook, fit["cooks"]),
        (ours.residual, fit.get("rstudent", {}).get("resid", [])),
        (ours.residual_se, fit.get("rstudent", {}).get("se", [])),
    ):
        for value, reference in zip(values, theirs, strict=False):
            if reference is not None:
                assert value == pytest.approx(reference, rel=2e-5, abs=1e-6)
    assert np.allclose(ours.rstudent, ours.residual / ours.residual_se)


def test_leaving_out_a_cluster_is_fitting_without_it() -> None:
    """Every study with all its effects in turn, against fits of the rest."""
    random = np.random.default_rng(2)
    columns = {"lab": [str(i // 3) for i in range(18)], "x": random.normal(size=18).tolist(), "i": list(range(18))}
    y = random.normal(size=18) + np.repeat(random.normal(size=6), 3)
    e = ml.effects(y, random.uniform(0.05, 0.3, 18), columns=columns)
    fit = ml.pool_multilevel(e, random="~ 1 | lab/i", moderators="~ x")
    found = ml.multilevel_influence(fit, cluster="lab")
    assert found.left_out == ("0", "1", "2", "3", "4", "5")
    for i in range(6):
        rest = ml.pool_multilevel(e.take([j for j in range(18) if j // 3 != i]), random="~ 1 | lab/i", moderators="~ x")
        assert np.allclose(found.beta[i], rest.beta, atol=1e-7)
        assert np.allclose(found.components[i], list(rest.sigma2.values()), atol=1e-7)
    assert found.left_out[int(np.argmax(found.cook))] in found.sentence
    assert list(found.to_frame()["left_out"]) == list(found.left_out)


def test_a_coefficient_that_rests_on_one_effect_is_said_to_be_lost() -> None:
    """NaN, not a number from a singular design."""
    e = ml.effects([0.1, 0.2, 0.4, 0.8], [0.1] * 4, columns={"g": ["a", "a", "a", "b"], "s": ["1", "2", "3", "4"]})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = ml.multilevel_influence(ml.pool_multilevel(e, random="~ 1 | s", moderators="~ g"))
    assert np.isnan(found.cook).tolist() == [False, False, False, True]


def test_what_is_no_multilevel_fit_is_refused() -> None:
    """With the name of what was given; clusters of another length too."""
    e = ml.effects([0.1, 0.2, 0.4], [0.1] * 3, columns={"s": ["1", "2", "3"]})
    with pytest.raises(OptionError, match="not Pooled"):
        ml.multilevel_influence(ml.pool(e))  # type: ignore[arg-type]
    with pytest.raises(DataError, match="cluster has 1 values for 3 effects"):
        ml.multilevel_influence(ml.pool_multilevel(e, random="~ 1 | s"), cluster=["a"])


def test_clusters_have_every_diagnostic_and_say_which_limit_they_cross() -> None:
    """By hand: Mahalanobis distance, DFFITS, covariance ratio, Q, sums of hat values and weights; rules in words."""
    random = np.random.default_rng(4)
    lab = [str(i // 3) for i in range(18)]
    y = random.normal(0, 0.2, 18) + np.repeat([0.0, 0.1, -0.1, 0.05, 0.0, 2.5], 3)
    e = ml.effects(y, random.uniform(0.01, 0.05, 18), columns={"lab": lab, "i": list(range(18))})
    fit = ml.pool_multilevel(e, random="~ 1 | lab/i")
    found = ml.multilevel_influence(fit, cluster="lab")
    keep = [j for j in range(18) if j // 3 != 5]
    rest = ml.pool_multilevel(e.take(keep), random="~ 1 | lab/i")
    outer, inner = rest.sigma2.values()
    cov = np.diag(e.v[15:] + inner) + outer + float(rest.se[0]) ** 2
    off = y[15:] - rest.beta[0]
    assert found.mahalanobis[5] == pytest.approx(off @ np.linalg.solve(cov, off), rel=1e-4)
    assert found.mahalanobis_p[5] == pytest.approx(stats.chi2.sf(found.mahalanobis[5], 3))
    assert found.dffits[5] == pytest.approx((fit.beta[0] - rest.beta[0]) / rest.se[0], rel=1e-4)
    assert found.covariance_ratio[5] == pytest.approx((rest.se[0] / fit.se[0]) ** 2, rel=1e-4)
    assert found.q[5] == pytest.approx(rest.q, rel=1e-9)
    assert found.weight.sum() == pytest.approx(100)
    assert found.hat.sum() == pytest.approx(1)
    assert found.flagged.tolist() == [False] * 5 + [True]
    assert "|DFFITS|" in found.because[5]
    assert f"Cook's distance {found.cook[5]:.2f} > 0.45" in found.sentence
    assert found.sentence.endswith("With 6 clusters this is a guess.")
    frame = found.to_frame()
    assert frame["influential"].tolist() == found.flagged.tolist()
    assert not frame.isna().any().any()
    single = ml.multilevel_influence(fit)
    assert single.mahalanobis == pytest.approx(single.rstudent**2, rel=1e-9)
    assert single.to_frame()["rstudent"].tolist() == single.rstudent.tolist()
