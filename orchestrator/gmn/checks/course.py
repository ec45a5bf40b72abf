"""GMN124-125, 218-219: where everything ends, and what is learned."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from orchestrator.gmn.checks.registry import Subject, check
from orchestrator.gmn.checks.structure import pointers
from orchestrator.gmn.codes import finding
from orchestrator.gmn.tables import labels_matching

if TYPE_CHECKING:
    from collections.abc import Iterator

    from orchestrator.types.diagnostics import Diagnostic


@check("GMN124", "GMN125")
def something_happens_before_the_end(subject: Subject) -> Iterator[Diagnostic]:
    """Terminal labels are those of a state that can start in another one."""
    priors = {table.of: subject.matrix(table) for table in subject.spec.priors if not table.given}
    for kind, pointer, variable in pointers(subject.spec):
        where, name = f"{pointer}/terminal", variable.name
        if variable.terminal and kind != "state":
            words = f"{kind} {name} has terminal labels; write them on the state that ends"
            yield finding("GMN124", words, pointer=where, variable=name)
        elif variable.terminal and subject.bounded(name) is not None:
            ends = {i for label in variable.terminal for i in labels_matching(label, variable)}
            start, every = priors.get(name), f"every label of {name} is terminal"
            begins = range(variable.n) if start is None else np.flatnonzero(start[0]).tolist()
            if ends.issuperset(begins):
                why = every if len(ends) == variable.n else f"{name} can only begin at its end"
                words = f"{why}: nothing can happen; end it where something has been done"
                yield finding("GMN125", words, pointer=where, variable=name)


@check("GMN218", "GMN219")
def what_is_learned_has_counts(subject: Subject) -> Iterator[Diagnostic]:
    """A table that is learned begins with counts above 0; one that is not needs none."""
    for pointer, conditional in subject.tables:
        where, count = f"{pointer}/concentration", conditional.concentration
        if conditional.learn and not (count > 0 and math.isfinite(count)):
            words = f"concentration of {conditional.of} is {count!r}, expected a number above 0:"
            words += " how many observations each row is worth; leave it out for 1"
            yield finding("GMN218", words, pointer=where, variable=conditional.of, got=count)
        elif not conditional.learn and count not in (0, 1):
            words = f"concentration of {conditional.of} has no effect: it is not learned; write"
            words += " learn: true, or leave it out"
            yield finding("GMN219", words, pointer=where, variable=conditional.of)
