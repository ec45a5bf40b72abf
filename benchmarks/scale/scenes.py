"""The providers that batches are simulated over."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.scale.providers import Provider
from benchmarks.scale.simulation import Figures, Simulation
from benchmarks.scale.virtual_time import run

_NO_LIMIT = 1e12

#: Providers by scene, each as the arguments of `Provider`.
SCENES: Mapping[str, Sequence[Mapping[str, Any]]] = {
    "requests": [{"name": "a", "rpm": 6_000, "tpm": _NO_LIMIT}],
    "tokens": [{"name": "a", "rpm": _NO_LIMIT, "tpm": 6e6, "median_s": 4.0}],
    "three": [
        {"name": "a", "rpm": 3_000, "tpm": 4e6},
        {"name": "b", "rpm": 2_000, "tpm": 9e6, "median_s": 8.0, "spread": 0.8},
        {"name": "c", "rpm": 1_000, "tpm": 1e6, "median_s": 0.5},
    ],
    "faults": [
        {"name": "a", "rpm": 4_000, "tpm": _NO_LIMIT, "faults": 0.005, "hangs": 0.005},
        {"name": "b", "rpm": 2_000, "tpm": _NO_LIMIT, "faults": 0.005},
    ],
    "outage": [
        {"name": "a", "rpm": 4_000, "tpm": _NO_LIMIT, "outages": ((60, 120),)},
        {"name": "b", "rpm": 2_000, "tpm": _NO_LIMIT},
    ],
    "kills": [{"name": "a", "rpm": 6_000, "tpm": _NO_LIMIT}],
}


def simulation(scene: str, count: int, *, journal: Path | None = None) -> Simulation:
    """A batch over the providers of a scene; made within the loop, whose clock they have."""
    clock = asyncio.get_running_loop().time
    made = [
        Provider(clock=clock, rng=random.Random(about["name"]), **about) for about in SCENES[scene]
    ]
    return Simulation(count, made, journal=journal if scene == "kills" else None)


def simulated(scene: str, count: int, *, journal: Path | None = None) -> Figures:
    """The figures of a scene; five times killed where it is called so."""

    async def ran() -> Figures:
        return await simulation(scene, count, journal=journal).run(5 if scene == "kills" else 0)

    return run(ran())
