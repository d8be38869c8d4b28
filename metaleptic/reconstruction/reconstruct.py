"""The verb: curve and everything published in, individual patients out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from metaleptic.errors import OptionError, SuspiciousDataWarning
from metaleptic.patients import IPD, Contrast, Curve, Published
from metaleptic.reconstruction.agree import agree
from metaleptic.reconstruction.arm import Arm, prepare, solve
from metaleptic.reconstruction.clean import as_read
from metaleptic.reconstruction.conflicts import refuse_impossible
from metaleptic.reconstruction.draws import draw
from metaleptic.reconstruction.fidelity import judge
from metaleptic.reconstruction.last_point import name_deaths_below
from metaleptic.reconstruction.models import stand_in
from metaleptic.reconstruction.result import Points, Reconstruction
from metaleptic.warn import warn


def reconstruct(
    curve: Curve | Mapping[str, Curve | None] | None,
    published: Published | Mapping[str, Published] | None = None,
    *,
    contrasts: Sequence[Contrast] = (),
    draws: int = 0,
    seed: int | None = None,
    model: str | None = None,
) -> Reconstruction:
    """Turn a published Kaplan-Meier curve back into individual patients that agree with what the paper prints.

    Every printed number is a constraint: numbers at risk and the total of events are reproduced exactly, the curve is
    followed within its reading error, and censorings are put where the numbers at risk (or the ticks) say.

    Parameters
    ----------
    curve : Curve, mapping of arm to Curve, or None
        The digitised curve(s); None where no curve is printed.
    published : Published, or mapping of arm to Published
        What the paper prints about each arm; anything may be missing.
    contrasts : sequence of Contrast
        Hazard ratios and p-values between the arms.
    draws : int
        How many further data sets to sample that also agree with what is printed; they carry the error of the
        reconstruction (reading, rounding, where censorings fell).
    seed : int or None
        Seed of the draws.
    model : {"weibull", "log-normal", "piecewise"}, optional
        Where a curve is None: the model that stands in, fitted to median and rates. The result says so.

    Returns
    -------
    Reconstruction
        ``ipd`` (time, event, arm), ``fidelity`` (every printed number beside its reconstructed value), ``corrections``
        (what was changed in the points) and ``draws``.

    Raises
    ------
    DataError
        If the points or the printed numbers cannot be right; the message names them.
    NotEstimableError
        If there is no curve and too little is printed for a model.

    Notes
    -----
    The idea of inverting the product-limit formula with numbers at risk is that of Guyot et al. (2012) [1]_; that deaths,
    numbers at risk and censorings are tied by linear relations in whole numbers is used by Titman (2026) [2]_.

    References
    ----------
    .. [1] Guyot P, Ades AE, Ouwens MJNM, Welton NJ. BMC Medical Research Methodology 2012;12:9.
    .. [2] Titman AC. Statistics in Medicine 2026. doi:10.1002/sim.70474.

    Examples
    --------
    >>> import metaleptic as ml
    >>> curve = ml.Curve([0, 2, 5, 9], [1, 0.9, 0.8, 0.68], kind="drops")
    >>> ml.reconstruct(curve, ml.Published(n=10, events=3, last_time=9)).ipd
    IPD of 10 patients
    10 patients, 3 events
    """
    if isinstance(draws, bool) or not isinstance(draws, int) or draws < 0:
        raise OptionError(f"draws {draws!r}: give a whole number, 0 or more.")
    if seed is not None and (isinstance(seed, bool) or not isinstance(seed, int) or seed < 0):
        raise OptionError(f"seed {seed!r}: give a whole number, 0 or more.")
    contrasts = _checked(contrasts)
    curves, printed = _matched(curve, published)
    if model is not None and all(one is not None for one in curves.values()):
        raise OptionError(
            f"model {model!r} stands in for a curve that is not printed, but every arm has one. Leave it out."
        )
    stood_in: list[str] = []
    given: dict[str, Curve] = {}
    for name, one in curves.items():
        if one is None:
            notes: list[str] = []
            given[name] = stand_in(printed[name], model or "weibull", name, notes)
            stood_in += [f"{name}: {text}" if name else text for text in notes]
        else:
            given[name] = one
    arms = [prepare(name, c, printed[name]) for name, c in given.items()]
    for arm in arms:
        if curves[arm.name] is not None:
            refuse_impossible(arm)
        solve(arm)
    levers = agree(arms, contrasts) if contrasts else None
    for arm in arms:
        if curves[arm.name] is not None:
            name_deaths_below(arm)
    corrections = stood_in + [f"{a.name}: {text}" if a.name else text for a in arms for text in a.corrections]
    seen = {name: None if one is None else float(one.time.max()) for name, one in curves.items()}
    fidelity = judge(arms, contrasts, seen, levers)
    for text in fidelity.contradictions:
        warn(SuspiciousDataWarning, f"these printed numbers cannot hold together: {text}.")
    rng = np.random.default_rng(seed)
    drawn = tuple(_ipd(draw(arms, levers, rng)) for _ in range(draws))
    return Reconstruction(
        _ipd(arms),
        fidelity,
        tuple(corrections),
        drawn,
        points={name: Points(*as_read(one)) for name, one in curves.items() if one is not None},
        sources={name: c.source for name, c in given.items()},
        model=(model or "weibull") if stood_in else "",
    )


def _matched(
    curve: Curve | Mapping[str, Curve | None] | None, published: Published | Mapping[str, Published] | None
) -> tuple[dict[str, Curve | None], dict[str, Published]]:
    """Give every arm its curve (None: not printed) and its numbers."""
    for given, what in ((curve, "curves"), (published, "published")):
        if isinstance(given, Mapping) and not given:
            raise OptionError(f"{what} is an empty mapping: there is no arm in it.")
    if isinstance(published, Mapping):
        if curve is not None and not isinstance(curve, Mapping):
            raise OptionError("one curve but several arms in published: give curves as a mapping of arm to Curve.")
        named: dict[str, Any] = dict.fromkeys(published) if curve is None else dict(curve)
        unknown = [name for name in published if name not in named]
        if unknown:
            raise OptionError(f"published has arm {unknown[0]!r}, but there is no such curve: {', '.join(named)}.")
        curves = {str(name): _curve(one, str(name)) for name, one in named.items()}
        return curves, {str(name): _numbers(published.get(name), str(name)) for name in named}
    if isinstance(curve, Mapping):
        if published is not None:
            raise OptionError("several curves need published as a mapping of arm to Published.")
        return {str(name): _curve(one, str(name)) for name, one in curve.items()}, dict.fromkeys(curve, Published())
    if curve is None and published is None:
        raise OptionError("give a curve, or what is published, or both.")
    one = _curve(curve, "")
    name = "" if one is None else one.label
    return {name: one}, {name: _numbers(published, "")}


def _checked(contrasts: Any) -> Sequence[Contrast]:
    if isinstance(contrasts, Contrast) or not all(isinstance(c, Contrast) for c in contrasts):
        raise OptionError(f"contrasts {contrasts!r}: give a list of ml.Contrast.")
    pairs = [(c.arm, c.versus) for c in contrasts]
    for pair in pairs:
        if pairs.count(pair) > 1:
            raise OptionError(f"contrast {pair[0]!r} versus {pair[1]!r} is given twice.")
    return tuple(contrasts)


def _curve(one: Any, name: str) -> Curve | None:
    if one is None or isinstance(one, Curve):
        return one
    where = f"arm {name!r}: " if name else ""
    raise OptionError(
        f"{where}a {type(one).__name__} is no curve. Give ml.Curve(time, survival), or ml.read_clicks(file)."
    )


def _numbers(one: Any, name: str) -> Published:
    if one is None or isinstance(one, Published):
        return one or Published()
    where = f"arm {name!r}: " if name else ""
    raise OptionError(f"{where}a {type(one).__name__} is no Published. Give ml.Published(n=..., at_risk={{12: 43}}).")


def _ipd(arms: Sequence[Arm]) -> IPD:
    time = [np.concatenate([a.events, a.censored]) for a in arms]
    event = [np.repeat([1, 0], [len(a.events), len(a.censored)]) for a in arms]
    order = [np.lexsort((1 - e, t)) for t, e in zip(time, event, strict=True)]
    return IPD(
        np.concatenate([t[o] for t, o in zip(time, order, strict=True)]),
        np.concatenate([e[o] for e, o in zip(event, order, strict=True)]),
        np.concatenate([np.full(len(t), a.name) for t, a in zip(time, arms, strict=True)]),
    )
