"""A LiteLLM proxy serves ``gmn/<route>`` as a model that any OpenAI client can call.

In the proxy's config.yaml::

    model_list:
      - {model_name: gmn, litellm_params: {model: gmn/default}}
    litellm_settings:
      custom_provider_map:
        - {provider: gmn, custom_handler: orchestrator.server.litellm_proxy.handler}

``ORCHESTRATOR_CONFIG`` names the configuration with the routes. A request may carry
``agent_type``, ``constraints``, ``expectations``, ``tenant``, ``cache`` and ``seed`` beside the
messages; the answer is block text, or JSON where ``response_format`` asks for JSON.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from orchestrator.client.module_level import shared
from orchestrator.routing import _litellm
from orchestrator.routing.offline.litellm_adapter import in_chunks
from orchestrator.types import errors

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence

    from orchestrator.gmn.model import GMNSpec
    from orchestrator.types.requests import Generation

#: Arguments of `generate_gmn` that a request may carry, beside model and messages.
OPTIONS = ("agent_type", "constraints", "expectations", "tenant", "cache", "seed")
_STATUS: Mapping[type[errors.OrchestratorError], int] = {
    errors.RateLimitError: 429,
    errors.AuthenticationError: 401,
    errors.ContextWindowExceededError: 400,
    errors.ContentPolicyError: 400,
    errors.BadRequestError: 400,
    errors.DeadlineExceededError: 408,
    errors.BudgetExceededError: 429,
    errors.InvalidOutputError: 422,
    errors.ConfigError: 400,
}


def custom_llm(generate: Callable[..., Awaitable[Generation[Any]]]) -> Any:
    """A handler for ``custom_provider_map`` that calls `generate(prompt, route, options)`."""
    litellm = _litellm.load()
    refused = litellm.llms.custom_llm.CustomLLMError

    async def generated(model: str, messages: Any, options: Mapping[str, Any]) -> Generation[Any]:
        extra = {**(options.get("extra_body") or {}), **options}
        chosen = {key: extra[key] for key in OPTIONS if extra.get(key) is not None}
        try:
            return await generate(_prompt(messages), model, chosen)
        except errors.OrchestratorError as error:
            failure = refused(status_code=_STATUS.get(type(error), 503), message=str(error))
        except (TypeError, ValueError) as error:
            failure = refused(status_code=400, message=str(error))
        raise failure

    class Handler(litellm.CustomLLM):  # type: ignore[misc, name-defined]  # known at run time only
        """Answers chat requests with documents."""

        async def acompletion(
            self, model: str, messages: Any, model_response: Any, optional_params: Any, **_: Any
        ) -> Any:
            made = await generated(model, messages, optional_params)
            model_response.choices[0].message.content = _content(made, optional_params)
            model_response.model = model
            model_response.created = int(time.time())
            model_response.usage = litellm.Usage(**_usage(made))
            return model_response

        async def astreaming(
            self, model: str, messages: Any, optional_params: Any, **_: Any
        ) -> AsyncIterator[dict[str, Any]]:
            made = await generated(model, messages, optional_params)
            for chunk in in_chunks(_content(made, optional_params), _usage(made)):
                yield chunk

    return Handler()


def _prompt(messages: Sequence[Mapping[str, Any]]) -> str:
    """The text of all user messages, joined with newlines."""
    texts = []
    for turn in messages:
        if turn.get("role") == "user":
            content = turn.get("content") or ""
            parts = content if isinstance(content, list) else [{"text": content}]
            texts += [str(part.get("text") or "") for part in parts]
    prompt = "\n".join(part for part in texts if part.strip())
    if not prompt:
        raise ValueError("no user message says what the agent is; describe it in a sentence")
    return prompt


def _content(made: Generation[Any], options: Mapping[str, Any]) -> str:
    """Block text, or JSON when `response_format` asks for JSON."""
    wanted = (options.get("response_format") or {}).get("type", "text")
    return made.text if wanted == "text" else str(made.spec.model_dump_json())


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
