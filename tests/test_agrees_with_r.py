"""Agreement with R in one place: every kind of reference value there is, and the test that answers for it.

``tests/golden/index.json`` lists the calls of R whose results were published with the reference values, by topic; each must match
one line of ANSWERED (by a test that runs the comparison) or of LEFT_OUT (with the reason). Nothing may match neither.
"""

from __future__ import annotations

import importlib.util
import itertools
import json
import re
import sys
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

HERE = Path(__file__).parent
INDEX: dict[str, Any] = json.loads((HERE / "golden" / "index.json").read_text(encoding="utf-8"))

MODELS = "pooling/test_models_agree_with_r.py::test_agrees"
SURVIVAL = "survival/test_kernels.py"
ANSWERED = (  # topic, kinds (a regular expression for the whole id), test
    ("uni", ".*", MODELS),
    ("uni_default_control", ".*", MODELS),
    ("confint", "(?!.*fixed_knha).*", MODELS),
    ("predict", ".*", MODELS),
    ("metareg", ".*", MODELS),
    ("metareg_post", ".*(?<!_X)", MODELS),
    ("permutest", ".*", MODELS),
    ("meta", "(?!metabin_|metabias_|metacum|trimfill|threelevel|metainf|subgroup).*", MODELS),
    ("meta", "metabin_(?!GLMM|LRP|RR_Cochrane).*", "pooling/test_continuity_policies.py::test_agrees_with_metabin"),
    ("meta", "metabin_GLMM_UM.FS", "pooling/test_glmm.py::test_agrees_with_rma_glmm"),
    ("meta", "metabin_GLMM_UM.RS", "pooling/test_random_levels.py::test_agrees_with_rma_glmm"),
    ("meta", "metabias_.*", "sensitivity/test_asymmetry_golden.py::test_named_tests_agree_with_meta"),
    ("meta", "(metacum|metainf).*", "sensitivity/test_influence_golden.py::test_common_effects_agree_with_meta"),
    ("meta", "trimfill.*", "sensitivity/test_bias_golden.py::test_trimming_by_the_common_effect_agrees_with_meta"),
    ("meta", "subgroup.*", "pooling/test_golden_r.py::test_subgroups_agree_with_meta"),
    ("mh", ".*", "pooling/test_stratified_tests.py::test_agrees_with_r"),
    ("peto", ".*", "pooling/test_stratified_tests.py::test_agrees_with_r"),
    ("glmm", "OR_(EE|ML)_(UM.FS|CM.AL|CM.EL)", "pooling/test_glmm.py::test_agrees_with_rma_glmm"),
    ("glmm", "OR_ML_UM.FS_nAGQ1", "pooling/test_glmm.py::test_one_node_is_laplace_as_in_r"),
    ("glmm", "OR_ML_UM.FS_(t|predict)", "pooling/test_glmm.py::test_agrees_with_rma_glmm"),
    ("glmm", "OR_(EE|ML)_UM.RS(_predict)?", "pooling/test_random_levels.py::test_agrees_with_rma_glmm"),
    ("glmm", "OR_ML_UM.FS_m1", "pooling/test_count_regression.py::test_agrees_with_rma_glmm"),
    ("influence", ".*", "sensitivity/test_influence_golden.py::test_diagnostics_agree_with_metafor"),
    ("loo_cumul", ".*", "sensitivity/test_influence_golden.py::test_leave_one_out_and_cumulative_agree_with_metafor"),
    ("gosh", ".*", "sensitivity/test_all_subsets.py::test_every_subset_agrees_with_metafor"),
    ("trimfill", ".*", "sensitivity/test_bias_golden.py::test_trim_and_fill_agrees_with_metafor"),
    ("fsn", ".*", "sensitivity/test_bias_golden.py::test_fail_safe_n_agrees_with_metafor"),
    ("tes", ".*", "sensitivity/test_bias_golden.py::test_excess_significance_agrees_with_metafor"),
    ("hc", ".*", "sensitivity/test_bias_golden.py::test_henmi_copas_agrees_with_metafor"),
    ("metasens", "limitmeta.*", "sensitivity/test_bias_golden.py::test_limit_meta_analysis_agrees_with_metasens"),
    ("metasens", "copas", "sensitivity/test_copas.py::test_fits_are_those_of_r_or_higher"),
    ("regtest", ".*", "sensitivity/test_asymmetry_golden.py::test_regression_tests_agree_with_metafor"),
    ("ranktest", ".*", "sensitivity/test_asymmetry_golden.py::test_rank_tests_agree_with_metafor"),
    ("selmodel", ".*", "sensitivity/test_selection_golden.py::test_selection_models_agree_with_metafor"),
    ("robust", ".*", "pooling/multilevel/test_robust_golden.py::test_robust_agrees"),
    ("mv", ".*", "pooling/multilevel/test_multilevel_golden.py::test_fit_agrees_with_metafor"),
    ("mv_confint", ".*", "pooling/multilevel/test_profile_and_compare.py::test_profile_intervals_agree"),
    ("mv_post", ".*_(cooks|rstudent)", "sensitivity/test_multilevel_influence.py::test_deletion_agrees_with_r"),
    (
        "mv_post",
        ".*_(predict|hatvalues|ranef|rstandard|weights_rowsum|contrast)",
        "pooling/multilevel/test_multilevel_golden.py::test_everything_but_the_components_agrees_when_they_are_held",
    ),
    (
        "mv_post",
        "LRT_(?!UN).*",
        "pooling/multilevel/test_profile_and_compare.py::test_likelihood_ratio_of_a_variance_agrees_with_r",
    ),
    (
        "mv_post",
        "LRT_UN.*|contrast",
        "pooling/multilevel/test_profile_and_compare.py::test_likelihood_ratio_of_structures_and_contrast_agree_with_r",
    ),
    ("escalc", "(?!Z?R2F).*", "convert/test_escalc_agrees_with_r.py::test_effect_sizes"),
    ("meta_ci", ".*", "pooling/test_golden_r.py::test_exact_intervals_agree_with_meta"),
    ("conv/wald", ".*", "conversions/test_uncertainty.py::test_wald_conversions_agree_with_metafor"),
    ("conv/delta", ".*", "conversions/test_uncertainty.py::test_delta_method_agrees_with_metafor"),
    ("conv/transf", ".*", "conversions/test_scales.py::test_transform_agrees_with_metafor"),
    ("conv/t2x2", ".*", "conversions/test_scales.py::test_tables_from_totals"),
    ("conv/fivenum", "(?!luo2016).*", "conversions/test_quantiles.py::test_agrees_with_r"),
)
LEFT_OUT = (  # topic, kinds, why no number of ours is compared
    ("confint", ".*fixed_knha", "the interval of a coefficient is in the fit itself, compared under uni"),
    ("metareg_post", ".*_X", "a design matrix: compared through every coefficient"),
    ("mv_post", ".*_X", "a design matrix"),
    ("meta", "metabin_(LRP|RR_Cochrane)", "penalised logistic regression is not offered; a variant of the variance"),
    ("meta", "threelevel.*", "the same fits as rma.mv, compared under mv"),
    ("glmm", "UM.FS_(log|identity)", "R calls them experimental and does not converge: risk ratios by a log link"),
    ("extra", ".*", "anova, predict and summary of fits compared under metareg, predict and escalc"),
    ("conv/agg", ".*", "averages of dependent effects: ml.pool_multilevel keeps the effects themselves"),
    ("conv/matreg", ".*", "regression from a correlation matrix is not meta-analysis of effects"),
    ("escalc", "Z?R2F", "R squared with fixed predictors: R documents no formula of its variance"),
    ("conv/fivenum", "luo2016.*", "R has no such method"),
    ("mv_hasselblad1998_nma/other", ".*", "network meta-analysis is not offered"),
    ("mv_kearon1998_diag/other", ".*", "the bivariate model of test accuracy is rma.mv with UN, compared under mv"),
)
SURVIVAL_TESTS = {  # reference case of survival summaries -> test, or "not: why"
    "v01": f"{SURVIVAL}::test_bands",
    "v02": f"{SURVIVAL}::test_quantiles_and_their_intervals",
    "v03": f"{SURVIVAL}::test_rules_differ_on_a_plateau_only",
    "v04": f"{SURVIVAL}::test_landmarks",
    "v05": f"{SURVIVAL}::test_cox_of_fourteen_patients",
    "v06": f"{SURVIVAL}::test_log_rank_and_peto",
    "v07": f"{SURVIVAL}::test_cox_with_ties",
    "v08": f"{SURVIVAL}::test_cox_with_strata_and_clusters",
    "v12": f"{SURVIVAL}::test_restricted_means",
    "v31": f"{SURVIVAL}::test_beta_product_limits",
    "v15b": "pooling/test_golden_r.py::test_log_medians_of_thirty_arms_agree_with_metafor",
    "v16": "pooling/test_pool_medians.py::test_medians_of_medians_agree_with_metamedian",
    "v17": "conversions/test_quantiles.py::test_differences_of_medians_agree_with_metamedian",
    "v18": "pooling/test_pool_medians.py::test_confidence_distributions_agree_with_metamedian",
    "v19": "conversions/test_quantiles.py::test_agrees_with_r",
    "v20": "conversions/test_quantiles.py::test_agrees_with_r",
    "v21": "conversions/test_quantiles.py::test_differences_of_26_studies_agree_with_metamedian",
    "v24": "pooling/test_golden_r.py::test_binomial_normal_agrees_with_r_within_its_quadrature",
    "v25": "pooling/test_golden_r.py::test_exact_intervals_agree_with_meta",
    "v27": "convert/test_hazard_routes.py::test_hazard_ratio_routes",
    "v28": "convert/test_hazard_routes.py::test_williamson_from_curves_and_numbers_at_risk",
    "v32": "convert/test_escalc_agrees_with_r.py::test_effect_sizes",
    "v33": "convert/test_hazard_routes.py::test_whole_summary_as_one_curve",
    "v34": "pooling/test_golden_r.py::test_upper_bound_not_reached",
    "v36": "pooling/test_golden_r.py::test_small_log_medians_agree_with_meta",
}
OTHER_TOPICS = {  # reference cases of survival that are no synthesis of published summaries, or are decided against
    "v09": "frailty models of patients",
    "v10": "parametric survival models of patients",
    "v11": "interval-censored patients",
    "v13": "metaRMST, whose covariance between horizons is wrong",
    "v14": "two-stage Cox models of patients: each stage is compared, under v07 and uni",
    "v15": "medians pooled on the natural scale with Wald errors are 9-19% low: medians are pooled as logarithms, v15b",
    "v29": "whole curves pooled over studies",
    "v35": "consistency checks of printed means, which are no synthesis",
    "v30": "flexible parametric models of patients",
}
TESTS = sorted({test for _, _, test in ANSWERED} | set(SURVIVAL_TESTS.values()))


