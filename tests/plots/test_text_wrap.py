"""Wrapped text loses nothing and fits."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from metaleptic.plots.wrap import rough_width, wrap


@given(st.text(alphabet="abc de-fgh(i)=", max_size=80), st.floats(12, 200))
def test_nothing_is_lost_and_lines_fit(text: str, limit: float) -> None:
    lines = wrap(text, limit, 8.5, False, rough_width)
    assert "".join(lines).replace(" ", "") == text.replace(" ", "")
    if "=" not in text:  # "P = 0.03" stays together if it can
        assert all(rough_width(line, 8.5) <= limit or len(line) == 1 for line in lines)


def test_line_breaks_of_the_caller_are_kept() -> None:
    assert wrap("Drug\nn", 500, 8.5, True, rough_width) == ["Drug", "n"]


def test_a_p_value_is_not_torn() -> None:
    assert wrap("df = 7, P = 0.03", 62, 8.5, False, rough_width) == ["df = 7,", "P = 0.03"]
