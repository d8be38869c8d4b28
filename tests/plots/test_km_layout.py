"""The Kaplan-Meier plot as data: steps, table, bands, points, words; and that it is drawn."""

from __future__ import annotations

import numpy as np
import pytest

import metaleptic as ml
from metaleptic.errors import DataError, OptionError
from metaleptic.plots.km_layout import km_layout
from metaleptic.plots.scene import Dot, Shape, Text

PATIENTS = ml.IPD(
    np.array([2.0, 4, 4, 6, 9, 3, 5, 8]), np.array([1, 1, 0, 1, 0, 1, 1, 1]), np.array(["A"] * 5 + ["B"] * 3)
)


def test_steps_and_table() -> None:
    """A: S falls to 4/5 at 2, 3/5 at 4, 3/10 at 6; the table counts at risk, censored and dead before each tick."""
    a, b = km_layout(PATIENTS, times=[0, 3, 6, 9]).arms
    corners = np.array(a.line)
    heights = np.interp([0.5 / 9, 3 / 9, 5 / 9, 7 / 9], corners[:, 0], 1 - corners[:, 1])
    assert heights == pytest.approx([1, 0.8, 0.6, 0.3])
    assert a.at_risk == (5, 4, 2, 1)
    assert a.censored == (0, 0, 1, 1)
    assert a.events == (0, 1, 2, 3)
    assert b.at_risk == (3, 3, 1, 0)
    assert [m[0] for m in a.marks] == pytest.approx([4 / 9, 1])
    for arm in (a, b):
        assert all(
            n == r + c + e
            for n, r, c, e in zip([arm.at_risk[0]] * 4, arm.at_risk, arm.censored, arm.events, strict=True)
        )


def test_band_matches_r() -> None:
    """R: survfit(Surv(c(2,4,4,6,9), c(1,1,0,1,0)) ~ 1, conf.type = "log-log") at time 4: 0.126 to 0.882."""
    band = np.array(km_layout(PATIENTS.of("A"), times=[0, 3, 6, 9]).arms[0].band)
    at = band[(band[:, 0] > 3.9 / 9) & (band[:, 0] < 4.1 / 9)]
    inside = sorted(1 - at[:, 1])
    assert inside[0] == pytest.approx(0.126, abs=2e-3)
    assert any(abs(x - 0.882) < 2e-3 for x in inside)


def test_words_and_options() -> None:
    """The plot in words; what cannot be drawn is refused."""
    assert (
        km_layout(PATIENTS).alt
        == "Kaplan-Meier plot. A: 5 patients, 3 events, median 6; B: 3 patients, 3 events, median 5."
    )
    assert not km_layout(PATIENTS, band=False).arms[0].band
    with pytest.raises(OptionError, match="takes patients"):
        ml.km_plot([1, 2, 3])  # type: ignore[arg-type]
    with pytest.raises(OptionError, match=r"0\.95"):
        km_layout(PATIENTS, level=95)
    with pytest.raises(DataError, match="no patients"):
        km_layout(ml.IPD(np.array([]), np.array([], dtype=int), np.array([], dtype=str)))


def test_reconstructions_show_their_points() -> None:
    """The clicked points lie over the curve as circles, and a note says what they are."""
    rec = ml.reconstruct(ml.Curve([0, 2, 5, 9], [1, 0.9, 0.8, 0.7], label="IT"), ml.Published(n=10, events=3))
    plot = ml.km_plot(rec, x_title="Months")
    dots = [m for m in plot.scene.marks if isinstance(m, Dot)]
    assert len(dots) == 4
    assert "reconstructed" in " ".join(plot.layout.footnotes)
    assert any(isinstance(m, Shape) and m.name == "band" for m in plot.scene.marks)
    assert {"At risk", "Months", "IT"} <= {m.text for m in plot.scene.marks if isinstance(m, Text)}
    assert plot.svg().startswith("<svg")
    assert plot.to_bytes("png").startswith(b"\x89PNG")
