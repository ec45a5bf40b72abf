"""What is printed: results on stdout, progress and errors on stderr, colour on terminals."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from orchestrator.types.diagnostics import Severity
from orchestrator.types.errors import OrchestratorError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable, Iterator, Sequence

    from orchestrator.types.diagnostics import Diagnostic, Report

GOOD, INVALID, USAGE, PROVIDER, INTERRUPTED = 0, 1, 2, 3, 130

_COLOURS = {"red": 31, "green": 32, "yellow": 33, "blue": 34, "dim": 2, "bold": 1}
_OF_SEVERITY = {Severity.ERROR: "red", Severity.WARNING: "yellow", Severity.INFO: "blue"}


class UsageError(OrchestratorError):
    """The arguments are wrong, or a file that they name; exit code 2."""


def painted(text: str, colour: str, stream: TextIO) -> str:
    """The text in `colour` if `stream` is a terminal and NO_COLOR is not set."""
    if not stream.isatty() or os.environ.get("NO_COLOR"):
        return text
    return f"\033[{_COLOURS[colour]}m{text}\033[0m"


def echo(text: str = "") -> None:
    """Print one line of the result on stdout."""
    print(text, flush=True)


def echo_lines(lines: Iterable[str]) -> None:
    """Print several lines of the result on stdout."""
    for line in lines:
        echo(line)


def echo_json(value: object) -> None:
    """Print the result on stdout as indented JSON."""
    echo(json.dumps(value, indent=2, ensure_ascii=False))


def echo_result(arguments: argparse.Namespace, value: object, lines: Iterable[str]) -> None:
    """Print `value` as JSON with ``--json``, else `lines`."""
    if arguments.json:
        echo_json(value)
    else:
        echo_lines(lines)


def echo_stderr(text: str, colour: str = "") -> None:
    """Print a line of progress, or an error, on stderr."""
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


def read_text(name: str) -> str:
    """The text of a file, or of standard input for ``-``.

    Raises: UsageError: it cannot be read, or is not UTF-8.
    """
    data = read_source(name)
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        shown = "standard input" if name == "-" else name
        words = f"{shown} is not UTF-8: byte {data[error.start]:#04x} at {error.start}"
        raise UsageError(f"{words}. Convert it, for example with iconv.") from None


def require_writable(path: str | None) -> None:
    """Raises: UsageError: the result could not be written there; found before anything is paid."""
    if path is None or path == "-":
        return
    place = Path(path)
    if place.is_dir() or not os.access(place if place.exists() else place.parent, os.W_OK):
        raise UsageError(f"{path} cannot be written. Name a file that can be.")


def write_result(text: str, path: str | None) -> None:
    """Write the result to a file, or to stdout for None and ``-``.

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


def diagnostic_lines(
    name: str, report: Report, stream: TextIO, *, verbose: bool = False
) -> Iterator[str]:
    """One line for each repair and each remaining finding; infos only when `verbose`."""
    marked = [(one, " [repaired]") for one in report.repairs]
    for diagnostic, mark in (*marked, *((one, "") for one in report.diagnostics)):
        if verbose or diagnostic.severity is not Severity.INFO:
            yield diagnostic_line(name, diagnostic, stream) + mark


def report_on_stderr(name: str, report: Report, *, verbose: bool = False) -> None:
    """Print repairs, findings and expectations on stderr; infos only when `verbose`."""
    for line in diagnostic_lines(name, report, sys.stderr, verbose=verbose):
        echo_stderr(line)
    for line in report.behaviour:
        echo_stderr(f"expectation {line}")


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """Lines of a table whose columns are as wide as their widest cell."""
    cells = [list(header), *(list(row) for row in rows)]
    widths = [max(len(row[i]) for row in cells) for i in range(len(header))]
    lines = [
        "  ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)).rstrip() for row in cells
    ]
    return [lines[0], "  ".join("-" * w for w in widths), *lines[1:]]
