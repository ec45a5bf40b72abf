"""`orchestrator export`."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from orchestrator.cli.output import GOOD, UsageError, say, say_json
from orchestrator.config.settings import Config, cache_directory
from orchestrator.generation.evaluation.finetune import ACCEPTED, Accepted, examples_of

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

_KEY_ENDINGS = ("_API_KEY", "_TOKEN", "_SECRET", "_PASSWORD", "_ACCESS_KEY")


def run(arguments: argparse.Namespace) -> int:
    """Write what was asked and accepted as conversations for fine-tuning."""
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
            " {keep_accepted: true} results are kept there as they are accepted; --embedded takes"
            " those of the embedded provider too"
        )
    secrets = [v for k, v in os.environ.items() if k.endswith(_KEY_ENDINGS) and v]
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
    if arguments.json:
        say_json({**counts, "files": [str(train), str(valid), str(origin)]})
        return GOOD
    say(f"{train}: {len(made.train)} conversations to train with")
    say(f"{valid}: {len(made.valid)} to validate with")
    say(f"{origin}: where each came from, in the same order")
    say(f"left out: {made.duplicates} duplicates; removed: {made.scrubbed} secrets")
    return GOOD


def _write(path: Path, lines: Sequence[dict[str, Any]]) -> None:
    try:
        text = "".join(f"{json.dumps(line, ensure_ascii=False)}\n" for line in lines)
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror}") from error
