"""Rows at 50 ms through one worker and through three, over a real PostgreSQL: processor time a row.

Everything runs on this machine, so that the seconds of the clock say little; the processor time of
the workers says whether three of them answer three times as much. On two cores a row takes more of
it beside any busy process, so that one worker is also measured beside two that do something else.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.ratio import ratio_of
from tests.client.test_batch_machines import Machines, Zygote, wait
from tests.support.postgres import Postgres, running_postgres
from tests.support.wire import Reply, WireServer, configured

ROWS, PER_WORKER, ROUNDS = 300, 8, 4
_BUSY = """
import json
made = {str(number): [number] * 20 for number in range(3000)}
while True:
    json.loads(json.dumps(made))
"""


def processor_s(process: int) -> float:
    """Seconds of processor time that a process has taken."""
    fields = Path(f"/proc/{process}/stat").read_text().rsplit(") ", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def a_row(zygote: Zygote, wire: WireServer, postgres: Postgres, workers: int) -> float:
    """Processor seconds of all workers for a row; says the rows a second and the calls a row."""
    wire.clear()
    wire.decide = lambda asked: Reply("answer", delay_s=0.05)
    limits = {"parallel": PER_WORKER}
    config: Any = configured(
        wire.base, "m", cache={"mode": "off"}, ledger={"enabled": False}, limits=limits
    )
    with tempfile.TemporaryDirectory() as place:
        url = postgres.url.format(database=f"bench{time.monotonic_ns()}")
        machines = Machines(zygote, config, Path(place), url)
        made = [machines.start("worker") for _ in range(workers)]
        for one in made:
            wait(partial(_is_ready, machines, one))
        before, began = sum(map(processor_s, made)), time.monotonic()
        batch = machines.batch(ROWS, "--concurrency", str(PER_WORKER * workers))
        assert machines.ended(batch) == 0
        took = sum(map(processor_s, made)) - before
        calls, rate = wire.served.requests / ROWS, ROWS / (time.monotonic() - began)
        cpu = f"{took / ROWS * 1e3:.1f} ms of processor time a row"
        print(f"{workers} workers: {rate:.1f} rows/s, {calls:.3f} calls a row, {cpu}")
        for one in made:
            machines.kill(one, signal.SIGKILL)
    return took / ROWS


def _is_ready(machines: Machines, worker: int) -> bool:
    return "waits for rows" in machines.said(worker)


@contextlib.contextmanager
def busy_processes(count: int) -> Iterator[None]:
    """So many processes that compute all the time, and nothing of ours."""
    made = [subprocess.Popen([sys.executable, "-c", _BUSY]) for _ in range(count)]
    try:
        yield
    finally:
        for one in made:
            one.kill()
            one.wait()


def main() -> None:
    """Measure in turn, and print the ratios."""
    wire, zygote = WireServer(), Zygote()
    alone, beside = [], []
    with running_postgres() as postgres:
        for _ in range(ROUNDS):
            three = a_row(zygote, wire, postgres, 3)
            alone.append((three, a_row(zygote, wire, postgres, 1)))
            with busy_processes(2):
                print("beside two busy processes: ", end="")
                beside.append((three, a_row(zygote, wire, postgres, 1)))
    zygote.stop()
    wire.stop()
    name = "processor time of the workers for a row"
    print(ratio_of(alone).line(name, "three", "one"))
    print(ratio_of(beside).line(name, "three", "one beside two busy processes"))


if __name__ == "__main__":
    main()
