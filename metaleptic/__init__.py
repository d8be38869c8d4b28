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
    from metaleptic.plots.draw import plot as plot
    from metaleptic.plots.effect_plots import bubble as bubble
    from metaleptic.plots.effect_plots import drapery as drapery
    from metaleptic.plots.effect_plots import labbe as labbe
    from metaleptic.plots.effect_plots import orchard as orchard
    from metaleptic.plots.forest import forest as forest
    from metaleptic.plots.funnel import funnel as funnel
    from metaleptic.pooling.bootstrap import bootstrap as bootstrap
    from metaleptic.pooling.compare import compare as compare
    from metaleptic.pooling.contrasts import contrasts as contrasts
    from metaleptic.pooling.contrasts import vif as vif
    from metaleptic.pooling.location_scale import location_scale as location_scale
    from metaleptic.pooling.multilevel.result import Multilevel as Multilevel
    from metaleptic.pooling.multilevel.verb import pool_multilevel as pool_multilevel
    from metaleptic.pooling.permutation import permutation_test as permutation_test
    from metaleptic.pooling.pool import pool as pool
    from metaleptic.pooling.predict import predict as predict
    from metaleptic.pooling.predictions import prediction_interval as prediction_interval
    from metaleptic.pooling.regression_result import Regression as Regression
    from metaleptic.pooling.result import Pooled as Pooled
    from metaleptic.pooling.robust import Robust as Robust
    from metaleptic.pooling.robust import robust as robust
    from metaleptic.pooling.subgroups import subgroups as subgroups
    from metaleptic.pooling.tau2_interval import tau2_interval as tau2_interval
    from metaleptic.reporting.report import report as report
    from metaleptic.sensitivity.all_subsets import all_subsets as all_subsets
    from metaleptic.sensitivity.baujat import baujat as baujat
    from metaleptic.sensitivity.confounding import e_value as e_value
    from metaleptic.sensitivity.cumulative import cumulative as cumulative
    from metaleptic.sensitivity.excess import excess_significance as excess_significance
    from metaleptic.sensitivity.fail_safe import fail_safe_n as fail_safe_n
    from metaleptic.sensitivity.henmi_copas import henmi_copas as henmi_copas
    from metaleptic.sensitivity.influence import influence as influence
    from metaleptic.sensitivity.leave_one_out import leave_one_out as leave_one_out
    from metaleptic.sensitivity.limit import limit_meta_analysis as limit_meta_analysis
    from metaleptic.sensitivity.multiverse import multiverse as multiverse
    from metaleptic.sensitivity.new_study import proportion_beyond as proportion_beyond
    from metaleptic.sensitivity.pet_peese import pet_peese as pet_peese
    from metaleptic.sensitivity.radial import radial as radial
    from metaleptic.sensitivity.residuals import residuals as residuals
    from metaleptic.sensitivity.robustness import robustness as robustness
    from metaleptic.sensitivity.selection_model import selection_model as selection_model
    from metaleptic.sensitivity.shrinkage import shrinkage as shrinkage
    from metaleptic.sensitivity.small_study import rank_test as rank_test
    from metaleptic.sensitivity.small_study import regression_test as regression_test
    from metaleptic.sensitivity.small_study import small_study as small_study
    from metaleptic.sensitivity.trim_and_fill import trim_and_fill as trim_and_fill
    from metaleptic.sensitivity.worst_case import worst_case as worst_case
    from metaleptic.types import Effects as Effects
    from metaleptic.types import Estimate as Estimate
    from metaleptic.types import Finding as Finding
    from metaleptic.types import Measure as Measure
    from metaleptic.types import Provenance as Provenance
    from metaleptic.types import Result as Result

# Public name -> module: loaded at first use, so that ``import metaleptic`` stays light.
_HOME = {
    "robust": "pooling.robust",
    "Robust": "pooling.robust",
    "pool_multilevel": "pooling.multilevel.verb",
    "Multilevel": "pooling.multilevel.result",
    "Effects": "types",
    "Estimate": "types",
    "Finding": "types",
    "MEASURES": "measures",
    "Measure": "types",
    "Pooled": "pooling.result",
    "Provenance": "types",
    "Result": "types",
    "audit": "auditing.audit",
    "effects": "convert.effects",
    "estimates": "convert.estimates",
    "forest": "plots.forest",
    "funnel": "plots.funnel",
    "hazard_ratios": "convert.estimates",
    "baujat": "sensitivity.baujat",
    "cumulative": "sensitivity.cumulative",
    "influence": "sensitivity.influence",
    "radial": "sensitivity.radial",
    "residuals": "sensitivity.residuals",
    "shrinkage": "sensitivity.shrinkage",
    "leave_one_out": "sensitivity.leave_one_out",
    "predict": "pooling.predict",
    "contrasts": "pooling.contrasts",
    "vif": "pooling.contrasts",
    "tau2_interval": "pooling.tau2_interval",
    "compare": "pooling.compare",
    "permutation_test": "pooling.permutation",
    "bootstrap": "pooling.bootstrap",
    "location_scale": "pooling.location_scale",
    "bubble": "plots.effect_plots",
    "drapery": "plots.effect_plots",
    "labbe": "plots.effect_plots",
    "orchard": "plots.effect_plots",
    "plot": "plots.draw",
    "pool": "pooling.pool",
    "prediction_interval": "pooling.predictions",
    "Regression": "pooling.regression_result",
    "proportions": "convert.proportions",
    "report": "reporting.report",
    "rank_test": "sensitivity.small_study",
    "regression_test": "sensitivity.small_study",
    "small_study": "sensitivity.small_study",
    "trim_and_fill": "sensitivity.trim_and_fill",
    "fail_safe_n": "sensitivity.fail_safe",
    "henmi_copas": "sensitivity.henmi_copas",
    "excess_significance": "sensitivity.excess",
    "limit_meta_analysis": "sensitivity.limit",
    "pet_peese": "sensitivity.pet_peese",
    "selection_model": "sensitivity.selection_model",
    "all_subsets": "sensitivity.all_subsets",
    "multiverse": "sensitivity.multiverse",
    "proportion_beyond": "sensitivity.new_study",
    "e_value": "sensitivity.confounding",
    "worst_case": "sensitivity.worst_case",
    "robustness": "sensitivity.robustness",
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
