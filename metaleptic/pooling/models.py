"""MODELS: one line per pooling model. A new model is a function and a line here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from types import MappingProxyType

from metaleptic.errors import OptionError
from metaleptic.pooling.beta_binomial import beta_binomial
from metaleptic.pooling.count_glmm import count_model
from metaleptic.pooling.count_models import binomial_normal, mantel_haenszel_model, peto_model, pooled_counts
from metaleptic.pooling.mean_inference import MEAN_METHODS
from metaleptic.pooling.normal_models import common_effect, random_effects, single
from metaleptic.pooling.result import Pooled
from metaleptic.types import Effects


@dataclass(frozen=True, slots=True)
class Model:
    """One pooling model: key, name, function, tests it offers (the first is the default), source."""

    key: str
    name: str
    fit: Callable[..., Pooled]
    tests: tuple[str, ...]
    source: str


MODELS = MappingProxyType(
    {
        m.key: m
        for m in (
            Model(
                "random",
                "random-effects model",
                random_effects,
                ("knapp-hartung", "t", "z", "adhoc", *MEAN_METHODS),
                "DerSimonian R, Laird N. Control Clin Trials 1986;7:177-188",
            ),
            Model(
                "common",
                "common-effect model",
                common_effect,
                ("z", "t", "knapp-hartung", "adhoc"),
                "Rice K, Higgins JPT, Lumley T. J R Stat Soc A 2018;181:205-227",
            ),
            Model(
                "binomial-normal",
                "binomial-normal random-effects model",
                binomial_normal,
                ("z", "t"),
                "Hamza TH, van Houwelingen HC, Stijnen T. J Clin Epidemiol 2008;61:41-51",
            ),
            Model(
                "conditional-exact",
                "exact conditional model of two-by-two tables",
                count_model("conditional-exact"),
                ("z", "t"),
                "Stijnen T, Hamza TH, Özdemir P. Stat Med 2010;29:3046-3067",
            ),
            Model(
                "conditional-approximate",
                "approximate conditional model of two-arm counts",
                count_model("conditional-approximate"),
                ("z", "t"),
                "Stijnen T, Hamza TH, Özdemir P. Stat Med 2010;29:3046-3067",
            ),
            Model(
                "unconditional-fixed",
                "unconditional model of two-arm counts with fixed study levels",
                count_model("unconditional-fixed"),
                ("z", "t"),
                "Jackson D et al. Stat Med 2018;37:1059-1085, model 4",
            ),
            Model(
                "unconditional-random",
                "unconditional model of two-arm counts with random study levels",
                count_model("unconditional-random"),
                ("z", "t"),
                "Jackson D et al. Stat Med 2018;37:1059-1085, model 5",
            ),
            Model(
                "unconditional-correlated",
                "bivariate model of two-arm counts with correlated random study levels",
                count_model("unconditional-correlated"),
                ("z", "t"),
                "Van Houwelingen HC, Arends LR, Stijnen T. Stat Med 2002;21:589-624; Jackson D et al. Stat Med 2018;37:1059-1085",
            ),
            Model(
                "poisson-normal",
                "Poisson-normal random-effects model",
                count_model("poisson-normal"),
                ("z", "t"),
                "Stijnen T, Hamza TH, Özdemir P. Stat Med 2010;29:3046-3067",
            ),
            Model(
                "beta-binomial",
                "beta-binomial model",
                beta_binomial,
                ("z", "t"),
                "Kuss O. Stat Med 2015;34:1097-1116",
            ),
            Model(
                "pooled-counts",
                "common-proportion model",
                pooled_counts,
                ("z",),
                "Clopper CJ, Pearson ES. Biometrika 1934;26:404-413",
            ),
            Model(
                "mantel-haenszel",
                "Mantel-Haenszel method",
                mantel_haenszel_model,
                ("z",),
                "Mantel N, Haenszel W. J Natl Cancer Inst 1959;22:719-748; "
                "Robins J, Breslow N, Greenland S. Biometrics 1986;42:311-323; "
                "Greenland S, Robins JM. Biometrics 1985;41:55-68; Sato T. Biometrics 1989;45:1323-1324",
            ),
            Model(
                "peto",
                "Peto method",
                peto_model,
                ("z",),
                "Yusuf S et al. Prog Cardiovasc Dis 1985;27:335-371",
            ),
        )
    }
)


def fit_model(effects: Effects, model: str, tau2: str, test: str, level: float, nodes: int | None = None) -> Pooled:
    """Fit with settled options and no warnings: what ``pool`` and the sensitivity analyses share."""
    if model not in MODELS:
        raise OptionError(
            f"a fit with {model} cannot be repeated on other studies. Fit it without weights of your own first."
        )
    if len(effects) == 1 and model not in ("pooled-counts", "mantel-haenszel", "peto"):
        return single(effects, model, level)
    options = {} if nodes is None else {"nodes": nodes}
    return MODELS[model].fit(effects, tau2, test, level, **options)
