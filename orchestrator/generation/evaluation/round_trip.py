"""Whether a model that is explained and generated again acts as it did."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestrator.gmn.acting.many import simulate_many
from orchestrator.gmn.compile import compile_spec
from orchestrator.gmn.engine.engine import Engine
from orchestrator.types.errors import GMNError

if TYPE_CHECKING:
    from orchestrator.gmn.model import GMNSpec

_SEEDS, _STEPS = range(8), 8


def acts_alike(one: GMNSpec, other: GMNSpec) -> bool:
    """Whether both have the same variables and, in the world of the first, act alike.

    Eight seeded episodes of eight steps each are compared.
    """
    kinds = ("states", "observations", "actions")
    named = [[(v.name, v.names) for k in kinds for v in getattr(spec, k)] for spec in (one, other)]
    if named[0] != named[1]:
        return False
    try:
        world = compile_spec(one)
        runs = [
            simulate_many(Engine(compile_spec(spec)), steps=_STEPS, seeds=_SEEDS, world=world)
            for spec in (one, other)
        ]
        done = [[[step.action for step in run.steps] for run in made] for made in runs]
    except GMNError:
        return False
    return done[0] == done[1]
