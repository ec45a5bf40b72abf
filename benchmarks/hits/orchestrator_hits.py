"""Hits of this package's cache, of LiteLLM's caches, and bare reads of the same bytes."""

from __future__ import annotations

import asyncio
import sys
from importlib import import_module
from typing import Any

import diskcache

from benchmarks.hits.rounds import Hit, serve
from orchestrator.client.orchestrator import Orchestrator
from orchestrator.config.settings import Config
from tests.support.wire import configured


async def main() -> None:
    """Serve hits; argv holds the base URL, the size of question and answer, and a directory."""
    base, size, directory = sys.argv[1], int(sys.argv[2]), sys.argv[3]
    bare = diskcache.Cache(f"{directory}/bare-{size}")
    bare.set("k", b"x" * size)
    config = Config.model_validate(
        configured(base, "m", cache={"directory": f"{directory}/ours"}, ledger={"enabled": False})
    )
    async with Orchestrator(config) as orc:
        router = await orc._router.transport.router()
        litellm: Any = import_module("litellm")
        kept = {
            f"LiteLLM's {where}": litellm.Cache(
                type=kind, disk_cache_dir=f"{directory}/litellm-{size}"
            )
            for where, kind in (("disk", "disk"), ("memory", "local"))
        }

        async def ours() -> Any:
            return await orc.acompletion(**asked(size))

        async def litellms() -> Any:
            return await router.acompletion(**asked(size), caching=True)

        async def read() -> Any:
            return bare.get("k")

        filled = set()

        async def choose(name: str) -> Hit:
            litellm.cache = kept.get(name)
            hit = {"ours": ours, "a bare read": read}.get(name, litellms)
            await hit()
            if litellm.cache is not None and name not in filled:
                filled.add(name)
                await asyncio.sleep(0.2)  # LiteLLM stores in the background
            return hit

        await serve(choose)
    bare.close()


def asked(size: int) -> dict[str, Any]:
    """The arguments of a call, in a new dict for each call."""
    return {"model": "m", "messages": [{"role": "user", "content": "y" * size}]}


if __name__ == "__main__":
    asyncio.run(main())
