"""The engine of a batch on many machines: rows become DBOS workflows, workers answer them.

A workflow is known by job and request, so that it is there once however often the batch is started.
It is deleted once the journal holds its answer.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import math
import shlex
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from dbos import DBOS, DBOSClient

from orchestrator.client.batch.database import (
    APPLICATION,
    GRACE_S,
    JOBS,
    SCHEMA,
    VERSION,
    AdvisoryLock,
    client_of,
    database_url,
    engine_of,
    insist,
    present_at,
    take_back,
    unusable,
    without_password,
)
from orchestrator.client.batch.operations import BatchOutcome
from orchestrator.client.batch.runner import Stop
from orchestrator.types.bill import Taken
from orchestrator.types.errors import ConfigError

if TYPE_CHECKING:
    from dbos import WorkflowStatus

    from orchestrator.client.batch.budget import JobBudget
    from orchestrator.client.batch.job import Job
    from orchestrator.client.batch.journal import Journal
    from orchestrator.client.batch.operations import BatchRequest

#: Seconds between two looks for answers, and between two looks of a worker for rows.
POLL_S = 0.1
_ENDED = ["SUCCESS", "ERROR", "CANCELLED", "MAX_RECOVERY_ATTEMPTS_EXCEEDED"]
_AT_ONCE = 500
_MINUTE_S = 60.0
_LOOK_S = 1.0
_ABSENT_S = 20.0  # a connection of this process that broke may hold its lock until then
_ALONE_S = 5.0  # without a worker, before that is said
#: What becomes of a row when the batch ends and nobody is at work on it.
_LEFT = BatchOutcome("pending", {})
_NO_WORKER = (
    "no worker takes the rows of this batch: those that are there are at an older one, or say why"
    " they refuse it. Start one, on any machine"
)


@dataclass
class DistantEngine:
    """Gives requests to workers and gathers what they answer.

    Attributes:
        url: of the database, as others may see it.
        say: takes lines about workers that are missing.
        rate: the most rows that may begin within a minute; 0 for any number.
        budget: of the job, or None; what rows took is added to it.
        stop: says that the batch ends.
    """

    client: DBOSClient
    engine: sa.Engine
    job: Job
    url: str
    say: Callable[[str], None]
    rate: int = 0
    budget: JobBudget | None = None
    stop: Stop = field(default_factory=Stop)
    _waiting: dict[str, asyncio.Future[BatchOutcome]] = field(default_factory=dict)
    _kept: deque[tuple[float, str]] = field(default_factory=deque)
    _settled: asyncio.Event = field(default_factory=asyncio.Event)
    _rows: int = 0
    _took: Taken = field(default_factory=Taken)
    _failed: BaseException | None = None

    def begin(self, journal: Journal, budget: JobBudget | None, stop: Stop) -> None:
        """Forget what the journal holds, or what was not asked to its end. Blocks.

        Raises: ConfigError: the database cannot be reached.
        """
        self.budget, self.stop = budget, stop
        try:
            self._forget(journal)
        except sa.exc.DBAPIError as error:
            raise unusable(error) from None

    def _forget(self, journal: Journal) -> None:
        found = self.client.list_workflows(
            queue_name=queue_of(self.job.id), status=_ENDED, load_input=False
        )
        over = [
            one.workflow_id for one in found
            if _outcome(one).status == "pending" or journal.is_over(self._key(one.workflow_id))
        ]  # fmt: skip
        for at in range(0, len(over), _AT_ONCE):
            self.client.delete_workflows(over[at : at + _AT_ONCE])

    def kept(self, keys: Iterable[str]) -> None:
        """Hear which answers the journal holds: the database need not keep them."""
        self._kept.extend((time.monotonic(), self._id(key)) for key in keys)

    async def run(self, request: BatchRequest) -> BatchOutcome:
        """See `orchestrator.client.batch.runner.BatchEngine`."""
        left = await self._room()
        if self._failed is not None:
            raise self._failed
        if self.stop.why:
            return _LEFT
        one = self._id(request.key)
        answered = self._waiting[one] = asyncio.get_running_loop().create_future()
        try:
            options: Any = {
                "workflow_name": "row", "queue_name": queue_of(self.job.id), "workflow_id": one,
                "app_version": VERSION,
            }  # fmt: skip
            asked = dataclasses.asdict(request)
            await insist(self.client.enqueue, options, asked, left)
            outcome: BatchOutcome = await answered
        finally:
            del self._waiting[one]
            self._settled.set()
        if outcome is _LEFT:
            return outcome
        if outcome.status == "pending" or outcome.error == "RateLimitError":  # may be asked again
            await insist(self.client.delete_workflow, one)
        self._rows += 1
        self._took += outcome.taken
        if self.budget is not None:
            self.budget.taken += outcome.taken
        return outcome

    async def _room(self) -> str:
        """What is left of the budget for one more row, once those in flight leave enough."""
        if self.budget is None:
            return ""
        while self._waiting and not self.stop.why:
            took = float(getattr(self._took, self.budget.unit))
            mean = took / self._rows if self._rows else self.budget.most
            left = self.budget.left - mean * len(self._waiting)
            if left > mean:
                return self._bound(left)
            self._settled.clear()
            await self._settled.wait()
        return self._bound(max(self.budget.left, 0))

    def _bound(self, left: float) -> str:
        """What a row may take, as the worker reads it: what is left, of which, of how much."""
        assert self.budget is not None
        return f"{left:.9f} {self.budget.unit} {self.budget.most:.9f}"

    def _id(self, key: str) -> str:
        return f"{self.job.id}-{key}"

    def _key(self, one: str) -> str:
        return one.removeprefix(f"{self.job.id}-")

    async def watch(self) -> None:
        """Look for answers until it is cancelled."""
        while True:
            await asyncio.sleep(POLL_S)
            await self._look()

    def gave_up(self, watch: asyncio.Task[None]) -> None:
        """Raise what ended the looking where answers are waited for."""
        if not watch.cancelled() and (error := watch.exception()) is not None:
            self._failed = error
            for one in self._waiting.values():
                if not one.done():
                    one.set_exception(error)

    async def _look(self) -> None:
        if ids := list(self._waiting):
            for one in await insist(
                self.client.list_workflows, workflow_ids=ids, status=_ENDED, load_input=False
            ):
                outcome = _outcome(one)
                taken = outcome.taken
                taken += self._lost((one.recovery_attempts or 1) - 1)
                self._answer(one.workflow_id, outcome)
            if self.stop.why:
                for row in await insist(take_back, self.engine, queue_of(self.job.id)):
                    self._answer(row, _LEFT)
        # DBOS counts for its rate what began within the minute, while it is there.
        await self._delete(time.monotonic() - (_MINUTE_S if self.rate else 0))

    def _lost(self, deaths: int) -> Taken:
        """What workers that died took for a row, as far as it can be known: an average call."""
        calls = max(self._took.calls, 1)
        return Taken(self._took.usd * deaths / calls, self._took.tokens * deaths // calls, deaths)

    def _answer(self, row: str, outcome: BatchOutcome) -> None:
        answered = self._waiting.get(row)
        if answered is not None and not answered.done():
            answered.set_result(outcome)

    async def attend(self, presence: AdvisoryLock) -> None:
        """Be present, also after the database was away, and see to it that workers are.

        Raises: ConfigError: another process was quicker to be present again.
        """
        alone_since = said_at = absent_since = math.inf
        is_said = False
        while True:
            await asyncio.sleep(_LOOK_S)
            is_kept, now = await insist(presence.keep), time.monotonic()
            absent_since = math.inf if is_kept else min(absent_since, now)
            if now - absent_since >= _ABSENT_S:
                raise _others_gather()
            workers = await insist(present_at, self.engine, queue_of(self.job.id))
            if workers or not self._waiting:
                alone_since = said_at = math.inf
                continue
            alone_since = min(alone_since, now)
            if self.stop.why:
                is_said = self._leave(now - alone_since, is_said=is_said)
            elif now - alone_since >= _ALONE_S and not 0 <= now - said_at < _MINUTE_S:
                said_at = now
                self.say(f"{_NO_WORKER}: orchestrator worker --database {shlex.quote(self.url)}")

    def _leave(self, alone_s: float, *, is_said: bool) -> bool:
        """Leave the rows that workers had begun which are gone; whether that is said by now."""
        if not is_said:
            words = "the next run gathers or asks again what was begun"
            self.say(f"no worker is there any more: this ends in {GRACE_S:g} s, and {words}")
        if alone_s >= GRACE_S:
            for row in self._waiting:
                self._answer(row, _LEFT)
        return True

    async def _delete(self, before: float) -> None:
        over: list[str] = []
        while self._kept and self._kept[0][0] <= before:
            over.append(self._kept.popleft()[1])
        for at in range(0, len(over), _AT_ONCE):
            await insist(self.client.delete_workflows, over[at : at + _AT_ONCE])

    def close(self) -> None:
        """Delete what the journal holds, and the job where nothing of it is left. Blocks.

        Where the database is away, the next run of the job deletes it.
        """
        with contextlib.suppress(sa.exc.DBAPIError):
            self.client.delete_workflows([one for _, one in self._kept])
            left = self.client.list_workflows(
                queue_name=queue_of(self.job.id), limit=1, load_input=False, load_output=False
            )
            if not left:
                self.client.delete_workflow(job_entry(self.job.id))
                self.client.delete_queue(queue_of(self.job.id))


def queue_of(job: str) -> str:
    """The name of a job's queue."""
    return f"rows of {job}"


