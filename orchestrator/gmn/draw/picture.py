"""A model as one picture: graph, tables, preferences, and an episode."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestrator.gmn.acting.simulate import simulate
from orchestrator.gmn.draw.bars import bars
from orchestrator.gmn.draw.graph import graph
from orchestrator.gmn.draw.heat import Side, heat_map
from orchestrator.gmn.draw.layout import MARGIN, WIDTH, Panel, flowed, line, paragraph, stacked
from orchestrator.gmn.draw.scene import Group, Scene, cut
from orchestrator.gmn.draw.tables import label, table
from orchestrator.gmn.draw.trace import trace
from orchestrator.gmn.limits import DEFAULT_LIMITS, Limits
from orchestrator.gmn.model import DrawnPart
from orchestrator.types.work import TooMuchWork, allowance, doing

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Sequence

    from orchestrator.gmn.acting.episode import Run
    from orchestrator.gmn.compile import ActionUtility, Compiled
    from orchestrator.gmn.model import GMNSpec
    from orchestrator.gmn.validate import Validation

Part = DrawnPart
#: What a picture shows where nothing else is asked for.
PARTS: tuple[Part, ...] = ("graph", "tables", "preferences")
#: Tables and preferences of one picture; a document within the limits has fewer.
_MOST_PANELS = 64


def picture(
    verdict: Validation, *, parts: Collection[Part] = PARTS, steps: int = 20, seed: int = 0,
    limits: Limits = DEFAULT_LIMITS,
) -> Scene:  # fmt: skip
    """A document as a picture; one with errors as far as it can be drawn, and says so.

    `steps` and `seed` are of the episode that ``trace`` draws.

    Raises: ValueError: the document could not be read.
    """
    spec = verdict.spec
    if spec is None:
        raise ValueError("the document could not be read, so there is nothing to draw")
    sections: list[tuple[str, Callable[[], Panel]]] = []
    if "graph" in parts:
        sections.append(("", lambda: graph(spec)))
    if "tables" in parts:
        sections.append(("Tables", lambda: flowed(_capped(_tables(spec, limits)))))
    if "preferences" in parts:
        sections.append(("Preferences", lambda: _preferences(spec, verdict.compiled)))
    if "trace" in parts:
        sections.append(("Episode", lambda: _episode(verdict, steps, seed)))
    panels = [_heading(spec, verdict)]
    with allowance(limits.work):
        for title, made in sections:
            doing("drawing the model")
            try:
                body = made()
            except TooMuchWork as error:
                body = paragraph(f"not drawn: {error}", role="wrong")
            if body.height:
                head = [line(title, 15.0, is_bold=True)] if title else []
                panels.append(stacked([*head, body], 12.0))
    return scene(stacked(panels, 22.0), f"{cut(spec.name, 600, 12)}: a model of active inference")


def _episode(verdict: Validation, steps: int, seed: int) -> Panel:
    if verdict.compiled is None or verdict.spec is None:
        return paragraph("an episode is drawn once the document is valid")
    queries = verdict.spec.queries
    return trace(simulate(verdict.compiled, steps=steps, seed=seed, queries=queries))


def episode_picture(episode: Run, title: str = "") -> Scene:
    """An episode alone."""
    words = f"{title}: {len(episode.steps)} steps" if title else f"{len(episode.steps)} steps"
    return scene(stacked([line(words, 18.0, is_bold=True), trace(episode)], 16.0), words)


def scene(panel: Panel, title: str) -> Scene:
    """A panel on paper."""
    width = max(WIDTH, panel.width) + 2 * MARGIN
    return Scene(width, panel.height + 2 * MARGIN, (Group(MARGIN, MARGIN, panel.parts),), title)


def _heading(spec: GMNSpec, verdict: Validation) -> Panel:
    policy = spec.policy
    facts = [
        spec.agent_type, f"horizon {policy.horizon}", f"gamma {policy.gamma:g}",
        f"{policy.selection} selection",
        *([] if policy.info_gain else ["no information gain"]),
        *([f"discount {policy.discount:g}"] if policy.discount != 1 else []),
        *([f"{len(spec.queries)} queries"] if spec.queries else []),
    ]  # fmt: skip
    panels = [line(spec.name, 21.0, is_bold=True)]
    if spec.description:
        panels.append(paragraph(spec.description, size=12.5, most=3))
    panels.append(line(" · ".join(facts), 11.0, "muted"))
    errors = verdict.report.errors
    panels += [paragraph(str(one), role="wrong", most=2) for one in errors[:3]]
    if errors[3:]:
        panels.append(paragraph(f"and {len(errors) - 3} more errors", role="wrong"))
    return stacked(panels, 6.0)


def _tables(spec: GMNSpec, limits: Limits) -> Iterator[Panel]:
    for kind, tables in (
        ("likelihood", spec.likelihoods),
        ("transition", spec.transitions),
        ("prior", spec.priors),
    ):
        for one in tables:
            yield table(spec, one, kind, limits)


def _capped(panels: Iterator[Panel]) -> Iterator[Panel]:
    for count, panel in enumerate(panels):
        if count == _MOST_PANELS:
            yield paragraph(f"what comes after the first {_MOST_PANELS} is left out")
            return
        yield panel


def _preferences(spec: GMNSpec, model: Compiled | None) -> Panel:
    if model is None:
        words = "preferences are drawn once the document is valid"
        return paragraph(words) if spec.preferences or spec.habits else Panel(0, 0, ())
    panels = [
        bars(variable, values, title=f"utility of {variable.name}, in nats", is_signed=True)
        for variables, found in ((model.observations, model.C), (model.states, model.V))
        for variable, values in zip(variables, found, strict=True)
        if values.any()
    ]
    panels += [_together(model, one) for one in model.action_utilities]
    panels += [_habits(spec)] if spec.habits else []
    return flowed(_capped(iter(panels)))


def _together(model: Compiled, one: ActionUtility) -> Panel:
    """The utility of states and actions together: states down, actions across."""
    states = [model.states[f] for f in one.states]
    actions = [model.actions[k] for k in one.actions]
    rows = one.table.reshape(_product(states), _product(actions))
    named = [" · ".join(v.name for v in some) for some in (states, actions)]
    down = Side(named[0], rows.shape[0], lambda i: label(states, i) if states else "")
    across = Side(named[1], rows.shape[1], lambda i: label(actions, i) if actions else "")
    title = f"utility of {', '.join(filter(None, named))}, in nats"
    body = heat_map(rows, down, across, has_sums=False, is_signed=True)
    return stacked([line(title, 12.0, is_bold=True), body], 6.0)


def _product(variables: Sequence[object]) -> int:
    made = 1
    for v in variables:
        made *= v.n  # type: ignore[attr-defined]
    return made


def _habits(spec: GMNSpec) -> Panel:
    import numpy as np  # noqa: PLC0415  with the tables

    made = []
    for habit in spec.habits:
        action = spec.variable(habit.action)
        if action is not None:
            weights = np.array(habit.weights)
            title = f"habit of {action.name}"
            made.append(bars(action, weights / weights.sum(), title=title))
    return flowed(made)
