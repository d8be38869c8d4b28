"""Where a result came from: versions, fingerprints, the call."""

from __future__ import annotations

import hashlib
import platform
from functools import cache
from importlib import metadata

import numpy as np
import scipy

from metaleptic.types import Effects, Provenance


@cache
def package_version() -> str:
    """Return the version of metaleptic."""
    try:
        return metadata.version("metaleptic")
    except metadata.PackageNotFoundError:
        return "0+unknown"


@cache
def versions() -> tuple[tuple[str, str], ...]:
    """Return the versions that decide about the digits."""
    return (
        ("metaleptic", package_version()),
        ("python", platform.python_version()),
        ("numpy", np.__version__),
        ("scipy", scipy.__version__),
    )


def provenance(effects: Effects, call: str, seed: int | None = None) -> Provenance:
    """Record how a result was made from these effects."""
    digest = hashlib.sha256(effects.y.tobytes() + effects.v.tobytes() + "\n".join(effects.study).encode())
    return Provenance(call, versions(), digest.hexdigest(), seed)
