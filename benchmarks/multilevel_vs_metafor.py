"""Time multilevel and multivariate fits beside R's metafor, in one run on one machine, and print the ratios.

Needs R with metafor on the path (Debian: r-cran-metafor). Both sides fit by REML from the same numbers; R is timed from
inside, without its start, with its default accuracy. Ours climbs from several starts and gives predictions of all random
effects with every fit. Times are those of the processor, all threads together, so that other work on the machine does not count.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

import metaleptic as ml

GOLDEN = Path(__file__).parents[1] / "tests" / "golden" / "multilevel.json"
CASES = (
    ("konstantopoulos2011", "threelevel_REML"),
    ("konstantopoulos2011", "crossed_REML"),
    ("assink2016", "V_REML"),
    ("bakdash2021", "threelevel_REML"),
    ("bakdash2021", "measure_REML"),
    ("berkey1998", "UN_REML"),
    ("lim2014", "nophylo_REML"),
)
R_SCRIPT = """
suppressMessages({library(metafor); library(jsonlite)})
case <- fromJSON("CASE_FILE", simplifyMatrix=TRUE, simplifyVector=TRUE, simplifyDataFrame=FALSE)
dat <- as.data.frame(case$columns); dat$yi <- case$y
V <- if (is.null(case$V)) case$v else matrix(unlist(case$V), length(case$y))
X <- matrix(unlist(t(case$X)), length(case$y), byrow=TRUE)
random <- lapply(case$random, as.formula); struct <- if (is.null(case$struct)) "CS" else case$struct
once <- function() suppressWarnings(rma.mv(yi, V, mods=X, intercept=FALSE, random=random, struct=struct, data=dat))
r <- once(); runs <- max(1, min(20, floor(4 / system.time(once())[["elapsed"]])))
t <- sum(system.time(for (i in 1:runs) once())[1:2]) / runs
cat(toJSON(list(version=as.character(packageVersion("metafor")), seconds=t, loglik=as.numeric(logLik(r))), auto_unbox=TRUE, digits=NA))
"""


def unpacked(given: dict[str, Any], n: int) -> np.ndarray:
    """Restore a symmetric matrix from its distinct values."""
    full = np.zeros((n, n))
    full[np.tril_indices(n)] = np.array(given["values"])[given["at"]]
    return full + np.tril(full, -1).T


def case_of(name: str, fit_id: str, golden: dict[str, Any]) -> tuple[dict[str, Any], Any, dict[str, Any]]:
    """Return what R is given, and our effects and options."""
    data = golden[name]
    arguments = dict(next(f for f in data["fits"] if f["id"] == fit_id)["arguments"])
    e = ml.effects(data["y"], data["v"], columns=data["columns"])
    if "V" in arguments:
        arguments["V"] = unpacked(data[arguments["V"]], len(e))
    x = np.asarray(ml.pool_multilevel(e, **arguments).design.matrix)
    terms = arguments["random"]
    theirs = {
        "name": f"{name} {fit_id}",
        "y": data["y"],
        "v": data["v"],
        "columns": data["columns"],
        "V": arguments["V"].tolist() if "V" in arguments else None,
        "X": x.tolist(),
        "random": [terms] if isinstance(terms, str) else terms,
        "struct": arguments.get("struct"),
    }
    return theirs, e, arguments


def in_r(rscript: str, theirs: dict[str, Any]) -> dict[str, Any]:
    """Return the version of metafor, seconds per fit and the log-likelihood."""
    with tempfile.TemporaryDirectory() as scratch:
        file = Path(scratch) / "case.json"
        file.write_text(json.dumps(theirs), encoding="utf-8")
        script = R_SCRIPT.replace("CASE_FILE", file.as_posix())
        done = subprocess.run([rscript, "-"], input=script, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(done.stderr)
    found: dict[str, Any] = json.loads(done.stdout[done.stdout.index("{") :])
    return found


def main() -> None:
    """Print milliseconds per fit for both and the ratio, a line as soon as it is known."""
    rscript = shutil.which("Rscript")
    if rscript is None:
        sys.exit("Rscript is not on the path: install R with metafor to compare.")
    golden = json.loads(GOLDEN.read_text(encoding="utf-8"))
    print(
        f"{'':<38}{'k':>5} {'metaleptic':>12} {'metafor':>15} {'ratio':>7} {'log-likelihood higher by':>25}", flush=True
    )
    for name, fit_id in CASES:
        theirs, e, arguments = case_of(name, fit_id, golden)
        fit = ml.pool_multilevel(e, **arguments)
        start = time.process_time()
        for _ in range(runs := 10):
            ml.pool_multilevel(e, **arguments)
        seconds = (time.process_time() - start) / runs
        r = in_r(rscript, theirs)
        print(
            f"{theirs['name']:<38}{len(e):>5} {1e3 * seconds:>9.1f} ms {1e3 * r['seconds']:>12.1f} ms "
            f"{r['seconds'] / seconds:>7.1f} {fit.loglik - r['loglik']:>25.1e}",
            flush=True,
        )


if __name__ == "__main__":
    main()
