"""Deaths below the last point of a curve: where only they reach the printed total, that is said."""

from __future__ import annotations

from metaleptic.errors import SuspiciousDataWarning
from metaleptic.reconstruction.arm import Arm
from metaleptic.reconstruction.steps import steps
from metaleptic.warn import warn


def name_deaths_below(arm: Arm) -> None:
    """Note deaths at the end that the last point does not show; several are also warned of."""
    end, level = arm.target.end, float(arm.target.survival[-1])
    found = steps(arm.events, arm.censored)
    reached, before = float(found.at(end)), float(found.at(end * (1 - 1e-9) - 1e-12))
    if arm.published.events is None or before <= 0 or reached >= level - max(3 * arm.target.error, 1e-6):
        return
    at_end = int((arm.events >= end * (1 - 1e-9)).sum())
    at_risk = at_end + int((arm.censored >= end * (1 - 1e-9)).sum())
    below = at_end - round(at_risk * max(0.0, 1 - level / before))
    if below < 1:
        return
    text = (
        f"{below} {'death was' if below == 1 else 'deaths were'} placed at the end (time {end:g}), where the last point reads "
        f"{level:.3g} and survival now falls to {reached:.3g}: {int(arm.published.events)} events cannot be reached otherwise"
    )
    arm.corrections.append(text)
    if below > 1:
        where = f"arm {arm.name!r}: " if arm.name else ""
        warn(SuspiciousDataWarning, f"{where}{text}. Check the total of events, n and the last point.")
