"""The Router as a completer, and as LiteLLM's own call."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from orchestrator.config.providers import PROVIDERS
from orchestrator.config.settings import ROLES, cache_directory, output_modes
from orchestrator.models.deployments import (
    Deployments,
    ad_hoc_deployment,
    deployments_of,
    replayed_deployments,
    why_none_of,
)
from orchestrator.models.health import Monitor
from orchestrator.routing import _litellm
from orchestrator.routing.attempts import Trace, clock
from orchestrator.routing.build import route_arguments, router_arguments
from orchestrator.routing.offline.completer import EmbeddedCompleter, are_embedded
from orchestrator.routing.output_modes import MODES_FILE, RefusedModes
from orchestrator.routing.plan import enforce_bound
from orchestrator.routing.prices import reads_pictures, serves
from orchestrator.routing.response_format import messages_of, response_format_arguments
from orchestrator.routing.stream import assembled, replayed
from orchestrator.routing.translate import (
    cleaned,
    in_litellms_class,
    names_response_format,
    translated,
)
from orchestrator.routing.transport import Transport
from orchestrator.types.errors import (
    CacheMissError,
    ConfigError,
    LLMError,
    NoDeploymentError,
    OrchestratorError,
)
from orchestrator.types.requests import Answer, OutputMode, Request

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from orchestrator.config.settings import Config
    from orchestrator.models.deployments import Deployment
    from orchestrator.types.requests import WireAttempt
    from orchestrator.types.run_context import RunContext


class RouterCompleter:
    """Answers requests through one LiteLLM Router, built when first used."""

    def __init__(
        self,
        config: Config,
        *,
        environ: Mapping[str, str],
        router: Any = None,
        recorded: Mapping[str, Any] | None = None,
    ) -> None:
        """Settle the deployments; `router` is used in place of one built from them.

        With `recorded` (what `as_recorded` gave) everything is as it was then, and nothing is
        ever called.

        Raises: ConfigError: no deployment can be called, a route names an unknown group, or retries
            multiply beyond the configured limit.
        """
        self._config = config
        self._recorded = recorded
        self.deployments: Deployments = (
            deployments_of(config, environ)
            if recorded is None
            else replayed_deployments(config, recorded)
        )
        self._settings = router_arguments(config, self.deployments)
        enforce_bound(config, self.deployments, self._settings)
        self._serving: dict[tuple[str, str], tuple[str, ...]] = {}
        self.monitor = Monitor()
        self.transport = Transport(config, self.deployments, self.monitor, router)
        self._deadline_s = config.orchestrator.limits.deadline_s
        directory = cache_directory(config.orchestrator.cache, environ)
        self.modes = RefusedModes(directory / MODES_FILE)

    def resolve(self, model: str | None = None, provider: str | None = None) -> str:
        """The route or model group that a caller's wish means.

        Raises: ConfigError: the name is unknown; the message lists the known ones.
            NoDeploymentError: it is known and cannot be called; the message says why.
        """
        known = self.deployments
        if provider is not None:
            return self._of_provider(provider)
        if model is None:
            return "default"
        if model in known.routes or model in known.groups() or known.of_group(model):
            return model
        for one in known.ready:
            if model == one.model:
                return self._only(
                    one, [other.model == model for other in known.of_group(one.group)]
                )
        for skipped in known.skipped:
            if model in (skipped.group, skipped.model):
                raise NoDeploymentError(f"{model} cannot be called: {skipped.reason}.")
        if model in ROLES and (named := getattr(self._config.orchestrator.routes, model)):
            reasons = "; ".join(f"{d.group}: {d.reason}" for d in known.skipped if d.group in named)
            raise NoDeploymentError(f"the route {model} cannot be called ({reasons}).")
        names = ", ".join(dict.fromkeys((*known.routes, *known.groups())))
        raise ConfigError("model", f"{model!r} is not configured", fix=f"Known: {names}.")

    def _of_provider(self, provider: str) -> str:
        if provider not in PROVIDERS:
            known = ", ".join(PROVIDERS)
            raise ConfigError(
                "provider", f"{provider!r} is no provider", fix=f"Use one of {known}."
            )
        prefixes = PROVIDERS[provider].prefixes
        for one in self.deployments.ready:
            if one.provider in prefixes:
                siblings = self.deployments.of_group(one.group)
                return self._only(one, [other.provider in prefixes for other in siblings])
        why = why_none_of(provider, self.deployments.skipped)
        raise NoDeploymentError(f"{provider} cannot be called ({why}).", provider=provider)

    @staticmethod
    def _only(one: Deployment, fit: Sequence[bool]) -> str:
        """The group of a deployment if every sibling is as good, else the deployment alone."""
        return one.group if all(fit) else one.id

    def mode_for(self, route: str) -> OutputMode:
        """The strictest output mode that no deployment of the route's first group has refused."""
        if self._recorded is not None and route in self._recorded.get("modes", {}):
            mode: OutputMode = self._recorded["modes"][route]
            return mode
        deployments = self._first_of(route)
        if are_embedded(deployments):
            return "prompt"
        modes = output_modes(self._config.orchestrator.generation.mode)
        refused = {mode for one in deployments for mode in self.modes.refused(one)}
        return next((mode for mode in modes if mode not in refused), modes[-1])

    async def seeing(self, route: str) -> str:
        """The first group of a route all of whose deployments read pictures.

        Raises: NoDeploymentError: there is none.
        """
        await _litellm.loaded()
        groups = self.deployments.routes.get(route, (route,))
        for group in groups:
            if all(reads_pictures(one) for one in self.deployments.of_group(group)):
                return group
        raise NoDeploymentError(
            f"nobody on {route!r} reads pictures ({', '.join(groups)}). Choose a model that does,"
            " or state model_info: {supports_vision: true} where LiteLLM does not know it."
        )

    def as_recorded(self) -> dict[str, Any]:
        """Who serves which route, and how each is asked: what a replay has to know."""
        known = self.deployments
        names = (*known.routes, *known.groups())
        return {
            "routes": {role: list(groups) for role, groups in known.routes.items()},
            "modes": {name: self.mode_for(name) for name in names},
        }

    async def ignored(self, deployment: str, mode: OutputMode) -> None:
        """A deployment answered as if it had not been given the form that it took without a word.

        Only what enforces nothing can do so; it is asked another way from now on.
        """
        await self._refuse(deployment, mode, "took it and ignored it")

    async def _refuse(self, deployment: str, mode: OutputMode, why: str) -> None:
        for one in self.deployments.ready:
            if one.id == deployment and mode not in self.modes.refused(one):
                await asyncio.to_thread(self.modes.note, one, mode, why)

    async def complete(
        self,
        request: Request,
        context: RunContext,
        *,
        group: str = "",
    ) -> Answer:
        """Answer one request; as a stream where `context.on_text` hears its parts.

        `group` asks a group or one deployment, in place of the request's route.

        Raises: LLMError: no deployment of the route, nor a fallback, gave an answer.
        """
        self._refuse_replay()
        first = self._first_of(request.route)
        is_mock = any(name.startswith("mock_") for name in request.parameters)  # LiteLLM's own
        if not (group or is_mock) and first and are_embedded(first):
            embedded = EmbeddedCompleter(first[0], self.transport.record)
            return await embedded.complete(request, context)
        await _litellm.loaded()
        start, asked = clock(), request
        attempts: list[WireAttempt] = []
        while True:
            trace = Trace(context.cost)
            try:
                response = await self._send(
                    group or asked.route, asked, trace, is_stream=context.on_text is not None
                )
                if context.on_text is not None:
                    response = await assembled(response, context.on_text)
                return _answer(response, (*attempts, *trace.ended), clock() - start)
            except LLMError:
                raise
            except Exception as error:  # noqa: BLE001  LiteLLM raises its own, openai's, ValueErrors
                attempts += trace.ended
                failure = translated(error, route=request.route, attempts=attempts)
                is_format_refused = asked.mode != "prompt" and names_response_format(
                    error, asked.mode
                )
            if not is_format_refused:
                # Out here, so that the original, which can quote the prompt, is not its context.
                raise failure
            await self._refuse(failure.deployment, asked.mode, f"refused it: {failure.status}")
            asked = _degraded(asked)

    def _first_of(self, name: str) -> tuple[Deployment, ...]:
        """The deployments of a route's first group, or of a group."""
        return self.deployments.of_group(self.deployments.routes.get(name, (name,))[0])

    def _refuse_replay(self) -> None:
        if self._recorded is not None:
            raise CacheMissError("answers are replayed and nobody is asked; record it first")

    async def _send(self, route: str, request: Request, trace: Trace, *, is_stream: bool) -> Any:
        arguments: dict[str, Any] = {
            **self._on_route(route, "acompletion"),
            "messages": messages_of(request),
            "timeout": request.timeout_s,
            **request.parameters,
            **response_format_arguments(request),
            **({"stream": True} if is_stream else {}),
        }
        return await self.transport.send("acompletion", arguments, self._deadline_s, trace)

    async def forward(self, method: str, arguments: dict[str, Any], context: RunContext) -> Any:
        """LiteLLM's own call through the Router: its arguments, its return types, its errors.

        Raises: what LiteLLM raises, without what was sent; litellm.Timeout at the deadline.
        """
        self._refuse_replay()
        litellm = await _litellm.loaded()
        routed = await self._known_or_ad_hoc(arguments.get("model"), method)
        sent = {**routed, **arguments, "model": routed["model"]}
        trace = Trace(context.cost)

        def mend(error: Exception) -> Exception:
            if isinstance(error, TimeoutError):
                words = f"no whole answer within {self._deadline_s:g} s"
                timeout: Exception = litellm.Timeout(
                    message=words, model=str(sent["model"]), llm_provider=""
                )
                return timeout
            provider = trace.ended[-1].provider if trace.ended else ""
            theirs = in_litellms_class(error, model=str(sent["model"]), provider=provider)
            if isinstance(theirs, OrchestratorError):
                return theirs
            return cleaned(theirs, sent, self._secrets())

        try:
            return await self.transport.send(method, sent, self._deadline_s, trace, mend)
        except Exception as error:  # noqa: BLE001  whatever it is, it leaves mended
            failure = mend(error)
        raise failure

    async def _known_or_ad_hoc(self, model: str | None, method: str) -> dict[str, Any]:
        """The arguments for a name; a model that only LiteLLM knows is called as LiteLLM would."""
        try:
            return self._on_route(self.resolve(model), method)
        except ConfigError:
            provider = _provider_of(str(model))
            if not provider:
                raise
            if self._config.orchestrator.privacy == "local_only":
                raise NoDeploymentError(
                    f"{model} is not configured and privacy is local_only", provider=provider
                ) from None
        one = ad_hoc_deployment(str(model), provider)
        await self.transport.add_deployment(one)
        return {"model": one.group}

    async def fingerprint(self, model: str | None) -> str:
        """Identifies the deployments behind a name; an adopted model is its own name.

        Raises: ConfigError: nobody knows the name.
        """
        if model and (known := self.deployments.known_fingerprint(model)):
            return known
        try:
            return self.deployments.fingerprint(self.resolve(model))
        except ConfigError:
            await _litellm.loaded()
            if not _provider_of(str(model)):
                raise
            return str(model)

    def remember(self, spent: Mapping[str, float]) -> None:
        """Count what was spent today, by tenant, against the budgets."""
        self.transport.budget_limiter.remember(spent)

    def _secrets(self) -> list[str]:
        keys = [one.params.value.get("api_key") for one in self.deployments.ready]
        return [str(key) for key in keys if key]

    async def revived(self, kind: str, stored: Mapping[str, Any]) -> Any:
        """A response of LiteLLM's from its own JSON form; it cost nothing this time."""
        response = getattr(await _litellm.loaded(), kind)(**stored)
        response._hidden_params = {"cache_hit": True, "response_cost": 0.0}
        return response

    async def replayed(
        self, parts: Sequence[Mapping[str, Any]], cost: float | None, context: RunContext
    ) -> Any:
        """A stream of LiteLLM's from the JSON forms of its parts."""
        await _litellm.loaded()
        return replayed(parts, cost, context.cost)

    def _on_route(self, name: str, method: str) -> dict[str, Any]:
        """What sends a call of a Router's method to a route, or to a group or deployment by name.

        Raises: NoDeploymentError: no group of the route is of the kind that the method asks.
        """
        known = self.deployments
        if name not in known.routes:
            return {"model": name}
        if (name, method) not in self._serving:
            self._serving[name, method] = self._groups_serving(name, method)
        groups = self._serving[name, method]
        return {"model": groups[0], **route_arguments(self._config, self._settings, groups)}

    def _groups_serving(self, name: str, method: str) -> tuple[str, ...]:
        """The groups of a route that a method can ask; where no default is stated, any one."""
        known = self.deployments
        is_stated = name != "default" or known.is_default_stated
        for groups in (known.routes[name], () if is_stated else known.groups()):
            found = tuple(
                group
                for group in groups
                if all(serves(one, method) for one in known.of_group(group))
            )
            if found:
                return found if is_stated else found[:1]
        raise NoDeploymentError(
            f"no model group of the route {name} takes {method.removeprefix('a')} calls"
            f" ({', '.join(known.routes[name])}). Ask for a group by its name."
        )

    async def aclose(self) -> None:
        """Close the Router and its HTTP clients."""
        await self.transport.aclose()


def _provider_of(model: str) -> str:
    """LiteLLM's provider of a model, empty when it knows none."""
    litellm = _litellm.load()
    try:
        return str(litellm.get_llm_provider(model)[1])
    except litellm.BadRequestError:
        return ""


def _degraded(request: Request) -> Request:
    """The same in the next weaker form."""
    modes = output_modes("auto")
    weaker = modes[modes.index(request.mode) + 1]
    return replace(request, mode=weaker)


def _text(message: Any) -> str:
    """What was said, or what was given to the tool."""
    called = getattr(message, "tool_calls", None)
    return str((called[0].function.arguments if called else message.content) or "")


def _answer(response: Any, wire: tuple[WireAttempt, ...], seconds: float) -> Answer:
    choice = response.choices[0]
    last = wire[-1]
    return Answer(
        text=_text(choice.message),
        finish=str(choice.finish_reason or "stop"),
        refusal=str(getattr(choice.message, "refusal", None) or ""),
        model=last.model,
        provider=last.provider,
        deployment=last.deployment,
        usage=last.usage,
        cost_usd=last.cost_usd,
        billed_usd=last.cost_usd,
        seconds=seconds,
        wire=wire,
    )