def job_entry(job: str) -> str:
    """The workflow id of a job's entry, and the name by which its coordinator is present."""
    return f"job {job}"


def _outcome(found: WorkflowStatus) -> BatchOutcome:
    if found.status == "SUCCESS":
        made = dict(found.output or {})
        return BatchOutcome(**{**made, "taken": Taken(**made["taken"])})
    why = {
        "CANCELLED": "its workflow was cancelled",
        "MAX_RECOVERY_ATTEMPTS_EXCEEDED": "each worker that took it died",
    }.get(found.status, f"the worker failed: {found.error}")
    said = {"kind": "WorkerError", "message": why}
    return BatchOutcome("failed", {"valid": False, "error": said}, error="WorkerError")


@contextlib.asynccontextmanager
async def distant(
    url: str,
    job: Job,
    *,
    concurrency: int,
    per_worker: int,
    rate: int = 0,
    say: Callable[[str], None],
) -> AsyncIterator[DistantEngine]:
    """The engine of a job whose rows are given to the workers of a database.

    `say` takes lines for the user: that workers are missing.

    Raises: ConfigError: the database cannot be used, or another process gathers this job.
    """
    named = database_url(url)
    engine = engine_of(named)
    presence = AdvisoryLock(engine, job_entry(job.id))
    try:
        client = await asyncio.to_thread(_announced, named, engine, presence, job)
        made = DistantEngine(client, engine, job, without_password(url), say, rate)
        await insist(
            client.register_queue, queue_of(job.id), global_concurrency=concurrency,
            worker_concurrency=min(per_worker, concurrency), polling_interval_sec=POLL_S,
            limiter={"limit": rate, "period": _MINUTE_S} if rate else None,
        )  # fmt: skip
        watch = asyncio.create_task(made.watch())
        watch.add_done_callback(made.gave_up)
        present = asyncio.create_task(made.attend(presence))
        present.add_done_callback(made.gave_up)
        try:
            yield made
        finally:
            for task in (watch, present):
                task.cancel()
            await asyncio.gather(watch, present, return_exceptions=True)
        await asyncio.to_thread(made.close)
    finally:
        presence.close()
        engine.dispose()


