"""Simulation-based calibration: draw parameters from the prior, data from the model, and ask the posterior about the truth.

If the posterior is right, the probability that it puts below the true value is uniform: Talts S et al. arXiv:1804.06788
(2018). Quadrature gives that probability itself; of draws the rank of the truth among a thinned few does, and of a
yes-or-no question (is there an effect?) the probability is spread evenly over the answer that was true.

``python tests/bayes/calibration.py MODEL ...`` runs the models named (all without a name) as often as the table says and
keeps what it finds in docs/calibration.json, from which the site draws its figure.
"""

import json
import sys
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy import stats

import metaleptic as ml
from metaleptic import priors
from metaleptic.bayes import likelihoods, medians, outliers
from metaleptic.bayes.latent import latent
from metaleptic.bayes.random_beta import beta_between, shapes
from metaleptic.bayes.random_normal import NORMAL
from metaleptic.bayes.regression_bias import Small
from metaleptic.bayes.regularising import draw_coefficients
from metaleptic.bayes.robust_average import BIAS
from metaleptic.bayes.selection import Steps
from metaleptic.design import design_of

STORE = Path(__file__).parents[2] / "docs" / "calibration.json"
FOUR = ("mean", "tau", "first study", "new study")
MU, TAU = priors.normal(-1.0, 1.0), priors.half_normal(0.7)
SIZES = np.array([5, 8, 12, 20, 30])
V = 4.0 / SIZES
RIDGE, HORSESHOE = priors.ridge(0.5, mean=(-1, 1)), priors.horseshoe(1, mean=(-1, 1))
CHAINS, DRAWS, THIN = 2, 200, 5


@dataclass(frozen=True, slots=True)
class Simulated:
    """One model: what it is called, the quantities asked about, ``one(rng)``, and how many runs the figure shows."""

    words: str
    quantities: tuple[str, ...]
    one: Callable[[np.random.Generator], list[float]]
    runs: int = 300
    sampled: bool = False


def truths(rng, mean=MU, tau=TAU, t=False):
    """Draw mu, tau and the true effects of the studies and of a new one."""
    mu, spread = rng.normal(mean.location, mean.scale), float(tau.draw(1, seed=int(rng.integers(2**31)))[0])
    z = rng.standard_t(4, SIZES.size + 1) if t else rng.standard_normal(SIZES.size + 1)
    return mu, spread, mu + spread * z


def below(fit, mu, tau, theta):
    """Ask a posterior for the probability below each of the four true values."""
    return [fit.mu.cdf(mu), fit.tau.cdf(tau), fit.theta[0].cdf(theta[0]), fit.prediction.cdf(theta[-1])]


def noisy(rng, theta, v=V):
    return theta[: v.size] + np.sqrt(v) * rng.standard_normal(v.size)


def normal_normal(rng):
    mu, tau, theta = truths(rng)
    return below(ml.pool_bayes(ml.effects(noisy(rng, theta), V), tau=TAU, mu=MU), mu, tau, theta)


def student_mean(rng):
    prior = priors.student_t(5, 0.2, 0.5)
    spread = float(priors.log_normal(-1.2, 0.8).draw(1, seed=int(rng.integers(2**31)))[0])
    mu = 0.2 + 0.5 * rng.standard_t(5)
    theta = mu + spread * rng.standard_normal(SIZES.size + 1)
    fit = ml.pool_bayes(ml.effects(noisy(rng, theta), V), tau=priors.log_normal(-1.2, 0.8), mu=prior)
    return below(fit, mu, spread, theta)


def regression(rng):
    x = np.array([0.0, 1.0, 0.5, 2.0, 1.5, 1.2])
    _, tau, z = truths(rng, priors.normal(0, 1e-9))
    b = np.array([rng.normal(-1, 1), rng.normal(0, 0.5)])
    theta = b[0] + b[1] * x + z
    e = ml.effects(noisy(rng, theta), V)
    design = np.column_stack([np.ones(5), x[:5]])
    fit = ml.pool_bayes(e, moderators=design, tau=TAU, beta=[(-1, 1), (0, 0.5)])
    new = fit.predict([[1.0, x[5]]], study=True)[0]
    asked = ((fit.beta[0], b[0]), (fit.beta[1], b[1]), (fit.tau, tau), (fit.theta[0], theta[0]), (new, theta[5]))
    return [d.cdf(truth) for d, truth in asked]


