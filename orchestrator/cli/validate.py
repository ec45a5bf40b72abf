"""`orchestrator validate FILE… | -`."""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from orchestrator.cli.annotations import github_lines, sarif
from orchestrator.cli.documents import read_as
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

    from orchestrator.gmn.validate import RepairMode, Validation
    from orchestrator.types.diagnostics import Report


def run(arguments: argparse.Namespace) -> int:
    """Print the diagnostics of every file; exit 1 when one is not valid, 2 when one cannot be
    read."""
    repair: RepairMode = "none" if arguments.no_repair else "safe"
    reports: list[dict[str, Any]] = []
    judged: dict[str, Report] = {}
    code = GOOD
    for name in arguments.files:
        try:
            data = read_source(name)
        except UsageError as error:
            code = USAGE
            reports.append({"file": name, "valid": False, "error": str(error)})
            echo_stderr(f"orchestrator: {error}", "red")
            continue
        verdict = _held_against(
            arguments.request, validate(data, repair=repair, kind=arguments.kind)
        )
        code = code if verdict.report.is_valid else max(code, INVALID)
        reports.append({"file": name, **verdict.report.as_dict(), "spelling": verdict.spelling})
        judged[name] = verdict.report
        if arguments.report == "github":
            echo_lines(github_lines(name, verdict.report))
        elif not arguments.json and not arguments.report:
            echo_lines(_lines(name, verdict, verbose=arguments.verbose))
    if arguments.report == "sarif":
        echo_json(sarif(judged))
    elif arguments.json and not arguments.report:
        echo_json(reports)
    return code


def _held_against(request: str | None, verdict: Validation) -> Validation:
    if not request or verdict.spec is None or verdict.compiled is None:
        return verdict
    # Others do not pay for the readers of sentences.
    from orchestrator.gmn.request.fits import with_fits  # noqa: PLC0415

    report = with_fits(verdict.report, request, verdict.spec, verdict.compiled)
    return replace(verdict, report=report)


def _lines(name: str, verdict: Validation, *, verbose: bool) -> Iterator[str]:
    report = verdict.report
    yield from diagnostic_lines(name, report, sys.stdout, verbose=verbose)
    shown = "<stdin>" if name == "-" else name
    fits = f"fits {report.fits}" if report.fits else ""
    said = ", ".join(filter(None, ("valid", "runs" if report.runs else "", fits, read_as(verdict))))
    if not report.is_valid:
        n = len(report.errors)
        said = f"not valid, {n} error{'s' if n != 1 else ''}"
    yield f"{shown}: {said}"
