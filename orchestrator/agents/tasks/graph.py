"""Which task waits for which, checked before any of them begins."""

from __future__ import annotations

from graphlib import CycleError, TopologicalSorter
from typing import TYPE_CHECKING

from orchestrator.agents.tasks.task import AgentTask
from orchestrator.parsing.spelling import nearest

if TYPE_CHECKING:
    from collections.abc import Sequence


def graph_of(tasks: Sequence[AgentTask]) -> TopologicalSorter[str]:
    """The ids of tasks, ready to be taken in an order that heeds what they depend on.

    Raises: TypeError: one is not an `AgentTask`; ValueError: an id stands for two tasks, a task
        depends on one that is not there, or in a circle on itself.
    """
    known: dict[str, AgentTask] = {}
    for task in tasks:
        if not isinstance(task, AgentTask):
            raise TypeError(f"tasks must be a list of AgentTask; one is {type(task).__name__}")
        if task.task_id in known:
            raise ValueError(f"two tasks are called {task.task_id!r}; give each an id of its own")
        known[task.task_id] = task
    for task in tasks:
        for name in task.depends_on:
            if name not in known:
                near = nearest(name, known)
                fix = f"did you mean {near!r}?" if near else "it is not among the tasks"
                raise ValueError(f"{task.task_id!r} depends on {name!r}: {fix}")
    graph = TopologicalSorter({name: task.depends_on for name, task in known.items()})
    try:
        graph.prepare()
    except CycleError as error:
        circle = " -> ".join(map(repr, reversed(error.args[1])))
        raise ValueError(f"tasks depend on each other in a circle: {circle}") from None
    return graph
