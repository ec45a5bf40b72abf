"""Reads the document of a command, in whatever form it is, and says what it was read as."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestrator.cli.files import MOST_BYTES, read_source
from orchestrator.cli.output import echo_stderr
from orchestrator.gmn.imports import FORMS, KINDS, LEFT_OUT
from orchestrator.gmn.validate import validate

if TYPE_CHECKING:
    import argparse

    from orchestrator.gmn.model import GMNSpec
    from orchestrator.gmn.validate import Validation


def validated(arguments: argparse.Namespace, source: bytes | None = None) -> Validation:
    """The verdict on the document that the arguments name, not run; its kind on stderr.

    Raises: UsageError: it cannot be read.
    """
    source = read_source(arguments.file) if source is None else source
    verdict = validate(source, run_steps=0, kind=arguments.kind)
    if said := read_as(verdict):
        echo_stderr(f"{arguments.file}: {said}")
    return verdict


def written(arguments: argparse.Namespace, spec: GMNSpec) -> str:
    """The document in the form that the arguments name; what it has no place for on stderr.

    Raises: GMNError: the form cannot say what the document says.
    """
    text = FORMS[arguments.to](spec)
    if left := LEFT_OUT.get(arguments.to):
        echo_stderr(f"{arguments.file}: {arguments.to} has no place for {left}: left out")
    if (size := len(text.encode())) > MOST_BYTES:
        words = f"this {arguments.to} has {size:,} bytes; orchestrator reads at most {MOST_BYTES:,}"
        echo_stderr(f"{arguments.file}: {words}: keep the document itself, too")
    return text


def read_as(verdict: Validation) -> str:
    """What a document was read as; empty for GMN itself."""
    kind = KINDS.get(verdict.spelling)
    return f"read as {kind.title}" if kind and kind.module else ""
