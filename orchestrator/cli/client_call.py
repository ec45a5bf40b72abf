"""One call of the client from a command."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, TypeVar

from orchestrator.client.orchestrator import Orchestrator

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from orchestrator.config.settings import Config
    from orchestrator.types.events import Event

T = TypeVar("T")


def call_client(
    call: Callable[[Orchestrator], Awaitable[T]],
    *,
    hook: Callable[[Event], None] | None = None,
    config: Config | None = None,
) -> T:
    """Run `call` with an open `Orchestrator`, close it, and return the result.

    `hook` gets every event; `config` is used in place of the user's. Errors of the call and of
    the configuration are raised as they are.
    """

    async def opened() -> T:
        async with Orchestrator(config, hook=hook) as orc:
            return await call(orc)

    return asyncio.run(opened())
