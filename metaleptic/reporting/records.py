"""Results as plain rows and records, for ``results.csv`` and ``results.json``."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from metaleptic.pooling.regression_result import Regression
from metaleptic.pooling.result import Pooled
from metaleptic.pooling.subgroups import Subgroups
from metaleptic.provenance import versions
from metaleptic.reporting.analysis import Analysis
from metaleptic.reporting.answers import Answer
from metaleptic.reporting.bayes_record import bayes_record
from metaleptic.reporting.fit_answer import FitAnswer
from metaleptic.reporting.fit_words import coefficients, fit_title
from metaleptic.reporting.sentences import answer_sentence
from metaleptic.sensitivity.leave_one_out import LeaveOneOut
from metaleptic.sensitivity.robustness import Robustness
from metaleptic.types import Estimate

COLUMNS = (
    "question",
    "role",
    "name",
    "value",
    "low",
    "high",
    "level",
    "n",
    "events",
    "weight",
    "tau2",
    "i2",
    "measure",
    "unit",
    "how",
    "evidence_id",
    "printed",
    "reference",
)


def rows(answers: Sequence[Answer]) -> list[dict[str, Any]]:
    """Return one row per study, subgroup, pooled value and prediction interval of every question."""
    return [row for answer in answers for row in _rows(answer)]


def _rows(answer: Answer) -> list[dict[str, Any]]:
    fit, e = answer.fit, answer.fit.effects
    base = {"question": answer.question.id, "measure": e.measure.key, "unit": e.measure.unit}
    low, high = e.measure.printed_bounds(e.low, e.high)
    found = [
        base
        | {
            "role": "study",
            "name": e.study[i],
            "value": float(e.printed[i]),
            "low": float(low[i]),
            "high": float(high[i]),
            "level": e.level,
            "n": float(e.n[i]),
            "events": float(e.events[i]),
            "weight": float(fit.weights[i]),
            "how": e.how[i],
            "evidence_id": o.id,
            "printed": o.printed,
            "reference": o.reference,
        }
        for i, o in enumerate(answer.origins)
    ]
    if answer.groups is not None:
        found += [base | {"role": "subgroup", "name": name} | _numbers(g) for name, g in answer.groups.groups.items()]
    found.append(base | {"role": "pooled" if fit.k > 1 else "single study", "name": "all studies"} | _numbers(fit))
    if fit.prediction is not None:
        found.append(base | {"role": "prediction interval", "name": "new study"} | _interval(fit.prediction))
    if answer.bayes is not None:
        for post in (answer.bayes.post, *answer.bayes.others):
            how = {"how": post.method, "reference": post.prior.source}
            named = {"role": "posterior", "name": f"{post.prior.words} prior"}
            found.append(base | named | _interval(post.estimate) | how | {"n": post.patients or math.nan})
            new = Estimate(post.prediction.value, post.prediction.low, post.prediction.high, post.level, "prediction")
            found.append(base | named | {"role": "posterior prediction"} | _interval(new) | how)
    return found


def fit_rows(answer: FitAnswer) -> list[dict[str, Any]]:
    """Return one row per coefficient (analysis scale) and per study of a fit of another shape."""
    fit, e = answer.fit, answer.fit.effects
    base = {"question": "result", "measure": e.measure.key, "unit": e.measure.unit}
    found = [
        base
        | {"role": f"coefficient{f' ({c.part})' if c.part else ''}", "name": c.term, "how": fit.method}
        | {"value": c.value, "low": c.low, "high": c.high, "level": fit.level}
        for c in coefficients(fit)
    ]
    estimate = getattr(fit, "estimate", None)
    if estimate is not None and math.isfinite(estimate.value):
        found.append(base | {"role": "pooled", "name": "all studies", "how": fit.method} | _interval(estimate))
    low, high = e.measure.printed_bounds(e.low, e.high)
    studies = [
        {
            "role": "study",
            "name": e.study[i],
            "value": float(e.printed[i]),
            "low": float(low[i]),
            "high": float(high[i]),
            "level": e.level,
            "n": float(e.n[i]),
            "events": float(e.events[i]),
            "how": e.how[i],
            "evidence_id": o.id,
            "printed": o.printed,
        }
        for i, o in enumerate(answer.origins)
    ]
    return found + [base | row for row in studies]


def fit_to_json(answer: FitAnswer) -> str:
    """Write a fit of another shape: what it says, its numbers, checks, versions, fingerprints."""
    fit = answer.fit
    content = {
        "title": fit_title(fit),
        "versions": dict(versions()),
        "seed": fit.provenance.seed,
        "answer": answer.sentence,
        "measure": fit.effects.measure.key,
        "studies": fit.k,
        "level": fit.level,
        "method": fit.method,
        "coefficients": [asdict(c) for c in coefficients(fit)],
        "brief": repr(fit).splitlines(),
        "robustness": [] if answer.robust is None else _robust_record(answer.robust),
        "rows": fit_rows(answer),
        "notes": list(answer.notes),
        "provenance": asdict(fit.provenance),
    }
    return json.dumps(json_ready(content), indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def _interval(e: Estimate) -> dict[str, Any]:
    return {"value": e.value, "low": e.low, "high": e.high, "level": e.level}


def _numbers(fit: Pooled) -> dict[str, Any]:
    return _interval(fit.estimate) | {"n": fit.patients or math.nan, "tau2": fit.tau2, "i2": fit.i2, "how": fit.method}


def to_csv(found: Sequence[Mapping[str, Any]]) -> str:
    """Write rows as CSV; full precision, empty where there is no number."""
    out = io.StringIO()
    writer = csv.DictWriter(out, COLUMNS, lineterminator="\n")
    writer.writeheader()
    for row in found:
        writer.writerow({k: _cell(row.get(k, "")) for k in COLUMNS})
    return out.getvalue()


def _cell(value: Any) -> Any:
    if isinstance(value, float):
        return "" if math.isnan(value) else repr(value) if math.isfinite(value) else ("inf" if value > 0 else "-inf")
    return value


def to_json(analysis: Analysis, answers: Sequence[Answer]) -> str:
    """Write everything a machine may want to know: results, options, versions, fingerprints."""
    content = {
        "title": analysis.title,
        "analysis_sha256": analysis.sha256,
        "versions": dict(versions()),
        "seed": None,
        "questions": [_record(a) for a in answers],
    }
    return json.dumps(json_ready(content), indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def _record(a: Answer) -> dict[str, Any]:
    return {
        "id": a.question.id,
        "ask": a.question.ask,
        "answer": answer_sentence(a),
        **fit_record(a.fit),
        "subgroups": None if a.groups is None else subgroups_record(a.groups),
        "leave_one_out": None if a.influence is None else _influence_record(a.influence),
        "bayes": None
        if a.bayes is None
        else {
            "posterior": bayes_record(a.bayes.post),
            "other_priors": [bayes_record(post) for post in a.bayes.others],
            "power_scale": a.bayes.power and {"mu": list(a.bayes.power.mu), "tau": list(a.bayes.power.tau)},
        },
        "robustness": [] if a.robust is None else _robust_record(a.robust),
        "rows": _rows(a),
        "left_out": [
            {"id": x.origin.id, "study": x.origin.label, "printed": x.origin.printed, "reason": x.reason}
            for x in a.left_out
        ],
        "findings": [asdict(f) for f in a.findings],
        "remarks": list(a.remarks),
        "provenance": {
            "call": a.fit.provenance.call,
            "effects_sha256": a.fit.provenance.inputs_sha256,
            "rows_sha256": a.table_sha256,
        },
    }


def fit_record(fit: Pooled) -> dict[str, Any]:
    """Return the numbers of a pooled result as plain values."""
    same = ("tau2", "i2", "h2", "q", "q_df", "q_p", "p", "loglik", "model", "tau2_method", "test", "method")
    return {
        "measure": fit.effects.measure.key,
        "unit": fit.effects.measure.unit,
        "studies": fit.k,
        "estimate": asdict(fit.estimate),
        "prediction": asdict(fit.prediction) if fit.prediction else None,
        "beta": fit.beta.tolist(),
        "se": fit.se.tolist(),
        "tau": asdict(fit.tau),
        **{name: getattr(fit, name) for name in same},
    }


def regression_record(fit: Regression) -> dict[str, Any]:
    """Return the numbers of a meta-regression as plain values, coefficients on the analysis scale."""
    of_each = ("beta", "se", "statistic", "p", "low", "high")
    same = ("df", "qm", "qm_df", "qm_df2", "qm_p", "tau2", "i2", "h2", "r2", "q", "q_df", "q_p", "loglik")
    return {
        "measure": fit.effects.measure.key,
        "unit": fit.effects.measure.unit,
        "studies": fit.k,
        "coefficients": [
            {"term": term} | {name: float(getattr(fit, name)[j]) for name in of_each}
            for j, term in enumerate(fit.names)
        ],
        "tau": asdict(fit.tau),
        **{name: getattr(fit, name) for name in (*same, "model", "tau2_method", "test", "method", "level")},
    }


def subgroups_record(groups: Subgroups) -> dict[str, Any]:
    """Return the subgroups and the test between them as plain values."""
    return {
        "by": groups.by,
        "q": groups.q,
        "df": groups.q_df,
        "p": groups.q_p,
        "groups": {
            name: {"studies": g.k, "estimate": asdict(g.estimate), "tau2": g.tau2} for name, g in groups.groups.items()
        },
    }


def _influence_record(influence: LeaveOneOut) -> list[dict[str, Any]]:
    columns = (influence.fit.effects.study, influence.value, influence.low, influence.high)
    return [
        {"left_out": study, "value": float(value), "low": float(low), "high": float(high)}
        for study, value, low, high in zip(*columns, strict=True)
    ]


def _robust_record(robust: Robustness) -> list[dict[str, Any]]:
    return [
        {"question": c.question, "answered": c.record is not None, "answer": c.sentence.removeprefix("Not answered: ")}
        for c in robust.checks
    ]


def json_ready(value: Any) -> Any:
    """Replace NaN by null and infinities by words: JSON knows neither."""
    if isinstance(value, dict):
        return {k: json_ready(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [json_ready(v) for v in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None if math.isnan(value) else ("not reached" if value > 0 else "-infinity")
    return value
