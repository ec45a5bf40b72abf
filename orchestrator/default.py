"""The module-level calls: one orchestrator with the default configuration behind them."""

from __future__ import annotations

import functools
from typing import Any

from orchestrator.orchestrator import Orchestrator


@functools.cache
def _shared() -> Orchestrator:
    # One per process: LiteLLM keeps callbacks and clients globally.
    return Orchestrator()


async def acompletion(**litellm_arguments: Any) -> Any:
    """LiteLLM's ``acompletion`` with the default configuration; see `Orchestrator.acompletion`."""
    return await _shared().acompletion(**litellm_arguments)


def completion(**litellm_arguments: Any) -> Any:
    """LiteLLM's ``completion``, blocking; see `Orchestrator.acompletion`."""
    return _shared().sync.completion(**litellm_arguments)
