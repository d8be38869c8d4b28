"""What a reconstruction says about itself: distances, agreement, contradictions, the model that stood in, files."""

from __future__ import annotations

import json
from pathlib import Path
from types import MappingProxyType

import numpy as np
import pytest

import metaleptic as ml
from metaleptic.errors import DataError, NotEstimableError, OptionError
from metaleptic.reconstruction.steps import steps

CURVE = ml.Curve([0, 2, 5, 9, 12], [1, 0.9, 0.8, 0.8 * 5 / 6, 0.8 * 5 / 6], kind="drops")


def test_every_printed_number_stands_beside_its_value() -> None:
    """The table holds printed and reconstructed numbers and whether they agree."""
    printed = ml.Published(n=10, events=3, at_risk={6: 7}, rates={5: 0.8, 9: "0.67"}, last_time=12)
    fidelity = ml.reconstruct(CURVE, printed).fidelity
    assert fidelity.agrees
    assert fidelity.max_distance < 1e-6
    assert [n.number for n in fidelity.numbers] == [
        "n",
        "events",
        "at risk at 6",
        "rate at 5",
        "rate at 9",
        "last time",
    ]
    frame = fidelity.to_frame()
    assert frame["agrees"].all()


def test_more_at_risk_than_the_curve_leaves_alive_is_refused() -> None:
    """A table that belongs to another arm is not fitted."""
    curve = ml.Curve([0, 2, 4, 8], [1, 0.6, 0.3, 0.2])
    with pytest.raises(DataError, match=r"at_risk 80 at time 5, but the curve is at 0\.\d+ there"):
        ml.reconstruct(curve, ml.Published(n=100, at_risk={5: 80}))


def test_interval_of_the_median_matches_r() -> None:
    """R prints for survfit(Surv(futime, fustat) ~ 1, ovarian): n 26, events 12, median 638, 0.95LCL 464, 0.95UCL NA."""
    futime = [59, 115, 156, 421, 431, 448, 464, 475, 477, 563, 638, 744, 769]
    futime += [770, 803, 855, 1040, 1106, 1129, 1206, 1227, 268, 329, 353, 365, 377]
    fustat = [1, 1, 1, 0, 1, 0, 1, 1, 0, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 0]
    t, e = np.array(futime, dtype=float), np.array(fustat) == 1
    found = steps(t[e], t[~e])
    assert found.median() == 638
    assert found.median_interval(1.959964)[0] == 464
    assert found.median_interval(1.959964)[1] == np.inf


def test_no_curve_is_flagged_and_meets_what_is_printed() -> None:
    """A model through median and rates stands in; the result says so and keeps the counts."""
    printed = ml.Published(n=60, events=45, median=8.3, rates={12: 0.35, 24: 0.12})
    for model in ("weibull", "log-normal", "piecewise"):
        rec = ml.reconstruct(None, printed, model=model)
        assert rec.model == model
        assert "no curve was given" in rec.corrections[0]
        assert "not reconstructed" in repr(rec)
        assert rec.ipd.event.sum() == 45
        found = steps(rec.ipd.time[rec.ipd.event == 1], rec.ipd.time[rec.ipd.event == 0])
        assert abs(float(found.at(12.0)) - 0.35) < 0.04
    with pytest.raises(NotEstimableError, match="a median or a rate"):
        ml.reconstruct(None, ml.Published(n=60))
    with pytest.raises(OptionError, match="Known: weibull"):
        ml.reconstruct(None, printed, model="gompertz")


def test_saved_and_loaded_it_is_the_same(tmp_path: Path) -> None:
    """JSON holds patients, draws, fidelity and the fingerprint of the file."""
    (tmp_path / "fig.csv").write_text("0,100\n2,90\n5,80\n9,66.7\n", encoding="utf-8")
    curve = ml.read_clicks(tmp_path / "fig.csv")["fig"]
    rec = ml.reconstruct(curve, ml.Published(n=10, events=3), draws=2, seed=1)
    rec.save(tmp_path / "rec.json")
    back = ml.Reconstruction.load(tmp_path / "rec.json")
    assert np.array_equal(back.ipd.time, rec.ipd.time)
    assert np.array_equal(back.draws[1].time, rec.draws[1].time)
    assert repr(back) == repr(rec)
    assert repr(back.fidelity) == repr(rec.fidelity)
    assert "sha256:" in json.loads((tmp_path / "rec.json").read_text(encoding="utf-8"))["sources"]["fig"]
    (tmp_path / "other.json").write_text("{}", encoding="utf-8")
    with pytest.raises(DataError, match="not a saved reconstruction"):
        ml.Reconstruction.load(tmp_path / "other.json")


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("0, 1\n3, 0.8\n", ["file"]),
        ("x,y\n0,1\n3,0.8\n", ["file"]),
        ("A,,B,\nX,Y,X,Y\n0,1,0,1\n3,0.8,2,0.7\n,,5,0.4\n", ["A", "B"]),
        ("arm,time,surv\nA,0,1\nA,3,0.8\nB,0,1\nB,2,0.7\n", ["A", "B"]),
        ("0;1\n3,5;0,8\n", ["file"]),
        ("# DigitizeIt\n0\t1\n3\t0.8\n", ["file"]),
        (
            '{"version":[4,2],"datasetColl":[{"name":"A","data":[{"x":1,"y":2,"value":[0,1]},{"value":[3,0.8]}]}]}',
            ["A"],
        ),
        ('{"wpd":{"version":[3,8],"dataSeries":[{"name":"A","data":[{"value":[0,1]},{"value":[3,0.8]}]}]}}', ["A"]),
    ],
)
def test_files_of_digitisers_are_read(tmp_path: Path, text: str, names: list[str]) -> None:
    """WebPlotDigitizer and DigitizeIt, commas and semicolons, one curve or several."""
    (tmp_path / "file.csv").write_text(text, encoding="utf-8")
    curves = ml.read_clicks(tmp_path / "file.csv")
    assert list(curves) == names
    first = curves[names[0]]
    assert first.survival[:2].tolist() == [1, 0.8]


def test_files_without_points_are_refused(tmp_path: Path) -> None:
    """The message names the file and the line."""
    (tmp_path / "empty.csv").write_text("x,y\n", encoding="utf-8")
    with pytest.raises(DataError, match=r"empty\.csv: there are no points"):
        ml.read_clicks(tmp_path / "empty.csv")
    (tmp_path / "bad.csv").write_text("0,1\n3,o.8\n", encoding="utf-8")
    with pytest.raises(DataError, match=r"bad\.csv, line 2: 'o\.8' is not a number"):
        ml.read_clicks(tmp_path / "bad.csv")


def test_points_are_those_that_were_read(tmp_path: Path) -> None:
    """As proportions, unsorted, the same after a file; arms of a model have none, and nothing can be changed."""
    rec = ml.reconstruct(
        {"A": ml.Curve([0, 2, 5, 7, 9], [100, 90, 94, 80, 70], source="fig.csv"), "B": None},
        {"A": ml.Published(n=20), "B": ml.Published(n=20, median=8)},
    )
    rec.save(tmp_path / "rec.json")
    for one in (rec, ml.Reconstruction.load(tmp_path / "rec.json")):
        assert list(one.points) == ["A"]
        assert one.points["A"].survival.tolist() == [1, 0.9, 0.94, 0.8, 0.7]
        assert one.sources == {"A": "fig.csv", "B": "model weibull"}
        assert isinstance(one.points, MappingProxyType)
        assert isinstance(one.sources, MappingProxyType)
