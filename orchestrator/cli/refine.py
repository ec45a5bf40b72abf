"""`orchestrator refine FILE --feedback "…"`, or `--data LOG`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestrator.cli import learned
from orchestrator.cli.client_call import call_client
from orchestrator.cli.files import read_source, read_text, require_writable
from orchestrator.cli.generate import print_generation
from orchestrator.cli.output import UsageError, echo_stderr
from orchestrator.cli.progress import show_event
from orchestrator.types.errors import InvalidOutputError

if TYPE_CHECKING:
    import argparse


def run(arguments: argparse.Namespace) -> int:
    """Ask for a patch and print the document with the patch applied; exit 1 when it could not be
    done. With ``--data`` nothing is asked: the document is learned from the log."""
    require_writable(arguments.output)
    if arguments.data is not None:
        return learned.run(arguments)
    if arguments.learn:
        raise UsageError("--learn goes with --data")
    if arguments.feedback == arguments.file == "-":
        raise UsageError("standard input can be the document or the feedback, not both")
    source = read_source(arguments.file)
    feedback = read_text("-") if arguments.feedback == "-" else arguments.feedback
    try:
        made = call_client(
            lambda orc: orc.refine_gmn(
                source,
                feedback,
                expectations=arguments.expect,
                model=arguments.route,
                provider=arguments.provider,
                cache=arguments.cache,
                kind=arguments.kind,
            ),
            hook=None if arguments.quiet else show_event,
        )
    except InvalidOutputError:
        echo_stderr("The feedback was not carried out.", "red")
        raise
    return print_generation(made, learned.commented(source, made.spec), arguments)
