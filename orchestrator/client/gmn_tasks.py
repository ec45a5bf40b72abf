"""What the loop is asked for a GMN document: from the arguments of a user to a request."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from orchestrator.generation.gmn_contract import GMNContract, Verdicts
from orchestrator.generation.images import image_parts
from orchestrator.generation.loop import GenerationRequest
from orchestrator.generation.request_building import (
    MOST_SHOWN,
    check_description,
    check_length,
    check_text,
    examples_for,
    initial_request,
    parsed,
)
from orchestrator.generation.request_variants import as_patch
from orchestrator.generation.staged.staging import Staging
from orchestrator.gmn.checks import known_constraints
from orchestrator.routing.offline.completer import are_embedded
from orchestrator.types.errors import GMNError
from orchestrator.types.requests import Description
from orchestrator.types.work import judge_within

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from orchestrator.generation.images import Image
    from orchestrator.generation.loop import GenerationLoop
    from orchestrator.generation.prompts import Prompts
    from orchestrator.generation.request_building import Source
    from orchestrator.gmn.acting.expectations import Expectation
    from orchestrator.gmn.model import GMNSpec
    from orchestrator.ledger.ledger import Ledger
    from orchestrator.types.caching import Caching
    from orchestrator.types.requests import OutputMode


@dataclass(frozen=True)
class GMNTasks:
    """Everything that can be known to be wrong is found here, before anything is asked."""

    loop: GenerationLoop
    prompts: Prompts
    ledger: Ledger
    verdicts: Verdicts = field(default_factory=Verdicts)

    async def generation(
        self,
        prompt: str,
        agent_type: str,
        constraints: Mapping[str, int] | None,
        examples: Sequence[Source] | None,
        expectations: Sequence[str | Expectation] | None,
        *,
        model: str | None,
        provider: str | None,
        cache: Caching | None,
        tenant: str,
        seed: int | None,
        samples: int,
        images: Sequence[Image],
        infer_expectations: bool,
    ) -> GenerationRequest[GMNSpec]:
        """A document for a description; see `Orchestrator.generate_gmn`, also for its errors."""
        check_description(prompt, agent_type)
        settings = self.loop.settings
        contract = self.contract(constraints, expectations, prompt if infer_expectations else "")
        pictures, route, mode = await self._seeing(images, model, provider, agent_type, tenant)

        def prepared() -> GenerationRequest[GMNSpec]:  # in one hand-over to a thread
            shown = examples_for(prompt, agent_type, examples, count=settings.generation.examples)
            asked = Description(
                prompt, agent_type, constraints or {},
                expectations=tuple(map(str, contract.expectations)), examples=shown,
            )  # fmt: skip
            held_to = replace(contract, shown=shown, asked=asked, is_embedded=self._is_own(route))
            rendered = self.prompts.generate(
                prompt, agent_type=agent_type, mode=mode, constraints=constraints,
                expectations=asked.expectations, examples=shown,
            )  # fmt: skip
            first = initial_request(
                rendered.with_parts(pictures), route, held_to, settings=settings, mode=mode,
                cache=cache, seed=seed, tenant=tenant, description=asked,
            )  # fmt: skip
            return GenerationRequest(first, held_to, self.prompts, samples=samples)

        return self._may_be_staged(await judge_within(settings.generation.deadline_s, prepared))

    def _may_be_staged(self, task: GenerationRequest[GMNSpec]) -> GenerationRequest[GMNSpec]:
        """The same, which may be asked for in stages where the limits leave calls for it."""
        router, route, asked = self.loop.router, task.first.route, task.first.description
        most = router.questions_on(self.loop.routes(route), task.samples)
        if not most or asked is None:
            return task
        staging = Staging(
            asked.sentence, self.prompts, router.mode_for(route, is_small=True), most,
            asked.agent_type, is_first=router.is_staged(route),
        )  # fmt: skip
        return replace(task, staging=staging)

    def _is_own(self, route: str) -> bool:
        return are_embedded(self.loop.router.routes.first_group(route))

    async def _seeing(
        self,
        images: Sequence[Image],
        model: str | None,
        provider: str | None,
        agent_type: str,
        tenant: str,
    ) -> tuple[tuple[Mapping[str, object], ...], str, OutputMode]:
        """The pictures, the route that reads them, and its mode.

        LiteLLM may have to be loaded to know it. Who leaves meanwhile has a line in the ledger
        too; what follows has an entry of its own.
        """
        router = self.loop.router
        pictures: tuple[Mapping[str, object], ...] = ()
        route = router.resolve(model, provider)
        if images:
            pictures = await asyncio.to_thread(image_parts, images)
            with self.ledger.open(
                "generate_gmn", route=route, agent_type=agent_type, tenant=tenant
            ) as entry:
                entry.is_detached = True
                route = await router.seeing(route)
        return pictures, route, router.mode_for(route)

    def refinement(
        self,
        spec: Source,
        feedback: str,
        *,
        constraints: Mapping[str, int] | None,
        expectations: Sequence[str | Expectation] | None,
        model: str | None,
        provider: str | None,
        cache: Caching | None,
        tenant: str,
        kind: str,
    ) -> GenerationRequest[GMNSpec]:
        """A patch of a document; see `Orchestrator.refine_gmn`, also for its errors."""
        check_text("feedback", feedback)
        contract = replace(self.contract(constraints, expectations), keeps_metadata=True)
        base = contract.evaluate_source(spec, kind)
        if base.value is None:
            first = base.report.errors[0]
            raise GMNError(f"the document cannot be read: {first}", report=base.report)
        route = self.loop.router.resolve(model, provider)
        description = Description(
            constraints=constraints or {}, document=contract.name_keyed(base), feedback=feedback,
            expectations=tuple(str(e) for e in contract.expectations),
        )  # fmt: skip
        check_length("spec", len(description.document), MOST_SHOWN)
        rendered = self.prompts.feedback(
            description.document, feedback, constraints=constraints,
            expectations=description.expectations,
        )  # fmt: skip
        request = initial_request(
            rendered, route, contract, settings=self.loop.settings, cache=cache, tenant=tenant,
            description=description, mode=self.loop.router.mode_for(route),
        )  # fmt: skip
        request = replace(as_patch(request), purpose="patch")
        return GenerationRequest(request, contract, self.prompts, base_document=base)

    def contract(
        self,
        constraints: Mapping[str, int] | None,
        expectations: Sequence[str | Expectation] | None,
        description: str = "",
    ) -> GMNContract:
        """What the answer is held to; expectations are inferred from `description`.

        Raises: ValueError: a constraint or an expectation is unknown.
        """
        settings = self.loop.settings.generation
        return GMNContract(
            constraints=known_constraints(constraints or {}),
            expectations=parsed(expectations),
            repair=settings.repair,
            episodes=settings.episodes,
            description=description,
            verdicts=self.verdicts,
            fits=settings.fits,
            fits_share=settings.fits_share,
        )
