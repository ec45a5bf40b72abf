"""The checks: each a function with a code, each in the file of its family."""

from __future__ import annotations

from orchestrator.gmn.checks.registry import Subject, check, run_checks

__all__ = ["Subject", "check", "run_checks"]
