"""Files of digitisers in the shapes that they really have."""

from __future__ import annotations

from pathlib import Path

import pytest

import metaleptic as ml
from metaleptic.errors import DataError

A, B = [(0.0, 1.0), (3.0, 0.8)], [(0.0, 1.0), (2.5, 0.7)]


@pytest.mark.parametrize(
    ("text", "curves"),
    [
        ("A,,B,\nX,Y,X,Y\n0,1,0,1\n3,.8,2.5,.7\n", {"A": A, "B": B}),
        ("A,,B\nX,Y,X,Y\n0,1,0,1\n3,.8,2.5,.7\n", {"A": A, "B": B}),
        ("A;;B;\nX;Y;X;Y\n0;1;0;1\n3;0,8;2,5;0,7\n", {"A": A, "B": B}),
        ("A,,A,\nX,Y,X,Y\n0,1,0,1\n3,.8,2.5,.7\n", {"A": A, "A (2)": B}),
        ("x1;y1;x2;y2\n0;1;0;1\n3;0,8;2,5;0,7\n", {"curve 1": A, "curve 2": B}),
        ("IT time,IT OS,SOC time,SOC OS\n0,1,0,1\n3,.8,2.5,.7\n", {"IT": A, "SOC": B}),
        ("x,A,B\n0,1,1\n3,0.8,\n2.5,,0.7\n", {"A": A, "B": B}),
        ("time\tA\tB\n0\t1\t1\n3\t0,8\t\n2,5\t\t0,7\n", {"A": A, "B": B}),
        ("A\n0,1\n3,0.8\n\nB\n0,1\n2.5,0.7\n", {"A": A, "B": B}),
        ("0 1\n3 0.8\n\n0 1\n2.5 0.7\n", {"curve 1": A, "curve 2": B}),
        ("treatment,months,OS\nA,0,1\nA,3,.8\nB,0,1\nB,2.5,.7\n", {"A": A, "B": B}),
        ('"0","1"\n"3,0","0,8"\n', {"file": A}),
        ("time;survival\n0;100 %\n3;80 %\n", {"file": [(0.0, 100.0), (3.0, 80.0)]}),
        ('{"A": [[0, 1], [3, 0.8]], "B": [[0, 1], [2.5, 0.7]]}', {"A": A, "B": B}),
        ("[[0, 1], [3, 0.8]]", {"file": A}),
        (
            '{"wpd": {"dataSeries": [{"name": "A", "data": [{"value": [0, 1]}, {"value": [3, 0.8]}]}]}}',
            {"A": A},
        ),
        ("Pr\u00e4parat,\nX,Y\n0,1\n3,.8\n", {"Pr\u00e4parat": A}),
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1252", "utf-16"])
def test_no_point_is_lost_and_no_curves_are_mixed(
    tmp_path: Path, text: str, curves: dict[str, list[tuple[float, float]]], encoding: str
) -> None:
    """Curves beside or below each other, shared times, decimal commas, percent signs, four encodings."""
    (tmp_path / "file.csv").write_bytes(text.encode(encoding))
    read = ml.read_clicks(tmp_path / "file.csv")
    assert {k: list(zip(c.time.tolist(), c.survival.tolist(), strict=True)) for k, c in read.items()} == curves


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "there are no points"),
        ("1\n2\n", "line 1: only one number"),
        ("A,,B,\nX,Y,X,Y\n0,1,0,1\n3,.8,2,\n", "line 4: a point of 'B' has no height"),
        ('{"datasetColl":[{"name":"A","data":[{"x":1,"y":2}]}]}', "Calibrate the axes"),
        ('{"datasetColl":[{"name":"A","data":[{"value":["a","b"]}]}]}', "data set 'A' has a point at"),
        ('{"datasetColl":[3]}', "no list of data sets. Files that are read: WebPlotDigitizer's project"),
        ('{"version": 4}', r"no points in a form that is known.*DigitizeIt's CSV or text.*\{\"arm\": \[\[0, 1\]"),
        ('{"A": {"time": [0, 1]}}', "no points in a form that is known"),
        ("[0, 1]", "no points in a form that is known"),
        ('{"A": [[0, 1], [2]]}', r"'A' has a point \[2\]; a time and a height are needed"),
        ('{"A": [[0, "high"]]}', "'A' has a point"),
        ('{"A": [[0, true]]}', "'A' has a point"),
        ('{"A": []}', "there are no points"),
        ('{"datasetColl": [', "not a readable JSON file"),
    ],
)
def test_what_cannot_be_read_is_said(tmp_path: Path, text: str, words: str) -> None:
    """By file, line and what to do."""
    (tmp_path / "file.csv").write_text(text, encoding="utf-8")
    with pytest.raises(DataError, match=words):
        ml.read_clicks(tmp_path / "file.csv")
    with pytest.raises(DataError, match="there is no such file"):
        ml.read_clicks(tmp_path / "other.csv")
