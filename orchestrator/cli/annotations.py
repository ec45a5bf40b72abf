"""Findings as other programs take them: GitHub's annotations, and SARIF 2.1.0."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from orchestrator import __version__
from orchestrator.gmn.codes import CATALOGUE
from orchestrator.types.diagnostics import Severity
from orchestrator.types.visible import visible

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from orchestrator.types.diagnostics import Diagnostic, Report

_GITHUB = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.INFO: "notice"}
_SARIF = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.INFO: "note"}
_SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"


def github_lines(name: str, report: Report) -> Iterator[str]:
    """One workflow command for each finding and each repair; no text in it ends one early."""
    for one, severity in _found(report):
        where = {"file": name, "title": one.code}
        if one.place is not None:
            where |= {"line": str(one.place.line), "col": str(one.place.column)}
        properties = ",".join(f"{key}={_escaped(value, ':,')}" for key, value in where.items())
        yield f"::{_GITHUB[severity]} {properties}::{_escaped(visible(one.message), '')}"


def _found(report: Report) -> Iterator[tuple[Diagnostic, Severity]]:
    """What was found and how much it weighs; what is repaired is worth a note."""
    yield from ((one, Severity.INFO) for one in report.repairs)
    yield from ((one, one.severity) for one in report.diagnostics)


def _escaped(text: str, more: str) -> str:
    for sign in f"%\r\n{more}":
        text = text.replace(sign, f"%{ord(sign):02X}")
    return text


def sarif(reports: Mapping[str, Report]) -> dict[str, Any]:
    """A log with one run, its rules those of the codes that were found."""
    found = [(name, *one) for name, report in reports.items() for one in _found(report)]
    codes = sorted({one.code for _, one, _ in found})
    driver = {
        "name": "orchestrator",
        "version": __version__,
        "rules": [
            {"id": code, "shortDescription": {"text": CATALOGUE[code].title}} for code in codes
        ],
    }
    results = [
        {"ruleIndex": codes.index(one.code), "level": _SARIF[severity], **_result(name, one)}
        for name, one, severity in found
    ]
    return {
        "$schema": _SCHEMA,
        "version": "2.1.0",
        "runs": [{"tool": {"driver": driver}, "results": results}],
    }


def _result(name: str, one: Diagnostic) -> dict[str, Any]:
    place: dict[str, Any] = {"artifactLocation": {"uri": quote(name)}}
    if one.place is not None:
        place["region"] = {"startLine": one.place.line, "startColumn": one.place.column}
    return {
        "ruleId": one.code,
        "message": {"text": visible(one.message)},
        "locations": [{"physicalLocation": place}],
    }
