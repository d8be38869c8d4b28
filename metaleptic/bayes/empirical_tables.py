"""What other meta-analyses have found about heterogeneity: the published tables behind the empirical priors.

Turner RM et al. Stat Med 2015;34:984-998, table IV: log-normal (mean, sd) of tau2 for log odds ratios.
Rhodes KM et al. J Clin Epidemiol 2015;68:52-60: log-t with 5 degrees of freedom (location, scale) of tau2 for
standardised mean differences. The tables of Bartos are in ``cochrane_table.py``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from metaleptic.bayes.cochrane_table import COCHRANE
from metaleptic.errors import OptionError

Pairs = tuple[tuple[float, float], ...]

TURNER_COMPARISONS = (
    "pharmacological vs. placebo / control",
    "pharmacological vs. pharmacological",
    "non-pharmacological vs. placebo / control",
    "non-pharmacological vs. pharmacological",
    "non-pharmacological vs. non-pharmacological",
)
TURNER: Mapping[str, Pairs] = MappingProxyType(
    {
        "all-cause mortality": ((-3.95, 1.34), (-4.18, 1.41), (-4.17, 1.55), (-2.92, 1.02), (-3.5, 1.26)),
        "obstetric outcomes": ((-3.52, 1.74), (-3.75, 1.79), (-3.74, 1.91), (-2.49, 1.5), (-3.08, 1.68)),
        "cause-specific mortality / major morbidity event / composite (mortality or morbidity)": (
            (-3.71, 1.74),
            (-3.95, 1.79),
            (-3.93, 1.91),
            (-2.68, 1.51),
            (-3.27, 1.68),
        ),
        "resource use / hospital stay / process": (
            (-2.34, 1.74),
            (-2.58, 1.79),
            (-2.56, 1.91),
            (-1.31, 1.5),
            (-1.9, 1.68),
        ),
        "surgical / device related success / failure": (
            (-2.14, 1.74),
            (-2.37, 1.79),
            (-2.36, 1.91),
            (-1.11, 1.5),
            (-1.69, 1.68),
        ),
        "withdrawals / drop-outs": ((-2.99, 1.74), (-3.23, 1.79), (-3.21, 1.91), (-1.96, 1.51), (-2.55, 1.68)),
        "internal / structure-related outcomes": (
            (-2.71, 1.74),
            (-2.94, 1.79),
            (-2.93, 1.92),
            (-1.67, 1.51),
            (-2.26, 1.68),
        ),
        "general physical health indicators": (
            (-2.29, 1.53),
            (-2.53, 1.58),
            (-2.51, 1.72),
            (-1.26, 1.25),
            (-1.85, 1.46),
        ),
        "adverse events": ((-1.87, 1.52), (-2.1, 1.58), (-2.1, 1.71), (-0.84, 1.24), (-1.43, 1.45)),
        "infection / onset of new disease": ((-2.49, 1.52), (-2.73, 1.58), (-2.71, 1.71), (-1.46, 1.24), (-2.05, 1.45)),
        "signs / symptoms reflecting continuation / end of condition": (
            (-2.06, 1.51),
            (-2.29, 1.58),
            (-2.28, 1.71),
            (-1.03, 1.24),
            (-1.61, 1.45),
        ),
        "pain": ((-1.83, 1.52), (-2.06, 1.58), (-2.05, 1.71), (-0.8, 1.25), (-1.38, 1.45)),
        "quality of life / functioning (dichotomized)": (
            (-2.54, 1.54),
            (-2.78, 1.6),
            (-2.77, 1.73),
            (-1.51, 1.27),
            (-2.1, 1.47),
        ),
        "mental health indicators": ((-2.12, 1.53), (-2.35, 1.6), (-2.34, 1.72), (-1.09, 1.27), (-1.67, 1.47)),
        "biological markers (dichotomized)": ((-1.77, 1.52), (-2.0, 1.58), (-1.99, 1.71), (-0.74, 1.24), (-1.33, 1.45)),
        "subjective outcomes (various)": ((-2.7, 1.52), (-2.93, 1.58), (-2.92, 1.71), (-1.67, 1.25), (-2.26, 1.45)),
    }
)
TURNER_ANY = (-2.56, 1.74)  # Turner RM et al. Int J Epidemiol 2012;41:818-827

RHODES_COMPARISONS = (
    "pharmacological vs. placebo / control",
    "pharmacological vs. pharmacological",
    "non-pharmacological (any)",
)
RHODES: Mapping[str, Mapping[str, Pairs]] = MappingProxyType(
    {
        "other": MappingProxyType(
            {
                "obstetric outcome": ((-4.13, 2.34), (-4.4, 2.31), (-3.99, 2.11)),
                "resource use and hospital stay / process": ((-2.55, 2.73), (-2.83, 2.7), (-2.41, 2.57)),
                "internal and external structure-related outcome": ((-2.43, 2.5), (-2.7, 2.46), (-2.29, 2.32)),
                "general physical health and adverse event and pain and quality of life / functioning": (
                    (-3.16, 2.5),
                    (-3.44, 2.44),
                    (-3.02, 2.27),
                ),
                "signs / symptoms reflecting continuation / end of condition and infection / onset of new acute / chronic disease": (
                    (-3.0, 2.5),
                    (-3.27, 2.47),
                    (-2.86, 2.33),
                ),
                "mental health outcome": ((-2.99, 2.16), (-3.27, 2.14), (-3.85, 1.93)),
                "biological marker": ((-3.41, 2.83), (-3.68, 2.78), (-3.27, 2.66)),
                "various subjectively measured outcomes": ((-2.76, 2.58), (-3.03, 2.59), (-2.62, 2.41)),
            }
        ),
        "respiratory": MappingProxyType(
            {
                "obstetric outcome": ((-6.03, 2.36), (-6.31, 2.31), (-5.89, 2.21)),
                "resource use and hospital stay / process": ((-4.46, 2.74), (-4.73, 2.7), (-4.32, 2.57)),
                "internal and external structure-related outcome": ((-4.33, 2.51), (-4.61, 2.46), (-4.19, 2.33)),
                "general physical health and adverse event and pain and quality of life / functioning": (
                    (-5.07, 2.51),
                    (-5.34, 2.45),
                    (-4.93, 2.28),
                ),
                "signs / symptoms reflecting continuation / end of condition and infection / onset of new acute / chronic disease": (
                    (-4.9, 2.5),
                    (-5.18, 2.47),
                    (-4.76, 2.33),
                ),
                "mental health outcome": ((-4.9, 2.17), (-5.17, 2.14), (-4.76, 1.94)),
                "biological marker": ((-5.31, 2.83), (-5.59, 2.78), (-5.17, 2.66)),
                "various subjectively measured outcomes": ((-4.66, 2.59), (-4.94, 2.59), (-4.52, 2.41)),
            }
        ),
        "cancer": MappingProxyType(
            {
                "obstetric outcome": ((-1.57, 2.45), (-1.85, 2.41), (-1.43, 2.24)),
                "resource use and hospital stay / process": ((0.01, 2.83), (-0.27, 2.79), (0.15, 2.68)),
                "internal and external structure-related outcome": ((-0.13, 2.61), (-0.14, 2.56), (0.27, 2.45)),
                "general physical health and adverse event and pain and quality of life / functioning": (
                    (-0.6, 2.61),
                    (-0.88, 2.55),
                    (-0.46, 2.4),
                ),
                "signs / symptoms reflecting continuation / end of condition and infection / onset of new acute / chronic disease": (
                    (-0.44, 2.6),
                    (-0.71, 2.57),
                    (-0.3, 2.46),
                ),
                "mental health outcome": ((-0.43, 2.28), (-0.71, 2.25), (-0.29, 2.08)),
                "biological marker": ((-0.85, 2.93), (-1.13, 2.87), (-0.71, 2.78)),
                "various subjectively measured outcomes": ((-0.2, 2.68), (-0.48, 2.68), (-0.06, 2.53)),
            }
        ),
    }
)
RHODES_ANY = (-3.44, 2.59)


def turner_parameters(outcome: str | None, comparison: str | None) -> tuple[float, float]:
    """Look up mean and sd of log(tau2) for a kind of outcome and comparison."""
    _check_word(outcome, TURNER, "outcome")
    _check_word(comparison, TURNER_COMPARISONS, "comparison")
    if _neither(outcome, comparison):
        return TURNER_ANY
    row = TURNER[named(outcome or "", TURNER, "outcome")]
    return row[TURNER_COMPARISONS.index(named(comparison or "", TURNER_COMPARISONS, "comparison"))]


def rhodes_parameters(outcome: str | None, comparison: str | None, area: str) -> tuple[float, float]:
    """Look up location and scale of log(tau2) for a field, a kind of outcome and of comparison."""
    table = RHODES[named(area, RHODES, "area")]
    _check_word(outcome, table, "outcome")
    _check_word(comparison, RHODES_COMPARISONS, "comparison")
    if _neither(outcome, comparison):
        if area != "other":
            raise OptionError(
                f"area {area!r} needs an outcome and a comparison: the prior for any outcome covers all fields."
            )
        return RHODES_ANY
    row = table[named(outcome or "", table, "outcome")]
    return row[RHODES_COMPARISONS.index(named(comparison or "", RHODES_COMPARISONS, "comparison"))]


def bartos_parameters(measure: str, field: str) -> tuple[float, ...]:
    """Look up the numbers of a field and an effect measure."""
    row = COCHRANE[named(field, COCHRANE, "field")]
    if measure.upper() not in row:
        raise OptionError(f"there is no prior for measure {measure!r} in this field. Choose one of: {', '.join(row)}.")
    return row[measure.upper()]


def named(text: str, choices: Mapping[str, object] | Sequence[str], what: str) -> str:
    """Return the one choice that is meant: its name, or a part of it that no other has."""
    wanted = text.strip().lower()
    found = [c for c in choices if c.lower() == wanted] or [
        c for c in choices if wanted and c.lower().startswith(wanted)
    ]
    found = found or [c for c in choices if wanted and wanted in c.lower()]
    if len(found) != 1:
        problem = f"{what} {text!r} is {'ambiguous' if found else 'unknown'}"
        raise OptionError(f"{problem}. Choose one of: {'; '.join(found or choices)}.")
    return found[0]


def _check_word(text: str | None, choices: Mapping[str, object] | Sequence[str], what: str) -> None:
    """Refuse a word that is no choice, whatever else is missing."""
    if text is not None:
        named(text, choices, what)


def _neither(outcome: str | None, comparison: str | None) -> bool:
    if (outcome is None) != (comparison is None):
        raise OptionError("give both outcome and comparison, or neither for the prior of any meta-analysis.")
    return outcome is None
