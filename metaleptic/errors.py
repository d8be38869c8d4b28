"""Every exception and warning that metaleptic raises, so that callers can catch by meaning."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from difflib import get_close_matches


class MetalepticError(Exception):
    """Base of all errors of the package: catching it catches nothing else."""


class DataError(MetalepticError, ValueError):
    """The numbers handed in cannot be right; the message names study, row and column."""


class OptionError(MetalepticError, ValueError):
    """An option of a call is unknown or does not fit the others."""


def unknown_option(
    name: str, given: object, choices: Iterable[str], *, meant: Mapping[str, str] | None = None
) -> OptionError:
    """Return the error for an option that does not exist, with the choices and, where one is near, which was meant."""
    known = list(choices)
    folded = {choice.casefold(): choice for choice in known}
    word = str(given).strip().casefold()
    near = (meant or {}).get(word) or next((folded[w] for w in get_close_matches(word, folded, 1, 0.75)), None)
    hint = f' Did you mean "{near}"?' if near else ""
    return OptionError(f"{name} {given!r} is unknown.{hint} Choose one of: {', '.join(known)}.")


class NotEstimableError(MetalepticError, ArithmeticError):
    """The numbers are fine, but what was asked for cannot be computed from them."""


class MetalepticWarning(UserWarning):
    """Base of all warnings of the package."""


class SuspiciousDataWarning(MetalepticWarning):
    """A number is possible but looks like a slip: check it against the paper."""


class ExcludedRowsWarning(MetalepticWarning):
    """Rows of the input could not be used; they are listed in ``effects.excluded``."""


class FewStudiesWarning(MetalepticWarning):
    """One or two studies only: what can honestly be said is little."""
