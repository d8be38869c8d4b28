"""The prior on tau that ``pool_bayes`` takes when none is named: one line per measure that has a defensible one."""

from __future__ import annotations

from types import MappingProxyType

from metaleptic.bayes.parametric_priors import half_normal
from metaleptic.bayes.prior import Prior
from metaleptic.errors import OptionError
from metaleptic.types import Measure

# Scale of the half-normal prior and where it comes from. 0.5 for log ratios: heterogeneity is below 0.98 with 95%
# probability, so that the wildest spread still allowed for is a factor of about 7 to either side of the centre.
# A log median, a log rate and a complementary log-log survival are log ratios between cohorts of one arm. Logits of single arms
# spread more: scale 1, half of the unit-information standard deviation of a log odds.
ROEVER = "Roever C et al. Res Synth Methods 2021;12:448-474"
SCHMIDLI = "Schmidli H et al. Biometrics 2014;70:1023-1032"
DEFAULT_SCALES = MappingProxyType(
    {
        "HR": (0.5, ROEVER),
        "OR": (0.5, ROEVER),
        "RR": (0.5, ROEVER),
        "RATIO": (0.5, ROEVER),
        "PETO": (0.5, ROEVER),
        "IRR": (0.5, ROEVER),
        "ROM": (0.5, ROEVER),
        "ROMC": (0.5, ROEVER),
        "MPRR": (0.5, ROEVER),
        "MPOR": (0.5, ROEVER),
        "MPORC": (0.5, ROEVER),
        "MPPETO": (0.5, ROEVER),
        "MEDIAN": (0.5, ROEVER),
        "IRLN": (0.5, ROEVER),
        "SURV": (0.5, ROEVER),
        "PLO": (1.0, SCHMIDLI),
        "SURVLO": (1.0, SCHMIDLI),
    }
)


def default_prior(measure: Measure) -> Prior:
    """Return the default prior of a measure.

    Raises
    ------
    OptionError
        If none can be defended: for differences it depends on the unit.
    """
    if measure.key not in DEFAULT_SCALES:
        raise OptionError(
            f"there is no default prior on tau for {measure.label.lower()!r} ({measure.key}): what is a large heterogeneity "
            "depends on its unit. Say one, for example tau=priors.in_words(probability=0.95, tau=2.0) if you are 95% sure "
            "that the studies' true values have a standard deviation below 2."
        )
    return half_normal(DEFAULT_SCALES[measure.key][0])
