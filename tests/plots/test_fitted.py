"""Forest plots of fits with moderators."""

from __future__ import annotations

import numpy as np
import pytest

import metaleptic as ml

YEARS = {"year": [1990, 1994, 1999, 2003, 2010, 2012]}


def _effects() -> ml.Effects:
    y, v = [-0.9, -0.5, -0.7, -0.2, 0.1, -0.1], [0.1, 0.05, 0.2, 0.05, 0.04, 0.1]
    return ml.effects(y, v, measure="HR", study=list("ABCDEF"), columns=YEARS)


@pytest.mark.parametrize("kind", ["regression", "bayes", "multilevel"])
def test_each_study_stands_beside_what_the_moderators_predict(kind: str) -> None:
    """No pooled row; a column and a pale diamond of fitted effects, those of ``predict``, in the order of the rows."""
    e = _effects()
    fit = {
        "regression": lambda: ml.pool(e, moderators="~ year"),
        "bayes": lambda: ml.pool_bayes(e, moderators="~ year"),
        "multilevel": lambda: ml.pool_multilevel(e, random="~ 1 | study", moderators="~ year"),
    }[kind]()
    layout = ml.forest(fit, sort="-effect").layout
    assert [row.kind for row in layout.rows] == ["study"] * 6
    assert [row.label for row in layout.rows] == list("EFDBCA")
    fitted = [m.value for m in fit.predict(YEARS)] if kind == "bayes" else np.exp(ml.predict(fit).y)
    at = [c.name for c in layout.columns].index("fitted")
    for row, i in zip(layout.rows, (4, 5, 3, 1, 2, 0), strict=True):
        assert row.cells[at].startswith(f"{fitted[i]:.2f} (")
        assert row.fitted[1] == pytest.approx(layout.axis.position(fitted[i]))
    assert np.isnan(layout.pooled)
    word = "CrI" if kind == "bayes" else "CI"
    assert layout.columns[at].heading == f"Fitted\n(95% {word})"
    assert layout.footnotes[0].startswith("Residual heterogeneity: τ = ")
    assert ("CrI" in layout.footnotes[0]) == (kind == "bayes")
    assert any("Pale diamonds" in note for note in layout.footnotes)
    assert any("flat priors on the coefficients" in note for note in layout.footnotes) == (kind == "bayes")
