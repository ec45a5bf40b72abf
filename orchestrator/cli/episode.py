"""One simulated episode as lines, as drawings and as JSON."""

from __future__ import annotations

import shutil
from dataclasses import asdict
from typing import TYPE_CHECKING

from orchestrator.cli.output import table
from orchestrator.gmn.drawing import beliefs, drawn, is_grid, landmarks, legend, path

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from orchestrator.gmn.compile import Compiled
    from orchestrator.gmn.model import GMNSpec, Variable
    from orchestrator.gmn.simulate import Run, Step
    from orchestrator.gmn.why import Reason


def episode_lines(episode: Run) -> list[str]:
    """A table of one episode: step, observation, belief and action, in labels."""
    rows = [
        (
            str(number),
            _pairs(step.observation),
            ", ".join(f"{name}={label} {p:.0%}" for name, (label, p) in step.belief.items()),
            _pairs(step.action) or "-",
        )
        for number, step in enumerate(episode.steps, 1)
    ]
    return table(("step", "observation", "belief", "action"), rows)


def _pairs(labels: Mapping[str, str]) -> str:
    return ", ".join(f"{name}={label}" for name, label in labels.items())


def drawing_lines(episode: Run, spec: GMNSpec) -> Iterator[str]:
    """The way through each grid: of the hidden states, else of the observations."""
    model = episode.engine.model
    states = [v for v in model.states if is_grid(v)]
    for variable in states or [v for v in model.observations if is_grid(v)]:
        said = [
            (step.state if states else step.observation)[variable.name] for step in episode.steps
        ]
        visited = list(map(variable.names.index, said))
        yield ""
        yield from _drawing(variable, path(visited, landmarks(spec, model, variable)), "")


def _drawing(variable: Variable, marks: Mapping[int, str], indent: str) -> Iterator[str]:
    width = shutil.get_terminal_size().columns - len(indent)
    if lines := drawn(variable, marks, width=width):
        yield f"{indent}{variable.name}: {legend(marks)}"
        yield from (f"{indent}{line}" for line in lines)


def why_lines(episode: Run, spec: GMNSpec, reasons: Sequence[Reason]) -> Iterator[str]:
    """Why each action was taken, and what was believed on each grid of hidden states."""
    model = episode.engine.model
    marks = {f: landmarks(spec, model, v) for f, v in enumerate(model.states) if is_grid(v)}
    for number, one in enumerate(reasons, 1):
        step = episode.steps[number - 1]
        yield ""
        yield f"step {number}: {_pairs(step.observation)}"
        yield from (f"  {line}" for line in str(one).split("\n"))
        for f, over in marks.items() if step.marginals else ():
            variable = model.states[f]
            truth = variable.names.index(step.state[variable.name])
            yield from _drawing(variable, beliefs(step.marginals[f], truth, over), "  ")
    yield ""


def missing(episode: Run) -> Iterator[str]:
    """What a long episode does not keep."""
    kept = sum(bool(step.marginals) for step in episode.steps)
    if kept < len(episode.steps):
        yield (
            f"from step {kept + 1} on the whole posterior and the plans are left out: they are more"
            " numbers than one run keeps; lower --steps"
        )


def episode_as_json(episode: Run, reasons: Sequence[Reason]) -> dict[str, object]:
    """All that is known of an episode, JSON-ready; the numbers of all plans in one order."""
    engine = episode.engine
    model = engine.model
    first = [_labels(model.actions, action.tolist()) for action in engine.joint_actions]
    index = {tuple(action): i for i, action in enumerate(engine.joint_actions.tolist())}
    ended = [None] * (len(episode.steps) - len(reasons))  # nothing is chosen at the last step
    told = [*map(asdict, reasons), *ended]
    return {
        "seed": episode.seed,
        "utility": sum(step.utility for step in episode.steps),
        "actions": first,
        "plans": [[index[tuple(action)] for action in plan] for plan in model.policies.tolist()],
        "steps": [
            {**_step(model, step), "why": one}
            for step, one in zip(episode.steps, told, strict=True)
        ],
    }


def _labels(variables: Sequence[Variable], indices: Sequence[int]) -> dict[str, str]:
    return {v.name: v.names[i] for v, i in zip(variables, indices, strict=True)}


def _step(model: Compiled, step: Step) -> dict[str, object]:
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
    }
