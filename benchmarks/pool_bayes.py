"""Time the exact posterior of the 13 BCG trials: one fit with all summaries, 200 priors in one call, a meta-regression.

    python benchmarks/pool_bayes.py [--sample]

With R's bayesmeta on the path it is timed beside, from inside, without R's start; without it what bayesmeta 3.4 (R 4.2.2) took on
another machine for this fit stands instead. ``--sample`` times NUTS on the same model (compiled before, 4 chains of 1,000 draws).
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from collections.abc import Callable

import numpy as np

import metaleptic as ml

R_SCRIPT = """
suppressMessages(library(bayesmeta))
y <- c({y}); s <- c({s})
once <- function() bayesmeta(y, s, tau.prior=function(t) dhalfnormal(t, scale=0.5))
b <- once()
t <- system.time(for (i in 1:3) once())[["elapsed"]] / 3
cat(sprintf('{{"seconds": %.6f, "median": %.12f, "version": "%s"}}', t, b$summary["median", "mu"], as.character(packageVersion("bayesmeta"))))
"""


BAYESMETA_ELSEWHERE = 18.24  # seconds; delta 0.01, epsilon 1e-4, its defaults


def best(run: Callable[[], object], times: int) -> float:
    """Return the shortest of several times, in milliseconds."""
    taken = []
    for _ in range(times):
        start = time.perf_counter()
        run()
        taken.append(time.perf_counter() - start)
    return 1e3 * min(taken)


def bayesmeta(effects: ml.Effects) -> dict[str, float | str] | None:
    """Time bayesmeta on the same effects; None where it is not installed."""
    rscript = shutil.which("Rscript")
    if rscript is None:
        return None
    script = R_SCRIPT.format(
        y=",".join(map(repr, effects.y.tolist())), s=",".join(map(repr, np.sqrt(effects.v).tolist()))
    )
    done = subprocess.run([rscript, "-"], input=script, capture_output=True, text=True, check=False)
    return dict(json.loads(done.stdout[done.stdout.index("{") :])) if done.returncode == 0 else None


def nuts(effects: ml.Effects, prior: ml.Prior) -> object:
    """Sample the same model."""
    return ml.pool_bayes(effects, tau=prior, method="nuts", draws=1000, chains=4, seed=1)


def main() -> None:
    """Print the times."""
    table = ml.datasets.load("bcg").table()
    table["n1"], table["n2"] = table["tpos"] + table["tneg"], table["cpos"] + table["cneg"]
    effects = ml.two_by_two(table, events1="tpos", n1="n1", events2="cpos", n2="n2")
    prior = ml.priors.half_normal(0.5)
    many = [ml.priors.half_normal(float(s)) for s in np.geomspace(0.05, 2, 200)]
    x = np.column_stack([np.ones(13), table["ablat"] - table["ablat"].mean()])
    post = ml.pool_bayes(effects, tau=prior)
    once = best(lambda: ml.pool_bayes(effects, tau=prior), 100)
    print(f"one fit, all summaries      {once:8.2f} ms")
    print(f"200 priors in one call      {best(lambda: ml.prior_sensitivity(effects, many), 5):8.2f} ms")
    print(f"meta-regression on latitude {best(lambda: ml.pool_bayes(effects, tau=prior, moderators=x), 20):8.2f} ms")
    theirs = bayesmeta(effects)
    if "--sample" in sys.argv:
        nuts(effects, prior)
        taken = best(lambda: nuts(effects, prior), 1)
        print(f"NUTS, second run            {taken:8.0f} ms   {taken / once:8.0f} times ours")
    if theirs is None:
        times = 1e3 * BAYESMETA_ELSEWHERE / once
        print(
            f"bayesmeta 3.4, elsewhere    {1e3 * BAYESMETA_ELSEWHERE:8.0f} ms   {times:8.0f} times ours (not installed here)"
        )
        return
    print(f"bayesmeta {theirs['version']:<17} {1e3 * float(theirs['seconds']):8.2f} ms")
    print(
        f"ratio                       {1e3 * float(theirs['seconds']) / once:8.0f}   "
        f"(posterior medians differ by {abs(post.mu.median - float(theirs['median'])):.0e})"
    )


if __name__ == "__main__":
    main()
