"""Means and SDs from medians, quartiles and extremes."""

import json
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

import metaleptic as ml
from metaleptic import conversions as cv
from metaleptic.conversions.quantile_fits import quantile_estimation
from metaleptic.conversions.quantile_formulas import expected_range
from metaleptic.errors import DataError, OptionError

GOLDEN = json.loads((Path(__file__).parent / "golden" / "quantiles.json").read_text(encoding="utf-8"))
COLUMNS = {k: np.array([np.nan if x is None else float(x) for x in v]) for k, v in GOLDEN["data"].items()}


def _found(method: str) -> tuple[np.ndarray, np.ndarray]:
    c = COLUMNS
    return cv.mean_sd_from_quantiles(
        c["median"], c["n"], low=c["min"], q1=c["q1"], q3=c["q3"], high=c["max"], method=method
    )


@pytest.mark.parametrize("case", GOLDEN["cases"], ids=lambda c: f"{c['method']}, {c['package']}")
def test_agrees_with_r(case: dict) -> None:
    """Mean and SD of every summary that R converts, to the digits that the method is defined to."""
    mean, sd = _found(case["method"])
    for i, (m, s) in enumerate(zip(case["mean"], case["sd"], strict=True)):
        if m is not None:
            assert mean[i] == pytest.approx(m, rel=case["rtol"]), i
        if s is not None:
            assert sd[i] == pytest.approx(s, rel=case["rtol"]), i


def test_every_method_with_closed_form_has_its_value() -> None:
    """The grid: what is not in it is named here, with its own test below."""
    assert set(cv.QUANTILE_METHODS) - {c["method"] for c in GOLDEN["cases"]} == {"unknown-non-normal", "bland"}


def test_skewness_test_agrees_with_metafor() -> None:
    """conv.fivenum leaves the mean of a summary empty where its test of skewness rejects: rows 3, 4 and 6."""
    c = COLUMNS
    skewed = cv.looks_skewed(c["median"], c["n"], low=c["min"], q1=c["q1"], q3=c["q3"], high=c["max"])
    assert skewed[:6].tolist() == [False, False, True, True, False, True]


def test_large_samples_give_back_their_mean_and_sd() -> None:
    """Exact quantiles of big log-normal and gamma samples: the methods for skewed data find mean and SD; normal ones do not."""
    n = 4001
    p = np.array([0.25, 0.5, 0.75])
    for law in (stats.lognorm(0.7, scale=8), stats.gamma(2.0, scale=5)):
        q = law.ppf(p)
        for method in ("quantile-estimation", "box-cox", "unknown-non-normal"):
            if method == "quantile-estimation" or law.dist.name == "lognorm":
                mean, sd = cv.mean_sd_from_quantiles(q[1], n, q1=q[0], q3=q[2], method=method)
                assert mean == pytest.approx(law.mean(), rel=0.01), method
                assert sd == pytest.approx(law.std(), rel=0.02), method
        assert cv.mean_sd_from_quantiles(q[1], n, q1=q[0], q3=q[2])[0] < 0.97 * law.mean()
    mean, sd = cv.mean_sd_from_quantiles(
        8, n, q1=stats.lognorm(0.7, scale=8).ppf(0.25), q3=stats.lognorm(0.7, scale=8).ppf(0.75), method="log-normal"
    )
    assert (mean, sd) == (
        pytest.approx(stats.lognorm(0.7, scale=8).mean(), rel=0.01),
        pytest.approx(stats.lognorm(0.7, scale=8).std(), rel=0.02),
    )


def test_quantile_estimation_finds_the_least_squares() -> None:
    """Where R's optimiser fails on the Weibull distribution ours finds a fit a hundred times closer."""
    fit = quantile_estimation(np.array([1, np.nan, 6, np.nan, 14.0]), 40)
    assert fit.name == "Weibull"
    assert fit.squares["Weibull"] < 0.02 < 0.4 < min(v for k, v in fit.squares.items() if k != "Weibull")
    within = quantile_estimation(np.array([np.nan, 0.2, 0.3, 0.45, np.nan]), 60)
    assert "beta" in within.squares
    assert within.name == "log-normal"
    x = np.linspace(1e-4, 20, 40001)
    assert np.trapezoid([within.density(t) for t in x], x) == pytest.approx(1, abs=1e-4)


def test_expected_range_of_normals() -> None:
    """Known values: 2/sqrt(pi) for two, 1.6926 for three, 3.0775 for ten."""
    assert expected_range(np.array([2.0, 3.0, 10.0])) == pytest.approx(
        [2 / np.sqrt(np.pi), 1.692568751, 3.077505462], rel=1e-8
    )


