"""TOML files of what a paper prints: read in full, and every slip named by file, arm and key."""

from __future__ import annotations

from pathlib import Path

import pytest

from metaleptic.errors import DataError
from metaleptic.reconstruction.printed_file import read_patient_text, read_published


def test_everything_of_an_arm_is_read(tmp_path: Path) -> None:
    """All arguments of Published and Contrast, times as keys."""
    (tmp_path / "fig.toml").write_text(
        '[arms.IT]\nn = 40\nat_risk = {0 = 40, 6 = 30}\nrates = {12 = "0.50"}\nmedian = "NR"\nfirst_time = 1\nfollow_up = 9\n'
        '[[contrasts]]\narm = "IT"\nversus = "SOC"\nhr = 0.5\n',
        encoding="utf-8",
    )
    arms, contrasts = read_published(tmp_path / "fig.toml")
    assert dict(arms["IT"].at_risk) == {0: 40, 6: 30}
    assert dict(arms["IT"].rates) == {12: "0.50"}
    assert arms["IT"].median == float("inf")
    assert (arms["IT"].first_time, arms["IT"].follow_up) == (1, 9)
    assert contrasts[0].hr == 0.5


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("arms = 3", r"fig.toml: arms is 3. Write \[arms.NAME\]"),
        ("[arms]\nIT = 3", "arm 'IT' is 3"),
        ("[arms.IT]\nat_risk = [1, 2]", r"arm 'IT': at_risk is \[1, 2\]"),
        ("[arms.IT]\nrates = {six = 0.5}", "'six' is not a time"),
        ("[arms.IT]\nfoo = 3", "'foo' is unknown. Known: n, events"),
        ("contrasts = 3", "contrasts is 3"),
        ("contrasts = [3]", "contrast 1 is 3"),
        ('[[contrasts]]\narm = "IT"', "'arm' and 'versus' are needed"),
        ("[arms.", "not a readable TOML file"),
    ],
)
def test_slips_are_named(tmp_path: Path, text: str, words: str) -> None:
    """No bare traceback for what someone may write."""
    (tmp_path / "fig.toml").write_text(text, encoding="utf-8")
    with pytest.raises(DataError, match=words):
        read_published(tmp_path / "fig.toml")
    with pytest.raises(DataError, match="there is no such file"):
        read_patient_text(tmp_path / "other.toml")
