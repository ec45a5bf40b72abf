"""`orchestrator export`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from orchestrator.cli.bundle import asked, bundled
from orchestrator.cli.documents import validated, written
from orchestrator.cli.files import require_writable, write_result
from orchestrator.cli.output import (
    GOOD,
    OutputError,
    UsageError,
    echo_json,
    echo_result,
    refused,
    report_on_stderr,
)
from orchestrator.config.settings import Config, cache_directory
from orchestrator.generation.evaluation.finetune import ACCEPTED, Accepted, examples_of
from orchestrator.gmn.acting.simulate import simulate
from orchestrator.gmn.limits import DEFAULT_LIMITS
from orchestrator.ledger.private import open_private
from orchestrator.models.secrets import secrets_of
from orchestrator.types.diagnostics import Report
from orchestrator.types.visible import json_text
from orchestrator.types.work import TooMuchWork, allowance, doing

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence


def run(arguments: argparse.Namespace) -> int:
    """Write a document in another form, or the accepted results as conversations."""
    if bool(arguments.to) == bool(arguments.finetune) or bool(arguments.to) != bool(arguments.file):
        raise UsageError(
            "name a document and a form, as in: model.gmn --to gnn; or --finetune FILE"
        )
    return _document(arguments) if arguments.to else _accepted(arguments)


def _document(arguments: argparse.Namespace) -> int:
    require_writable(arguments.output)
    verdict = validated(arguments)
    if verdict.spec is None or verdict.compiled is None:
        return refused(arguments, verdict.report)
    report_on_stderr(arguments.file, Report((), verdict.report.repairs))
    if arguments.to == "bundle":
        wanted = asked(b"", "", arguments.steps, arguments.seed)
        try:
            with allowance(DEFAULT_LIMITS.work):
                doing(f"simulating {wanted.steps} steps", "lower --steps")
                episode = simulate(
                    verdict.compiled,
                    steps=wanted.steps,
                    seed=wanted.seed,
                    queries=verdict.spec.queries,
                )
        except TooMuchWork as error:
            raise UsageError(str(error)) from None
        text = bundled(verdict.spec, episode, wanted.steps)
    else:
        text = written(arguments, verdict.spec)
    if arguments.json:
        echo_json({"file": arguments.file, "form": arguments.to, "text": text})
    if arguments.output or not arguments.json:
        write_result(text, arguments.output)
    return GOOD


def _accepted(arguments: argparse.Namespace) -> int:
    """The accepted results for fine-tuning, in three JSON-lines files."""
    config = Config.load(None, os.environ)
    path = cache_directory(config.orchestrator.cache, os.environ) / ACCEPTED
    lines = [
        line
        for line in Accepted(path).lines()
        if arguments.embedded or line["provider"] != "offline"
    ]
    if not lines:
        raise UsageError(
            f"nothing to export: {path} holds no answer of a language model. With cache:"
            " {keep_accepted: true} accepted results are kept there; --embedded exports those of"
            " the embedded provider too"
        )
    secrets = secrets_of(config, os.environ)
    made = examples_of(lines, secrets=secrets, valid_percent=arguments.valid)
    train = Path(arguments.finetune)
    valid, origin = train.with_suffix(".valid.jsonl"), train.with_suffix(".provenance.jsonl")
    _write(train, made.train)
    _write(valid, made.valid)
    _write(origin, made.provenance)
    counts = {
        "train": len(made.train), "valid": len(made.valid), "duplicates": made.duplicates,
        "scrubbed": made.scrubbed,
    }  # fmt: skip
    summary = (
        f"{train}: {len(made.train)} conversations to train with",
        f"{valid}: {len(made.valid)} to validate with",
        f"{origin}: where each came from, in the same order",
        f"left out: {made.duplicates} duplicates; removed: {made.scrubbed} secrets",
    )
    echo_result(arguments, {**counts, "files": [str(train), str(valid), str(origin)]}, summary)
    return GOOD


def _write(path: Path, lines: Sequence[dict[str, Any]]) -> None:
    """Only the user can read it: what was asked and answered is kept so too."""
    text = "".join(f"{json_text(line)}\n" for line in lines)
    try:
        handle = open_private(path, os.O_WRONLY | os.O_TRUNC, is_named=True)
        with os.fdopen(handle, "wb") as file:
            file.write(text.encode(errors="backslashreplace"))
    except (OSError, ValueError) as error:
        words = f"{path} cannot be written: {getattr(error, 'strerror', None) or error}"
        raise OutputError(f"{words}. Name a file that can be.") from None
