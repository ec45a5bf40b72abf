"""The registry: a query over LiteLLM's whole table, 200 deployments, a call, the state.

`python -m benchmarks.bench_registry`
"""

from __future__ import annotations

import asyncio
import functools
import itertools
import statistics
import time
import warnings
from collections.abc import Callable
from typing import Any

from orchestrator import LLMRegistry, LLMState, Orchestrator
from orchestrator.client.llm_interface import create_llm_interface
from orchestrator.models.deployments import deployments_of
from orchestrator.routing import _litellm
from orchestrator.routing.build import build_router, router_arguments

MANY = 200
FLAT = {"provider": "openai", "model": "m", "max_tokens": 9, "temperature": 0.1, "stream": False}


def cpu_s(work: Callable[[], object]) -> float:
    """CPU seconds of one run."""
    begun = time.process_time()
    work()
    return time.process_time() - begun


def median_s(work: Callable[[], object], rounds: int) -> float:
    """Median CPU seconds of so many runs."""
    return statistics.median(cpu_s(work) for _ in range(rounds))


def query() -> None:
    """Questions over the whole table: the first makes the profiles, later ones ask the columns."""
    registry = LLMRegistry.from_config({"model_list": []})
    bounds = itertools.count(100_000)

    def asked() -> list[Any]:
        return registry.find(
            vision=True, response_schema=True, min_context=next(bounds), order_by="cost",
            everywhere=True,
        )  # fmt: skip

    first = cpu_s(asked)
    later = median_s(asked, 50)
    print(
        f"query over the table: {1e3 * later:.2f} ms, each with another bound (aim 2 ms;"
        f" {len(asked())} hits), first {first:.2f} s"
    )


def many() -> None:
    """200 deployments: ours, from the file to the Router, against the bare Router."""
    entries = [
        {"model_name": f"g{i}", "litellm_params": {"model": f"openai/m{i}", "api_key": "k"}}
        for i in range(MANY)
    ]
    litellm = _litellm.load()
    bare, ours, registry = [], [], []
    for _ in range(6):
        config = Orchestrator({"model_list": entries}).config
        arguments = router_arguments(config, deployments_of(config, {}))
        bare.append(cpu_s(functools.partial(litellm.Router, **arguments)))

        def built() -> None:
            orc = Orchestrator({"model_list": entries})
            build_router(orc.config, deployments_of(orc.config, {})).router.retire()

        ours.append(cpu_s(built))
        registry.append(cpu_s(lambda: LLMRegistry.from_config({"model_list": entries}).models()))
    more = 1e3 * (statistics.median(ours[1:]) - statistics.median(bare[1:]))  # the first warms up
    made = 1e3 * statistics.median(registry)
    less = 1e3 * statistics.median(bare[1:])
    print(
        f"{MANY} deployments: {less:.0f} ms for the bare Router, {more:+.0f} ms ours (aim +300 ms);"
        f" registry {made:.0f} ms"
    )


async def call() -> None:
    """A hit in the cache through the interface against the orchestrator alone, in turn."""
    registry = LLMRegistry.from_config(
        {"model_list": [{"model_name": "o", "litellm_params": {"model": "offline/library"}}]}
    )
    async with await create_llm_interface("o", registry) as interface:
        orc = await interface.orchestrator()
        words = "a thermostat for a cold room"
        await interface.generate(words)
        taken: dict[str, list[float]] = {"with": [], "without": []}
        for _ in range(300):
            begun = time.process_time()
            await interface.generate(words)
            taken["with"].append(time.process_time() - begun)
            begun = time.process_time()
            await orc.generate(words, model="o")
            taken["without"].append(time.process_time() - begun)
        more, less = (1e6 * statistics.median(taken[name]) for name in ("with", "without"))
        print(f"a hit through the interface: {more:.0f} µs, ratio to without {more / less:.2f}")


def state() -> None:
    """The older flat dict against the three classes."""
    warnings.simplefilter("ignore")
    flat = median_s(lambda: dict(FLAT), 500)
    made = median_s(lambda: LLMState.from_legacy(FLAT), 500)
    print(f"state: flat dict {1e6 * flat:.1f} µs, LLMState.from_legacy {1e6 * made:.1f} µs")


def main() -> None:
    """Print every line."""
    query()
    state()
    asyncio.run(call())
    many()


if __name__ == "__main__":
    main()
