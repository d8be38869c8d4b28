"""Words that the sentences of this room share."""

from __future__ import annotations

from collections.abc import Sequence

from metaleptic.pooling.result import format_p
from metaleptic.types import Measure

__all__ = [
    "either_label",
    "few_words",
    "format_p",
    "listed",
    "one_at_a_time",
    "p_words",
    "side",
    "studies",
    "value_words",
    "with_small_letter",
]


FEW = 10


def few_words(k: int, of: str = "study") -> str:
    """Say after a sentence that so few studies (or p values) cannot carry it; "" from ten on."""
    many = "studies" if of == "study" else f"{of}s"
    return f" With {k} {of if k == 1 else many} this is a guess." if k < FEW else ""


def side(low: float, high: float, null: float) -> int:
    """-1 if the interval lies below the null, 1 above, 0 across."""
    return int(low > null) - int(high < null)


def with_small_letter(label: str) -> str:
    """Write a label within a sentence."""
    return label[:1].lower() + label[1:]


def either_label(labels: Sequence[str]) -> str:
    """Name one measure or the other: "Odds or risk ratio"."""
    rests = [with_small_letter(label).rpartition(" ") for label in labels]
    end = rests[0][2]
    shared = len(labels) > 1 and all(tail == end and begin for begin, _, tail in rests)
    parts = [begin for begin, _, _ in rests] if shared else [with_small_letter(label) for label in labels]
    text = " or ".join([", ".join(parts[:-1]), parts[-1]]) if len(parts) > 1 else parts[0]
    return f"{text[:1].upper()}{text[1:]}{f' {end}' if shared else ''}"


def signed(x: float) -> str:
    """Write a number with its sign and one digit."""
    return f"{x:+.1f}".replace("-", "−")


def studies(k: int) -> str:
    """Write a number of studies."""
    return "1 study" if k == 1 else f"{k} studies"


def one_at_a_time(size: int, by: str, unit: str = "study") -> str:
    """Write what is left out at a time: "one study at a time", "every pair of groups of centre", "every set of 3 studies"."""
    many = {"study": "studies", "effect": "effects"}.get(unit, "groups")
    of = f" of {by}" if by else ""
    if size == 1:
        return f"one {'group' if by else unit}{of} at a time"
    return (
        f"every {'pair' if size == 2 else f'set of {size}'}{' of' if size == 2 else ''} {'groups' if by else many}{of}"
    )


def listed(names: tuple[str, ...] | list[str], most: int = 6) -> str:
    """Write a list of names, the end of a long one as a number."""
    shown = ", ".join(names[:most])
    return shown if len(names) <= most else f"{shown} and {len(names) - most} more"


def value_words(measure: Measure, value: float, low: float, high: float, level: float) -> str:
    """Write an estimate with its interval within a sentence, printed scale."""
    unit = f" {measure.unit}" if measure.unit else ""
    return f"{measure.format(value)}{unit} ({100 * level:g}% CI {measure.format_interval(low, high)})"


def p_words(p: float) -> str:
    """Write "p = 0.03"."""
    return f"p {format_p(p)}"
