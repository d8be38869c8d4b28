"""Cut the golden values of multilevel and multivariate models, and of robust inference, out of a folder of results from R.

    python tests/golden/extract_multilevel.py REFERENCE_FOLDER TIPS

TIPS is a file with the names of the species of the phylogeny, in the order of its matrix. Every value keeps the R call;
every data set its publication. Moderators become formulas whose columns are checked against R's design matrix.
"""

from __future__ import annotations

import csv
import json
import re
import sys
from pathlib import Path
from typing import Any

import numpy as np

import metaleptic as ml
from metaleptic.design import design_matrix

HERE = Path(__file__).parent
SOURCES = {
    "assink2016": "Assink M, Wibbelink CJM. Quant Methods Psychol 2016;12:154-174",
    "bakdash2021": "Bakdash JZ et al. The validity of situation awareness for performance: a meta-analysis. 2021; doi:10.24433/CO.1682542.v4",
    "berkey1998": "Berkey CS et al. Stat Med 1998;17:2537-2550",
    "bornmann2007": "Bornmann L, Mutz R, Daniel HD. J Informetr 2007;1:226-238",
    "craft2003": "Craft LL et al. J Sport Exerc Psychol 2003;25:44-65",
    "curtis1998_ml": "Curtis PS, Wang X. Oecologia 1998;113:299-313; data of Hedges LV, Gurevitch J, Curtis PS. Ecology 1999;80:1150-1156",
    "demir2022": "Demir E, Öz S, Aral N, Gürsoy F. Psychol Rep 2022;127:447-464",
    "hasselblad1998_nma": "Hasselblad V. Med Decis Making 1998;18:37-43",
    "kearon1998_diag": "Kearon C et al. Ann Intern Med 1998;128:663-677",
    "konstantopoulos2011": "Konstantopoulos S. Res Synth Methods 2011;2:61-76",
    "lehmann2018_ml": "Lehmann GK, Elliot AJ, Calin-Jageman RJ. Evol Psychol 2018;16(4)",
    "lim2014": "Lim JN, Senior AM, Nakagawa S. Evolution 2014;68:2306-2318",
    "maire2019": "Maire A, Thierry E, Viechtbauer W, Daufresne M. Freshw Biol 2019;64:1143-1156",
    "senn2013_nma": "Senn S et al. Stat Methods Med Res 2013;22:169-189",
}
UNIVARIATE = {
    "anker2025_RR": "Anker SD et al. Nat Med 2025;31:2640-2646",
    "bcg_OR": "Colditz GA et al. JAMA 1994;271:698-702",
    "bcg_RR": "Colditz GA et al. JAMA 1994;271:698-702",
    "collins1985b_OR": "Collins R, Yusuf S, Peto R. BMJ 1985;290:17-23",
    "egger2001_OR": "Egger M, Davey Smith G, Altman DG (eds). Systematic Reviews in Health Care. BMJ Books 2001",
    "lee2004_OR": "Lee A, Done ML. Cochrane Database Syst Rev 2004;3:CD003281",
    "nielweise2007_OR": "Niel-Weise BS et al. J Antimicrob Chemother 2007;59:359-369",
    "yusuf1985_t6_PETO": "Yusuf S et al. Prog Cardiovasc Dis 1985;27:335-371, table 6",
}
FORMULAS = {
    "~ pubstatus": "~ pubstatus",
    "~ year + deltype": "~ year + C(deltype, contr.treatment(base='general'))",
    "~ measure": "~ measure",
    "~ 0 + outcome": "~ 0 + outcome",
    "~ 0 + outcome + outcome:I(year - 1983)": "~ 0 + outcome + outcome:I(year - 1983)",
    "~ type": "~ type",
    "~ 0 + var1.var2": "~ 0 + pair",
    "~ fungrp + time": "~ fungrp + time",
    "~ 0 + factor(study) + trt": "~ 0 + C(study) + C(trt, contr.treatment(base='no_contact'))",
    "~ 0 + group": "~ 0 + group",
    "~ I(year-mean(year))": "~ I(year - year.mean())",
    "~ gender + prereg": "~ gender + prereg",
    "~ 0 + study + treatment": "~ 0 + study + C(treatment, contr.treatment(base='placebo'))",
}
RENAMED = {"var1.var2": "pair", "species.phy": "phylogeny"}
CRAFT_INCOMPLETE = (14, 16, 17, 24, 25, 26, 27, 28, 29)  # rows without a correlation or with one unknown covariance


