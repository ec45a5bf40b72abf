"""Documents as GNN files: B as (next, previous, action), which the file says itself."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np

from orchestrator.gmn.compile import compile_spec
from orchestrator.types.errors import GMNError
from orchestrator.types.visible import visible

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from orchestrator.gmn.compile import Compiled
    from orchestrator.gmn.model import GMNSpec

    Array = NDArray[np.float64]

_TERMS = {"A": "LikelihoodMatrix", "B": "TransitionMatrix", "C": "LogPreferenceVector",
          "D": "PriorOverHiddenStates", "E": "Habit", "s": "HiddenState", "o": "Observation",
          "u": "Action"}  # fmt: skip


def write(spec: GMNSpec) -> str:
    """A GNN file of the same model; reading it gives the same arrays, names and policy.

    Raises: GMNError: the document does not compile, or says what GNN cannot: utilities of states
        and actions, terminal labels, questions to a language model, learning a row that a table
        repeats.
    """
    model = compile_spec(spec)
    unsaid = {
        "utilities of states": model.has_state_utility,
        "utilities of actions": bool(model.action_utilities),
        "terminal labels": any(bool(ends.any()) for ends in model.terminal),
        "questions to a language model": bool(spec.queries),
        "learning of a row that is repeated for all values of a state": any(
            one.is_repeated for one in model.learned
        ),
    }
    if any(unsaid.values()):
        words = ", ".join(what for what, is_said in unsaid.items() if is_said)
        raise GMNError(f"a GNN file cannot say {words}; leave it out of what is exported")
    names = _Names(model, is_passive=not spec.actions)
    values = {**dict(_tables(model, names)), **_habits(spec, names)}
    settings = dict(_settings(spec, model, names))
    name, about = _one_line(spec.name), _prose(spec.description)
    settings |= {} if name == spec.name else {"model_name": _json(spec.name)}
    settings |= {} if about == spec.description else {"description": _json(spec.description)}
    sections = {
        "GNNSection": ["ActInfPOMDP"],
        "GNNVersionAndFlags": ["GNN v1"],
        "ModelName": [name],
        "ModelAnnotation": [about],
        "StateSpaceBlock": _space(model, names, values),
        "Connections": _links(model, names),
        "InitialParameterization": [_value(key, array) for key, array in values.items()],
        "Time": ["Dynamic", "Discrete", "ModelTimeHorizon=Unbounded"],
        "ActInfOntologyAnnotation": [
            f"{key}={_TERMS[key[0]]}" for key in (*values, *names.every()) if key[0] in _TERMS
        ],
        "ModelParameters": [f"{key}: {value}" for key, value in settings.items()],
        "Footer": [name],
    }
    return "\n".join(f"## {head}\n" + "\n".join(body) + "\n" for head, body in sections.items())


class _Names:
    """Names as GNN has them: bare where there is one of each, else numbered."""

    def __init__(self, model: Compiled, *, is_passive: bool) -> None:
        counts = [len(model.states), len(model.observations), len(model.actions)]
        is_bare = max(counts) == 1
        self.s = ["s"] if is_bare else [f"s_f{i}" for i in range(counts[0])]
        self.o = ["o"] if is_bare else [f"o_m{i}" for i in range(counts[1])]
        self.u = ["u"] if is_bare else [f"u_c{i}" for i in range(counts[2])]
        self.u = [] if is_passive else self.u

    def every(self) -> list[str]:
        return [*self.s, *self.o, *self.u]


def _tables(model: Compiled, names: _Names) -> Iterator[tuple[str, Array]]:
    for kind, arrays, owners in (
        ("A", model.A, names.o),
        ("B", model.B, names.s),
        ("C", model.C, names.o),
        ("D", model.D, names.s),
    ):
        for owner, array in zip(owners, arrays, strict=True):
            if kind != "C" or array.any():
                yield kind + owner[1:], array
    owned = {"A": names.o, "B": names.s, "D": names.s}
    for one in model.learned:
        array = getattr(model, one.kind)[one.index] * one.concentration
        yield f"dirichlet_{one.kind}{owned[one.kind][one.index][1:]}", array
    yield "gamma", np.array([model.gamma])


def _habits(spec: GMNSpec, names: _Names) -> dict[str, Array]:
    """The weights of each action, several habits of one multiplied."""
    found: dict[str, Array] = {}
    for name, action in zip(names.u, spec.actions, strict=True):
        weights = [
            np.array(h.weights) / sum(h.weights) for h in spec.habits if h.action == action.name
        ]
        if weights:
            product = np.prod(weights, axis=0)
            found["E" + name[1:]] = product / product.sum()
    return found


def _settings(spec: GMNSpec, model: Compiled, names: _Names) -> Iterator[tuple[str, str]]:
    yield "b_tensor_order", "next_state_previous_state_action"
    if names.s == ["s"]:
        yield "num_hidden_states", str(model.states[0].n)
        yield "num_obs", str(model.observations[0].n)
        yield "num_actions", str(model.actions[0].n)
    if spec.actions and len(spec.actions) == 1:
        yield "action_labels", _json(list(model.actions[0].names))
    variables = (*model.states, *model.observations, *model.actions)
    for name, variable in zip(names.every(), variables, strict=False):
        yield f"{name}_name", variable.name
        yield f"{name}_labels", _json(list(variable.names))
    policy = spec.policy
    yield "planning_horizon", str(policy.horizon)
    yield "discount", repr(policy.discount)
    yield "info_gain", str(policy.info_gain).lower()
    yield "action_selection", policy.selection
    yield "inference", policy.inference
    yield "agent_type", _json(spec.agent_type)
    if spec.metadata:
        yield "metadata", _json([entry.model_dump() for entry in spec.metadata])


def _json(value: object) -> str:
    """JSON on one line, without the sign that begins a comment."""
    return json.dumps(value).replace("#", "\\u0023")


def _one_line(name: str) -> str:
    """A title that reads back equal, or what is left of a name."""
    shown = " ".join(visible(name).split()).replace("#", "")
    return shown if shown else "agent"


def _prose(text: str) -> str:
    """A description that reads back equal, or one without what would begin a section."""
    lines = [visible(line).strip() for line in text.splitlines()]
    return "\n".join(line.lstrip("#~` -") for line in lines).strip()


def _space(model: Compiled, names: _Names, values: dict[str, Array]) -> list[str]:
    sizes = [v.n for v in (*model.states, *model.observations)]
    lines = [
        f"{name}[{n},1,type={'float' if name[0] == 's' else 'int'}]"
        for name, n in zip([*names.s, *names.o], sizes, strict=True)
    ]
    lines += [f"{u}[{k.n},1,type=int]" for u, k in zip(names.u, model.actions, strict=False)]
    lines += [
        f"{key}[{','.join(map(str, array.shape))},type=float]" for key, array in values.items()
    ]
    return lines


def _links(model: Compiled, names: _Names) -> list[str]:
    lines = [f"D{s[1:]}>{s}" for s in names.s]
    for o, parents in zip(names.o, model.A_dependencies, strict=True):
        lines += [f"{_group([names.s[i] for i in parents])}>A{o[1:]}", f"A{o[1:]}>{o}"]
    for s, parents, controls in zip(
        names.s, model.B_dependencies, model.B_action_dependencies, strict=True
    ):
        before = [*(names.s[i] for i in parents), *(names.u[k] for k in controls)]
        lines.append(f"{_group(before)}>B{s[1:]}")
    return lines


def _group(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"({', '.join(names)})"


def _value(name: str, array: Array) -> str:
    """Nested parentheses, an outer axis of a table on a line of its own."""
    if array.ndim == 1:
        return f"{name}={{{_nested(array)}}}"
    return f"{name}={{\n" + ",\n".join(f"  {_nested(part)}" for part in array) + "\n}"


def _nested(array: Array) -> str:
    if array.ndim == 0:
        return np.format_float_positional(float(array), trim="0")
    return f"({', '.join(map(_nested, array))})"
