"""Inside a LiteLLM proxy: ``gmn/<route>`` becomes a model that any OpenAI client can ask.

In the proxy's config.yaml::

    model_list:
      - {model_name: gmn, litellm_params: {model: gmn/default}}
    litellm_settings:
      custom_provider_map:
        - {provider: gmn, custom_handler: orchestrator.proxy.handler}

``ORCHESTRATOR_CONFIG`` says, as everywhere, what our own routes are. A request may carry
``agent_type``, ``constraints``, ``expectations``, ``tenant``, ``cache`` and ``seed`` beside the
messages; the answer is block text, or JSON where ``response_format`` asks for JSON.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from orchestrator.default import shared
from orchestrator.routing.proxied import custom_llm

if TYPE_CHECKING:
    from orchestrator.gmn.model import GMNSpec
    from orchestrator.result import Generation


async def _generate(prompt: str, route: str, options: dict[str, Any]) -> Generation[GMNSpec]:
    return await shared().generate_gmn(prompt, model=route, **options)


handler = custom_llm(_generate)
