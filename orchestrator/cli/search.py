"""`orchestrator search`."""

from __future__ import annotations

import dataclasses
import os
from typing import TYPE_CHECKING

from orchestrator.cli.client_call import call_client
from orchestrator.cli.output import GOOD, PROVIDER, echo_result, echo_stderr
from orchestrator.config.settings import Config
from orchestrator.models.deployments import deployments_of
from orchestrator.types.errors import ConfigError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from orchestrator.types.searching import SearchResults


def run(arguments: argparse.Namespace) -> int:
    """Print what a search found; exit 3 when no engine answered."""
    found = call_client(
        lambda orc: orc.search(
            arguments.query, max_results=arguments.max_results, engine=arguments.engine
        ),
        config=_config(),
    )
    echo_result(arguments, dataclasses.asdict(found), _lines(found))
    for failure in found.failures:
        echo_stderr(f"note: {failure}")
    if not found.engine:
        is_cut_off = all("cannot be reached" in one for one in found.failures)
        why = ". Is there a network?" if is_cut_off else ", for the reasons above"
        echo_stderr(f"orchestrator: no search engine answered{why}", "red")
        return PROVIDER
    if not found.hits:
        echo_stderr(f"{found.engine} found nothing")
    return GOOD


def _config() -> Config:
    """The user's configuration, without its models where none can be called: a search needs none.

    Raises: ConfigError: the file cannot be read.
    """
    config = Config.load(None, os.environ)
    try:
        deployments_of(config, os.environ)
    except ConfigError as error:
        echo_stderr(f"note: {error} A search needs no model, and goes on.")
    else:
        return config
    ours = config.orchestrator
    ours = ours.model_copy(update={"search": ours.search})  # stated, so that it is enough
    return config.model_copy(update={"model_list": (), "orchestrator": ours})


def _lines(found: SearchResults) -> Iterator[str]:
    for number, hit in enumerate(found.hits, 1):
        yield f"[{number}] {hit.title}"
        yield f"    {hit.url}"
        if hit.snippet:
            yield f"    {hit.snippet}"
