"""Whether chains can be trusted: R-hat, effective sample sizes, Monte-Carlo errors, divergences, E-BFMI.

Arrays of draws have shape (chains, draws). Computed here, so that the answer does not depend on the version of ArviZ.

Sources: Vehtari A et al. Bayesian Anal 2021;16:667-718 (rank-normalised split R-hat, bulk and tail ESS, MCSE);
Geyer CJ. Stat Sci 1992;7:473-483 (initial monotone sequence); Betancourt M. arXiv:1604.00695 (E-BFMI).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy import special

from metaleptic.types import FloatArray

RHAT_LIMIT, ESS_PER_CHAIN, BFMI_LIMIT = 1.01, 100, 0.3


@dataclass(frozen=True, slots=True, eq=False)
class Diagnostics:
    """What the chains say about themselves.

    Attributes
    ----------
    names : tuple of str
        Quantities.
    rhat, ess_bulk, ess_tail, mcse : ndarray
        Per quantity; ``mcse`` is the Monte-Carlo standard error of the mean.
    divergences : int
        Divergent transitions after warm-up.
    bfmi : float
        The smallest E-BFMI of a chain.
    chains, draws : int
        How much was drawn.
    sampler : str
        What drew it.
    """

    names: tuple[str, ...]
    rhat: FloatArray
    ess_bulk: FloatArray
    ess_tail: FloatArray
    mcse: FloatArray
    divergences: int
    bfmi: float
    chains: int
    draws: int
    sampler: str

    @property
    def problems(self) -> tuple[str, ...]:
        """What is wrong; empty if the draws can be used."""
        found = []
        if self.divergences:
            found.append(f"{self.divergences} divergent transitions")
        worst = int(np.argmax(self.rhat))
        if not self.rhat[worst] <= RHAT_LIMIT:
            found.append(f"R-hat {self.rhat[worst]:.3f} ({self.names[worst]})")
        for name, ess in (("bulk", self.ess_bulk), ("tail", self.ess_tail)):
            least = int(np.argmin(ess))
            if not ess[least] >= ESS_PER_CHAIN * self.chains:
                found.append(f"{name} ESS {ess[least]:.0f} ({self.names[least]})")
        if not self.bfmi >= BFMI_LIMIT:
            found.append(f"E-BFMI {self.bfmi:.2f}")
        return tuple(found)

    def __repr__(self) -> str:
        state = "; ".join(self.problems) or "no problem seen"
        return (
            f"{self.chains} chains of {self.draws} draws ({self.sampler}): {state}\n"
            f"R-hat up to {np.max(self.rhat):.3f}, ESS from {np.min(self.ess_bulk):.0f} (bulk), {np.min(self.ess_tail):.0f} "
            f"(tail); {self.divergences} divergences, E-BFMI from {self.bfmi:.2f}"
        )


def diagnose(draws: Mapping[str, FloatArray], diverging: FloatArray, energy: FloatArray, sampler: str) -> Diagnostics:
    """Examine every scalar in ``draws`` (arrays of shape (chains, draws, ...))."""
    names: list[str] = []
    rows: list[FloatArray] = []
    for name, values in draws.items():
        flat = values.reshape(*values.shape[:2], -1)
        names += [name] if values.ndim == 2 else [f"{name}[{i}]" for i in range(flat.shape[2])]
        rows += [flat[:, :, i] for i in range(flat.shape[2])]
    chains, count = rows[0].shape
    return Diagnostics(
        tuple(names),
        np.array([rhat(x) for x in rows]),
        np.array([ess_bulk(x) for x in rows]),
        np.array([ess_tail(x) for x in rows]),
        np.array([mcse_mean(x) for x in rows]),
        int(np.sum(diverging)),
        float(np.min(e_bfmi(energy))),
        chains,
        count,
        sampler,
    )


def split(x: FloatArray) -> FloatArray:
    """Cut each chain in two halves."""
    half = x.shape[1] // 2
    return np.concatenate([x[:, :half], x[:, -half:]])


def ranks_to_normal(x: FloatArray) -> FloatArray:
    """Replace draws by the normal quantiles of their ranks (ties share their mean rank)."""
    flat = x.reshape(-1)
    _, inverse, counts = np.unique(flat, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    rank = (last - (counts - 1) / 2)[inverse].reshape(x.shape)
    return np.asarray(special.ndtri((rank - 0.375) / (flat.size + 0.25)))


def rhat(x: FloatArray) -> float:
    """Return the rank-normalised split R-hat, the larger of that for location and that for scale."""
    folded = np.abs(x - np.median(x))
    return max(_rhat(ranks_to_normal(split(x))), _rhat(ranks_to_normal(split(folded))))


def _rhat(x: FloatArray) -> float:
    n = x.shape[1]
    between, within = n * np.var(x.mean(axis=1), ddof=1), np.mean(np.var(x, axis=1, ddof=1))
    with np.errstate(divide="ignore", invalid="ignore"):
        return float(np.sqrt((between / within + n - 1) / n))


def ess(x: FloatArray) -> float:
    """Return the effective sample size of chains (already split): how many independent draws tell as much of the mean."""
    m, n = x.shape
    centred = x - x.mean(axis=1, keepdims=True)
    size = 2 ** int(np.ceil(np.log2(2 * n)))
    power = np.abs(np.fft.rfft(centred, size, axis=1)) ** 2
    covariance = np.fft.irfft(power, size, axis=1)[:, :n] / n
    within = float(np.mean(covariance[:, 0]) * n / (n - 1))
    plus = within * (n - 1) / n + (float(np.var(x.mean(axis=1), ddof=1)) if m > 1 else 0.0)
    if not plus > 0:
        return float(m * n)
    rho = 1 - (within - covariance.mean(axis=0) * n / (n - 1)) / plus
    rho[0] = 1.0
    pairs = rho[: 2 * (n // 2)].reshape(-1, 2).sum(axis=1)
    negative = np.flatnonzero(pairs < 0)
    pairs = np.minimum.accumulate(pairs[: negative[0]] if negative.size else pairs)
    tau = max(-1 + 2 * float(pairs.sum()), 1 / np.log10(m * n))
    return float(m * n / tau)


def ess_bulk(x: FloatArray) -> float:
    """Return the effective sample size for the middle of the distribution."""
    return ess(ranks_to_normal(split(x)))


def ess_tail(x: FloatArray) -> float:
    """Return the smaller effective sample size of the 5% and the 95% quantile."""
    return min(ess(split((x <= np.quantile(x, p)).astype(np.float64))) for p in (0.05, 0.95))


def mcse_mean(x: FloatArray) -> float:
    """Return the Monte-Carlo standard error of the mean."""
    return float(np.std(x, ddof=1) / np.sqrt(ess(split(x))))


def mcse_sd(x: FloatArray) -> float:
    """Return the Monte-Carlo standard error of the standard deviation (delta method on the squared deviations)."""
    squares = (x - x.mean()) ** 2
    return float(np.std(squares, ddof=1) / np.sqrt(ess(split(squares))) / (2 * np.std(x, ddof=1)))


def mcse_quantile(x: FloatArray, p: float) -> float:
    """Return the Monte-Carlo standard error of a quantile: from the beta distribution of its probability."""
    size = ess(split((x <= np.quantile(x, p)).astype(np.float64)))
    low, high = special.betaincinv(size * p + 1, size * (1 - p) + 1, special.ndtr([-1.0, 1.0]))
    a, b = np.quantile(x, [low, high])
    return float((b - a) / 2)


def e_bfmi(energy: FloatArray) -> FloatArray:
    """Return the energy fraction of missing information of each chain."""
    return np.asarray((np.diff(energy, axis=1) ** 2).mean(axis=1) / np.var(energy, axis=1))
