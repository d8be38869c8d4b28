"""A table of any kind of number, read as the options of a command say."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from metaleptic.errors import OptionError

TWO_BY_TWO = ("events1", "n1", "events2", "n2")
ARM1 = ("se1", "low1", "high1", "median1", "q1_1", "q3_1", "min1", "max1")
ARM2 = ("se2", "low2", "high2", "median2", "q1_2", "q3_2", "min2", "max2")
RMST_OF_ARMS = ("rmst1", "low1", "high1", "se1", "rmst2", "low2", "high2", "se2")
KIND_COLUMNS = {
    "hazard_ratios": ("study", "hr", "low", "high", "se", "p", "n"),
    "survival_medians": ("study", "median", "low", "high", "n", "events"),
    "survival_rates": ("study", "rate", "low", "high", "se", "n"),
    "proportions": ("study", "events", "n", "proportion", "low", "high", "se"),
    "two_by_two": ("study", *TWO_BY_TWO, "estimate", "low", "high", "se"),
    "estimates": ("study", "estimate", "low", "high", "se", "p", "n"),
    "means": ("study", "mean1", "sd1", "n1", "mean2", "sd2", "n2", *ARM1, *ARM2),
    "single_means": ("study", "mean", "sd", "n", "se", "low", "high", "median", "q1", "q3", "min", "max"),
    "paired_means": ("study", "mean1", "sd1", "mean2", "sd2", "n", "r"),
    "standardised_differences": ("study", "d", "t", "p", "n1", "n2"),
    "rates": ("study", "events", "time"),
    "two_rates": ("study", "events1", "time1", "events2", "time2"),
    "matched_pairs": ("study", "both", "first", "second", "neither"),
    "correlations": ("study", "r", "n", "t", "p"),
    "partial_correlations": ("study", "t", "n", "predictors", "r2"),
    "medians": ("study", "median", "low", "high", "se", "q1", "q3", "min", "max", "mean", "sd", "n"),
    "restricted_means": ("study", "rmst", "low", "high", "se", "p", "n", *RMST_OF_ARMS),
}
FURTHER = {  # what the verb takes in columns=, not by an argument of its own
    "means": (*ARM1, *ARM2),
    "single_means": KIND_COLUMNS["single_means"][4:],
    "medians": KIND_COLUMNS["medians"][1:],
    "restricted_means": RMST_OF_ARMS,
}
WITH_MEASURE = frozenset(
    {
        *("two_by_two", "means", "single_means", "paired_means", "rates", "two_rates", "matched_pairs"),
        *("correlations", "partial_correlations"),
    }
)


def read_effects(
    file: Path,
    kind: str,
    column: list[str],
    unit: str | None,
    at: float | None,
    measure: str | None,
    level: float,
    sheet: str | None,
) -> Any:
    """Return the effects that the table and the options describe; an option that does not fit is an OptionError."""
    import metaleptic as ml

    if kind not in KIND_COLUMNS:
        raise OptionError(f"kind {kind!r} is unknown. Choose one of: {', '.join(KIND_COLUMNS)}.")
    options: dict[str, Any] = {"level": level, "sheet": sheet}
    for pair in column:
        name, _, value = pair.partition("=")
        if not value or name not in KIND_COLUMNS[kind]:
            raise OptionError(
                f"--column {pair!r} is not understood. Write NAME=COLUMN with one of: {', '.join(KIND_COLUMNS[kind])}."
            )
        options[name] = value
    if kind in FURTHER:
        named = {name: options.pop(name) for name in FURTHER[kind] if name in options}
        options["columns"] = named or None
    if kind == "two_by_two":
        options = {name: name for name in TWO_BY_TWO} | options
    if measure:
        if kind in WITH_MEASURE:
            options["measure"] = measure
        elif kind == "estimates":
            options["scale"] = measure
        elif kind == "restricted_means" and measure in {"RMST", "RMSTD"}:
            options["difference"] = measure == "RMSTD"
        else:
            raise OptionError(
                f"--measure goes with {', '.join(sorted(WITH_MEASURE))}, estimates and "
                f"restricted_means (RMSTD), not with {kind}."
            )
    if unit is not None and kind in {"survival_medians", "survival_rates", "proportions"}:
        options["unit"] = unit
    if kind == "survival_rates":
        if at is None:
            raise OptionError("--at is missing: say at which time point the rates are, for example --at 12.")
        options["at"] = at
    if kind == "restricted_means":
        if at is None:
            raise OptionError("--at is missing: say up to which time the means are restricted, for example --at 24.")
        options["horizon"] = at
    return getattr(ml, kind)(file, **options)
