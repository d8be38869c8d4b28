"""Cut the golden values of the Bayesian tests out of a folder of results from R and from quadrature.

    python tests/bayes/golden/extract.py REFERENCE_FOLDER

Every fit keeps the call that made it; every data set the publication it comes from.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
SOURCES = {
    "rubin1981": "Rubin DB. J Educ Stat 1981;6:377-401",
    "crins2014_AR": "Crins ND et al. Pediatr Transplant 2014;18:839-850, acute rejection",
    "crins2014_PTLD": "Crins ND et al. Pediatr Transplant 2014;18:839-850, lymphoproliferative disease",
    "crins2014_AR_rct": "Crins ND et al. Pediatr Transplant 2014;18:839-850, acute rejection, randomised",
    "cochran1954": "Cochran WG. Biometrics 1954;10:101-129",
    "baeten2013_map": "Baeten D et al. Lancet 2013;382:1705-1713, historical controls",
    "bcg": "Colditz GA et al. JAMA 1994;271:698-702",
}
MORE = {
    "peto1980_t5_0.58_ig1.77_0.55": "Peto R. Lancet 1980;1:1172-1173, aspirin after myocardial infarction",
    "hinks2010_t5_0.58_ig1.77_0.55": "Hinks A et al. Ann Rheum Dis 2010;69:1049-1053",
}


def short(x: Any, digits: int = 12) -> Any:
    """Round to so many digits."""
    if isinstance(x, float):
        return float(f"{x:.{digits}g}")
    if isinstance(x, dict):
        return {k: short(v, digits) for k, v in x.items()}
    return [short(v, digits) for v in x] if isinstance(x, list) else x


def data(root: Path) -> dict[str, Any]:
    """Collect the data sets."""
    sets = json.loads((root / "datasets.json").read_text(encoding="utf-8"))
    found = {k: {"source": s, "y": sets[k]["y"], "sigma": sets[k]["sigma"]} for k, s in SOURCES.items()}
    more = {f["id"]: f for f in json.loads((root / "robma.json").read_text(encoding="utf-8"))["fits"]}
    for k, s in MORE.items():
        found[k.split("_")[0]] = {"source": s, "y": more[k]["y"], "sigma": more[k]["se"]}
    return found


def bayesmeta(root: Path) -> dict[str, Any]:
    """Collect the fits of bayesmeta: summaries, quantiles, shrunken effects and the accuracy it was asked for."""
    fits = []
    keep = (
        "dataset",
        "prior",
        "tau_prior",
        "mu_prior",
        "delta",
        "epsilon",
        "summary",
        "quantile_p",
        "q_tau",
        "q_mu",
        "q_pred",
        "q_theta1",
        "p_mu_lt0",
        "p_pred_lt0",
        "dens_grid_tau",
        "dens_tau",
        "dens_grid_mu",
        "dens_mu",
        "dens_pred",
        "exact",
        "bayes_factor",
        "shrinkage_weights_theta1",
    )
    for name in SOURCES:
        found = json.loads((root / f"bayesmeta_{name}.json").read_text(encoding="utf-8"))
        software = found["software"]
        for fit in (f for f in found["fits"] if "theta_i" in f):  # R refused the others
            row = {k: fit[k] for k in (*keep, "marginal_likelihood", "log_integral", "weights") if k in fit}
            row["summary"] = {k: v for k, v in row["summary"].items() if k != "theta"}
            row["theta"] = [[t[k] for k in ("median", "mean", "sd")] for t in fit["theta_i"]]
            mu = fit["mu_prior"]
            row["call"] = (
                f"bayesmeta(y, sigma, tau.prior={json.dumps(fit['tau_prior'])}, mu.prior=c({mu['mean']}, {mu['sd']}), "
                f"delta={fit['delta']}, epsilon={fit['epsilon']})"
            )
            fits.append(row)
    return {"software": software, "fits": short(fits, 9)}


def quadrature(root: Path) -> dict[str, Any]:
    """Collect the fits by another author's quadrature, one study's effect each."""
    found = json.loads((root / "exact_nnhm.json").read_text(encoding="utf-8"))
    fits = [{**f, "theta": f["theta"][:1]} if "theta" in f else f for f in found["fits"]]
    return {"software": found["note"], "fits": short(fits)}


def averaging(root: Path) -> dict[str, Any]:
    """Collect metaBMA's marginal likelihoods under four priors on the effect, and RoBMA's with a quadrature beside them."""
    found = json.loads((root / "metabma.json").read_text(encoding="utf-8"))
    robma = json.loads((root / "robma.json").read_text(encoding="utf-8"))
    beside = {x["id"]: x for x in json.loads((root / "robma_vs_quadrature.json").read_text(encoding="utf-8"))}
    keep = ("id", "logml", "model_priors", "y", "se", "estimates", "conditional")
    fits = [{k: f[k] for k in keep} | {"quadrature": beside.get(f["id"])} for f in robma["fits"]]
    return {
        "software": found["software"],
        "fits": [short(f) for f in found["fits"]],
        "robma_software": robma["software"],
        "robma": short(fits),
    }


def regression(root: Path) -> dict[str, Any]:
    """Collect bayesmeta's meta-regressions."""
    found = json.loads((root / "bmr.json").read_text(encoding="utf-8"))
    return {"software": found["software"], "fits": short(found["fits"])}


def log_t(root: Path) -> dict[str, Any]:
    """Collect a quadrature over the empirical log-t priors."""
    found = json.loads((root / "rhodes_exact.json").read_text(encoding="utf-8"))
    return {"software": found["note"], "fits": short([f for f in found["fits"] if f["dataset"] in data(root)])}


def tables(root: Path) -> dict[str, Any]:
    """Collect the published tables of empirical priors as other software holds them."""
    found = json.loads((root / "informative_priors.json").read_text(encoding="utf-8"))
    rows = {k: [list(row.values()) for row in found[k]] for k in ("turner", "rhodes")}
    cochrane = [[c["name"], c["parameter"], c["type"], list(c["parameters"].values())] for c in found["cochrane"]]
    return {"software": found["source"], **rows, "cochrane": cochrane}


def coverage(root: Path) -> dict[str, Any]:
    """Count what each file of the folder holds, and say what is not compared and why."""
    found: dict[str, Any] = {}
    for path in sorted(root.glob("*.json")):
        content = json.loads(path.read_text(encoding="utf-8"))
        fits = content["fits"] if isinstance(content, dict) and "fits" in content else []
        out: dict[str, int] = {}
        for fit in fits if isinstance(fits, list) else []:
            if "error" in fit:
                reason = f"refused by R: {fit['dataset']} {fit['prior']}"
            elif path.name == "rhodes_exact.json" and fit["dataset"] not in data(root):
                reason = f"effects not in the folder: {fit['dataset']}"
            else:
                continue
            out[reason] = out.get(reason, 0) + 1
        found[path.name] = {"fits": len(fits), "left_out": out}
    return found


def main() -> None:
    """Write the golden files."""
    root = Path(sys.argv[1])
    made = {"data": data, "bayesmeta": bayesmeta, "quadrature": quadrature, "averaging": averaging}
    made |= {"regression": regression, "log_t": log_t, "tables": tables, "coverage": coverage}
    for name, function in made.items():
        text = json.dumps(function(root), ensure_ascii=False, separators=(",", ":"))
        (HERE / f"{name}.json").write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