def allowed_for(rng):
    mu, tau, theta = truths(rng)
    allowances = [(0.3, 0.2), (0.0, 0.0), (-0.2, 0.4), (0.1, 0.3), (0.0, 0.0)]
    biased = noisy(rng, theta) + [rng.normal(m, s) for m, s in allowances]
    e = ml.adjust_for_bias(ml.effects(biased, V), allowances)
    return below(ml.pool_bayes(e, tau=TAU, mu=MU), mu, tau, theta)


def counted(rng, kind, mu, tau, theta):
    """Draw counts, return them as effects and the likelihood and between-study distribution that read them."""
    n = SIZES.astype(float)
    if kind == "poisson-normal":
        x = rng.poisson(n * np.exp(theta[:-1])).astype(float)
        return x, theta, likelihoods.poisson(x, n), NORMAL
    if kind == "beta-binomial":
        p = rng.beta(*shapes(mu, max(tau, 1e-6)), SIZES.size + 1)
        theta = np.log(p) - np.log1p(-p)
    x = rng.binomial(SIZES, 1 / (1 + np.exp(-theta[:-1]))).astype(float)
    return x, theta, likelihoods.binomial(x, n), beta_between(x, n) if kind == "beta-binomial" else NORMAL


def by_counts(kind):
    def one(rng):
        mu, tau, theta = truths(rng)
        _, theta, study, between = counted(rng, kind, mu, tau, theta)
        fit = latent(study, TAU, MU, study.scale**2, between)
        asked = zip((fit.mu, fit.tau, fit.theta[0], fit.new), (mu, tau, theta[0], theta[-1]), strict=True)
        return [d.cdf(t) for d, t in asked]

    return one


def median_counts(rng):
    """Draw deaths and survivors at the end of follow-up, survival exponential: a median that may not be reached."""
    mean, spread = priors.normal(2.3, 0.5), priors.half_normal(0.5)
    mu, tau, theta = truths(rng, mean, spread)
    at = np.log([3.0, 6.0, 9.0, 12.0, 18.0])
    died = rng.binomial(SIZES, 1 - 0.5 ** np.exp(at - theta[:-1])).astype(float)
    nan = np.full(5, np.nan)
    study = medians.likelihood_of(medians.Evidence(nan, nan, nan, died, SIZES - died, at), 1.0)
    fit = latent(study, spread, mean, study.scale**2, NORMAL)
    asked = zip((fit.mu, fit.tau, fit.theta[0], fit.new), (mu, tau, theta[0], theta[-1]), strict=True)
    return [d.cdf(t) for d, t in asked]


def predictive_prior(rng):
    theta = truths(rng)[2]
    p = 1 / (1 + np.exp(-theta))
    e = ml.proportions({"study": list("abcde"), "events": rng.binomial(SIZES, p[:-1]), "n": SIZES})
    prior = ml.map_prior(e, tau=TAU, mu=MU)
    after = prior.update(events=int(rng.binomial(20, p[-1])), n=20)
    return [float(prior.cdf(p[-1])), float(after.cdf(p[-1]))]


def answered(rng, probability, truth):
    """Spread the probability of "no" evenly below, that of "yes" above: uniform if the probability of "yes" is right."""
    return float((1 - probability) + rng.random() * probability if truth else rng.random() * (1 - probability))


def averaged(rng):
    """Draw one of the four models of ``compare_models`` and ask which it was, and for the effect where there is one."""
    v, prior, spread = V / 6, priors.normal(0, 0.6), priors.half_normal(0.5)
    effect, random = rng.random(2) < 0.5
    mu, tau, _ = truths(rng, prior, spread)
    mu, tau = mu * effect, tau * random
    y = noisy(rng, mu + tau * rng.standard_normal(5), v)
    found = ml.compare_models(ml.effects(y, v, measure="HR"), mu=prior, tau=spread)
    p_effect, p_random = found.posterior[[1, 3]].sum(), found.posterior[[2, 3]].sum()
    inside = float(found.mu.cdf(mu)) if effect else np.nan
    return [answered(rng, p_effect, effect), answered(rng, p_random, random), inside]


