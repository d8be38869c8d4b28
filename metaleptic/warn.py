"""Warnings that point at the user's line, not at ours."""

from __future__ import annotations

import sys
import warnings
from pathlib import Path

from metaleptic.errors import MetalepticWarning

_PACKAGE = str(Path(__file__).parent)


def warn(category: type[MetalepticWarning], message: str) -> None:
    """Issue a warning attributed to the first caller outside the package."""
    level, frame = 1, sys._getframe()
    while frame.f_back is not None and frame.f_code.co_filename.startswith(_PACKAGE):
        frame, level = frame.f_back, level + 1
    warnings.warn(message, category, stacklevel=level)
