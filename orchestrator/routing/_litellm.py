"""The one door to LiteLLM: its environment is set first, then it is imported, once, when needed."""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import contextvars
import functools
import gc
import inspect
import logging
import os
import sys
import warnings
from typing import TYPE_CHECKING, Any

from orchestrator.routing.redirects import hold_redirects
from orchestrator.types import blocking as sync
from orchestrator.types.own_process import OWN_PROCESS

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

#: Whether a call of this package is under way: a proxy's own are not held to our promises.
OURS: contextvars.ContextVar[bool] = contextvars.ContextVar("OURS", default=False)
_PROXY = "litellm.proxy.proxy_server"
# Read at import or at the first call; what the user has set stays as it is.
_ENVIRONMENT = {
    "LITELLM_OFFLINE_MODE": "true",  # otherwise prices, headers and tokenizers are fetched
    "LITELLM_MODE": "PRODUCTION",  # otherwise the user's .env is loaded into the process
    "LITELLM_LOG": "CRITICAL",
    # Otherwise it fetches pictures that a prompt names, for providers that take no addresses.
    "MAX_IMAGE_URL_DOWNLOAD_SIZE_MB": "0",
}


@functools.cache
def load() -> Any:
    """The litellm module, quiet, with its own cache and global retries off.

    Inside a LiteLLM proxy we are guests: its settings are its owner's and stay as they are.
    """
    if _PROXY in sys.modules:
        import litellm  # noqa: PLC0415  long loaded

        hold_redirects(litellm, OURS.get)
        return litellm
    for name, value in _ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    # Its stream types make pydantic warn about LiteLLM's own TypedDicts.
    warnings.filterwarnings("ignore", message="Items? '.*' on TypedDict", category=UserWarning)
    with _without_looks_for_garbage():
        import litellm  # noqa: PLC0415  1.5 s and 150 MB: only when a model is really asked

    for name in ("LiteLLM", "LiteLLM Router", "LiteLLM Proxy"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    litellm.suppress_debug_info = True
    litellm.expose_router_debug_in_errors = False
    litellm.cache = None
    hold_redirects(litellm, lambda: True)
    # Registered after LiteLLM's own hook, and so run before it: ours ends the loop it would use.
    atexit.register(sync.stop, _wind_up)
    return litellm


@contextlib.contextmanager
def _without_looks_for_garbage() -> Iterator[None]:
    """Imports make next to no garbage: half a million objects would be looked through for it.

    In a process of our own they are never looked through again, at its end neither.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
        if OWN_PROCESS.get():
            gc.freeze()
            gc.collect(0)  # at nothing: after its first look `cli.entry` asks for more of them
    finally:
        if was_enabled:
            gc.enable()


def reads_shipped_table() -> bool:
    """Whether LiteLLM's prices are those that it ships, as `load` says unless the user does."""
    name = "LITELLM_OFFLINE_MODE"
    return os.environ.get(name, _ENVIRONMENT[name]).strip().lower() == "true"


async def _wind_up() -> None:
    """Close the connections; what LiteLLM still wants to log it logs in its own hook."""
    await load().close_litellm_async_clients()


def loop_token() -> str:
    """What LiteLLM's cache of HTTP clients calls the running event loop."""
    from litellm.caching.evicted_client_closer import (  # noqa: PLC0415  LiteLLM is loaded late
        running_loop_token,
    )

    return str(running_loop_token())


async def close_clients(tokens: Collection[str]) -> None:
    """Close the HTTP clients that LiteLLM keeps for event loops (their tokens), but for busy ones.

    The whole process shares them: other orchestrators and direct calls of LiteLLM use them too.
    """
    from litellm.caching.evicted_client_closer import (  # noqa: PLC0415  LiteLLM is loaded late
        _has_connection_in_flight,
    )

    litellm = load()
    cache, ends = litellm.in_memory_llm_clients_cache, tuple(f"-{token}" for token in tokens)
    held = {key: one for key, one in tuple(cache.cache_dict.items()) if key.endswith(ends)}
    # This one outlives its place in the cache, and reopens when it is used.
    shared = vars(litellm).get("module_level_aclient")
    idle = [one for one in (*held.values(), shared) if one and not _has_connection_in_flight(one)]
    # Forgotten before they are closed, or the next call would be given them.
    for key in (key for key, one in held.items() if one in idle):
        cache.delete_cache(key)
    for client in idle:
        with contextlib.suppress(RuntimeError):  # its loop is gone, and its connections with it
            closing = client.close()
            if inspect.isawaitable(closing):
                await closing


async def loaded() -> Any:
    """The same without keeping the event loop from its work meanwhile."""
    return load() if load.cache_info().currsize else await asyncio.to_thread(load)
