"""The methods of a fit in one sentence for the paper, with its citations, from the registries."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from metaleptic.errors import OptionError
from metaleptic.pooling.heterogeneity import TAU2
from metaleptic.pooling.models import MODELS
from metaleptic.pooling.normal import TESTS
from metaleptic.pooling.regression_result import Regression
from metaleptic.pooling.result import Pooled

Q_PROFILE = "Viechtbauer W. Stat Med 2007;26:37-52"
PREDICTION = "Higgins JPT, Thompson SG, Spiegelhalter DJ. J R Stat Soc A 2009;172:137-159"
REGRESSION = "Berkey CS et al. Stat Med 1995;14:395-411"


@dataclass(frozen=True, slots=True)
class MethodsText:
    """A methods sentence and the sources it cites, numbered in order of appearance."""

    text: str
    sources: tuple[str, ...]

    def __repr__(self) -> str:
        return "\n".join([self.text, *(f"{i}. {s}" for i, s in enumerate(self.sources, start=1))])


def methods_sentence(fit: Pooled | Regression) -> MethodsText:
    """Write what was done as a sentence for the methods section, with citations.

    Parameters
    ----------
    fit : Pooled or Regression
        From ``ml.pool``.

    Returns
    -------
    MethodsText
        ``.text`` with numbered citations, ``.sources`` in their order.

    Raises
    ------
    OptionError
        If the result is of another kind.

    Examples
    --------
    >>> import metaleptic as ml
    >>> fit = ml.pool(ml.effects([-0.34, -0.05, -0.48, -0.22], [0.03, 0.01, 0.05, 0.01], measure="HR"))
    >>> ml.methods_sentence(fit).text.split(";")[0]
    'Log hazard ratios of 4 studies were pooled by a random-effects model [1]'
    """
    if not isinstance(fit, Pooled | Regression):
        raise OptionError(f"methods_sentence takes a fit from ml.pool, not {type(fit).__name__}.")
    sources: list[str] = []

    def cite(source: str) -> str:
        if source not in sources:
            sources.append(source)
        return f"[{sources.index(source) + 1}]"

    m = fit.effects.measure
    scale = m.scale or m.label.lower()
    what = f"{scale[0].upper()}{scale[1:]}{'' if scale.endswith('s') or fit.k == 1 else 's'} of {fit.k} {'study' if fit.k == 1 else 'studies'}"
    if isinstance(fit, Pooled) and fit.k == 1:
        return MethodsText(f"{what} is shown with its own interval; nothing was pooled.", ())
    if isinstance(fit, Regression):
        formula = f" on {fit.design.formula[1:].strip()}" if fit.design.formula else " on the moderators"
        kind = f"{'mixed' if fit.tau2_method else 'fixed'}-effects meta-regression"
        if fit.model in ("random", "common"):
            verb = f"were regressed{formula} by a {kind} {cite(REGRESSION)}"
        else:
            chosen = MODELS[fit.model]
            verb = f"were regressed{formula} by a {kind}, the {chosen.name} {cite(chosen.source)}"
    else:
        model = MODELS.get(fit.model)
        name = model.name if model else f"model with {fit.model}"
        verb = f"were pooled by {'an' if name[0] in 'aeiou' else 'a'} {name}" + (
            f" {cite(model.source)}" if model else ""
        )
    parts = [f"{what} {verb}"]
    if fit.tau2_method in TAU2 and fit.model == "random":
        estimator = TAU2[fit.tau2_method]
        parts.append(
            f"the between-study variance was estimated by {estimator.name} {cite(estimator.source)} with a Q-profile interval {cite(Q_PROFILE)}"
        )
    elif fit.tau2_method and fit.model == "random":
        parts.append(f"the between-study variance was taken as {fit.tau2_method}")
    if fit.test in TESTS and fit.model in ("random", "common"):
        test = TESTS[fit.test]
        parts.append(f"{100 * fit.level:g}% confidence intervals are by {test.name} {cite(test.source)}")
    if isinstance(fit, Pooled) and fit.prediction is not None and not np.isnan(fit.tau2):
        parts.append(f"the prediction interval is for the true effect of a new study {cite(PREDICTION)}")
    return MethodsText("; ".join(parts) + ".", tuple(sources))
