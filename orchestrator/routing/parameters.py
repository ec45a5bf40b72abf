"""The names of arguments that LiteLLM knows: its own, OpenAI's, and those of its providers."""

from __future__ import annotations

import asyncio
import functools
import inspect
from typing import TYPE_CHECKING

from orchestrator.routing import _litellm

if TYPE_CHECKING:
    from collections.abc import Iterable

#: What most calls have; for these alone LiteLLM is not loaded.
USUAL = frozenset({
    "temperature", "top_p", "n", "stream", "stream_options", "stop", "max_tokens",
    "max_completion_tokens", "presence_penalty", "frequency_penalty", "logit_bias", "user", "seed",
    "tools", "tool_choice", "parallel_tool_calls", "response_format", "logprobs", "top_logprobs",
    "reasoning_effort", "thinking", "timeout", "metadata", "num_retries", "extra_body",
    "extra_headers", "mock_response", "allowed_openai_params", "drop_params",
    "additional_drop_params", "top_k",
})  # fmt: skip
# LiteLLM's pages show these at a call, or its Router reads them; none of its tables has them.
_HANDED_ON = frozenset({
    "cache_control", "cached_content", "chat_template_kwargs", "content_policy_fallbacks",
    "context_window_fallbacks", "disable_fallbacks", "enable_thinking", "extra_query", "format",
    "guided_choice", "guided_grammar", "guided_json", "guided_regex", "ignore_eos",
    "include_reasoning", "keep_alive", "min_p", "mock_testing_content_policy_fallbacks",
    "mock_testing_context_fallbacks", "mock_testing_fallbacks", "models", "plugins", "reasoning",
    "route", "safety_settings", "specific_deployment", "speed", "stop_token_ids", "think", "top_a",
    "transforms", "use_beam_search",
})  # fmt: skip


async def unknown_to_litellm(names: Iterable[str]) -> list[str]:
    """Those names that neither a call of LiteLLM nor one of its providers has an argument for."""
    odd = [name for name in names if name not in USUAL and name not in _HANDED_ON]
    if not odd:
        return []
    known = await asyncio.to_thread(_of_litellm)  # some of its providers are files to be loaded
    return [name for name in odd if name not in known]


@functools.cache
def call_arguments() -> tuple[str, ...]:
    """The arguments in the signature of ``litellm.acompletion``, and the others of a call."""
    signature = inspect.signature(_litellm.load().acompletion)
    return tuple(dict.fromkeys((*signature.parameters, *sorted(USUAL | _HANDED_ON))))


@functools.cache
def _of_litellm() -> frozenset[str]:
    litellm = _litellm.load()
    known = {*call_arguments(), *litellm.types.utils.all_litellm_params}
    known.update(litellm.OPENAI_CHAT_COMPLETION_PARAMS)
    known.update(litellm.constants.DEFAULT_CHAT_COMPLETION_PARAM_VALUES)
    for provider in litellm.LlmProviders:
        made = litellm.utils.ProviderConfigManager.get_provider_chat_config("", provider)
        if made is not None:  # a provider without chat
            known.update(inspect.signature(type(made).__init__).parameters)
    return frozenset(known - {"self", "kwargs"})
