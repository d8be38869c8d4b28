"""What tests of sampled models share: the density that a model defines, and chains that were not sampled."""

import numpy as np

from metaleptic.bayes import sampler
from metaleptic.bayes.sampled_models import SAMPLED


def log_densities(key, effects, prior, mu, points):
    """Return the log density of a model of the table, on its own scale, at each of these points."""
    return model_densities(lambda pm, pt: SAMPLED[key].build(pm, pt, effects, prior, mu), points)


def model_densities(build, points):
    """Return the log density of ``build``'s model at points that name its free variables."""
    import pymc as pm
    import pytensor
    import pytensor.tensor as pt

    with pytensor.config.change_flags(mode="FAST_COMPILE", cxx=""):
        with pm.Model() as model:
            build(pm, pt)
        log = model.compile_logp(jacobian=False)
        found = []
        for point in points:
            start = {}
            for rv in model.free_RVs:
                value = model.rvs_to_values[rv]
                transform = model.rvs_to_transforms[rv]
                x = np.asarray(point[rv.name], dtype=float)
                start[value.name] = x if transform is None else transform.forward(x, *rv.owner.inputs).eval()
            found.append(float(log(start)))
    return found


def replace_chains(monkeypatch, draws):
    """Let ``sample`` return these draws, without a divergence and with an energy as it should be."""
    rng = np.random.default_rng(1)
    chains = next(iter(draws.values())).shape[:2]

    def sample(build, keep, **options):
        assert set(keep) == set(draws)
        return sampler.Chains(dict(draws), np.zeros(chains), rng.standard_normal(chains), "none", (("pymc", "0"),))

    monkeypatch.setattr(sampler, "sample", sample)
