"""The Router as a completer, and as LiteLLM's own call."""

from __future__ import annotations

import asyncio
import functools
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from orchestrator.config.settings import cache_directory
from orchestrator.models.deployments import deployments_of, replayed_deployments
from orchestrator.models.groups import Deployments
from orchestrator.models.health import Monitor
from orchestrator.models.refused_modes import MODES_FILE, RefusedModes
from orchestrator.models.routes import RouteTable
from orchestrator.models.secrets import secret_values
from orchestrator.models.surroundings import surroundings
from orchestrator.routing import _litellm
from orchestrator.routing.attempts import Trace, clock
from orchestrator.routing.build import route_arguments, router_arguments, states_timeout
from orchestrator.routing.context_window import ContextWindows
from orchestrator.routing.mode_choice import ModeChoice
from orchestrator.routing.offline.completer import EmbeddedCompleter, are_embedded
from orchestrator.routing.output_modes import messages_of, response_format_arguments
from orchestrator.routing.plan import enforce_bound, questions_of, waits_of, wire_attempts_on
from orchestrator.routing.prices import model_table, reads_pictures, serves
from orchestrator.routing.progress import paces
from orchestrator.routing.resting import nobody_free
from orchestrator.routing.stream import FREE, replayed
from orchestrator.routing.translate import (
    again_in,
    cleaned,
    in_litellms_class,
    is_rate_limit,
    names_response_format,
    refused_parameters,
    stating,
    translated,
)
from orchestrator.routing.transport import Transport
from orchestrator.routing.unlisted import unlisted
from orchestrator.routing.whole import answer_of, assembled, partial_of, said, said_nothing
from orchestrator.types.cached import cached_property
from orchestrator.types.errors import (
    CacheMissError,
    ConfigError,
    NoDeploymentError,
    OrchestratorError,
)
from orchestrator.types.requests import Answer, Request

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from orchestrator.config.settings import Config
    from orchestrator.types.errors import LLMError
    from orchestrator.types.requests import Answer, Request, WireAttempt
    from orchestrator.types.run_context import RunContext

