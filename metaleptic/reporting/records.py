"""Results as plain rows and records, for ``results.csv`` and ``results.json``."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from metaleptic.pooling.result import Pooled
from metaleptic.provenance import versions
from metaleptic.reporting.analysis import Analysis
from metaleptic.reporting.answers import Answer
from metaleptic.reporting.sentences import answer_sentence
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
    return found


def _interval(e: Estimate) -> dict[str, Any]:
    return {"value": e.value, "low": e.low, "high": e.high, "level": e.level}


def _numbers(fit: Pooled) -> dict[str, Any]:
    return _interval(fit.estimate) | {"n": fit.patients or math.nan, "tau2": fit.tau2, "i2": fit.i2, "how": fit.method}


def to_csv(answers: Sequence[Answer]) -> str:
    """Write the rows as CSV; full precision, empty where there is no number."""
    out = io.StringIO()
    writer = csv.DictWriter(out, COLUMNS, lineterminator="\n")
    writer.writeheader()
    for row in rows(answers):
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
    fit = a.fit
    return {
        "id": a.question.id,
        "ask": a.question.ask,
        "answer": answer_sentence(a),
        "measure": fit.effects.measure.key,
        "unit": fit.effects.measure.unit,
        "studies": fit.k,
        "estimate": asdict(fit.estimate),
        "prediction": asdict(fit.prediction) if fit.prediction else None,
        "beta": fit.beta.tolist(),
        "se": fit.se.tolist(),
        "tau2": fit.tau2,
        "tau": asdict(fit.tau),
        "i2": fit.i2,
        "h2": fit.h2,
        "q": fit.q,
        "q_df": fit.q_df,
        "q_p": fit.q_p,
        "p": fit.p,
        "loglik": fit.loglik,
        "model": fit.model,
        "tau2_method": fit.tau2_method,
        "test": fit.test,
        "method": fit.method,
        "subgroups": None
        if a.groups is None
        else {
            "by": a.groups.by,
            "q": a.groups.q,
            "df": a.groups.q_df,
            "p": a.groups.q_p,
            "groups": {
                name: {"studies": g.k, "estimate": asdict(g.estimate), "tau2": g.tau2}
                for name, g in a.groups.groups.items()
            },
        },
        "leave_one_out": None
        if a.influence is None
        else [
            {"left_out": s, "value": float(v), "low": float(lo), "high": float(hi)}
            for s, v, lo, hi in zip(
                fit.effects.study, a.influence.value, a.influence.low, a.influence.high, strict=True
            )
        ],
        "rows": _rows(a),
        "left_out": [
            {"id": x.origin.id, "study": x.origin.label, "printed": x.origin.printed, "reason": x.reason}
            for x in a.left_out
        ],
        "findings": [asdict(f) for f in a.findings],
        "remarks": list(a.remarks),
        "provenance": {
            "call": fit.provenance.call,
            "effects_sha256": fit.provenance.inputs_sha256,
            "rows_sha256": a.table_sha256,
        },
    }


def json_ready(value: Any) -> Any:
    """Replace NaN by null and infinities by words: JSON knows neither."""
    if isinstance(value, dict):
        return {k: json_ready(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [json_ready(v) for v in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None if math.isnan(value) else ("not reached" if value > 0 else "-infinity")
    return value
