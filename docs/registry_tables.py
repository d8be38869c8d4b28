"""The page of methods, written from the tables that the code itself reads: MEASURES, TAU2, TESTS, MODELS and the others."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from metaleptic.auditing.rules import RULES
from metaleptic.bayes.priors import PRIORS
from metaleptic.measures import MEASURES
from metaleptic.pooling.heterogeneity import TAU2
from metaleptic.pooling.models import MODELS
from metaleptic.pooling.multilevel.structures import STRUCTURES
from metaleptic.pooling.normal import TESTS
from metaleptic.pooling.sandwich import TYPES
from metaleptic.reporting.kinds import KINDS


def page() -> str:
    """Write the page in Markdown."""
    return "\n".join(
        [
            "# Tables of methods",
            "",
            "Every method of the package is one line in a table that carries its key, its name and the paper it comes from.",
            "This page is written from those tables when the site is built.",
            "",
            *_section(
                "Pooling models",
                "`MODELS`: the `model` of `ml.pool`. The first of its tests is the default.",
                ("key", "name", "tests", "source"),
                ((f"`{m.key}`", m.name, ", ".join(f"`{t}`" for t in m.tests), m.source) for m in MODELS.values()),
            ),
            *_section(
                "Between-study variance",
                "`TAU2`: the `tau2` of `ml.pool`. The keys are those of metafor.",
                ("key", "name", "source"),
                ((f"`{e.key}`", e.name, e.source) for e in TAU2.values()),
            ),
            *_section(
                "Intervals for the pooled effect",
                "`TESTS`: the `test` of `ml.pool`.",
                ("key", "name", "source"),
                ((f"`{t.key}`", t.name, t.source) for t in TESTS.values()),
            ),
            *_section(
                "Covariance structures",
                "`STRUCTURES`: the `struct` of `ml.pool_multilevel`, besides `GEN` for random slopes.",
                ("key", "name", "source"),
                ((f"`{x.key}`", x.name, x.source) for x in STRUCTURES.values()),
            ),
            *_section(
                "Corrections of cluster-robust covariances",
                "`TYPES`: the `type` of `ml.robust`, for m clusters, k effects and p coefficients.",
                ("key", "what", "source"),
                ((f"`{x.key}`", x.name, x.source) for x in TYPES.values()),
            ),
            *_section(
                "Priors on the heterogeneity",
                "`PRIORS`: the `tau` of `ml.pool_bayes`, as `ml.priors.<key>(...)`.",
                ("key", "name", "source"),
                ((f"`{p.key}`", p.name, p.source) for p in PRIORS.values()),
            ),
            *_section(
                "Effect measures",
                "`MEASURES`: what an effect is, the scale it is analysed on, and the printed value that means no effect.",
                ("key", "name", "analysed as", "no effect"),
                (
                    (f"`{m.key}`", m.label, m.scale, "–" if math.isnan(m.null) else f"{m.null:g}")
                    for m in MEASURES.values()
                ),
            ),
            *_section(
                "Kinds of published numbers",
                "`KINDS`: the `kind` of a question in an analysis file, and of `metaleptic pool --kind`.",
                ("key", "what is taken", "source"),
                ((f"`{k.key}`", k.words, k.source) for k in KINDS.values()),
            ),
            *_section(
                "Rules of the audit",
                "`RULES`: what `ml.audit` looks for. *Impossible* numbers cannot be right, *suspicious* ones need an explanation.",
                ("rule", "severity", "finds", "source"),
                ((f"`{r.key}`", r.severity, r.title, r.source) for r in RULES.values()),
            ),
        ]
    )


def _section(title: str, words: str, heads: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    body = ["| " + " | ".join(row) + " |" for row in rows]
    return [f"## {title}", "", words, "", "| " + " | ".join(heads) + " |", "|" + "---|" * len(heads), *body, ""]
