"""`orchestrator validate FILE… | -`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from orchestrator.cli.output import GOOD, INVALID, diagnostic_lines, echo_result, read_source
from orchestrator.gmn.validate import validate

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from orchestrator.types.diagnostics import Report


def run(arguments: argparse.Namespace) -> int:
    """Print the diagnostics of every file; exit 1 when one of them is not valid."""
    repair = "none" if arguments.no_repair else "safe"
    verdicts = [
        (name, validate(read_source(name), repair=repair))  # type: ignore[arg-type]  # a literal
        for name in arguments.files
    ]
    reports = [{"file": name, **v.report.as_dict(), "spelling": v.spelling} for name, v in verdicts]
    lines = (
        line
        for name, verdict in verdicts
        for line in _lines(name, verdict.report, verbose=arguments.verbose)
    )
    echo_result(arguments, reports, lines)
    return GOOD if all(v.report.is_valid for _, v in verdicts) else INVALID


def _lines(name: str, report: Report, *, verbose: bool) -> Iterator[str]:
    yield from diagnostic_lines(name, report, sys.stdout, verbose=verbose)
    shown = "<stdin>" if name == "-" else name
    if report.is_valid:
        yield f"{shown}: valid, runs" if report.runs else f"{shown}: valid"
    else:
        n = len(report.errors)
        yield f"{shown}: not valid, {n} error{'s' if n != 1 else ''}"
