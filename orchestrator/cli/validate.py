"""`orchestrator validate FILE… | -`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from orchestrator.cli.files import read_source
from orchestrator.cli.output import (
    GOOD,
    INVALID,
    USAGE,
    UsageError,
    diagnostic_lines,
    echo_json,
    echo_lines,
    echo_stderr,
)
from orchestrator.gmn.validate import validate

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from orchestrator.types.diagnostics import Report


def run(arguments: argparse.Namespace) -> int:
    """Print the diagnostics of every file; exit 1 when one is not valid, 2 when one cannot be
    read."""
    repair = "none" if arguments.no_repair else "safe"
    reports: list[dict[str, Any]] = []
    code = GOOD
    for name in arguments.files:
        try:
            data = read_source(name)
        except UsageError as error:
            code = USAGE
            reports.append({"file": name, "valid": False, "error": str(error)})
            echo_stderr(f"orchestrator: {error}", "red")
            continue
        verdict = validate(data, repair=repair)  # type: ignore[arg-type]  # a literal
        code = code if verdict.report.is_valid else max(code, INVALID)
        reports.append({"file": name, **verdict.report.as_dict(), "spelling": verdict.spelling})
        if not arguments.json:
            echo_lines(_lines(name, verdict.report, verbose=arguments.verbose))
    if arguments.json:
        echo_json(reports)
    return code


def _lines(name: str, report: Report, *, verbose: bool) -> Iterator[str]:
    yield from diagnostic_lines(name, report, sys.stdout, verbose=verbose)
    shown = "<stdin>" if name == "-" else name
    if report.is_valid:
        yield f"{shown}: valid, runs" if report.runs else f"{shown}: valid"
    else:
        n = len(report.errors)
        yield f"{shown}: not valid, {n} error{'s' if n != 1 else ''}"
