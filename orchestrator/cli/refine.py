"""`orchestrator refine FILE --feedback "…"`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestrator.cli.client_call import call_client
from orchestrator.cli.files import read_source, read_text, require_writable
from orchestrator.cli.generate import print_generation
from orchestrator.cli.output import UsageError, echo_stderr
from orchestrator.cli.progress import show_event
from orchestrator.gmn.formats import comments_of, moved, read, write_text
from orchestrator.gmn.validate import validate
from orchestrator.types.errors import InvalidOutputError

if TYPE_CHECKING:
    import argparse

    from orchestrator.gmn.model import GMNSpec


def run(arguments: argparse.Namespace) -> int:
    """Ask for a patch and print the document with the patch applied; exit 1 when it could not be
    done."""
    require_writable(arguments.output)
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
            ),
            hook=None if arguments.quiet else show_event,
        )
    except InvalidOutputError:
        echo_stderr("The feedback was not carried out.", "red")
        raise
    return print_generation(made, _commented(source, made.spec), arguments)


def _commented(source: bytes, spec: GMNSpec) -> str:
    """The new document with the comments of the old one."""
    comments = comments_of(read(source).places)
    old = validate(source, run_steps=0).spec
    if old is None or not comments:
        return write_text(spec)
    return write_text(spec, moved(comments, old.to_json(), spec.to_json()))
