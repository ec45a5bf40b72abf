"""An episode as it went: what was observed, believed, done and gained, and why."""

from __future__ import annotations

import itertools
import math
from dataclasses import asdict, dataclass, field
from importlib import import_module
from typing import TYPE_CHECKING, Any

import numpy as np

from orchestrator.gmn.acting.walk import doubts
from orchestrator.gmn.acting.why import Reason, reason
from orchestrator.gmn.acting.world import whole

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from numpy.typing import NDArray

    from orchestrator.gmn.acting.queries import QueryAnswer
    from orchestrator.gmn.compile import Compiled
    from orchestrator.gmn.engine.choice import Choice

    Array = NDArray[np.float64]


#: The most numbers that the steps of one run keep beside their labels (64 MB).
KEPT_NUMBERS = 2**23
_FULL = f"a run keeps at most {KEPT_NUMBERS:,} numbers; lower the number of steps"


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a run, in labels.

    Attributes:
        observation: label by modality, of those that were observed.
        belief: most probable label and its probability by state factor.
        state: the true label by state factor, where the environment tells it.
        action: label by action factor, taken after the observation; empty where the episode ended.
        utility: what it gained, in nats: of what it observed, of the true state, and of the action;
            where the state is not known, of what it believed.
        seen: index of the label of every modality, None for one that was not observed.
        marginals: q(s_f) of every factor after the observation.
        choice: what was chosen and from what; None where the episode ended. Both are kept while the
            run has room for them (`KEPT_NUMBERS`) and asked to keep them: else () and None.
    """

    observation: Mapping[str, str]
    belief: Mapping[str, tuple[str, float]]
    state: Mapping[str, str]
    action: Mapping[str, str]
    utility: float = 0.0
    seen: tuple[int | None, ...] = field(default=(), compare=False)
    marginals: tuple[Array, ...] = field(default=(), compare=False, repr=False)
    choice: Choice | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Run:
    """One episode; equal seeds give equal runs.

    Attributes:
        surprised: number of steps at which a modality showed what the beliefs had ruled out (904).
        unsettled: number of steps whose mean-field beliefs did not converge (904).
        shortened: number of steps whose contingent plan did not reach its horizon (904).
        model: of the agent.
        unasked: number of questions to a language model that were due and not asked.
        answers: the questions that were answered, in order.
    """

    seed: int
    steps: tuple[Step, ...]
    model: Compiled = field(compare=False, repr=False)
    surprised: int = 0
    unsettled: int = 0
    shortened: int = 0
    unasked: int = 0
    answers: tuple[QueryAnswer, ...] = ()

    def why(self, step: int) -> Reason:
        """Why the action of a step, from 1, was taken.

        Raises: ValueError: there is no such step, nothing was chosen at it, or the run did not keep
            its choice.
        """
        if not 1 <= (step := whole("step", step)) <= len(self.steps):
            raise ValueError(f"step {step} is not one of the {len(self.steps)} of this run")
        found = self.steps[step - 1]
        if not found.action:
            raise ValueError(f"nothing was chosen at step {step}: the episode ended there")
        if found.choice is None:
            raise ValueError(f"the choice of step {step} is not kept: {_FULL}")
        return reason(found.choice)

    def reasons(self) -> Iterator[Reason]:
        """`why` of every step whose choice is kept, in order."""
        return (reason(step.choice) for step in self.steps if step.choice is not None)

    def to_svg(self) -> str:
        """The episode as a picture: beliefs, observations, actions and utilities over time."""
        # By name: what draws lies above what acts.
        drawn: str = import_module("orchestrator.gmn.draw.notebook").svg_of_run(self)
        return drawn

    def _repr_svg_(self) -> str:
        return self.to_svg()

    def _repr_html_(self) -> str:
        return self.to_svg()

    def as_dict(self) -> dict[str, object]:
        """All that is known of it, JSON-ready; plan i of a step is ``plans[i]``.

        A plan is one index into ``actions`` for each of its steps.
        """
        model = self.model
        joint = list(itertools.product(*(range(v.n) for v in model.actions)))
        index = {tuple(action): i for i, action in enumerate(joint)}
        actions = [zip(model.actions, action, strict=True) for action in joint]
        return {
            "seed": self.seed,
            "warnings": [*doubts(self), *unasked(self), *_missing(self)],
            "utility": math.fsum(step.utility for step in self.steps),
            "actions": [{v.name: v.names[i] for v, i in action} for action in actions],
            "plans": [
                [index[tuple(action)] for action in plan] for plan in model.policies.tolist()
            ],
            "steps": [_numbered(model, step) for step in self.steps],
        }


def unasked(run: Run) -> Iterator[str]:
    """That questions to a language model were due and nobody asked them."""
    if run.unasked:
        one = run.unasked == 1
        yield (
            f"{run.unasked} question{'' if one else 's'} to a language model"
            f" {'was' if one else 'were'} due and not asked: Orchestrator.run_agent asks"
            f" {'it' if one else 'them'}"
        )


def _missing(run: Run) -> Iterator[str]:
    kept = sum(bool(step.marginals) for step in run.steps)
    if kept < len(run.steps):
        yield f"from step {kept + 1} on the posterior, the plans and why are left out: {_FULL}"


def _numbered(model: Compiled, step: Step) -> dict[str, object]:
    choice = step.choice
    whole = {
        v.name: dict(zip(v.names, q.tolist(), strict=True))
        for v, q in zip(model.states, step.marginals, strict=False)
    }
    return {
        "observation": dict(step.observation),
        "state": dict(step.state),
        "action": dict(step.action),
        "utility": step.utility,
        "belief": {k: {"label": v[0], "p": v[1]} for k, v in step.belief.items()},
        "posterior": whole or None,
        "neg_efe": None if choice is None else choice.neg_efe.tolist(),
        "plan_posterior": None if choice is None else choice.posterior.tolist(),
        "action_posterior": None if choice is None else choice.first.tolist(),
        "why": None if choice is None else asdict(reason(choice)),
    }


def numbers(step: Step) -> int:
    """How many numbers a step keeps."""
    chosen = 0
    if (choice := step.choice) is not None:
        # Of an agent that learns every choice has an engine of its own.
        chosen += choice.engine.numbers if choice.engine.model.learned else 0
        chosen += 2 * len(choice.posterior) + len(choice.first)
        # A belief is one array, or one for each factor.
        chosen += sum(
            np.size(q) if isinstance(q, np.ndarray) else sum(map(np.size, q))
            for q in choice.beliefs
        )
    return chosen + sum(len(q) for q in step.marginals)


def gained(model: Compiled, step: Step) -> float:
    """The utility of a step in nats, from its indices, labels and marginals."""
    truth = [
        np.eye(v.n)[v.names.index(step.state[v.name])] if v.name in step.state else q
        for v, q in zip(model.states, step.marginals, strict=True)
    ]
    seen = zip(model.C, step.seen, strict=True)
    found = [float(c[i]) for c, i in seen if i is not None]
    found += [float(v @ q) for v, q in zip(model.V, truth, strict=True)]
    for one in model.action_utilities if step.action else ():
        acts = [model.actions[k] for k in one.actions]
        at: tuple[Any, ...] = tuple(v.names.index(step.action[v.name]) for v in acts)
        table = one.table[(..., *at)]
        for f in one.states:
            table = np.tensordot(truth[f], table, 1)
        found.append(float(table))
    return math.fsum(found)
