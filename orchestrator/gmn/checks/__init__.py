"""The checks: each a function with a code, each in the file of its family.

Importing a family declares its checks; the order here is the order in which they run.
"""

from __future__ import annotations

from orchestrator.gmn.checks import (
    bounds,
    preference,
    probability,
    quality,
    queries,
    shape,
    structure,
)  # isort: skip
from orchestrator.gmn.checks.bounds import CONSTRAINTS, known_constraints
from orchestrator.gmn.checks.registry import Subject, check, run_checks

__all__ = [
    "CONSTRAINTS",
    "Subject",
    "bounds",
    "check",
    "known_constraints",
    "preference",
    "probability",
    "quality",
    "queries",
    "run_checks",
    "shape",
    "structure",
]
