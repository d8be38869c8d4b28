"""Simulate how often 95% credible and prediction intervals hold the truth when tau is fixed; print a table in Markdown.

The table in docs/explanation/heterogeneity-priors.md is its output. Variances of the studies cycle through V; 4,000 data
sets per row and prior.
"""

from __future__ import annotations

import numpy as np

from metaleptic.bayes import mixture, priors
from metaleptic.bayes.exact import exact
from metaleptic.bayes.prior import Prior

V = np.array([0.02, 0.05, 0.1, 0.2, 0.4, 0.03, 0.07, 0.15, 0.3, 0.6])
RUNS, CHUNK, MU = 4000, 250, 0.3
PRIORS = {
    "half-normal(0.5)": priors.half_normal(0.5),
    "Cochrane HR": priors.bartos("HR"),
    "uniform(2)": priors.uniform(2),
}


def coverage(prior: Prior, k: int, tau: float) -> tuple[float, float]:
    """Return the share of data sets whose intervals hold mu, and a new study's effect."""
    rng = np.random.default_rng(1)
    v = V[:k]
    y = rng.normal(rng.normal(MU, tau, (RUNS, k)), np.sqrt(v))
    new = rng.normal(MU, tau, RUNS)
    held = np.zeros(2)
    for a in range(0, RUNS, CHUNK):
        part = y[a : a + CHUNK]
        fit = exact(part, np.broadcast_to(v, part.shape), [prior])
        mean = mixture.cdf(fit.weight, fit.mean, fit.sd, np.array([[MU]]))[:, 0]
        study = mixture.cdf(fit.weight, fit.mean, np.hypot(fit.sd, fit.tau[:1]), new[a : a + CHUNK, None])[:, 0]
        held += [(np.abs(u - 0.5) < 0.475).sum() for u in (mean, study)]
    return float(held[0] / RUNS), float(held[1] / RUNS)


def main() -> None:
    """Print the table."""
    print("| studies | true tau | " + " | ".join(f"{n}: mean | new study" for n in PRIORS) + " |")
    print("|" + "---|" * (2 + 2 * len(PRIORS)))
    for k in (3, 5, 10):
        for tau in (0.0, 0.25, 0.5, 1.0):
            cells = [f"{100 * c:.0f}%" for p in PRIORS.values() for c in coverage(p, k, tau)]
            print(f"| {k} | {tau:g} | " + " | ".join(cells) + " |")


if __name__ == "__main__":
    main()
