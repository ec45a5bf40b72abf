"""A batch whose rows workers answer, over a real PostgreSQL; workers and database are killed."""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from tests.support.documents import GOOD
from tests.support.postgres import Postgres, programs, running_postgres
from tests.support.wire import SECRET, Reply, WireServer, configured

pytestmark = [
    pytest.mark.may_block,
    pytest.mark.timeout(900),
    pytest.mark.skipif(
        programs() is None or importlib.util.find_spec("dbos") is None,
        reason="PostgreSQL or the extra 'dbos' is not installed",
    ),
]
PER_WORKER = 4
PASSWORD = "canary-pass-4712"


@pytest.fixture(scope="module")
def postgres() -> Iterator[Postgres]:
    with running_postgres() as server:
        yield server


class Zygote:
    """Starts commands at once, because everything is loaded."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.client.machines_zygote"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
        )  # fmt: skip
        self._number()

    def _number(self) -> int:
        assert self._process.stdout is not None
        return int(self._process.stdout.readline())

    def start(self, arguments: tuple[str, ...], said: Path, environment: dict[str, str]) -> int:
        assert self._process.stdin is not None
        self._process.stdin.write(f"{json.dumps([arguments, str(said), environment])}\n")
        self._process.stdin.flush()
        return self._number()

    def stop(self) -> None:
        self._process.kill()
        self._process.wait()


@pytest.fixture(scope="module")
def zygote() -> Iterator[Zygote]:
    made = Zygote()
    yield made
    made.stop()


class Machines:
    """Commands that run at once, each as on a machine of its own."""

    def __init__(self, zygote: Zygote, config: dict[str, Any], directory: Path, url: str) -> None:
        self.directory, self.url, self.config, self._zygote = directory, url, config, zygote
        self._said: dict[int, Path] = {}

    def start(self, *arguments: str) -> int:
        said = self.directory / f"said-{len(self._said)}"
        said.touch()
        path = self.directory / f"config-{len(self._said)}.json"
        path.write_text(json.dumps(self.config))
        environment = {"ORCHESTRATOR_CONFIG": str(path), "ORCHESTRATOR_DATABASE": self.url,
                       "NO_COLOR": "1"}  # fmt: skip
        made = self._zygote.start(arguments, said, environment)
        self._said[made] = said
        return made

    def batch(self, rows: int, *options: str, more: str = "") -> int:
        source = self.directory / "in.jsonl"
        lines = [json.dumps({"id": n, "prompt": f"prompt {n}{more}"}) for n in range(rows)]
        source.write_text("\n".join(lines))
        return self.start("batch", str(source), "-o", str(self.output), "--operation", "ask",
                          "--engine", "dbos", "-q", *options)  # fmt: skip

    @property
    def output(self) -> Path:
        return self.directory / "out.jsonl"

    def in_database(self) -> str:
        """Everything that DBOS holds of rows and jobs, as text."""
        import psycopg

        with psycopg.connect(self.url) as connection:
            tables = connection.execute(
                "SELECT tablename FROM pg_tables WHERE schemaname = 'orchestrator_batch'"
            ).fetchall()
            return "\n".join(
                text
                for (table,) in tables
                for (text,) in connection.execute(
                    f"SELECT t::text FROM orchestrator_batch.{table} t"
                )
            )

    def said(self, process: int) -> str:
        return self._said[process].read_text()

    def all_said(self) -> str:
        return "".join(path.read_text() for path in self._said.values() if path.exists())

    def kill(self, process: int, by: signal.Signals = signal.SIGKILL) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(process, by)

    def ended(self, process: int, within_s: float = 240) -> int:
        """The exit code, once there is one."""
        wait(lambda: "\nexit " in self.said(process), within_s, self.all_said)
        return int(self.said(process).rsplit("exit ", 1)[1])

    def stop(self) -> None:
        for one in self._said:
            self.kill(one)


def wait(is_so: Callable[[], bool], within_s: float = 120, said: Callable[[], str] = str) -> None:
    until = time.monotonic() + within_s
    while not is_so():
        assert time.monotonic() < until, said()[-6000:]
        time.sleep(0.02)


@pytest.fixture
def machines(
    wire: WireServer,
    tmp_path: Path,
    postgres: Postgres,
    zygote: Zygote,
    request: pytest.FixtureRequest,
) -> Iterator[Machines]:
    limits = {"parallel": PER_WORKER}
    config: Any = configured(
        wire.base, "m", cache={"mode": "off"}, ledger={"enabled": False}, limits=limits
    )
    wire.decide = lambda asked: Reply(
        f"answer to {asked.body['messages'][-1]['content']}", delay_s=0.05
    )
    database = "".join(one for one in request.node.name if one.isalpha())[:40].lower()
    url = postgres.url.format(database=database).replace("tests@", f"tests:{PASSWORD}@")
    made = Machines(zygote, config, tmp_path, url)
    yield made
    made.stop()


def has_served(wire: WireServer, requests: int) -> bool:
    return wire.served.requests >= requests


def require_each_once(machines: Machines, rows: int) -> None:
    found = [json.loads(line) for line in machines.output.read_text().splitlines()]
    assert sorted(one["line"] for one in found) == list(range(1, rows + 1))
    for one in found:
        assert one["text"].startswith(f"answer to prompt {one['id']}"), one


def paid(wire: WireServer) -> Counter[str]:
    return Counter(body["messages"][-1]["content"] for body in wire.requests)


def test_a_worker_that_is_killed_loses_no_row(machines: Machines, wire: WireServer) -> None:
    rows = 60
    at_once = wire.decide
    wire.decide = lambda asked: Reply(
        f"answer to {asked.body['messages'][-1]['content']}", delay_s=2.0
    )
    workers = [machines.start("worker") for _ in range(2)]
    batch = machines.batch(rows, "--concurrency", "8", "--json")
    wait(lambda: wire.served.requests >= 2 * PER_WORKER, said=machines.all_said)
    wire.decide = at_once
    machines.kill(workers[0])
    assert machines.ended(batch) == 0
    summary = json.loads(machines.said(batch).partition("\nexit")[0])
    assert summary["calls"] >= wire.served.requests, "what the dead worker asked is not counted"
    require_each_once(machines, rows)
    assert len(paid(wire)) == rows
    assert sum(paid(wire).values()) <= rows + PER_WORKER
    machines.kill(workers[1], signal.SIGINT)
    assert machines.ended(workers[1]) == 0
    assert "finishes what is in flight" in machines.said(workers[1])
    assert PASSWORD not in machines.all_said()
    assert SECRET not in machines.all_said()


def test_a_worker_that_would_answer_otherwise_refuses_the_batch(
    machines: Machines, wire: WireServer
) -> None:
    batch = machines.batch(6)
    machines.config["model_list"][0]["litellm_params"]["model"] = "openai/other"
    other = machines.start("worker")
    wait(lambda: "refuses the batch" in machines.said(other), said=machines.all_said)
    words = machines.said(other)
    assert "route is 'default: other' here and 'default: m' there" in words.replace("openai/", "")
    assert wire.served.requests == 0
    wait(lambda: machines.in_database().count(",ENQUEUED,") == 5, said=machines.all_said)
    assert "prompt 3" in machines.in_database()
    for word in (PASSWORD, SECRET):
        assert word not in machines.in_database()
    wait(lambda: "no worker takes the rows" in machines.said(batch), said=machines.all_said)
    assert "orchestrator worker --database 'postgresql://tests@/" in machines.said(batch)
    machines.kill(batch, signal.SIGINT)  # nobody has begun a row: all are taken back
    assert machines.ended(batch, 10) == 130
    assert "ENQUEUED" not in machines.in_database()
    assert "prompt 3" not in machines.in_database()
    assert "Go on: orchestrator batch" in machines.said(batch)
    assert "--engine dbos --database 'postgresql://tests@/" in machines.said(batch)
    machines.config["model_list"][0]["litellm_params"]["model"] = "openai/m"
    machines.start("worker")
    assert machines.ended(machines.batch(6)) == 0
    require_each_once(machines, 6)
    assert sum(paid(wire).values()) == 6
    assert PASSWORD not in machines.all_said()


@pytest.mark.parametrize("breaks", ["budget", "outage"])
def test_what_a_row_was_answered_before_it_broke_off_is_not_paid_again_by_another_worker(
    machines: Machines, wire: WireServer, breaks: str
) -> None:
    def decide(asked: Any) -> Reply:
        is_first = "garbage" not in json.dumps(asked.body["messages"])
        return Reply("garbage") if is_first else Reply(status=401)

    wire.decide = decide
    (machines.directory / "in.jsonl").write_text('{"prompt": "a thermostat"}')
    command = ("batch", str(machines.directory / "in.jsonl"), "-o", str(machines.output),
               "--engine", "dbos", "-q")  # fmt: skip
    first = machines.start("worker")
    if breaks == "budget":
        assert machines.ended(machines.start(*command, "--budget", "1calls")) == 5
    else:
        assert machines.ended(machines.start(*command)) == 1
    machines.kill(first, signal.SIGTERM)
    assert machines.ended(first) == 0
    before = len(wire.requests)
    wire.decide = lambda asked: Reply(GOOD)
    machines.start("worker")
    options = ("--budget", "9calls") if breaks == "budget" else ("--retry-failed",)
    assert machines.ended(machines.start(*command, *options)) == 0
    assert json.loads(machines.output.read_text())["valid"]
    assert len(wire.requests) == before + 1
    assert "garbage" in json.dumps(wire.requests[-1]["messages"]), "the first answer is not given"


def test_an_absent_database_is_one_to_wait_for_in_whatever_words(tmp_path: Path) -> None:
    from dbos._utils import retriable_postgres_exception

    from orchestrator.client.batch.database import database_url, engine_of

    engine = engine_of(database_url(f"postgresql://tests@/x?host={tmp_path}"))
    with pytest.raises(sa.exc.OperationalError, match="connection is bad") as caught:
        engine.connect()
    assert retriable_postgres_exception(caught.value)


@pytest.mark.slow
def test_rows_whose_taking_was_never_answered_are_given_back(
    machines: Machines, wire: WireServer
) -> None:
    """As by a database that dies between a commit and its answer: the worker lives on."""
    import psycopg

    rows = 12
    wire.decide = lambda asked: Reply(
        f"answer to {asked.body['messages'][-1]['content']}", delay_s=3.0
    )
    batch = machines.batch(rows, "--concurrency", str(rows))
    machines.start("worker")
    wait(lambda: wire.served.requests >= PER_WORKER, said=machines.all_said)
    with psycopg.connect(machines.url) as connection:
        taken = connection.execute(
            "UPDATE orchestrator_batch.workflow_status SET status = 'PENDING', executor_id ="
            " (SELECT max(executor_id) FROM orchestrator_batch.workflow_status"
            " WHERE status = 'PENDING') WHERE status = 'ENQUEUED' AND queue_name LIKE 'rows%'"
        )
        assert taken.rowcount > 0
    assert machines.ended(batch) == 0
    require_each_once(machines, rows)
    assert sum(paid(wire).values()) == rows


@pytest.mark.slow
def test_a_rate_holds_for_all_workers_and_one_process_gathers(
    machines: Machines, wire: WireServer
) -> None:
    for _ in range(2):
        machines.start("worker")
    batch = machines.batch(9, "--rate", "3")
    wait(lambda: wire.served.requests >= 3, said=machines.all_said)
    other = machines.start(
        "batch", str(machines.directory / "in.jsonl"), "-o", str(machines.directory / "other"),
        "--operation", "ask", "--engine", "dbos",
    )  # fmt: skip
    assert machines.ended(other) == 2
    assert "another process gathers rows of this operation, route" in machines.said(other)
    assert wire.served.requests == 3
    machines.kill(batch)


@pytest.mark.slow
def test_a_budget_holds_for_all_workers_and_failed_rows_are_tried_again(
    machines: Machines, wire: WireServer
) -> None:
    workers = [machines.start("worker") for _ in range(2)]
    batch = machines.batch(40, "--budget", "10calls")
    assert machines.ended(batch) == 5
    assert "the next call may take 1 calls, and 0 of 10 are left" in machines.said(batch)
    assert wire.served.requests == 10
    assert len(machines.output.read_text().splitlines()) == 10
    right = wire.decide
    wire.decide = lambda asked: (
        Reply(status=400)
        if "7" in str(asked.body["messages"])
        else Reply(f"answer to {asked.body['messages'][-1]['content']}")
    )
    assert machines.ended(machines.batch(40)) == 1
    failed = [one for one in machines.output.read_text().splitlines() if '"failed"' in one]
    wire.decide, before = right, wire.served.requests
    assert machines.ended(machines.batch(40, "--retry-failed")) == 0
    assert wire.served.requests == before + len(failed)
    require_each_once(machines, 40)
    assert "prompt" not in machines.in_database()  # what the journal holds is kept once
    for one in workers:
        machines.kill(one, signal.SIGTERM)
        assert machines.ended(one) == 0


@pytest.mark.slow
def test_workers_coordinator_and_database_are_killed_and_no_row_is_lost(
    machines: Machines, wire: WireServer, postgres: Postgres
) -> None:
    rows, chance, kills = 1_000, random.Random(21), 0
    options = ("--concurrency", str(3 * PER_WORKER))
    workers = [machines.start("worker") for _ in range(3)]
    batch = machines.batch(rows, *options)
    for at in range(1, 9):
        wait(partial(has_served, wire, at * rows // 10), said=machines.all_said)
        time.sleep(chance.random() * 0.2)
        if at in (3, 6):
            postgres.stop(signal.SIGQUIT)
            time.sleep(2 * chance.random())
            postgres.start()
        elif at == 5:
            machines.kill(batch)
            kills += 1
            time.sleep(2 * chance.random())
            batch = machines.batch(rows, *options)
        else:
            one = chance.randrange(3)
            machines.kill(workers[one])
            kills += 1
            workers[one] = machines.start("worker")
    assert machines.ended(batch, 600) == 0
    require_each_once(machines, rows)
    counts = paid(wire)
    assert len(counts) == rows
    assert sum(counts.values()) <= rows + kills * PER_WORKER
    sys.stderr.write(f"{sum(counts.values()) / rows:.4f} calls a row after {kills} kills\n")
    assert PASSWORD not in machines.all_said()
    for word in ("Traceback", SECRET):
        assert word not in machines.all_said()


@pytest.mark.parametrize(
    ("url", "seen"),
    [
        (
            "postgresql://lab:p%40s%3As@db.example.org:5433/b",
            "postgresql://lab@db.example.org:5433/b",
        ),
        ("postgres://lab:x@[::1]/b", "postgresql://lab@[::1]/b"),
        ("postgresql:///b?host=db&password=x&sslpassword=y", "postgresql:///b?host=db"),
    ],
)
def test_a_command_to_go_on_with_shows_the_database_and_no_password(url: str, seen: str) -> None:
    from orchestrator.client.batch.database import without_password

    assert without_password(url) == seen


@pytest.mark.slow
def test_a_process_whose_place_another_one_took_ends_and_says_so(machines: Machines) -> None:
    import psycopg

    batch = machines.batch(3)
    wait(machines.output.exists, said=machines.all_said)
    wait(lambda: machines.in_database().count(",ENQUEUED,") == 4, said=machines.all_said)
    with psycopg.connect(machines.url, autocommit=True) as connection:
        held = connection.execute(
            "SELECT pid, (classid::bigint << 32) | objid::bigint FROM pg_locks"
            " WHERE locktype = 'advisory' AND mode = 'ExclusiveLock'"
        ).fetchall()
        ((process, number),) = held
        connection.execute(
            "SELECT pg_terminate_backend(%s, 5000), pg_advisory_lock(%s)", (process, number)
        )
        assert machines.ended(batch, 60) == 2
    assert "another process gathers rows of this operation" in machines.said(batch)


@pytest.mark.slow
def test_a_database_whose_tables_are_removed_ends_batch_and_worker_in_words(
    machines: Machines,
) -> None:
    import psycopg

    both = machines.start("worker"), machines.batch(900)
    wait(lambda: "takes rows" in machines.said(both[0]), said=machines.all_said)
    with psycopg.connect(machines.url, autocommit=True) as connection:
        connection.execute("DROP SCHEMA orchestrator_batch CASCADE")
    for one in both:
        assert machines.ended(one, 60) == 2
        words = 'it cannot be used: relation "orchestrator_batch.workflow_status" does not exist'
        assert words in machines.said(one)
    assert "Traceback" not in machines.all_said()


@pytest.mark.slow
@pytest.mark.parametrize("worker_is", ["alive", "dead"])
def test_an_interrupt_keeps_what_workers_answer_and_takes_back_the_rest(
    machines: Machines, wire: WireServer, worker_is: str
) -> None:
    rows = 40
    wire.decide = lambda asked: Reply(
        f"answer to {asked.body['messages'][-1]['content']}", delay_s=2.0
    )
    worker = machines.start("worker")
    batch = machines.batch(rows, "--concurrency", "12")
    wait(lambda: wire.served.requests >= PER_WORKER, said=machines.all_said)
    if worker_is == "dead":
        machines.kill(worker)
    machines.kill(batch, signal.SIGINT)
    assert machines.ended(batch, 40) == 130
    before = wire.served.requests
    assert before <= 2 * PER_WORKER  # what a worker took at that moment, too
    leaves = machines.said(batch).count("no worker is there any more: this ends in 10 s")
    assert leaves == (0 if worker_is == "alive" else 1)
    kept = machines.output.read_text().splitlines()
    assert len(kept) == (before if worker_is == "alive" else 0)
    jobs = 0 if worker_is == "alive" else 1  # one whose rows are left is there still
    assert machines.in_database().count(",ENQUEUED,") == jobs
    machines.start("worker")
    wire.decide = lambda asked: Reply(f"answer to {asked.body['messages'][-1]['content']}")
    assert machines.ended(machines.batch(rows, "--concurrency", "12")) == 0
    require_each_once(machines, rows)
    assert sum(paid(wire).values()) == rows + (0 if worker_is == "alive" else before)
