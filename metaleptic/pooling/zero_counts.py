"""What to do where counts of zero leave a model without an answer: advice that works for these effects."""

from __future__ import annotations

import numpy as np

from metaleptic.convert.printed_effects import without_counts
from metaleptic.errors import DataError
from metaleptic.types import Effects, FloatArray

BOUND = (
    'To bound the risk of an arm by all its patients together use ml.proportions with model="pooled-counts", whose interval is '
    "exact"
)
BOUND_OF_RATE = 'To bound the rate of an arm by all its time together use ml.rates with model="pooled-counts", whose interval is exact'


def two_arm_cells(effects: Effects, model: str, measures: tuple[str, ...]) -> FloatArray:
    """Return the counts of both arms, or say which effects the model needs.

    Raises
    ------
    DataError
        If the effects carry no counts of two arms, or are of a measure that the model does not pool.
    """
    if effects.measure.key in measures and len(effects.cells) == len(effects):
        return effects.cells
    if effects.measure.key in measures and (missing := without_counts(effects)):
        raise DataError(f'model "{model}" needs the counts of both arms of every study.{missing}')
    tables = [m for m in measures if not m.startswith("IR") and m != "PETO"]
    makers = [f'ml.two_by_two(measure="{tables[0]}")'] if len(tables) == 1 else []
    makers += [f"ml.two_by_two (measure {', '.join(tables)})"] if len(tables) > 1 else []
    rates = [m for m in measures if m.startswith("IR")]
    if len(effects.cells) == len(effects) and effects.cells.shape[1] == 4 and rates:  # counts of one kind or the other
        makers = [] if effects.measure.key.startswith("IR") else makers
        rates = rates if effects.measure.key.startswith("IR") or not makers else []
    makers += [f"ml.two_rates (measure {', '.join(rates)})"] if rates else []
    if effects.measure.key in measures:
        raise DataError(
            f'model "{model}" pools the counts of both arms, which these effects do not all carry. '
            f"Make the effects with {' or '.join(makers)}." + without_counts(effects)
        )
    have = f"these are of measure {effects.measure.key} ({effects.measure.label.lower()})"
    raise DataError(
        f'model "{model}" pools the counts of both arms by measure {", ".join(measures)}; {have}. '
        f"Make the effects with {' or '.join(makers)}." + without_counts(effects)
    )


def advice(measure: str, cells: FloatArray) -> str:
    """Say what gives an answer for two-arm counts of which one arm, or both, have no events (or events only) in any study."""
    first, second = cells[:, 0].sum(), cells[:, 2].sum()
    if measure.startswith("IR"):
        if first + second == 0:
            return f"Nothing can be compared. {BOUND_OF_RATE}."
        return 'Pool rate differences: ml.two_rates(measure="IRD") with model="mantel-haenszel".'
    others = cells[:, 1].sum() + cells[:, 3].sum()
    if first + second == 0 or others == 0:
        return f"Nothing can be compared. {BOUND}."
    mixed = ((cells[:, 0] > 0) & (cells[:, 1] > 0)) | ((cells[:, 2] > 0) & (cells[:, 3] > 0))
    peto = 'ml.two_by_two(measure="OR") with model="peto"'
    if not mixed.any():
        return f"Pool odds ratios by {peto}, or risk differences by the default model."
    return f'Pool risk differences: ml.two_by_two(measure="RD") with model="mantel-haenszel"; or, if events are rare, {peto}.'


def empty_arm(measure: str, cells: FloatArray) -> str:
    """Say which arm has no events, or events only, in any study; nothing if none."""
    a, b, c, d = cells.T
    if a.sum() + c.sum() == 0:
        return "no one in either arm had the event in any study"
    for events, others, arm in ((a, b, "of interest"), (c, d, "of the controls")):
        if events.sum() == 0:
            return f"no one in the arm {arm} had the event in any study"
        if not measure.startswith("IR") and others.sum() == 0:
            return f"everyone in the arm {arm} had the event in all studies"
    return ""


def instead_of_corrections(effects: Effects) -> str:
    """Say what to use where every study has a count of zero, so that all rests on what was added to them."""
    key, cells = effects.measure.key, effects.cells
    counted = len(cells) == len(effects)
    if effects.measure.axis == "percent":
        which = "" if key == "PLO" else ' of ml.proportions(measure="PLO")'
        return f'Use model="pooled-counts"{which}.'
    if key in ("IRLN", "IR", "IRFT", "IRS") and counted:
        which = "" if key == "IRLN" else ' of ml.rates(measure="IRLN")'
        model = "poisson-normal" if cells[:, 0].sum() > 0 else "pooled-counts"
        return f'Use model="{model}"{which}.'
    if not counted or cells.shape[1] != 4:
        return "Use a model of the counts (see the how-to on rare events)."
    empty = empty_arm(key, cells)
    differences = key in ("RD", "IRD")
    if key == "RR" and (not empty or empty.startswith("everyone")):
        return 'Use model="mantel-haenszel".'
    if empty and not differences:
        return f"{empty[0].upper()}{empty[1:]}: the ratio has no finite estimate. {advice(key, cells)}"
    if differences and not _spread_of_difference(key, cells):
        return advice(key, cells)
    if differences:
        return 'Use model="mantel-haenszel".'
    if key.startswith("IR"):
        return 'Use model="poisson-normal"' + ("." if key == "IRR" else ' of ml.two_rates(measure="IRR").')
    return 'Use model="conditional-exact"' + ("." if key in ("OR", "PETO") else ' of ml.two_by_two(measure="OR").')


def _spread_of_difference(measure: str, cells: FloatArray) -> bool:
    a, b, c, d = cells.T
    return bool(np.any(a + c > 0) if measure == "IRD" else np.any(a * b + c * d > 0))
