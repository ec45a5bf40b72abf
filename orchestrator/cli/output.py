"""What is printed: results on stdout, progress and complaints on stderr, colour on terminals."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from orchestrator.types.diagnostics import Severity
from orchestrator.types.errors import OrchestratorError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from orchestrator.types.diagnostics import Diagnostic, Report

GOOD, INVALID, USAGE, PROVIDER, INTERRUPTED = 0, 1, 2, 3, 130

_COLOURS = {"red": 31, "green": 32, "yellow": 33, "blue": 34, "dim": 2, "bold": 1}
_OF_SEVERITY = {Severity.ERROR: "red", Severity.WARNING: "yellow", Severity.INFO: "blue"}


class UsageError(OrchestratorError):
    """The command line asks for something that cannot be; exit code 2."""


def painted(text: str, colour: str, stream: TextIO) -> str:
    """The text in colour where a person looks at a terminal and did not ask for none."""
    if not stream.isatty() or os.environ.get("NO_COLOR"):
        return text
    return f"\033[{_COLOURS[colour]}m{text}\033[0m"


def say(text: str = "") -> None:
    """A line of the result."""
    print(text, flush=True)


def say_json(value: object) -> None:
    """The result for programs."""
    say(json.dumps(value, indent=2, ensure_ascii=False))


def tell(text: str, colour: str = "") -> None:
    """A line about what is going on; never part of the result."""
    print(painted(text, colour, sys.stderr) if colour else text, file=sys.stderr, flush=True)


def read_source(name: str) -> bytes:
    """The bytes of a file, or of standard input for ``-``.

    Raises: UsageError: the file cannot be read.
    """
    if name == "-":
        return sys.stdin.buffer.read()
    try:
        return Path(name).read_bytes()
    except OSError as error:
        raise UsageError(
            f"{name}: {error.strerror or error}. Name a file, or - for stdin."
        ) from None


def write_result(text: str, path: str | None) -> None:
    """The result to a file, or to stdout.

    Raises: UsageError: the file cannot be written.
    """
    if path is None or path == "-":
        print(text, end="" if text.endswith("\n") else "\n", flush=True)
        return
    try:
        Path(path).write_text(text, encoding="utf-8")
    except OSError as error:
        raise UsageError(
            f"{path}: {error.strerror or error}. Name a file that can be written."
        ) from None


def diagnostic_line(name: str, diagnostic: Diagnostic, stream: TextIO) -> str:
    """``file:line:col: GMN201 error: …``, which editors jump to."""
    shown = "<stdin>" if name == "-" else name
    place = diagnostic.place
    where = f"{shown}:{place.line}:{place.column}" if place else shown
    severity = painted(str(diagnostic.severity), _OF_SEVERITY[diagnostic.severity], stream)
    return f"{where}: {diagnostic.code} {severity}: {diagnostic.message}"


def tell_report(name: str, report: Report, *, verbose: bool = False) -> None:
    """Findings, and the repairs that were made, on stderr; infos only when asked for."""
    for diagnostic in report.repairs:
        if verbose or diagnostic.severity is not Severity.INFO:
            tell(f"{diagnostic_line(name, diagnostic, sys.stderr)} [repaired]")
    for diagnostic in report.diagnostics:
        if verbose or diagnostic.severity is not Severity.INFO:
            tell(diagnostic_line(name, diagnostic, sys.stderr))
    for line in report.behaviour:
        tell(f"expectation {line}")


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """Lines of a table whose columns are as wide as they must be."""
    cells = [list(header), *(list(row) for row in rows)]
    widths = [max(len(row[i]) for row in cells) for i in range(len(header))]
    lines = [
        "  ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)).rstrip() for row in cells
    ]
    return [lines[0], "  ".join("-" * w for w in widths), *lines[1:]]