def robust(rng):
    """Draw one of the 36 models of ``robust_average`` and ask whether it had an effect, heterogeneity, bias."""
    v, prior, spread = V / 6, priors.normal(0, 0.6), priors.half_normal(0.5)
    effect, random = rng.random(2) < 0.5
    bias = BIAS[rng.choice(len(BIAS), p=[share for _, share in BIAS])][0]
    mu, tau, _ = truths(rng, prior, spread)
    mu, tau = mu * effect, tau * random
    y = reported(rng, bias, mu, tau, v)
    if y is None:  # what is published so rarely is not waited for; the share is far below what the test can see
        return [np.nan] * 3
    found = ml.robust_average(ml.effects(y, v, measure="SMD"), mu=prior, tau=spread)
    has = np.array([[m[0] == "effect", m[1] == "random", m[2] != "no bias"] for m in found.models])
    p = found.posterior @ has
    return [answered(rng, p[i], t) for i, t in enumerate((effect, random, bias is not None))]


def reported(rng, bias, mu, tau, v):
    """Draw results as a model of publication bias lets them through."""
    se = np.sqrt(v)
    if bias is None or isinstance(bias, Small):
        shift = 0.0 if bias is None else bias.scale * abs(rng.standard_cauchy()) * se**bias.power
        return mu + shift + np.hypot(tau, se) * rng.standard_normal(v.size)
    assert isinstance(bias, Steps)
    d = len(bias.cuts)
    omega = np.concatenate([[1.0], np.cumprod([rng.beta(d - j, 1) for j in range(d)])])
    y = np.full(v.size, np.nan)
    for i, s in enumerate(se):
        for _ in range(100_000):
            one = rng.normal(mu, np.hypot(tau, s))
            p = stats.norm.sf(one / s) if bias.sides == 1 else 2 * stats.norm.sf(abs(one / s))
            if rng.random() < omega[np.searchsorted(bias.cuts, p)]:
                y[i] = one
                break
    return None if np.isnan(y).any() else y


def rank(rng, draws, truth):
    """Return where the truth ranks among thinned draws, as a fraction with the step between ranks filled evenly."""
    x = draws[:, ::THIN].reshape(-1)
    return float(((x < truth).sum() + rng.random()) / (x.size + 1))


def ranks(rng, fit, mu, tau, theta):
    d = fit.draws
    return [
        rank(rng, x, t)
        for x, t in ((d["mu"], mu), (d["tau"], tau), (d["theta"][..., 0], theta[0]), (d["new"], theta[-1]))
    ]


def nuts(rng, effects, model, mu=MU, tau=TAU):
    seed = int(rng.integers(2**31))
    return ml.pool_bayes(effects, model=model, method="nuts", tau=tau, mu=mu, draws=DRAWS, chains=CHAINS, seed=seed)


def drawn(kind):
    """Sample a model that is also solved."""

    def one(rng):
        mu, tau, theta = truths(rng, t=kind == "t")
        names = list("abcde")
        if kind in ("normal-normal", "t"):
            e = ml.effects(noisy(rng, theta), V)
        else:
            x, theta, _, _ = counted(rng, kind, mu, tau, theta)
            make = ml.rates if kind == "poisson-normal" else ml.proportions
            size = {"time": SIZES} if kind == "poisson-normal" else {"n": SIZES}
            e = make({"study": names, "events": x.astype(int), **size})
        return ranks(rng, nuts(rng, e, kind), mu, tau, theta)

    return one


