"""GMN602-607: the queries that a running agent sends to a language model."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestrator.gmn.checks.fixes import insert, safe
from orchestrator.gmn.checks.registry import Subject, check
from orchestrator.gmn.codes import finding
from orchestrator.gmn.model import PLACEHOLDER

if TYPE_CHECKING:
    from collections.abc import Iterator

    from orchestrator.gmn.model import Query
    from orchestrator.types.diagnostics import Diagnostic

_TARGETS = {
    "observe": ("observation",),
    "set_preference": ("observation", "state"),
    "set_prior": ("state",),
    "suggest_action": ("action",),
}


def _queries(subject: Subject) -> Iterator[tuple[str, Query]]:
    for index, query in enumerate(subject.spec.queries):
        yield f"/queries/{index}", query


@check("GMN602", "GMN605")
def queries_name_what_exists(subject: Subject) -> Iterator[Diagnostic]:
    """Inputs and target are declared, and the effect fits the target."""
    for pointer, query in _queries(subject):
        for i, name in enumerate(query.inputs):
            if name not in subject.variables:
                words = f"input {name!r} of query {query.name} is not defined"
                yield finding("GMN602", words, pointer=f"{pointer}/inputs/{i}", variable=name)
        wanted = _TARGETS.get(query.effect)
        kind = subject.kinds.get(query.target)
        if wanted is None:
            continue
        if kind is None:
            words = f"target {query.target!r} of query {query.name} is not defined"
            yield finding("GMN602", words, pointer=f"{pointer}/target", variable=query.target)
        elif kind not in wanted:
            words = (
                f"effect {query.effect} of query {query.name} needs a target that is"
                f" {' or '.join(wanted)}; {query.target} is a {kind}"
            )
            yield finding("GMN605", words, pointer=f"{pointer}/target", variable=query.target)


@check("GMN603", "GMN604")
def prompts_can_be_rendered(subject: Subject) -> Iterator[Diagnostic]:
    """Placeholders are inputs; the prompt is neither empty nor too long."""
    for pointer, query in _queries(subject):
        size = len(query.prompt.encode())
        if not query.prompt.strip() or size > subject.limits.prompt_bytes:
            words = f"prompt of query {query.name} has {size} bytes, expected 1 to "
            words += str(subject.limits.prompt_bytes)
            yield finding("GMN604", words, pointer=f"{pointer}/prompt", got=size)
        for name in dict.fromkeys(PLACEHOLDER.findall(query.prompt)):
            if name in query.inputs:
                continue
            known = name in subject.variables
            fix = safe("add it to the inputs", insert(f"{pointer}/inputs/-", name))
            words = f"placeholder {{{name}}} of query {query.name} is not among its inputs"
            where = f"{pointer}/prompt"
            yield finding("GMN603", words, pointer=where, variable=name, fix=fix if known else None)


@check("GMN606", "GMN607")
def triggers_are_reasonable(subject: Subject) -> Iterator[Diagnostic]:
    """on_uncertainty is in [0, 1], every_n_steps at least 1; a call at every step is reported."""
    for pointer, query in _queries(subject):
        value, where = query.trigger_value, f"{pointer}/trigger_value"
        if query.trigger == "on_uncertainty" and not 0.0 <= value <= 1.0:
            words = f"on_uncertainty of query {query.name} is {value:g}, expected [0, 1]"
            yield finding("GMN606", words, pointer=where, got=value)
        elif query.trigger == "every_n_steps" and (value < 1 or value != int(value)):
            words = f"every_n_steps of query {query.name} is {value:g}, expected 1, 2, …"
            yield finding("GMN606", words, pointer=where, got=value)
        every = query.trigger == "on_observation" or (
            query.trigger == "every_n_steps" and value == 1
        )
        if every:
            words = f"query {query.name} asks a model at every step, which costs at every step"
            yield finding("GMN607", words, pointer=f"{pointer}/trigger")
