"""The verb ``audit``: a table of published numbers in, findings out, worst first."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from metaleptic.auditing.printed import read_printed
from metaleptic.auditing.rules import RULES, SEVERITIES
from metaleptic.frames import to_frame
from metaleptic.types import Finding


class Findings(tuple[Finding, ...]):
    """Findings, worst first: a tuple that prints one line each.

    Examples
    --------
    >>> import metaleptic as ml
    >>> ml.audit({"study": ["A"], "hr": [0.5], "low": [0.4], "high": [0.6]})
    no contradictions found
    """

    __slots__ = ()

    def to_frame(self, frame: str = "pandas") -> Any:
        """Return a row per finding as a dataframe ("pandas", "polars" or "pyarrow")."""
        names = [f.name for f in fields(Finding)]
        return to_frame({name: [getattr(found, name) for found in self] for name in names}, frame)

    def __repr__(self) -> str:
        return "\n".join(f"{f.severity}: {f.message} [{f.rule}]" for f in self) or "no contradictions found"


def audit(
    data: Any,
    *,
    study: str | None = None,
    estimate: str | None = None,
    low: str | None = None,
    high: str | None = None,
    p: str | None = None,
    level: float | str | None = None,
    scale: str | None = None,
    sheet: str | int | None = None,
) -> Findings:
    """Check published numbers against each other and list what cannot be right, worst first.

    Parameters
    ----------
    data : DataFrame, mapping, str or Path
        One row per published number. Columns named ``events``, ``n``, ``unit``, ``statistic`` and ``id`` are used if present.
    study, estimate, low, high, p : str, optional
        Columns; left out, their usual names are tried (``estimate`` also as "value", "hr", "median" ...).
    level : float or str, optional
        Level of the intervals or the column that holds it; 0.95 where none is given.
    scale : {"ratio", "difference"}, optional
        What the estimates are. Left out, the column ``statistic`` tells ("hazard ratio"), else the column's name
        ("hr"); rows of other kinds are not checked against p.
    sheet : str or int, optional
        Sheet of an Excel file.

    Returns
    -------
    Findings
        A tuple of ``Finding`` that prints a line each and has ``to_frame()``; empty if nothing was found.

    Raises
    ------
    DataError
        If the table cannot be read or has no such columns.

    Notes
    -----
    A rule speaks only if no unrounded numbers behind the printed ones could agree. Sources: Tierney JF et al.
    Trials 2007;8:16; Altman DG, Bland JM. BMJ 2011;343:d2090 and d2304.

    Examples
    --------
    >>> import metaleptic as ml
    >>> found = ml.audit({"study": ["Shizuoka"], "estimate": [99.0], "low": [725.0], "high": [220.0]})
    >>> found[0].rule
    'bounds-in-order'
    """
    x = read_printed(
        data, study=study, estimate=estimate, low=low, high=high, p=p, level=level, scale=scale, sheet=sheet
    )
    findings = [
        Finding(rule.key, rule.severity, x.where(i), printed, implied, f"{x.where(i)}: {message}.", suggestion)
        for rule in RULES.values()
        for i, printed, implied, message, suggestion in rule.function(x)
    ]
    return Findings(sorted(findings, key=lambda f: SEVERITIES.index(f.severity)))
