"""What was done in a multilevel fit, in words, with its sources from the table of structures."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from metaleptic.pooling.multilevel.build import Built
from metaleptic.pooling.multilevel.structures import STRUCTURES
from metaleptic.types import FloatArray

NESTED = "Konstantopoulos S. Res Synth Methods 2011;2:61-76"
SLOPES = "van Houwelingen HC, Arends LR, Stijnen T. Stat Med 2002;21:589-624"
KNOWN = "Nakagawa S, Santos ESA. Evol Ecol 2012;26:1253-1274"
LIKELIHOOD = "Harville DA. J Am Stat Assoc 1977;72:320-338"
CONTAINMENT = "Pinheiro JC, Bates DM. Mixed-effects models in S and S-PLUS. Springer 2000"


def methods_sentence(
    k: int,
    built: Sequence[Built],
    method: str,
    test: str,
    dfs: str,
    df: FloatArray,
    correlated: bool,
    p: int,
    cite: Callable[[str], str],
) -> str:
    """Say what was done, as a methods section does; ``cite`` returns the mark that follows what a source supports."""
    parts = []
    for b in built:
        count = f"{len(b.groups)} levels"
        if b.written.intercept and b.covariance.levels > 1:
            parts.append(f"{b.written.label} ({count}, with known correlations){cite(KNOWN)}")
        elif b.written.intercept:
            parts.append(f"{b.written.label} ({count}){cite(NESTED)}")
        elif b.written.struct == "GEN":
            slopes = f"random slopes of {' and '.join(b.levels)} by {'/'.join(b.written.outer)}"
            parts.append(f"{slopes} ({count}){cite(SLOPES)}")
        else:
            s = STRUCTURES[b.written.struct]
            within = f"{' and '.join(b.written.inner)} within {'/'.join(b.written.outer)}"
            parts.append(f"{within} ({count}; {s.name} covariance){cite(s.source)}")
    name = "restricted maximum likelihood" if method == "REML" else "maximum likelihood"
    if built:
        text = (
            f"{k} effects were pooled in a multilevel model with random effects of {_listed(parts)}, "
            f"fitted by {name}{cite(LIKELIHOOD)}"
        )
    else:
        text = f"{k} effects were pooled by weighted least squares, taking one true effect"
    if p > 1:
        text += f", with {p} coefficients"
    text += ", allowing for the covariances of sampling errors. " if correlated else ". "
    if test == "z":
        text += "Tests and intervals use the normal distribution."
    else:
        low, high = float(df.min()), float(df.max())
        degrees = f"{low:g}" if low == high else f"{low:g} to {high:g}"
        text += f"Tests and intervals use t with {degrees} degrees of freedom"
        text += f" (containment){cite(CONTAINMENT)}." if dfs == "contain" else "."
    return text


def _listed(parts: Sequence[str]) -> str:
    return parts[0] if len(parts) == 1 else ", ".join(parts[:-1]) + " and " + parts[-1]
