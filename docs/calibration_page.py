"""Write the tables of the page on calibration, and draw its figure, from what simulations have stored.

    python docs/calibration_page.py

``docs/calibration.json`` is written by ``tests/bayes/calibration.py``, ``docs/coverage.json`` by
``benchmarks/coverage_bayes.py``; the site build draws the figure.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from scipy import stats

HERE = Path(__file__).parent
PAGE = HERE / "explanation" / "calibration.md"
BLUE, GREY = "#1f4e79", "#d9dee4"
COLUMNS = 3


def stored(name: str) -> Any:
    """Read what a simulation has stored."""
    return json.loads((HERE / f"{name}.json").read_text(encoding="utf-8"))


def models_table() -> str:
    """Return a row per model: data sets, coverage of central 95% intervals, smallest p value of uniformity."""
    lines = [
        "| model | found by | data sets | 95% intervals that held the truth | smallest p of uniformity |",
        "|---|---|---|---|---|",
    ]
    for model in stored("calibration").values():
        found = {name: np.array(u) for name, u in model["probability"].items()}
        inside = ", ".join(f"{name} {100 * ((u > 0.025) & (u < 0.975)).mean():.0f}%" for name, u in found.items())
        smallest = min(float(stats.kstest(u, "uniform").pvalue) for u in found.values())
        words = model["words"].removesuffix(", sampled")
        how = "NUTS" if model["sampled"] else "quadrature"
        runs = max(u.size for u in found.values())
        lines.append(f"| {words} | {how} | {runs} | {inside} | {smallest:.2g} |")
    return "\n".join(lines)


def coverage_table() -> str:
    """Return a row per number of studies and tau: mean and new study under each prior, percent."""
    content = stored("coverage")
    names = list(content["rows"][0]["priors"])
    lines = ["| studies | tau | " + " | ".join(names) + " |", "|---|---|" + "---|" * len(names)]
    for row in content["rows"]:
        cells = [f"{100 * a:.0f} / {100 * b:.0f} ({w:.1f})" for a, b, w in row["priors"].values()]
        lines.append(f"| {row['studies']} | {row['tau']:g} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def band(runs: int, level: float = 0.95, draws: int = 2000) -> float:
    """Return how far the distribution function of so many uniform numbers strays from the diagonal in ``level`` of cases."""
    u = np.sort(np.random.default_rng(1).random((draws, runs)), axis=1)
    steps = np.arange(1, runs + 1) / runs
    return float(np.quantile(np.maximum(np.abs(steps - u), np.abs(steps - 1 / runs - u)).max(axis=1), level))


def figure(path: Path) -> None:
    """Draw for every model how far the distribution functions of its probabilities lie from the diagonal."""
    import matplotlib.pyplot as plt

    models = stored("calibration")
    rows = -(-len(models) // COLUMNS)
    fig, axes = plt.subplots(rows, COLUMNS, figsize=(7.5, 1.55 * rows), sharex=True, layout="constrained")
    for ax in axes.flat[len(models) :]:
        ax.axis("off")
    for ax, model in zip(axes.flat, models.values(), strict=False):
        parts = [np.sort(u) for u in model["probability"].values()]
        width = band(min(p.size for p in parts))
        ax.axhspan(-width, width, color=GREY, lw=0)
        ax.axhline(0, color="white", lw=0.8)
        for i, u in enumerate(parts):
            steps = np.arange(1, u.size + 1) / u.size
            ax.plot(u, steps - u, drawstyle="steps-post", lw=0.9, color=BLUE, alpha=1 - 0.17 * i)
        limit = 1.35 * width
        ax.set(xlim=(0, 1), ylim=(-limit, limit), xticks=[0, 0.5, 1], yticks=[])
        ax.set_title(model["words"].replace(", Student t prior", ",\nStudent t prior"), fontsize=7.5, loc="left")
        ax.tick_params(labelsize=7, length=2)
        for side in ("top", "right", "left"):
            ax.spines[side].set_visible(False)
    path.parent.mkdir(parents=True, exist_ok=True)
    fig.savefig(path, metadata={"Date": None})
    plt.close(fig)


def fill(text: str, name: str, content: str) -> str:
    """Replace what stands between two marks of a page."""
    begin, end = f"<!-- {name}: begin -->", f"<!-- {name}: end -->"
    return f"{text.split(begin)[0]}{begin}\n\n{content}\n\n{end}{text.split(end)[1]}"


def page(text: str) -> str:
    """Return the page with its tables made again."""
    return fill(fill(text, "models", models_table()), "coverage", coverage_table())


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
