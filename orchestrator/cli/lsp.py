"""`orchestrator lsp`."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from orchestrator.cli.output import echo_stderr
from orchestrator.types.errors import MissingExtraError

if TYPE_CHECKING:
    import argparse


def run(arguments: argparse.Namespace) -> int:
    """Serve the editor at the other end of stdin and stdout until it leaves."""
    del arguments  # the standard streams are the only way that there is
    try:
        from orchestrator.server.lsp.stdio import serve  # noqa: PLC0415  an extra
    except ModuleNotFoundError as error:
        raise MissingExtraError("The language server", "lsp") from error
    if os.isatty(0):
        echo_stderr("an editor starts this command and speaks to it; Ctrl-C ends it")
    return serve()
