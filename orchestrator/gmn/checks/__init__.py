"""The checks: functions with codes, one file per family of codes.

Importing a family registers its checks; the order of the imports is the order in which they run.
"""

from __future__ import annotations

from orchestrator.gmn.checks import (
    bounds,
    course,
    payoff,
    preference,
    probability,
    quality,
    queries,
    shape,
    structure,
)  # isort: skip
from orchestrator.gmn.checks.bounds import CONSTRAINTS, known_constraints
from orchestrator.gmn.checks.registry import Subject, check, is_too_large, run_checks

__all__ = [
    "CONSTRAINTS",
    "Subject",
    "bounds",
    "check",
    "course",
    "is_too_large",
    "known_constraints",
    "payoff",
    "preference",
    "probability",
    "quality",
    "queries",
    "run_checks",
    "shape",
    "structure",
]
