"""Time the reconstruction of a folder of digitised arms beside R's IPDfromKM in one run, both given the same.

    python benchmarks/reconstruct_vs_ipdfromkm.py FOLDER [--grade click_fine]

Both get the points of one arm, its numbers at risk and its total of events (IPDfromKM takes no more). FOLDER is that of
``reconstruct_km.py``. Needs R with IPDfromKM on the path; R is timed from inside, without its start.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import time
import warnings
from pathlib import Path

import numpy as np
from reconstruct_km import KIND, inputs

import metaleptic as ml

R_SCRIPT = """
suppressMessages({ library(IPDfromKM); library(jsonlite) })
cases <- fromJSON(file.path(base, "manifest.json"), simplifyVector=FALSE)$cases
taken <- c(); failed <- 0
for (case in cases) {
  points <- read.csv(file.path(base, case$points[[grade]]))
  for (arm in case$published$arms) {
    d <- points[points$arm == arm$arm, c("time", "surv")]
    at <- unlist(case$published$risk_times); n <- unlist(arm$n_risk)
    t <- system.time(r <- tryCatch(suppressWarnings(
      getIPD(preprocess(dat=d, trisk=at, nrisk=n, maxy=1), armID=1, tot.events=arm$events)),
      error=function(e) NULL))[["elapsed"]]
    if (is.null(r)) failed <- failed + 1 else taken <- c(taken, t)
  }
}
cat(toJSON(list(taken=taken, failed=failed, version=as.character(packageVersion("IPDfromKM"))), digits=NA, auto_unbox=TRUE))
"""


def ours(base: Path, grade: str) -> np.ndarray:
    """Return the seconds that each arm took."""
    taken = []
    for case in json.loads((base / "manifest.json").read_text(encoding="utf-8"))["cases"]:
        curves, published, _ = inputs(base, case, grade, ticks=False)
        for name, arm in published.items():
            known = ml.Published(n=arm.n, events=arm.events, at_risk=arm.at_risk)
            start = time.perf_counter()
            ml.reconstruct(curves[name], known)
            taken.append(time.perf_counter() - start)
    return np.array(taken)


def main() -> None:
    """Print seconds per arm for both and the ratios."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--set", default="public")
    parser.add_argument("--grade", default="click_fine", choices=list(KIND))
    options = parser.parse_args()
    rscript, base = shutil.which("Rscript"), options.folder / options.set
    if rscript is None:
        sys.exit("Rscript is not on the path: install R with IPDfromKM to compare.")
    script = f"base <- {json.dumps(str(base.resolve()))}; grade <- {json.dumps(options.grade)}\n{R_SCRIPT}"
    done = subprocess.run([rscript, "-"], input=script, capture_output=True, text=True, check=True)
    theirs = json.loads(done.stdout[done.stdout.index("{") :])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        ours(base, options.grade)
        seconds = ours(base, options.grade)
    print(f"{'seconds per arm':18}{'metaleptic':>12}{'IPDfromKM ' + theirs['version']:>18}{'ratio':>8}")
    for name, of in (("median", np.median), ("mean", np.mean)):
        mine, other = float(of(seconds)), float(of(theirs["taken"]))
        print(f"{name:18}{mine:12.4f}{other:18.4f}{other / mine:8.1f}")
    print(
        f"{'arms, failed':18}{f'{len(seconds)}, 0':>12}{len(theirs['taken']) + theirs['failed']:>14}, {theirs['failed']}"
    )


if __name__ == "__main__":
    main()
