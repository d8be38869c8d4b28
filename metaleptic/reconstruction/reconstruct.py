"""The verb: curve and everything published in, individual patients out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from metaleptic.errors import OptionError, SuspiciousDataWarning
from metaleptic.patients import IPD, Contrast, Curve, Published
from metaleptic.reconstruction.agree import agree
from metaleptic.reconstruction.arm import Arm, prepare, solve
from metaleptic.reconstruction.conflicts import refuse_impossible
from metaleptic.reconstruction.draws import draw
from metaleptic.reconstruction.fidelity import judge
from metaleptic.reconstruction.result import Reconstruction
from metaleptic.warn import warn


def reconstruct(
    curve: Curve | Mapping[str, Curve],
    published: Published | Mapping[str, Published] | None = None,
    *,
    contrasts: Sequence[Contrast] = (),
    draws: int = 0,
    seed: int | None = None,
) -> Reconstruction:
    """Turn a published Kaplan-Meier curve back into individual patients that agree with what the paper prints.

    Every printed number is a constraint: numbers at risk and the total of events are reproduced exactly, the curve is
    followed within its reading error, and censorings are put where the numbers at risk (or the ticks) say.

    Parameters
    ----------
    curve : Curve, or mapping of arm to Curve
        The digitised curve(s).
    published : Published, or mapping of arm to Published
        What the paper prints about each arm; anything may be missing.
    contrasts : sequence of Contrast
        Hazard ratios and p-values between the arms.
    draws : int
        How many further data sets to sample that also agree with what is printed; they carry the error of the
        reconstruction (reading, rounding, where censorings fell).
    seed : int or None
        Seed of the draws.

    Returns
    -------
    Reconstruction
        ``ipd`` (time, event, arm), ``fidelity`` (every printed number beside its reconstructed value), ``corrections``
        (what was changed in the points) and ``draws``.

    Raises
    ------
    DataError
        If the points or the printed numbers cannot be right; the message names them.

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
    single = not isinstance(curve, Mapping)
    curves = {curve.label: curve} if isinstance(curve, Curve) else dict(curve)
    if published is None:
        printed: Mapping[str, Published] = {name: Published() for name in curves}
    elif isinstance(published, Published):
        if not single:
            raise OptionError("several curves need a mapping of arm to Published.")
        printed = dict.fromkeys(curves, published)
    else:
        printed = published
    arms = [prepare(name, c, printed.get(name, Published())) for name, c in curves.items()]
    for arm in arms:
        refuse_impossible(arm)
        solve(arm)
    levers = agree(arms, contrasts) if contrasts else None
    corrections = [f"{a.name}: {text}" if a.name else text for a in arms for text in a.corrections]
    fidelity = judge(arms, contrasts)
    for text in fidelity.contradictions:
        warn(SuspiciousDataWarning, f"these printed numbers cannot hold together: {text}.")
    rng = np.random.default_rng(seed)
    drawn = tuple(_ipd(draw(arms, levers, rng)) for _ in range(draws))
    return Reconstruction(_ipd(arms), fidelity, tuple(corrections), drawn)


def _ipd(arms: Sequence[Arm]) -> IPD:
    time = [np.concatenate([a.events, a.censored]) for a in arms]
    event = [np.repeat([1, 0], [len(a.events), len(a.censored)]) for a in arms]
    order = [np.lexsort((1 - e, t)) for t, e in zip(time, event, strict=True)]
    return IPD(
        np.concatenate([t[o] for t, o in zip(time, order, strict=True)]),
        np.concatenate([e[o] for e, o in zip(event, order, strict=True)]),
        np.concatenate([np.full(len(t), a.name) for t, a in zip(time, arms, strict=True)]),
    )
