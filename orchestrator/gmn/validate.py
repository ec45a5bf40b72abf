"""One document in, the verdict out: read, type, check, repair, compile, run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from orchestrator.gmn.limits import DEFAULT_LIMITS, Limits

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from orchestrator.diagnostics import Report
    from orchestrator.gmn.compile import Compiled
    from orchestrator.gmn.expectations import Expectation
    from orchestrator.gmn.model import GMNSpec

#: Which repairs are applied: none, the safe ones, or also those that are only suggested.
RepairMode = Literal["none", "safe", "suggest"]


@dataclass(frozen=True, slots=True)
class Validation:
    """The verdict on one document.

    Attributes:
        spec: the document after repair, None when it could not be typed.
        report: findings left, repairs made, and whether it runs and behaves.
        compiled: its arrays, None unless it is valid.
        spelling: the format it was read from.
    """

    spec: GMNSpec | None
    report: Report
    compiled: Compiled | None = None
    spelling: str = "text"


def validate(
    source: str | bytes | Mapping[str, object] | GMNSpec,
    *,
    limits: Limits = DEFAULT_LIMITS,
    repair: RepairMode = "safe",
    constraints: Mapping[str, int] | None = None,
    expectations: Sequence[Expectation] = (),
    episodes: int = 40,
    run_steps: int = 3,
) -> Validation:
    """Judge a document; any bytes at all give a Validation, never a traceback.

    Args:
        repair: which repairs are applied before the verdict.
        constraints: extra bounds of the request: ``max_states`` and ``max_observations`` (joint
            values), ``max_actions`` (joint actions), ``max_factors``, ``max_horizon``,
            ``max_policies``.
        expectations: behaviour to simulate; failures are findings (906).
        episodes: episodes per expectation.
        run_steps: steps simulated to show that it runs; 0 skips that.
    """
    raise NotImplementedError
