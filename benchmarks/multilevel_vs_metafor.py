"""Time multilevel and multivariate fits beside R's metafor, in one run on one machine, and print the ratios.

Needs R with metafor on the path (Debian: r-cran-metafor). Both sides fit by REML from the same numbers; R is timed from
inside, without its start, with its default accuracy. Ours climbs from several starts and gives predictions of all random
effects with every fit.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
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
out <- list()
for (case in fromJSON("CASES_FILE", simplifyMatrix=TRUE, simplifyVector=TRUE, simplifyDataFrame=FALSE)) {
  dat <- as.data.frame(case$columns); dat$yi <- case$y
  V <- if (is.null(case$V)) case$v else matrix(unlist(case$V), length(case$y))
  X <- matrix(unlist(t(case$X)), length(case$y), byrow=TRUE)
  random <- lapply(case$random, as.formula); struct <- if (is.null(case$struct)) "CS" else case$struct
  once <- function() suppressWarnings(rma.mv(yi, V, mods=X, intercept=FALSE, random=random, struct=struct, data=dat))
  r <- once(); runs <- max(1, min(20, floor(4 / system.time(once())[["elapsed"]])))
  t <- system.time(for (i in 1:runs) once())[["elapsed"]] / runs
  out[[case$name]] <- list(seconds=t, loglik=as.numeric(logLik(r)))
}
cat(toJSON(list(version=as.character(packageVersion("metafor")), fits=out), auto_unbox=TRUE, digits=NA))
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


def main() -> None:
    """Print milliseconds per fit for both and the ratio."""
    rscript = shutil.which("Rscript")
    if rscript is None:
        sys.exit("Rscript is not on the path: install R with metafor to compare.")
    golden = json.loads(GOLDEN.read_text(encoding="utf-8"))
    cases = [case_of(name, fit_id, golden) for name, fit_id in CASES]
    ours = {}
    for theirs, e, arguments in cases:
        fit = ml.pool_multilevel(e, **arguments)
        start = time.perf_counter()
        for _ in range(runs := 10):
            ml.pool_multilevel(e, **arguments)
        ours[theirs["name"]] = ((time.perf_counter() - start) / runs, fit.loglik, len(e))
    scratch = Path(sys.argv[1]) if len(sys.argv) > 1 else Path.cwd()
    file = scratch / "multilevel_cases.json"
    file.write_text(json.dumps([theirs for theirs, _, _ in cases]), encoding="utf-8")
    script = R_SCRIPT.replace("CASES_FILE", file.as_posix())
    done = subprocess.run([rscript, "-"], input=script, capture_output=True, text=True, check=False)
    file.unlink()
    if done.returncode:
        sys.exit(done.stderr)
    found = json.loads(done.stdout[done.stdout.index("{") :])
    print(
        f"{'':<38}{'k':>5} {'metaleptic':>12} {'metafor ' + found['version']:>15} {'ratio':>7} {'log-likelihood higher by':>25}"
    )
    for name, (seconds, loglik, k) in ours.items():
        r = found["fits"][name]
        print(
            f"{name:<38}{k:>5} {1e3 * seconds:>9.1f} ms {1e3 * r['seconds']:>12.1f} ms {r['seconds'] / seconds:>7.1f} {loglik - r['loglik']:>25.1e}"
        )


if __name__ == "__main__":
    main()
