"""Simulate how often 95% credible and prediction intervals hold the truth when tau is fixed; store the shares.

    python benchmarks/coverage_bayes.py

writes docs/coverage.json, from which docs/calibration_page.py makes the tables of the documentation. 4,000 data sets per row, the same
for all priors; the variances of the studies cycle through V. The Monte Carlo error of a share of 0.95 is 0.003.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from metaleptic.bayes import mixture, priors
from metaleptic.bayes.exact import exact

STORE = Path(__file__).parents[1] / "docs" / "coverage.json"
V = np.array([0.02, 0.05, 0.1, 0.2, 0.4, 0.03, 0.07, 0.15, 0.3, 0.6])
RUNS, CHUNK, MU = 4000, 500, 0.3
STUDIES, TAUS = (2, 3, 5, 10, 20), (0.0, 0.1, 0.25, 0.5, 1.0)
PRIORS = {
    "half-normal(0.5)": priors.half_normal(0.5),
    "half-normal(1)": priors.half_normal(1),
    "half-Cauchy(0.5)": priors.half_cauchy(0.5),
    "uniform(2)": priors.uniform(2),
    "Cochrane HR (Bartos 2023)": priors.bartos("HR"),
    "all-cause mortality (Turner 2015)": priors.turner("all-cause mortality", "pharmacological vs. placebo / control"),
}


def coverage(name: str, k: int, tau: float) -> list[float]:
    """Return the share of data sets whose intervals hold mu, and a new study's effect, and the median width for mu."""
    rng = np.random.default_rng(1)
    v = np.resize(V, k)
    y = rng.normal(rng.normal(MU, tau, (RUNS, k)), np.sqrt(v))
    new = rng.normal(MU, tau, RUNS)
    below, width = np.empty((RUNS, 2)), np.empty(RUNS)
    for a in range(0, RUNS, CHUNK):
        at = slice(a, a + CHUNK)
        fit = exact(y[at], np.broadcast_to(v, (CHUNK, k)), [PRIORS[name]])
        below[at, 0] = mixture.cdf(fit.weight, fit.mean, fit.sd, np.array([[MU]]))[:, 0]
        below[at, 1] = mixture.cdf(fit.weight, fit.mean, np.hypot(fit.sd, fit.tau[:1]), new[at, None])[:, 0]
        if a == 0:  # the width varies little: a part of the data sets is enough
            ends = mixture.quantile(fit.weight, fit.mean, fit.sd, np.array([[0.025, 0.975]]))
            width[at] = ends[:, 1] - ends[:, 0]
    held = (np.abs(below - 0.5) < 0.475).mean(axis=0)
    return [round(float(held[0]), 4), round(float(held[1]), 4), round(float(np.median(width[:CHUNK])), 3)]


def main() -> None:
    """Store the shares."""
    rows = [
        {"studies": k, "tau": tau, "priors": {name: coverage(name, k, tau) for name in PRIORS}}
        for k in STUDIES
        for tau in TAUS
    ]
    content = {"runs": RUNS, "level": 0.95, "mu": MU, "variances": V.tolist(), "rows": rows}
    text = json.dumps(content, separators=(",", ":")).replace('{"studies"', '\n{"studies"')
    STORE.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
