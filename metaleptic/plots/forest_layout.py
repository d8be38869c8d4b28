"""The forest plot as data: what stands in every row, where it lies on the axis, and what is said below."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from metaleptic.bayes.result import PooledBayes
from metaleptic.errors import DataError, OptionError
from metaleptic.plots.axis import Axis, make_axis
from metaleptic.plots.extra_columns import ExtraColumn, extra_columns
from metaleptic.plots.fitted import Moderated, fitted_column
from metaleptic.plots.footnotes import (
    alt_text,
    distrust_note,
    effect_test,
    group_note,
    heterogeneity,
    legend,
    prior_note,
    subgroup_test,
)
from metaleptic.plots.order import study_order
from metaleptic.plots.shrunken import shrunken_column
from metaleptic.plots.study_values import StudyValues, group_members, study_values
from metaleptic.plots.styles import Style, style_named
from metaleptic.plots.wording import INTERVALS, interval, level, model_name, with_interval
from metaleptic.pooling.subgroups import Subgroups
from metaleptic.types import Estimate, Result

NAN = float("nan")
# Texts of the arrows with one of these words are complete as they are.
_SAID = frozenset(
    [
        "favours",
        "favors",
        "favour",
        "favor",
        "more",
        "less",
        "fewer",
        "lower",
        "higher",
        "better",
        "worse",
        "longer",
        "shorter",
        "benefit",
        "harm",
        "reduced",
        "increased",
        "improved",
    ]
)


@dataclass(frozen=True, slots=True)
class Row:
    """One row of a forest plot.

    Attributes
    ----------
    kind : {"group", "study", "subtotal", "total", "prediction", "blank"}
        What the row is.
    label, note : str
        Its name, and a remark in small grey print beside it.
    cells : tuple of str
        The caller's columns.
    effect, weight : str
        Estimate with interval, and weight, in print.
    share : float
        Weight in percent.
    value, low, high : float
        The same in numbers, printed scale; NaN where there are none, infinite where not reached.
    x, x_low, x_high : float
        Where they lie along the axis, 0 to 1; ``x`` is NaN if the estimate is off the axis.
    clipped_low, clipped_high : bool
        Whether the interval leaves the axis on that side and ends in an arrow head.
    area : float
        Area of the square in units of the largest one; proportional to the weight.
    stripe : bool
        Whether the row is tinted.
    fitted : tuple of float
        Low end, middle and high end along the axis of the diamond behind a study, what the moderators predict; or ().
    """

    kind: str
    label: str = ""
    note: str = ""
    cells: tuple[str, ...] = ()
    effect: str = ""
    weight: str = ""
    share: float = NAN
    value: float = NAN
    low: float = NAN
    high: float = NAN
    x: float = NAN
    x_low: float = NAN
    x_high: float = NAN
    clipped_low: bool = False
    clipped_high: bool = False
    area: float = NAN
    stripe: bool = False
    fitted: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class ForestLayout:
    """A forest plot before it is drawn: plain data, complete.

    Attributes
    ----------
    title : str
        Above the plot; empty for none.
    columns : tuple of ExtraColumn
        The caller's columns.
    effect_heading, weight_heading : str
        Headings of the effect and weight columns; an empty one means that the column is not shown.
    rows : tuple of Row
        From top to bottom.
    axis : Axis
        The horizontal axis.
    pooled : float
        Where the dashed line stands, as a fraction of the axis; NaN for none.
    favours : tuple of str
        What the left and right side of the null favour; empty for none.
    footnotes : tuple of str
        Below the plot.
    alt : str
        The plot in words.
    style : Style
        Words, colours and sizes.
    """

    title: str
    columns: tuple[ExtraColumn, ...]
    effect_heading: str
    weight_heading: str
    rows: tuple[Row, ...]
    axis: Axis
    pooled: float
    favours: tuple[str, ...]
    footnotes: tuple[str, ...]
    alt: str
    style: Style


def forest_layout(
    result: Result,
    *,
    columns: object = None,
    sort: str | None = None,
    favours: tuple[str, str] | None = None,
    title: str | None = None,
    style: str | Style = "plain",
    xlim: tuple[float, float] | None = None,
    room: float = 23.5,
) -> ForestLayout:
    """Lay a forest plot out as plain data: one row per study, the pooled rows, the axis and the footnotes.

    The arguments are those of ``ml.forest``; ``room`` is how many characters of a tick label fit along the axis.

    Examples
    --------
    >>> import metaleptic as ml
    >>> fit = ml.pool(ml.effects([-0.34, -0.05, -0.48, -0.22], [0.03, 0.01, 0.05, 0.01], measure="HR"))
    >>> [row.kind for row in forest_layout(fit).rows]
    ['study', 'study', 'study', 'study', 'total', 'prediction']
    >>> forest_layout(fit).axis.labels
    ('0.35', '0.5', '0.7', '1', '1.4')
    """
    words = style_named(style)
    e = result.effects
    if len(e) == 0:
        raise DataError("there are no studies. There is nothing to plot.")
    arrows = check_favours(favours, result)
    values = study_values(result)
    predicted = result.fitted if isinstance(result, Moderated) else ()
    own = fitted_column(result, words) if isinstance(result, Moderated) else shrunken_column(result, words)
    extras = extra_columns(e, columns, own)
    fits = list(result.groups.values()) if isinstance(result, Subgroups) else []
    # A pooled row repeats the study where there is but one: it is left out.
    whole = len(e) > 1 and np.isfinite(result.estimate.value)
    pooled = [f.estimate for f in fits if f.k > 1] + ([result.estimate] if whole else []) + list(predicted)
    shown = pooled + ([result.prediction] if result.prediction is not None and len(e) > 1 else [])
    axis = make_axis(
        e.measure,
        np.concatenate([values.value, [p.value for p in pooled], [NAN] * (len(shown) - len(pooled))]),
        np.concatenate([values.low, [p.low for p in shown]]),
        np.concatenate([values.high, [p.high for p in shown]]),
        xlim=xlim,
        room=room,
        both_sides=bool(arrows),
    )
    order = study_order(e, values, sort)
    rows = (
        _group_rows(result, values, extras, order, words)
        if isinstance(result, Subgroups)
        else [_study_row(values, extras, i, place, result, words) for place, i in enumerate(order)]
    )
    if whole:
        rows += _total_rows(result, extras, words)
    rows = [_placed(row, axis) for row in rows]
    if predicted:
        rows = [replace(row, fitted=_diamond(predicted[i], axis)) for row, i in zip(rows, order, strict=True)]
    clipped = any(row.clipped_low or row.clipped_high for row in rows)
    interval_word = INTERVALS.get(result.estimate.kind, "CI")
    if isinstance(result, PooledBayes):
        interval_word = "CI; pooled CrI"  # the studies' own intervals are those printed
    if predicted:
        interval_word = "CI"
    label = f"{e.measure.label}, %" if e.measure.axis == "percent" else e.measure.heading
    notes = (
        distrust_note(result),
        " ".join(x for x in (heterogeneity(result, words), effect_test(result, words)) if x),
        subgroup_test(result, words),
        prior_note(result),
        "Pale diamonds: what the moderators predict for each study." if predicted else "",
        legend(clipped, any("NR" in row.effect for row in rows)),
    )
    return ForestLayout(
        title=title or "",
        columns=extras,
        effect_heading=words.effect_heading.format(label=label, level=level(result.estimate), interval=interval_word),
        weight_heading=words.weight_heading if any(row.weight for row in rows) and len(e) > 1 else "",
        rows=tuple(rows),
        axis=axis,
        pooled=_inside(axis.position(result.estimate.value)) if whole else NAN,
        favours=arrows if np.isfinite(axis.null) else (),
        footnotes=tuple(x for x in notes if x),
        alt=alt_text(result, values.value),
        style=words,
    )


def check_favours(favours: tuple[str, str] | None, result: Result) -> tuple[str, ...]:
    """Check the two texts of the arrows; bare names get "Favours" before them."""
    if favours is None:
        return ()
    if isinstance(favours, str) or len(favours) != 2:
        raise OptionError('favours takes two texts: what the left and the right side favour, like ("drug", "control").')
    m = result.effects.measure
    if not m.has_null:
        raise OptionError(f'favours was given, but for {m.label.lower()} no value means "no effect". Leave it out.')
    if any(set(text.lower().split()) & _SAID for text in favours):
        return tuple(favours)
    return tuple(f"Favours {text}" if text else "" for text in favours)


def _study_row(
    values: StudyValues, extras: tuple[ExtraColumn, ...], i: int, place: int, result: Result, style: Style
) -> Row:
    m, share = result.effects.measure, float(values.weight[i])
    value, low, high = (float(x[i]) for x in (values.value, values.low, values.high))
    largest = float(np.nanmax(values.weight)) if np.isfinite(values.weight).any() else NAN
    return Row(
        "study",
        values.study[i],
        cells=tuple(c.cells[i] for c in extras),
        effect=with_interval(value, low, high, m, style),
        weight=f"{share:.1f}{style.weight_sign}" if np.isfinite(share) and len(values.study) > 1 else "",
        share=share,
        value=value,
        low=low,
        high=high,
        area=share / largest if np.isfinite(share) and largest > 0 else 0.25,
        stripe=place % 2 == 0,
    )


def _group_rows(
    result: Subgroups, values: StudyValues, extras: tuple[ExtraColumn, ...], order: list[int], style: Style
) -> list[Row]:
    rows: list[Row] = []
    for name, members in group_members(result).items():
        fit = result.groups[name]
        rows.append(Row("group", name))
        mine = [i for i in order if i in set(members)]
        rows += [_study_row(values, extras, i, place, result, style) for place, i in enumerate(mine)]
        if fit.k > 1:
            share = float(np.sum(values.weight[mine]))
            label = style.subtotal.format(model=model_name(fit), level=level(fit.estimate), interval="CI")
            rows.append(
                replace(
                    _pooled_row("subtotal", label, fit.estimate, result, style),
                    note=group_note(fit),
                    cells=tuple(c.total(mine) for c in extras),
                    weight=f"{share:.1f}{style.weight_sign}" if np.isfinite(share) else "",
                    share=share,
                )
            )
        rows.append(Row("blank"))
    return rows


def _total_rows(result: Result, extras: tuple[ExtraColumn, ...], style: Style) -> list[Row]:
    everyone = list(range(len(result.effects)))
    word = INTERVALS.get(result.estimate.kind, "CI")
    label = style.total.format(model=model_name(result), level=level(result.estimate), interval=word)
    weighted = np.isfinite(result.weights).all() and len(result.weights) > 0
    rows = [
        replace(
            _pooled_row("total", label, result.estimate, result, style),
            cells=tuple(c.total(everyone) for c in extras),
            weight=f"{float(np.sum(result.weights)):.1f}{style.weight_sign}" if weighted else "",
            share=float(np.sum(result.weights)) if weighted else NAN,
        )
    ]
    new = result.prediction
    if new is not None and not np.isnan(new.low):
        text = interval(new.low, new.high, result.effects.measure, style)
        rows.append(
            Row(
                "prediction",
                f"{level(new)}% prediction interval",
                effect=text,
                low=new.low,
                high=new.high,
                cells=("",) * len(extras),
            )
        )
    return rows


def _pooled_row(kind: str, label: str, estimate: Estimate, result: Result, style: Style) -> Row:
    m = result.effects.measure
    return Row(
        kind,
        label,
        effect=with_interval(estimate.value, estimate.low, estimate.high, m, style),
        value=estimate.value,
        low=estimate.low,
        high=estimate.high,
    )


def _placed(row: Row, axis: Axis) -> Row:
    """Put a row's numbers on the axis and note which ends are cut off."""
    if row.kind in ("group", "blank") or (np.isnan(row.low) and np.isnan(row.value)):
        return row
    low, high = (row.value if np.isnan(x) else x for x in (row.low, row.high))
    a, b = axis.position(low), axis.position(high)
    return replace(
        row,
        x=_inside(axis.position(row.value)),
        x_low=float(np.clip(a, 0, 1)),
        x_high=float(np.clip(b, 0, 1)),
        clipped_low=bool(a < -1e-9),
        clipped_high=bool(b > 1 + 1e-9),
    )


def _diamond(estimate: Estimate, axis: Axis) -> tuple[float, ...]:
    """Return the ends and the middle of a fitted effect along the axis."""
    ends = (axis.position(x) for x in (estimate.low, estimate.value, estimate.high))
    return tuple(float(np.clip(x, 0, 1)) for x in ends)


def _inside(fraction: float) -> float:
    return fraction if -1e-9 <= fraction <= 1 + 1e-9 else NAN
