"""A task through the API against one through a program, and many at once against one by one.

``python -m benchmarks.bench_tasks [ROUNDS]``
"""

from __future__ import annotations

import asyncio
import os
import resource
import sys
import tempfile
from collections.abc import Callable

from benchmarks.ratio import interleaved
from benchmarks.serving import served
from orchestrator import AgentRegistry, AgentTask, TaskExecutor
from tests.support.wire import Reply, configured

DELAY_S = 0.05
AT_ONCE = 8
#: What such a program does at least: it starts, reads its task, prints.
PROGRAM = "import json, sys; print(json.load(sys.stdin)['description'])"


def cpu_s() -> float:
    """CPU seconds of this process and of the programs that it has waited for."""
    both = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in both)


def executor_at(base: str) -> TaskExecutor:
    """One agent that asks the server, one that runs a program; no cache, no ledger."""
    settings = {"cache": {"mode": "off"}, "ledger": {"enabled": False}}
    registry = AgentRegistry(configured(base, "m", **settings))
    registry.register_agent("api", "openai-gpt", "api", "m", "sk-of-the-benchmark")
    script = {"script": [sys.executable, "-c", PROGRAM]}
    registry.register_agent("script", "custom", "script", metadata=script)
    return TaskExecutor(registry)


def main() -> None:
    """Print one line for each comparison."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 10
    with tempfile.TemporaryDirectory() as home, asyncio.Runner() as runner:
        os.environ["ORCHESTRATOR_CACHE_DIR"] = home

        def one_of(executor: TaskExecutor, agent: str) -> Callable[[], object]:
            return lambda: runner.run(executor.execute(AgentTask("t", "say a word"), agent))

        def many_of(executor: TaskExecutor, agent: str, at_once: int) -> Callable[[], object]:
            tasks = [AgentTask(f"t{n}", f"say word {n}") for n in range(AT_ONCE)]
            return lambda: runner.run(executor.execute_many(tasks, agent, concurrency=at_once))

        with served(Reply("a word")) as base:
            executor = executor_at(base)
            api, script = one_of(executor, "api"), one_of(executor, "script")
            found = interleaved(api, script, rounds=rounds, calls=5, clock=cpu_s)
            print(found.line("a task, CPU", "through the API", "through a program"), flush=True)
            found = interleaved(api, script, rounds=rounds, calls=5)
            print(found.line("a task, time", "through the API", "through a program"), flush=True)
            runner.run(executor.aclose())
        with served(Reply("a word", delay_s=DELAY_S)) as base:
            executor = executor_at(base)
            at_once, in_turn = many_of(executor, "api", AT_ONCE), many_of(executor, "api", 1)
            found = interleaved(at_once, in_turn, rounds=rounds)
            name = f"{AT_ONCE} tasks at {DELAY_S * 1e3:.0f} ms each, time"
            print(found.line(name, "at once", "one by one"), flush=True)
            runner.run(executor.aclose())


if __name__ == "__main__":
    main()