def selected(rng):
    """Draw results of which those that are not significant stay unreported with probability 1 - omega."""
    mean = priors.normal(1.5, 0.4)
    mu, tau, theta = truths(rng, mean)
    omega, se, y = rng.random(), np.sqrt(V), np.empty(5)
    for i, s in enumerate(se):
        while True:
            theta[i] = rng.normal(mu, tau)
            y[i] = rng.normal(theta[i], s)
            if y[i] > stats.norm.ppf(0.975) * s or rng.random() < omega:
                break
    fit = nuts(rng, ml.effects(y, V), "selection", mean)
    return [*ranks(rng, fit, mu, tau, theta), rank(rng, fit.draws["omega"], omega)]


def outlying(rng):
    """Draw true effects of which a few, with their own spread, lie far out."""
    mu, tau, _ = truths(rng)
    wide = outliers.STRETCH * float(TAU.draw(1, seed=int(rng.integers(2**31)))[0])
    share = rng.beta(*outliers.SHARE)
    spread = np.hypot(tau, wide * (rng.random(SIZES.size + 1) < share))
    theta = mu + spread * rng.standard_normal(SIZES.size + 1)
    fit = nuts(rng, ml.effects(noisy(rng, theta), V), "outliers")
    more = [rank(rng, fit.draws[name], truth) for name, truth in (("wide", wide), ("share", share))]
    return [*ranks(rng, fit, mu, tau, theta), *more]


def regressed(prior):
    """Draw coefficients of three moderators, true effects of ten studies around what they predict, and results."""

    def one(rng):
        v, z = np.tile(V, 2), np.linspace(-1, 1, 10)
        columns = {"a": z, "b": np.tile([0.0, 1.0], 5), "c": z**2}
        if prior is None:
            beta, b = [(-1, 1), (0, 0.5), (0, 0.5), (0, 0.5)], rng.normal([-1, 0, 0, 0], [1, 0.5, 0.5, 0.5])
        else:
            beta, b = prior, draw_coefficients(prior, design_of(ml.effects(z, v), columns), v, 1, rng)[0]
        tau = float(TAU.draw(1, seed=int(rng.integers(2**31)))[0])
        theta = b[0] + np.column_stack(list(columns.values())) @ b[1:] + tau * rng.standard_normal(10)
        e, seed = ml.effects(noisy(rng, theta, v), v), int(rng.integers(2**31))
        more = {"method": "nuts", "draws": DRAWS, "chains": CHAINS, "seed": seed}
        d = ml.pool_bayes(e, moderators=columns, tau=TAU, beta=beta, **more).draws
        asked = ((d["beta"][..., 0], b[0]), (d["beta"][..., 1], b[1]), (d["beta"][..., 2], b[2]), (d["tau"], tau))
        return [rank(rng, x, t) for x, t in (*asked, (d["theta"][..., 0], theta[0]))]

    return one


def two_outcomes(rng):
    """Draw two outcomes of five studies, correlated within and between studies; every correlation is as likely before."""
    mu, tau, rho = rng.normal(-1, 1, 2), TAU.draw(2, seed=int(rng.integers(2**31))), rng.uniform(-1, 1)
    within, between = np.array([[1, 0.3], [0.3, 1]]), np.array([[1, rho], [rho, 1]])
    theta = rng.multivariate_normal(mu, np.outer(tau, tau) * between, SIZES.size)
    y = np.array([rng.multivariate_normal(t, v * within) for t, v in zip(theta, V, strict=True)])
    e = ml.effects(
        y.reshape(-1), np.repeat(V, 2), study=[s for s in "abcde" for _ in "AB"], columns={"outcome": ["A", "B"] * 5}
    )
    seed = int(rng.integers(2**31))
    options = {"outcome": "outcome", "V": np.kron(np.diag(V), within), "tau": TAU, "mu": MU, "seed": seed}
    d = ml.pool_bayes_outcomes(e, draws=DRAWS, chains=CHAINS, **options).draws
    asked = ((d["mu"][..., 0], mu[0]), (d["mu"][..., 1], mu[1]), (d["tau"][..., 0], tau[0]))
    more = ((d["correlation"][..., 1, 0], rho), (d["theta"][..., 0, 1], theta[0, 1]))
    return [rank(rng, x, t) for x, t in (*asked, *more)]


