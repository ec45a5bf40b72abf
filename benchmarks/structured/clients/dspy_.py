"""DSPy, whose typed signatures are held by its JSON adapter."""

from __future__ import annotations

import os

os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"

import dspy
from task import MOST_TRIES, PROMPT, Chain, run


class Describe(dspy.Signature):
    """Answer the request."""

    request: str = dspy.InputField()
    answer: Chain = dspy.OutputField()


def ask(base: str, mix: str) -> object:
    """One answer; DSPy itself tries a parse failure once more, the rest is up to the caller."""
    lm = dspy.LM(f"openai/{mix}", api_base=base, api_key="none", cache=False)
    error: Exception | None = None
    for _ in range(1 + MOST_TRIES):
        try:
            with dspy.context(lm=lm, adapter=dspy.JSONAdapter()):
                return dspy.Predict(Describe)(request=PROMPT).answer
        except Exception as found:  # noqa: BLE001  its own errors have no common root
            error = found
    raise RuntimeError("no valid answer") from error


run(ask)
