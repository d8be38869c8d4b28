"""Time estimation, intervals, permutations and batches beside R's metafor, in one run on one machine, and print the ratios.

Needs R with metafor on the path (Debian: r-cran-metafor). R is timed from inside, without its start. CPU time on both sides.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from collections.abc import Callable

import numpy as np

import metaleptic as ml
from metaleptic.pooling.normal import fit_normal

R_SCRIPT = """
suppressMessages(library(metafor))
set.seed(1)
cpu <- function(f, n) {{ f(); t <- system.time(for (i in 1:n) f()); (t[["user.self"]] + t[["sys.self"]]) / n }}
b <- read.csv("{bcg}"); y <- b$y; v <- b$v; x <- b$x
b2 <- read.csv("{large}"); y2 <- b2$y; v2 <- b2$v
r <- rma(y, v); m <- rma(y, v, mods = ~ x)
out <- c(
  cpu(function() rma(y, v), 50),
  cpu(function() {{ f <- rma(y, v, test = "knha"); predict(f); confint(f) }}, 20),
  cpu(function() rma(y2, v2), 1),
  cpu(function() confint(r), 20),
  cpu(function() confint(r, type = "PL"), 3),
  cpu(function() rma(y, v, mods = ~ x), 50),
  cpu(function() permutest(m, iter = 1000, progbar = FALSE), 1))
cat("RESULT", paste(out, collapse = " "), as.character(packageVersion("metafor")))
"""


def cpu(f: Callable[[], object], runs: int) -> float:
    """Return CPU seconds a call, the first call not counted."""
    f()
    start = time.process_time()
    for _ in range(runs):
        f()
    return (time.process_time() - start) / runs


def main() -> None:
    """Print milliseconds of both and the ratio, line by line."""
    rscript = shutil.which("Rscript")
    if rscript is None:
        sys.exit("Rscript is not on the path: install R with metafor to compare.")
    table = ml.datasets.load("bcg").table()
    table["n1"], table["n2"] = table["tpos"] + table["tneg"], table["cpos"] + table["cneg"]
    small = ml.two_by_two(table, events1="tpos", n1="n1", events2="cpos", n2="n2")
    rng = np.random.default_rng(1)
    v2 = rng.uniform(0.02, 0.5, 1000)
    large = ml.effects(rng.normal(0, np.sqrt(v2 + 0.1)), v2)
    fit, regression = ml.pool(small), ml.pool(small, moderators="~ ablat", test="z")
    work: list[tuple[str, Callable[[], object], int]] = [
        ("REML with its test, k = 13", lambda: fit_normal(small.y, small.v, tau2="REML", test="z"), 200),
        ("the same, all intervals", lambda: ml.pool(small), 100),
        ("REML, k = 1000", lambda: ml.pool(large), 10),
        ("Q-profile interval", lambda: ml.tau2_interval(fit), 100),
        ("profile-likelihood interval", lambda: ml.tau2_interval(fit, method="profile-likelihood"), 20),
        ("meta-regression", lambda: ml.pool(small, moderators="~ ablat"), 50),
        ("1,000 permutations", lambda: ml.permutation_test(regression, permutations=1000, exact=False, seed=1), 3),
    ]
    ours = [cpu(f, runs) for _, f, runs in work]
    theirs, version = _r(rscript, small, [float(x) for x in table["ablat"]], large)
    print(f"{'':30}{'metaleptic':>14}{'metafor ' + version:>18}{'ratio':>10}")
    for (name, _, _), a, b in zip(work, ours, theirs, strict=True):
        print(f"{name:30}{1e3 * a:11.3f} ms{1e3 * b:15.2f} ms{b / a:10.0f}")
    v = rng.uniform(0.02, 0.5, (100_000, 10))
    y = rng.normal(0, np.sqrt(v + 0.1))
    print(
        f"100,000 data sets of 10 studies, REML and Hartung-Knapp: {cpu(lambda: fit_normal(y, v, tau2='REML', test='knapp-hartung'), 1):.2f} s CPU"
    )


def _r(rscript: str, small: ml.Effects, x: list[float], large: ml.Effects) -> tuple[list[float], str]:
    """Run the same work in R; return CPU seconds and the version of metafor."""
    import tempfile
    from pathlib import Path

    with tempfile.TemporaryDirectory() as folder:
        paths = {"bcg": Path(folder) / "small.csv", "large": Path(folder) / "large.csv"}
        lines = [
            "y,v,x",
            *(f"{a!r},{b!r},{c!r}" for a, b, c in zip(small.y.tolist(), small.v.tolist(), x, strict=True)),
        ]
        paths["bcg"].write_text("\n".join(lines), encoding="utf-8")
        lines = ["y,v", *(f"{a!r},{b!r}" for a, b in zip(large.y.tolist(), large.v.tolist(), strict=True))]
        paths["large"].write_text("\n".join(lines), encoding="utf-8")
        script = R_SCRIPT.format(**{key: path.as_posix() for key, path in paths.items()})
        done = subprocess.run([rscript, "-"], input=script, capture_output=True, text=True, check=True)
    *numbers, version = done.stdout[done.stdout.index("RESULT") + 7 :].split()
    return [float(x) for x in numbers], version


if __name__ == "__main__":
    main()
