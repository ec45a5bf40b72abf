"""An episode of an agent in a world of its own model, as far as somebody has looked."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

import numpy as np

from orchestrator.gmn.acting.world import World
from orchestrator.gmn.engine.choice import Choice, choose
from orchestrator.gmn.engine.contingent import TREE_NUMBERS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from orchestrator.gmn.engine.engine import Engine, Inferred

#: Episodes in which expectations are measured, where nobody says how many.
EPISODES = 40
#: What was inferred at a step and what was chosen then, None where the episode had ended.
WalkStep = tuple["Inferred", Choice | None]


class Counted(Protocol):
    """The steps of an episode, and at how many of them its beliefs are in doubt: as `Run`."""

    @property
    def steps(self) -> Sequence[object]: ...
    @property
    def surprised(self) -> int: ...
    @property
    def unsettled(self) -> int: ...
    @property
    def shortened(self) -> int: ...


class Walked(NamedTuple):
    """The first steps of a walk, and what `doubts` asks of them."""

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


def doubts(run: Counted) -> Iterator[str]:
    """Why the beliefs of an episode cannot be relied on (904)."""
    count = "1 step" if len(run.steps) == 1 else f"{len(run.steps)} steps"
    if run.surprised:
        yield (
            f"at {run.surprised} of {count} nothing the agent held possible explained what it"
            " observed: its beliefs had ruled it out"
        )
    if run.unsettled:
        yield f"at {run.unsettled} of {count} the mean-field beliefs did not converge"
    if run.shortened:
        yield (
            f"at {run.shortened} of {count} the contingent plan did not look as far ahead as"
            f" its horizon, for which it would need more than {TREE_NUMBERS:,} numbers; what comes"
            " after counts as by the best of some fixed plans; lower the horizon, or declare fewer"
            " states, observations or actions"
        )
