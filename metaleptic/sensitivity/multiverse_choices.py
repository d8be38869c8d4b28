"""The choices of a multiverse: versions of the effects, ways of pooling, and which studies are in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from metaleptic.bayes.default_priors import DEFAULT_SCALES
from metaleptic.bayes.parametric_priors import half_normal
from metaleptic.bayes.pool_bayes import checked_prior
from metaleptic.bayes.prior import Prior
from metaleptic.convert.two_by_two import two_by_two
from metaleptic.errors import OptionError, unknown_option
from metaleptic.pooling.heterogeneity import tau2_estimator
from metaleptic.pooling.models import MODELS
from metaleptic.pooling.normal import test_named
from metaleptic.types import BoolArray, Effects

Name = str | tuple[str, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Maker:
    """One way of pooling: model, estimator of tau2, test or prior; ``labels`` are its options of the four choices."""

    model: str
    tau2: str
    test: str
    prior: Prior | None
    labels: tuple[str, str, str, str]


MAKER_CHOICES = ("model", "tau2 estimator", "interval", "prior")


def versions_of(
    effects: Effects,
    versions: Mapping[Name, Effects] | None,
    version_of: str | Sequence[str],
    main: Name,
    measures: Sequence[str],
) -> tuple[tuple[str, ...], dict[tuple[str, ...], Effects]]:
    """Return the names of the choices behind the versions, and the versions by their options.

    Raises
    ------
    OptionError
        If a version is named wrongly, holds other studies, or cannot be shown on the scale of the others.
    """
    choices = (version_of,) if isinstance(version_of, str) else tuple(version_of)
    found: dict[tuple[str, ...], Effects] = {}
    for name, version in {main: effects, **(versions or {})}.items():
        key = (name,) if isinstance(name, str) else tuple(name)
        if key == ("main",) and len(choices) > 1:
            key = ("main",) * len(choices)
        if len(key) != len(choices):
            raise OptionError(
                f"version {name!r} should name one option for each of: {', '.join(choices)}; say what the effects "
                'themselves are by main=("...", "...").'
            )
        found[key] = _checked(version, effects, " ".join(key))
    if not measures:
        return choices, found
    made = {}
    for key, version in found.items():
        for measure in dict.fromkeys((effects.measure.key, *measures)):
            made[*key, measure] = _checked(_as_measure(version, measure), effects, measure)
    return (*choices, "measure"), made


def _checked(version: Effects, main: Effects, name: str) -> Effects:
    """Check that a version holds studies of the main one, on a scale that one curve can show."""
    if not isinstance(version, Effects):
        raise OptionError(f"version '{name}' is no effects but {type(version).__name__}.")
    twice = len(set(version.study)) < len(version) or len(set(main.study)) < len(main)
    if twice and version.study != main.study:
        raise OptionError(
            f"version '{name}' does not hold the same studies in the same order as the effects, and study names that occur "
            "twice do not tell which is which."
        )
    strange = [s for s in version.study if s not in main.study]
    if strange:
        raise OptionError(f"version '{name}' holds a study that the effects do not: '{strange[0]}'.")
    a, b = main.measure, version.measure
    same_null = a.null == b.null or (not a.has_null and not b.has_null)
    if a.axis != b.axis or not same_null or a.unit != b.unit:
        raise OptionError(
            f"version '{name}' ({b.heading}) cannot share a curve with {a.heading}: ratios go with ratios, differences with differences."
        )
    return version


def _as_measure(version: Effects, measure: str) -> Effects:
    """Make the effects again from their two-by-two tables."""
    if measure == version.measure.key:
        return version
    if len(version.cells) == 0:
        raise OptionError(
            "measures= is for effects of two-by-two tables. Make other measures yourself and hand them over as versions=."
        )
    a, b, c, d = version.cells.T
    table = {"study": list(version.study), "a": a, "n1": a + b, "c": c, "n2": c + d}
    return two_by_two(table, events1="a", n1="n1", events2="c", n2="n2", measure=measure, level=version.level)


def default_priors(effects: Effects) -> dict[str, Prior]:
    """Return the measure's default prior on tau with half and with twice its scale; none where there is no default."""
    if effects.measure.key not in DEFAULT_SCALES:
        return {}
    scale = DEFAULT_SCALES[effects.measure.key][0]
    return {p.words: p for p in (half_normal(scale / 2), half_normal(scale), half_normal(2 * scale))}


