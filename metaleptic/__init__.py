"""metaleptic: meta-analysis of what papers print.

Numbers from papers become effects (``hazard_ratios``, ``survival_medians``, ``survival_rates``,
``proportions``, ``two_by_two``, ``estimates``, ``effects``), ``pool`` pools them, ``forest`` draws them, and
``report`` writes the page in which every number carries its origin.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from metaleptic import datasets as datasets
    from metaleptic.auditing.audit import audit as audit
    from metaleptic.convert.effects import effects as effects
    from metaleptic.convert.estimates import estimates as estimates
    from metaleptic.convert.estimates import hazard_ratios as hazard_ratios
    from metaleptic.convert.proportions import proportions as proportions
    from metaleptic.convert.survival_medians import survival_medians as survival_medians
    from metaleptic.convert.survival_rates import survival_rates as survival_rates
    from metaleptic.convert.two_by_two import two_by_two as two_by_two
    from metaleptic.measures import MEASURES as MEASURES
    from metaleptic.patients import IPD as IPD
    from metaleptic.patients import Contrast as Contrast
    from metaleptic.patients import Curve as Curve
    from metaleptic.patients import Published as Published
    from metaleptic.plots.forest import forest as forest
    from metaleptic.plots.funnel import funnel as funnel
    from metaleptic.plots.km import km as km
    from metaleptic.pooling.pool import pool as pool
    from metaleptic.pooling.result import Pooled as Pooled
    from metaleptic.pooling.subgroups import subgroups as subgroups
    from metaleptic.reconstruction.read_clicks import read_clicks as read_clicks
    from metaleptic.reconstruction.reconstruct import reconstruct as reconstruct
    from metaleptic.reporting.report import report as report
    from metaleptic.sensitivity.leave_one_out import leave_one_out as leave_one_out
    from metaleptic.types import Effects as Effects
    from metaleptic.types import Estimate as Estimate
    from metaleptic.types import Finding as Finding
    from metaleptic.types import Measure as Measure
    from metaleptic.types import Provenance as Provenance
    from metaleptic.types import Result as Result

# Public name -> module: loaded at first use, so that ``import metaleptic`` stays light.
_HOME = {
    "Contrast": "patients",
    "Curve": "patients",
    "Effects": "types",
    "Estimate": "types",
    "Finding": "types",
    "IPD": "patients",
    "MEASURES": "measures",
    "Measure": "types",
    "Pooled": "pooling.result",
    "Provenance": "types",
    "Published": "patients",
    "Result": "types",
    "audit": "auditing.audit",
    "effects": "convert.effects",
    "estimates": "convert.estimates",
    "forest": "plots.forest",
    "funnel": "plots.funnel",
    "hazard_ratios": "convert.estimates",
    "km": "plots.km",
    "leave_one_out": "sensitivity.leave_one_out",
    "pool": "pooling.pool",
    "proportions": "convert.proportions",
    "read_clicks": "reconstruction.read_clicks",
    "reconstruct": "reconstruction.reconstruct",
    "report": "reporting.report",
    "subgroups": "pooling.subgroups",
    "survival_medians": "convert.survival_medians",
    "survival_rates": "convert.survival_rates",
    "two_by_two": "convert.two_by_two",
}

__all__ = sorted([*_HOME, "datasets", "errors"])


def __getattr__(name: str) -> Any:
    if name in _HOME:
        value = getattr(importlib.import_module(f"metaleptic.{_HOME[name]}"), name)
        globals()[name] = value
        return value
    if name in {"datasets", "errors"}:
        return importlib.import_module(f"metaleptic.{name}")
    if name == "__version__":
        from metaleptic.provenance import package_version

        return package_version()
    raise AttributeError(f"module 'metaleptic' has no attribute '{name}'. It has: {', '.join(__all__)}.")


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
