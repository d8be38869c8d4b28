"""RegressionBayes: the posterior of a meta-regression, complete when made."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from metaleptic.bayes.coefficients import coefficient_frame, coefficient_lines, contrast_row
from metaleptic.bayes.marginal import Marginal
from metaleptic.bayes.prior import Prior
from metaleptic.types import Effects, Provenance

if TYPE_CHECKING:
    from metaleptic.bayes.moderators import ExactRegression
    from metaleptic.design import Design


@dataclass(frozen=True, slots=True, eq=False)
class RegressionBayes:
    """The posterior of a meta-regression: what ``ml.pool_bayes(..., moderators=...)`` returns.

    Attributes
    ----------
    effects : Effects
        What was pooled.
    design : Design
        Design matrix with the names of its columns.
    beta : tuple of Marginal
        Posterior of each coefficient, analysis scale.
    tau : Marginal
        Posterior of the heterogeneity that the moderators leave.
    theta : tuple of Marginal
        Posterior of each study's true effect: shrunken towards what its moderators predict.
    log_marginal : float
        Log marginal likelihood; NaN if a prior is improper (``no_marginal`` says which).
    no_marginal : str
        Why there is no marginal likelihood; empty if there is one.
    log_integral : float
        Log of the integral of prior times likelihood, also where it is no marginal likelihood.
    prior : Prior
        Prior on tau.
    beta_prior : tuple of (mean, sd)
        Priors on the coefficients; an infinite sd is flat.
    fit : ExactRegression
        The numbers behind it.
    error : float
        Bound on the numerical error of every probability above.
    method : str
        The model in words.
    level : float
        Level of the intervals.
    provenance : Provenance
        How to make it again.
    """

    effects: Effects
    design: Design
    beta: tuple[Marginal, ...]
    tau: Marginal
    theta: tuple[Marginal, ...]
    log_marginal: float
    no_marginal: str
    log_integral: float
    prior: Prior
    beta_prior: tuple[tuple[float, float], ...]
    fit: ExactRegression
    error: float
    method: str
    level: float
    provenance: Provenance

    @property
    def k(self) -> int:
        """Number of studies."""
        return len(self.effects)

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the coefficients."""
        return self.design.names

    def predict(self, new: Any, *, study: bool = False) -> tuple[Marginal, ...]:
        """Return the posterior at new values of the moderators: of the mean, or of the true effect of a new study there.

        Parameters
        ----------
        new : mapping of columns, table, or rows of the design matrix
            Where to predict.
        study : bool, default False
            Whether to predict the true effect of a new study instead of the mean of all such studies.
        """
        from metaleptic.bayes.moderators import marginals
        from metaleptic.design import new_rows

        rows = new_rows(self.design, new)
        names = [f"at row {i + 1}" for i in range(len(rows))]
        return marginals(self.fit, rows, names, self.level, new_study=study, measure=self.effects.measure)

    def contrast(self, weights: Sequence[float] | Mapping[str, float]) -> Marginal:
        """Return the posterior of a weighted sum of the coefficients, analysis scale: ``{"dose": 2}``, or a weight for each."""
        from metaleptic.bayes.moderators import marginals

        row, label = contrast_row(weights, self.names)
        return marginals(self.fit, row[None], [label], self.level, linear=True)[0]

    def to_frame(self) -> Any:
        """Return a row per coefficient, analysis scale; for ratios also the exponentiated values."""
        return coefficient_frame(self.effects, self.names, self.beta)

    def __repr__(self) -> str:
        return coefficient_lines(self.effects, self.design, self.names, self.beta, self.tau, self.method, self.level)
