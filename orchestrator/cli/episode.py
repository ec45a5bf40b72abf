"""One simulated episode as lines: a table, drawings, and why."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from orchestrator.cli.output import table
from orchestrator.gmn.acting.why import reason
from orchestrator.gmn.words.drawing import beliefs, drawn, is_grid, landmarks, legend, path

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from orchestrator.gmn.acting.episode import Run
    from orchestrator.gmn.model import GMNSpec, Variable


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
    """The way through each grid: of the hidden states that are known, else of the observations."""
    model, steps = episode.model, episode.steps
    states = [v for v in model.states if is_grid(v) and all(v.name in s.state for s in steps)]
    for variable in states or [v for v in model.observations if is_grid(v)]:
        said = (step.state if states else step.observation for step in steps)
        visited = [variable.names.index(one[variable.name]) for one in said if variable.name in one]
        marks = path(visited, landmarks(spec, model, variable))
        yield from ("", *_drawing(variable, marks, ""))


def _drawing(variable: Variable, marks: Mapping[int, str], indent: str) -> Iterator[str]:
    width = shutil.get_terminal_size().columns - len(indent)
    if lines := drawn(variable, marks, width=width):
        yield f"{indent}{variable.name}: {legend(marks)}"
        yield from (f"{indent}{line}" for line in lines)


def why_lines(episode: Run, spec: GMNSpec) -> Iterator[str]:
    """Why each action was taken, and what was believed on each grid of hidden states."""
    model = episode.model
    marks = {f: landmarks(spec, model, v) for f, v in enumerate(model.states) if is_grid(v)}
    for number, step in enumerate(episode.steps, 1):
        if step.choice is None:
            continue
        yield from ("", f"step {number}: {_pairs(step.observation)}")
        yield from (f"  {line}" for line in str(reason(step.choice)).split("\n"))
        for f, over in marks.items():
            truth = step.state.get(model.states[f].name)
            yield from _drawing(
                model.states[f], beliefs(model.states[f], step.marginals[f], truth, over), "  "
            )
    yield ""