def test_blue_is_unbiased_for_normal_data() -> None:
    """Means over 4,000 samples of 17 patients: the mean within 4 standard errors of 10, the SD within 2% of 3."""
    x = np.sort(np.random.default_rng(4).normal(10, 3, (4000, 17)), axis=-1)
    five = {"low": x[:, 0], "q1": x[:, 4], "q3": x[:, 12], "high": x[:, 16]}
    for names in (("low", "high"), ("q1", "q3"), tuple(five)):
        mean, sd = cv.mean_sd_from_quantiles(x[:, 8], 17, **{k: five[k] for k in names}, method="blue")
        assert abs(mean.mean() - 10) < 4 * mean.std() / np.sqrt(4000), names
        assert sd.mean() == pytest.approx(3, rel=0.02), names
    assert np.isnan(cv.mean_sd_from_quantiles(6, 4, q1=4, q3=10, method="blue")).all()


def test_bland_is_the_mean_of_bounds() -> None:
    """Bland's mean weights the five by 1, 2, 2, 2, 1; without all five there is none."""
    mean, sd = cv.mean_sd_from_quantiles(6, 50, low=1, q1=4, q3=10, high=32, method="bland")
    assert mean == pytest.approx((1 + 8 + 12 + 20 + 32) / 8)
    assert sd > 0
    assert np.isnan(cv.mean_sd_from_quantiles(6, 50, q1=4, q3=10, method="bland")[0])


def test_slips_are_refused() -> None:
    """Quantiles out of order, logarithms of nothing, unknown methods."""
    with pytest.raises(DataError, match=r"summary 2: first quartile 9 > median 6\. Are the columns swapped"):
        cv.mean_sd_from_quantiles([6, 6], [50, 50], q1=[4, 9], q3=[10, 12])
    with pytest.raises(DataError, match="must be above 0"):
        cv.mean_sd_from_quantiles(6, 50, q1=0, q3=10, method="box-cox")
    with pytest.raises(OptionError, match="Choose one of: luo-wan-shi"):
        cv.mean_sd_from_quantiles(6, 50, q1=1, q3=10, method="luos")


ASAT = json.loads((Path(__file__).parent / "golden" / "asat.json").read_text(encoding="utf-8"))


def _arm(group: str) -> dict[str, np.ndarray]:
    return {
        key.split(".")[0]: np.array([np.nan if x is None else float(x) for x in column])
        for key, column in ASAT["data"].items()
        if key.endswith(f".{group}")
    }


@pytest.mark.parametrize(("method", "key"), [("wan", "wan"), ("luo-wan-shi", "luo")])
def test_differences_of_26_studies_agree_with_metamedian(method: str, key: str) -> None:
    """Means from medians and quartiles, or as printed, in two groups: study differences to 1e-12, pooled to R's tolerance."""
    y, v = np.zeros(26), np.zeros(26)
    for group, sign in (("g1", 1), ("g2", -1)):
        x = _arm(group)
        mean, sd = cv.mean_sd_from_quantiles(x["med"], x["n"], q1=x["q1"], q3=x["q3"], method=method)
        y += sign * np.where(np.isnan(mean), x["mean"], mean)
        v += np.where(np.isnan(sd), x["sd"], sd) ** 2 / x["n"]
    expected = ASAT[key]
    np.testing.assert_allclose(y, expected["yi"], rtol=1e-12)
    np.testing.assert_allclose(np.sqrt(v), expected["sei"], rtol=1e-12)
    fit = ml.pool(ml.effects(y, v), test="z")
    assert (fit.beta[0], fit.se[0], float(fit.tau2)) == pytest.approx(
        (expected["b"], expected["se"], expected["tau2"]), rel=1e-6
    )


def test_differences_of_medians_agree_with_metamedian() -> None:
    """Quantile estimation in two groups, pooled: within what R's bounded fits leave (0.3%)."""
    table: dict[str, list] = {"study": [str(i) for i in range(26)]}
    for group in "12":
        x = _arm(f"g{group}")
        table |= {f"median{group}": x["med"], f"q1_{group}": x["q1"], f"q3_{group}": x["q3"]}
        table |= {f"{key}{group}": x[key] for key in ("mean", "sd", "n")}
    fit = ml.pool(ml.medians(table, difference=True), test="z")
    assert (fit.beta[0], fit.se[0]) == pytest.approx((ASAT["qe"]["b"], ASAT["qe"]["se"]), rel=0.01)
