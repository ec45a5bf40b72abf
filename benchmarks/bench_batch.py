"""Rows at 50 ms: our batch, a bare `asyncio.gather` over the Router, and `abatch_completion`.

Each runs in a process of its own, in turn; ours also with four times the rows, for its memory.
``command`` is ``orchestrator batch`` with files, without its start.
"""

from __future__ import annotations

import asyncio
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.ratio import ratio_of
from benchmarks.serving import bare_router, config, served
from orchestrator.client.orchestrator import Orchestrator
from tests.support.wire import Reply

ROWS, IN_FLIGHT, ROUNDS = 1000, 200, 4
_LOOK_S, _IDLE = 0.2, 0.05  # a process that takes less of a core than that has nothing to do


def prompts(count: int) -> Iterator[str]:
    """As many different questions."""
    return (f"question {n}" for n in range(count))


def messages(prompt: str) -> list[dict[str, str]]:
    """The question as LiteLLM takes it."""
    return [{"role": "user", "content": prompt}]


async def ours(orc: Orchestrator, count: int) -> int:
    """Rows that our batch answered, with a journal on the disk."""
    with tempfile.TemporaryDirectory() as place:
        rows = orc.batch(
            prompts(count), operation="ask", journal=Path(place, "journal"), concurrency=IN_FLIGHT
        )
        return len([None async for row in rows if row.is_valid])


async def gathered(orc: Orchestrator, count: int) -> int:
    """The same through the bare Router and a semaphore."""
    router, limit = bare_router(orc), asyncio.Semaphore(IN_FLIGHT)

    async def one(prompt: str) -> Any:
        async with limit:
            return await router.acompletion(model="m", messages=messages(prompt))

    return len(await asyncio.gather(*(one(prompt) for prompt in prompts(count))))


async def abatch(orc: Orchestrator, count: int) -> int:
    """The same through the Router's own batch, which sends everything at once."""
    asked: Any = [messages(prompt) for prompt in prompts(count)]
    return len(await bare_router(orc).abatch_completion(models=["m"], messages=asked))


KINDS = {"ours": ours, "gather": gathered, "abatch": abatch}


async def settled() -> None:
    """Wait for what LiteLLM does after an answer: it logs in tasks that lag behind the answers."""
    while True:
        cpu = time.process_time()
        await asyncio.sleep(_LOOK_S)
        if time.process_time() - cpu < _IDLE * _LOOK_S:
            return


async def child(kind: str, base: str, count: int) -> None:
    """Print rows a second, CPU and peak memory of one kind, without its start."""
    async with Orchestrator(config(base, limits={"parallel": IN_FLIGHT})) as orc:
        await KINDS[kind](orc, 50)
        await settled()
        began, cpu = time.perf_counter(), time.process_time()
        done = await KINDS[kind](orc, count)
        assert done == count
        seconds = time.perf_counter() - began
        await settled()
        cpu_s = time.process_time() - cpu
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"rate": count / seconds, "cpu_s": cpu_s / count, "peak_mb": peak_mb}))


def ran(kind: str, base: str, count: int) -> dict[str, float]:
    """What a process of one kind says."""
    command = [sys.executable, "-m", "benchmarks.bench_batch", kind, base, str(count)]
    said = subprocess.run(command, check=True, capture_output=True, text=True, env=os.environ)
    made: dict[str, float] = json.loads(said.stdout.splitlines()[-1])
    return made


def commanded(base: str, count: int) -> float:
    """Rows a second of the command: what so many rows take longer than a few."""
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        settings = config(base, limits={"parallel": IN_FLIGHT})
        (place / "config.json").write_text(settings.model_dump_json(exclude_unset=True))
        taken = [_taken(place, most) for most in (IN_FLIGHT, IN_FLIGHT + count)]
    return count / (taken[1] - taken[0])


def _taken(place: Path, count: int) -> float:
    rows, answers = place / f"{count}.jsonl", place / f"{count}.answers.jsonl"
    rows.write_text("".join(json.dumps({"prompt": one}) + "\n" for one in prompts(count)))
    command = [sys.executable, "-m", "orchestrator", "batch", str(rows), "-o", str(answers)]
    environ = {**os.environ, "ORCHESTRATOR_CONFIG": str(place / "config.json")}
    began = time.perf_counter()
    subprocess.run([*command, "--operation", "ask"], check=True, capture_output=True, env=environ)
    seconds = time.perf_counter() - began
    assert len(answers.read_text().splitlines()) == count
    return seconds


def compare(base: str, rows: int) -> None:
    """Print the ratios (bound: 0.95 of gather's rate) and the memory (bound: flat)."""
    found: list[dict[str, dict[str, float]]] = []
    for number in range(ROUNDS):
        order = list(KINDS) if number % 2 else list(KINDS)[::-1]
        found.append({kind: ran(kind, base, rows) for kind in order})
        found[-1]["command"] = {"rate": commanded(base, rows)}
        shown = {kind: f"{one['rate']:.3g} rows/s" for kind, one in found[-1].items()}
        print(f"batch: round {number + 1} of {ROUNDS}: {shown}", flush=True)
    commands = ratio_of([(one["command"]["rate"], one["gather"]["rate"]) for one in found])
    print(
        f"batch: {rows} rows by the command: {commands.a_s:.0f} rows/s, gather"
        f" {commands.b_s:.0f}/s, ratio {commands.median:.3g} ({commands.low:.3g} to"
        f" {commands.high:.3g})"
    )
    for other in ("gather", "abatch"):
        rates = ratio_of([(one["ours"]["rate"], one[other]["rate"]) for one in found])
        print(
            f"batch: {rows} rows, {IN_FLIGHT} in flight at 50 ms: {rates.a_s:.0f} rows/s, {other}"
            f" {rates.b_s:.0f}/s, ratio {rates.median:.3g} ({rates.low:.3g} to {rates.high:.3g})"
        )
        cpu = ratio_of([(one["ours"]["cpu_s"], one[other]["cpu_s"]) for one in found])
        print(cpu.line("batch: CPU of a row", "ours", other))
    most = {kind: max(one[kind]["peak_mb"] for one in found) for kind in KINDS}
    peaks = ", ".join(f"{kind} {peak:.0f} MB" for kind, peak in most.items())
    print(f"batch: peak memory at {rows} rows: {peaks}")
    print(f"batch: ours at {4 * rows} rows: {ran('ours', base, 4 * rows)['peak_mb']:.0f} MB")


def main() -> None:
    """Compare, with as many rows as the argument says."""
    if len(sys.argv) == 4:
        asyncio.run(child(sys.argv[1], sys.argv[2], int(sys.argv[3])))
        return
    with served(Reply("good", delay_s=0.05)) as base:
        compare(base, int(sys.argv[1]) if len(sys.argv) > 1 else ROWS)


if __name__ == "__main__":
    main()
