"""`orchestrator refine FILE --feedback "…"`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestrator.cli.client_call import call_client
from orchestrator.cli.generate import print_generation
from orchestrator.cli.output import GOOD, read_source, require_writable
from orchestrator.cli.progress import show_event

if TYPE_CHECKING:
    import argparse


def run(arguments: argparse.Namespace) -> int:
    """Ask for a patch and print the document with the patch applied."""
    require_writable(arguments.output)
    source = read_source(arguments.file)
    made = call_client(
        lambda orc: orc.refine_gmn(
            source,
            arguments.feedback,
            expectations=arguments.expect,
            model=arguments.route,
            provider=arguments.provider,
            cache=arguments.cache,
        ),
        hook=None if arguments.quiet else show_event,
    )
    print_generation(made, made.text, arguments)
    return GOOD
