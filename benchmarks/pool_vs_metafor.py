"""Time a pool of the 13 BCG trials beside R's metafor, in one run on one machine, and print the ratio.

Needs R with metafor on the path (Debian: r-cran-metafor). Both sides fit REML with the Hartung-Knapp interval, the
prediction interval and the Q-profile interval, and R is timed from inside, without its start.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time

import metaleptic as ml

RUNS = 200
R_SCRIPT = """
suppressMessages(library(metafor))
y <- c({y}); v <- c({v})
once <- function() {{ r <- rma(y, v, test="knha"); p <- predict(r); ci <- confint(r); r }}
once()
t <- system.time(for (i in 1:{runs}) once())[["elapsed"]]
r <- once()
cat(sprintf('{{"seconds": %.9f, "beta": %.15f, "version": "%s"}}', t / {runs}, r$beta[1], as.character(packageVersion("metafor"))))
"""


def main() -> None:
    """Print milliseconds per pool for both and the ratio."""
    rscript = shutil.which("Rscript")
    if rscript is None:
        sys.exit("Rscript is not on the path: install R with metafor to compare.")
    table = ml.datasets.load("bcg").table()
    table["n1"], table["n2"] = table["tpos"] + table["tneg"], table["cpos"] + table["cneg"]
    effects = ml.two_by_two(table, events1="tpos", n1="n1", events2="cpos", n2="n2")
    fit = ml.pool(effects)
    start = time.perf_counter()
    for _ in range(RUNS):
        ml.pool(effects)
    ours = (time.perf_counter() - start) / RUNS
    script = R_SCRIPT.format(
        y=",".join(map(repr, effects.y.tolist())), v=",".join(map(repr, effects.v.tolist())), runs=RUNS
    )
    done = subprocess.run([rscript, "-"], input=script, capture_output=True, text=True, check=True)
    theirs = json.loads(done.stdout[done.stdout.index("{") :])  # metafor may print a banner first
    print(f"metaleptic           {1e3 * ours:8.3f} ms")
    print(f"metafor {theirs['version']:<12} {1e3 * theirs['seconds']:8.3f} ms")
    print(
        f"ratio                {theirs['seconds'] / ours:8.1f}   (pooled effects agree to {abs(fit.beta[0] - theirs['beta']):.0e})"
    )


if __name__ == "__main__":
    main()