OUTCOMES = ("mean A", "mean B", "tau A", "correlation", "first study, B")
COEFFICIENTS = ("intercept", "slope a", "slope b", "tau", "first study")
MODELS = {
    "normal-normal": Simulated("normal-normal", FOUR, normal_normal, 1000),
    "student-mean": Simulated("normal-normal, Student t prior on the mean", FOUR, student_mean),
    "regression": Simulated("meta-regression", ("intercept", "slope", *FOUR[1:]), regression),
    "allowances": Simulated("normal-normal, allowances for bias", FOUR, allowed_for),
    "binomial-normal": Simulated("binomial-normal", FOUR, by_counts("binomial-normal")),
    "beta-binomial": Simulated("beta-binomial", FOUR, by_counts("beta-binomial")),
    "poisson-normal": Simulated("Poisson-normal", FOUR, by_counts("poisson-normal")),
    "medians": Simulated("medians by deaths and survivors", FOUR, median_counts),
    "map": Simulated("MAP prior", ("new study", "new study with 20 patients"), predictive_prior),
    "average": Simulated("4 models averaged", ("an effect", "heterogeneity", "mean, if an effect"), averaged, 1000),
    "robust": Simulated("36 models averaged", ("an effect", "heterogeneity", "publication bias"), robust, 200),
    "t, sampled": Simulated("Student t random effects, sampled", FOUR, drawn("t"), 150, True),
    "selection, sampled": Simulated("selected results, sampled", (*FOUR, "omega"), selected, 150, True),
    "outliers, sampled": Simulated(
        "usual and outlying studies, sampled", (*FOUR, "wide", "share"), outlying, 100, True
    ),
    "regression, sampled": Simulated("meta-regression, sampled", COEFFICIENTS, regressed(None), 100, True),
    "ridge, sampled": Simulated("meta-regression, ridge prior, sampled", COEFFICIENTS, regressed(RIDGE), 100, True),
    "horseshoe, sampled": Simulated(
        "meta-regression, horseshoe prior, sampled", COEFFICIENTS, regressed(HORSESHOE), 80, True
    ),
    "outcomes, sampled": Simulated("two correlated outcomes, sampled", OUTCOMES, two_outcomes, 320, True),
    "normal-normal, sampled": Simulated("normal-normal, sampled", FOUR, drawn("normal-normal"), 100, True),
    "binomial-normal, sampled": Simulated("binomial-normal, sampled", FOUR, drawn("binomial-normal"), 100, True),
    "beta-binomial, sampled": Simulated("beta-binomial, sampled", FOUR, drawn("beta-binomial"), 100, True),
    "poisson-normal, sampled": Simulated("Poisson-normal, sampled", FOUR, drawn("poisson-normal"), 100, True),
}


def probabilities(key, runs, seed):
    """Return the posterior probability below each true value: shape (runs, quantities); NaN where nothing was asked."""
    rng = np.random.default_rng(seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ml.errors.MetalepticWarning)
        return np.array([MODELS[key].one(rng) for _ in range(runs)], dtype=float)


def uniformity(u):
    """Return the p value of the Kolmogorov-Smirnov test of uniformity."""
    return float(stats.kstest(u[np.isfinite(u)], "uniform").pvalue)


def main():
    for key in sys.argv[1:] or list(MODELS):
        model = MODELS[key]
        u = probabilities(key, model.runs, 20)
        stored = json.loads(STORE.read_text(encoding="utf-8")) if STORE.exists() else {}
        stored[key] = {
            "words": model.words,
            "sampled": model.sampled,
            "probability": {
                q: [round(float(x), 4) for x in u[np.isfinite(u[:, i]), i]] for i, q in enumerate(model.quantities)
            },
        }
        ordered = {k: stored[k] for k in MODELS if k in stored}
        STORE.write_text(json.dumps(ordered, separators=(",", ":")).replace('},"', '},\n"') + "\n", encoding="utf-8")
        sys.stdout.write(f"{key}: {[round(uniformity(c), 3) for c in u.T]}\n")


if __name__ == "__main__":
    main()
