"""A LiteLLM proxy serves ``gmn/<route>`` as a model that any OpenAI client can call.

In the proxy's config.yaml::

    model_list:
      - {model_name: gmn, litellm_params: {model: gmn/default}}
    litellm_settings:
      custom_provider_map:
        - {provider: gmn, custom_handler: orchestrator.server.litellm_proxy.handler}

``ORCHESTRATOR_CONFIG`` names the configuration with the routes. A request may carry
``agent_type``, ``constraints``, ``expectations``, ``cache`` and ``seed`` beside the messages; the
answer is block text, or JSON where ``response_format`` asks for JSON. What cannot be honoured is
refused with a 400. The tenant is that of the proxy's key.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from orchestrator.client.module_level import shared
from orchestrator.gmn.formats.schema import as_schema_asks
from orchestrator.routing import _litellm
from orchestrator.routing.offline.litellm_adapter import in_chunks
from orchestrator.server.chat_request import UnservedRequestError, check_body, read_request
from orchestrator.types import errors
from orchestrator.types.visible import logger_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from orchestrator.gmn.model import GMNSpec
    from orchestrator.server.chat_request import ChatRequest
    from orchestrator.types.requests import Generation

_PROXY = "litellm.proxy.proxy_server"
_log = logger_of(__name__)
_STATUS: Mapping[type[errors.OrchestratorError], int] = {
    errors.RateLimitError: 429,
    errors.AuthenticationError: 401,
    errors.ContextWindowExceededError: 400,
    errors.ContentPolicyError: 400,
    errors.BadRequestError: 400,
    errors.DeadlineExceededError: 408,
    errors.BudgetExceededError: 429,
    errors.InvalidOutputError: 422,
}


def custom_llm(generate: Callable[..., Awaitable[Generation[Any]]]) -> Any:
    """A handler for ``custom_provider_map`` that calls `generate(prompt, route, options)`."""
    litellm = _litellm.load()

    class Handler(litellm.CustomLLM):  # type: ignore[misc, name-defined]  # known at run time only
        """Answers chat requests with documents."""

        async def acompletion(
            self, model: str, messages: Any, model_response: Any, optional_params: Any, **given: Any
        ) -> Any:
            request = _read(messages, optional_params, given.get("litellm_params"))
            made = await _generated(generate, model, request)
            model_response.choices[0].message.content = _content(made, request)
            model_response.model = model
            model_response.created = int(time.time())
            model_response.usage = litellm.Usage(**_usage(made))
            return model_response

        def astreaming(
            self, model: str, messages: Any, optional_params: Any, **given: Any
        ) -> AsyncIterator[dict[str, Any]]:
            # Read before the stream begins: a refusal is then an answer with a status of its own.
            request = _read(messages, optional_params, given.get("litellm_params"))

            async def parts() -> AsyncIterator[dict[str, Any]]:
                made = await _generated(generate, model, request)
                for chunk in in_chunks(_content(made, request), _usage(made)):
                    yield chunk

            return parts()

    return Handler()


def body_check() -> Any:
    """A callback of the proxy that refuses odd bodies before LiteLLM itself reads them."""
    litellm = _litellm.load()

    class BodyCheck(litellm.integrations.custom_logger.CustomLogger):  # type: ignore[misc, name-defined]  # as above
        """Looks at the requests for models of this module; the others are not its business."""

        async def async_pre_call_hook(
            self, user_api_key_dict: Any, cache: Any, data: Any, call_type: str
        ) -> None:
            router = getattr(sys.modules.get(_PROXY), "llm_router", None)
            named = router.get_model_list(model_name=data.get("model")) if router else None
            models = [str(one["litellm_params"].get("model")) for one in named or ()]
            if any(model.startswith("gmn/") for model in models):
                _checked(data)

    return BodyCheck()


def _checked(data: Mapping[str, Any]) -> None:
    try:
        return check_body(data)
    except UnservedRequestError as error:
        words = str(error)
    raise _refusal(400, words)


def _read(messages: Any, parameters: Mapping[str, Any], given: Any) -> ChatRequest:
    try:
        return read_request(messages, parameters, tenant_of(given or {}))
    except UnservedRequestError as error:
        words = str(error)
    raise _refusal(400, words)


async def _generated(
    generate: Callable[..., Awaitable[Generation[Any]]], model: str, request: ChatRequest
) -> Generation[Any]:
    try:
        return await generate(request.prompt, model, dict(request.options))
    except errors.OrchestratorError as error:
        failure = _refusal(_status_of(error, request), str(error))
    except Exception as error:  # noqa: BLE001  whatever it is, the request is not at fault
        _log.exception("a request for %s failed", model)
        words = f"an internal fault ({type(error).__name__}); the log of the proxy has more"
        failure = _refusal(500, words)
    raise failure


def _refusal(status: int, words: str) -> Exception:
    error: Exception = _litellm.load().llms.custom_llm.CustomLLMError(status, words)
    return error


def tenant_of(given: Mapping[str, Any]) -> str:
    """The tenant of the proxy's key, from ``litellm_params``; empty without a proxy.

    It is ``tenant`` of the key's or the team's metadata, else the team, else the key.
    """
    stated = [given.get(name) for name in ("metadata", "litellm_metadata")]
    places: list[Mapping[str, Any]] = [s if isinstance(s, Mapping) else {} for s in stated]
    for place in places:
        auth = place.get("user_api_key_auth")
        # The proxy's own object: what a request's body says can only be JSON.
        if auth is not None and not isinstance(auth, str | int | float | list | Mapping):
            return _tenant_in(
                vars(auth), "metadata", "team_metadata", "team_id", "key_alias", "token"
            )
    key = "user_api_key_"
    names = (f"{key}metadata", f"{key}auth_metadata", f"{key}team_metadata", f"{key}team_id",
             f"{key}alias", f"{key}hash", "user_api_key")  # fmt: skip
    return _tenant_in(places[0], *names)


def _tenant_in(known: Mapping[str, Any], *names: str) -> str:
    for name in names:
        value = known.get(name)
        value = value.get("tenant") if isinstance(value, Mapping) else value
        if isinstance(value, str) and value:
            return value
    return ""


def _status_of(error: errors.OrchestratorError, request: ChatRequest) -> int:
    """The HTTP status of an error; a fault of this side's own set-up is 500."""
    is_named = isinstance(error, errors.ConfigError) and error.key == "model"
    no_reader = isinstance(error, errors.NoDeploymentError) and "images" in request.options
    if is_named or no_reader:
        return 400
    return _STATUS.get(type(error), 503 if isinstance(error, errors.LLMError) else 500)


def _content(made: Generation[Any], request: ChatRequest) -> str:
    """Block text, or JSON when `response_format` asks for JSON."""
    return json.dumps(as_schema_asks(made.spec)) if request.wants_json else made.text


def _usage(made: Generation[Any]) -> dict[str, int]:
    usage = made.usage
    return {
        "prompt_tokens": usage.prompt_tokens,
        "completion_tokens": usage.completion_tokens,
        "total_tokens": usage.total_tokens,
    }


async def _generate(prompt: str, route: str, options: dict[str, Any]) -> Generation[GMNSpec]:
    return await shared().generate_gmn(prompt, model=route, **options)


handler = custom_llm(_generate)
if _PROXY in sys.modules:  # which imports this file for its custom_provider_map
    _litellm.load().callbacks.append(body_check())
