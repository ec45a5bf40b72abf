"""The checks: functions with codes, one file per family of codes.

Importing a family registers its checks; the order of the imports is the order in which they run.
"""

from __future__ import annotations

# isort: off
from orchestrator.gmn.checks import (
    quality,
    behaviour,
    bounds,
    course,
    payoff,
    preference,
    probability,
    queries,
    shape,
    structure,
    labels,
)

# isort: on
from orchestrator.gmn.checks.bounds import CONSTRAINTS, known_constraints
from orchestrator.gmn.checks.registry import Subject, check, is_too_large, run_checks

__all__ = [
    "CONSTRAINTS",
    "Subject",
    "behaviour",
    "bounds",
    "check",
    "course",
    "is_too_large",
    "known_constraints",
    "labels",
    "payoff",
    "preference",
    "probability",
    "quality",
    "queries",
    "run_checks",
    "shape",
    "structure",
]
