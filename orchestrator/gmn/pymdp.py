"""The same model as an agent of pymdp 1.0.4, the reference implementation; an optional extra."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from orchestrator.gmn.acting.world import World
from orchestrator.gmn.codes import finding
from orchestrator.gmn.compile import compile_spec
from orchestrator.gmn.engine.arrays import softmax
from orchestrator.gmn.engine.choice import choose
from orchestrator.gmn.engine.engine import Engine
from orchestrator.gmn.engine.mean_field import clipped_log, message
from orchestrator.gmn.imports.pymdp_script import require_pymdp
from orchestrator.types.errors import MissingExtraError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from orchestrator.gmn.compile import Compiled
    from orchestrator.gmn.model import GMNSpec
    from orchestrator.types.diagnostics import Diagnostic

    Array = NDArray[np.float64]

#: Sweeps of pymdp's fixed-point iteration.
SWEEPS = 16
#: How far float32 may take pymdp from float64: beliefs, -G in nats, policy posterior.
TOLERANCES = {"belief": 1e-6, "free energy": 2e-5, "policy posterior": 1e-4}


def agent_of(spec: GMNSpec) -> Any:
    """A ``pymdp.agent.Agent`` of a document.

    Raises: as `to_pymdp`; GMNError too where the document does not compile.
    """
    return to_pymdp(compile_spec(spec))


def to_pymdp(model: Compiled) -> Any:
    """A ``pymdp.agent.Agent`` with the model's arrays, batch size 1.

    Raises:
        MissingExtraError: pymdp is not installed.
        GMNError: the model says what pymdp cannot express, such as a discount.
    """
    require_pymdp(model)
    try:
        import jax.numpy as jnp  # noqa: PLC0415  850 MB that most users do without
        from pymdp.agent import Agent  # noqa: PLC0415
    except ModuleNotFoundError as error:
        raise MissingExtraError("GMN902 engine missing: pymdp", "pymdp") from error

    def arrays(tables: Any) -> list[Any]:
        return [jnp.asarray(table, jnp.float32) for table in tables]

    return Agent(
        A=arrays(model.A),
        B=arrays(model.B),
        C=arrays(model.C),
        D=arrays(model.D),
        E=jnp.asarray(model.E, jnp.float32),
        A_dependencies=[list(parents) for parents in model.A_dependencies],
        B_dependencies=[list(parents) for parents in model.B_dependencies],
        B_action_dependencies=[list(controls) for controls in model.B_action_dependencies],
        num_controls=[action.n for action in model.actions],
        policy_len=model.horizon,
        gamma=model.gamma,
        use_states_info_gain=model.info_gain,
        # Controls shared by factors need whole policies, not marginals.
        sampling_mode="full",
    )


def cross_check(
    model: Compiled, *, steps: int = 5, seed: int = 0, scale: float = 1.0
) -> tuple[Diagnostic, ...]:
    """Walk `steps` with both engines on the same observations and actions; 905 where they differ.

    pymdp keeps factors apart and ends after 16 sweeps, so that is done here too; what it shows is
    that both read the same arrays alike and agree on expected free energy. Where each factor is a
    part of its own the beliefs are the exact ones. `scale` multiplies the tolerances.

    Raises: as `to_pymdp`.
    """
    agent = to_pymdp(model)
    import equinox  # noqa: PLC0415  comes with pymdp
    import jax.numpy as jnp  # noqa: PLC0415

    infer = equinox.filter_jit(lambda a, seen, prior: a.infer_states(seen, prior))
    plan = equinox.filter_jit(lambda a, beliefs: a.infer_policies(beliefs))
    engine = Engine(model, inference="mean_field")
    rng = np.random.default_rng(seed)
    world = World(model, rng)
    prior = engine.start()
    found: list[Diagnostic] = []
    for step in range(1, steps + 1):
        seen = world.observe()
        marginals = fixed_point(model, seen, engine.marginals(prior))
        beliefs = engine.from_marginals(marginals)
        neg_efe = engine.negative_expected_free_energy(beliefs)
        start = [jnp.asarray(p, jnp.float32)[None] for p in engine.marginals(prior)]
        reference = infer(agent, [jnp.array([index]) for index in seen], start)
        posterior, other = plan(agent, reference)
        habits = clipped_log(model.E)  # as pymdp does; here a weight of 0 forbids
        gaps = {
            "belief": max(_gap(q, r[0, 0]) for q, r in zip(marginals, reference, strict=True)),
            "free energy": _gap(neg_efe, other[0]),
            "policy posterior": _gap(softmax(model.gamma * neg_efe + habits), posterior[0]),
        }
        found += [
            finding("GMN905", f"step {step}: {what} differs from pymdp by {gap:.2g}", got=gap)
            for what, gap in gaps.items()
            if not gap <= scale * TOLERANCES[what]
        ]
        action = choose(engine, beliefs, rng).action
        world.act(action)
        prior = engine.predict(beliefs, action)
    return tuple(found)


def fixed_point(model: Compiled, seen: Sequence[int], prior: Sequence[Array]) -> tuple[Array, ...]:
    """q(s_f) of every factor by pymdp's schedule: all factors at once, 16 times, from uniform.

    It has no test of convergence and can swing between two states for ever.
    """
    evidence = [
        (clipped_log(a[index]), parents)
        for a, index, parents in zip(model.A, seen, model.A_dependencies, strict=True)
    ]
    beliefs = [np.full_like(p, 1 / len(p)) for p in prior]
    for _ in range(SWEEPS):
        logits = [clipped_log(p) for p in prior]
        for log_a, parents in evidence:
            for f in parents:
                logits[f] += message(log_a, parents, f, beliefs)
        beliefs = [softmax(x) for x in logits]
    return tuple(beliefs)


def _gap(ours: Any, theirs: Any) -> float:
    return float(np.abs(np.asarray(ours) - np.asarray(theirs)).max())
