"""Models, intervals and what follows a fit agree with R's metafor 5.0.1 and meta 8.3.0, number by number."""

from __future__ import annotations

import sys
import warnings
from collections import Counter
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent.parent / "golden"))
from model_agreement import MODELS, TOPICS, Difference, tolerance

COMPARED = {  # numbers compared: a topic that falls silent is a failure
    "rma": 7900,
    "moderators": 16000,
    "after": 6400,
    "tau2_interval": 1950,
    "prediction": 2600,
    "studies": 5200,
    "meta": 330,
    "permutest": 8,
}


def test_the_grid_is_complete() -> None:
    """8 data sets; every fit, interval and prediction of them."""
    assert set(COMPARED) == set(TOPICS)
    sizes = Counter({topic: sum(len(d[topic]) for d in MODELS.values()) for topic in COMPARED})
    assert sizes == {
        "rma": 632,
        "moderators": 571,
        "after": 322,
        "tau2_interval": 264,
        "prediction": 1720,
        "studies": 272,
        "meta": 204,
        "permutest": 4,
    }


@pytest.mark.parametrize("topic", TOPICS)
def test_agrees(topic: str) -> None:
    found: list[Difference] = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for data in MODELS:
            found += TOPICS[topic](data)
    assert len(found) >= COMPARED[topic]
    apart = [d for d in found if d.relative > tolerance(d)[0]]
    assert not apart, "\n".join(f"{d.relative:.1e} {d}" for d in sorted(apart, key=lambda d: -d.relative)[:20])