_NOT_RECORDED = "answers are replayed and no model is asked; record this call first"


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
        self._private = secret_values(config, environ)
        self._given = router if router is None else getattr(router, "router", router)
        self._recorded = recorded
        self.deployments: Deployments = (
            deployments_of(config, environ)
            if recorded is None
            else replayed_deployments(config, recorded)
        )
        self._settings = router_arguments(config, self.deployments)
        generation = config.orchestrator.generation
        is_stated = states_timeout(config, self._settings, self._given)
        self._has_timeout = generation.is_by_progress if is_stated else self._given is None
        waits = enforce_bound(config, self.deployments, self._settings)
        self.monitor = Monitor()
        self.transport = Transport(config, self.deployments, self.monitor, router, waits=waits)
        self.deadline_s = config.orchestrator.limits.deadline_s
        self._refused: dict[str, frozenset[str]] = {}
        self._stated: dict[str, frozenset[str]] = {}
        self._windows = ContextWindows(self.deployments)
        self._own = frozenset(one.id for one in self.deployments.ready if one.is_own_server)
        self._paces = {} if is_stated else paces(generation, self.deployments.ready)
        self.modes = RefusedModes(cache_directory(config.orchestrator.cache, environ) / MODES_FILE)
        self.routes = RouteTable(self.deployments, config.orchestrator.routes, serves)
        self.resolve = self.routes.resolve
        choice = ModeChoice(config, self.deployments, self.routes, self.modes, recorded)
        self.mode_for, self.is_staged, self.ignored = (
            choice.mode_for, choice.is_staged, choice.ignored,
        )  # fmt: skip
        self.staged, self.as_recorded = choice.staged, choice.as_recorded
        self._attempts: dict[tuple[str, ...], int] = {}

    @cached_property
    def own_routes(self) -> frozenset[str]:
        """The routes and groups that ask a server of the user's own first."""
        return frozenset(
            name
            for name in (*self.deployments.routes, *self.deployments.groups())
            if any(one.is_own_server for one in self.routes.first_group(name))
        )

    def questions_on(self, routes: Sequence[str], samples: int = 1) -> int:
        """The most calls of staged mode on a route of these; 0 where there is none."""
        if are_embedded(self.routes.first_group(routes[0])):
            return 0
        return questions_of(self._config, self._attempts_of_call(routes), samples)

    def _attempts_of_call(self, routes: Sequence[str]) -> int:
        known = self._attempts.get(tuple(routes))
        if known is None:
            asked = [self.deployments.routes.get(one, (one,)) for one in routes]
            known = max(wire_attempts_on(self._config, self._settings, one) for one in asked)
            self._attempts[tuple(routes)] = known
        return known

    def enforce_samples(self, routes: Sequence[str], samples: int, max_calls: int) -> int | None:
        """Refuse more samples than may go on the wire, beside the other calls of a loop.

        Gives how many attempts of each call may follow a wait then; None for as many as usual.

        Raises: TypeError: `samples` is not an int; ValueError: it is below 1, or too many.
        """
        if not isinstance(samples, int) or isinstance(samples, bool):
            raise TypeError(f"samples must be an int, not {samples!r}")
        if samples < 1:
            raise ValueError(f"samples is {samples}; ask for at least 1")
        if samples == 1:
            return None
        most = self._config.orchestrator.limits.wire_attempts
        per_call = self._attempts_of_call(routes)
        calls = max_calls - 1 + samples
        if (found := calls * per_call) > most:
            raise ValueError(
                f"samples is {samples}: with retries and fallbacks that could put {found} requests"
                f" on the wire, and limits.wire_attempts allows {most}. Ask for at most"
                f" {max(most // per_call - max_calls + 1, 1)}, or raise the limit."
            )
        return waits_of(self._config, per_call, calls)

    async def seeing(self, route: str) -> str:
        """The first group of a route all of whose deployments read pictures.

        Raises: NoDeploymentError: there is none.
        """
        await _litellm.loaded()
        return self.routes.group_reading_pictures(route, reads_pictures)

    async def complete(self, request: Request, context: RunContext, *, group: str = "") -> Answer:
        """Answer one request; as a stream where `context.on_text` hears its parts.

        `group` asks a group or one deployment, in place of the request's route.

        Raises: LLMError: no deployment of the route, nor a fallback, gave an answer.
        """
        if self._recorded is not None:
            raise CacheMissError(_NOT_RECORDED)
        first = self.routes.first_group(request.route)
        is_mock = any(name.startswith("mock_") for name in request.parameters)  # LiteLLM's own
        if first and are_embedded(first) and not (group or is_mock):
            embedded = EmbeddedCompleter(first[0], self.transport.record)
            return await embedded.complete(request, context)
        await self._read_table()
        start, heard = clock(), context.on_text
        attempts: list[WireAttempt] = []
        while True:
            trace = self._trace(request, context)
            try:
                sent = self._arguments(group or request.route, request, context)
                response = await self.transport.send(
                    "acompletion", sent, self.deadline_s, trace, waits=context.waits
                )
                response = await _heard(response, context, heard, trace)
                answer = answer_of(response, (*attempts, *trace.ended), clock() - start)
                return await self._windows.with_end(answer, request, trace)
            except OrchestratorError:
                raise
            except Exception as error:  # noqa: BLE001  LiteLLM raises its own, openai's, ValueErrors
                attempts += trace.ended
                failure = _failure(error, request, trace, attempts, clock() - start)
                is_refused = names_response_format(error, request.mode)
                refused = self._refused_elsewhere(error, request)
                is_mute = context.on_text is not None and said_nothing(trace)
            if refused or is_mute:  # a server that breaks off streams says why in a whole answer
                request = request.without(refused)
                context = replace(context, on_text=None) if is_mute else context
                continue
            if not is_refused or (weaker := request.mode.weaker) is None:
                # Out here, so that the original, which can quote the prompt, is not its context.
                raise await self._windows.naming(failure)
            await self.ignored(failure.deployment, request.mode, f"refused it: {failure.status}")
            request = replace(request, mode=weaker)

    def _trace(self, request: Request, context: RunContext) -> Trace:
        return Trace(
            context.cost, optional=request.optional, refused=self._refused, paces=self._paces,
            grammar=request.grammar, own=self._own, until=context.until,
        )  # fmt: skip

    async def _read_table(self) -> None:
        if self.transport.built is None:
            await asyncio.to_thread(model_table)  # a file, where LiteLLM is not loaded yet

    async def own_window(self, route: str) -> int:
        """The context window of a server of the user's own that is asked first on a route; 0 where
        there is none, or none that says it."""
        own = [one for one in self.routes.first_group(route) if one.is_own_server]
        return await self._windows.of(own[0]) if own and self._recorded is None else 0

    def _arguments(self, route: str, request: Request, context: RunContext) -> dict[str, Any]:
        """LiteLLM's arguments for a request to a route, a group or one deployment.

        Of optional parameters, a deployment's own outrank those of a first sample; and its timeout,
        or the Router's, the usual one.
        """
        parameters, stated = request.parameters, self._stated.get(route)
        stated = self._stated_by(route) if stated is None else stated
        if not request.sample and (own := stated & request.optional):
            parameters = {name: value for name, value in parameters.items() if name not in own}
        is_usual = request.timeout_s == self._config.orchestrator.generation.timeout_s
        has_timeout = is_usual and (self._has_timeout or "timeout" in stated)
        return {
            **self._on_route(route, "acompletion"),
            "messages": messages_of(request),
            **({} if has_timeout else {"timeout": request.timeout_s}),
            **parameters,
            **response_format_arguments(request),
            **({} if context.on_text is None else {"stream": True}),
        }

    def _stated_by(self, route: str) -> frozenset[str]:
        """The parameters that the deployments of a route state themselves."""
        groups = self.deployments.routes.get(route, (route,))
        ready = [one for group in groups for one in self.deployments.of_group(group)]
        self._stated[route] = frozenset(name for one in ready for name in one.params.value)
        return self._stated[route]

    def _refused_elsewhere(self, error: Exception, request: Request) -> frozenset[str]:
        """What to leave out of a request that a Router built elsewhere, without our host, sent."""
        if self.transport.is_hosted:
            return frozenset()
        return refused_parameters(error, request.optional & request.parameters.keys())

    def _on_route(self, name: str, method: str) -> dict[str, Any]:
        """The arguments that send a call of a Router's method to a route, a group or a deployment.

        Raises: NoDeploymentError: no group of the route is of the kind that the method asks.
        """
        groups = self.routes.groups_serving(name, method)
        return {"model": groups[0], **route_arguments(self._config, self._settings, groups)}

    async def forward(self, method: str, arguments: dict[str, Any], context: RunContext) -> Any:
        """LiteLLM's own call through the Router: its arguments, its return types, its errors.

        Raises: what LiteLLM raises, without what was sent; litellm.Timeout at the deadline.
        """
        if self._recorded is not None:
            raise CacheMissError(_NOT_RECORDED)
        await _litellm.loaded()
        routed = await self._known_or_ad_hoc(arguments.get("model"), method)
        sent = {**routed, **arguments, "model": routed["model"]}
        trace = Trace(context.cost)
        in_theirs = functools.partial(self._as_litellm_raises, sent, trace)
        try:
            return await self.transport.send(method, sent, self.deadline_s, trace, in_theirs)
        except Exception as error:  # noqa: BLE001  raised in LiteLLM's class, without the request
            failure = in_theirs(error)
        raise failure

    def _as_litellm_raises(
        self, sent: Mapping[str, Any], trace: Trace, error: Exception
    ) -> Exception:
        """The error that a caller of LiteLLM expects in place of `error`, without what was sent."""
        model = str(sent["model"])
        if isinstance(error, TimeoutError):
            words = f"no whole answer within {self.deadline_s:g} s"
            timeout: Exception = _litellm.load().Timeout(
                message=words, model=model, llm_provider=""
            )
            return timeout
        provider = trace.last.provider if trace.last is not None else ""
        theirs = in_litellms_class(error, model=model, provider=provider)
        if isinstance(theirs, OrchestratorError):
            return theirs
        made = cleaned(theirs, sent, self._private)
        if trace.rests:
            return stating(made, str(nobody_free(trace.rests, model, trace.ended)))
        wait_s = trace.free_in() if is_rate_limit(made) else None
        return made if wait_s is None else stating(made, again_in(wait_s))

    async def _known_or_ad_hoc(self, model: str | None, method: str) -> dict[str, Any]:
        """The arguments for a name; a model that only LiteLLM knows is called as LiteLLM would."""
        try:
            return self._on_route(self.resolve(model), method)
        except ConfigError:
            name, found = unlisted(self.deployments, str(model), self._given)
        if not found:
            return self._on_route(name, method)
        if self._config.orchestrator.privacy == "local_only":
            raise NoDeploymentError(
                f"{model} is not configured and privacy is local_only", provider=found[0].provider
            )
        await self.transport.add_deployments(found)
        return {"model": name}

    async def fingerprint(self, model: str | None) -> str:
        """Identifies the deployments behind a name; an ad-hoc model is identified by its name.

        Raises: ConfigError: neither the configuration nor LiteLLM knows the name.
        """
        if model and (known := self.deployments.known_fingerprint(model)):
            return known
        try:
            return self.deployments.fingerprint(self.resolve(model))
        except ConfigError:
            await _litellm.loaded()
            name, found = unlisted(self.deployments, str(model), self._given)
        if not found:
            return self.deployments.fingerprint(name)
        if self._given is not None:
            return replace(self.deployments, ready=found, routes={}, _prints={}).fingerprint(name)
        return surroundings().added_to(str(model), found)

    def remember(self, spent: Mapping[str, float]) -> None:
        """Count what was spent today, by tenant, against the budgets."""
        self.transport.budget_limiter.remember(spent)

    async def warm_up(self) -> None:
        """Load LiteLLM's Router, if it serves any deployment."""
        if any(one.provider != "offline" for one in self.deployments.ready):
            await self.transport.router()

    async def revived(
        self, kind: str, stored: Mapping[str, Any], hidden: Mapping[str, Any] | None = None
    ) -> Any:
        """A response of LiteLLM's from its own JSON form; it cost nothing this time."""
        response = getattr(await _litellm.loaded(), kind)(**stored)
        response._hidden_params = {**(hidden or {}), **FREE}
        return response

    async def replayed(
        self,
        parts: Sequence[Mapping[str, Any]],
        cost: float | None,
        context: RunContext,
        hidden: Mapping[str, Any],
    ) -> Any:
        """A stream of LiteLLM's from the JSON forms of its parts."""
        await _litellm.loaded()
        return replayed(parts, cost, context.cost, hidden)

    async def aclose(self) -> None:
        """Close the Router and its HTTP clients."""
        await self.transport.aclose()


async def _heard(
    response: Any, context: RunContext, heard: Callable[[str], None] | None, trace: Trace
) -> Any:
    """The whole response; `heard` hears what was asked for as a stream, and came in one piece."""
    if context.on_text is not None:
        return await assembled(response, context.on_text, trace)
    if heard is not None:
        heard(said(response.choices[0].message))
    return response


def _failure(
    error: Exception, request: Request, trace: Trace, attempts: list[WireAttempt], seconds: float
) -> LLMError:
    """What `error` means, with what had been written until then."""
    failure = translated(
        error, route=request.route, attempts=attempts, last=trace.last, wait_s=trace.free_in(),
        rests=trace.rests,
    )  # fmt: skip
    failure.partial = partial_of(trace, attempts, seconds)
    return failure
