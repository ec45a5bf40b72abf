"""pydantic-ai."""

from __future__ import annotations

from pydantic_ai import Agent, NativeOutput
from pydantic_ai.models.openai import OpenAIChatModel
from pydantic_ai.providers.openai import OpenAIProvider
from task import MOST_TRIES, PROMPT, Chain, run


def ask(base: str, mix: str) -> object:
    """One answer."""
    model = OpenAIChatModel(mix, provider=OpenAIProvider(base_url=base, api_key="none"))
    agent = Agent(model, output_type=NativeOutput(Chain), retries=MOST_TRIES)
    return agent.run_sync(PROMPT).output


run(ask)
