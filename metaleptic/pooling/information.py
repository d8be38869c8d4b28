"""Information criteria from a log-likelihood. Sources: Akaike H 1974; Hurvich CM, Tsai CL. Biometrika 1989;76:297-307; Schwarz G 1978."""

from __future__ import annotations

from dataclasses import dataclass
from math import log


@dataclass(frozen=True, slots=True)
class Criteria:
    """AIC, its small-sample form and BIC: smaller is better, comparable between fits of the same effects only."""

    aic: float
    aicc: float
    bic: float

    def __repr__(self) -> str:
        return f"AIC {self.aic:.2f}, AICc {self.aicc:.2f}, BIC {self.bic:.2f}"


def criteria(loglik: float, parameters: int, observations: int) -> Criteria:
    """Compute the criteria; under REML ``observations`` is k - p."""
    deviance = -2 * loglik
    n = max(observations, parameters + 2)
    return Criteria(
        deviance + 2 * parameters,
        deviance + 2 * parameters * n / (n - parameters - 1),
        deviance + parameters * log(observations),
    )
