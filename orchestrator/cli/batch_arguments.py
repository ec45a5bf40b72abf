"""What the arguments of `orchestrator batch` say together, and the command to go on with."""

from __future__ import annotations

import os
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

from orchestrator.cli.output import UsageError

if TYPE_CHECKING:
    import argparse

#: Files that hold something else than lines of JSON, by their names.
_OTHER_FORMS = (".csv", ".tsv", ".parquet", ".gz")
_DEFAULTS = (("operation", "generate"), ("engine", "live"))


def check(arguments: argparse.Namespace) -> None:
    """Raises: UsageError: arguments that do not go together."""
    if arguments.budget == "":
        raise UsageError("--budget is empty; write for example 5usd, or leave it out")
    place = arguments.output
    if place == "" or (not is_stream(place) and _is_no_file(place)):
        words = (
            f"--output {place!r} is not a file. For a pipe or a device leave it out, and redirect"
        )
        raise UsageError(f"{words} what is printed")
    if is_stream(place) and arguments.json:
        raise UsageError("--json prints a summary where the rows go; name a file with -o")
    if arguments.ordered and arguments.retry_failed:
        words = "rows that are tried again come after the others: leave out --ordered, and sort by"
        raise UsageError(f"{words} line")
    if arguments.engine == "provider" and arguments.concurrency:
        raise UsageError("--concurrency is of live calls; with --engine provider use --batch-size")
    if arguments.engine != "dbos" and (arguments.database or arguments.rate):
        raise UsageError("--database and --rate go with --engine dbos")
    if arguments.engine == "dbos":
        arguments.database = database_of(arguments)
    if (arguments.schema is None) == (arguments.operation == "structured"):
        raise UsageError("--schema goes with --operation structured, and with no other")
    _check_files(arguments)


def _is_no_file(name: str) -> bool:
    return Path(name).exists() and not Path(name).is_file()


def _check_files(arguments: argparse.Namespace) -> None:
    """Raises: UsageError: one is not what its name says, two are one, or a directory is missing."""
    place, journal = arguments.output, arguments.journal
    if not is_stream(place) and (other := Path(place).suffix.lower()) in _OTHER_FORMS:
        words = f"--output {place!r}: JSON lines are written, not {other}"
        raise UsageError(f"{words}; name a file that ends in .jsonl")
    if journal is not None and (journal in ("", "-") or _is_no_file(journal)):
        words = f"--journal {journal!r} is not a file; name one"
        raise UsageError(f"{words}, or leave it out for the output's own")
    named = {"the input": arguments.file, "the output": arguments.output,
             "the journal": journal_of(arguments)}  # fmt: skip
    paths = {
        what: os.path.realpath(name) for what, name in named.items() if name not in (None, "-")
    }
    for what, path in paths.items():
        if what != "the input" and not (place := Path(path).parent).is_dir():
            raise UsageError(f"{what} {named[what]} needs the directory {place}; make it first")
        for other, same in paths.items():
            if what < other and path == same:
                raise UsageError(f"{what} and {other} are the same file, {path}; name another")


def database_of(arguments: argparse.Namespace) -> str:
    """The URL that a command was given, or the environment's.

    Raises: UsageError: there is none.
    """
    url = str(arguments.database or os.environ.get("ORCHESTRATOR_DATABASE", ""))
    if not url:
        words = "name the database: --database postgresql://USER@HOST/NAME, or in the environment"
        raise UsageError(f"{words} ORCHESTRATOR_DATABASE")
    return url


def is_stream(output: str | None) -> bool:
    """Whether rows go to standard output, where they cannot be read again."""
    return output in (None, "-")


def journal_of(arguments: argparse.Namespace) -> str | None:
    """The path of the journal: beside the output where none is named, None where none is kept."""
    if arguments.journal is not None or is_stream(arguments.output):
        return str(arguments.journal) if arguments.journal else None
    return f"{arguments.output}.journal"


def command_of(arguments: argparse.Namespace) -> str:
    """The command line that says the same."""
    given = ["orchestrator", "batch", arguments.file]
    for name in ("output", "operation", "schema", "journal", "concurrency", "budget", "route",
                 "provider", "cache", "engine", "batch_size", "rate"):  # fmt: skip
        value = getattr(arguments, name)
        if value not in (None, "") and (name, value) not in _DEFAULTS:
            given += [f"--{name.replace('_', '-')}", str(value)]
    if arguments.engine == "dbos":
        from orchestrator.client.batch.database import without_password  # noqa: PLC0415  an extra

        given += ["--database", without_password(arguments.database)]
    given += [f"--{name}" for name in ("ordered", "carry", "quiet") if getattr(arguments, name)]
    return shlex.join(given)