def load(path: Path) -> Any:
    """Read a JSON file."""
    return json.loads(path.read_text(encoding="utf-8"))


def rows_of(folder: Path) -> tuple[list[dict[str, str]], list[int]]:
    """Read the data, complete rows only, with their positions."""
    with (folder / "data.csv").open(encoding="utf-8", newline="") as stream:
        rows = [{RENAMED.get(c, c): x for c, x in r.items()} for r in csv.DictReader(stream)]
    out = set(CRAFT_INCOMPLETE) if "craft" in folder.name else set()
    kept = [i for i, r in enumerate(rows) if r["yi"] not in ("", "NA") and r["vi"] not in ("", "NA") and i not in out]
    return [rows[i] for i in kept], kept


def matrix(path: Path) -> np.ndarray:
    """Read a matrix without names."""
    with path.open(encoding="utf-8", newline="") as stream:
        return np.array([[np.nan if x == "NA" else float(x) for x in r] for r in csv.reader(stream)])


def packed(full: np.ndarray) -> dict[str, Any]:
    """Write a symmetric matrix as its distinct values and the lower triangle of their positions."""
    low = full[np.tril_indices(len(full))]
    values, at = np.unique(low, return_inverse=True)
    return {"values": values.tolist(), "at": at.tolist()}


def parsed(call: str) -> dict[str, Any]:
    """Turn an R call into arguments."""
    call = re.sub(r", control=list\(.*", "", call)
    found: dict[str, Any] = {"test": "t" if 'test="t"' in call else "z"}
    if m := re.search(r'struct="(\w+)"', call):
        found["struct"] = m.group(1)
    if m := re.search(r'method="(\w+)"', call):
        found["method"] = "REML" if m.group(1) == "EE" else m.group(1)
    if m := re.search(r"random = (list\(.*?\)(?=,)|~ [^,]+)", call):
        text = m.group(1)
        terms = [t.strip() for t in text[5:-1].split(",")] if text.startswith("list") else text
        for old, new in RENAMED.items():
            terms = [t.replace(old, new) for t in terms] if isinstance(terms, list) else terms.replace(old, new)
        found["random"] = terms
    if "rho=1/2" in call:
        found["rho"] = 0.5
    if "contain" in call:
        found["dfs"] = "contain"
    if m := re.search(r"mods = (~ .*?)(?=, random|, data|, struct|, method)", call):
        found["moderators"] = FORMULAS[m.group(1)]
    if m := re.match(r"rma.mv\(yi, (V2?),", call):
        found["V"] = m.group(1)
    return found


def column_order(e: ml.Effects, moderators: str | None, theirs: np.ndarray) -> list[int]:
    """Return where R has each of our columns."""
    ours = np.ones((len(e), 1)) if moderators is None else np.asarray(design_matrix(e, moderators).matrix)
    return [next(j for j in range(theirs.shape[1]) if np.allclose(theirs[:, j], c, atol=1e-12)) for c in ours.T]


def thin(values: list[Any]) -> dict[str, Any]:
    """Keep every value of short vectors and every seventh of long ones."""
    step = 1 if len(values) <= 40 else 7
    return {"step": step, "values": values[::step]}


