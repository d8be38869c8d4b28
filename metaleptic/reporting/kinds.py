"""KINDS: the kinds of number that an analysis can ask for, and how rows of an evidence table become effects."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

from metaleptic.convert.estimates import estimates, hazard_ratios
from metaleptic.convert.proportions import proportions
from metaleptic.convert.survival_medians import survival_medians
from metaleptic.convert.survival_rates import survival_rates
from metaleptic.convert.two_by_two import two_by_two
from metaleptic.errors import DataError
from metaleptic.frames import Table, texts, where
from metaleptic.types import Effects

if TYPE_CHECKING:
    from metaleptic.reporting.analysis import Question


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of number: its function, what it is called in a methods section, and the source of the conversion."""

    key: str
    words: str
    source: str
    make: Callable[[Table, Question], Effects]
    needs_at: bool = False


def _value_or(table: Table, name: str) -> str:
    """Return the column of the numbers: ``value`` in an evidence table, else the name of the kind."""
    return "value" if "value" in table.columns else name


def _level(table: Table, q: Question) -> str | float:
    return "level" if "level" in table.columns else q.level


def _hazard_ratios(table: Table, q: Question) -> Effects:
    return hazard_ratios(table, hr=_value_or(table, "hr"), label=q.label or None, level=_level(table, q))


def _medians(table: Table, q: Question) -> Effects:
    unit = "unit" if "unit" in table.columns else "months"
    return survival_medians(
        table, median=_value_or(table, "median"), unit=unit, label=q.label or None, level=_level(table, q)
    )


def _rates(table: Table, q: Question) -> Effects:
    return survival_rates(
        table,
        at=q.at,
        rate=_value_or(table, "rate"),
        unit=_one_unit(table),
        time="time" if "time" in table.columns else None,
        label=q.label or None,
        level=_level(table, q),
    )


def _proportions(table: Table, q: Question) -> Effects:
    printed = "value" if "value" in table.columns and set(texts(table, "unit")) <= {"percent", "fraction"} else None
    return proportions(
        table,
        proportion=printed,
        unit=_one_unit(table) if printed else "fraction",
        label=q.label or None,
        level=q.level,
    )


def _two_by_two(table: Table, q: Question) -> Effects:
    return two_by_two(
        table,
        events1="events1",
        n1="n1",
        events2="events2",
        n2="n2",
        measure=q.measure or "RR",
        label=q.label or None,
        level=q.level,
    )


def _estimates(table: Table, q: Question) -> Effects:
    scale = q.measure or "difference"
    return estimates(
        table, estimate=_value_or(table, "estimate"), scale=scale, label=q.label or None, level=_level(table, q)
    )


def _one_unit(table: Table) -> str:
    if "unit" not in table.columns:
        return "fraction"
    units = dict.fromkeys(texts(table, "unit"))
    if len(units) > 1 or not set(units) <= {"percent", "fraction"}:
        names = texts(table, "study")
        i = next(
            i for i, u in enumerate(texts(table, "unit")) if u != next(iter(units)) or u not in {"percent", "fraction"}
        )
        raise DataError(
            f"{where(names[i], i + 1)}: column 'unit' holds '{texts(table, 'unit')[i]}', but the rates of one question must all be "
            "in percent or all be fractions."
        )
    return next(iter(units))


KINDS = MappingProxyType(
    {
        k.key: k
        for k in (
            Kind(
                "survival_medians",
                "median survival times, on the log scale",
                "Brookmeyer R, Crowley J. Biometrics 1982;38:29-41; Reid N. Ann Stat 1981;9:78-92",
                _medians,
            ),
            Kind(
                "survival_rates",
                "survival rates, on the complementary log-log scale",
                "Kalbfleisch JD, Prentice RL. The Statistical Analysis of Failure Time Data, 2nd ed. Wiley 2002",
                _rates,
                True,
            ),
            Kind(
                "proportions",
                "proportions, on the logit scale with exact intervals for single studies",
                "Clopper CJ, Pearson ES. Biometrika 1934;26:404-413",
                _proportions,
            ),
            Kind(
                "hazard_ratios", "hazard ratios, on the log scale", "Tierney JF et al. Trials 2007;8:16", _hazard_ratios
            ),
            Kind(
                "two_by_two",
                "two-by-two tables",
                "Deeks JJ, Altman DG, Bradburn MJ. In: Systematic Reviews in Health Care. BMJ Books 2001",
                _two_by_two,
            ),
            Kind("estimates", "estimates with their intervals", "Altman DG, Bland JM. BMJ 2011;343:d2090", _estimates),
        )
    }
)
