"""The embedded provider as a completer of its own: it answers without LiteLLM."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from orchestrator.config.providers import OFFLINE
from orchestrator.routing.attempts import Trace, clock
from orchestrator.routing.offline.litellm_adapter import completed, pieces
from orchestrator.types.requests import Answer
from orchestrator.types.work import judge

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from orchestrator.models.deployment import Deployment
    from orchestrator.types.requests import Request
    from orchestrator.types.run_context import RunContext


def are_embedded(deployments: Sequence[Deployment]) -> bool:
    """Whether only the embedded provider is behind them."""
    return all(one.provider == OFFLINE for one in deployments)


@dataclass(frozen=True, slots=True)
class EmbeddedCompleter:
    """Answers from the words of a sentence; `record` adds the attempt to ledger and health."""

    deployment: Deployment
    record: Callable[[Trace], None]

    async def complete(self, request: Request, context: RunContext) -> Answer:
        """Answer one request, piece by piece where the context hears it; free, never fails."""
        trace, start = Trace(context.cost), clock()
        model = self.deployment.model.partition("/")[2]
        attempt = trace.add(self.deployment.id, OFFLINE, model)
        text, usage = await judge(completed, request)
        attempt.took(usage, 0.0)
        self.record(trace)
        if context.on_text is not None:
            for piece in pieces(text):
                context.on_text(piece)
        return Answer(
            text=text,
            model=model,
            provider=OFFLINE,
            deployment=self.deployment.id,
            usage=usage,
            cost_usd=0.0,
            billed_usd=0.0,
            seconds=clock() - start,
            wire=tuple(trace.ended),
        )