def fit_of(entry: dict[str, Any], post: dict[str, Any], e: ml.Effects) -> dict[str, Any]:
    """Keep what is compared of one fit."""
    r, call = entry["result"], parsed(entry["call"])
    x = np.array(post[entry["id"] + "_X"]["data"], dtype=float)
    order = column_order(e, call.get("moderators"), x)
    stats = r["fit_stats"]
    names = {"UN", "HCS", "DIAG"}
    kept = {
        "id": entry["id"],
        "call": entry["call"],
        "arguments": call,
        **{key: [r[key][j] for j in order] for key in ("beta", "se", "pval", "ci_lb", "ci_ub")},
        **{key: r[key] for key in ("QE", "QEp", "QM", "QMp")},
        **{key: stats["ML" if call.get("method") == "ML" else "REML"][key] for key in ("ll", "AIC", "AICc", "BIC")},
        "ll_ML": stats["ML"]["ll"],
    }
    if "random" in call:
        kept["components"] = {
            "sigma2": r["sigma2"] if r["sigma2"] != [0] or "1 |" in str(call["random"]) else [],
            "tau2": np.atleast_1d(r["tau2"]).tolist() if "1 |" not in str(call["random"]) else [],
            "rho": r["rho"] if "1 |" not in str(call["random"]) and call.get("struct") not in ("ID", "DIAG") else [],
        }
        assert kept["components"]["sigma2"] or kept["components"]["tau2"], names
    for what, keys in (("predict", ("pred", "se", "pi.lb", "pi.ub")), ("rstandard", ("z",))):
        if (found := post.get(f"{entry['id']}_{what}")) is not None:
            kept[what] = {key: thin(found[key]) for key in keys if key in found}
    for what in ("hatvalues", "weights_rowsum"):
        if (found := post.get(f"{entry['id']}_{what}")) is not None:
            kept[what] = thin(found)
    for what in ("cooks", "rstudent"):
        if (found := post.get(f"{entry['id']}_{what}")) is not None:
            kept[what] = found if what == "cooks" else {key: found[key] for key in ("resid", "se")}
    if (found := post.get(f"{entry['id']}_ranef")) is not None:
        kept["ranef"] = [{key: thin(sorted(u[key])) for key in ("intrcpt", "se", "pi.lb")} for u in found.values()]
    return kept


def robust_of(folder: Path, fits: list[dict[str, Any]], post: dict[str, Any], e: ml.Effects) -> list[dict[str, Any]]:
    """Keep robust covariances, tests and Wald tests of one data set."""
    if not (folder / "robust.json").exists():
        return []
    calls = {x["id"]: x for x in load(folder / "manifest.json")["files"]["robust.json"]}
    by_id = {f["id"]: f for f in fits}
    found = []
    for entry in load(folder / "robust.json"):
        if "result" not in entry:
            continue
        name = max((i for i in by_id if entry["id"].startswith(i + "_")), key=len)
        x = np.array(post[name + "_X"]["data"], dtype=float)
        order = column_order(e, by_id[name]["arguments"].get("moderators"), x)
        r, what = entry["result"], entry["id"][len(name) + 1 :]
        cluster = re.search(r"cluster=dat\$(\w+)", calls[entry["id"]]["call"])
        assert cluster is not None
        kept: dict[str, Any] = {"fit": name, "what": what, "cluster": cluster.group(1), "call": entry["call"]}
        if what.startswith("vcov"):
            data = np.array(r["data"])[np.ix_(order, order)]
            kept["diagonal"], kept["first_row"] = np.diagonal(data).tolist(), data[0].tolist()
        elif what.startswith("coef"):
            for key in ("SE", "df_Satt", "p_Satt", "p_z", "p_t", "df_t"):
                if key in r:
                    kept[key] = [r[key][j] for j in order]
        elif what.startswith("robust"):
            kept |= {key: [r[key][j] for j in order] for key in ("se", "pval", "ci_lb", "ci_ub")}
            kept |= {"QM": r["QM"], "QMdf": r["QMdf"], "QMp": r["QMp"]}
        else:
            text = re.search(r"constrain_zero\((\d+):(\d+)\)", entry["call"])
            assert text is not None
            zero = range(int(text.group(1)) - 1, int(text.group(2)))
            kept |= {
                "zero": [order.index(j) for j in zero],
                **{k: r[k] for k in ("test", "Fstat", "df_num", "df_denom", "p_val")},
            }
        found.append(kept)
    return found


