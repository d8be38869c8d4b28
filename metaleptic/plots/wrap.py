"""Break text into lines that fit a width, as measured by whatever draws it."""

from __future__ import annotations

import re
from collections.abc import Callable

# "P = 0.03" and "rate, %" stay together.
_BREAK = re.compile(r"(?<![=<>]) +(?![=<>%])")
# (text, size in points, bold) -> width in points
TextWidth = Callable[[str, float, bool], float]


def rough_width(text: str, size: float, bold: bool = False) -> float:
    """Estimate a width without a renderer: for layouts tested without pixels."""
    return len(text) * size * (0.68 if bold else 0.61)


def wrap(text: str, limit: float, size: float, bold: bool, width: TextWidth) -> list[str]:
    """Break a text at spaces (inside a word only if the word alone is too long) into lines within ``limit``.

    Examples
    --------
    >>> wrap("Random effects (REML, HKSJ)", 100, 8.5, False, rough_width)
    ['Random effects', '(REML, HKSJ)']
    """
    lines: list[str] = []
    for paragraph in text.split("\n"):
        head, _, bracket = paragraph.rpartition(" (")
        halves = [head, f"({bracket}"]
        if bracket.endswith(")") and width(paragraph, size, bold) > limit >= widest(halves, size, bold, width):
            lines += halves
            continue
        line = ""
        for word in _BREAK.split(paragraph.strip()):
            longer = f"{line} {word}" if line else word
            if width(longer, size, bold) <= limit:
                line = longer
                continue
            if line:
                lines.append(line)
            *whole, line = _pieces(word, limit, size, bold, width)
            lines += whole
        lines.append(line)
    return lines


def shorten(text: str, limit: float, size: float, bold: bool, width: TextWidth) -> str:
    """Cut a text in its middle until it fits: names often differ at their ends.

    Examples
    --------
    >>> shorten("without Hoehenschwaigen 1987", 100, 8.5, False, rough_width)
    'without H…igen 1987'
    """
    kept = len(text)
    short = text
    while width(short, size, bold) > limit and kept > 2:
        kept -= 1
        tail = kept // 2
        short = f"{text[: kept - tail]}…{text[len(text) - tail :]}"
    return short


def _pieces(word: str, limit: float, size: float, bold: bool, width: TextWidth) -> list[str]:
    """Cut a word that is too long by itself: after a hyphen or slash if possible."""
    pieces = []
    while width(word, size, bold) > limit and len(word) > 1:
        cut = len(word) - 1
        while cut > 1 and width(word[:cut], size, bold) > limit:
            cut -= 1
        natural = max(word.rfind(mark, 0, cut) for mark in "-/–_")
        cut = natural + 1 if natural > cut // 3 else cut
        pieces.append(word[:cut])
        word = word[cut:]
    return [*pieces, word]


def widest(lines: list[str], size: float, bold: bool, width: TextWidth) -> float:
    """Return the width of the longest line."""
    return max((width(line, size, bold) for line in lines), default=0.0)
