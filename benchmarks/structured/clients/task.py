"""The task that every client is given, the same words, the same type, the same rules.

Imported by each client in its own environment, so it knows pydantic and nothing else.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable

from pydantic import BaseModel, model_validator

LABELS = [f"s{n}" for n in range(12)]
PROMPT = (
    "Describe a ring of twelve rooms s0 to s11 as a Markov chain. From each room the walker goes"
    " on to the next with 0.7, stays with 0.2 and goes back with 0.1. The goal is room s6. Give"
    " the labels, the goal, and for every room the whole row of transition probabilities."
)
MOST_TRIES = 3  # further calls after the first, for every client alike


class Row(BaseModel):
    name: str
    row: list[float]


class Chain(BaseModel):
    labels: list[str]
    goal: str
    transitions: list[Row]

    @model_validator(mode="after")
    def holds(self) -> Chain:
        """Rows are distributions, the goal is a label."""
        if self.goal not in self.labels:
            raise ValueError(f"goal {self.goal!r} is not one of labels")
        for row in self.transitions:
            if len(row.row) != len(self.labels):
                raise ValueError(f"row {row.name} has {len(row.row)} numbers, not 12")
            if abs(sum(row.row) - 1) > 1e-6:
                raise ValueError(f"row {row.name} sums to {sum(row.row):.6f}, not 1")
        return self


def run(ask: Callable[[str, str], object]) -> None:
    """Ask once for each mix named on the command line; print how it went as JSON."""
    base, mixes = sys.argv[1], sys.argv[2:]
    for mix in mixes:
        start = time.perf_counter()
        try:
            value = ask(base, mix)
            good = value.model_dump() if isinstance(value, BaseModel) else value
            Chain.model_validate(good)
            outcome = "good"
        except Exception as error:  # noqa: BLE001  whatever a peer raises is its outcome
            outcome = type(error).__name__
        seconds = round(time.perf_counter() - start, 3)
        print(json.dumps({"mix": mix, "outcome": outcome, "seconds": seconds}), flush=True)
