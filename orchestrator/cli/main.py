"""`orchestrator`: one sentence in, a generative model that runs out."""

from __future__ import annotations

import sys
from importlib import import_module
from keyword import iskeyword
from typing import TYPE_CHECKING

from orchestrator.cli.commands import parser
from orchestrator.cli.output import (
    GOOD,
    INTERRUPTED,
    INVALID,
    PROVIDER,
    UNWRITABLE,
    USAGE,
    OutputError,
    UsageError,
    echo_json,
    echo_stderr,
    require_stdout,
    silence,
)
from orchestrator.cli.rejected import error_as_json, keep_rejected
from orchestrator.types.errors import (
    CacheMissError,
    GMNError,
    InvalidOutputError,
    LLMError,
    OrchestratorError,
)

if TYPE_CHECKING:
    from collections.abc import Sequence


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code; errors are one line, never a traceback.

    Raises: SystemExit: with code 0 after ``--help`` and ``--version``.
    """
    given = list(sys.argv[1:] if argv is None else argv)
    try:
        return _run(given)
    except BrokenPipeError:  # the reader closed the pipe (`| head`): it has what it wanted
        silence(sys.stdout)
        return GOOD
    except OutputError as error:
        silence(sys.stdout)
        echo_stderr(f"orchestrator: {error}", "red")
        return UNWRITABLE


def _run(given: Sequence[str]) -> int:
    output: str | None = None
    is_json = "--json" in given
    try:
        arguments = parser(given[0] if given else "").parse_args(given)
    except UsageError as error:
        echo_stderr(f"orchestrator: {error}", "red")
        raise SystemExit(_failed(error, USAGE, is_json=is_json)) from None
    try:
        output, is_json = getattr(arguments, "output", None), arguments.json
        if is_json or output is None:
            require_stdout()
        name = arguments.command + ("_" if iskeyword(arguments.command) else "")
        code: int = import_module(f"orchestrator.cli.{name}").run(arguments)
    except KeyboardInterrupt as error:
        echo_stderr("interrupted")
        return _failed(error, INTERRUPTED, is_json=is_json)
    except (OrchestratorError, ValueError, OSError) as error:
        if isinstance(error, OutputError | BrokenPipeError):
            raise
        echo_stderr(f"orchestrator: {error}", "red", lines=isinstance(error, InvalidOutputError))
        if isinstance(error, LLMError):
            keep_rejected(error, output)
        code = next((code for kind, code in _CODES if isinstance(error, kind)), USAGE)
        return _failed(error, code, is_json=is_json)
    return code


def _failed(error: BaseException, code: int, *, is_json: bool) -> int:
    if is_json:
        echo_json(error_as_json(error, code))
    return code


#: Exit codes of errors, the first that fits; of any other it is `USAGE`.
_CODES: tuple[tuple[type[Exception], int], ...] = (
    (InvalidOutputError, INVALID),
    (GMNError, INVALID),
    (CacheMissError, INVALID),
    (LLMError, PROVIDER),
    (OSError, UNWRITABLE),
)
