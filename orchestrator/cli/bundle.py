"""A model with one episode of it: made by `export --to bundle`, compared by `simulate`."""

from __future__ import annotations

import json
import math
import platform
from typing import TYPE_CHECKING, Any, NamedTuple

from orchestrator import __version__
from orchestrator.gmn.imports.bundle import VERSION
from orchestrator.gmn.limits import DEFAULT_LIMITS
from orchestrator.parsing.json_reader import read_json
from orchestrator.types.errors import GMNError
from orchestrator.types.visible import json_text

if TYPE_CHECKING:
    from orchestrator.gmn.acting.episode import Run
    from orchestrator.gmn.model import GMNSpec

_STEPS, _SEED = 20, 0
_KEPT = ("observation", "state", "action", "utility", "posterior")
#: Sums of another numpy may differ by so much.
_TOLERANCE = 1e-9


class _Asked(NamedTuple):
    """The episode that is asked for, and the one to compare with, if a bundle is read."""

    steps: int
    seed: int
    trace: list[Any] | None = None


def asked(source: bytes, spelling: str, steps: int | None, seed: int | None) -> _Asked:
    """Steps and seed as given, else those of a bundle, whose trace is then compared."""
    kept: Any = read_json(source.decode("utf-8-sig")).value if spelling == "bundle" else {}
    own = [
        said if type(said := kept.get(key)) is int and said >= least else usual
        for key, least, usual in (("steps", 1, _STEPS), ("seed", 0, _SEED))
    ]
    made = _Asked(own[0] if steps is None else steps, own[1] if seed is None else seed)
    trace = kept.get("trace")
    is_own = [made.steps, made.seed] == own and isinstance(trace, list)
    return made._replace(trace=trace) if is_own else made


def bundled(spec: GMNSpec, episode: Run, steps: int) -> str:
    """The file as text.

    Raises: GMNError: it would be larger than what is read.
    """
    from numpy import __version__ as numpy_version  # noqa: PLC0415  loaded by the episode

    text = json_text(
        {
            "bundle": VERSION,
            "model": spec.model_dump(mode="json", exclude_defaults=True),
            "seed": episode.seed,
            "steps": steps,
            "engine": {
                "orchestrator": __version__,
                "numpy": numpy_version,
                "python": platform.python_version(),
            },
            "trace": _trace(episode),
        }
    )
    if len(text.encode()) > DEFAULT_LIMITS.document_bytes:
        raise GMNError(
            f"the bundle has {len(text):,} characters, more than {DEFAULT_LIMITS.document_bytes:,}"
            " bytes are read again; lower --steps"
        )
    return text + "\n"


def _trace(episode: Run) -> list[dict[str, Any]]:
    steps: Any = episode.as_dict()["steps"]
    return [{key: step[key] for key in _KEPT if key in step} for step in steps]


def difference(episode: Run, trace: list[Any]) -> str:
    """Where an episode first differs from a trace; empty where it is the same."""
    now: Any = json.loads(json.dumps(_trace(episode)))
    for count, (ours, theirs) in enumerate(zip(now, trace, strict=False), 1):
        for key in ours:
            if not isinstance(theirs, dict) or not _is_near(ours[key], theirs.get(key)):
                return f"step {count}: {key}"
    return "" if len(now) == len(trace) else f"{len(now)} steps in place of {len(trace)}"


def _is_near(one: Any, other: Any) -> bool:
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_is_near(one[k], other[k]) for k in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_is_near, one, other))
    if isinstance(one, float) and isinstance(other, int | float):
        return math.isclose(one, other, rel_tol=_TOLERANCE, abs_tol=_TOLERANCE)
    return bool(one == other)
