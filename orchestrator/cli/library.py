"""`orchestrator library [NAME]`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestrator.cli.files import require_writable, write_result
from orchestrator.cli.output import GOOD, UsageError, echo_json, echo_result, table
from orchestrator.generation.request_building import load_library
from orchestrator.parsing.spelling import nearest

if TYPE_CHECKING:
    import argparse


def run(arguments: argparse.Namespace) -> int:
    """List the curated models, or print the text of one."""
    models = {model.name: model for model in load_library()}
    if not arguments.name:
        rows = [(m.name, m.agent_type, m.prompt) for m in models.values()]
        value = [{"name": n, "agent_type": kind, "prompt": prompt} for n, kind, prompt in rows]
        echo_result(arguments, value, table(("name", "type", "asked for"), rows))
        return GOOD
    if (model := models.get(arguments.name)) is None:
        near = nearest(arguments.name, list(models))
        hint = f" Did you mean {near}?" if near else ""
        raise UsageError(f"{arguments.name!r} is not one of {', '.join(models)}.{hint}")
    require_writable(arguments.output)
    if arguments.json:
        echo_json({"name": model.name, "agent_type": model.agent_type, "text": model.text})
    if arguments.output or not arguments.json:
        write_result(model.text, arguments.output)
    return GOOD
