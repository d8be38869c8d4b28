"""Numbered references of a page."""

from __future__ import annotations


class References:
    """Numbers the sources in the order in which they are first cited."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}

    def cite(self, source: str) -> str:
        """Return "[3]" for a source; several works in one string share their numbers: "[3, 4]"."""
        works = [w.strip() for w in source.split("; ") if w.strip()]
        merged: list[str] = []
        for work in works:  # "Author. Journal 2001;20:1-2; doi:..." : a doi belongs to the work before it
            if work.startswith("doi:") and merged:
                merged[-1] += f"; {work}"
            else:
                merged.append(work)
        numbers = [self._numbers.setdefault(w, len(self._numbers) + 1) for w in merged]
        return "[" + ", ".join(str(n) for n in numbers) + "]"

    def entries(self) -> list[tuple[int, str]]:
        """Return (number, source) in order."""
        return [(n, s) for s, n in self._numbers.items()]
