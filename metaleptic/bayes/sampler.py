"""The only file that talks to PyMC and ArviZ: a model in, plain arrays of draws out.

PyMC 5 (InferenceData) and 6 (DataTree), ArviZ 0.23 and 1.x, nutpie where it is installed: nothing outside this file knows
which it was.
"""

from __future__ import annotations

import contextlib
import importlib.util
import logging
import os
import sys
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata
from typing import Any

import numpy as np

from metaleptic.errors import MetalepticError
from metaleptic.types import FloatArray

WARM_UP = 1000
INTERRUPTED = "sampling was interrupted: nothing is kept"


@dataclass(frozen=True, slots=True, eq=False)
class Chains:
    """What a sampler returned.

    Attributes
    ----------
    draws : mapping of str to ndarray of shape (chains, draws, ...)
        The quantities asked for.
    diverging, energy : ndarray of shape (chains, draws)
        Divergent transitions; energy.
    sampler : str
        Who drew ("PyMC 5.28.5 NUTS").
    versions : tuple of (name, version)
        Libraries that decide about the draws.
    """

    draws: Mapping[str, FloatArray]
    diverging: FloatArray
    energy: FloatArray
    sampler: str
    versions: tuple[tuple[str, str], ...]


def sample(
    build: Callable[[Any, Any], None],
    keep: Sequence[str],
    *,
    draws: int,
    chains: int,
    seed: int,
    accept: float = 0.99,
) -> Chains:
    """Draw from a model by NUTS.

    Parameters
    ----------
    build : callable
        ``build(pm, pt)`` defines the model inside a ``pm.Model`` context.
    keep : sequence of str
        Names of the variables to keep.
    draws, chains, seed : int
        How many draws per chain after as many as 1000 of warm-up, how many chains, and the seed.
    accept : float
        Target acceptance probability.

    Raises
    ------
    KeyboardInterrupt
        On Ctrl-C; half a chain is never returned.
    """
    with _quiet():
        import pymc as pm
        import pytensor.tensor as pt

        nutpie = importlib.util.find_spec("nutpie") is not None
        with pm.Model() as model:
            build(pm, pt)
        cores = 1 if sys.platform == "win32" else min(chains, os.cpu_count() or 1)
        more: dict[str, Any] = {"nuts_sampler": "nutpie"} if nutpie else {}
        with model, _warm_up_interrupted():
            trace = pm.sample(
                draws=draws,
                tune=WARM_UP,
                chains=chains,
                cores=cores,
                random_seed=seed,
                target_accept=accept,
                progressbar=sys.stderr.isatty(),
                compute_convergence_checks=False,
                **more,
            )
    posterior, stats = trace["posterior"], trace["sample_stats"]
    found = {name: np.asarray(posterior[name].values, dtype=np.float64) for name in keep}
    first = next(iter(found.values()))
    if first.shape[:2] != (chains, draws):  # PyMC answers Ctrl-C with what it has
        raise KeyboardInterrupt(INTERRUPTED)
    names = ("pymc", "pytensor", "nutpie") if nutpie else ("pymc", "pytensor")
    versions = tuple((name, metadata.version(name)) for name in names)
    return Chains(
        found,
        np.asarray(stats["diverging"].values, dtype=np.float64),
        np.asarray(stats["energy"].values, dtype=np.float64),
        f"nutpie {versions[2][1]}" if nutpie else f"PyMC {versions[0][1]} NUTS",
        versions,
    )


def to_arviz(
    draws: Mapping[str, FloatArray],
    diverging: FloatArray,
    energy: FloatArray,
    dims: Mapping[str, list[str]],
    coords: Any,
    more: Mapping[str, Mapping[str, FloatArray]] | None = None,
) -> Any:
    """Hand draws to ArviZ: an ``InferenceData`` (0.x) or a ``DataTree`` (1.x); ``more`` are groups beside them."""
    with _quiet():
        import arviz as az

        groups = {
            "posterior": {name: np.asarray(x) for name, x in draws.items()},
            **{group: dict(values) for group, values in (more or {}).items()},
            "sample_stats": {"diverging": np.asarray(diverging, dtype=bool), "energy": np.asarray(energy)},
        }
        if int(metadata.version("arviz").split(".")[0]) >= 1:
            return az.from_dict(groups, dims=dict(dims), coords=coords)
        old: Any = az.from_dict
        return old(**groups, dims=dict(dims), coords=coords)


def log_density(distribution: Any) -> Callable[[Any], FloatArray]:
    """Return the log density of a PyMC distribution (``pm.Gamma.dist(2, 4)``) as a function of an array."""
    with _quiet():
        import pymc as pm
        import pytensor
        import pytensor.tensor as pt

        x = pt.vector("x", dtype="float64")
        library: Any = pytensor  # does not declare what it exports
        log = library.function([x], pm.logp(distribution, x), mode="FAST_COMPILE")

    def of(value: Any) -> FloatArray:
        value = np.asarray(value, dtype=np.float64)
        return np.asarray(log(value.reshape(-1)), dtype=np.float64).reshape(value.shape)

    return of


@contextlib.contextmanager
def _warm_up_interrupted() -> Iterator[None]:
    """Turn PyMC's complaint of having drawn nothing, its answer to Ctrl-C during warm-up, into what it means."""
    try:
        yield
    except ValueError as err:
        if "Not enough samples" in str(err):
            raise KeyboardInterrupt(INTERRUPTED) from None
        raise


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep other libraries' notices off the caller's screen: what matters is in the diagnostics."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            import pymc  # sets the level of its log
        except ImportError as err:
            raise MetalepticError(
                f"sampling needs PyMC and ArviZ ({err}). Install them: pip install pymc arviz"
            ) from err
        log = logging.getLogger(pymc.__name__)
        before = log.level
        if not sys.stderr.isatty():
            log.setLevel(logging.ERROR)
        try:
            yield
        finally:
            log.setLevel(before)
