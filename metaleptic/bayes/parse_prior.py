"""A prior written as text ("half_normal(0.5)"), as the command line and analysis files have it."""

from __future__ import annotations

import ast
from typing import Any

from metaleptic.bayes.prior import Prior
from metaleptic.bayes.priors import PRIORS
from metaleptic.errors import OptionError

EXAMPLE = "Write it like half_normal(0.5), bartos('HR') or turner('pain', 'pharmacological vs. placebo')."


def parse_prior(text: str) -> Prior:
    """Make the prior that a text names; nothing but names in PRIORS and plain values is read, nothing is executed.

    Raises
    ------
    OptionError
        If the text is no call of a prior with numbers or words.

    Examples
    --------
    >>> parse_prior("half_normal(0.5)")
    half-normal(scale=0.5) prior on tau: median 0.34, 95% below 0.98
    """
    try:
        call = ast.parse(text.strip().removeprefix("ml.").removeprefix("priors."), mode="eval").body
    except (SyntaxError, ValueError):
        raise OptionError(f"the prior {text!r} cannot be read. {EXAMPLE}") from None
    if isinstance(call, ast.Name):
        call = ast.Call(call, [], [])
    if not (isinstance(call, ast.Call) and isinstance(call.func, ast.Name)):
        raise OptionError(f"the prior {text!r} cannot be read. {EXAMPLE}")
    family = call.func.id
    if family not in PRIORS or family == "from_density":
        raise OptionError(
            f"prior {family!r} is unknown. Choose one of: {', '.join(k for k in PRIORS if k != 'from_density')}."
        )
    if any(k.arg is None for k in call.keywords):
        raise OptionError(f"the prior {text!r} cannot be read. {EXAMPLE}")
    try:
        values = [ast.literal_eval(a) for a in call.args]
        named: dict[str, Any] = {str(k.arg): ast.literal_eval(k.value) for k in call.keywords}
        return PRIORS[family].make(*values, **named)
    except OptionError as err:
        raise OptionError(f"the prior {text!r}: {err}") from None
    except (TypeError, ValueError):
        raise OptionError(f"the prior {text!r} does not have the numbers it needs. {EXAMPLE}") from None
