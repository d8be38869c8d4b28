"""Single points that no falling curve can hold: set aside by name if few, refused by name if more; and words of corrections."""

from __future__ import annotations

import warnings
from collections.abc import Sequence

import numpy as np
import pytest

import metaleptic as ml
from metaleptic.errors import DataError, SuspiciousDataWarning

TIME = np.linspace(0, 20, 21) + np.tile([0, 0.3, 0.1], 7)
TRUE = np.exp(-TIME / 12)
PRINTED = ml.Published(n=60)


def _with(wrong: dict[int, float]) -> np.ndarray:
    heights = TRUE.copy()
    for i, height in wrong.items():
        heights[i] = height
    return heights


def _patients(time: np.ndarray, survival: np.ndarray) -> ml.Reconstruction:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SuspiciousDataWarning)
        return ml.reconstruct(ml.Curve(time, survival), PRINTED)


@pytest.mark.parametrize(
    ("wrong", "texts"),
    [
        ({10: 0.9}, ["point 11 (10.3, 0.9) lies far above its neighbours and was set aside"]),
        ({3: 0.1}, ["point 4 (3, 0.1) lies far below its neighbours and was set aside"]),
        (
            {3: 0.1, 10: 0.9},
            [
                "point 4 (3, 0.1) lies far below its neighbours and was set aside",
                "point 11 (10.3, 0.9) lies far above its neighbours and was set aside",
            ],
        ),
    ],
)
def test_one_or_two_strays_are_set_aside_by_name(wrong: dict[int, float], texts: Sequence[str]) -> None:
    """The patients are those of the curve without them, the circles still show them, and a warning names each."""
    with pytest.warns(SuspiciousDataWarning, match=r"point \d+ .* was set aside") as seen:
        rec = ml.reconstruct(ml.Curve(TIME, _with(wrong)), PRINTED)
    assert len(seen) == len(texts)
    assert list(rec.corrections) == texts
    others = np.setdiff1d(np.arange(21), list(wrong))
    assert rec.ipd.time.tolist() == _patients(TIME[others], TRUE[others]).ipd.time.tolist()
    assert rec.points[""].survival.tolist() == _with(wrong).tolist()


def test_strays_are_named_as_they_were_typed() -> None:
    """By their place in the list, in percent, or as cumulative incidence, in which above is what the user sees as above."""
    percent = _patients(TIME, 100 * _with({3: 0.1}))
    assert percent.corrections[-1].startswith("point 4 (3, 10) lies far below")
    incidence = _patients(TIME, 1 - _with({3: 0.1}))
    assert incidence.corrections[-1].startswith("point 4 (3, 0.9) lies far above")
    late = _patients(np.append(TIME, 11.0), np.append(TRUE, 0.95))
    assert late.corrections == (
        "1 point of 22 was out of order and sorted by time",
        "point 22 (11, 0.95) lies far above its neighbours and was set aside",
    )


@pytest.mark.parametrize(
    ("time", "survival", "words"),
    [
        (
            TIME,
            _with({3: 0.1, 8: 0.95, 10: 0.9}),
            r"3 of 21 points lie.*point 4 \(3, 0\.1\), point 9 \(8\.1, 0\.95\), point 11 \(10\.3, 0\.9\)\. Correct or remove them",
        ),
        (
            [0, 2, 4, 5, 8, 11, 13],
            [1, 0.9, 0.1, 0.7, 0.6, 0.5, 0.4],
            r"1 of 7 points lies.*point 3 \(4, 0\.1\).*remove it",
        ),
        (TIME, _with({10: 80.0}), r"point 11 \(10\.3, 80\): above 1, while the others are proportions"),
        (np.tile(TIME, 2), np.append(TRUE, TRUE**4), r"of two curves mixed\? The worst: point \d+ .* and \d+ more"),
    ],
)
def test_more_are_refused_by_name(time: np.ndarray, survival: np.ndarray, words: str) -> None:
    """Three strays, one among few points, a percentage among proportions, two curves in one list."""
    with pytest.raises(DataError, match=words):
        ml.reconstruct(ml.Curve(time, survival), PRINTED)


def test_noise_of_reading_is_no_stray() -> None:
    """Clicks that err by 2% of both axes lose no point."""
    rng = np.random.default_rng(4)
    for _ in range(50):
        drops = np.sort(rng.uniform(0, 20, 25))
        time = np.abs(np.append(0, drops) + rng.normal(0, 0.1, 26))
        heights = np.clip(1 - np.arange(26) / 30 + rng.normal(0, 0.02, 26), 0, 1)
        assert not any("set aside" in text for text in _patients(time, heights).corrections)


def test_corrections_are_counted_and_measured() -> None:
    """How many points were moved, and how far the one that was moved most."""
    rec = _patients(np.array([0, 2, 4, 6, 8, 11, 7, -0.1]), np.array([1, 0.9, 0.8, 0.76, 0.72, 0.5, 0.7, 1.01]))
    assert rec.corrections == (
        "1 point left of time 0 was moved to 0",
        "2 points of 8 were out of order and sorted by time",
        "1 of 8 heights rises above the one before, by up to 0.02; times and heights were sorted, which moves 2 of them "
        "(most at time 7: 0.7 became 0.72) and brings both nearer to any falling curve",
        "1 height outside 0 to 1 (by up to 0.01) was clipped",
    )
    assert "4 corrections of the points" in repr(rec)
    assert rec.points[""].time.tolist() == [0, 2, 4, 6, 8, 11, 7, -0.1]
    assert "1 correction of the points" in repr(_patients(TIME[1:], TRUE[1:]))
