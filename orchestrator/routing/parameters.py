"""The names of arguments that LiteLLM knows: its own, OpenAI's, and those of its providers."""

from __future__ import annotations

import functools
import inspect

from orchestrator.routing import _litellm

#: What most calls have; for these alone LiteLLM is not loaded.
USUAL = frozenset({
    "temperature", "top_p", "n", "stream", "stream_options", "stop", "max_tokens",
    "max_completion_tokens", "presence_penalty", "frequency_penalty", "logit_bias", "user", "seed",
    "tools", "tool_choice", "parallel_tool_calls", "response_format", "logprobs", "top_logprobs",
    "reasoning_effort", "thinking", "timeout", "metadata", "num_retries", "extra_body",
    "extra_headers", "mock_response", "allowed_openai_params", "drop_params",
    "additional_drop_params", "top_k", "models",
})  # fmt: skip


@functools.cache
def arguments_of_litellm() -> frozenset[str]:
    """Its own, OpenAI's and those of its providers; some of these are files to be loaded."""
    litellm = _litellm.load()
    known = {*USUAL, *inspect.signature(litellm.acompletion).parameters}
    known.update(litellm.types.utils.all_litellm_params)
    known.update(litellm.OPENAI_CHAT_COMPLETION_PARAMS)
    known.update(litellm.constants.DEFAULT_CHAT_COMPLETION_PARAM_VALUES)
    for provider in litellm.LlmProviders:
        made = litellm.utils.ProviderConfigManager.get_provider_chat_config("", provider)
        if made is not None:  # a provider without chat
            known.update(inspect.signature(type(made).__init__).parameters)
    return frozenset(known - {"self", "kwargs"})
