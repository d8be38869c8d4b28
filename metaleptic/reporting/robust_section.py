"""The part of a report that says whether an answer is robust: checks in words, figures, tables, each with its call."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Protocol

import numpy as np

from metaleptic.bayes.result import PooledBayes
from metaleptic.plots.draw import plot
from metaleptic.plots.plot import Plot
from metaleptic.pooling.result import Pooled
from metaleptic.reporting.origins import Origin
from metaleptic.sensitivity.baujat import Baujat
from metaleptic.sensitivity.confounding import EValue
from metaleptic.sensitivity.copas import Copas
from metaleptic.sensitivity.excess import ExcessSignificance
from metaleptic.sensitivity.fragility import Fragility
from metaleptic.sensitivity.henmi_copas import HenmiCopas
from metaleptic.sensitivity.influence import Influence
from metaleptic.sensitivity.leave_one_out import LeaveOneOut
from metaleptic.sensitivity.leave_one_out_bayes import LeaveOneOutBayes
from metaleptic.sensitivity.leave_out_coefficients import LeaveOneOutCoefficients
from metaleptic.sensitivity.limit import LimitMetaAnalysis
from metaleptic.sensitivity.multilevel_influence import MultilevelInfluence
from metaleptic.sensitivity.multiverse import Multiverse
from metaleptic.sensitivity.new_study import ProportionBeyond
from metaleptic.sensitivity.overlap_choices import OverlapChoices
from metaleptic.sensitivity.p_uniform import PUniform
from metaleptic.sensitivity.refit_influence import RefitInfluence
from metaleptic.sensitivity.robustness import Check, Robustness
from metaleptic.sensitivity.selection_model import SelectionModel
from metaleptic.sensitivity.small_study import SmallStudy
from metaleptic.sensitivity.trim_and_fill import TrimAndFill
from metaleptic.sensitivity.worst_case import WorstCase


class Checked(Protocol):
    """What the section needs of an answer: the fit, its checks, where each study comes from."""

    @property
    def fit(self) -> Any:
        """Return the fit."""

    @property
    def robust(self) -> Robustness | None:
        """Return its checks."""

    @property
    def origins(self) -> tuple[Origin, ...]:
        """Return where each study comes from."""


ENOUGH = 10  # below ten studies small-study effects cannot be judged: Sterne JAC et al. BMJ 2011;343:d4002
FEW = "with {k} studies a difference between small and large ones could hardly be seen; ten are needed."


@dataclass(frozen=True, slots=True)
class Told:
    """How the report tells a check: the call that makes it again, its source, the name of its figure ("" for none)."""

    call: str
    source: str
    figure: str = ""


VIECHTBAUER = "Viechtbauer W, Cheung MW-L. Res Synth Methods 2010;1:112-125"
TOLD: MappingProxyType[type, Told] = MappingProxyType(
    {
        LeaveOneOut: Told("ml.leave_one_out(fit)", VIECHTBAUER, "leave-one-out"),
        LeaveOneOutCoefficients: Told("ml.leave_one_out(fit)", VIECHTBAUER, "leave-one-out"),
        LeaveOneOutBayes: Told("ml.leave_one_out(fit)", VIECHTBAUER, "leave-one-out"),
        Influence: Told("ml.influence(fit)", VIECHTBAUER, "influence"),
        RefitInfluence: Told("ml.influence(fit)", VIECHTBAUER, "influence"),
        MultilevelInfluence: Told("ml.influence(fit)", VIECHTBAUER, "cook"),
        Baujat: Told("ml.baujat(fit)", "Baujat B et al. Stat Med 2002;21:2641-2652"),
        Multiverse: Told(
            "ml.multiverse(effects)", "Voracek M, Kossmeier M, Tran US. Z Psychol 2019;227:64-82", "multiverse"
        ),
        OverlapChoices: Told("ml.overlap_choices(fit)", "Wood J. BMJ 2008;337:a2023"),
        SmallStudy: Told("ml.small_study(fit)", "Egger M et al. BMJ 1997;315:629-634", "small-studies"),
        TrimAndFill: Told("ml.trim_and_fill(fit)", "Duval S, Tweedie R. Biometrics 2000;56:455-463", "filled"),
        HenmiCopas: Told("ml.henmi_copas(fit)", "Henmi M, Copas JB. Stat Med 2010;29:2969-2983"),
        LimitMetaAnalysis: Told("ml.limit_meta_analysis(fit)", "Rücker G et al. Biostatistics 2011;12:122-142"),
        SelectionModel: Told("ml.selection_model(fit)", "Vevea JL, Hedges LV. Psychometrika 1995;60:419-435"),
        Copas: Told("ml.copas(fit)", "Copas J, Shi JQ. Biostatistics 2000;1:247-262"),
        PUniform: Told("ml.p_uniform(fit)", "van Aert RCM, van Assen MALM. Meta-Psychology 2025;9"),
        ExcessSignificance: Told(
            "ml.excess_significance(fit)", "Ioannidis JPA, Trikalinos TA. Clin Trials 2007;4:245-253"
        ),
        WorstCase: Told("ml.worst_case(fit)", "Mathur MB, VanderWeele TJ. J R Stat Soc C 2020;69:1091-1119"),
        ProportionBeyond: Told(
            "ml.proportion_beyond(fit)", "Mathur MB, VanderWeele TJ. Res Synth Methods 2020;11:356-376"
        ),
        EValue: Told("ml.e_value(fit)", "VanderWeele TJ, Ding P. Ann Intern Med 2017;167:268-274"),
        Fragility: Told("ml.fragility(fit)", "Atal I et al. J Clin Epidemiol 2019;111:32-40"),
    }
)

MOST_CHOICES = 40
OF_MANY = (SmallStudy, TrimAndFill, LimitMetaAnalysis, SelectionModel, Copas, PUniform, ExcessSignificance)

CAPTIONS = MappingProxyType(
    {
        "side-by-side": "The pooled effect as answered, and as the checks below give it.",
        "leave-one-out": "The pooled effect without each study in turn.",
        "influence": "What each study changes, one diagnostic per column; dashed lines are the usual limits.",
        "cook": "How far the result moves without each study or group.",
        "multiverse": "Every analysis in order of its result, with its interval; marks below show which choices it made.",
        "small-studies": "What the regression test looks at: its line would be level if small and large studies agreed.",
        "filled": "Funnel plot; rings are the studies that a symmetric funnel would have more.",
    }
)


def source_of(record: object) -> str:
    """Return the source of a check."""
    return TOLD[type(record)].source if type(record) in TOLD else ""


@dataclass(frozen=True, slots=True)
class ToldCheck:
    """One check as the page shows it: all text, no numbers left to format."""

    question: str
    sentence: str
    call: str
    source: str
    figure: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True)
class RobustSection:
    """All checks of an answer, and those that could not be made, with their reasons."""

    summary: str
    checks: tuple[ToldCheck, ...]
    unanswered: tuple[tuple[str, str], ...]


def robust_section(answer: Checked) -> RobustSection | None:
    """Return the section of an answer; None where nothing was pooled."""
    if answer.robust is None:
        return None
    checks, unanswered = [], []
    for check in answer.robust.checks:
        reason = _why_not(check, answer)
        if reason:
            unanswered.append((check.question, reason))
            continue
        told = TOLD.get(type(check.record), Told("", ""))
        header, rows = _table(check.record, answer)
        checks.append(
            ToldCheck(check.question, check.sentence, told.call, told.source, _figure(check, answer), header, rows)
        )
    return RobustSection(_summary(answer), tuple(checks), tuple(unanswered))


def robust_figures(answer: Checked) -> list[tuple[str, Plot[Any]]]:
    """Draw the figures of the section: all pooled effects side by side, then those of the checks."""
    if answer.robust is None:
        return []
    drawn: list[tuple[str, Plot[Any]]] = []
    for check in answer.robust.checks:
        if not _why_not(check, answer) and _figure(check, answer):
            drawn.append((_figure(check, answer), plot(check.record)))
    if answer.fit.k >= 3 and isinstance(answer.fit, Pooled | PooledBayes):
        drawn.insert(0, ("side-by-side", plot(answer.robust)))
    return drawn


def _why_not(check: Check, answer: Checked) -> str:
    if check.record is None:
        return check.sentence.removeprefix("Not answered: ")
    k = min(answer.fit.k, getattr(getattr(check.record, "fit", answer.fit), "k", answer.fit.k))
    if isinstance(check.record, OF_MANY) and k < ENOUGH:
        return FEW.format(k=k)
    return ""


def _figure(check: Check, answer: Checked) -> str:
    few = isinstance(check.record, Multiverse) and answer.fit.k < 3
    return "" if few or type(check.record) not in TOLD else TOLD[type(check.record)].figure


def _summary(answer: Checked) -> str:
    """Say in one sentence how far the pooled effect moves over all checks."""
    fit, m = answer.fit, answer.fit.effects.measure
    estimate = getattr(fit, "estimate", None)
    if estimate is None or not np.isfinite(estimate.value):
        return ""
    values = [estimate.value]
    for check in answer.robust.checks if answer.robust is not None else ():
        if _why_not(check, answer):
            continue
        r = check.record
        if isinstance(r, LeaveOneOut | Multiverse):
            values += [v for v in r.value.tolist() if np.isfinite(v)]
        elif isinstance(r, LeaveOneOutCoefficients):
            values += np.asarray(m.to_printed(r.beta[np.isfinite(r.beta[:, 0]), 0])).tolist()
        elif isinstance(r, TrimAndFill):
            values.append(r.filled.estimate.value)
        elif isinstance(r, HenmiCopas | LimitMetaAnalysis | SelectionModel | PUniform) and r.estimate is not None:
            values.append(r.estimate.value)
        elif isinstance(r, Copas) and r.chosen is not None:
            values.append(float(r.value[r.chosen]))
        elif isinstance(r, OverlapChoices):
            values += r.value.tolist()
        elif isinstance(r, WorstCase):
            values.append(r.worst.value)
    unit = f" {m.unit}" if m.unit else ""
    values = [v for v in values if np.isfinite(v)]
    return (
        f"The answer above is {m.format(estimate.value)}{unit}. Over all checks below it lies between "
        f"{m.format(min(values))} and {m.format(max(values))}{unit}."
    )


def _table(record: Any, answer: Checked) -> tuple[tuple[str, ...], tuple[tuple[str, ...], ...]]:
    """Return header and rows of the checks that have a table; each study with the id of its row in the evidence."""
    m = answer.fit.effects.measure
    unit = f" {m.unit}" if m.unit else ""
    ids = [o.id for o in answer.origins]
    rows: list[tuple[str, ...]] = []
    if isinstance(record, LeaveOneOut):
        for i, study in enumerate(answer.fit.effects.study):
            interval = m.format_interval(record.low[i], record.high[i])
            if np.isfinite(record.value[i]):
                value = f"{m.format(record.value[i])}{unit} ({interval})"
                rows.append((study, ids[i], value, f"{record.i2[i]:.0f}%" if np.isfinite(record.i2[i]) else "–"))
            else:
                rows.append((study, ids[i], record.fits.reason[i], "–"))
        return ("Left out", "Evidence", "Result of the others", "I²"), tuple(rows)
    if isinstance(record, Influence):
        for i, study in enumerate(answer.fit.effects.study):
            numbers = _numbers((record.rstudent[i], record.dffits[i], record.cook[i], record.hat[i]))
            rows.append((study, ids[i], *numbers, "yes" if record.flagged[i] else "no"))
        header = ("Study", "Evidence", "Deleted residual", "DFFITS", "Cook's distance", "Hat", "Influential")
        return header, tuple(rows)
    if isinstance(record, RefitInfluence):
        for i, study in enumerate(answer.fit.effects.study):
            numbers = _numbers((record.rstudent[i], record.dffits[i], record.cook[i]))
            rows.append((study, ids[i], *numbers, "yes" if record.flagged[i] else "no"))
        return ("Study", "Evidence", "Deleted residual", "DFFITS", "Cook's distance", "Influential"), tuple(rows)
    if isinstance(record, Multiverse):
        return _choices(record)
    if isinstance(record, OverlapChoices) and record.groups:
        for i, taken in enumerate(record.taken[:MOST_CHOICES]):
            known = np.isfinite(record.value[i])
            interval = m.format_interval(record.low[i], record.high[i])
            value = f"{m.format(record.value[i])}{unit} ({interval})" if known else "cannot be pooled"
            rows.append((", ".join(taken), str(int(record.k[i])), value))
        return ("Cohorts taken", "Studies", "Result"), tuple(rows)
    return (), ()


def _choices(record: Multiverse) -> tuple[tuple[str, ...], tuple[tuple[str, ...], ...]]:
    """Return, for every choice and option, how many analyses take it and where their results lie."""
    m = record.effects.measure
    rows: list[tuple[str, ...]] = []
    for j, name in enumerate(record.dimensions):
        for i, option in enumerate(record.options[j]):
            at = record.chosen[:, j] == i
            low, high = float(record.value[at].min()), float(record.value[at].max())
            row: tuple[str, ...] = (
                name,
                option,
                str(int(at.sum())),
                m.format_interval(low, high) if low < high else m.format(low),
            )
            if m.has_null:
                side = record.conclusion[at]
                row += (f"{100 * np.mean(side == 0):.0f}%",)
            rows.append(row)
    header = ("Choice", "Option", "Analyses", "Results lie between")
    return (*header, f"Interval includes {m.format(m.null)}") if m.has_null else header, tuple(rows)


def _numbers(values: Sequence[float]) -> tuple[str, ...]:
    return tuple(f"{v:.2f}".replace("-", "−") if np.isfinite(v) else "–" for v in values)
