"""Options by name: any case, and what other programs call them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from metaleptic.errors import unknown_option


def named(option: str, given: object, choices: Iterable[str], also: Mapping[str, str] | None = None) -> str:
    """Return the canonical name that is meant: itself in any case, or the one that an alias (lower case) stands for.

    Raises
    ------
    OptionError
        If there is none; the message names the canonical choices.
    """
    known = list(choices)
    if given in known:
        return str(given)
    word = str(given).strip().casefold()
    folded = {choice.casefold(): choice for choice in known} | dict(also or {})
    if not isinstance(given, str) or folded.get(word) not in known:
        raise unknown_option(option, given, known, meant=also)
    return folded[word]