def makers_of(
    models: Sequence[str],
    tau2: Sequence[str],
    tests: Sequence[str],
    priors: Mapping[str, Prior] | Sequence[Prior] | None,
    effects: Effects,
    own: tuple[str, str, str] | None = None,
) -> list[Maker]:
    """List all ways of pooling; ``own`` (model, tau2, test) is that of the fit handed in, and takes part in any case.

    Raises
    ------
    OptionError
        If a model, an estimator, a test or a prior is unknown.
    """
    keys = [test_named(t).key for t in tests]
    for name in models:
        if name not in MODELS:
            raise unknown_option("model", name, MODELS)
    for key in tau2:
        tau2_estimator(key)
    found = []
    for model in models:
        if model == "common":
            found.append(Maker("common", "", "z", None, ("common", "no tau2", "z (common)", "no prior")))
            continue
        if model != "random":
            found += [_of_counts(model, test) for test in MODELS[model].tests]
            continue
        for key in tau2:
            for test in keys:
                if test not in MODELS["random"].tests:
                    raise OptionError(f"test {test!r} is not defined for the random-effects model.")
                found.append(Maker("random", key, test, None, ("random", key, test, "no prior")))
    if own is not None and own not in [(m.model, m.tau2, m.test) for m in found]:
        model, key, test = own
        labels = (model, key or "no tau2", test, "no prior")
        found.append(Maker(*own, None, labels) if model in ("random", "common") else _of_counts(model, test))
    if priors is None:
        named = default_priors(effects)
    else:
        named = dict(priors) if isinstance(priors, Mapping) else {}
        if not isinstance(priors, Mapping):
            chosen = [checked_prior(p, effects) for p in priors]
            named = {p.words: p for p in chosen}
    for label, prior in named.items():
        labels = ("Bayesian", "posterior", "credible", label)
        found.append(Maker("bayes", "", "", checked_prior(prior, effects), labels))
    if not found:
        raise OptionError("there is no way of pooling: offer at least one model or prior.")
    return found


def _of_counts(model: str, test: str) -> Maker:
    estimator = "no tau2" if model in ("mantel-haenszel", "peto", "pooled-counts") else "ML of the counts"
    return Maker(model, "", test, None, (model, estimator, test, "no prior"))


def rules_of(
    effects: Effects,
    include: Mapping[str, Mapping[str, Sequence[bool]]] | None,
    one_of: Mapping[str, Sequence[str]] | None,
    leave_out: bool,
) -> dict[str, dict[str, BoolArray]]:
    """Bring inclusion rules, overlapping cohorts and studies to leave out to one form: masks by name."""
    k, rules = len(effects), {}
    for name, options in (include or {}).items():
        rules[name] = {label: np.asarray(mask, dtype=bool) for label, mask in options.items()}
        for label, mask in rules[name].items():
            if mask.shape != (k,):
                raise OptionError(f"'{name}: {label}' has {mask.size} values for {k} studies: they must match.")
    for name, cohorts in (one_of or {}).items():
        unknown = [c for c in cohorts if c not in effects.study]
        if unknown:
            raise OptionError(f"'{name}': there is no study '{unknown[0]}'.")
        overlap = np.array([s in cohorts for s in effects.study])
        rules[name] = {c: ~overlap | np.array([s == c for s in effects.study]) for c in cohorts}
    if leave_out:
        masks = {f"without {s}": np.arange(k) != i for i, s in enumerate(effects.study)}
        rules["left out"] = {"none": np.ones(k, bool), **masks}
    return rules
