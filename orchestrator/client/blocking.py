"""The blocking form of the facade."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestrator.types.blocking import blocking, iterating

if TYPE_CHECKING:
    from orchestrator.client.orchestrator import Orchestrator
    from orchestrator.client.typed_calls import Completion


class Blocking:
    """The operations of an `Orchestrator`, blocking, on one background event loop."""

    def __init__(self, orchestrator: Orchestrator) -> None:
        self.generate_gmn = blocking(orchestrator.generate_gmn)
        self.refine_gmn = blocking(orchestrator.refine_gmn)
        self.validate_gmn = blocking(orchestrator.validate_gmn)
        self.stream_gmn = iterating(orchestrator.stream_gmn)
        self.stream_structured = iterating(orchestrator.stream_structured)
        self.generate_structured = blocking(orchestrator.generate_structured)
        self.run_agent = blocking(orchestrator.run_agent)
        self.batch = iterating(orchestrator.batch)
        self.generate = blocking(orchestrator.generate)
        self.completion: Completion = blocking(orchestrator.acompletion)
        self.embedding = blocking(orchestrator.aembedding)
        self.search = blocking(orchestrator.search)
        self.plan = blocking(orchestrator.plan)
        self.models = blocking(orchestrator.models)
        self.probe_models = blocking(orchestrator.probe_models)
        self.health_check = blocking(orchestrator.health_check)
        self.usage = blocking(orchestrator.usage)
        self.cache_info = blocking(orchestrator.cache_info)
        self.cache_clear = blocking(orchestrator.cache_clear)
        self.cache_evict = blocking(orchestrator.cache_evict)
        self.warm_up = blocking(orchestrator.warm_up)
        self.close = blocking(orchestrator.aclose)
