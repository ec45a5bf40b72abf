"""The loop that people write by hand around LiteLLM."""

from __future__ import annotations

import json
import os

os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"

import litellm
from pydantic import ValidationError
from task import MOST_TRIES, PROMPT, Chain, run


def ask(base: str, mix: str) -> object:
    """One answer."""
    messages = [{"role": "user", "content": PROMPT}]
    error: Exception | None = None
    for _ in range(1 + MOST_TRIES):
        response = litellm.completion(
            model=f"openai/{mix}", api_base=base, api_key="none", messages=messages,
            response_format=Chain,
        )  # fmt: skip
        text = response.choices[0].message.content
        try:
            return Chain.model_validate(json.loads(text))
        except (ValueError, ValidationError) as found:
            error = found
            messages += [
                {"role": "assistant", "content": text},
                {"role": "user", "content": f"That is not valid: {found}. Send the whole JSON."},
            ]
    raise RuntimeError("no valid answer") from error


run(ask)
