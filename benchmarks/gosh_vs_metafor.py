"""Time 100,000 subsets of 17 studies, and the influence diagnostics of 100, beside R's metafor in one run on one machine.

Needs R with metafor on the path (Debian: r-cran-metafor). R is timed from inside, without its start. Takes minutes, nearly
all of them in R; ``python benchmarks/gosh_vs_metafor.py 10000`` takes fewer subsets.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time

import numpy as np

import metaleptic as ml

R_SCRIPT = """
suppressMessages(library(metafor))
y <- c({y}); v <- c({v}); r <- rma(y, v, method="DL")
t <- system.time(g <- gosh(r, subsets={subsets}, progbar=FALSE))[["elapsed"]]
y2 <- c({y2}); v2 <- c({v2}); r2 <- rma(y2, v2)
t2 <- system.time(i <- influence(r2))[["elapsed"]]
t3 <- system.time(l <- leave1out(r2))[["elapsed"]]
cat(sprintf('{{"gosh": %.6f, "influence": %.6f, "loo": %.6f, "median": %.15f, "version": "%s"}}', t, t2, t3,
    median(g$res[,6]), as.character(packageVersion("metafor"))))
"""


def _text(values: object) -> str:
    return ",".join(repr(float(x)) for x in np.asarray(values))


def _best(call: object, runs: int = 5) -> float:
    times = []
    for _ in range(runs):
        start = time.perf_counter()
        call()  # type: ignore[operator]
        times.append(time.perf_counter() - start)
    return min(times)


def main() -> None:
    """Print seconds for both and the ratios."""
    rscript = shutil.which("Rscript")
    if rscript is None:
        sys.exit("Rscript is not on the path: install R with metafor to compare.")
    subsets = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    rng = np.random.default_rng(1)
    v = rng.uniform(0.01, 0.4, 17)
    fit = ml.pool(ml.effects(rng.normal(0.2, np.sqrt(v + 0.1)), v), tau2="DL", test="z")
    v2 = rng.uniform(0.01, 0.4, 100)
    hundred = ml.pool(ml.effects(rng.normal(0.2, np.sqrt(v2 + 0.1)), v2), test="z")
    ours = {
        "gosh": _best(lambda: ml.all_subsets(fit, most=subsets), 3),
        "influence": _best(lambda: ml.influence(hundred)),
        "loo": _best(lambda: ml.leave_one_out(hundred)),
    }
    e, h = fit.effects, hundred.effects
    script = R_SCRIPT.format(
        y=_text(e.y),
        v=_text(e.v),
        y2=_text(h.y),
        v2=_text(h.v),
        subsets=f"{subsets:d}L" if subsets < 2**31 else subsets,
    )
    done = subprocess.run([rscript, "-"], input=script, capture_output=True, text=True, check=True)
    theirs = json.loads(done.stdout[done.stdout.index("{") :])
    names = {"gosh": f"{subsets:,} subsets, DL", "influence": "influence of 100, REML", "loo": "leave-one-out of 100"}
    print(f"{'':26}{'metaleptic':>12}{'metafor ' + theirs['version']:>16}{'ratio':>9}")
    for key, name in names.items():
        print(f"{name:26}{ours[key]:11.4f}s{theirs[key]:15.3f}s{theirs[key] / ours[key]:9.0f}")


if __name__ == "__main__":
    main()
