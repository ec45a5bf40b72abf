"""What is bought of a provider's batches: lines, files, and how the journal keeps them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any, Self

from orchestrator.types.errors import ConfigError

if TYPE_CHECKING:
    from orchestrator.client.batch.journal import Journal
    from orchestrator.routing.batches import ProviderBatches
    from orchestrator.routing.budget import Reserved
    from orchestrator.types.requests import WireAttempt

_NOTE = "provider batch"


@dataclass(frozen=True, slots=True)
class Bought:
    """One file of requests at a provider; noted before it is bought, and at each step after.

    Attributes:
        number: of this job, from 0.
        deployment, route: who was asked.
        lines: ``custom_id`` of each line: the key of its request, and a digest of what is sent.
        mark: what the batch is found by where its id was lost.
        entry: id of its line in the ledger.
        most: dollars (None where not known) and tokens that it takes at most.
        at: when it was noted, in seconds since 1970.
        file, batch: ids at the provider; empty before they are known.
        state: empty, ``billed``: it is on the bill; ``void``: nothing came of it.
    """

    number: int
    deployment: str
    route: str
    lines: tuple[str, ...]
    mark: str
    entry: str
    most: tuple[float | None, int]
    at: float
    file: str
    batch: str = ""
    state: str = ""

    def kept(self, journal: Journal, **changes: str) -> Self:
        """The same with changes, which the journal knows from now on. Blocks."""
        made = replace(self, **changes)  # type: ignore[arg-type]  # only its texts change
        journal.note(f"{_NOTE} {made.number}", json.dumps(asdict(made)))
        return made


def all_bought(journal: Journal) -> list[Bought]:
    """Everything that was bought, in order. Blocks."""
    found: list[Bought] = []
    while (text := journal.note(f"{_NOTE} {len(found)}")) is not None:
        made = json.loads(text)
        found.append(Bought(**{**made, "lines": tuple(made["lines"]), "most": tuple(made["most"])}))
    return found


def refuse_to_pay_twice(journal: Journal) -> None:
    """Raises: ConfigError: answers that are bought would be asked for at once as well. Blocks."""
    waiting = [one for one in all_bought(journal) if not one.state]
    keys = {key_of(name) for one in waiting for name in one.lines}
    if rows := len(keys & journal.keys("pending", "in_flight")):
        names = ", ".join(one.batch or one.mark for one in waiting)
        words = f"answers to {rows} of its requests are bought in batches of the provider ({names})"
        fix = (
            "Go on with the engine provider; to ask at once, cancel them there before, or name"
            " another journal and pay for them twice."
        )
        raise ConfigError(f"the journal {journal.path}", f"{words} and not fetched", fix=fix)


@dataclass(slots=True)
class BatchLine:
    """A line that is to be bought.

    Attributes:
        name: its ``custom_id``: the key of its request, and a digest of what is sent.
        expected: what it may take.
        placed: the batch that it is in, once that is bought; None where it never is.
    """

    name: str
    provider: ProviderBatches
    route: str
    raw: bytes
    expected: WireAttempt
    placed: asyncio.Future[OpenBatch | None]

    @property
    def is_bought(self) -> bool:
        """Whether it is paid for, or will be."""
        if not self.placed.done() or self.placed.cancelled():
            return False
        return self.placed.exception() is None and self.placed.result() is not None


@dataclass(slots=True, eq=False)
class OpenBatch:
    """A batch at the provider.

    Attributes:
        results: the bodies of its answers, by ``custom_id``.
        reserved: of the budget of the day.
    """

    bought: Bought
    provider: ProviderBatches
    results: asyncio.Task[dict[str, Any]] | None = None
    reserved: Reserved | None = None

    def begin(self, work: Awaitable[dict[str, Any]]) -> OpenBatch:
        """Work towards the results; those who wait for them hear of a failure."""
        self.results = asyncio.ensure_future(work)
        self.results.add_done_callback(lambda task: task.cancelled() or task.exception())
        return self


def key_of(name: str) -> str:
    """The key of the request that a line is of."""
    return name.partition("-")[0]
