"""Questions that are bought in files from a provider, and the answers that come of them.

Every step is in the journal before the next one: a file is uploaded, which costs nothing; that is
noted with a mark; the batch is bought under the mark; its id is noted; it is waited for. What a
kill cut off between the last two is found at the provider by its mark.
"""

from __future__ import annotations

import asyncio
import functools
import time
import uuid
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from orchestrator.client.batch.bought import BatchLine, Bought, OpenBatch, all_bought, key_of
from orchestrator.client.batch.polling import Polling, is_rate_limit
from orchestrator.routing.batches import REFUSALS, ProviderBatches, batch_failed, results_in
from orchestrator.types.errors import ConfigError, LLMError, OrchestratorError
from orchestrator.types.requests import Usage
from orchestrator.types.run_context import RequestCost
from orchestrator.types.visible import logger_of

if TYPE_CHECKING:
    from orchestrator.client.batch.journal import Journal
    from orchestrator.client.batch.runner import Stop
    from orchestrator.ledger.ledger import LedgerEntry
    from orchestrator.models.deployment import Deployment
    from orchestrator.types.requests import WireAttempt

_log = logger_of(__name__)
#: What a provider takes in one file.
MOST_LINES, MOST_BYTES = 50_000, 100_000_000
#: Rows that may wait for answers where nothing else is stated.
USUAL_LINES = 10_000
_LOOKS = 3  # for a batch whose id was lost, before it is taken for not bought
_AN_HOUR_S = 3600.0  # how far the provider's clock may be off


@dataclass(slots=True)
class _File:
    """Lines for one deployment that wait to be bought together."""

    provider: ProviderBatches
    lines: list[BatchLine] = field(default_factory=list)
    size: int = 0
    timer: asyncio.TimerHandle | None = None


