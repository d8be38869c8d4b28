"""The normal-normal model of very many subsets of one set of studies, by sums that a matrix product gives.

A subset is a row of zeros and ones. Effects are centred first, so that differences of sums keep their digits.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from metaleptic.pooling.heterogeneity import log_likelihood
from metaleptic.types import FloatArray

MOST_STEPS = 60
CLOSE = 1e-9


def subset_estimates(y: FloatArray, v: FloatArray, keep: FloatArray, tau2: str | None) -> dict[str, FloatArray]:
    """Return estimate, tau2, Q, I2 and H2 of each subset (rows of ``keep``); tau2 "DL", "REML", "ML" or None.

    A subset of one study has its own effect and no heterogeneity.
    """
    w = 1 / v
    centre = float((w * y).sum() / w.sum())
    r = y - centre
    sums = keep @ np.stack([np.ones_like(w), w, w * r, w * r * r, w * w], axis=-1)
    k, s1, sy, syy, s2 = sums.T
    q = np.maximum(0.0, syy - sy * sy / s1)
    df = k - 1
    with np.errstate(divide="ignore", invalid="ignore"):
        spread = s1 - s2 / s1
        dl = np.where(k > 1, np.maximum(0.0, (q - df) / spread), 0.0)
        if tau2 is None:
            mean, t2 = sy / s1, np.zeros_like(q)
            h2 = np.where(k > 1, q / df, 1.0)
            i2 = np.where(k > 1, 100 * np.maximum(0.0, (q - df) / q), 0.0)
        else:
            t2 = dl if tau2 == "DL" else _likelihood(r, v, keep, dl, restricted=tau2 == "REML")
            share = np.add(v, t2[:, None])
            np.divide(keep, share, out=share)
            weighted, total = (share @ np.stack([r, np.ones_like(r)], axis=-1)).T
            mean = weighted / total
            typical = df / spread
            h2 = np.where(k > 1, t2 / typical + 1, 1.0)
            i2 = np.where(k > 1, 100 * t2 / (t2 + typical), 0.0)
    return {"k": k, "estimate": mean + centre, "tau2": t2, "q": np.where(k > 1, q, 0.0), "i2": i2, "h2": h2}


def _likelihood(y: FloatArray, v: FloatArray, keep: FloatArray, start: FloatArray, *, restricted: bool) -> FloatArray:
    """Maximise the (restricted) likelihood from above and from zero, and keep the higher end of the two climbs."""
    k = np.add.reduce(keep, axis=-1)
    several = k > 1
    out = np.zeros_like(start)
    mean = (keep @ y) / k
    crude = (keep @ (y * y)) / k - mean**2
    high = _climb(y, v, keep[several], np.maximum(start, crude)[several], restricted=restricted)
    low = _climb(y, v, keep[several], np.zeros(int(several.sum())), restricted=restricted)
    differ = np.abs(high - low) > 1e-6 * np.maximum(high, low)
    best = high.copy()
    if differ.any():
        at = np.flatnonzero(differ)
        chosen = keep[several][at]
        heights = [log_likelihood(y, v, chosen, t[at], restricted=restricted) for t in (high, low)]
        best[at] = np.where(heights[0] >= heights[1], high[at], low[at])
    out[several] = best
    return out


def _climb(y: FloatArray, v: FloatArray, keep: FloatArray, t: FloatArray, *, restricted: bool) -> FloatArray:
    """Newton's steps where the likelihood is concave, Fisher's scoring elsewhere, within the bracket known so far.

    Those that have arrived are set aside.
    """
    t = t.copy()
    low, high = np.full_like(t, -np.inf), np.full_like(t, np.inf)
    powers = np.stack([np.ones_like(y), y, y * y], axis=-1)
    going, nearly = np.arange(len(t)), 1e-3 * float(v.min())
    for _ in range(MOST_STEPS):
        rows, now = keep[going], t[going]
        slope, curvature, information = _slope(powers, v, rows, now, restricted=restricted)
        up = slope > 0
        below, above = np.where(up, now, low[going]), np.where(up, high[going], now)
        moved = now + slope / np.where(curvature < 0, -curvature, information)
        moved = np.clip(moved, np.where(now > nearly, now / 8, 0.0), 4 * now + 1.0)  # no leap over a maximum near 0
        outside = (moved <= below) | (moved >= above)
        moved = np.where(outside & np.isfinite(above), (np.maximum(below, 0.0) + above) / 2, moved)
        at_zero = (now == 0) & ~up
        moved = np.where(at_zero, 0.0, moved)
        t[going], low[going], high[going] = moved, below, above
        going = going[np.abs(moved - now) > CLOSE * np.maximum(moved, nearly)]
        if len(going) == 0:
            break
    return t


def _slope(
    powers: FloatArray, v: FloatArray, rows: FloatArray, t: FloatArray, *, restricted: bool
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return twice the derivative of the log-likelihood in tau2, the slope of that, and the sum of squared weights.

    ``powers`` are 1, y and y^2, y centred: sums over studies are then products of matrices. The derivatives are those of
    ``metaleptic.pooling.heterogeneity.likelihood_slope``.
    """
    w = v + t[:, None]
    np.divide(rows, w, out=w)
    s1, y1 = (w @ powers[:, :2]).T
    w2 = w * w
    s2, y2, yy2 = (w2 @ powers).T
    np.multiply(w2, w, out=w2)
    s3, y3, yy3 = (w2 @ powers).T
    mu = y1 / s1
    value = yy2 - mu * (2 * y2 - mu * s2) - s1
    off = y2 - mu * s2
    slope = 2 * (off * off / s1 - (yy3 - mu * (2 * y3 - mu * s3))) + s2
    if restricted:
        value = value + s2 / s1
        slope = slope - 2 * s3 / s1 + (s2 / s1) ** 2
    return value, slope, s2


def masks_of(codes: Any, k: int) -> FloatArray:
    """Return rows of zeros and ones from the binary digits of numbers, the first study the highest digit."""
    shifts = np.arange(k - 1, -1, -1)
    return ((np.asarray(codes)[:, None] >> shifts) & 1).astype(np.float64)
