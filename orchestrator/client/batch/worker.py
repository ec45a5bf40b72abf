"""`orchestrator worker`: answers rows of batches that other machines gather.

DBOS hands rows to workers and keeps their answers. Without its own service it does not see that a
worker died: here each worker is present by a lock of PostgreSQL, and the others take over the rows
of one whose lock is free for a while. Nor does it see that a worker took rows by a transaction
whose answer was lost with the connection: they would be that worker's for as long as it lives, and
it gives those back that it never began.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import threading
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from dbos import DBOS, DBOSClient

from orchestrator.client.batch.budget import JobBudget
from orchestrator.client.batch.database import (
    APPLICATION,
    GRACE_S,
    JOBS,
    SCHEMA,
    VERSION,
    AdvisoryLock,
    JsonSerializer,
    client_of,
    database_url,
    engine_of,
    insist,
    is_present,
    unusable,
)
from orchestrator.client.batch.distant import job_entry, queue_of
from orchestrator.client.batch.job import Job, job_of
from orchestrator.client.batch.operations import BatchRequest, ask
from orchestrator.types.bill import Bill, set_bill
from orchestrator.types.errors import ConfigError, LLMError
from orchestrator.types.own_process import OWN_LOOP

if TYPE_CHECKING:
    from orchestrator.client.orchestrator import Orchestrator

_LOOK_S = 1.0
_MOST_ATTEMPTS = 10  # a row that kills its worker each time fails after so many
_FOR_EVER_S = 10**7


@dataclass
class Worker:
    """Serves one job after another, the oldest first.

    Attributes:
        say: takes lines about what the worker does.
    """

    orchestrator: Orchestrator
    url: str
    say: Callable[[str], None]
    _job: Job | None = None
    _refused: dict[str, str] = field(default_factory=dict)
    _begun: set[str] = field(default_factory=set)

    async def run(self, stop: asyncio.Event) -> None:
        """Serve until it is to stop; what is in flight then is finished.

        Raises: ConfigError: the database cannot be used.
        """
        await self.orchestrator._open()
        url = database_url(self.url)
        engine = engine_of(url)

        @DBOS.workflow(name="row", max_recovery_attempts=_MOST_ATTEMPTS)
        async def row(asked: Mapping[str, Any], left: str) -> Mapping[str, Any]:
            return await self._row(asked, left)

        try:
            client = await asyncio.to_thread(_client, url, engine)
            self.say("waits for rows; Ctrl-C finishes what is in flight")
            while not stop.is_set():
                if (entry := await self._next(engine, client)) is None:
                    await _pause(stop)
                else:
                    await self._serve(entry, engine, client, stop)
        finally:
            engine.dispose()

    async def _next(self, engine: sa.Engine, client: DBOSClient) -> Mapping[str, Any] | None:
        """The oldest job that goes on and that this configuration fits."""
        for one in await insist(client.list_workflows, queue_name=JOBS):
            entry: Mapping[str, Any] = (one.input or {"args": [{}]})["args"][0]
            if entry["id"] in self._refused:
                continue
            if not await insist(_goes_on, engine, client, entry["id"]):
                continue
            if not (why := await self._differs(entry)):
                return entry
            self._refused[entry["id"]] = why
            self.say(f"refuses the batch {entry['id']}: {why}")
        return None

    async def _differs(self, entry: Mapping[str, Any]) -> str:
        """What of the configuration here would answer otherwise; empty where nothing does."""
        try:
            self._job = await job_of(
                self.orchestrator, entry["operation"], contract=entry["contract"],
                cache=entry["cache"], tenant=entry["tenant"], **entry["shared"],
            )  # fmt: skip
        except (ConfigError, LLMError, ValueError, TypeError) as error:
            return str(error)
        here, there = self._job.parts, entry["parts"]
        return "; ".join(
            f"{name} is {here.get(name)!r} here and {there.get(name)!r} there"
            for name in sorted({*here, *there}) if here.get(name) != there.get(name)
        )  # fmt: skip

    async def _row(self, asked: Mapping[str, Any], left: str) -> Mapping[str, Any]:
        """Answer one row; DBOS runs it in a task, and so a context, of its own."""
        assert self._job is not None
        OWN_LOOP.set(True)  # a worker does nothing else
        self._begun.add(str(DBOS.workflow_id))
        budget = None
        if left:
            rest, unit, most = left.split()
            budget = JobBudget(float(most), unit)
            setattr(budget.taken, unit, float(most) - float(rest))
        bill = Bill(budget)
        set_bill(bill)
        outcome = await ask(self.orchestrator, BatchRequest(**asked), self._job.beside, bill)
        return dataclasses.asdict(outcome)

    async def _serve(
        self, entry: Mapping[str, Any], engine: sa.Engine, client: DBOSClient, stop: asyncio.Event
    ) -> None:
        queue, name = queue_of(entry["id"]), uuid.uuid4().hex
        keeper = _Keeper(engine, client, queue, name, self._begun)
        await insist(keeper.presence.keep)
        DBOS(config={
            "name": APPLICATION, "system_database_engine": engine, "dbos_system_schema": SCHEMA,
            "system_database_url": "postgresql://engine/given", "executor_id": name,
            "application_version": VERSION, "serializer": JsonSerializer(),
            "use_listen_notify": False, "run_migrations": False, "enable_otlp": False,
            "log_level": "WARNING",
        })  # fmt: skip
        DBOS.listen_queues([queue])
        DBOS.launch()  # in this thread: rows run on its event loop
        keeper.start()
        self.say(f"takes rows of the batch {entry['id']}")
        try:
            while not stop.is_set() and await insist(_goes_on, engine, client, entry["id"]):
                await _pause(stop)
        finally:
            await asyncio.to_thread(DBOS.destroy, workflow_completion_timeout_sec=_FOR_EVER_S)
            await asyncio.to_thread(keeper.end)


class _Keeper(threading.Thread):
    """Keeps a worker present, and lets the rows of dead ones be taken again.

    A thread, because a busy event loop must not look like a death.
    """

    def __init__(
        self, engine: sa.Engine, client: DBOSClient, queue: str, name: str, begun: set[str]
    ) -> None:
        super().__init__(name="orchestrator-presence", daemon=True)
        self.presence = AdvisoryLock(engine, name, at=queue)
        self._engine, self._client, self._queue, self._own = engine, client, queue, name
        self._begun, self._idle_since = begun, dict[str, float]()
        self._over = threading.Event()

    def run(self) -> None:
        while not self._over.wait(_LOOK_S):
            try:
                if self.presence.keep():
                    self._look()
            except sa.exc.DBAPIError:  # others lost their connections too: wait from the beginning
                self._idle_since.clear()

    def _look(self) -> None:
        begun = set(self._begun)  # before the list: a row is in it from before it begins
        running = self._client.list_workflows(
            queue_name=self._queue, status="PENDING", load_input=False, load_output=False
        )
        mine = {one.workflow_id for one in running if one.executor_id == self._own}
        self._begun -= begun - mine
        others = {one.executor_id for one in running if one.executor_id} - {self._own}
        idle = {name for name in others if not is_present(self._engine, name)}
        idle |= mine - self._begun
        now = time.monotonic()
        self._idle_since = {name: self._idle_since.get(name, now) for name in idle}
        over = {name for name, since in self._idle_since.items() if now - since >= GRACE_S}
        if dead := over & others:
            DBOS._recover_pending_workflows(sorted(dead))  # only rows that are still theirs
        for row in over & mine:
            self._client.resume_workflow(row, queue_name=self._queue)

    def end(self) -> None:
        """Stop, and give the lock back."""
        self._over.set()
        self.join()
        self.presence.close()


def _goes_on(engine: sa.Engine, client: DBOSClient, job: str) -> bool:
    """Whether a job is gathered, or has rows that are not answered."""
    left = client.list_workflows(
        queue_name=queue_of(job), status=["ENQUEUED", "PENDING"], limit=1, load_input=False,
        load_output=False,
    )  # fmt: skip
    return bool(left) or is_present(engine, job_entry(job))


def _client(url: sa.URL, engine: sa.Engine) -> DBOSClient:
    try:
        DBOS.migrate(url.render_as_string(hide_password=False), schema=SCHEMA)
        return client_of(engine)
    except sa.exc.DBAPIError as error:
        raise unusable(error) from None


async def _pause(stop: asyncio.Event) -> None:
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(stop.wait(), _LOOK_S)