@cache
def module(path: str) -> ModuleType:
    """Load a test file once."""
    name = "agreement_" + path.removesuffix(".py").replace("/", "_")
    sys.path.insert(0, str((HERE / path).parent))
    spec = importlib.util.spec_from_file_location(name, HERE / path)
    assert spec is not None
    assert spec.loader is not None
    loaded = importlib.util.module_from_spec(spec)
    sys.modules[name] = loaded
    spec.loader.exec_module(loaded)
    return loaded


def comparisons(test: str) -> Iterator[Callable[[], None]]:
    """Yield every case of a test, parametrised or not."""
    path, name = test.split("::")
    function = getattr(module(path), name)
    grids = []
    for mark in getattr(function, "pytestmark", []):
        if mark.name == "parametrize":
            names = (
                [x.strip() for x in mark.args[0].split(",")] if isinstance(mark.args[0], str) else list(mark.args[0])
            )
            single = len(names) == 1
            cases = [x.values if hasattr(x, "marks") else (x,) if single else x for x in mark.args[1]]
            grids.append([dict(zip(names, case, strict=True)) for case in cases])
    for combination in itertools.product(*grids):
        arguments = {key: value for part in combination for key, value in part.items()}
        yield lambda arguments=arguments: function(**arguments)


def test_no_kind_of_reference_value_is_without_an_answer() -> None:
    """Each matches exactly one line, and each line matches something."""
    lines = [(topic, kinds) for topic, kinds, _ in (*ANSWERED, *LEFT_OUT)]
    used: set[tuple[str, str]] = set()
    wrong = []
    for topic, entry in INDEX["frequentist"].items():
        for kind in entry["kinds"]:
            found = [line for line in lines if line[0] == topic and re.fullmatch(line[1], kind)]
            used.update(found)
            if len(found) != 1:
                wrong.append((topic, kind, found))
    assert not wrong, wrong[:20]
    assert used == set(lines), set(lines) - used
    assert set(INDEX["survival"]) == SURVIVAL_TESTS.keys() | OTHER_TOPICS.keys()
    assert not SURVIVAL_TESTS.keys() & OTHER_TOPICS.keys()


def test_the_grid_is_complete() -> None:
    """38 topics of frequentist synthesis with 7,035 results of R, 34 cases of survival; every test named here exists."""
    assert len(INDEX["frequentist"]) == 38
    assert sum(entry["values"] for entry in INDEX["frequentist"].values()) == 7035
    assert len(INDEX["survival"]) == 34
    assert all(next(comparisons(test), None) is not None for test in TESTS)


@pytest.mark.long
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("test", TESTS)
def test_agrees(test: str) -> None:
    """Every comparison there is, in one place; the default suite runs them in the files named."""
    for comparison in comparisons(test):
        try:
            comparison()
        except pytest.skip.Exception:
            continue
