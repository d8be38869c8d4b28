"""Profiles of a likelihood, which stand below the chart of a selection model that cannot be relied on: how flat it is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy import special

from metaleptic.measures import log
from metaleptic.plots.chart import Chart, ChartAxis, Dots, Path, effect_axis, plain_axis, spots, upright_axis
from metaleptic.plots.density_layout import COLOURS
from metaleptic.plots.styles import Style
from metaleptic.plots.ticks import round_ticks
from metaleptic.sensitivity.copas import Copas
from metaleptic.sensitivity.selection_model import SelectionModel
from metaleptic.types import FloatArray, Measure

NEAR = float(special.chdtri(1, 0.05)) / 2  # a log-likelihood lower by no more than this is hardly lower: 1.92
DEEP = 4 * NEAR  # how far below its maximum a profile is drawn


@dataclass(frozen=True, slots=True, eq=False)
class Profile:
    """One profile: its name, the held values, the best log-likelihood and the effect (analysis scale) at each."""

    name: str
    held: FloatArray
    height: FloatArray
    effect: FloatArray

    @property
    def drop(self) -> FloatArray:
        """Log-likelihood below its maximum, no deeper than is drawn."""
        return np.asarray(np.maximum(self.height - self.height.max(), -DEEP))


def profile_of_selection(record: SelectionModel, style: Style) -> Chart | None:
    """Show the profile of the first parameter of the selection function; None where there is none."""
    held, height, effect = record.profile
    known = np.isfinite(height) & np.isfinite(effect)
    if not known.any():
        return None
    m = record.fit.effects.measure
    low, high = 0.8 * float(held.min()), 1.25 * float(held.max())
    ticks, labels = round_ticks("log", low, high, log, room=40.0)
    x = ChartAxis(np.log(low), np.log(high), (), (), "First estimated parameter of the selection function")
    x = replace(x, ticks=tuple(float(x.at(np.log(t))) for t in ticks), labels=labels)
    one = Profile("", np.log(held[known]), height[known], np.asarray(m.to_analysis(effect[known])))
    return _charts(m, x, (one,), style)


def profile_of_copas(record: Copas, style: Style) -> Chart | None:
    """Show a profile of the correlation for each strength of selection whose fit cannot be relied on; None if all can."""
    m = record.fit.effects.measure
    found = []
    for i, (rho, height, effect) in sorted(record.profiles.items()):
        known = np.isfinite(height) & np.isfinite(effect)
        name = f"{100 * record.probability[i]:.0f}% published"
        if known.any():
            found.append(Profile(name, rho[known], height[known], np.asarray(m.to_analysis(effect[known]))))
    if not found:
        return None
    x = plain_axis(np.array([-1.0, 1.0]), "Correlation of publication with the effect, ρ", pad=0.03)
    return _charts(m, x, found, style)


def _charts(measure: Measure, x: ChartAxis, profiles: Sequence[Profile], style: Style) -> Chart:
    """Lay out the drop of the log-likelihood and, below it, the effect along the same axis."""
    bare = replace(x, labels=("",) * len(x.labels), title="")
    y = upright_axis(np.r_[0.0, *(p.drop for p in profiles)], "Log-likelihood below its maximum", pad=0.06)
    reach = float(y.at(-NEAR))
    upper = Chart(
        "Profile likelihood",
        bare,
        y,
        paths=(
            *((Path(((0.0, reach), (1.0, reach)), "muted", 0.8, dashed=True),) if 0 <= reach <= 1 else ()),
            *_lines(x, y, profiles, [p.drop for p in profiles]),
        ),
        dots=_dots(x, y, profiles, [p.drop for p in profiles]),
        height=0.36,
        style=style,
    )
    z = effect_axis(measure, np.concatenate([p.effect for p in profiles]), room=60.0)
    names = tuple((_role(i, profiles), "dash" if i >= len(COLOURS) else "line", p.name) for i, p in enumerate(profiles))
    lower = Chart(
        "Effect along the profile",
        x,
        z,
        paths=_lines(x, z, profiles, [p.effect for p in profiles]),
        dots=_dots(x, z, profiles, [p.effect for p in profiles]),
        legend=(
            *(names if len(profiles) > 1 else ()),
            ("main", "dot", f"likelihood hardly lower than at its maximum (by {NEAR:.2f} or less)"),
            ("main", "ring", "lower"),
            ("muted", "dash", f"−{NEAR:.2f}"),
        ),
        height=0.36,
        style=style,
    )
    return replace(upper, below=lower)


def _role(i: int, profiles: Sequence[Profile]) -> str:
    return "main" if len(profiles) == 1 else COLOURS[i % len(COLOURS)]


def _lines(x: ChartAxis, y: ChartAxis, profiles: Sequence[Profile], values: Sequence[FloatArray]) -> tuple[Path, ...]:
    return tuple(
        Path(spots(x.at(p.held), y.at(v)), _role(i, profiles), 1.1, dashed=i >= len(COLOURS))
        for i, (p, v) in enumerate(zip(profiles, values, strict=True))
    )


def _dots(x: ChartAxis, y: ChartAxis, profiles: Sequence[Profile], values: Sequence[FloatArray]) -> tuple[Dots, ...]:
    return tuple(
        Dots(spot, 2.2, _role(i, profiles), hollow=bool(d < -NEAR))
        for i, (p, v) in enumerate(zip(profiles, values, strict=True))
        for spot, d in zip(spots(x.at(p.held), y.at(v)), p.drop, strict=True)
    )
