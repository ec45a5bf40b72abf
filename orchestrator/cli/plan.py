"""`orchestrator plan "…"`, and what a request for a model is made of."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from orchestrator.cli.client_call import call_client
from orchestrator.cli.files import read_source, read_text
from orchestrator.cli.output import GOOD, echo_result

if TYPE_CHECKING:
    import argparse

#: How what is not the name of a picture's file begins.
_TEXTS = ("https://", "http://", "data:")


def run(arguments: argparse.Namespace) -> int:
    """Print the most calls, seconds and dollars that a request can take."""
    asked = request_of(arguments)
    found = call_client(lambda orc: orc.plan(**asked))
    echo_result(arguments, asdict(found), found.lines)
    return GOOD


def request_of(arguments: argparse.Namespace) -> dict[str, Any]:
    """The arguments of `Orchestrator.generate_gmn` and of `Orchestrator.plan`."""
    prompt = read_text("-") if arguments.prompt == "-" else arguments.prompt
    examples = [read_source(name) for name in arguments.example] if arguments.example else None
    return {
        "prompt": prompt,
        "agent_type": arguments.agent_type,
        "constraints": dict(arguments.constraint),
        "examples": examples,
        "expectations": arguments.expect,
        "model": arguments.route,
        "provider": arguments.provider,
        "cache": arguments.cache,
        "seed": arguments.seed,
        "samples": arguments.samples,
        "images": [one if one.startswith(_TEXTS) else Path(one) for one in arguments.image],
        "infer_expectations": arguments.infer,
        "search": arguments.search,
    }
