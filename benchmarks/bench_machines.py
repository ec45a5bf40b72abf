"""Rows at 50 ms through one worker and through three, over a real PostgreSQL: processor time a row.

Everything runs on this machine, so that the seconds of the clock say little; the processor time of
the workers says whether three of them answer three times as much.
"""

from __future__ import annotations

import os
import signal
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.ratio import ratio_of
from tests.client.test_batch_machines import Machines, Zygote, wait
from tests.support.postgres import Postgres, running_postgres
from tests.support.wire import Reply, WireServer, configured

ROWS, PER_WORKER, ROUNDS = 300, 8, 4


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


def main() -> None:
    """Measure in turn, and print the ratio."""
    wire, zygote = WireServer(), Zygote()
    with running_postgres() as postgres:
        rounds = [
            (a_row(zygote, wire, postgres, 3), a_row(zygote, wire, postgres, 1))
            for _ in range(ROUNDS)
        ]
    zygote.stop()
    wire.stop()
    print(ratio_of(rounds).line("processor time of the workers for a row", "three", "one"))


if __name__ == "__main__":
    main()
