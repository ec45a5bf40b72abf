"""`orchestrator validate FILE… | -`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from orchestrator.cli.output import GOOD, INVALID, diagnostic_line, read_source, say, say_json
from orchestrator.gmn.validate import Validation, validate
from orchestrator.types.diagnostics import Severity

if TYPE_CHECKING:
    import argparse


def run(arguments: argparse.Namespace) -> int:
    """Check every file; the diagnostics are the result."""
    repair = "none" if arguments.no_repair else "safe"
    verdicts = [
        (name, validate(read_source(name), repair=repair))  # type: ignore[arg-type]  # a literal
        for name in arguments.files
    ]
    if arguments.json:
        say_json(
            [{"file": name, **v.report.as_dict(), "spelling": v.spelling} for name, v in verdicts]
        )
    else:
        for name, verdict in verdicts:
            _print(name, verdict, verbose=arguments.verbose)
    return GOOD if all(v.report.is_valid for _, v in verdicts) else INVALID


def _print(name: str, verdict: Validation, *, verbose: bool) -> None:
    report = verdict.report
    for diagnostic in report.repairs:
        if verbose or diagnostic.severity is not Severity.INFO:
            say(f"{diagnostic_line(name, diagnostic, sys.stdout)} [repaired]")
    for diagnostic in report.diagnostics:
        if verbose or diagnostic.severity is not Severity.INFO:
            say(diagnostic_line(name, diagnostic, sys.stdout))
    shown = "<stdin>" if name == "-" else name
    if report.is_valid:
        say(f"{shown}: valid, runs" if report.runs else f"{shown}: valid")
    else:
        n = len(report.errors)
        say(f"{shown}: not valid, {n} error{'s' if n != 1 else ''}")
