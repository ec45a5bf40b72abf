"""A model as a short Python file that needs nothing but pymdp 1.0.4."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestrator.gmn.compile import compile_spec
from orchestrator.types.errors import GMNError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from orchestrator.gmn.compile import Compiled
    from orchestrator.gmn.imports.numbers import Array
    from orchestrator.gmn.model import GMNSpec

_HEAD = """\
# Needs pymdp alone: pip install inferactively-pymdp==1.0.4
import sys

import equinox
import jax
import jax.numpy as jnp
import numpy as np
from pymdp.agent import Agent
"""
_RUN = """\
agent = Agent(
    A=[jnp.asarray(a, jnp.float32) for a in A],
    B=[jnp.asarray(b, jnp.float32) for b in B],
    C=[jnp.asarray(c, jnp.float32) for c in C],
    D=[jnp.asarray(d, jnp.float32) for d in D],
    E=jnp.asarray(E, jnp.float32),
    A_dependencies=A_DEPENDENCIES,
    B_dependencies=B_DEPENDENCIES,
    B_action_dependencies=B_ACTION_DEPENDENCIES,
    num_controls=[len(labels) for labels in ACTIONS.values()],
    sampling_mode="full",  # of controls that factors share, whole policies are compared
    **SETTINGS,
)


@equinox.filter_jit
def step(agent, seen, prior, key):
    beliefs = agent.infer_states(seen, prior)
    policies, _ = agent.infer_policies(beliefs)
    action = agent.sample_action(policies, rng_key=key)
    return beliefs, action, agent.update_empirical_prior(action, beliefs)


def world(steps, seed):
    rng, key = np.random.default_rng(seed), jax.random.PRNGKey(seed)
    draw = lambda p: int(rng.choice(len(p), p=p / p.sum()))
    state, prior = [draw(d) for d in D], agent.D
    for count in range(1, steps + 1):
        seen = [draw(a[:, *(state[f] for f in of)]) for a, of in zip(A, A_DEPENDENCIES)]
        key, now = jax.random.split(key)
        beliefs, flat, prior = step(
            agent, [jnp.array([o]) for o in seen], prior, jax.random.split(now, 1)
        )
        action = [int(u) for u in agent.decode_multi_actions(flat)[0]]
        yield count, seen, [np.asarray(q)[0, -1] for q in beliefs], action
        state = [
            draw(b[:, *(state[f] for f in of), *(action[u] for u in by)])
            for b, of, by in zip(B, B_DEPENDENCIES, B_ACTION_DEPENDENCIES)
        ]


def said(variables, values):
    return ", ".join(f"{n}={labels[v]}" for (n, labels), v in zip(variables.items(), values))


if __name__ == "__main__":
    for count, seen, beliefs, action in world(int(sys.argv[1]) if sys.argv[1:] else 10, seed=0):
        likely = said(STATES, [int(q.argmax()) for q in beliefs])
        print(f"{count}: sees {said(OBSERVATIONS, seen)}; believes {likely}; "
              f"does {said(ACTIONS, action)}")
"""


def require_pymdp(model: Compiled) -> None:
    """Raises: GMNError: the model says what no argument of pymdp's agent can."""
    if model.beyond_pymdp:
        raise GMNError(
            f"pymdp cannot express {' or '.join(model.beyond_pymdp)}; prefer observations, and"
            " leave out what it cannot say"
        )


def write(spec: GMNSpec) -> str:
    """The file as text; run, it lets the agent act for ten steps in its own world.

    Raises: GMNError: the document does not compile, or says what pymdp cannot express.
    """
    model = compile_spec(spec)
    require_pymdp(model)
    settings = {
        "policy_len": model.horizon,
        "gamma": float(model.gamma),
        "use_states_info_gain": model.info_gain,
        "action_selection": model.selection,
    }
    named = {"STATES": model.states, "OBSERVATIONS": model.observations, "ACTIONS": model.actions}
    dependencies = {
        "A_DEPENDENCIES": model.A_dependencies,
        "B_DEPENDENCIES": model.B_dependencies,
        "B_ACTION_DEPENDENCIES": model.B_action_dependencies,
    }
    lines = [_HEAD, f"NAME = {spec.name!a}"]
    for key, variables in named.items():
        lines.append(f"{key} = { {v.name: [*v.names] for v in variables}!a}")
    for key, tables in (("A", model.A), ("B", model.B), ("C", model.C), ("D", model.D)):
        lines += [f"{key} = [", *(line for table in tables for line in _array(table)), "]"]
    lines.append(f"E = {model.E.tolist()!r}")
    lines += [f"{key} = {[[*of] for of in each]!r}" for key, each in dependencies.items()]
    lines.append(f"SETTINGS = {settings!r}")
    return "\n".join([*lines, "", _RUN])


def _array(table: Array) -> Iterator[str]:
    """One line for each part of the first axis; floats as they are, to the last digit."""
    yield "    np.array(["
    yield from (f"        {part!r}," for part in table.tolist())
    yield "    ]),"