def _others_gather() -> ConfigError:
    words = "another process gathers rows of this operation, route and settings there"
    return ConfigError("--database", words, fix="Wait for it, stop it, or use another database.")


def _announced(url: sa.URL, engine: sa.Engine, presence: AdvisoryLock, job: Job) -> DBOSClient:
    """Make the tables where they are missing, and say to workers what the job is."""
    try:
        DBOS.migrate(url.render_as_string(hide_password=False), schema=SCHEMA)
        if not presence.keep():
            raise _others_gather()
        client = client_of(engine)
        options: Any = {
            "workflow_name": "job", "queue_name": JOBS, "workflow_id": job_entry(job.id),
            "app_version": VERSION, "application_name": APPLICATION,
        }  # fmt: skip
        client.enqueue(options, entry_of(job))
    except sa.exc.DBAPIError as error:
        raise unusable(error) from None
    return client


def entry_of(job: Job) -> Mapping[str, Any]:
    """The entry of a job, as JSON and without secrets."""
    contract = job.beside.get("contract")
    return {
        "id": job.id, "operation": job.operation, "shared": dict(job.shared),
        "contract": None if contract is None else contract.schema,
        "cache": job.beside.get("cache"), "tenant": job.beside.get("tenant", ""),
        "parts": dict(job.parts),
    }  # fmt: skip
