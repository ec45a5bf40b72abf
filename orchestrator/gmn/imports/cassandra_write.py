"""Documents as ``.POMDP`` files, for the solvers that read Cassandra's format."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING

import numpy as np

from orchestrator.gmn.compile import compile_spec
from orchestrator.gmn.imports.cassandra_text import PREAMBLE, TABLES
from orchestrator.gmn.imports.joint import JointModel, joint_of, labels_of
from orchestrator.types.errors import GMNError
from orchestrator.types.pattern import pattern

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from orchestrator.gmn.compile import Compiled
    from orchestrator.gmn.model import GMNSpec

    Array = NDArray[np.float64]

_NAME = pattern(r"[A-Za-z][A-Za-z0-9_-]*+")
_WORDS = {*PREAMBLE, *TABLES, "uniform", "identity", "reset", "include", "exclude", "reward",
          "cost"}  # fmt: skip
_MOST = 100_000  # rewards on what one step begins, does, ends in and shows together


def write(spec: GMNSpec) -> str:
    """A ``.POMDP`` file of the same model; several factors become one joint state.

    Reading it gives the same tables where a document has one state factor (or one beside the
    action done last), one action and one observation. The format has no place for the horizon, the
    precision, the selection and what is observed before the first action: these are left out.

    Raises: GMNError: the document does not compile, or says what the format cannot: learning,
        habits, questions to a language model, labels that are not names there.
    """
    model = compile_spec(spec)
    unsaid = {
        "learning": bool(model.learned),
        "habits": bool(np.ptp(model.E) > 0),
        "questions to a language model": bool(spec.queries),
    }
    if any(unsaid.values()):
        words = ", ".join(what for what, is_said in unsaid.items() if is_said)
        raise GMNError(f"a .POMDP file cannot say {words}; leave it out of what is exported")
    last = _last_action(model)
    joint = _by_action(model, last) if last is not None else joint_of(model)
    kept = 1 - last if last is not None else 0
    names = {"name": spec.name}
    if len(joint.states) in (0, model.states[kept].n) and len(model.actions) == 1:
        names |= {"state": model.states[kept].name, "action": model.actions[0].name}
        names |= {"observation": model.observations[0].name}
    if last is not None:
        names["last"] = model.states[last].name
    lines = [f"# gmn {json.dumps(names)}", f"discount: {_number(model.discount)}", "values: reward"]
    for key, labels, size in (
        ("states", joint.states, len(joint.start)),
        ("actions", joint.actions, len(joint.moved)),
        ("observations", joint.observations, joint.sees.shape[2]),
    ):
        lines.append(f"{key}: {' '.join(map(_checked, labels)) if labels else size}")
    is_uniform = (joint.start == 1 / len(joint.start)).all()
    lines.append(f"start: {'uniform' if is_uniform else _row(joint.start)}")
    lines += _tables("T", joint.actions, joint.moved)
    lines += _tables("O", joint.actions, joint.sees)
    lines += _rewards(joint)
    return "\n".join(lines) + "\n"


def _checked(label: str) -> str:
    if _NAME.fullmatch(label) is None or label in _WORDS:
        raise GMNError(
            f"{label!r} is not a name in a .POMDP file, which takes letters, digits, _ and -, a"
            " letter first, and none of its own words; rename the label"
        )
    return label


def _number(value: float) -> str:
    """The shortest digits that read back equal, with a digit on both sides of the point."""
    return s if "e" not in (s := repr(value)) else np.format_float_positional(value, trim="0")


def _row(values: Array) -> str:
    return " ".join(map(_number, values.tolist()))


def _called(labels: Sequence[str], at: int) -> str:
    return labels[at] if labels else str(at)


def _tables(key: str, actions: Sequence[str], tables: Array) -> Iterator[str]:
    """T or O of every action; of all at once where they are the same."""
    is_one = len(tables) == 1 or bool((tables == tables[:1]).all())
    for k, table in enumerate(tables[:1] if is_one else tables):
        yield f"{key}: {'*' if is_one else _called(actions, k)}"
        n, width = table.shape
        if key == "T" and np.array_equal(table, np.eye(n)):
            yield "identity"
        elif width > 1 and (table == 1 / width).all():
            yield "uniform"
        else:
            yield from map(_row, table)


def _rewards(joint: JointModel) -> Iterator[str]:
    """One line for each reward other than 0, on as little as it depends on."""
    u, n, o = len(joint.moved), len(joint.start), joint.sees.shape[2]
    by_next, by_seen = bool(joint.entered.any()), bool(joint.observed.any())
    by_state = bool((joint.done != joint.done[:, :1]).any())
    by_state = by_state or (bool(joint.ends.any()) and (by_next or by_seen))
    by_action = bool((joint.done != joint.done[:1]).any())
    sizes = (u if by_action else 1, n if by_state else 1, n if by_next else 1, o if by_seen else 1)
    if math.prod(sizes) > _MOST:
        raise GMNError(
            f"utilities of actions, of states and of observations together would be"
            f" {math.prod(sizes)} rewards, more than {_MOST}; prefer one of these"
        )
    parts = (joint.done[:, :, None, None], joint.entered[:, None], joint.observed)
    table = np.zeros(sizes)
    for part in parts:
        table = table + part[tuple(slice(size) for size in sizes[4 - part.ndim :])]
    if by_state:
        table[:, joint.ends] = 0.0
    labels = (joint.actions, joint.states, joint.states, joint.observations)
    for at in np.argwhere(table).tolist():
        words = [
            _called(names, i) if size > 1 else "*"
            for names, i, size in zip(labels, at, sizes, strict=True)
        ]
        yield f"R: {' : '.join(words)} {_number(float(table[tuple(at)]))}"


def _last_action(model: Compiled) -> int | None:
    """The state factor that is the action done last and only decides what is observed.

    At its first value, where it begins, every observation is as likely.
    """
    if (len(model.states), len(model.actions), len(model.observations)) != (2, 1, 1):
        return None
    (action,), seen = model.actions, model.observations[0].n
    for f, state in enumerate(model.states):
        other = 1 - f
        if state.n != action.n + 1 or state.names[1:] != action.names:
            continue
        moves = np.zeros((state.n, state.n, action.n))
        moves[np.arange(1, state.n), :, np.arange(action.n)] = 1.0
        if (
            model.B_dependencies[f] == (f,)
            and np.array_equal(model.B[f], moves)
            and model.D[f][0] == 1
            and model.B_dependencies[other] == (other,)
            and model.A_dependencies[0] == (0, 1)
            and (np.take(model.A[0], 0, axis=1 + f) == 1 / seen).all()
            and not model.V[f].any()
            and all(f not in one.states for one in model.action_utilities)
            and not any(ends.any() for ends in model.terminal)
        ):
            return f
    return None


def _by_action(model: Compiled, last: int) -> JointModel:
    """The model without that factor: what is observed depends on the action instead."""
    other = 1 - last
    n, u = model.states[other].n, model.actions[0].n
    moved = model.B[other]
    if not model.B_action_dependencies[other]:
        moved = np.repeat(moved[:, :, None], u, axis=2)
    done = np.zeros((u, n))
    for one in model.action_utilities:
        table = one.table if one.actions else np.repeat(one.table[..., None], u, axis=-1)
        done += (table if one.states else table[None]).T
    sees = np.moveaxis(model.A[0], 1 + last, 0)[1:].transpose(0, 2, 1)
    labels = [
        labels_of([v]) for v in (model.states[other], model.actions[0], model.observations[0])
    ]
    ends = np.zeros(n, dtype=bool)
    return JointModel(
        labels[0], labels[1], labels[2], model.D[other], moved.transpose(2, 1, 0), sees, done,
        model.V[other], model.C[0], ends,
    )  # fmt: skip
