"""An episode of an agent in a world of its own model, as far as somebody has looked."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from orchestrator.gmn.acting.world import World
from orchestrator.gmn.engine.choice import Choice, choose

if TYPE_CHECKING:
    from collections.abc import Sequence

    from orchestrator.gmn.engine.engine import Engine, Inferred

#: What was inferred at a step and what was chosen then, None where the episode had ended.
WalkStep = tuple["Inferred", Choice | None]


class Walked(NamedTuple):
    """The first steps of a walk, and what `episode.doubts` asks of them."""

    steps: Sequence[WalkStep]
    surprised: int
    unsettled: int
    shortened: int


class Walk:
    """The episode that `simulate` gives an agent that learns nothing, without its labels.

    One that was interrupted within a step is of no more use.

    Attributes:
        states: the joint state at each step, that of the step to come last.
        steps: those that were taken.
    """

    def __init__(self, engine: Engine, seed: int) -> None:
        self.engine = engine
        self._rng = np.random.default_rng(seed)
        self._world = World(engine.model, self._rng)
        self._prior = engine.start()
        self.states = [list(self._world.state)]
        self.steps: list[WalkStep] = []

    def goes_on(self, steps: int) -> bool:
        """Take steps up to so many; whether there is a step after them."""
        while len(self.steps) < min(steps, len(self.states)):
            inferred = self.engine.observe(self._prior, self._world.observe())
            if self._world.has_ended:
                self.steps.append((inferred, None))
                break
            choice = choose(self.engine, inferred.beliefs, self._rng)
            self._world.act(choice.action)
            self._prior = self.engine.predict(inferred.beliefs, choice.action)
            self.states.append(list(self._world.state))
            self.steps.append((inferred, choice))
        return len(self.states) > steps

    def first(self, steps: int) -> Walked:
        """The first steps, fewer where the episode ends."""
        self.goes_on(steps)
        taken = self.steps[:steps]
        horizon = self.engine.model.horizon
        return Walked(
            taken,
            sum(inferred.impossible > 0 for inferred, _ in taken),
            sum(not inferred.converged for inferred, _ in taken),
            sum(choice is not None and choice.depth < horizon for _, choice in taken),
        )
