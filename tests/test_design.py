"""Designs: formulas, columns and matrices; what cannot be estimated is refused by name."""

from __future__ import annotations

import numpy as np
import pytest

import metaleptic as ml
from metaleptic.errors import DataError, OptionError, SuspiciousDataWarning

E = ml.effects(
    [0.1, 0.3, -0.2, 0.5, 0.0, 0.2],
    [0.04, 0.05, 0.1, 0.02, 0.03, 0.05],
    columns={
        "g": list("aabbcc"),
        "x": [1, 2, 3, 4, 5, 6],
        "one": ["same"] * 6,
        "lone": list("aaabbc"),
        "gap": [1, None, 3, 4, 5, 6],
    },
)


@pytest.mark.parametrize(
    ("formula", "error", "message"),
    [
        ("~ one", DataError, "'one' is 'same' in all studies"),
        ("~ gap", DataError, r"study 'Study 2' \(row 2\): moderator 'gap' is missing"),
        ("~ x + I(2 * x)", DataError, r"'I\(2 \* x\)' follows exactly from 'x'"),
        ("~ dose", DataError, "no column 'dose'.*There are: g, x"),
        ("~ g * x + I(x**2)", DataError, "6 studies for 7 coefficients"),
        ("~ x + +", OptionError, "cannot be read"),
        ("~ 0", OptionError, "no terms"),
    ],
)
def test_what_cannot_be_estimated_is_refused(formula: str, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        ml.pool(E, moderators=formula)


def test_a_level_with_one_study_is_pointed_out() -> None:
    with pytest.warns(SuspiciousDataWarning, match=r"only one study \(Study 6\) has lone = c"):
        ml.pool(E, moderators="~ lone")


def test_formula_columns_and_matrix_are_one() -> None:
    a = ml.pool(E, moderators="~ x")
    b = ml.pool(E, moderators={"x": [1, 2, 3, 4, 5, 6]})
    c = ml.pool(E, moderators=np.column_stack([np.ones(6), np.arange(1, 7)]))
    assert np.allclose(a.beta, b.beta)
    assert np.allclose(a.beta, c.beta)
    assert a.names == b.names == ("intercept", "x")


def test_a_shift_of_a_moderator_changes_the_intercept_alone() -> None:
    shifted = ml.pool(E, moderators={"x": [1e4 + i for i in range(1, 7)]})
    plain = ml.pool(E, moderators="~ x")
    assert shifted.beta[1] == pytest.approx(plain.beta[1], rel=1e-8)
    assert shifted.tau2 == pytest.approx(plain.tau2, abs=1e-9)


def test_new_values_are_checked() -> None:
    fit = ml.pool(E, moderators="~ g + x")
    assert len(ml.predict(fit, {"g": ["a", "c"], "x": [1, 2]}).y) == 2
    with pytest.raises(DataError, match="no level 'z'"):
        ml.predict(fit, {"g": ["z"], "x": [1]})
    with pytest.raises(DataError, match="no column 'x'"):
        ml.predict(fit, {"g": ["a"]})
    with pytest.raises(DataError, match="'x' is missing in row 1"):
        ml.predict(fit, {"g": ["a"], "x": [None]})
