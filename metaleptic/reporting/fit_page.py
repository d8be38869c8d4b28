"""The page of a fit that is no single pooled value: regression, multilevel, location-scale, sampled posterior."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from metaleptic.bayes.pool_bayes_outcomes import OutcomesBayes
from metaleptic.bayes.result import PooledBayes
from metaleptic.plots.densities import prior_posterior
from metaleptic.plots.effect_plots import bubble
from metaleptic.plots.fitted import moderated
from metaleptic.plots.forest import forest
from metaleptic.plots.plot import Plot
from metaleptic.pooling.regression_result import Regression
from metaleptic.provenance import versions
from metaleptic.reporting.bayes_sentences import shrunken_words
from metaleptic.reporting.code import fit_code
from metaleptic.reporting.document import Figure, environment, style_of
from metaleptic.reporting.fit_answer import FitAnswer
from metaleptic.reporting.fit_words import AnyFit, coefficient_table, fit_title, interval_word
from metaleptic.reporting.methods_sentence import methods_sentence
from metaleptic.reporting.origins import left_out_of
from metaleptic.reporting.robust_section import CAPTIONS, RobustSection, robust_figures, robust_section
from metaleptic.sensitivity.subset_fits import ASKED_OF_ONE
from metaleptic.types import Estimate

ID = "result"


@dataclass(frozen=True, slots=True)
class FitSection:
    """The fit as the template shows it: all text, no numbers left to format."""

    id: str
    sentence: str
    remarks: tuple[str, ...]
    figures: tuple[Figure, ...]
    header: tuple[str, ...]
    coefficients: tuple[tuple[str, ...], ...]
    brief: str
    fitted_header: str
    studies: tuple[Mapping[str, str], ...]
    left_out: tuple[Mapping[str, str], ...]
    robust: RobustSection | None
    elsewhere: str
    robust_figures: Mapping[str, Figure]
    methods: str
    code: str
    provenance: tuple[tuple[str, str], ...]


def fit_figures(answer: FitAnswer) -> list[tuple[str, Plot[Any]]]:
    """Draw the figures of the fit, then those of its checks."""
    fit = answer.fit
    if isinstance(fit, OutcomesBayes):
        return [(f"forest-{i + 1}", forest(part, title=name)) for i, (name, part) in enumerate(fit.parts.items())]
    drawn: list[tuple[str, Plot[Any]]] = [("forest", forest(fit))]
    amounts = [n for n in fit.names if n != "intercept" and "[" not in n] if isinstance(fit, Regression) else []
    if isinstance(fit, Regression) and amounts:
        drawn.append(("bubble", bubble(fit, moderator=amounts[0])))
    if isinstance(fit, PooledBayes):
        drawn.append(("prior", prior_posterior(fit)))
    return drawn + robust_figures(answer)


def render_fit(answer: FitAnswer, figures: list[tuple[str, Plot[Any]]]) -> str:
    """Fill the template."""
    fit, env = answer.fit, environment()
    text = methods_sentence(fit)
    shown = {name: Figure(name, plot.svg(), plot.alt) for name, plot in figures}
    own = ("forest", "bubble", "prior")
    robust, elsewhere = _asked_here(answer)
    checks = dict.fromkeys(c.source for c in robust.checks if c.source) if robust is not None else {}
    sources = dict.fromkeys((*text.sources, *checks))
    cited = ", ".join(str(i) for i, s in enumerate(sources, start=1) if s in checks)
    header, coefficients = coefficient_table(fit)
    seed = fit.provenance.seed
    section = FitSection(
        id=ID,
        sentence=answer.sentence,
        remarks=answer.notes,
        figures=tuple(f for name, f in shown.items() if name.split("-")[0] in own),
        header=header,
        coefficients=tuple(coefficients),
        brief=repr(fit),
        fitted_header=_fitted_header(fit),
        studies=tuple(_studies(answer)),
        left_out=tuple(
            {"id": x.origin.id, "study": x.origin.label, "reason": x.reason} for x in left_out_of(fit.effects)
        ),
        robust=robust,
        elsewhere=elsewhere,
        robust_figures={name: f for name, f in shown.items() if name.split("-")[0] not in own},
        methods=text.text + (f" The checks of robustness follow [{cited}]." if cited else ""),
        code=fit_code(fit),
        provenance=(("call", fit.provenance.call), ("sha256 of the effects", fit.provenance.inputs_sha256)),
    )
    context: dict[str, Any] = {
        "title": fit_title(fit),
        "s": section,
        "references": list(enumerate(sources, start=1)),
        "captions": CAPTIONS,
        "versions": versions(),
        "inputs": [("the call above", fit.provenance.inputs_sha256)],
        "random_numbers": "No random numbers were used." if seed is None else f"Random numbers: seed {seed}.",
        "style": style_of(env),
    }
    return str(env.get_template("fit.html").render(context))


def _asked_here(answer: FitAnswer) -> tuple[RobustSection | None, str]:
    """Return the checks of the fit, and in one sentence those that are asked of one pooled value only."""
    section = robust_section(answer)
    if section is None:
        return None, ""
    other = [q for q, reason in section.unanswered if ASKED_OF_ONE in reason or "multiverse" in reason]
    kept = tuple((q, reason) for q, reason in section.unanswered if q not in other)
    words = f"Asked of one pooled value, ml.robustness(ml.pool(effects)): {' '.join(other)}" if other else ""
    return replace(section, unanswered=kept), words


def _fitted_header(fit: AnyFit) -> str:
    level = f"({100 * fit.level:g}% {interval_word(fit)})"
    if moderated(fit) is not None:
        return f"Fitted {level}"
    return f"Posterior {level}" if isinstance(fit, PooledBayes | OutcomesBayes) else ""


def _studies(answer: FitAnswer) -> list[Mapping[str, str]]:
    fit, e, m = answer.fit, answer.fit.effects, answer.fit.effects.measure
    found = moderated(fit)
    weights = getattr(fit, "weights", None) if found is None else found.weights
    unit = f" {m.unit}" if m.unit else ""
    rows: list[Mapping[str, str]] = []
    for i, o in enumerate(answer.origins):
        fitted = ""
        if found is not None:
            fitted = _words(found.fitted[i], fit)
        elif isinstance(fit, PooledBayes):
            fitted = shrunken_words(fit, i)
        elif isinstance(fit, OutcomesBayes):
            fitted = _words(fit.row_effect(i), fit)
        rows.append(
            {
                "study": o.label,
                "id": o.id,
                "n": f"{e.n[i]:.0f}" if e.n[i] == e.n[i] else "not printed",
                "used": o.printed.replace(" (", f"{unit} (", 1),
                "how": e.how[i],
                "weight": "" if weights is None else f"{weights[i]:.1f}%",
                "fitted": fitted,
            }
        )
    return rows


def _words(e: Estimate, fit: AnyFit) -> str:
    m = fit.effects.measure
    return f"{m.format(e.value)} ({m.format_interval(e.low, e.high)})"