def collect(root: Path, tips: Path) -> dict[str, Any]:
    """Collect every multilevel data set."""
    found: dict[str, Any] = {}
    for name, source in SOURCES.items():
        folder = root / "frequentist" / f"mv_{name}"
        rows, kept = rows_of(folder)
        post = {x["id"]: x.get("result") for x in load(folder / "mv_post.json")}
        e = ml.effects(
            [float(r["yi"]) for r in rows],
            [float(r["vi"]) for r in rows],
            columns={c: [r[c] for r in rows] for c in rows[0]},
        )
        entries = load(folder / "mv.json")
        fits = [fit_of(x, post, e) for x in entries if "result" in x]
        text = json.dumps([f["arguments"] for f in fits]) + json.dumps(
            load(folder / "manifest.json")["files"].get("robust.json", [])
        )
        used = [c for c in rows[0] if c not in ("yi", "vi") and re.search(rf"\b{re.escape(c)}\b", text)]
        data: dict[str, Any] = {
            "source": source,
            "made_by": load(folder / "manifest.json")["prep"],
            "versions": {k: load(folder / "manifest.json")["versions"][k] for k in ("metafor", "clubSandwich")},
            "y": [float(r["yi"]) for r in rows],
            "v": [float(r["vi"]) for r in rows],
            "columns": {c: [r[c] for r in rows] for c in used},
            "failed_in_R": [x["id"] for x in entries if "result" not in x],
            "fits": fits,
        }
        for v in ("V", "V2"):
            if (folder / f"{v}.csv").exists():
                full = matrix(folder / f"{v}.csv")
                data[v] = packed(full[np.ix_(kept, kept)] if len(full) != len(kept) else full)
        if name == "lim2014":
            data["phylogeny"] = {"names": tips.read_text().split(), **packed(matrix(folder / "A.csv"))}
        if name == "maire2019":
            data["distances"] = {"names": [r["site_station"] for r in rows], **packed(matrix(folder / "dmat.csv"))}
        if (folder / "mv_confint.json").exists():
            data["profiles"] = [
                {
                    "fit": x["id"].removesuffix("_PL"),
                    "call": x["call"],
                    "intervals": [
                        i["random"]["data"][0] + [i["lb_sign"], i["ub_sign"]]
                        for i in (x["result"] if isinstance(x["result"], list) else [x["result"]])
                    ],
                }
                for x in load(folder / "mv_confint.json")
                if "result" in x
            ]
        data["tests"] = {
            x["id"]: {"call": x["call"]}
            | {
                key: x["result"][key]
                for key in ("LRT", "pval", "parms.f", "parms.r", "QM", "QMp", "se")
                if key in x["result"]
            }
            for x in load(folder / "mv_post.json")
            if x["id"] in ("LRT_district", "LRT_UN_CS", "contrast")
        }
        data["robust"] = robust_of(folder, fits, post, e)
        found[name] = data
    return found


def univariate(root: Path) -> dict[str, Any]:
    """Collect robust fits of the univariate model; R's coefficients are put in the order of ours."""
    found = {}
    for name, source in UNIVARIATE.items():
        folder = root / "frequentist" / name
        with (folder / "data.csv").open(encoding="utf-8", newline="") as stream:
            rows = [r for r in csv.DictReader(stream) if r["yi"] not in ("", "NA")]
        columns = {c: [r[c] for r in rows] for c in ("ablat", "year", "alloc") if c in rows[0]}
        fits = []
        calls = {x["id"]: x for x in load(folder / "manifest.json")["files"]["robust.json"]}
        for x in load(folder / "robust.json"):
            call = calls[x["id"]]
            mods = re.search(r"mods=(~ .*), data", call["setup"])
            r = x["result"]
            keys = ("beta", "se", "pval", "ci_lb", "ci_ub")
            fits.append(
                {"id": x["id"], "call": f"{call['setup']}; {call['call']}", "moderators": mods and mods.group(1)}
                | {key: r[key] for key in keys}
                | {"tau2": r["tau2"], "ddf": r["ddf"], "QM": r["QM"], "QMp": r["QMp"]}
            )
        found[name] = {
            "source": source,
            "y": [float(r["yi"]) for r in rows],
            "v": [float(r["vi"]) for r in rows],
            "columns": columns,
            "fits": fits,
        }
    return found


def main() -> None:
    """Write the golden file."""
    found = collect(Path(sys.argv[1]), Path(sys.argv[2]))
    text = json.dumps(univariate(Path(sys.argv[1])), separators=(",", ":"))
    (HERE / "robust.json").write_text(text + "\n", encoding="utf-8")
    (HERE / "multilevel.json").write_text(json.dumps(found, separators=(",", ":")) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
