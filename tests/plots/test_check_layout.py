"""The plot of a predictive check: laid out as data, drawn in words and files."""

import numpy as np
import pytest

import metaleptic as ml
from metaleptic.plots.check_layout import check_layout

FAR = ml.effects([0.0, 0.05, -0.03, 0.02, 1.5], [0.01] * 5, measure="HR")
SMALL = ml.proportions({"study": list("abc"), "events": [0, 3, 2], "n": [5, 30, 14]}, label="Response rate")


@pytest.fixture(scope="module")
def check():
    return ml.predictive_check(ml.pool_bayes(FAR, tau=ml.priors.half_normal(0.05)))


def test_bars_lie_inside_each_other_and_the_odd_study_outside(check):
    rows = check_layout(check).rows
    assert [r.odd for r in rows] == [False, False, False, False, True]
    for r in rows:
        assert 0 <= r.most[0] < r.half[0] < r.half[1] < r.most[1] <= 1
    assert rows[4].seen > rows[4].most[1]
    assert rows[0].most[0] < rows[0].seen < rows[0].most[1]


def test_places_are_those_of_the_printed_scale(check):
    layout = check_layout(check)
    high = np.exp(np.quantile(check.replicated[:, 1], 0.975))
    assert layout.rows[1].most[1] == pytest.approx(layout.axis.position(float(high)))
    assert layout.axis.kind == "log"


def test_proportions_are_shown_as_seen():
    check = ml.predictive_check(ml.pool_bayes(SMALL, model="binomial-normal", mu=(-1, 1)))
    layout = check_layout(check)
    assert layout.rows[0].seen == pytest.approx(layout.axis.position(0.0))
    assert layout.rows[1].seen == pytest.approx(layout.axis.position(0.1))
    assert layout.axis.title == "Response rate, %"


def test_the_plot_in_words_and_files(check, tmp_path):
    plot = ml.plot_check(check, path=tmp_path / "check.svg")
    assert repr(plot) == "Posterior predictive check of 5 studies. Outside the central 95%: Study 5."
    assert (tmp_path / "check.svg").read_text().startswith("<svg") or "<svg" in (tmp_path / "check.svg").read_text()
    assert plot.to_bytes("png")[:4] == b"\x89PNG"
    with pytest.raises(ml.errors.OptionError, match="takes a result"):
        ml.plot_check(FAR)
    with pytest.raises(ml.errors.OptionError, match="inches"):
        ml.plot_check(check, width=0.2)
