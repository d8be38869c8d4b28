"""Numbers in, numbers out: a single number stays one."""

from __future__ import annotations

from typing import Any

import numpy as np

from metaleptic.types import FloatArray


def plain(value: Any) -> Any:
    """Return a plain float for a single number, an array otherwise."""
    array = np.asarray(value, dtype=np.float64)
    return float(array) if array.ndim == 0 else array


def array_of(value: Any) -> FloatArray:
    """Return an array of floats."""
    return np.asarray(value, dtype=np.float64)
