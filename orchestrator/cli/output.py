"""What is printed: results on stdout, progress and errors on stderr, colour on terminals.

No text drives the terminal: what it would obey or hide is shown as an escape.
"""

from __future__ import annotations

import contextlib
import functools
import json
import os
import sys
from typing import TYPE_CHECKING, TextIO

from orchestrator.types.diagnostics import Severity
from orchestrator.types.errors import OrchestratorError
from orchestrator.types.visible import json_text, visible

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable, Iterator, Sequence

    from orchestrator.types.diagnostics import Diagnostic, Report

GOOD, INVALID, USAGE, PROVIDER, UNWRITABLE, OVER_BUDGET, INTERRUPTED = 0, 1, 2, 3, 4, 5, 130

_COLOURS = {"red": 31, "green": 32, "yellow": 33, "blue": 34, "dim": 2, "bold": 1}
_OF_SEVERITY = {Severity.ERROR: "red", Severity.WARNING: "yellow", Severity.INFO: "blue"}


class Shown(str):
    """Text that is visible as it is; the colours in it are ours."""

    __slots__ = ()


class _Door:
    """A stream behind which text of others is made visible: warnings, logs, tracebacks."""

    def __init__(self, stream: TextIO) -> None:
        self.stream = stream

    def write(self, text: str) -> int:
        return self.stream.write(text if isinstance(text, Shown) else visible(text, lines=True))

    def __getattr__(self, name: str) -> object:
        return getattr(self.stream, name)


def close_doors() -> None:
    """From now on all that this process prints passes `visible`, also what others print."""
    for name in ("stdout", "stderr"):
        if (stream := getattr(sys, name)) is not None:
            setattr(sys, name, _Door(stream))


class UsageError(OrchestratorError):
    """The arguments are wrong, or a file that they name; exit code 2."""


class OutputError(OrchestratorError):
    """The result cannot be written where it should go; exit code 4."""


def painted(text: str, colour: str, stream: TextIO) -> str:
    """The text in `colour` if `stream` is a terminal and NO_COLOR is not set."""
    if not colour or not stream.isatty() or os.environ.get("NO_COLOR"):
        return text
    return f"\033[{_COLOURS[colour]}m{text}\033[0m"


def require_stdout() -> None:
    """Raises: OutputError: standard output is closed; found before anything is paid."""
    if sys.stdout is None:
        raise OutputError("standard output is closed. Redirect it to a file, or name one with -o")


def echo(text: str = "", end: str = "\n") -> None:
    """Print a text on stdout, by default with the end of a line.

    What the stream's encoding cannot hold is written as an escape, and said so on stderr.

    Raises: OutputError: stdout cannot be written; BrokenPipeError: its reader has left.
    """
    require_stdout()
    encoding = sys.stdout.encoding or "utf-8"
    text = text if isinstance(text, Shown) else visible(text, lines=True)
    try:
        text.encode(encoding)
    except UnicodeEncodeError as error:
        _note_escapes(encoding, error.object[error.start])
        text = text.encode(encoding, "backslashreplace").decode(encoding)
    try:
        sys.stdout.write(Shown(text + end))
        sys.stdout.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        words = f"standard output cannot be written: {error.strerror or error}"
        raise OutputError(words) from None


@functools.cache
def _note_escapes(encoding: str, character: str) -> None:
    echo_stderr(
        f"note: {encoding} cannot hold {character!a}, which is written as an escape;"
        " PYTHONIOENCODING=utf-8 shows it"
    )


def silence(stream: TextIO | None) -> None:
    """Send what is still buffered to nowhere; Python would report its failure again at exit."""
    with contextlib.suppress(OSError, ValueError):  # of a stream without a descriptor
        if stream is not None:
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def echo_lines(lines: Iterable[str]) -> None:
    """Print several lines of the result on stdout; none of them makes two."""
    for line in lines:
        echo(line if isinstance(line, Shown) else visible(line))


def echo_json(value: object) -> None:
    """Print the result on stdout as indented JSON; in ASCII where the stream holds no more."""
    require_stdout()
    text = json_text(value, indent=2)
    try:
        text.encode(sys.stdout.encoding or "utf-8")
    except UnicodeEncodeError:
        text = json.dumps(value, indent=2)
    echo(text)


def echo_result(arguments: argparse.Namespace, value: object, lines: Iterable[str]) -> None:
    """Print `value` as JSON with ``--json``, else `lines`."""
    if arguments.json:
        echo_json(value)
    else:
        echo_lines(lines)


def echo_stderr(text: str, colour: str = "", end: str = "\n", *, lines: bool = False) -> None:
    """Print a line of progress, or an error, on stderr; it is lost where stderr takes nothing.

    With `lines` the text may hold several.
    """
    if sys.stderr is None:  # closed
        return
    shown = text if isinstance(text, Shown) else visible(text, lines=lines)
    try:
        sys.stderr.write(Shown(painted(shown, colour, sys.stderr) + end))
        sys.stderr.flush()
    except OSError:
        silence(sys.stderr)


def diagnostic_line(
    name: str, diagnostic: Diagnostic, stream: TextIO | None, *, is_repaired: bool = False
) -> str:
    """``file:line:col: GMN201 error: …``, which editors jump to; ``repaired:`` for a repair."""
    shown = "<stdin>" if name == "-" else name
    place = diagnostic.place
    where = f"{shown}:{place.line}:{place.column}" if place else shown
    word = "repaired" if is_repaired else str(diagnostic.severity)
    colour = "green" if is_repaired else _OF_SEVERITY[diagnostic.severity]
    severity = word if stream is None else painted(word, colour, stream)
    shown = f"{visible(f'{where}: {diagnostic.code}')} {severity}: {visible(diagnostic.message)}"
    return Shown(shown)


def diagnostic_lines(
    name: str, report: Report, stream: TextIO | None, *, verbose: bool = False
) -> Iterator[str]:
    """One line for each repair and each remaining finding; infos only when `verbose`."""
    marked = [(one, True) for one in report.repairs] + [(one, False) for one in report.diagnostics]
    for diagnostic, is_repaired in marked:
        if verbose or diagnostic.severity is not Severity.INFO:
            yield diagnostic_line(name, diagnostic, stream, is_repaired=is_repaired)


def report_on_stderr(name: str, report: Report, *, verbose: bool = False) -> None:
    """Print repairs, findings and expectations on stderr; infos only when `verbose`."""
    for line in diagnostic_lines(name, report, sys.stderr, verbose=verbose):
        echo_stderr(line)
    for line in report.behaviour:
        echo_stderr(f"expectation {line}")


def refused(arguments: argparse.Namespace, report: Report) -> int:
    """Print why the document of a command cannot be used; the exit code for that."""
    if arguments.json:
        echo_json({"file": arguments.file, **report.as_dict()})
    report_on_stderr(arguments.file, report)
    return INVALID


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """Lines of a table whose columns are as wide as their widest cell."""
    cells = [list(header), *([visible(cell) for cell in row] for row in rows)]
    widths = [max(len(row[i]) for row in cells) for i in range(len(header))]
    lines = [
        "  ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)).rstrip() for row in cells
    ]
    return [lines[0], "  ".join("-" * w for w in widths), *lines[1:]]
