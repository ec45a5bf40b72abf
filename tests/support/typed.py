"""Typed documents with one table, the findings of checks on them, and applied fixes."""

from __future__ import annotations

from collections.abc import Sequence

import jsonpatch

from orchestrator.gmn.checks import Subject, run_checks
from orchestrator.gmn.limits import DEFAULT_LIMITS, Limits
from orchestrator.gmn.model import Condition, Conditional, GMNSpec, Outcome, Rule, Table, Variable
from orchestrator.types.diagnostics import Diagnostic

S = Variable(name="s", labels=("a", "b", "c"))
O2 = Variable(name="o", labels=("x", "y"))
O3 = Variable(name="o", labels=("x", "y", "z"))
U = Variable(name="u", labels=("back", "on"))

Rows = Sequence[Sequence[float]]


def written(rows: Rows, *, noise: float = 0.0) -> Table:
    """A table of kind rows."""
    return Table(kind="rows", rows=tuple(tuple(row) for row in rows), noise=noise)


def rule(then: dict[str, float], **when: str) -> Rule:
    """One rule; ``|`` separates the values of a condition."""
    conditions = tuple(Condition(var=k, values=tuple(v.split("|"))) for k, v in when.items())
    return Rule(when=conditions, then=tuple(Outcome(value=v, p=p) for v, p in then.items()))


def decided(*rules: Rule) -> Table:
    """A table of kind rules."""
    return Table(kind="rules", rules=rules)


def sensing(table: Table, *, state: Variable = S, observation: Variable = O3) -> GMNSpec:
    """A model with `table` as its likelihood."""
    likelihood = Conditional(of=observation.name, given=(state.name,), table=table)
    return GMNSpec(states=(state,), observations=(observation,), likelihoods=(likelihood,))


def moving(
    table: Table, *, state: Variable = S, action: Variable = U, given: tuple[str, ...] = ("u", "s")
) -> GMNSpec:
    """A model with `table` as its transition."""
    sees = Conditional(of="o", given=(state.name,), table=Table(kind="uniform"))
    moves = Conditional(of=state.name, given=given, table=table)
    return GMNSpec(
        states=(state,),
        observations=(O2,),
        actions=(action,),
        likelihoods=(sees,),
        transitions=(moves,),
    )


def found(spec: GMNSpec, *codes: str, limits: Limits = DEFAULT_LIMITS) -> list[Diagnostic]:
    """The findings of these codes, each without its prefix: ``201``."""
    return run_checks(Subject(spec, limits), codes=frozenset(f"GMN{code}" for code in codes))


def only(spec: GMNSpec, code: str) -> Diagnostic:
    """The one finding of this code."""
    (one,) = found(spec, code)
    return one


def repaired(spec: GMNSpec, diagnostic: Diagnostic) -> GMNSpec:
    """The document with the fix of one finding applied."""
    assert diagnostic.fix is not None, f"no fix: {diagnostic}"
    tree = jsonpatch.apply_patch(spec.to_json(), list(diagnostic.fix.patch))
    return GMNSpec.model_validate(tree)
