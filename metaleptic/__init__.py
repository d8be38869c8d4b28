"""metaleptic: meta-analysis of what papers print.

Numbers from papers become effects (``hazard_ratios``, ``survival_medians``, ``survival_rates``,
``proportions``, ``two_by_two``, ``estimates``, ``effects``), ``pool`` and ``pool_bayes`` pool them, ``forest`` draws
them, and ``report`` writes the page in which every number carries its origin.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from metaleptic import conversions as conversions
    from metaleptic import datasets as datasets
    from metaleptic.auditing.audit import audit as audit
    from metaleptic.bayes import priors as priors
    from metaleptic.bayes.bayes_factors import bayes_factors as bayes_factors
    from metaleptic.bayes.bias import adjust_for_bias as adjust_for_bias
    from metaleptic.bayes.compare import ModelComparison as ModelComparison
    from metaleptic.bayes.compare import compare_models as compare_models
    from metaleptic.bayes.loo import Loo as Loo
    from metaleptic.bayes.loo import loo as loo
    from metaleptic.bayes.map_prior import MapPrior as MapPrior
    from metaleptic.bayes.map_prior import map_prior as map_prior
    from metaleptic.bayes.medians import pool_bayes_medians as pool_bayes_medians
    from metaleptic.bayes.pool_bayes import pool_bayes as pool_bayes
    from metaleptic.bayes.pool_bayes_outcomes import OutcomesBayes as OutcomesBayes
    from metaleptic.bayes.pool_bayes_outcomes import pool_bayes_outcomes as pool_bayes_outcomes
    from metaleptic.bayes.power_scale import PowerScale as PowerScale
    from metaleptic.bayes.power_scale import power_scale as power_scale
    from metaleptic.bayes.predictive import PredictiveCheck as PredictiveCheck
    from metaleptic.bayes.predictive import predictive_check as predictive_check
    from metaleptic.bayes.prior import Prior as Prior
    from metaleptic.bayes.prior_sensitivity import PriorSensitivity as PriorSensitivity
    from metaleptic.bayes.prior_sensitivity import prior_sensitivity as prior_sensitivity
    from metaleptic.bayes.regression_result import RegressionBayes as RegressionBayes
    from metaleptic.bayes.result import PooledBayes as PooledBayes
    from metaleptic.bayes.robust_average import RobustAverage as RobustAverage
    from metaleptic.bayes.robust_average import robust_average as robust_average
    from metaleptic.bayes.sampled_regression import SampledRegression as SampledRegression
    from metaleptic.convert.associations import partial_correlations as partial_correlations
    from metaleptic.convert.associations import reliabilities as reliabilities
    from metaleptic.convert.associations import squared_correlations as squared_correlations
    from metaleptic.convert.correlations import correlations as correlations
    from metaleptic.convert.curve_hazard_ratio import curve_hazard_ratio as curve_hazard_ratio
    from metaleptic.convert.dependence import vcov_imputed as vcov_imputed
    from metaleptic.convert.dependence import vcov_shared_control as vcov_shared_control
    from metaleptic.convert.effects import effects as effects
    from metaleptic.convert.estimates import estimates as estimates
    from metaleptic.convert.estimates import hazard_ratios as hazard_ratios
    from metaleptic.convert.estimates import restricted_means as restricted_means
    from metaleptic.convert.matched_pairs import matched_pairs as matched_pairs
    from metaleptic.convert.means import means as means
    from metaleptic.convert.means import paired_means as paired_means
    from metaleptic.convert.means import single_means as single_means
    from metaleptic.convert.medians import medians as medians
    from metaleptic.convert.proportions import proportions as proportions
    from metaleptic.convert.rates import rates as rates
    from metaleptic.convert.rates import two_rates as two_rates
    from metaleptic.convert.reported_differences import standardised_differences as standardised_differences
    from metaleptic.convert.summary_curve import survival_summary as survival_summary
    from metaleptic.convert.survival_medians import survival_medians as survival_medians
    from metaleptic.convert.survival_rates import survival_rates as survival_rates
    from metaleptic.convert.two_by_two import two_by_two as two_by_two
    from metaleptic.measures import MEASURES as MEASURES
    from metaleptic.patients import IPD as IPD
    from metaleptic.patients import Contrast as Contrast
    from metaleptic.patients import Curve as Curve
    from metaleptic.patients import Published as Published
    from metaleptic.plots.check import plot_check as plot_check
    from metaleptic.plots.densities import plot_priors as plot_priors
    from metaleptic.plots.densities import prior_posterior as prior_posterior
    from metaleptic.plots.draw import plot as plot
    from metaleptic.plots.effect_plots import bubble as bubble
    from metaleptic.plots.effect_plots import drapery as drapery
    from metaleptic.plots.effect_plots import labbe as labbe
    from metaleptic.plots.effect_plots import orchard as orchard
    from metaleptic.plots.forest import forest as forest
    from metaleptic.plots.funnel import funnel as funnel
    from metaleptic.plots.km import km_plot as km_plot
    from metaleptic.pooling.bootstrap import bootstrap as bootstrap
    from metaleptic.pooling.compare import compare as compare
    from metaleptic.pooling.contrasts import contrasts as contrasts
    from metaleptic.pooling.contrasts import vif as vif
    from metaleptic.pooling.location_scale import location_scale as location_scale
    from metaleptic.pooling.location_scale_result import LocationScale as LocationScale
    from metaleptic.pooling.medians import PooledMedian as PooledMedian
    from metaleptic.pooling.medians import pool_medians as pool_medians
    from metaleptic.pooling.multilevel.profile import profile_interval as profile_interval
    from metaleptic.pooling.multilevel.result import Multilevel as Multilevel
    from metaleptic.pooling.multilevel.verb import pool_multilevel as pool_multilevel
    from metaleptic.pooling.not_reached import PooledNotReached as PooledNotReached
    from metaleptic.pooling.not_reached import pool_not_reached as pool_not_reached
    from metaleptic.pooling.permutation import permutation_test as permutation_test
    from metaleptic.pooling.pool import pool as pool
    from metaleptic.pooling.predict import predict as predict
    from metaleptic.pooling.predictions import prediction_interval as prediction_interval
    from metaleptic.pooling.regression_result import Regression as Regression
    from metaleptic.pooling.result import Pooled as Pooled
    from metaleptic.pooling.robust import Robust as Robust
    from metaleptic.pooling.robust import robust as robust
    from metaleptic.pooling.stratified_tests import stratified_tests as stratified_tests
    from metaleptic.pooling.subgroups import subgroups as subgroups
    from metaleptic.pooling.tau2_interval import tau2_interval as tau2_interval
    from metaleptic.reconstruction.read_clicks import read_clicks as read_clicks
    from metaleptic.reconstruction.reconstruct import reconstruct as reconstruct
    from metaleptic.reconstruction.result import Reconstruction as Reconstruction
    from metaleptic.reconstruction.table import reconstruct_table as reconstruct_table
    from metaleptic.reconstruction.table_result import TableReconstruction as TableReconstruction
    from metaleptic.reporting.methods_sentence import methods_sentence as methods_sentence
    from metaleptic.reporting.report import report as report
    from metaleptic.sensitivity.all_subsets import all_subsets as all_subsets
    from metaleptic.sensitivity.baujat import baujat as baujat
    from metaleptic.sensitivity.confounding import e_value as e_value
    from metaleptic.sensitivity.copas import copas as copas
    from metaleptic.sensitivity.cumulative import cumulative as cumulative
    from metaleptic.sensitivity.excess import excess_significance as excess_significance
    from metaleptic.sensitivity.fail_safe import fail_safe_n as fail_safe_n
    from metaleptic.sensitivity.fragility import fragility as fragility
    from metaleptic.sensitivity.henmi_copas import henmi_copas as henmi_copas
    from metaleptic.sensitivity.influence import influence as influence
    from metaleptic.sensitivity.leave_one_out import leave_one_out as leave_one_out
    from metaleptic.sensitivity.limit import limit_meta_analysis as limit_meta_analysis
    from metaleptic.sensitivity.multilevel_influence import multilevel_influence as multilevel_influence
    from metaleptic.sensitivity.multiverse import multiverse as multiverse
    from metaleptic.sensitivity.new_study import proportion_beyond as proportion_beyond
    from metaleptic.sensitivity.overlap import overlaps as overlaps
    from metaleptic.sensitivity.p_curve import p_curve as p_curve
    from metaleptic.sensitivity.p_uniform import p_uniform as p_uniform
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
    from metaleptic.survival.km import KaplanMeier as KaplanMeier
    from metaleptic.survival.km import km as km
    from metaleptic.types import Effects as Effects
    from metaleptic.types import Estimate as Estimate
    from metaleptic.types import Finding as Finding
    from metaleptic.types import Measure as Measure
    from metaleptic.types import Provenance as Provenance
    from metaleptic.types import Result as Result

# Public name -> module: loaded at first use, so that ``import metaleptic`` stays light.
_HOME = {
    "multilevel_influence": "sensitivity.multilevel_influence",
    "profile_interval": "pooling.multilevel.profile",
    "robust": "pooling.robust",
    "Robust": "pooling.robust",
    "pool_multilevel": "pooling.multilevel.verb",
    "LocationScale": "pooling.location_scale_result",
    "Multilevel": "pooling.multilevel.result",
    "Contrast": "patients",
    "Curve": "patients",
    "Effects": "types",
    "Estimate": "types",
    "Finding": "types",
    "IPD": "patients",
    "KaplanMeier": "survival.km",
    "MEASURES": "measures",
    "Loo": "bayes.loo",
    "MapPrior": "bayes.map_prior",
    "Measure": "types",
    "ModelComparison": "bayes.compare",
    "Pooled": "pooling.result",
    "PooledBayes": "bayes.result",
    "Prior": "bayes.prior",
    "RegressionBayes": "bayes.regression_result",
    "PriorSensitivity": "bayes.prior_sensitivity",
    "Provenance": "types",
    "Published": "patients",
    "Result": "types",
    "Reconstruction": "reconstruction.result",
    "TableReconstruction": "reconstruction.table_result",
    "audit": "auditing.audit",
    "bayes_factors": "bayes.bayes_factors",
    "compare_models": "bayes.compare",
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
    "km": "survival.km",
    "km_plot": "plots.km",
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
    "loo": "bayes.loo",
    "PowerScale": "bayes.power_scale",
    "PredictiveCheck": "bayes.predictive",
    "adjust_for_bias": "bayes.bias",
    "power_scale": "bayes.power_scale",
    "map_prior": "bayes.map_prior",
    "pool_bayes_medians": "bayes.medians",
    "predictive_check": "bayes.predictive",
    "means": "convert.means",
    "medians": "convert.medians",
    "PooledMedian": "pooling.medians",
    "pool_medians": "pooling.medians",
    "PooledNotReached": "pooling.not_reached",
    "pool_not_reached": "pooling.not_reached",
    "stratified_tests": "pooling.stratified_tests",
    "paired_means": "convert.means",
    "single_means": "convert.means",
    "two_rates": "convert.rates",
    "rates": "convert.rates",
    "correlations": "convert.correlations",
    "matched_pairs": "convert.matched_pairs",
    "standardised_differences": "convert.reported_differences",
    "partial_correlations": "convert.associations",
    "reliabilities": "convert.associations",
    "squared_correlations": "convert.associations",
    "curve_hazard_ratio": "convert.curve_hazard_ratio",
    "survival_summary": "convert.summary_curve",
    "restricted_means": "convert.estimates",
    "methods_sentence": "reporting.methods_sentence",
    "pool": "pooling.pool",
    "OutcomesBayes": "bayes.pool_bayes_outcomes",
    "pool_bayes": "bayes.pool_bayes",
    "pool_bayes_outcomes": "bayes.pool_bayes_outcomes",
    "plot_check": "plots.check",
    "plot_priors": "plots.densities",
    "prior_posterior": "plots.densities",
    "prior_sensitivity": "bayes.prior_sensitivity",
    "RobustAverage": "bayes.robust_average",
    "SampledRegression": "bayes.sampled_regression",
    "robust_average": "bayes.robust_average",
    "prediction_interval": "pooling.predictions",
    "Regression": "pooling.regression_result",
    "proportions": "convert.proportions",
    "read_clicks": "reconstruction.read_clicks",
    "reconstruct": "reconstruction.reconstruct",
    "reconstruct_table": "reconstruction.table",
    "report": "reporting.report",
    "rank_test": "sensitivity.small_study",
    "regression_test": "sensitivity.small_study",
    "average_clusters": "sensitivity.clusters",
    "small_study": "sensitivity.small_study",
    "trim_and_fill": "sensitivity.trim_and_fill",
    "fail_safe_n": "sensitivity.fail_safe",
    "henmi_copas": "sensitivity.henmi_copas",
    "copas": "sensitivity.copas",
    "excess_significance": "sensitivity.excess",
    "fragility": "sensitivity.fragility",
    "p_curve": "sensitivity.p_curve",
    "p_uniform": "sensitivity.p_uniform",
    "limit_meta_analysis": "sensitivity.limit",
    "pet_peese": "sensitivity.pet_peese",
    "selection_model": "sensitivity.selection_model",
    "all_subsets": "sensitivity.all_subsets",
    "multiverse": "sensitivity.multiverse",
    "proportion_beyond": "sensitivity.new_study",
    "e_value": "sensitivity.confounding",
    "worst_case": "sensitivity.worst_case",
    "robustness": "sensitivity.robustness",
    "overlap_choices": "sensitivity.overlap_choices",
    "overlaps": "sensitivity.overlap",
    "subgroups": "pooling.subgroups",
    "survival_medians": "convert.survival_medians",
    "survival_rates": "convert.survival_rates",
    "two_by_two": "convert.two_by_two",
    "vcov_imputed": "convert.dependence",
    "vcov_shared_control": "convert.dependence",
}

# Public modules, by where they live.
_ROOMS = {"conversions": "conversions", "datasets": "datasets", "errors": "errors", "priors": "bayes.priors"}

__all__ = sorted([*_HOME, *_ROOMS])

_IN_R = {
    "rma": "ml.pool",
    "metagen": "ml.pool",
    "metareg": "ml.pool(moderators=...)",
    "rma_mh": 'ml.pool(model="mantel-haenszel")',
    "rma_peto": 'ml.pool(model="peto")',
    "rma_glmm": 'ml.pool(model="conditional-exact") or another model of counts',
    "rma_mv": "ml.pool_multilevel",
    "metabin": "ml.pool of ml.two_by_two",
    "metaprop": "ml.pool of ml.proportions",
    "escalc": "ml.two_by_two, ml.means, ml.proportions, ml.correlations, ml.rates or another maker of effects",
    "confint": "ml.tau2_interval (of multilevel fits: ml.profile_interval)",
    "anova": "ml.compare (two models) or ml.contrasts (coefficients)",
    "permutest": "ml.permutation_test",
    "blup": "ml.shrinkage",
    "ranef": "ml.shrinkage (.deviation; of multilevel fits: fit.random_effects)",
    "rstandard": "ml.residuals",
    "rstudent": "ml.residuals",
    "cooks_distance": "ml.influence",
    "leave1out": "ml.leave_one_out",
    "cumul": "ml.cumulative",
    "gosh": "ml.all_subsets",
    "trimfill": "ml.trim_and_fill",
    "regtest": "ml.regression_test",
    "metabias": "ml.small_study",
    "ranktest": "ml.rank_test",
    "fsn": "ml.fail_safe_n",
    "tes": "ml.excess_significance",
    "selmodel": "ml.selection_model",
    "hc": "ml.henmi_copas",
    "limitmeta": "ml.limit_meta_analysis",
    "vcalc": "ml.vcov_imputed or ml.vcov_shared_control",
}


def __getattr__(name: str) -> Any:
    if name in _HOME:
        value = getattr(importlib.import_module(f"metaleptic.{_HOME[name]}"), name)
        globals()[name] = value
        return value
    if name in _ROOMS:
        return importlib.import_module(f"metaleptic.{_ROOMS[name]}")
    if name == "__version__":
        from metaleptic.provenance import package_version

        return package_version()
    if name in _IN_R:
        raise AttributeError(
            f"module 'metaleptic' has no attribute '{name}'. What R calls {name}() is {_IN_R[name]} here."
        )
    raise AttributeError(f"module 'metaleptic' has no attribute '{name}'. It has: {', '.join(__all__)}.")


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
