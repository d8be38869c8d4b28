"""The verbs ``plot_priors`` and ``prior_posterior``: beliefs before and after the studies, as pictures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from metaleptic.bayes.regression_result import RegressionBayes
from metaleptic.bayes.result import PooledBayes
from metaleptic.bayes.sampled_regression import SampledRegression
from metaleptic.errors import OptionError
from metaleptic.plots.density_layout import DensityLayout, prior_posterior_layout, priors_layout
from metaleptic.plots.density_scene import density_scene
from metaleptic.plots.plot import Plot, finish
from metaleptic.plots.styles import Style
from metaleptic.plots.tables import density_table

if TYPE_CHECKING:
    from matplotlib.axes import Axes

PAGE = 5.0  # inches
ROOM = 60.0  # characters of tick labels along so wide an axis


def prior_posterior(
    post: PooledBayes | RegressionBayes | SampledRegression,
    what: str = "tau",
    *,
    title: str | None = None,
    style: str | Style = "plain",
    width: float | None = None,
    ax: Axes | None = None,
    path: str | Path | None = None,
) -> Plot[DensityLayout]:
    """Draw the prior beside the posterior: how much the studies have added to what was believed before.

    Parameters
    ----------
    post : PooledBayes, RegressionBayes or SampledRegression
        From ``ml.pool_bayes``.
    what : {"tau", "mu", "prediction"} or str
        The heterogeneity (analysis scale), the pooled effect or the true effect in a new study (printed scale); with
        moderators the name of a coefficient (analysis scale).
    title : str, optional
        Heading above the plot.
    style : {"plain", "jama", "bmj", "revman"} or Style, default "plain"
        House style of a journal.
    width : float, optional
        Width in inches, 5 by default.
    ax : matplotlib.axes.Axes, optional
        Draw in the area of these axes instead of on a new figure.
    path : str or Path, optional
        Write to this .png (300 dpi), .pdf or .svg file.

    Returns
    -------
    Plot
        With ``.layout`` (plain data), ``.to_frame()`` (the table behind it), ``.alt`` (the plot in words), ``.figure``,
        ``.save(path)`` and ``.svg()``.

    Raises
    ------
    OptionError
        If an option is unknown.

    Notes
    -----
    Where the two lie on each other the studies say nothing, and the conclusion is the prior's. Of an improper prior only
    the shape is drawn. Source: Spiegelhalter DJ, Abrams KR, Myles JP. Bayesian Approaches to Clinical Trials. Wiley 2004.

    Examples
    --------
    >>> import metaleptic as ml
    >>> post = ml.pool_bayes(ml.effects([-0.34, -0.05, -0.48, -0.22], [0.03, 0.01, 0.05, 0.01], measure="HR"))
    >>> prior_posterior(post)
    Prior and posterior of the heterogeneity τ, 4 studies. Prior half-normal(0.5); posterior median 0.15 (95% CrI 0.0081 to 0.59).
    """
    if not isinstance(post, PooledBayes | RegressionBayes | SampledRegression):
        raise OptionError(f"prior_posterior takes a result of ml.pool_bayes, not {type(post).__name__}.")
    page = _points(width)
    layout = prior_posterior_layout(post, what=what, style=style, title=title, room=ROOM * page / 360)
    build, table = partial(density_scene, layout), partial(density_table, layout, post.effects.frame_kind)
    return finish(
        "Prior and posterior", layout, layout.alt, build, page, table, fixed=width is not None, ax=ax, path=path
    )


def plot_priors(
    priors: Mapping[str, Any] | Sequence[Any] | Any,
    *,
    v: Any = None,
    upper: float | None = None,
    title: str | None = None,
    style: str | Style = "plain",
    width: float | None = None,
    ax: Axes | None = None,
    path: str | Path | None = None,
) -> Plot[DensityLayout]:
    """Draw priors, one or several beside each other: on the heterogeneity, on the effect, or MAP priors.

    Parameters
    ----------
    priors : Prior, EffectPrior, MapPrior, or a sequence of them or a mapping of str to them
        The priors, under their own names or yours; one kind in one plot. A distribution of ``scipy.stats`` or PyMC, or a
        function, is a prior on the heterogeneity.
    v : ndarray, optional
        Variances of the studies (``effects.v``), for priors that depend on them.
    upper : float, optional
        Where the axis ends.
    title, style, width, ax, path
        As for ``ml.prior_posterior``.

    Raises
    ------
    OptionError
        If an option is unknown.

    Notes
    -----
    Source: Roever C et al. Res Synth Methods 2021;12:448-474 (why to look at a prior before using it).

    Examples
    --------
    >>> import metaleptic as ml
    >>> plot_priors([ml.priors.half_normal(0.5), ml.priors.bartos("HR")])
    Priors on the heterogeneity τ. half-normal(0.5): median 0.34, 95% below 0.98; Bartos inverse-gamma(2.42, 0.3): median 0.14, 95% below 0.56.
    """
    page = _points(width)
    layout = priors_layout(priors, v=v, upper=upper, style=style, title=title, room=ROOM * page / 360)
    build, table = partial(density_scene, layout), partial(density_table, layout)
    return finish("Priors", layout, layout.alt, build, page, table, fixed=width is not None, ax=ax, path=path)


def _points(width: float | None) -> float:
    page = 72 * (PAGE if width is None else width)
    if page < 72:
        raise OptionError(f"width {width:g} is in inches: give at least 1.")
    return page