@dataclass
class Purchases:
    """All files of one job.

    Attributes:
        tenant: whose ledger lines and budget of a day they are on.
        most_lines, most_bytes: the largest file.
        is_more_coming: whether further lines are on their way.
        linger_s: seconds without a further line after which a file is sent that is not full.
        pause_s: seconds before the second poll; each later pause is longer.
        lines: ``custom_id`` and number of the file of what is bought, by the key of the request.
    """

    orchestrator: Any
    journal: Journal
    stop: Stop
    tenant: str
    most_lines: int
    is_more_coming: Callable[[], bool]
    most_bytes: int = MOST_BYTES
    linger_s: float = 0.5
    pause_s: float = 1.0
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    lines: dict[str, tuple[str, int]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._router = self.orchestrator._router
        self._polling = Polling(self.stop, self.sleep, self.pause_s)
        self._files: dict[str, _File] = {}
        self._at_work: set[asyncio.Task[None]] = set()
        self._opened: dict[int, OpenBatch] = {}
        self._leaving: asyncio.Future[None] | None = None
        self._stopping: asyncio.Task[None] | None = None
        self.known = all_bought(self.journal)
        for one in self.known:
            if one.state != "void":
                self._know(one)

    def _know(self, bought: Bought) -> None:
        self.lines.update((key_of(name), (name, bought.number)) for name in bought.lines)

    @property
    def unfetched(self) -> list[str]:
        """Ids of the batches whose answers nobody fetched yet."""
        return [one.batch for one in self.known if one.batch and not one.state]

    # -- buying ------------------------------------------------------------------------------------

    async def placed(self, line: BatchLine) -> OpenBatch | None:
        """Put a line into a file, and wait until that is bought; None where it never is.

        Raises: OrchestratorError, OSError: it cannot be bought.
        """
        one = line.provider.one.id
        if one in self._files and self._files[one].size + len(line.raw) > self.most_bytes:
            self._send(one)
        file = self._files.setdefault(one, _File(line.provider))
        file.lines.append(line)
        file.size += len(line.raw)
        if len(file.lines) >= self.most_lines:
            self._send(one)
        else:
            self._linger(one, file)
        made: OpenBatch | None = await self._unless_left(line.placed)
        return made

    def _linger(self, one: str, file: _File) -> None:
        if file.timer is not None:
            file.timer.cancel()
        loop = asyncio.get_running_loop()
        file.timer = loop.call_later(self.linger_s, self._lingered, one, file)

    def _lingered(self, one: str, file: _File) -> None:
        if self.is_more_coming():
            self._linger(one, file)
        elif self._files.get(one) is file:
            self._send(one)

    def _send(self, one: str) -> None:
        file = self._files.pop(one)
        if file.timer is not None:
            file.timer.cancel()
        if self.stop.why:
            for line in file.lines:
                line.placed.set_result(None)
            return
        task = asyncio.create_task(self._bought(file))
        self._at_work.add(task)
        task.add_done_callback(self._at_work.discard)

    async def _bought(self, file: _File) -> None:
        """Buy a file, and tell its lines."""
        failure: Exception | None = None
        made = None
        try:
            made = await self._buy(file.provider, file.lines)
        except (OrchestratorError, OSError) as error:
            failure = error
        for line in file.lines:
            if line.placed.done():
                continue
            if failure is None:
                line.placed.set_result(made)
            else:
                line.placed.set_exception(failure)

    async def _buy(self, provider: ProviderBatches, lines: list[BatchLine]) -> OpenBatch:
        costs = [line.expected.cost_usd for line in lines]
        usage = sum((line.expected.usage for line in lines), Usage())
        usd = None if None in costs else sum(filter(None, costs))
        raw = b"".join(line.raw for line in lines)
        # Nothing is paid of a file: one that the provider took without saying so costs nothing.
        upload = functools.partial(provider.upload, raw)
        file = await self._polling.result(upload, is_left=True)
        cost = RequestCost(self.tenant, bill=None)
        reserved = await self._router.transport.reserve(usd, cost)
        bought = Bought(
            len(self.known), provider.one.id, lines[0].route, tuple(line.name for line in lines),
            uuid.uuid4().hex, self.orchestrator._ledger.next_id(), (usd, usage.total_tokens),
            time.time(), file,
        )  # fmt: skip
        self.known.append(bought)
        made = self._opened[bought.number] = OpenBatch(bought, provider, reserved=reserved)
        await self._note(made)
        most = replace(lines[0].expected, usage=usage, cost_usd=usd)
        await asyncio.to_thread(self._entry(bought).cost_so_far.send, most)  # before it is bought
        await self._note(made, batch=await self._created(made))
        self._know(made.bought)
        return made.begin(self._fetched(made))

    async def _created(self, made: OpenBatch) -> str:
        """Buy what a file asks for, once: where it is not known whether that was carried out, the
        batch is looked for; at a rate limit nothing was.

        Raises: LLMError: it was not made, or is not found.
        """
        create = functools.partial(made.provider.create, made.bought.file, made.bought.mark)
        try:
            return await self._polling.result(create, is_left=True, repeated=is_rate_limit)
        except LLMError as error:
            if error.status in REFUSALS or not (found := await self._looked_for(made)):
                raise
            return found

    async def _note(self, made: OpenBatch, **changes: str) -> None:
        made.bought = await asyncio.to_thread(made.bought.kept, self.journal, **changes)
        self.known[made.bought.number] = made.bought

    def _entry(self, bought: Bought) -> LedgerEntry:
        entry: LedgerEntry = self.orchestrator._ledger.open(
            "batch", route=bought.route, tenant=self.tenant, name=bought.entry
        )
        # The limits are those of one request, and the bills those of its rows.
        entry.cost_so_far = RequestCost(self.tenant, announce=entry.announce, bill=None)
        return entry

    # -- what came of it ---------------------------------------------------------------------------

    def of(self, number: int) -> OpenBatch:
        """A batch by its number, also of an earlier run.

        Raises: ConfigError: its deployment is not configured any more.
        """
        if (found := self._opened.get(number)) is None:
            bought = self.known[number]
            provider = ProviderBatches(self._router, self._deployment(bought))
            found = self._opened[number] = OpenBatch(bought, provider)
            found.begin(self._found(found))
        return found

    def _deployment(self, bought: Bought) -> Deployment:
        ready: tuple[Deployment, ...] = self._router.deployments.ready
        for one in ready:
            if one.id == bought.deployment:
                return one
        words = f"the batch {bought.batch or bought.mark} is at {bought.deployment}, which is not"
        fix = "Configure it again, with its key, until what was bought is fetched."
        raise ConfigError("--engine provider", f"{words} configured", fix=fix)

    async def _found(self, made: OpenBatch) -> dict[str, Any]:
        """The results of a batch of an earlier run; one whose id was lost is looked for."""
        if not made.bought.batch and (batch := await self._looked_for(made)):
            await self._note(made, batch=batch)
        if made.bought.batch:
            return await self._fetched(made)
        await self._void(made)
        return {}

    async def _looked_for(self, made: OpenBatch) -> str:
        """The id of a batch that may have been bought; empty where the provider has none."""
        bought, batch = made.bought, ""
        since = bought.at - _AN_HOUR_S
        find = functools.partial(made.provider.find, bought.file, bought.mark, since=since)
        for look in range(_LOOKS):
            if look:
                await self.sleep(self.pause_s)
            if batch := await self._polling.result(find, is_left=True):
                break
        return batch

    async def _void(self, made: OpenBatch) -> None:
        """Nothing was bought after all, or nothing came of it."""
        await self._note(made, state="void")
        await self._close(made, ())

    async def _fetched(self, made: OpenBatch) -> dict[str, Any]:
        """Wait for a batch, read its answers, and put them on the bill.

        Raises: LLMError: they cannot be had, or the provider refused the batch.
        """
        name, provider = made.bought.batch, made.provider
        state = await self._polling.result(
            lambda: provider.state(name), lambda state: state.is_over
        )
        found: dict[str, Any] = {}
        for file in state.files:
            raw = await self._polling.result(functools.partial(provider.content, file))
            found = await asyncio.to_thread(results_in, raw) | found
        found = {name: found[name] for name in made.bought.lines if name in found}
        if not found and state.status == "failed":
            await self._void(made)
            raise batch_failed(made.bought.batch, state.problem)
        if missing := len(made.bought.lines) - len(found):
            words = "batch %s is %s: %d of %d lines have no answer and are asked at once"
            _log.warning(words, made.bought.batch, state.status, missing, len(made.bought.lines))
        await self._billed(made, found)
        return found

    async def _billed(self, made: OpenBatch, found: Mapping[str, Any]) -> None:
        """Put a batch on the bill, once: a kill between the steps leaves its estimate there."""
        if made.bought.state:
            return
        answers = [await made.provider.answer(body) for body in found.values()]
        wire = tuple(one.wire[0] for one in answers if one is not None)
        await self._note(made, state="billed")
        await self._close(made, wire)

    async def _close(self, made: OpenBatch, wire: tuple[WireAttempt, ...]) -> None:
        """End its line in the ledger, with the sum of what it took."""
        if made.reserved is not None:
            await self._router.transport.settle(made.reserved, wire)
        entry = self._entry(made.bought)
        if wire:
            costs = [one.cost_usd for one in wire]
            usd = None if None in costs else sum(filter(None, costs))
            usage = sum((one.usage for one in wire), Usage())
            entry.cost_so_far.add((replace(wire[0], usage=usage, cost_usd=usd),))
        await asyncio.to_thread(entry.close, "answered" if wire else "unsent")

    async def answers(self, made: OpenBatch) -> dict[str, Any] | None:
        """The bodies of a batch's answers by ``custom_id``; None where the batch is left instead.

        Raises: LLMError: they cannot be had.
        """
        assert made.results is not None
        waiting: asyncio.Future[dict[str, Any] | None] = asyncio.get_running_loop().create_future()

        def over(task: asyncio.Task[dict[str, Any]]) -> None:
            if waiting.done() or task.cancelled():
                return
            if (error := task.exception()) is not None:
                waiting.set_exception(error)
            else:
                waiting.set_result(task.result())

        made.results.add_done_callback(over)
        try:
            found: dict[str, Any] | None = await self._unless_left(waiting)
        finally:
            made.results.remove_done_callback(over)
        return found

    async def settled(self) -> None:
        """Fetch also what is bought for rows that are gone, so that it is on the bill.

        Raises: LLMError: it cannot be had; ConfigError: as `of`.
        """
        for one in self.known:
            if not one.state:
                await self.answers(self.of(one.number))

    # -- leaving -----------------------------------------------------------------------------------

    async def _unless_left(self, future: asyncio.Future[Any]) -> Any:
        """The result of a future, None once what it waits for is left."""
        if self._leaving is None:
            self._leaving = asyncio.get_running_loop().create_future()
            self._stopping = asyncio.create_task(self._leave(self._leaving))
        leaving = self._leaving

        def leave(_: object) -> None:
            if not future.done():
                future.set_result(None)

        leaving.add_done_callback(leave)
        try:
            return await future
        finally:
            leaving.remove_done_callback(leave)

    async def _leave(self, leaving: asyncio.Future[None]) -> None:
        """Let go of everything once the batch stops; at a budget what is bought is fetched."""
        await self.stop.wait()
        for one in list(self._files):
            self._send(one)
        if self.stop.why != "budget":
            while self._at_work:  # the id of a file that is being bought is noted first
                await asyncio.wait(set(self._at_work))
            leaving.set_result(None)

    async def aclose(self) -> None:
        """End the waiting; nothing at the provider is cancelled."""
        waits: list[asyncio.Task[Any]] = [*self._at_work]
        waits += [self._stopping] if self._stopping is not None else []
        waits += [one.results for one in self._opened.values() if one.results is not None]
        for file in self._files.values():
            if file.timer is not None:
                file.timer.cancel()
        for one in waits:
            one.cancel()
        await asyncio.gather(*waits, return_exceptions=True)
